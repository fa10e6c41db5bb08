"""Wheels on their way into the package cache: downloaded, checked, converted."""

from __future__ import annotations

import contextlib
import functools
import shutil
from dataclasses import dataclass
from typing import TYPE_CHECKING

from kaa.model.progress import Phase
from kaa.sources.direct_distribution import DIRECT_URL
from kaa.sources.source_code import Source, sdist_source
from kaa.store.convert import convert_wheel
from kaa.store.disk import writing
from kaa.store.package_cache import new_entry
from kaa.store.run_token import temporary_name
from kaa.transaction.cached import entry_of, hash_of, is_cached
from kaa.transaction.fetch_queue import Job, in_pool

if TYPE_CHECKING:
    import asyncio
    from collections.abc import Callable, Iterable, Mapping
    from concurrent.futures import ThreadPoolExecutor
    from pathlib import Path

    from rattler import RepoDataRecord

    from kaa.model.distribution import IndexFile
    from kaa.model.progress import Progress
    from kaa.network.client import Client
    from kaa.sources.builds import Builder
    from kaa.sources.direct_distribution import DirectDistribution
    from kaa.sources.metadata import MetadataReader
    from kaa.store.layout import Layout


@dataclass(frozen=True, slots=True)
class Builds:
    """How distributions become wheels that are none: built for Python ``python`` (full version).

    ``direct`` are those by URL or path, by the URLs of their records.
    """

    builder: Callable[[], Builder]
    python: str
    direct: Mapping[str, DirectDistribution]


def wheel_jobs(
    wheels: Iterable[tuple[RepoDataRecord, IndexFile]],
    layout: Layout,
    client: Client,
    metadata: MetadataReader,
    progress: Progress,
    builds: Builds | None,
) -> list[Job]:
    """Return what is to be done for the wheels that the package cache lacks."""
    jobs = []
    for record, file in wheels:
        if is_cached(layout, record):
            continue
        direct = builds.direct.get(record.url) if builds else None
        extra = {DIRECT_URL: direct.direct_url} if direct else {}
        if file.filename.endswith(".whl"):
            work = functools.partial(
                _fetch, record, file, layout, client, metadata, progress, extra
            )
            jobs.append(Job(file.size or 0, work))
        else:
            assert builds is not None  # nothing that has to be built is chosen without
            source = direct.source if direct and direct.source else sdist_source(file)
            jobs.append(Job(0, functools.partial(_build, record, source, layout, builds, extra)))
    return jobs


async def _build(
    record: RepoDataRecord,
    source: Source,
    layout: Layout,
    builds: Builds,
    extra: Mapping[str, bytes],
    slots: asyncio.Semaphore,
    pool: ThreadPoolExecutor,
) -> None:
    builder = builds.builder()
    wheel = await builder.wheel(source, await builder.python_for(builds.python))
    # The wheel stays: it is the builder's, for other environments.
    await in_pool(pool, lambda halted: keep_wheel(wheel, record, wheel.name, layout, extra, halted))


async def _fetch(
    record: RepoDataRecord,
    file: IndexFile,
    layout: Layout,
    client: Client,
    metadata: MetadataReader,
    progress: Progress,
    extra: Mapping[str, bytes],
    slots: asyncio.Semaphore,
    pool: ThreadPoolExecutor,
) -> None:
    # A directory that no other process uses; in it the wheel's own name, which messages show.
    directory = layout.metadata / "wheels" / temporary_name()
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
        await in_pool(
            pool, lambda halted: _convert_own(wheel, record, file.filename, layout, extra, halted)
        )
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


def _convert_own(
    wheel: Path,
    record: RepoDataRecord,
    filename: str,
    layout: Layout,
    extra: Mapping[str, bytes],
    halted: Callable[[], bool],
) -> None:
    try:
        keep_wheel(wheel, record, filename, layout, extra, halted)
    finally:
        wheel.unlink(missing_ok=True)  # here, because a large one takes the event loop's time


def keep_wheel(
    wheel: Path,
    record: RepoDataRecord,
    filename: str,
    layout: Layout,
    extra: Mapping[str, bytes],
    halted: Callable[[], bool] = lambda: False,
) -> None:
    """Make a wheel what the package cache has for ``record``; the wheel stays.

    ``filename`` is the wheel's own; ``extra`` goes into its metadata directory. Raises the errors
    of the store and the disk.
    """
    index = {
        "name": record.name.normalized,
        "version": str(record.version),
        "build": str(record.build),
        "build_number": record.build_number,
        "depends": record.depends,
        "subdir": "noarch",
        "noarch": "python",
    }
    sha256 = hash_of(record)["sha256"]  # every record that is made of a wheel has one
    with (
        writing(layout.packages),
        new_entry(layout, entry_of(record), sha256) as target,
    ):
        convert_wheel(wheel, filename, target, index, extra, halted)
