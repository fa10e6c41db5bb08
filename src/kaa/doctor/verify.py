"""One environment against its records: :func:`verify_environment`."""

from __future__ import annotations

import os
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from kaa.doctor.distributions import (
    check_row,
    find_distributions,
    find_sites,
    interpreter_of,
    twice,
    without_list,
)
from kaa.doctor.files import Task, check_file, source_of, summarise_gone, without_package
from kaa.doctor.moved import moved_from
from kaa.doctor.records import read_recorded, site_packages_of
from kaa.environments.prefix import MANIFEST, read_manifest
from kaa.model.progress import Phase
from kaa.model.verification import EnvironmentReport, Finding, Kind, Unowned
from kaa.store.digests import in_threads

if TYPE_CHECKING:
    from collections.abc import Iterator

    from kaa.doctor.distributions import Distribution
    from kaa.doctor.records import Recorded
    from kaa.environments.prefix import Prefix
    from kaa.model.progress import Progress
    from kaa.store.digests import Digests

_PLACES = 3
_INTERPRETERS = ("bin/python", "bin/python3", "Scripts/python.exe")


@dataclass(slots=True)
class _Unowned:
    """What nobody owns, while it is being counted."""

    files: int = 0
    size: int = 0
    places: dict[str, int] = field(default_factory=dict)

    def add(self, path: str, size: int) -> None:
        self.files += 1
        self.size += size
        place = "/".join(path.split("/")[:2]) if "/" in path else path
        self.places[place] = self.places.get(place, 0) + size

    def frozen(self) -> Unowned:
        places = sorted(self.places, key=lambda place: -self.places[place])
        return Unowned(self.files, self.size, tuple(places[:_PLACES]))


def verify_environment(prefix: Prefix, digests: Digests, progress: Progress) -> EnvironmentReport:
    """Compare an environment's current generation with its records, every file hashed.

    Also one that conda, mamba, pixi or venv made: what there is of records is compared with.
    Nothing is changed. What cannot be read is a finding, and no error.
    """
    generation, number = prefix.current, prefix.current_number
    if not generation.is_dir():
        missing = Finding(Kind.GENERATION, "", detail=f"{generation} is missing")
        return EnvironmentReport(prefix.name, prefix.path, number, 0, 0, (missing,))
    records, findings = read_recorded(generation)
    if (number is not None and read_manifest(generation) is None) and not any(
        each.kind is Kind.MANIFEST for each in findings
    ):
        detail = "what was asked for cannot be read"
        findings.append(Finding(Kind.MANIFEST, MANIFEST.as_posix(), detail=detail))
    former = moved_from(prefix, records)
    if former is not None:
        detail = f"the files name {former}, where the environment is no more"
        findings.append(Finding(Kind.MOVED, "", detail=detail))
    tasks = [Task(record, entry) for record in records for entry in record.paths]
    findings += _check_packages(tasks, records, str(generation), digests, progress)
    owned = {task.path for task in tasks}
    site = site_packages_of(records)
    unread = {each.package or "" for each in findings if each.kind is Kind.RECORD}
    distributions = find_distributions(
        generation, find_sites(generation) if site is None else [site], owned, unread
    )
    findings += _check_distributions(
        distributions, str(generation), progress, moved=former is not None
    )
    listed = {path for each in distributions for path, _ in each.rows or ()}
    unowned = _Unowned()
    findings += _check_unowned(str(generation), owned | listed, unowned)
    if not records:
        findings += _check_interpreters(str(generation))
    return EnvironmentReport(
        prefix.name,
        prefix.path,
        number,
        len(records),
        len(tasks) + len(listed),
        tuple(findings),
        unowned.frozen(),
        tuple(map(str, distributions)),
        former,
    )


def _check_packages(
    tasks: list[Task],
    records: list[Recorded],
    generation: str,
    digests: Digests,
    progress: Progress,
) -> list[Finding]:
    progress.expect(Phase.CHECK, len(tasks))

    def check(task: Task) -> Finding | None:
        progress.advance(Phase.CHECK, 1, task.package.name)
        return check_file(task, generation, digests)

    found = [finding for finding in in_threads(check, tasks) if finding is not None]
    return summarise_gone(found, records)


def _check_distributions(
    distributions: list[Distribution], generation: str, progress: Progress, *, moved: bool
) -> Iterator[Finding]:
    yield from twice(distributions)
    yield from without_list(distributions)
    rows = [(each.name, *row) for each in distributions for row in each.rows or ()]
    progress.expect(Phase.CHECK, len(rows))

    def check(row: tuple[str, str, str]) -> Finding | None:
        progress.advance(Phase.CHECK, 1, row[0])
        return check_row(generation, *row)

    yield from (finding for finding in in_threads(check, rows) if finding is not None)
    for each in distributions:
        if not moved:
            yield from _check_scripts(each, generation)


def _check_scripts(each: Distribution, generation: str) -> Iterator[Finding]:
    """Give the scripts of a distribution whose interpreter is not there."""
    for path, _ in each.rows or ():
        if path.startswith(("bin/", "Scripts/")):
            named = interpreter_of(f"{generation}/{path}")
            if named is not None and not os.path.exists(named):  # noqa: PTH110
                detail = f"{named} is not there"
                yield Finding(Kind.INTERPRETER, path, each.name, detail, foreign=True)


def _check_unowned(generation: str, known: set[str], unowned: _Unowned) -> Iterator[Finding]:
    """Count what nobody owns, and give what is wrong with bytecode among it."""
    for path, entry in _walk(generation, ""):
        if path in known or path == "CACHEDIR.TAG":
            continue
        try:
            status = entry.stat(follow_symlinks=False)
        except OSError:
            continue  # a running program has deleted it
        source = source_of(path)
        if source is not None and os.path.exists(f"{generation}/{source}"):  # noqa: PTH110
            finding = without_package(generation, path, status)
            if finding is not None:
                yield finding
        else:
            unowned.add(path, status.st_size)


def _walk(generation: str, directory: str) -> Iterator[tuple[str, os.DirEntry[str]]]:
    """Give all files of a prefix, but those of ``conda-meta``, with their paths below it."""
    try:
        with os.scandir(f"{generation}/{directory}") as scan:
            entries = list(scan)
    except OSError:
        return
    for entry in entries:
        path = f"{directory}/{entry.name}" if directory else entry.name
        if not entry.is_dir(follow_symlinks=False):
            yield path, entry
        elif path != "conda-meta":
            yield from _walk(generation, path)


def _check_interpreters(generation: str) -> Iterator[Finding]:
    """Give the interpreters of a virtual environment that lead nowhere."""
    for name in _INTERPRETERS:
        path = f"{generation}/{name}"
        if os.path.islink(path) and not os.path.exists(path):  # noqa: PTH110, PTH114
            target = os.path.realpath(path)
            yield Finding(Kind.BROKEN_LINK, name, detail=f"{target} is not there")
            return
