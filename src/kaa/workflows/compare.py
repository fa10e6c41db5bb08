"""Does an environment have what a file says? conda's ``compare``, for files of every format."""

from __future__ import annotations

import os
from dataclasses import dataclass
from typing import TYPE_CHECKING

from kaa.environments.records import read_records
from kaa.formats.recognition import FileFormat, recognise
from kaa.model.package import PYPI, source_of_channel
from kaa.settings.configuration import load_configuration
from kaa.sources.index import normalise
from kaa.sources.installed import installed_project
from kaa.workflows.inspect import check_there, find_environment
from kaa.workflows.options import platform_of

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence
    from pathlib import Path

    from rattler import PrefixRecord, RepoDataRecord

    from kaa.formats.lock_file import LockedDistribution
    from kaa.model.options import SolveOptions
    from kaa.solver.specs import Spec
    from kaa.store.layout import Layout


@dataclass(frozen=True, slots=True)
class Comparison:
    """What is different, a sentence each; none where the environment has all the file says."""

    differences: tuple[str, ...]

    @property
    def equal(self) -> bool:
        """Whether nothing is different."""
        return not self.differences


def compare(
    layout: Layout, name: str | None, prefix: Path | None, file: Path, options: SolveOptions
) -> Comparison:
    """Compare an environment with what a file says.

    What a file asks for has to be there; what else is there does not matter. Of a lock each
    package has to be there as it is locked, and no other.

    Raises :class:`~kaa.model.errors.EnvironmentNotFoundError` and
    :class:`~kaa.model.errors.RequestError` for a file that cannot be read.
    """
    found = find_environment(layout, name, prefix)
    check_there(found)
    format_ = recognise(file)
    configuration = load_configuration(os.environ, only={"channels", "subdir"})
    platform = platform_of(options, configuration)
    records = read_records(found.current)
    if format_.locked:
        from kaa.formats.lock_file import DEFAULT
        from kaa.workflows.from_lock import locked_platform

        choice = options.choice
        environment = choice.environment or DEFAULT
        locked = locked_platform(file, platform, environment, choice.categories)
        return Comparison(tuple(_of_lock(locked.records, locked.distributions, records)))
    if format_ is FileFormat.PYLOCK:
        from kaa.workflows.from_pylock import request_from_pylock

        specs = request_from_pylock(file, platform, layout, options.choice).specs
        return Comparison(tuple(_of_specs(specs, records)))
    from kaa.workflows.from_file import PIP_SECTION, request_from_file

    request = request_from_file(file, platform, os.environ, configuration.channels, options.choice)
    # The file does not say that pip is there, only a new environment is given one.
    written = [spec for spec in request.specs if not spec.origin.startswith(PIP_SECTION)]
    return Comparison(tuple(_of_specs(written, records)))


def _of_specs(specs: Iterable[Spec], records: Sequence[PrefixRecord]) -> Iterator[str]:
    from rattler import MatchSpec

    by_name = {record.name.normalized: record for record in records}
    projects = {installed_project(record): record for record in records}
    for spec in specs:
        if any(key == "when" for key, _ in spec.brackets):
            continue  # a condition on Python: whether it holds is the solver's to say
        project = normalise(spec.name)
        record = projects.get(project) if spec.source == PYPI else by_name.get(spec.name)
        record = record or by_name.get(spec.name) or projects.get(project)
        if record is None:
            yield f"{spec.name} not found"
            continue
        of_index = source_of_channel(record.channel or "") == PYPI
        wanted = MatchSpec(spec.match_spec(record.name.normalized, conda=not of_index))
        bare = MatchSpec(str(wanted).partition("[extras")[0])
        if not bare.matches(record):
            running = f"{record.name.normalized}=={record.version}={record.build}"
            yield (
                f"{spec.name} found but mismatch. "
                f"Specification pkg: {spec.text}, Running pkg: {running}"
            )


def _of_lock(
    wanted: Sequence[RepoDataRecord],
    distributions: Sequence[LockedDistribution],
    records: Sequence[PrefixRecord],
) -> Iterator[str]:
    there = {record.name.normalized: record for record in records}
    projects = {installed_project(record): record.name.normalized for record in records}
    seen = set()
    for locked in wanted:
        name = locked.name.normalized
        seen.add(name)
        yield from _difference(
            name, there.get(name), f"{locked.version}={locked.build}", locked.sha256 or locked.md5
        )
    for one in distributions:
        name = projects.get(normalise(one.name), normalise(one.name))
        seen.add(name)
        sha256 = bytes.fromhex(one.sha256) if one.sha256 and one.url.endswith(".whl") else None
        yield from _difference(name, there.get(name), one.version, sha256)
    for name in sorted(there.keys() - seen):
        yield f"{name} is installed, and not in the lock"


def _difference(
    name: str, record: PrefixRecord | None, wanted: str, digest: bytes | None
) -> Iterator[str]:
    if record is None:
        yield f"{name} not found"
        return
    same = str(record.version) == wanted.partition("=")[0]
    if digest is not None:
        same = digest in (record.sha256, record.md5)
    if not same:
        running = f"{name}=={record.version}={record.build}"
        spec = f"Specification pkg: {name}=={wanted}"
        yield f"{name} found but mismatch. {spec}, Running pkg: {running}"
