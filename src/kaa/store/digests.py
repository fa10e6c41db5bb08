"""Hashing many files: in threads, and each content once, however many names (links) it has."""

from __future__ import annotations

import hashlib
import os
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, TypeVar

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

T = TypeVar("T")
R = TypeVar("R")

_BLOCK = 1 << 20
_PORTION = 64
"""Files that a thread takes at a time: one by one the queue would cost more than the hashing."""


class Digests:
    """The sha256 of files, hexadecimal. May be used from several threads.

    A package cache and the environments made from it are names of the same files, so what was read
    once is remembered by device and inode, for as long as this object lives.
    """

    def __init__(self) -> None:
        self._known: dict[tuple[int, int], str] = {}

    def of(self, path: str, status: os.stat_result) -> str:
        """Return the hash of the regular file ``path`` with this status. Raises ``OSError``."""
        key = (status.st_dev, status.st_ino)
        digest = self._known.get(key)
        if digest is None or not status.st_ino:
            digest = self._known[key] = _sha256(path)
        return digest


def in_threads(work: Callable[[T], R], things: Sequence[T]) -> Iterator[R]:
    """Give ``work`` of each thing, in order, done in as many threads as there are processors."""
    portions = [things[start : start + _PORTION] for start in range(0, len(things), _PORTION)]
    with ThreadPoolExecutor(os.cpu_count() or 2, thread_name_prefix="hash") as pool:
        try:
            for results in pool.map(lambda portion: [work(thing) for thing in portion], portions):
                yield from results
        except BaseException:
            pool.shutdown(cancel_futures=True)
            raise


def _sha256(path: str) -> str:
    digest = hashlib.sha256()
    with open(path, "rb", buffering=0) as stream:  # noqa: PTH123 - called 10^5 times
        while block := stream.read(_BLOCK):
            digest.update(block)
    return digest.hexdigest()
