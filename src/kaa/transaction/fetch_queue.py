"""Downloads, a few at a time, and what is done with each of them afterwards, in threads."""

from __future__ import annotations

import asyncio
import os
import threading
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import TYPE_CHECKING

from kaa.model.progress import Phase

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Iterable

    from kaa.model.progress import Progress

_DOWNLOADS = 5
"""Downloads on their way at once: few, so that the first is soon there to be unpacked."""


@dataclass(frozen=True, slots=True)
class Job:
    """One package to be brought into the cache. ``size`` is that of its archive, in bytes.

    ``run`` takes one of the semaphore's places for its download, and unpacks in the executor.
    """

    size: int
    run: Callable[[asyncio.Semaphore, ThreadPoolExecutor], Awaitable[None]]


async def in_pool(pool: ThreadPoolExecutor, work: Callable[[Callable[[], bool]], None]) -> None:
    """Run ``work`` in a thread; what it is given says whether the job was cancelled meanwhile.

    A large package takes long to be unpacked, and nobody wants to wait for that after Ctrl-C.
    """
    halt = threading.Event()
    try:
        await asyncio.get_running_loop().run_in_executor(pool, work, halt.is_set)
    finally:
        halt.set()


async def run_jobs(jobs: Iterable[Job], progress: Progress) -> None:
    """Run all jobs side by side. When one fails the others are cancelled, and its error raised."""
    # Large ones first: the last one to be unpacked decides when all are.
    ordered = sorted(jobs, key=lambda job: job.size, reverse=True)
    if not ordered:
        return
    progress.expect(Phase.DOWNLOAD, sum(job.size for job in ordered))
    slots = asyncio.Semaphore(_DOWNLOADS)
    with ThreadPoolExecutor(os.cpu_count() or 2, thread_name_prefix="unpack") as pool:
        tasks = [asyncio.ensure_future(job.run(slots, pool)) for job in ordered]
        try:
            await asyncio.gather(*tasks)
        except BaseException:
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)
            pool.shutdown(cancel_futures=True)
            raise
    progress.finish(Phase.DOWNLOAD)
