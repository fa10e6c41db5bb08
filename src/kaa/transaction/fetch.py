"""Everything a plan needs is brought into the package cache, checked, before anything is built."""

from __future__ import annotations

import asyncio
import contextlib
import os
import secrets
import shutil
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING

from kaa.model.progress import Phase
from kaa.store.convert import convert_wheel
from kaa.store.disk import writing
from kaa.store.host_python import ensure_host_python
from kaa.store.package_cache import entry_name, has_entry, new_entry

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from rattler import RepoDataRecord

    from kaa.model.distribution import IndexFile
    from kaa.model.progress import Progress
    from kaa.network.client import Client
    from kaa.sources.metadata import MetadataReader
    from kaa.store.host_python import HostPython
    from kaa.store.layout import Layout

_DOWNLOADS = 5
"""Wheels on their way at once: few, so that the first is soon there to be converted."""


def is_cached(layout: Layout, record: RepoDataRecord) -> bool:
    """Say whether the package cache has what ``record`` stands for."""
    return has_entry(layout, _entry(record), _sha256(record))


async def fetch_wheels(
    wheels: Sequence[tuple[RepoDataRecord, IndexFile]],
    layout: Layout,
    client: Client,
    metadata: MetadataReader,
    progress: Progress,
) -> None:
    """Download, check and convert the wheels that the package cache lacks.

    Raises the errors of the network and the store; what was finished by then stays in the cache,
    of the rest nothing does.
    """
    missing = [(record, file) for record, file in wheels if not is_cached(layout, record)]
    if not missing:
        return
    progress.expect(Phase.DOWNLOAD, sum(file.size or 0 for _, file in missing))
    # Large wheels first: the last one to be converted decides when all are.
    missing.sort(key=lambda item: item[1].size or 0, reverse=True)
    slots = asyncio.Semaphore(_DOWNLOADS)
    with ThreadPoolExecutor(os.cpu_count() or 2, thread_name_prefix="convert") as pool:
        tasks = [
            asyncio.create_task(_fetch(item, layout, client, metadata, progress, slots, pool))
            for item in missing
        ]
        try:
            await asyncio.gather(*tasks)
        except BaseException:
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)
            pool.shutdown(cancel_futures=True)
            raise
    progress.finish(Phase.DOWNLOAD)


def provide_host_python(layout: Layout, python: HostPython) -> None:
    """Put the package of an interpreter into the package cache, unless it is there."""
    with writing(layout.packages):
        ensure_host_python(layout, python)


async def _fetch(
    item: tuple[RepoDataRecord, IndexFile],
    layout: Layout,
    client: Client,
    metadata: MetadataReader,
    progress: Progress,
    slots: asyncio.Semaphore,
    pool: ThreadPoolExecutor,
) -> None:
    record, file = item
    # A directory that no other process uses; in it the wheel's own name, which messages show.
    directory = layout.metadata / "wheels" / secrets.token_hex(8)
    wheel = directory / file.filename
    try:
        if _claim(metadata.kept_wheel(file), wheel):
            progress.advance(Phase.DOWNLOAD, file.size or 0, file.filename)
        else:
            async with slots:
                await client.download(
                    file.url,
                    wheel,
                    hashes=file.hashes,
                    size=file.size,
                    advance=lambda amount: progress.advance(Phase.DOWNLOAD, amount, file.filename),
                )
        loop = asyncio.get_running_loop()
        await loop.run_in_executor(pool, _convert, wheel, record, file.filename, layout)
    finally:
        shutil.rmtree(directory, ignore_errors=True)


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
