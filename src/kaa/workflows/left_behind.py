"""What a change is not going to keep of what other programs, and the user, have put in place.

Said before it is done: of packages that are in the package cache everything is known; of those
that have to be fetched first, only their names.
"""

from __future__ import annotations

import json
import os
from typing import TYPE_CHECKING

from kaa.environments.foreign import foreign_distributions, site_packages
from kaa.environments.records import read_files
from kaa.model.package import project_name
from kaa.transaction.cached import cached_package
from kaa.workflows.difference import same

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator, Sequence
    from pathlib import Path

    from rattler import RepoDataRecord

    from kaa.environments.foreign import Foreign
    from kaa.environments.records import PackageFiles
    from kaa.solver.request import Solution
    from kaa.store.layout import Layout

_SHOWN = 3


def left_behind(
    generation: Path,
    before: Sequence[RepoDataRecord],
    solution: Solution,
    layout: Layout,
    adopted: Collection[str] = (),
) -> Iterator[str]:
    """Say, a sentence each, what of ``generation`` gives way to packages of ``solution``.

    ``before`` are the records of the generation's packages; ``adopted`` are distributions that
    give way to themselves, which is what was asked for. Raises
    :class:`~kaa.model.errors.EnvironmentStateError` for damaged records.
    """
    packages = read_files(generation)
    foreign = foreign_distributions(generation, packages)
    names = {project_name(record.name.normalized) for record in solution.records}
    python = next((package.version for package in packages if package.name == "python"), "")
    moved = python.split(".")[:2] != (solution.python or "").split(".")[:2]
    kept = []
    for each in foreign:
        if each.name in adopted:
            continue
        if each.name in names:
            yield (
                f"{each}, which another program (pip?) has installed, gives way to the "
                f"environment's own {each.name}"
            )
        elif moved:
            yield (
                f"{each}, which another program (pip?) has installed for Python {python}, is not "
                f"carried over; to have it again, add {each.name} to this command"
            )
        else:
            kept.append(each)
    going = {path for each in foreign if each not in kept for path in each.files}
    old = {record.name.normalized: record for record in before}
    for record in solution.records:
        known = old.get(record.name.normalized)
        directory = cached_package(layout, record)
        if directory is not None and (known is None or not same(known, record)):
            paths = _paths(directory, site_packages(packages) if not moved else None)
            yield from _covered(generation, record, paths, packages, kept, going)


def _covered(
    generation: Path,
    record: RepoDataRecord,
    paths: Sequence[str],
    packages: Sequence[PackageFiles],
    foreign: Sequence[Foreign],
    going: set[str],
) -> Iterator[str]:
    """Say which files of nobody's, or of other programs' distributions, a package covers."""
    lying = [path for path in paths if os.path.lexists(generation / path)]
    if not lying:
        return
    owned = {path for package in packages for path in package.files}
    # Below etc/ what is there stays, and the package's own is put beside it.
    taken = [p for p in lying if p not in owned | going and not p.startswith("etc/")]
    name = record.name.normalized
    for each in foreign:
        theirs = [path for path in taken if path in each.files]
        if theirs:
            yield f"{name} takes the place of files of {each} (of another program): {_some(theirs)}"
            taken = [path for path in taken if path not in each.files]
    if taken:
        yield f"{name} takes the place of files that no package has: {_some(taken)}"


def _paths(package: Path, site: str | None) -> list[str]:
    """Return where the files of a package in the cache are going to be, below the prefix."""
    try:
        content = json.loads((package / "info" / "paths.json").read_text(encoding="utf-8"))
        index = json.loads((package / "info" / "index.json").read_text(encoding="utf-8"))
        paths = [str(entry["_path"]) for entry in content["paths"]]
    except (OSError, ValueError, LookupError, TypeError):
        return []  # the linker is who complains
    if index.get("noarch") != "python":
        return paths
    programs = "Scripts" if os.name == "nt" else "bin"
    places = {"python-scripts": programs, "site-packages": site}
    found = []
    for path in paths:
        top, _, rest = path.partition("/")
        place = places.get(top, top)
        if place is not None:
            found.append(f"{place}/{rest}" if rest else place)
    return found


def _some(paths: Sequence[str]) -> str:
    more = f" and {len(paths) - _SHOWN} more" if len(paths) > _SHOWN else ""
    return ", ".join(paths[:_SHOWN]) + more
