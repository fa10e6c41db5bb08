"""What directories take on the disk, with everything that has several names counted once.

The same as ``du`` does (POSIX): allocated blocks, links not followed, directories too. Beyond it,
what has several names (hard links) is known by all the directories that it was found in, so that
it can be told what would be freed if some of them went.
"""

# Paths are plain texts here: there are a million of them.

from __future__ import annotations

import os
from dataclasses import dataclass

from kaa.store.disk import disk_size

_KIND, _DIRECTORY, _LINK = 0o170000, 0o040000, 0o120000
_DEVICE = 80
"""Bits that an inode's number may take before the device's: more than any system has."""


@dataclass(slots=True)
class Tally:
    """What is below one directory, itself included, and has no other name anywhere.

    But for ``files``, which are all names that are no directory's. ``size`` is the sum of the
    blocks and ``apparent`` that of the lengths, in bytes. What is in the ``unreadable``
    directories is not counted.
    """

    files: int = 0
    apparent: int = 0
    size: int = 0
    unreadable: int = 0


@dataclass(frozen=True, slots=True)
class Links:
    """Inodes with several names whose names are spread in the same way.

    ``trees`` are the directories that they were found in, once for each name; ``complete`` says
    that they have no name elsewhere. ``size`` and ``apparent`` are as in :class:`Tally`.
    """

    trees: tuple[int, ...]
    complete: bool
    size: int
    apparent: int


class Ledger:
    """Counts directories, one after the other, and tells what they share.

    They must not be in one another but where ``skip`` of :meth:`count` says so.
    """

    def __init__(self) -> None:
        self.tallies: list[Tally] = []
        self._links: dict[int, list[int]] = {}
        """By inode: blocks, length, how many names it has, and the trees that they are in."""

    def count(self, top: str, skip: frozenset[str] = frozenset()) -> int:
        """Count what is below ``top`` but for the directories in ``skip``; return its number.

        A ``top`` that is not there counts as nothing.
        """
        tally = Tally()
        self.tallies.append(tally)
        number = len(self.tallies) - 1
        try:
            status = os.lstat(top)
        except OSError:
            return number
        directory = status.st_mode & _KIND == _DIRECTORY
        if not directory:
            tally.files += 1
        if not directory and status.st_nlink > 1:
            self._linked(status, number)
        else:
            tally.size += disk_size(status)
            tally.apparent += status.st_size
        if directory:
            self._walk(top, skip, tally, number)
        return number

    def shares(self) -> list[Links]:
        """Return what has several names, by where these are."""
        sums: dict[tuple[tuple[int, ...], bool], list[int]] = {}
        for size, apparent, names, *trees in self._links.values():
            amounts = sums.setdefault((tuple(trees), len(trees) >= names), [0, 0])
            amounts[0] += size
            amounts[1] += apparent
        return [Links(trees, complete, *amounts) for (trees, complete), amounts in sums.items()]

    @property
    def total(self) -> int:
        """The bytes that all directories take together."""
        return sum(tally.size for tally in self.tallies) + sum(
            entry[0] for entry in self._links.values()
        )

    def _walk(self, top: str, skip: frozenset[str], tally: Tally, number: int) -> None:
        # The loop of all loops here: once for every file on this machine that is anybody's.
        folders = [top]
        files = size = apparent = 0
        while folders:
            try:
                with os.scandir(folders.pop()) as entries:
                    for entry in entries:
                        try:
                            status = _status(entry)
                        except OSError:
                            continue  # gone meanwhile
                        if status.st_mode & _KIND == _DIRECTORY:
                            if entry.path in skip:
                                continue
                            folders.append(entry.path)
                        elif status.st_mode & _KIND == _LINK and entry.path in skip:
                            continue
                        else:
                            files += 1
                            if status.st_nlink > 1:
                                self._linked(status, number)
                                continue
                        size += disk_size(status)
                        apparent += status.st_size
            except OSError:
                tally.unreadable += 1
        tally.files += files
        tally.size += size
        tally.apparent += apparent

    def _linked(self, status: os.stat_result, number: int) -> None:
        key = status.st_ino | status.st_dev << _DEVICE
        entry = self._links.get(key)
        if entry is None:
            first = [disk_size(status), status.st_size, status.st_nlink, number]
            self._links[key] = first
        else:
            entry.append(number)


if os.name == "nt":

    def _status(entry: os.DirEntry[str]) -> os.stat_result:
        return os.lstat(entry.path)  # what Windows tells of a directory's entries lacks the inode

else:

    def _status(entry: os.DirEntry[str]) -> os.stat_result:
        return entry.stat(follow_symlinks=False)
