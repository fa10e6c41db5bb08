"""Python distributions that another program (pip, say) has put into an environment.

No package owns their files. They go as a whole or stay as a whole: half of one, or two versions
of one side by side, is what breaks environments.
"""

from __future__ import annotations

import json
import os
import posixpath
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

from kaa.environments.heads import head_in
from kaa.model.package import Package

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
    from pathlib import Path

    from kaa.environments.records import PackageFiles

_METADATA = (".dist-info", ".egg-info")
"""How the directories end that a distribution's metadata are in."""
_ENDS = tuple(end.encode() for end in _METADATA)
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
            return package.site_packages or _usual_site_packages(package.version)
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
    return distributions_in(generation, site, metadata_directories(packages))


def read_foreign(generation: Path) -> tuple[Foreign, ...]:
    """Return what Python finds in a generation and no record has, by name.

    For listings: the same as :func:`foreign_distributions`, without reading the records as such.
    Damaged ones count for nothing.
    """
    records = list(_record_texts(generation))
    site = _site_packages_in(records)
    if site is None:
        return ()
    owned = {path for _, text in records for path in _metadata_in(text, os.fsencode(f"{site}/"))}
    return distributions_in(generation, site, owned)


def foreign_package(generation: Path, foreign: Foreign) -> Package:
    """Return a distribution as listings show it: its source is the program that installed it.

    That is what it says itself (INSTALLER, REQUESTED and direct_url.json of PEP 376 and PEP 610).
    """
    folder = generation / foreign.metadata
    origin = direct_url(generation, foreign) or {}
    return Package(
        name=foreign.name,
        version=foreign.version,
        build="",
        source=_first_line(folder / "INSTALLER").lower() or "unknown",
        url=_origin(origin),
        requested=(folder / "REQUESTED").is_file(),
        foreign=True,
    )


def _origin(origin: Mapping[str, object]) -> str:
    """Return the URL in ``direct_url.json``, with the commit where it is one of a repository."""
    url, repository = str(origin.get("url") or ""), origin.get("vcs_info")
    if not isinstance(repository, dict):
        return url
    return f"{repository.get('vcs', 'git')}+{url}@{repository.get('commit_id', '')}"


def direct_url(generation: Path, foreign: Foreign) -> dict[str, object] | None:
    """Return where a distribution was installed from by its URL (PEP 610); None for an index."""
    try:
        text = (generation / foreign.metadata / "direct_url.json").read_text(encoding="utf-8")
        content = json.loads(text)
    except (OSError, ValueError):
        return None
    return content if isinstance(content, dict) else None


def _record_texts(generation: Path) -> Iterator[tuple[str, bytes]]:
    try:
        names = sorted(os.listdir(generation / "conda-meta"))  # noqa: PTH208 - names, not paths
    except OSError:
        return
    for name in names:
        if name.endswith(".json"):
            try:
                yield name, (generation / "conda-meta" / name).read_bytes()
            except OSError:
                continue


def _metadata_in(record: bytes, site: bytes) -> Iterator[str]:
    """Give the metadata directories that a record has, which is one of a hundred of its paths."""
    for before in record.split(b"-info")[:-1]:
        path = before[before.rfind(b'"') + 1 :] + b"-info"
        if path.startswith(site) and path.endswith(_ENDS) and path.count(b"/") == site.count(b"/"):
            yield os.fsdecode(path)


def _site_packages_in(records: Iterable[tuple[str, bytes]]) -> str | None:
    for name, text in records:
        parts = name.rsplit("-", 2)
        if parts[0] == "python" and len(parts) == 3:
            try:
                told = (head_in(text) or json.loads(text)).get("python_site_packages_path")
            except (ValueError, AttributeError):
                told = None
            return told if isinstance(told, str) else _usual_site_packages(parts[1])
    return None


def _usual_site_packages(version: str) -> str:
    if os.name == "nt":
        return "Lib/site-packages"
    return f"lib/python{'.'.join(version.split('.')[:2])}/site-packages"


def distributions_in(
    generation: Path, site: str, owned: Collection[str] = ()
) -> tuple[Foreign, ...]:
    """Return what Python finds in ``site``, below a directory, but for the metadata ``owned``."""
    try:
        entries = sorted(os.listdir(generation / site))  # noqa: PTH208 - names, not paths
    except OSError:
        return ()
    found = []
    for entry in entries:
        metadata = f"{site}/{entry}"
        if entry.endswith(_METADATA) and metadata not in owned:
            version = entry.rpartition(".")[0].partition("-")[2].partition("-")[0]
            files = frozenset(_files(generation, site, metadata))
            found.append(Foreign(_name(metadata), version, metadata, files))
    return tuple(found)


def _first_line(file: Path) -> str:
    try:
        return file.read_text(encoding="utf-8", errors="replace").strip().partition("\n")[0]
    except OSError:
        return ""


def _name(metadata: str) -> str:
    stem = posixpath.basename(metadata).rpartition(".")[0].partition("-")[0]
    return re.sub(r"[-_.]+", "-", stem).lower()


def _files(generation: Path, site: str, metadata: str) -> Iterator[str]:
    """Give the paths in a distribution's own list: RECORD, or installed-files.txt of old."""
    import csv

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
