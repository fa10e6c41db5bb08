"""What a change is to reach: what has to hold, what had better stay, what should become newer.

The answer is looked for in steps, from the one that moves least:

- Python keeps its minor version, unless the command is about Python: everything else hangs on it.
- ``update NAME`` asks for the newest with which nothing else becomes older; for several names,
  one after the other. What cannot become newer stays as it is.
- ``install`` takes the newest version that fits what was asked for; what is installed moves where
  that makes it move.
- Only if there is no answer otherwise does Python move, too.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from kaa.model.errors import PackageNotInstalledError, RequestError, SolveError
from kaa.model.options import Dependencies
from kaa.model.package import project_name
from kaa.model.progress import Phase
from kaa.solver.request import Solution
from kaa.solver.solve import attempt, solve
from kaa.solver.specs import Spec, parse_spec
from kaa.sources.direct import parse_direct
from kaa.sources.versions import is_pre_release
from kaa.workflows.asked import read_asked
from kaa.workflows.graph import find_package
from kaa.workflows.reachability import while_reachable
from kaa.workflows.references import kept_spec, lasting_text, read_lasting

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from rattler import RepoDataRecord

    from kaa.model.graph import DependencyGraph
    from kaa.model.options import SolveOptions
    from kaa.model.progress import Progress
    from kaa.solver.request import SolveRequest
    from kaa.sources.direct import DirectReference
    from kaa.sources.direct_distribution import DirectDistribution
    from kaa.workflows.asked import Asked
    from kaa.workflows.supply import Supply


@dataclass(frozen=True, slots=True)
class Goal:
    """What a change is to reach.

    ``specs`` hold afterwards, all of them, and ``new`` are those that this command brought;
    ``references`` are to be resolved, and their specs added to both (:func:`with_references`);
    ``installed`` had better stay; ``renewed`` should become newer, and then nothing older;
    ``python`` is the version that Python had better keep; ``everything`` says that the command is
    about all packages.
    """

    specs: tuple[Spec, ...]
    new: tuple[Spec, ...]
    installed: tuple[RepoDataRecord, ...]
    references: tuple[DirectReference, ...] = ()
    renewed: tuple[RepoDataRecord, ...] = ()
    python: Spec | None = None
    everything: bool = False
    held: tuple[Spec, ...] = ()
    """What was asked for before."""


def install_goal(
    held: Sequence[str],
    installed: Sequence[RepoDataRecord],
    texts: Sequence[str],
    editable: Sequence[str] = (),
) -> Goal:
    """Return what installing ``texts`` is to reach where ``held`` was asked for before.

    ``editable`` are the paths of ``-e``. Raises :class:`~kaa.model.errors.RequestError`.
    """
    return goal_of(held, installed, read_asked(texts, editable))


def goal_of(held: Sequence[str], installed: Sequence[RepoDataRecord], asked: Asked) -> Goal:
    """Return what is to be reached where ``asked`` comes to what was asked for before."""
    specs, references = _held(held, installed)
    python = None
    if all(spec.name != "python" for spec in asked.specs):
        python = _python_kept(installed)
    return Goal(
        merged(specs, asked.specs),
        asked.specs,
        tuple(installed),
        (*references, *asked.references),
        python=python,
        held=specs,
    )


def update_goal(
    held: Sequence[str],
    installed: Sequence[RepoDataRecord],
    texts: Sequence[str],
    graph: DependencyGraph,
) -> Goal:
    """Return what updating ``texts`` is to reach; no texts are all packages.

    A bare name only frees the package; with a version it is asked for from then on. Raises
    :class:`PackageNotInstalledError` and :class:`~kaa.model.errors.RequestError`.
    """
    if not texts:
        specs, references = _held(held, ())
        python = _python_kept(installed)
        return Goal(specs, (), (), references, python=python, everything=True, held=specs)
    given = read_asked(texts)
    if given.references:
        raise RequestError(
            f"{given.references[0].text!r} is no installed package",
            hint=f"to install from there once more: `kaa install {given.references[0].text}`",
        )
    names = {spec.text: _installed_name(graph, spec) for spec in given.specs}
    stay = tuple(r for r in installed if r.name.normalized not in names.values())
    specs, references = _held(held, stay)
    new = tuple(spec for spec in given.specs if not is_bare(spec))
    bare = {names[spec.text] for spec in given.specs if is_bare(spec)}
    bare -= {reference.name for reference in references}
    return Goal(
        merged(specs, new),
        given.specs,
        stay,
        references,
        # Where a version is given, others may have to become older for it.
        () if new else tuple(r for r in installed if r.name.normalized in bare),
        None if "python" in names.values() else _python_kept(installed),
        held=specs,
    )


def with_references(
    goal: Goal, found: Sequence[Spec], direct: Mapping[str, DirectDistribution]
) -> Goal:
    """Return the goal with the specs that its references came to.

    What is installed of their projects does not stay: it is asked for from somewhere.
    """
    texts = {one.reference.text: lasting_text(one.reference, one.name) for one in direct.values()}
    specs = tuple(replace(spec, text=texts.get(spec.text, spec.text)) for spec in found)
    names = {project_name(spec.name) for spec in specs}
    return replace(
        goal,
        specs=merged(goal.specs, specs),
        new=(*goal.new, *specs),
        installed=tuple(r for r in goal.installed if project_name(r.name.normalized) not in names),
    )


def _held(
    texts: Sequence[str], staying: Iterable[RepoDataRecord]
) -> tuple[tuple[Spec, ...], tuple[DirectReference, ...]]:
    """Return the specs of before, and the references among them that are to be looked at again."""
    records = {project_name(record.name.normalized): record for record in staying}
    specs, references = [], []
    for text in texts:
        named = read_lasting(text)
        record = records.get(project_name(named[0])) if named is not None else None
        if named is not None and record is not None:
            specs.append(kept_spec(text, named[1], record))
        elif (reference := parse_direct(text)) is not None:
            references.append(reference)
        else:
            specs.append(parse_spec(text))
    return merged((), specs), tuple(references)


def merged(held: Iterable[Spec], new: Iterable[Spec]) -> tuple[Spec, ...]:
    """Return the specs that hold together: a new one replaces that of the same package.

    A name alone says nothing that an older spec of it would not say better.
    """
    specs = {project_name(spec.name): spec for spec in held}
    for spec in new:
        name = project_name(spec.name)
        if name not in specs or not is_bare(spec):
            specs[name] = spec
    return tuple(specs.values())


def is_bare(spec: Spec) -> bool:
    """Say whether a spec is nothing but a name."""
    versions = {spec.version, spec.conda_version}
    return versions == {"*"} and not (spec.extras or spec.build or spec.brackets or spec.source)


async def reach(goal: Goal, request: SolveRequest, supply: Supply, progress: Progress) -> Solution:
    """Return the answer that moves least. ``request`` asks for the goal's specs.

    Raises what :func:`~kaa.solver.solve.solve` does.
    """
    try:
        return await while_reachable(_reached(goal, request, supply), request.channels, supply)
    finally:
        progress.finish(Phase.METADATA)


async def _reached(goal: Goal, request: SolveRequest, supply: Supply) -> Solution:
    kept = request
    if goal.python is not None and not request.frozen:
        kept = replace(request, specs=(*request.specs, goal.python))
    answer = await _renewed(goal, kept, supply)
    if answer is None and kept is not request:
        answer = await _attempt(kept, supply)
    return answer or await solve(request, supply.catalog)


async def _renewed(goal: Goal, request: SolveRequest, supply: Supply) -> Solution | None:
    """Return the answer in which as much as possible of what should be newer is newer."""
    if not goal.renewed:
        return None
    floor = [_bound(record, ">=") for record in (*goal.installed, *goal.renewed)]
    request = replace(request, pins=(*request.pins, *floor))
    best = None
    for record in goal.renewed:
        name = record.name.normalized
        newest: RepoDataRecord | None = record
        # The solver likes to keep the others; asked again, it finds what is newer still.
        while newest is not None:
            more = replace(request, pins=(*request.pins, _bound(newest, ">")))
            answer = await _attempt(more, supply)
            if answer is None:
                break
            best, request = answer, more
            newest = next((r for r in answer.records if r.name.normalized == name), None)
    return best or await _attempt(request, supply)


async def _attempt(request: SolveRequest, supply: Supply) -> Solution | None:
    try:
        answer = await attempt(request, supply.catalog)
    except SolveError:
        return None  # the last step says why, if it is the same there
    return answer if isinstance(answer, Solution) else None


def _bound(record: RepoDataRecord, operator: str) -> Spec:
    version = f"{operator}{record.version}"
    name = record.name.normalized
    return Spec(
        f"{name}{version}",
        name,
        version,
        pre_releases=is_pre_release(str(record.version)),
        conda_version=version,
        origin="installed",
    )


def _python_kept(installed: Iterable[RepoDataRecord]) -> Spec | None:
    for record in installed:
        if record.name.normalized == "python":
            minor = ".".join(str(record.version).split(".")[:2])
            return parse_spec(f"python={minor}", "the Python that is installed")
    return None


def _installed_name(graph: DependencyGraph, spec: Spec) -> str:
    try:
        return find_package(graph, spec.name).name
    except PackageNotInstalledError as error:
        raise PackageNotInstalledError(
            error.message, hint=f"{error.hint} (to add it: `kaa install {spec.text}`)"
        ) from None


def check_update(texts: Sequence[str], everything: bool, options: SolveOptions) -> None:
    """Raise :class:`RequestError` for an update that says nothing, or two things at once."""
    if options.editable:
        raise RequestError(
            "-e names a project to install, and nothing to update",
            hint=f"`kaa install -e {options.editable[0]}` installs it, once more if need be",
        )
    if everything and texts:
        raise RequestError("--all names all packages already", hint="leave out --all or the names")
    if not (everything or texts):
        raise RequestError(
            "nothing was asked for", hint="name at least one package, or add --all for all of them"
        )
    for option, is_given in (
        ("--freeze-installed", options.frozen),
        ("--no-deps", options.deps is Dependencies.NONE),
        ("--only-deps", options.deps is Dependencies.ONLY),
    ):
        if everything and is_given:
            raise RequestError(f"--all and {option} exclude each other", hint="give one of them")
