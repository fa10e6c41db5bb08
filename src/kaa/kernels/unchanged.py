"""Small files that are read again only when they have changed."""

from __future__ import annotations

import os
import time
from typing import TYPE_CHECKING, Generic, TypeVar

if TYPE_CHECKING:
    from collections.abc import Callable

T = TypeVar("T")

_GRAIN = 2_000_000_000
"""Nanoseconds in which a file system may give two changes one time."""


class Unchanged(Generic[T]):
    """What was made of files, by path, for as long as these are as they were."""

    def __init__(self) -> None:
        self._known: dict[str, tuple[tuple[int, int, int], T]] = {}

    def read(self, file: str, read: Callable[[], T]) -> T:
        """Return what ``read`` makes of a file, from memory where the file has not changed."""
        try:
            status = os.stat(file)  # noqa: PTH116 - it is called hundreds of times
        except OSError:
            self._known.pop(file, None)
            return read()
        signature = (status.st_mtime_ns, status.st_size, status.st_ino)
        known = self._known.get(file)
        if known is not None and known[0] == signature:
            return known[1]
        made = read()
        if abs(time.time_ns() - status.st_mtime_ns) > _GRAIN:
            self._known[file] = (signature, made)
        return made
