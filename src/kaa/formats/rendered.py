"""What a file is written as, and what of what was to be said its format cannot say."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Rendered:
    """The content of a file; ``lost`` says, a sentence each, what is not in it."""

    text: str
    lost: tuple[str, ...] = ()
