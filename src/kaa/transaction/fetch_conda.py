"""Conda packages on their way into the package cache: downloaded, checked, extracted.

rattler's client downloads, so that what it knows of tokens, mirrors, OCI registries and S3 holds
for packages as it does for repodata; hashes, sizes and retries are looked after here.
"""

from __future__ import annotations

import asyncio
import functools
import json
import re
import shutil
import threading
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from kaa.model.errors import (
    HashMismatchError,
    MetadataError,
    SourceAnswerError,
    SourceError,
    SourceUnreachableError,
    StoreError,
    TruncatedDownloadError,
)
from kaa.model.progress import Phase
from kaa.network.downloads import PartialFile
from kaa.network.failures import SWITCHED_OFF
from kaa.network.local_files import is_local, local_path
from kaa.network.locations import redact_text
from kaa.sources.channels import public_url
from kaa.store.archive import extract_package
from kaa.store.disk import writing
from kaa.store.package_cache import new_entry, write_origin
from kaa.store.run_token import temporary_name
from kaa.transaction.cached import entry_of, hash_of, is_cached
from kaa.transaction.fetch_queue import Job, in_pool

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable
    from concurrent.futures import ThreadPoolExecutor
    from pathlib import Path

    import rattler
    from rattler import RepoDataRecord

    from kaa.model.progress import Progress
    from kaa.store.layout import Layout

ARCHIVES = "archives"
"""Where archives lie between download and extraction, below the layout's ``metadata``."""
_KINDS = (".conda", ".tar.bz2")
_ATTEMPTS = 3
_PATIENCE = 30.0
"""Seconds without a single byte after which a download counts as dead."""
_BLOCK = 1 << 20
_FILE_NAME = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.+!=-]*")
_STATUS = re.compile(r"\b(?:client|server) error \((\d{3})([^)]*)\)")


def conda_jobs(
    records: Iterable[RepoDataRecord],
    layout: Layout,
    client: rattler.Client,
    progress: Progress,
    address: Callable[[str], str] = str,
    *,
    offline: bool = False,
) -> list[Job]:
    """Return what is to be done for the packages that the package cache lacks.

    ``address`` gives the URL to ask for a record's, which is where credentials come in that
    records do not have (see :func:`kaa.sources.channels.private_url`).

    Raises :class:`~kaa.model.errors.StoreError` for a record that no archive can be checked by,
    :class:`~kaa.model.errors.MetadataError` for one whose names are no file names, and
    :class:`~kaa.model.errors.SourceUnreachableError` if it is ``offline`` and would have to come
    over the network. The jobs
    raise :class:`~kaa.model.errors.SourceError` for servers that do not answer or refuse,
    :class:`~kaa.model.errors.MetadataError` for a package that is not what its record says,
    :class:`~kaa.model.errors.HashMismatchError`,
    :class:`~kaa.model.errors.TruncatedDownloadError`,
    :class:`~kaa.model.errors.UnsafeArchiveError` and other errors of the store.
    """
    missing = [record for record in records if not is_cached(layout, record)]
    for record in missing:
        _check_record(record)
    distant = [record.file_name for record in missing if not is_local(address(record.url))]
    if offline and distant:
        others = f"and {len(distant) - 1} more are" if len(distant) > 1 else "is"
        raise SourceUnreachableError(
            f"{distant[0]} {others} not in the cache, and the network is switched off",
            hint=SWITCHED_OFF,
        )
    return [
        Job(
            record.size or 0,
            functools.partial(_fetch, record, address(record.url), layout, client, progress),
        )
        for record in missing
    ]


def _check_record(record: RepoDataRecord) -> None:
    """Refuse a record that no archive can be checked by, or whose names would be paths."""
    name = entry_of(record)
    for text in (name, record.file_name):
        if not _FILE_NAME.fullmatch(text):  # rattler takes any build string, `../../x` too
            raise MetadataError(
                f"{text!r} cannot be the name of a package",
                cause=f"{_where(record)} has a record with it",
                hint="tell the channel's owners; choose another version or build",
            )
    if not hash_of(record):
        raise StoreError(
            f"the package {name} cannot be checked",
            cause=f"{_where(record)} gives no hash for it",
            hint="index the channel anew (`conda index`, `rattler-index`), or choose another build",
        )
    if not record.file_name.endswith(_KINDS):
        raise StoreError(
            f"{record.file_name} is no conda package",
            cause=f"{_where(record)} has it among its packages",
            hint="choose a build whose file name ends in .conda or .tar.bz2",
        )


async def _fetch(
    record: RepoDataRecord,
    url: str,
    layout: Layout,
    client: rattler.Client,
    progress: Progress,
    slots: asyncio.Semaphore,
    pool: ThreadPoolExecutor,
) -> None:
    # A directory that no other process uses; in it the package's own name, which messages show.
    directory = layout.metadata / ARCHIVES / temporary_name()
    kind = next(kind for kind in _KINDS if record.file_name.endswith(kind))
    archive = directory / f"{entry_of(record)}{kind}"
    try:
        async with slots:
            sha256 = await _download(record, url, archive, client, progress)
        await in_pool(pool, lambda halted: _extract(archive, record, sha256, layout, halted))
    finally:
        shutil.rmtree(directory, ignore_errors=True)


def _extract(
    archive: Path,
    record: RepoDataRecord,
    sha256: str,
    layout: Layout,
    halted: Callable[[], bool],
) -> None:
    with writing(layout.packages), new_entry(layout, entry_of(record), sha256) as target:
        extract_package(archive, target, halted)
        _check_index(target, record)
        write_origin(target, _origin(record, sha256))
    archive.unlink(missing_ok=True)  # here, because a large one takes the event loop's time


def _check_index(package: Path, record: RepoDataRecord) -> None:
    """Raise :class:`MetadataError` unless the package is what its record says it is."""
    try:
        index = json.loads((package / "info" / "index.json").read_bytes())
        said = {key: str(index[key]) for key in ("name", "version", "build")}
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise _contradiction(record, f"its info/index.json cannot be read: {error}") from error
    wanted = {
        "name": record.name.normalized,
        "version": str(record.version),
        "build": str(record.build),
    }
    said["name"] = said["name"].lower()  # as match specs and records have it
    for key, value in wanted.items():
        if said[key] != value:
            raise _contradiction(record, f"in its info/index.json its {key} is {said[key]!r}")


def _contradiction(record: RepoDataRecord, why: str) -> MetadataError:
    return MetadataError(
        f"the package {record.file_name} contradicts its record in {_where(record)}",
        cause=why,
        hint="tell the channel's owners; choose another version or build until it is mended",
    )


def _origin(record: RepoDataRecord, sha256: str) -> dict[str, Any]:
    content: dict[str, Any] = json.loads(record.to_json())
    content.update(fn=record.file_name, sha256=sha256, url=public_url(record.url))
    if record.channel is not None:
        content["channel"] = public_url(record.channel)
    return content


async def _download(
    record: RepoDataRecord, url: str, archive: Path, client: rattler.Client, progress: Progress
) -> str:
    """Download or copy the archive and return its sha256."""
    loop = asyncio.get_running_loop()
    name = record.file_name

    def advance(amount: int) -> None:
        progress.advance(Phase.DOWNLOAD, amount, name)

    partial = await loop.run_in_executor(None, PartialFile, archive, hash_of(record))
    receiver = _Receiver(partial, record, advance)
    try:
        if is_local(url):
            await loop.run_in_executor(None, _copy, record, receiver)
        else:
            await _attempts(record, url, receiver, client)
        receiver.check_end()
        return await loop.run_in_executor(None, partial.commit)
    finally:
        receiver.close()
        partial.discard()


async def _attempts(
    record: RepoDataRecord, url: str, receiver: _Receiver, client: rattler.Client
) -> None:
    """Download into ``receiver``, starting over when a stream ends before its time."""
    for attempt in range(1, _ATTEMPTS + 1):
        receiver.restart()
        try:
            await _stream(url, receiver, client)
        except RuntimeError as error:  # the request failed, and rattler's own attempts with it
            raise _refusal(record, error) from error
        except OSError as error:  # the body ended, or does not come
            if attempt == _ATTEMPTS and not receiver.received:
                raise _refusal(record, error) from error
            if attempt == _ATTEMPTS:
                raise TruncatedDownloadError(
                    f"the download of {record.file_name} ended before the file did",
                    cause=_said(error),
                    hint="try again; what is complete is kept and not downloaded twice",
                ) from error
        else:
            return


async def _stream(url: str, receiver: _Receiver, client: rattler.Client) -> None:
    """Download once. A connection over which nothing comes any more is given up."""
    from rattler.package_streaming import download_to_writer

    task = asyncio.ensure_future(download_to_writer(client, url, receiver))
    seen = -1
    try:
        while not task.done():
            if receiver.received == seen:
                raise OSError(f"nothing came for {_PATIENCE:.0f} seconds")
            seen = receiver.received
            await asyncio.wait([task], timeout=_PATIENCE)
        task.result()
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)


def _copy(record: RepoDataRecord, receiver: _Receiver) -> None:
    path = local_path(record.url)
    try:
        with path.open("rb") as file:
            while block := file.read(_BLOCK):
                receiver.write(block)
    except FileNotFoundError as error:
        raise _gone(record, f"{path} is not there") from error
    except OSError as error:
        raise SourceAnswerError(
            f"{path} cannot be read",
            cause=error.strerror,
            hint=f"check {_where(record)}, which names this file",
        ) from error


class _Receiver:
    """What rattler writes a download into (from its own threads): counts, checks, tells."""

    def __init__(
        self, partial: PartialFile, record: RepoDataRecord, advance: Callable[[int], None]
    ) -> None:
        self._partial = partial
        self._record = record
        self._advance = advance
        self._lock = threading.Lock()
        self._closed = False

    @property
    def received(self) -> int:
        """Bytes that came since the last start."""
        return self._partial.received

    def write(self, block: bytes) -> int:
        """Take the next bytes. Raises :class:`~kaa.model.errors.StoreError`."""
        with self._lock:
            # A cancelled download may have a block on its way still.
            if self._closed:
                raise ValueError("the download was given up")
            self._partial.write([block])
            if self._record.size is not None and self.received > self._record.size:
                raise self._wrong_size("more than")
        self._advance(len(block))
        return len(block)

    def restart(self) -> None:
        """Forget what came."""
        with self._lock:
            forgotten = self._partial.restart()
        if forgotten:
            self._advance(-forgotten)

    def check_end(self) -> None:
        """Raise :class:`HashMismatchError` when the whole is shorter than the record says."""
        if self._record.size is not None and self.received < self._record.size:
            raise self._wrong_size("not")

    def close(self) -> None:
        """Take nothing any more."""
        with self._lock:
            self._closed = True

    def _wrong_size(self, comparison: str) -> HashMismatchError:
        return HashMismatchError(
            f"{self._record.file_name} is not the file that {_where(self._record)} promised",
            cause=f"it has {self.received} bytes, {comparison} {self._record.size}",
            hint="try again; if it stays so, the channel or a proxy on the way altered the file",
        )


def _refusal(record: RepoDataRecord, error: Exception) -> SourceError:
    """Return the error for a server that refused, or that nobody reached."""
    status = _STATUS.search(str(error))
    if status is None:
        host = urlsplit(record.url).hostname or public_url(record.url)
        return SourceUnreachableError(
            f"{host} cannot be reached",
            cause=_said(error),
            hint="check the connection and the proxy (HTTPS_PROXY), then run it again",
        )
    if status[1] in {"404", "410"}:
        return _gone(record, f"{public_url(record.url)} answered {status[1]}{status[2]}")
    hint = "try again later"
    if status[1] in {"401", "403", "407"}:
        hint = (
            "put a user name and password or a token (`/t/TOKEN/`) into the channel's URL, "
            f"or log in with `rattler auth login {urlsplit(record.url).hostname or 'HOST'}`"
        )
    return SourceAnswerError(f"{public_url(record.url)} answered {status[1]}{status[2]}", hint=hint)


def _gone(record: RepoDataRecord, why: str) -> SourceAnswerError:
    return SourceAnswerError(
        f"{_where(record)} does not have {record.file_name} any more",
        cause=why,
        hint="the channel's index changed meanwhile: run it again",
    )


def _said(error: Exception) -> str:
    """Return rattler's message, which has URLs in it, without credentials."""
    return public_url(redact_text(str(error)))


def _where(record: RepoDataRecord) -> str:
    return f"the channel {public_url(record.channel or record.url)}"
