"""What other programs' settings say of where they keep environments.

They are not parsed as a whole, and only what is looked for is understood: a parser of YAML takes
longer to import than all the rest of a look at the machine.
"""

# Paths are plain texts here, as in kaa.environments.finders and for its reason.
# ruff: noqa: PTH123

from __future__ import annotations

import os
import re
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping


def condarc_directories(home: str, environ: Mapping[str, str]) -> list[str]:
    """Return conda's ``envs_dirs`` (or ``envs_path``) of all its files, as absolute paths."""
    from kaa.settings.search import find_condarc

    found = []
    for file in find_condarc({**environ, "HOME": home}):
        found += [expanded(text, home, environ) for text in _yaml_list(lines_of(str(file)))]
    return [path for path in dict.fromkeys(found) if is_absolute(path)]


def _yaml_list(lines: list[str]) -> Iterator[str]:
    """Give the entries of the list: one a line behind a dash, or all in brackets."""
    inside = False
    for line in lines:
        text = line.split(" #")[0].rstrip()
        start = re.fullmatch(r"envs_(?:dirs|path)\s*:\s*(.*)", text)
        if start:
            inside = not start[1]
            for entry in start[1].strip("[]").split(",") if start[1] else ():
                yield entry.strip().strip("'\"")
        elif inside and (entry := re.fullmatch(r"\s*-\s+(.+)", text)):
            yield entry[1].strip().strip("'\"")
        elif text.strip():
            inside = False


def toml_text(file: str, table: str, key: str) -> str | None:
    """Return a text of a TOML file, of the form ``key = "text"`` in a table (empty: before any)."""
    here = ""
    for line in lines_of(file):
        if header := re.fullmatch(r"\[\s*([\w.-]+)\s*\]", line):
            here = header[1]
        elif found := re.match(r"""([\w.-]+)\s*=\s*(["'])(.*?)\2""", line):
            name = f"{here}.{found[1]}" if here else found[1]
            if name == (f"{table}.{key}" if table else key):
                return found[3].replace("\\\\", "\\")
    return None


def expanded(text: str, home: str, environ: Mapping[str, str]) -> str:
    """Return a path without ``~`` and variables; those that are not set stay as they are."""
    if text == "~" or text.startswith(("~/", "~\\")):
        text = home + text[1:]
    return re.sub(r"\$(?:(\w+)|\{(\w+)\})", lambda m: environ.get(m[1] or m[2], m[0]), text)


def is_absolute(path: str) -> bool:
    """Say whether a path is absolute, on this system or on Windows."""
    return os.path.isabs(path) or bool(re.match(r"[A-Za-z]:[\\/]", path))  # noqa: PTH117


def lines_of(file: str) -> list[str]:
    """Return the lines of a text file that have something in them; none where it is shut."""
    try:
        with open(file, encoding="utf-8", errors="surrogateescape") as stream:
            return [line.rstrip() for line in stream if line.strip()]
    except OSError:
        return []
