"""What activation does to PATH: its directories go in, come out, or take each other's place.

All other entries stay what and where they are, empty and doubled ones too.
"""

from __future__ import annotations

from kaa.environments.activation import WINDOWS, bin_directories, path_module

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence


def exchanged(
    search_path: str | None, before: str | None, after: str | None, windows: bool = WINDOWS
) -> str:
    """Return PATH with the directories of prefix ``after`` in place of those of ``before``.

    Where there is no ``before``, or PATH has lost it, they go to the front. Without ``after``
    those of ``before`` are taken out. A PATH that is not set has the system's own directories.
    """
    path = path_module(windows)
    separator: str = path.pathsep
    present = path.defpath if search_path is None else search_path
    entries = present.split(separator) if present else []
    place = 0
    if before is not None:
        place = _take_out(entries, bin_directories(before, windows), windows)
    if after is not None:
        entries[place:place] = bin_directories(after, windows)
    return separator.join(entries)


def _take_out(entries: list[str], directories: Sequence[str], windows: bool) -> int:
    """Take the first occurrence of ``directories`` out of ``entries``; return where it was."""
    path = path_module(windows)

    def same(entry: str) -> str:
        # An empty entry is the working directory, which normpath would call ".".
        return path.normcase(path.normpath(entry)) if entry else ""

    plain = [same(entry) for entry in entries]
    wanted = [same(directory) for directory in directories]
    for place in range(len(plain) - len(wanted) + 1):
        if plain[place : place + len(wanted)] == wanted:
            del entries[place : place + len(wanted)]
            return place
    place = 0
    # Somebody has torn them apart: whatever is left of them goes.
    for directory in reversed(wanted):
        if directory in plain:
            place = plain.index(directory)
            del plain[place], entries[place]
    return place
