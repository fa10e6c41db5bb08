"""Lines between packages: trees and arrows, as far as the terminal's encoding goes."""

from __future__ import annotations

import sys
from dataclasses import dataclass
from typing import TYPE_CHECKING, TypeVar

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Strokes:
    """What trees are drawn with: before a branch, before the last one, and below each of them."""

    branch: str
    last: str
    below: str
    blank: str
    arrow: str

    def before(self, items: Iterable[T], indent: str = "") -> Iterator[tuple[str, str, T]]:
        """Yield what is written before each item, before whatever is below it, and the item."""
        listed: Sequence[T] = list(items)
        for number, item in enumerate(listed, 1):
            end = number == len(listed)
            yield (
                indent + (self.last if end else self.branch),
                indent + (self.blank if end else self.below),
                item,
            )


_LINES = Strokes("├── ", "└── ", "│   ", "    ", " → ")
_ASCII = Strokes("|-- ", "`-- ", "|   ", "    ", " -> ")


def strokes() -> Strokes:
    """Return what standard output can show."""
    try:
        (_LINES.branch + _LINES.last + _LINES.arrow).encode(sys.stdout.encoding or "ascii")
    except (UnicodeEncodeError, LookupError):
        return _ASCII
    return _LINES
