"""One solve over all sources (rattler's SAT solver), with windows of versions that grow.

What conda channels have, rattler reads by itself. Package indexes take part through windows:
rattler is asked again with more versions until there is an answer, or until the projects that its
refusal names have offered everything they have.
"""

from __future__ import annotations

import re
import time
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from kaa.model.errors import NoAnswerError, SolveError
from kaa.model.package import PYPI, source_of_channel
from kaa.model.source import Kind, Priority
from kaa.network.locations import redact, redact_text
from kaa.solver.request import Catalog, Solution, SolveRequest
from kaa.solver.scene import NEVER, Scene, plain_scene, survey
from kaa.sources.host import HostSource
from kaa.sources.installed import installed_file
from kaa.sources.part import split_extra_name
from kaa.sources.pypi import PyPISource
from kaa.sources.target import target_for
from kaa.sources.virtual_packages import to_rattler

if TYPE_CHECKING:
    from collections.abc import Coroutine, Sequence

    from rattler import RepoDataRecord

    from kaa.store.host_python import HostPython

_WORDS = re.compile(r"[a-z0-9](?:[a-z0-9._-]*[a-z0-9])?")
_PATIENCE = 30.0
"""Seconds without any question to a source after which a solve counts as stuck."""
_ROUNDS = 2
"""How often an answer with older versions than necessary may be improved on."""
_CPYTHON_ABI = 'python_abi[build="^.*_cp[0-9]+$"]'
"""What wheels are chosen for: a channel's PyPy and free-threaded Pythons take others."""


@dataclass(frozen=True, slots=True)
class Refusal:
    """There is no answer: why, in rattler's words (empty where it has none), and what was known.

    ``source`` is what package indexes were asked, None when they had no part in it.
    """

    text: str
    scene: Scene
    source: PyPISource | None


async def solve(request: SolveRequest, catalog: Catalog) -> Solution:
    """Return the packages that satisfy the request.

    The same request to the same sources has the same answer. Raises the classes below
    :class:`~kaa.model.errors.SolveError`, with the reason, and those of the sources.
    """
    began = time.monotonic()
    answer = await attempt(request, catalog)
    if isinstance(answer, Refusal):
        from kaa.solver.explain import explain

        raise await explain(answer, catalog, attempt, time.monotonic() - began)
    return answer


async def attempt(request: SolveRequest, catalog: Catalog) -> Solution | Refusal:
    """Return the packages that satisfy the request, or the refusal, which nobody has explained.

    Raises the errors of the sources, and :class:`~kaa.model.errors.SolveError` where there is
    nothing to ask the solver (no such interpreter).
    """
    answer = await _attempt(request, catalog)
    if isinstance(answer, Refusal) and request.priority is Priority.FLEXIBLE:
        return await _loosen(request, answer, catalog)
    return answer


async def _loosen(request: SolveRequest, first: Refusal, catalog: Catalog) -> Solution | Refusal:
    """Let lower sources provide names of the conflict, too: one of them, or else all of them."""
    refusal, free = first, request.loosened
    while True:
        words = dict.fromkeys(_WORDS.findall(refusal.text))
        named = [word for word in words if word in first.scene.channel_names - free]
        if not named:
            return first
        # what is said last is deepest in the tree: what the others need
        alone = [frozenset({name}) for name in reversed(named)] if len(named) > 1 else []
        for more in (*alone, frozenset(named)):
            answer = await _attempt(replace(request, loosened=free | more), catalog)
            if isinstance(answer, Solution):
                return answer
            refusal = answer
        free |= frozenset(named)


async def _attempt(request: SolveRequest, catalog: Catalog) -> Solution | Refusal:
    plain = await plain_scene(request, catalog)
    if plain is not None:
        answer = await _solve_for(plain, catalog, ())
        if isinstance(answer, Solution):
            return answer
    scene = await survey(request, catalog)
    if scene.part is None:
        return await _solve_for(scene, catalog, ())
    minors = list(dict.fromkeys(_minor(python) for python in scene.pythons))
    refusal: Refusal | SolveError | None = None
    installed = next((r for r in request.installed if r.name.normalized == "python"), None)
    likely = _minor(str(installed.version)) if installed is not None else None
    if likely not in minors and len(minors) > 1:
        # While Python is open, a version's wheels share the metadata of one of them. So this only
        # says which Python to try first; then each wheel is asked for its own metadata, which
        # nearly always confirms the answer.
        try:
            first = await _solve_for(scene, catalog, scene.pythons)
        except NoAnswerError as error:
            refusal = error  # each Python for itself is a simpler question
        else:
            if isinstance(first, Solution):
                if not first.files:
                    return first
                likely = first.python_minor
            elif _hopeless(first):
                return first
            else:
                refusal = first
    minors.sort(key=lambda minor: minor != likely)
    return await _first_answer(scene, catalog, minors, refusal)


async def _first_answer(
    scene: Scene, catalog: Catalog, minors: Sequence[str], refusal: Refusal | SolveError | None
) -> Solution | Refusal:
    """Return the answer with the first of the Pythons that has one, or else the first refusal."""
    for minor in minors:
        pythons = tuple(python for python in scene.pythons if _minor(python) == minor)
        try:
            answer = await _solve_for(scene, catalog, pythons)
        except NoAnswerError as error:
            refusal = refusal or error
            continue
        if isinstance(answer, Solution):
            return answer
        if refusal is None or isinstance(refusal, NoAnswerError):
            refusal = answer
    assert refusal is not None  # there is at least one Python
    if isinstance(refusal, SolveError):
        raise refusal
    return refusal


def _hopeless(refusal: Refusal) -> bool:
    """Say whether no other Python can help: something that was asked for is nowhere."""
    source = refusal.source
    return source is not None and any(root.name in source.unknown for root in refusal.scene.roots)


def _minor(version: str) -> str:
    return ".".join(version.split(".")[:2])


async def _solve_for(
    scene: Scene, catalog: Catalog, pythons: tuple[str, ...]
) -> Solution | Refusal:
    """Return the answer with one of ``pythons``; any, when package indexes have no part in it."""
    hosts = [python for python in scene.hosts or () if not pythons or python.version in pythons]
    if scene.part is None:
        records, refusal = await _ask(scene, HostSource(hosts), None, _specs(scene, ()))
        if records is None:
            return Refusal(refusal, scene, None)
        return _solution(records, scene, None, hosts)
    request = scene.request
    target = target_for(request.platform, pythons, request.virtual_packages)
    builder = catalog.builder if catalog.builds else None
    source = PyPISource(catalog.index, catalog.metadata, target, scene.part, builder)
    for root in (*scene.roots, *scene.pins):
        for name, demand in root.demands:
            source.limit(name, demand)
    # With several Pythons this only says which one to try first.
    improving = _ROUNDS if len(target.minors) == 1 else 0
    while True:
        hidden = source.hidden_names()
        named = [f'{name}[when="{NEVER}"]' for name in sorted(hidden)]
        specs = [*_specs(scene, target.minors), *named]
        records, refusal = await _ask(scene, HostSource(hosts), source, specs)
        if await source.settle() or source.hidden_names() != hidden:
            continue
        if records is not None:
            # A window may have hidden a version that is newer than the answer's.
            if improving and source.offer_newer(records):
                improving -= 1
                await source.settle()
                continue
            return _solution(records, scene, source, hosts)
        # without a reason any of the projects may need more versions
        names = set(_WORDS.findall(refusal)) if refusal else set(source.projects)
        if not source.widen(names & set(source.projects)):
            return Refusal(refusal, scene, source)
        await source.settle()


def _specs(scene: Scene, minors: Sequence[str]) -> list[str]:
    specs = list(dict.fromkeys(spec for root in scene.roots for spec in root.match_specs))
    specs += scene.first_channels
    if len(scene.request.channels) > 1:
        # Of what is asked for, rattler 0.28 sees only the records that satisfy the spec, and would
        # take them from a lower channel without knowing that a higher one has the name, too.
        open_roots = (root for root in scene.roots if root.channel is None and root.is_restricted)
        specs += dict.fromkeys(f'{root.name}[when="{NEVER}"]' for root in open_roots)
    if scene.hosts is None and len(minors) == 1:
        specs.append(f"python {minors[0]}.*")
    elif (scene.hosts and (scene.part is not None or not scene.request.channels)) or minors:
        specs.append("python")
    return specs


def _solution(
    records: Sequence[RepoDataRecord],
    scene: Scene,
    source: PyPISource | None,
    hosts: Sequence[HostPython],
) -> Solution:
    kept = [record for record in records if split_extra_name(record.name.normalized) is None]
    # What is installed the solver may keep without having asked for it.
    files = {r.url: installed_file(r) for r in kept if source_of_channel(r.channel or "") == PYPI}
    if source is not None:
        files |= {r.url: source.file_of(r) for r in kept if source.has(r)}
    python = next((str(r.version) for r in kept if r.name.normalized == "python"), None)
    host = next((one for one in hosts if one.version == python), None)
    kept.sort(key=lambda record: record.name.normalized)
    asked = {root.spec.text: root.name for root in scene.roots}
    chosen = {} if scene.part is None else scene.part.direct
    direct = {one.file.url: one for one in chosen.values() if one.file.url in files}
    return Solution(tuple(kept), files, python, host, asked, direct)


async def _ask(
    scene: Scene, host: HostSource, source: PyPISource | None, specs: Sequence[str]
) -> tuple[list[RepoDataRecord] | None, str]:
    """Return rattler's answer, or None and its reason, which may be empty."""
    import rattler
    from rattler.exceptions import GatewayError, SolverError

    request = scene.request
    disabled = request.priority is Priority.DISABLED or bool(request.loosened)
    priority = rattler.ChannelPriority.Disabled if disabled else rattler.ChannelPriority.Strict
    constraints = [spec for pin in scene.pins for spec in pin.match_specs[:1]]
    if source is not None and scene.hosts is None:
        constraints.append(_CPYTHON_ABI)
    solving = rattler.solve(
        _sources(scene, host, source),
        list(specs),
        gateway=scene.channels.gateway,
        platforms=scene.channels.subdirs,
        locked_packages=() if request.frozen else _installed(scene),
        pinned_packages=_installed(scene) if request.frozen else (),
        virtual_packages=to_rattler(request.virtual_packages),
        channel_priority=priority,
        exclude_newer=request.exclude_newer,
        constraints=constraints,
        add_pip_as_python_dependency=request.add_pip,
    )
    try:
        if source is None:
            return scene.channels.accepted(await solving), ""
        return scene.channels.accepted(await _while_it_moves(solving, source)), ""
    except SolverError as error:
        return None, redact_text(str(error))  # it says the channels that were asked for
    except GatewayError as error:
        failure = source.failure if source is not None else None
        raise failure or await scene.channels.failure(error) from None
    except Exception as error:
        # rattler 0.28 has an answer, no, but fails to say why where conditions are involved; the
        # class is that of a library inside of it and cannot be imported
        if type(error).__name__ != "RustPanic":
            raise
        return None, ""


def _installed(scene: Scene) -> list[RepoDataRecord]:
    """Return what is installed, but for what is asked for of another source than it is from.

    rattler 0.28 keeps such a record although a spec names another channel.
    """
    wanted = {root.name: redact(root.channel) for root in scene.roots if root.channel}
    return [
        record
        for record in scene.request.installed
        if _is_from(wanted.get(record.name.normalized, ""), record)
    ]


def _is_from(channel: str, record: RepoDataRecord) -> bool:
    # conda's own records name the subdir after the channel
    return record.url.startswith(channel) or (record.channel or "").rstrip("/") == channel[:-1]


def _sources(scene: Scene, host: HostSource, source: PyPISource | None) -> list[Any]:
    found: list[Any] = [] if scene.hosts is None else [host]
    for one in scene.request.sources:
        if one.kind is Kind.CONDA:
            found.append(scene.channels.rattler_source(one))
        elif one.kind is Kind.PYPI and source is not None:
            found.append(source)
    return found


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
