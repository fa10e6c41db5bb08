"""Everything a plan needs is brought into the package cache, checked, before anything is built."""

from __future__ import annotations

import asyncio
import contextlib
import os
import secrets
import shutil
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING

from kaa.model.progress import Phase, Silent
from kaa.store.convert import convert_wheel
from kaa.store.disk import writing
from kaa.store.host_python import ensure_host_python
from kaa.store.package_cache import entry_name, has_entry, new_entry

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence
    from pathlib import Path
    from types import TracebackType

    from rattler import RepoDataRecord

    from kaa.model.distribution import IndexFile
    from kaa.model.progress import Progress
    from kaa.network.client import Client
    from kaa.sources.metadata import MetadataReader
    from kaa.store.host_python import HostPython
    from kaa.store.layout import Layout

_DOWNLOADS = 16
"""Wheels on their way at once."""


def is_cached(layout: Layout, record: RepoDataRecord) -> bool:
    """Say whether the package cache has what ``record`` stands for."""
    return has_entry(layout, _entry(record), _sha256(record))


class WheelFetcher:
    """Brings wheels into the package cache, several at once; use it with ``async with``.

    :meth:`begin` may be called while the solve is still going on, for wheels that are almost
    certain to be part of the answer; :meth:`finish` drops those that are not.
    """

    def __init__(self, layout: Layout, client: Client, metadata: MetadataReader) -> None:
        self._layout = layout
        self._client = client
        self._metadata = metadata
        self._progress: Progress = Silent()
        self._received: dict[str, int] = {}
        self._tasks: dict[str, asyncio.Task[None]] = {}
        self._slots = asyncio.Semaphore(_DOWNLOADS)
        self._pool = ThreadPoolExecutor(os.cpu_count() or 2, thread_name_prefix="convert")

    async def __aenter__(self) -> WheelFetcher:
        """Begin; nothing is started yet."""
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        """Stop what is still under way and wait until it has tidied up."""
        await self._drop(self._tasks)
        self._pool.shutdown(cancel_futures=True)

    def begin(self, record: RepoDataRecord, file: IndexFile) -> None:
        """Fetch a wheel in the background, unless the cache has it or it is on its way."""
        if file.url not in self._tasks and not is_cached(self._layout, record):
            self._tasks[file.url] = asyncio.create_task(self._fetch(record, file))

    def has_begun(self, url: str) -> bool:
        """Say whether the wheel at ``url`` was not in the cache and is, or was, on its way."""
        return url in self._tasks

    async def finish(
        self, wheels: Sequence[tuple[RepoDataRecord, IndexFile]], progress: Progress
    ) -> None:
        """Return when all of ``wheels`` are in the package cache.

        Raises the errors of the network and the store; what was finished by then stays in the
        cache, of the rest nothing does.
        """
        # Large wheels first: the last one to be converted decides when all are.
        for record, file in sorted(wheels, key=lambda item: item[1].size or 0, reverse=True):
            self.begin(record, file)
        wanted = {file.url: file for _, file in wheels if file.url in self._tasks}
        await self._drop(self._tasks.keys() - wanted.keys())
        if not wanted:
            return
        progress.expect(Phase.DOWNLOAD, sum(file.size or 0 for file in wanted.values()))
        progress.advance(Phase.DOWNLOAD, sum(self._received.get(url, 0) for url in wanted))
        self._progress = progress
        await asyncio.gather(*(self._tasks[url] for url in wanted))
        progress.finish(Phase.DOWNLOAD)

    async def _drop(self, urls: Iterable[str]) -> None:
        tasks = [self._tasks.pop(url) for url in list(urls)]
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    async def _fetch(self, record: RepoDataRecord, file: IndexFile) -> None:
        # A directory that no other process uses; in it the wheel's own name, which messages show.
        directory = self._layout.metadata / "wheels" / secrets.token_hex(8)
        wheel = directory / file.filename
        try:
            if _claim(self._metadata.kept_wheel(file), wheel):
                self._advance(file, file.size or 0)
            else:
                async with self._slots:
                    await self._client.download(
                        file.url,
                        wheel,
                        hashes=file.hashes,
                        size=file.size,
                        advance=lambda amount: self._advance(file, amount),
                    )
            loop = asyncio.get_running_loop()
            await loop.run_in_executor(
                self._pool, _convert, wheel, record, file.filename, self._layout
            )
        finally:
            shutil.rmtree(directory, ignore_errors=True)

    def _advance(self, file: IndexFile, amount: int) -> None:
        self._received[file.url] = self._received.get(file.url, 0) + amount
        self._progress.advance(Phase.DOWNLOAD, amount, file.filename)


def provide_host_python(layout: Layout, python: HostPython) -> None:
    """Put the package of an interpreter into the package cache, unless it is there."""
    with writing(layout.packages):
        ensure_host_python(layout, python)


def _claim(kept: Path | None, wheel: Path) -> bool:
    """Take a wheel that came along with its metadata, unless another process was faster."""
    if kept is None:
        return False
    with writing(wheel), contextlib.suppress(FileNotFoundError):
        wheel.parent.mkdir(exist_ok=True)
        kept.replace(wheel)
        return True
    return False


def _convert(wheel: Path, record: RepoDataRecord, filename: str, layout: Layout) -> None:
    index = {
        "name": record.name.normalized,
        "version": str(record.version),
        "build": str(record.build),
        "build_number": record.build_number,
        "depends": record.depends,
        "subdir": "noarch",
        "noarch": "python",
    }
    try:
        with (
            writing(layout.packages),
            new_entry(layout, _entry(record), _sha256(record)) as target,
        ):
            convert_wheel(wheel, filename, target, index)
    finally:
        wheel.unlink(missing_ok=True)  # here, because a large one takes the event loop's time


def _entry(record: RepoDataRecord) -> str:
    return entry_name(record.name.normalized, str(record.version), str(record.build))


def _sha256(record: RepoDataRecord) -> str:
    assert record.sha256 is not None  # every record of ours has one
    return record.sha256.hex()
