"""Python distributions that another program (pip, say) has put into an environment.

No package owns their files. They go as a whole or stay as a whole: half of one, or two versions
of one side by side, is what breaks environments.
"""

from __future__ import annotations

import csv
import os
import posixpath
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence
    from pathlib import Path

    from kaa.environments.records import PackageFiles

_METADATA = (".dist-info", ".egg-info")
"""How the directories end that a distribution's metadata are in."""
_HINT = "-info"
"""What is in the paths of all of them, and in few others."""


@dataclass(frozen=True, slots=True)
class Foreign:
    """A distribution without a record in ``conda-meta``.

    ``name`` is normalised (PEP 503); ``metadata`` its directory (or egg-info file) below the
    prefix; ``files`` what its own list says it installed, below the prefix, and nothing outside.
    """

    name: str
    version: str
    metadata: str
    files: frozenset[str]

    def __str__(self) -> str:
        return f"{self.name} {self.version}".rstrip()


def site_packages(packages: Iterable[PackageFiles]) -> str | None:
    """Return where the environment's Python looks for packages, below the prefix; None without."""
    for package in packages:
        if package.name == "python":
            if package.site_packages:
                return package.site_packages
            if os.name == "nt":
                return "Lib/site-packages"
            return f"lib/python{'.'.join(package.version.split('.')[:2])}/site-packages"
    return None


def metadata_directories(packages: Sequence[PackageFiles]) -> dict[str, str]:
    """Return the metadata directories that packages own, each with its distribution's name.

    Those that a package has further down, of what it brings for itself, are none of Python's.
    """
    site = f"{site_packages(packages)}/"
    start = len(site)
    found = {}
    for package in packages:
        for path in package.files:
            if _HINT in path and path.startswith(site):
                entry = path[start:].partition("/")[0]
                if entry.endswith(_METADATA) and site + entry not in found:
                    found[site + entry] = _name(entry)
    return found


def foreign_distributions(
    generation: Path, packages: Sequence[PackageFiles]
) -> tuple[Foreign, ...]:
    """Return what else than ``packages`` Python finds in a generation, by name."""
    site = site_packages(packages)
    if site is None:
        return ()
    try:
        entries = sorted(os.listdir(generation / site))  # noqa: PTH208 - names, not paths
    except OSError:
        return ()
    owned = metadata_directories(packages)
    found = []
    for entry in entries:
        metadata = f"{site}/{entry}"
        if entry.endswith(_METADATA) and metadata not in owned:
            version = entry.rpartition(".")[0].partition("-")[2].partition("-")[0]
            files = frozenset(_files(generation, site, metadata))
            found.append(Foreign(_name(metadata), version, metadata, files))
    return tuple(found)


def _name(metadata: str) -> str:
    stem = posixpath.basename(metadata).rpartition(".")[0].partition("-")[0]
    return re.sub(r"[-_.]+", "-", stem).lower()


def _files(generation: Path, site: str, metadata: str) -> Iterator[str]:
    """Give the paths in a distribution's own list: RECORD, or installed-files.txt of old."""
    for name, start in (("RECORD", site), ("installed-files.txt", metadata)):
        try:
            text = (generation / metadata / name).read_text(encoding="utf-8")
            rows = list(csv.reader(text.splitlines()))
        except (OSError, UnicodeDecodeError, csv.Error):
            continue
        for row in rows:
            if row and row[0]:
                path = posixpath.normpath(posixpath.join(start, row[0].replace(os.sep, "/")))
                if not path.startswith(("../", "/")):
                    yield path
        return
