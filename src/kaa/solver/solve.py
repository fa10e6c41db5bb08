"""One solve over all sources (rattler's SAT solver), with windows of versions that grow.

rattler is asked again with more versions until there is an answer, or until the projects that
its refusal names have offered everything they have.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

from kaa.model.errors import NoInterpreterError
from kaa.solver.explain import explain
from kaa.sources.host import HostSource
from kaa.sources.pypi import Demand, PyPISource
from kaa.sources.target import host_target

if TYPE_CHECKING:
    from collections.abc import Sequence

    from rattler import RepoDataRecord

    from kaa.model.distribution import IndexFile
    from kaa.solver.specs import Spec
    from kaa.sources.index import ProjectIndex
    from kaa.sources.metadata import MetadataReader
    from kaa.store.host_python import HostPython

_WORDS = re.compile(r"[a-z0-9](?:[a-z0-9._-]*[a-z0-9])?")
NEVER = "0dev"
"""A version that no Python is older than."""


@dataclass(frozen=True, slots=True)
class Solution:
    """What the environment is going to have.

    ``records`` are in order of name; ``python`` is the interpreter among them; ``files`` maps
    the URL of each wheel's record to its file on the index.
    """

    records: tuple[RepoDataRecord, ...]
    python: HostPython
    files: dict[str, IndexFile]


async def solve(
    specs: Sequence[Spec],
    pythons: Sequence[HostPython],
    index: ProjectIndex,
    metadata: MetadataReader,
) -> Solution:
    """Return the packages that satisfy ``specs`` with one of ``pythons`` (newest first).

    The same specs on the same index give the same answer. Raises the classes below
    :class:`~kaa.model.errors.SolveError`, with the reason, and those of the sources.
    """
    allowed = _allowed_pythons(specs, pythons)
    packages = [spec for spec in specs if spec.name != "python"]
    records, source = await _solve_for(packages, allowed, index, metadata)
    chosen = _chosen_python(records, allowed)
    if len({python.minor for python in allowed}) > 1:
        # While Python was open, a version's wheels shared the metadata of one of them. Now that it
        # is known, each wheel is asked for its own; nearly always that confirms the answer.
        records, source = await _solve_for(packages, [chosen], index, metadata)
    wheels = [record for record in records if record.name.normalized != "python"]
    return Solution(
        tuple(sorted(records, key=lambda record: record.name.normalized)),
        chosen,
        {record.url: source.file_of(record) for record in wheels},
    )


def _allowed_pythons(specs: Sequence[Spec], pythons: Sequence[HostPython]) -> list[HostPython]:
    from rattler import Version, VersionSpec

    wanted = [spec for spec in specs if spec.name == "python"]
    allowed = [
        python
        for python in pythons
        if all(VersionSpec(spec.version).matches(Version(python.version)) for spec in wanted)
    ]
    if allowed:
        return allowed
    there = ", ".join(python.version for python in pythons)
    asked = " and ".join(f"`{spec.text}`" for spec in wanted)
    raise NoInterpreterError(
        f"this machine has no interpreter for {asked}" if asked else "no interpreter was found",
        cause=f"these were found: {there}" if there else "no CPython 3.8 or newer was found",
        hint=(
            f"ask for one of them, such as `python={pythons[0].minor}`, or install another "
            "(your system's packages, pyenv, `uv python install`)"
            if pythons
            else "install Python (your system's packages, pyenv, `uv python install`)"
        ),
    )


def _chosen_python(records: Sequence[RepoDataRecord], pythons: Sequence[HostPython]) -> HostPython:
    record = next(record for record in records if record.name.normalized == "python")
    return next(python for python in pythons if python.version == str(record.version))


async def _solve_for(
    specs: Sequence[Spec],
    pythons: Sequence[HostPython],
    index: ProjectIndex,
    metadata: MetadataReader,
) -> tuple[list[RepoDataRecord], PyPISource]:
    import rattler
    from rattler.exceptions import GatewayError, SolverError

    target = host_target(tuple(python.version for python in pythons))
    host, source = HostSource(pythons), PyPISource(index, metadata, target)
    for spec in specs:
        source.limit(spec.name, Demand(spec.version, spec.pre_releases))
    roots = ["python", *(spec.match_spec() for spec in specs)]
    while True:
        hidden = [f'{name}[when="python <{NEVER}"]' for name in sorted(source.hidden_names())]
        records, refusal = None, ""
        try:
            records = await rattler.solve([host, source], [*roots, *hidden], platforms=["noarch"])
        except SolverError as error:
            refusal = str(error)
        except GatewayError as error:
            raise source.failure or error from None
        if await source.settle():
            continue
        if records is not None:
            return records, source
        names = set(_WORDS.findall(refusal)) & set(source.projects)
        if not source.widen(names):
            raise await explain(specs, pythons, source, index, refusal)
        await source.settle()
