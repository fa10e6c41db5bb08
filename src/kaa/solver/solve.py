"""One solve over all sources (rattler's SAT solver), with windows of versions that grow.

rattler is asked again with more versions until there is an answer, or until the projects that
its refusal names have offered everything they have.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from kaa.model.errors import (
    ConflictError,
    NoAnswerError,
    NoInterpreterError,
    NoWheelError,
    SolveError,
)
from kaa.solver.explain import explain
from kaa.sources.host import HostSource
from kaa.sources.pypi import Demand, PyPISource
from kaa.sources.target import host_target

if TYPE_CHECKING:
    from collections.abc import Coroutine, Sequence

    from rattler import RepoDataRecord

    from kaa.model.distribution import IndexFile
    from kaa.solver.specs import Spec
    from kaa.sources.index import ProjectIndex
    from kaa.sources.metadata import MetadataReader
    from kaa.store.host_python import HostPython

_WORDS = re.compile(r"[a-z0-9](?:[a-z0-9._-]*[a-z0-9])?")
_PATIENCE = 30.0
"""Seconds without any question to a source after which a solve counts as stuck."""
_ROUNDS = 2
"""How often an answer with older versions than necessary may be improved on."""
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
    minors = list(dict.fromkeys(python.minor for python in allowed))
    refusal: SolveError | None = None
    if len(minors) > 1:
        # While Python is open, a version's wheels share the metadata of one of them. So this only
        # says which Python to try first; then each wheel is asked for its own metadata, which
        # nearly always confirms the answer.
        try:
            records, _ = await _solve_for(packages, allowed, index, metadata)
        except ConflictError as error:
            refusal = error
        except NoAnswerError:
            pass  # each Python for itself is a simpler question
        else:
            first = _chosen_python(records, allowed).minor
            minors.sort(key=lambda minor: minor != first)
    for minor in minors:
        candidates = [python for python in allowed if python.minor == minor]
        try:
            records, source = await _solve_for(packages, candidates, index, metadata)
        except (ConflictError, NoWheelError, NoAnswerError) as error:
            refusal = refusal or error
            continue
        return _solution(records, source, candidates)
    assert refusal is not None  # there is at least one Python
    raise refusal


def _solution(
    records: Sequence[RepoDataRecord], source: PyPISource, pythons: Sequence[HostPython]
) -> Solution:
    wheels = [record for record in records if record.name.normalized != "python"]
    return Solution(
        tuple(sorted(records, key=lambda record: record.name.normalized)),
        _chosen_python(records, pythons),
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
    target = host_target(tuple(python.version for python in pythons))
    host, source = HostSource(pythons), PyPISource(index, metadata, target)
    for spec in specs:
        source.limit(spec.name, Demand(spec.version, spec.pre_releases))
    roots = ["python", *dict.fromkeys(spec.match_spec() for spec in specs)]
    # With several Pythons this only says which one to try first.
    improving = _ROUNDS if len(target.minors) == 1 else 0
    while True:
        hidden = source.hidden_names()
        named = [f'{name}[when="python <{NEVER}"]' for name in sorted(hidden)]
        records, refusal = await _ask(host, source, [*roots, *named])
        if await source.settle() or source.hidden_names() != hidden:
            continue
        if records is not None:
            # A window may have hidden a version that is newer than the answer's.
            if improving and source.offer_newer(records):
                improving -= 1
                await source.settle()
                continue
            return records, source
        # without a reason any of the projects may need more versions
        names = set(_WORDS.findall(refusal)) if refusal else set(source.projects)
        if not source.widen(names & set(source.projects)):
            raise await explain(specs, pythons, source, index, refusal)
        await source.settle()


async def _ask(
    host: HostSource, source: PyPISource, specs: Sequence[str]
) -> tuple[list[RepoDataRecord] | None, str]:
    """Return rattler's answer, or None and its reason, which may be empty."""
    import rattler
    from rattler.exceptions import GatewayError, SolverError

    solving = rattler.solve([host, source], list(specs), platforms=["noarch"])
    try:
        return await _while_it_moves(solving, source), ""
    except SolverError as error:
        return None, str(error)
    except GatewayError as error:
        raise source.failure or error from None
    except Exception as error:
        # rattler 0.28 has an answer, no, but fails to say why where conditions are involved; the
        # class is that of a library inside of it and cannot be imported
        if type(error).__name__ != "RustPanic":
            raise
        return None, ""


async def _while_it_moves(
    solving: Coroutine[Any, Any, list[RepoDataRecord]], source: PyPISource
) -> list[RepoDataRecord]:
    """Await ``solving`` as long as it asks the source for something now and then.

    Very few requests make rattler 0.28 search for ever, which its own ``timeout`` does not end.
    Raises :class:`~kaa.model.errors.NoAnswerError`; its thread is left to itself.
    """
    import asyncio

    task = asyncio.ensure_future(solving)
    seen = -1
    try:
        while not (await asyncio.wait([task], timeout=_PATIENCE))[0]:
            if source.idle and source.asked == seen:
                raise NoAnswerError(
                    "the solver does not come to an end",
                    cause=f"it has been silent for {_PATIENCE:.0f} seconds",
                    hint="ask for fewer packages at once, or give more of their versions",
                )
            seen = source.asked
    finally:
        task.cancel()
    return task.result()
