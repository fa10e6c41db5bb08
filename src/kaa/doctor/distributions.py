"""Python distributions that no package brought, against their own lists of files.

The list is ``RECORD`` in ``*.dist-info``, a row for each file with its hash and size (PyPA:
recording installed projects; PEP 376 before). That is what pip, uv and others leave, in conda's
environments and in virtual environments, where nothing else tells.
"""

from __future__ import annotations

import base64
import csv
import hashlib
import os
import posixpath
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

from kaa.environments.recorded_files import is_bytecode
from kaa.model.verification import Finding, Kind

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator
    from pathlib import Path

_METADATA = (".dist-info", ".egg-info")
_SHEBANG = re.compile(rb"#!\s*(/[^\r\n]*)")


@dataclass(frozen=True, slots=True)
class Distribution:
    """A distribution that another program installed. ``name`` is normalised (PEP 503).

    ``metadata`` is its directory below the prefix; ``rows`` are the files that it lists, below the
    prefix, each with the hash as RECORD has it (``sha256=...``), which may be empty; None without
    a list that can be read.
    """

    name: str
    version: str
    metadata: str
    rows: tuple[tuple[str, str], ...] | None

    def __str__(self) -> str:
        return f"{self.name} {self.version}".rstrip()


def find_distributions(
    generation: Path, sites: Collection[str], owned: Collection[str], but: Collection[str] = ()
) -> list[Distribution]:
    """Return the distributions below ``sites`` whose files are none of ``owned``, by name.

    Those of the names ``but`` are left out.
    """
    found = []
    for site in sites:
        folders = {_top(path, site) for path in owned if path.startswith(f"{site}/")}
        found += [
            _distribution(generation, site, name)
            for name in _names(generation / site)
            if name.endswith(_METADATA) and name not in folders and name[0] not in "~."
        ]
    found = [each for each in found if each.name not in but]
    return sorted(found, key=lambda each: (each.name, each.metadata))


def find_sites(generation: Path) -> list[str]:
    """Return where Python looks for packages in a prefix that has no record of its Python."""
    patterns = ("lib/python*/site-packages", "Lib/site-packages")
    return sorted(
        path.relative_to(generation).as_posix()
        for pattern in patterns
        for path in generation.glob(pattern)
        if path.is_dir()
    )


def without_list(distributions: Collection[Distribution]) -> Iterator[Finding]:
    """Give the distributions that do not say which files are theirs."""
    for each in distributions:
        if each.rows is None:
            detail = "it has no list of its files (RECORD) that can be read"
            yield Finding(Kind.UNLISTED, each.metadata, each.name, detail, foreign=True)


def check_row(generation: str, name: str, path: str, expected: str) -> Finding | None:
    """Compare a file of the distribution ``name`` with its hash, as RECORD has it."""
    try:
        if os.path.islink(f"{generation}/{path}"):  # noqa: PTH114 - RECORD knows no links
            return None
        with open(f"{generation}/{path}", "rb") as stream:  # noqa: PTH123
            if expected and not _matches(stream.read(), expected):
                return Finding(Kind.ALTERED, path, name, foreign=True)
    except (FileNotFoundError, NotADirectoryError):
        if is_bytecode(path, expected):
            return None
        return Finding(Kind.MISSING, path, name, foreign=True)
    except IsADirectoryError:
        if is_bytecode(path, expected):
            return None
        return Finding(Kind.TYPE, path, name, "it is a directory", foreign=True)
    except OSError as error:
        return Finding(Kind.UNREADABLE, path, name, error.strerror, foreign=True)
    return None


def twice(distributions: list[Distribution]) -> Iterator[Finding]:
    """Give those of which there are two: one was removed by half, or written over."""
    seen: dict[str, Distribution] = {}
    for each in distributions:
        other = seen.setdefault(each.name, each)
        if other is not each and posixpath.dirname(other.metadata) == posixpath.dirname(
            each.metadata
        ):
            detail = f"there is also {posixpath.basename(other.metadata)}"
            yield Finding(Kind.DUPLICATE, each.metadata, each.name, detail, foreign=True)


def interpreter_of(path: str) -> str | None:
    """Return the absolute path of the interpreter that a script's first lines name, if any.

    For paths that are too long or have blanks, pip, uv and rattler write a line for ``/bin/sh``
    with the interpreter in quotes after it.
    """
    try:
        with open(path, "rb") as stream:  # noqa: PTH123
            head = stream.read(1024)
    except OSError:
        return None
    first = _SHEBANG.match(head)
    if first is None:
        return None
    named = first[1].strip()
    if named == b"/bin/sh":
        quoted = re.search(rb"exec'?\s+[\"']([^\"']+)[\"']", head) or re.search(
            rb"exec'?\s+(/\S+)", head
        )
        return os.fsdecode(quoted[1]) if quoted else None
    return os.fsdecode(named.partition(b" ")[0])


def _distribution(generation: Path, site: str, name: str) -> Distribution:
    stem = name.rpartition(".")[0]
    project, _, rest = stem.partition("-")
    metadata = f"{site}/{name}"
    rows = _rows(generation, site, metadata)
    normalised = re.sub(r"[-_.]+", "-", project).lower()
    return Distribution(normalised, rest.partition("-")[0], metadata, rows)


def _rows(generation: Path, site: str, metadata: str) -> tuple[tuple[str, str], ...] | None:
    try:
        text = (generation / metadata / "RECORD").read_text(encoding="utf-8")
        rows = [row for row in csv.reader(text.splitlines()) if row and row[0]]
    except (OSError, UnicodeDecodeError, csv.Error):
        return None
    found = []
    for row in rows:
        path = posixpath.normpath(posixpath.join(site, row[0].replace("\\", "/")))
        if not path.startswith(("../", "/")):  # what is elsewhere is no part of the environment
            found.append((path, row[1] if len(row) > 1 else ""))
    return tuple(found) or None


def _matches(content: bytes, expected: str) -> bool:
    algorithm, _, digest = expected.partition("=")
    try:
        found = hashlib.new(algorithm, content).digest()
    except (ValueError, TypeError):
        return True  # of an algorithm that is not known here
    return base64.urlsafe_b64encode(found).rstrip(b"=").decode() == digest.rstrip("=")


def _names(directory: Path) -> list[str]:
    try:
        return sorted(os.listdir(directory))  # noqa: PTH208 - names, not paths
    except OSError:
        return []


def _top(path: str, site: str) -> str:
    return path[len(site) + 1 :].partition("/")[0]
