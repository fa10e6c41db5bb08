"""A package index for tests: a real HTTP server on 127.0.0.1 that serves real wheels, and faults.

with LocalIndex() as index:
    index.add(build_wheel(tmp_path, "demo"))
    index.fail("*/demo/", Fault(status=500, times=2))
    ...  # use index.url
    assert [request.path for request in index.requests] == [...]
"""

from __future__ import annotations

import hashlib
import html
import json
import re
import zipfile
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from local_server import Fault, LocalServer, Reply, Request, basic, ranged

__all__ = ["JSON", "Fault", "LocalIndex", "Request"]

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path
    from types import TracebackType

JSON = "application/vnd.pypi.simple.v1+json"


@dataclass
class _File:
    content: bytes
    hashes: dict[str, str]
    entry: dict[str, Any]
    metadata: bytes | None


class LocalIndex:
    """An index (PEP 503 and 691). Its options are attributes and may be changed at any time.

    ``url`` is what a user would configure; ``json``, ``core_metadata`` (PEP 658/714), ``ranges``
    and ``sizes`` switch features; ``headers`` go with every project page (``Cache-Control``);
    ``etags`` answers conditional requests with 304; ``auth`` is (user name, password);
    ``tls`` is a PEM file with the server's certificate and key.
    """

    def __init__(
        self,
        *,
        json: bool = True,
        core_metadata: bool = True,
        ranges: bool = True,
        sizes: bool = True,
        etags: bool = False,
        headers: Mapping[str, str] | None = None,
        auth: tuple[str, str] | None = None,
        tls: Path | None = None,
    ) -> None:
        self.json = json
        self.core_metadata = core_metadata
        self.ranges = ranges
        self.sizes = sizes
        self.etags = etags
        self.headers = dict(headers or {})
        self.auth = auth
        self._projects: dict[str, dict[str, _File]] = {}
        self._server = LocalServer(self._answer, tls)

    def __enter__(self) -> LocalIndex:
        self._server.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self._server.stop()

    @property
    def host(self) -> str:
        """The server's address, as in ``127.0.0.1:12345``."""
        return self._server.host

    @property
    def url(self) -> str:
        """The index's URL, without credentials even when the server wants them."""
        return f"{self._server.url}/simple/"

    def file_url(self, filename: str) -> str:
        """Return the URL of a file that was added."""
        return f"{self._server.url}/files/{filename}"

    @property
    def requests(self) -> list[Request]:
        """What was asked for, in order."""
        return self._server.requests

    def add(
        self,
        path: Path,
        *,
        sha256: str | None = None,
        requires_python: str | None = None,
        yanked: str | bool = False,
        upload_time: str | None = None,
    ) -> str:
        """Serve a wheel or sdist (``sha256`` overrides the right one) and return its URL."""
        content = path.read_bytes()
        project = re.sub(r"[-_.]+", "-", path.name.rpartition(".tar")[0] or path.name)
        project = re.split(r"-\d", project)[0].lower()
        hashes = {"sha256": sha256 or hashlib.sha256(content).hexdigest()}
        entry: dict[str, Any] = {"filename": path.name, "yanked": yanked}
        if requires_python:
            entry["requires-python"] = requires_python
        if upload_time:
            entry["upload-time"] = upload_time
        self._projects.setdefault(project, {})[path.name] = _File(
            content, hashes, entry, _metadata_of(path)
        )
        return self.file_url(path.name)

    def fail(self, pattern: str, fault: Fault) -> None:
        """Let ``fault`` happen to requests whose path matches the shell-style ``pattern``."""
        self._server.fail(pattern, fault)

    def heal(self) -> None:
        """Take every fault away."""
        self._server.heal()

    def paths(self) -> list[str]:
        """Return the paths that were asked for, in order."""
        return [request.path for request in self.requests]

    # --- what it answers --------------------------------------------------------------------

    def _answer(self, request: Request) -> Reply:
        if self.auth and request.headers.get("authorization") != basic(*self.auth):
            return Reply(401, b"", {"WWW-Authenticate": "Basic realm=index"})
        if request.path.startswith("/files/"):
            return self._file(request.path.removeprefix("/files/"), request.headers)
        if match := re.fullmatch(r"/simple/([a-z0-9-]+)/", request.path):
            return self._page(match[1], request.headers)
        return Reply(404, b"nothing here")

    def _page(self, project: str, headers: Mapping[str, str]) -> Reply:
        as_json = self.json and JSON in headers.get("accept", "")
        page = self.page(project, as_json=as_json)
        if page is None:
            return Reply(404, b"no such project", self.headers)
        extra = {"Content-Type": JSON if as_json else "text/html", **self.headers}
        if self.etags:
            extra["ETag"] = f'"{hashlib.sha256(page).hexdigest()[:12]}"'
            if headers.get("if-none-match") == extra["ETag"]:
                return Reply(304, b"", extra)
        return Reply(200, page, extra)

    def _file(self, name: str, headers: Mapping[str, str]) -> Reply:
        content = self.find_file(name)
        if content is None:
            return Reply(404, b"no such file")
        return ranged(content, headers) if self.ranges else Reply(200, content)

    def find_file(self, name: str) -> bytes | None:
        """Return the content of a file, or of the metadata beside it."""
        wheel = name.removesuffix(".metadata")
        for files in self._projects.values():
            if wheel in files:
                if wheel == name:
                    return files[name].content
                return files[wheel].metadata if self.core_metadata else None
        return None

    def page(self, project: str, *, as_json: bool) -> bytes | None:
        """Return a project's page, or None when it has no file."""
        files = self._projects.get(project)
        if files is None:
            return None
        entries = [self._entry(file) for file in files.values()]
        if as_json:
            page = {"meta": {"api-version": "1.1"}, "name": project, "files": entries}
            return json.dumps(page).encode()
        links = "".join(_link(entry) for entry in entries)
        return f"<!DOCTYPE html><html><body>\n{links}</body></html>".encode()

    def _entry(self, file: _File) -> dict[str, Any]:
        name = file.entry["filename"]
        entry = {**file.entry, "url": f"../../files/{name}", "hashes": file.hashes}
        if self.sizes:
            entry["size"] = len(file.content)
        if self.core_metadata and file.metadata is not None:
            entry["core-metadata"] = {"sha256": hashlib.sha256(file.metadata).hexdigest()}
        return entry


def _metadata_of(path: Path) -> bytes | None:
    if path.suffix != ".whl" or not zipfile.is_zipfile(path):
        return None
    with zipfile.ZipFile(path) as archive:
        names = [name for name in archive.namelist() if name.endswith(".dist-info/METADATA")]
        return archive.read(names[0]) if names else None


def _link(entry: dict[str, Any]) -> str:
    attributes = {}
    if "requires-python" in entry:
        attributes["data-requires-python"] = entry["requires-python"]
    if entry["yanked"] is not False:
        attributes["data-yanked"] = "" if entry["yanked"] is True else entry["yanked"]
    if "core-metadata" in entry:
        attributes["data-core-metadata"] = f"sha256={entry['core-metadata']['sha256']}"
    text = "".join(f' {name}="{html.escape(value)}"' for name, value in attributes.items())
    url = f"{entry['url']}#sha256={entry['hashes']['sha256']}"
    return f'<a href="{url}"{text}>{entry["filename"]}</a>\n'
