"""A conda channel for tests: a directory of real packages and repodata, over HTTP and file://.

with CondaChannel(tmp_path / "forge") as channel:
    channel.add(build_conda_package(tmp_path, "demo"))         # a package that can be installed
    channel.add_record("other", "2.0", depends=["demo >=1"])   # one that can only be solved for
    channel.fail("*/demo-1.0-0.conda", Fault(status=500, times=2))
    ...  # use channel.url, or channel.file_url (which needs no ``with``)
    assert [request.path for request in channel.requests] == [...]
"""

from __future__ import annotations

import asyncio
import hashlib
import json
import shutil
import threading
from typing import TYPE_CHECKING, Any, Literal

import zstandard

from conda_packages import read_index_json
from local_server import Fault, LocalServer, Reply, Request, basic, ranged

__all__ = ["CondaChannel", "Fault", "Request"]

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping
    from pathlib import Path
    from types import TracebackType

_INDEX_FILES = ("repodata.json", "repodata.json.zst", "repodata_shards.msgpack.zst")


class CondaChannel:
    """A channel; its name is its directory's. Options are attributes and may be changed.

    ``subdirs`` exist even when they are empty; a record's own is added. ``json`` and ``zst`` say
    which files of repodata there are. With ``shards`` the index is made by rattler's indexer,
    shards and all, from the archives alone. ``headers`` go with every index file
    (``Cache-Control``), ``etags`` answers conditional requests with 304, ``ranges`` gives parts
    of packages. ``auth`` is (user name, password), ``token`` what ``/t/<token>/`` in the URL or a
    bearer has to say. ``info`` overrides fields of a subdir's ``info``, such as ``subdir``.
    ``tls`` is a PEM file with the server's certificate and key.
    """

    def __init__(
        self,
        directory: Path,
        *,
        subdirs: Iterable[str] = ("noarch", "linux-64"),
        json: bool = True,
        zst: bool = True,
        shards: bool = False,
        etags: bool = True,
        ranges: bool = True,
        headers: Mapping[str, str] | None = None,
        auth: tuple[str, str] | None = None,
        token: str | None = None,
        tls: Path | None = None,
    ) -> None:
        self.directory = directory
        self.json = json
        self.zst = zst
        self.shards = shards
        self.etags = etags
        self.ranges = ranges
        self.headers = dict(headers or {})
        self.auth = auth
        self.token = token
        self.info: dict[str, Any] = {}
        self._records: dict[str, dict[str, dict[str, Any]]] = {name: {} for name in subdirs}
        self._written = False
        self._writing = threading.Lock()
        self._server = LocalServer(self._answer, tls)

    def __enter__(self) -> CondaChannel:
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
    def name(self) -> str:
        """The last part of the channel's URL."""
        return self.directory.name

    @property
    def host(self) -> str:
        """The server's address, as in ``127.0.0.1:12345``."""
        return self._server.host

    @property
    def url(self) -> str:
        """The channel's URL with a slash at its end, without credentials even if it wants them."""
        self.write()
        return f"{self._server.url}/{self.name}/"

    @property
    def file_url(self) -> str:
        """The same channel without the server."""
        self.write()
        return f"{self.directory.absolute().as_uri()}/"

    @property
    def requests(self) -> list[Request]:
        """What was asked for, in order."""
        return self._server.requests

    def paths(self) -> list[str]:
        """Return the paths that were asked for, without the channel's name and in order."""
        return [request.path.partition(f"/{self.name}/")[2] for request in self.requests]

    def fail(self, pattern: str, fault: Fault) -> None:
        """Let ``fault`` happen to requests whose path matches the shell-style ``pattern``."""
        self._server.fail(pattern, fault)

    def heal(self) -> None:
        """Take every fault away."""
        self._server.heal()

    def add(self, package: Path, **fields: Any) -> str:
        """Copy an archive into the channel and return its URL.

        ``fields`` override those of its record (``sha256``, ``size``, ``depends`` as by a repodata
        patch, ...); None removes one.
        """
        index = read_index_json(package)
        content = package.read_bytes()
        subdir: str = index["subdir"]
        (self.directory / subdir).mkdir(parents=True, exist_ok=True)
        shutil.copyfile(package, self.directory / subdir / package.name)
        hashes = {
            "md5": hashlib.md5(content, usedforsecurity=False).hexdigest(),
            "sha256": hashlib.sha256(content).hexdigest(),
            "size": len(content),
        }
        return self._put(subdir, package.name, {**index, **hashes, **fields})

    def add_record(
        self,
        name: str,
        version: str = "1.0",
        build: str = "0",
        *,
        build_number: int = 0,
        depends: Iterable[str] = (),
        constrains: Iterable[str] = (),
        noarch: Literal["python", "generic"] | None = None,
        subdir: str | None = None,
        archive: Literal["conda", "tar.bz2"] = "conda",
        **fields: Any,
    ) -> str:
        """Put a record without an archive into the index and return the archive's would-be URL.

        ``fields`` are others of the record, or override those of the same name, with values that
        may be as wrong as a test wants them; None removes one.
        """
        filename = f"{name}-{version}-{build}.{archive}"
        record = {
            "build": build,
            "build_number": build_number,
            "constrains": list(constrains),
            "depends": list(depends),
            "md5": hashlib.md5(filename.encode(), usedforsecurity=False).hexdigest(),
            "name": name,
            "noarch": noarch,
            "sha256": hashlib.sha256(filename.encode()).hexdigest(),
            "size": 1000,
            "subdir": subdir or ("noarch" if noarch else "linux-64"),
            "version": version,
            **fields,
        }
        return self._put(subdir or ("noarch" if noarch else "linux-64"), filename, record)

    def remove(self, filename: str, *, archive_only: bool = False) -> None:
        """Take a package out of the channel, as its owners do between a solve and a download."""
        for subdir, records in self._records.items():
            (self.directory / subdir / filename).unlink(missing_ok=True)
            if not archive_only:
                records.pop(filename, None)
        self._changed()

    def write(self) -> None:
        """Write the index into the directory, unless it is there and as it should be."""
        with self._writing:  # many requests may come at once
            if not self._written:
                self._write_index()
                self._written = True

    def _changed(self) -> None:
        known, self._written = self._written, False
        if known:  # whoever has the URL is to see the change, through file:// too
            self.write()

    def _write_index(self) -> None:
        for subdir in self._records:
            (self.directory / subdir).mkdir(parents=True, exist_ok=True)
            for name in _INDEX_FILES:
                (self.directory / subdir / name).unlink(missing_ok=True)
        if self.shards:
            _index_with_rattler(self.directory)
            return
        for subdir, records in self._records.items():
            content = json.dumps(self._repodata(subdir, records)).encode()
            if self.json:
                (self.directory / subdir / "repodata.json").write_bytes(content)
            if self.zst:
                compressed = zstandard.ZstdCompressor(level=1).compress(content)
                (self.directory / subdir / "repodata.json.zst").write_bytes(compressed)

    def _put(self, subdir: str, filename: str, record: Mapping[str, Any]) -> str:
        kept = {key: value for key, value in record.items() if value is not None}
        self._records.setdefault(subdir, {})[filename] = kept
        self._changed()
        return f"{self._server.url}/{self.name}/{subdir}/{filename}"

    def _repodata(self, subdir: str, records: Mapping[str, Any]) -> dict[str, Any]:
        old = {name: record for name, record in records.items() if name.endswith(".tar.bz2")}
        return {
            "info": {"subdir": subdir, **self.info},
            "packages": old,
            "packages.conda": {name: records[name] for name in records if name not in old},
            "repodata_version": 1,
        }

    def _answer(self, request: Request) -> Reply:
        self.write()
        path = request.path.partition("?")[0]
        if self.token is not None:
            prefix = f"/t/{self.token}/"
            if path.startswith(prefix):
                path = path[len(prefix) - 1 :]
            elif request.headers.get("authorization") != f"Bearer {self.token}":
                return Reply(403, b"no such token")
        if self.auth and request.headers.get("authorization") != basic(*self.auth):
            return Reply(401, b"", {"WWW-Authenticate": "Basic realm=channel"})
        inner = path.removeprefix(f"/{self.name}/")
        file = self.directory / inner
        if inner == path or ".." in inner.split("/") or not file.is_file():
            return Reply(404, b"no such file")
        content = file.read_bytes()
        if inner.endswith((".conda", ".tar.bz2")):
            return ranged(content, request.headers) if self.ranges else Reply(200, content)
        return self._index_file(content, request)

    def _index_file(self, content: bytes, request: Request) -> Reply:
        headers = dict(self.headers)
        if self.etags:
            headers["ETag"] = f'"{hashlib.sha256(content).hexdigest()[:12]}"'
            if request.headers.get("if-none-match") == headers["ETag"]:
                return Reply(304, b"", headers)
        return Reply(200, content, headers)


def _index_with_rattler(directory: Path) -> None:
    import rattler

    async def index() -> None:
        await rattler.index.index_fs(directory, write_zst=True, write_shards=True, force=True)

    # A thread of its own, because tests ask for a channel's URL inside of event loops, too.
    thread = threading.Thread(target=lambda: asyncio.run(index()))
    thread.start()
    thread.join()
