"""A package index for tests: a real HTTP server on 127.0.0.1 that serves real wheels, and faults.

with LocalIndex() as index:
    index.add(build_wheel(tmp_path, "demo"))
    index.fail("*/demo/", Fault(status=500, times=2))
    ...  # use index.url
    assert [request.path for request in index.requests] == [...]
"""

from __future__ import annotations

import base64
import fnmatch
import hashlib
import html
import json
import re
import socket
import ssl
import struct
import threading
import time
import zipfile
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path
    from types import TracebackType

JSON = "application/vnd.pypi.simple.v1+json"


@dataclass
class Fault:
    """What goes wrong for a path. Give one of the fields; ``times`` limits how often it happens.

    ``status`` answers with that status, ``body`` with other content (status 200); ``truncate``
    announces the whole body, sends that many bytes and closes; ``hang`` waits that many seconds
    before it answers; ``reset`` resets the connection; ``redirect`` sends the client elsewhere.
    ``headers`` are added.
    """

    status: int | None = None
    body: bytes | None = None
    content_type: str = "text/html"
    truncate: int | None = None
    hang: float | None = None
    reset: bool = False
    redirect: str | None = None
    headers: Mapping[str, str] = field(default_factory=dict)
    times: int | None = None


@dataclass(frozen=True)
class Request:
    """A request that the server got. Header names are in lower case."""

    path: str
    headers: Mapping[str, str]


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
        self.requests: list[Request] = []
        self._projects: dict[str, dict[str, _File]] = {}
        self._faults: list[tuple[str, Fault]] = []
        self._stop = threading.Event()
        self._server = _Server(("127.0.0.1", 0), _Handler)
        self._server.index = self
        self._scheme = "https" if tls else "http"
        if tls:
            context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
            context.load_cert_chain(tls)
            self._server.socket = context.wrap_socket(
                self._server.socket, server_side=True, do_handshake_on_connect=False
            )
        self._thread = threading.Thread(
            target=self._server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True
        )

    def __enter__(self) -> LocalIndex:
        self._thread.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self._stop.set()
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()

    @property
    def host(self) -> str:
        """The server's address, as in ``127.0.0.1:12345``."""
        return f"127.0.0.1:{self._server.server_address[1]}"

    @property
    def url(self) -> str:
        """The index's URL, without credentials even when the server wants them."""
        return f"{self._scheme}://{self.host}/simple/"

    def file_url(self, filename: str) -> str:
        """Return the URL of a file that was added."""
        return f"{self._scheme}://{self.host}/files/{filename}"

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
        self._faults.append((pattern, fault))

    def heal(self) -> None:
        """Take every fault away."""
        self._faults.clear()

    def paths(self) -> list[str]:
        """Return the paths that were asked for, in order."""
        return [request.path for request in self.requests]

    # --- what the handler asks --------------------------------------------------------------

    def fault_for(self, path: str) -> Fault | None:
        """Return the fault that is due for ``path``, and count it."""
        for pattern, fault in self._faults:
            if fnmatch.fnmatch(path, pattern) and fault.times != 0:
                if fault.times is not None:
                    fault.times -= 1
                return fault
        return None

    def pause(self, seconds: float) -> None:
        """Wait, but not beyond the end of the server."""
        self._stop.wait(seconds)

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


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    block_on_close = False
    request_queue_size = 128
    index: LocalIndex

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Say nothing: clients that go away are part of many tests."""


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server: _Server
    timeout = 30
    disable_nagle_algorithm = True

    def log_message(self, *arguments: Any) -> None:
        """Say nothing."""

    def do_GET(self) -> None:
        index = self.server.index
        headers = {name.lower(): value for name, value in self.headers.items()}
        index.requests.append(Request(self.path, headers))
        fault = index.fault_for(self.path)
        if fault and self._fails(fault):
            return
        if index.auth and headers.get("authorization") != _basic(*index.auth):
            self._send(401, b"", {"WWW-Authenticate": "Basic realm=index"})
            return
        truncate = fault.truncate if fault else None
        if self.path.startswith("/files/"):
            self._send_file(self.path.removeprefix("/files/"), headers, truncate)
        elif match := re.fullmatch(r"/simple/([a-z0-9-]+)/", self.path):
            self._send_page(match[1], headers, truncate)
        else:
            self._send(404, b"nothing here")

    def _fails(self, fault: Fault) -> bool:
        """Do what the fault says; return whether that was the whole answer."""
        if fault.hang is not None:
            self.server.index.pause(fault.hang)
        if fault.reset:
            linger = struct.pack("ii", 1, 0)
            self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, linger)
            self.close_connection = True
            self.connection.close()
        elif fault.redirect is not None:
            self._send(302, b"", {"Location": fault.redirect, **fault.headers})
        elif fault.status is not None:
            self._send(fault.status, b"out of order", fault.headers)
        elif fault.body is not None:
            self._send(200, fault.body, {"Content-Type": fault.content_type, **fault.headers})
        else:
            return False
        return True

    def _send_page(self, project: str, headers: Mapping[str, str], truncate: int | None) -> None:
        index = self.server.index
        as_json = index.json and JSON in headers.get("accept", "")
        page = index.page(project, as_json=as_json)
        if page is None:
            self._send(404, b"no such project", index.headers)
            return
        extra = {"Content-Type": JSON if as_json else "text/html", **index.headers}
        if index.etags:
            extra["ETag"] = f'"{hashlib.sha256(page).hexdigest()[:12]}"'
            if headers.get("if-none-match") == extra["ETag"]:
                self._send(304, b"", extra)
                return
        self._send(200, page, extra, truncate)

    def _send_file(self, name: str, headers: Mapping[str, str], truncate: int | None) -> None:
        index = self.server.index
        content = index.find_file(name)
        if content is None:
            self._send(404, b"no such file")
            return
        span = re.fullmatch(r"bytes=(\d*)-(\d*)", headers.get("range", ""))
        if not index.ranges or not span:
            extra = {"Accept-Ranges": "bytes"} if index.ranges else {}
            self._send(200, content, extra, truncate)
            return
        size = len(content)
        start = int(span[1]) if span[1] else max(size - int(span[2]), 0)
        stop = min(int(span[2]) + 1, size) if span[1] and span[2] else size
        if start >= size:
            self._send(416, b"", {"Content-Range": f"bytes */{size}"})
            return
        extra = {"Content-Range": f"bytes {start}-{stop - 1}/{size}"}
        self._send(206, content[start:stop], extra, truncate)

    def _send(
        self,
        status: int,
        body: bytes,
        headers: Mapping[str, str] | None = None,
        truncate: int | None = None,
    ) -> None:
        self.send_response(status)
        for name, value in (headers or {}).items():
            self.send_header(name, value)
        if status != 304:
            self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body if truncate is None else body[:truncate])
        if truncate is not None:
            self.wfile.flush()
            # Let the bytes arrive before the connection ends.
            time.sleep(0.01)
            self.close_connection = True


def _basic(username: str, password: str) -> str:
    return "Basic " + base64.b64encode(f"{username}:{password}".encode()).decode()
