"""Which names environments can have, and the prefix that a name or a path stands for."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING

from kaa.environments.prefix import GENERATIONS
from kaa.model.errors import InvalidNameError

if TYPE_CHECKING:
    from kaa.store.layout import Layout

LONGEST = 200
"""The longest name, in bytes: file systems allow 255, and what is being removed gets a longer one.
"""
_FORBIDDEN = frozenset('/\\:#"<>|?*')
"""What conda forbids, and what Windows does not have in file names."""
_UNQUOTABLE = frozenset('"$`\\')
"""What the linker does not quote where it has the shell start a program (POSIX)."""
_RESERVED = frozenset({"base", "root"})
"""Names by which conda means its own installation."""


def check_name(name: str) -> str:
    """Return ``name`` if an environment can have it, else raise :class:`InvalidNameError`."""
    reason = _reason(name)
    if reason is None:
        return name
    raise InvalidNameError(
        f"{name!r} cannot be the name of an environment",
        cause=reason,
        hint="use letters, digits, `-`, `_` and `.`, such as `forecast-2`"
        + ("; `-p` takes a path" if "/" in name or "\\" in name else ""),
    )


def _reason(name: str) -> str | None:
    if not name:
        return "it is empty"
    length = len(os.fsencode(name))
    if length > LONGEST:
        return f"it has {length} bytes; {LONGEST} are the most"
    if name.startswith((".", "-")):
        return f"it begins with `{name[0]}`"
    if any(letter.isspace() or not letter.isprintable() for letter in name):
        return "it has white space or characters that cannot be printed"
    found = sorted(_FORBIDDEN & set(name))
    if found:
        return f"it has {', '.join(f'`{letter}`' for letter in found)}"
    if name in _RESERVED:
        return "conda calls its own installation so"
    return None


def resolve_prefix(layout: Layout, name: str | None, prefix: Path | None) -> Path:
    """Return the prefix that a name or else a path stands for.

    A name is looked for in all directories of the layout; one that no environment has yet is in
    the first. Raises :class:`InvalidNameError`.
    """
    if prefix is not None:
        # Not resolved: the prefix is a link, and it is the link that is meant.
        return Path(os.path.abspath(prefix.expanduser()))  # noqa: PTH100
    check_name(name or "")
    places = [directory / (name or "") for directory in layout.all_environments]
    return next((place for place in places if os.path.lexists(place)), places[0])


def check_path(path: Path) -> None:
    """Raise :class:`InvalidNameError` if kaa cannot make an environment at this absolute path."""
    reason = _path_reason(path)
    if reason is None:
        return
    raise InvalidNameError(
        f"{str(path)!r} cannot be the path of an environment",
        cause=reason,
        hint="choose another path, or give a name with `-n`",
    )


def _path_reason(path: Path) -> str | None:
    try:
        text = str(path).encode().decode()
    except UnicodeEncodeError:
        return "it is not valid UTF-8, which conda's list and Jupyter's kernels are written in"
    if text.splitlines() != [text] or "\0" in text:
        return "it has a line break, and conda's list has one path a line"
    if not path.name or path.name == GENERATIONS:
        return "kaa has to put a link there"
    found = sorted(_UNQUOTABLE & set(text))
    if os.name != "nt" and found:
        return (
            f"it has {', '.join(f'`{letter}`' for letter in found)}, which means something to the "
            "shell that programs with long paths are started by"
        )
    if len(os.fsencode(path.name)) > LONGEST:
        return f"its last part has more than {LONGEST} bytes"
    return None
