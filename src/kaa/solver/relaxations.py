"""Changes that may make an unsolvable request solvable, the least intrusive first."""

from __future__ import annotations

import re
from dataclasses import replace
from typing import TYPE_CHECKING

from kaa.model.errors import RequestError
from kaa.model.explanation import Change
from kaa.model.source import Kind
from kaa.solver.fixes import Relaxation
from kaa.solver.refusal import Says, walk
from kaa.solver.specs import YOU_ASKED, parse_spec
from kaa.solver.terms import FREEZE
from kaa.sources.index import normalise
from kaa.sources.virtual_packages import split, version_of

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence

    from kaa.model.source import Source
    from kaa.solver.refusal import Node
    from kaa.solver.request import SolveRequest
    from kaa.solver.specs import Spec
    from kaa.solver.terms import Term

_LOWEST = re.compile(r"(?:>=|==?|~=|>|^)\s*(\d[\w.]*)")
_PLATFORMS = ("__win", "__unix", "__linux", "__osx")
"""What the target does not have at all of these, it does not get by promising it."""
_SOMETHING = {"__cuda": "12"}
"""What to promise of a virtual package of which any version will do."""


def relaxations(
    request: SolveRequest,
    conflict: Sequence[Term],
    nodes: Sequence[Node],
    holders: Mapping[str, Sequence[tuple[Source, str]]],
) -> list[Relaxation[SolveRequest]]:
    """Return the changes, those that give up something at the end.

    ``nodes`` are the solver's account of the conflict; ``holders`` are the sources that have a
    name, in the request's order, with what it is called there. A change of Python comes after
    those of other packages.
    """
    # Python last, because everything else hangs on it
    ordered = sorted(conflict, key=lambda term: term.name == "python")
    specs = [(term, term.spec) for term in ordered if term.spec and not term.pin]
    found = [
        *any_versions(request, ordered),
        *(one for term, spec in specs for one in _elsewhere(term, spec, holders)),
        *_other_provider(request, nodes, holders),
        *_overrides(request, nodes),
        *(_without_pin(term, term.spec) for term in ordered if term.spec and term.pin),
        *_settings(request, conflict, nodes),
        *(
            leaving_out(term, spec)
            for term, spec in specs
            if _is_one_of_several(request, term, spec)
        ),
    ]
    return list({relaxation.change: relaxation for relaxation in reversed(found)}.values())[::-1]


def any_versions(request: SolveRequest, terms: Sequence[Term]) -> list[Relaxation[SolveRequest]]:
    """Return the changes that let each of ``terms`` be any version."""
    return [
        one
        for term in terms
        if term.spec is not None and not term.pin
        for one in _any_version(request, term, term.spec)
    ]


def leaving_out(term: Term, spec: Spec) -> Relaxation[SolveRequest]:
    """Return the change that does without a spec."""
    change = Change(spec.text, None, _origin(spec))
    return Relaxation(change, _Swap(spec, None), term, last_resort=True)


def _is_one_of_several(request: SolveRequest, term: Term, spec: Spec) -> bool:
    """Say whether without a spec there is still something to do.

    Python and pip are there for the sake of others, and what is installed is there already.
    """
    there = {record.name.normalized for record in request.installed} | {"python", "pip"}
    others = (one for one in request.specs if one != spec)
    return term.name != "python" and any(one.name not in there for one in others)


class _Swap:
    """Puts a spec in the place of another one, or of none."""

    def __init__(self, old: Spec | None, new: Spec | None) -> None:
        self._old, self._new = old, new

    def __call__(self, request: SolveRequest) -> SolveRequest:
        if self._old is None:
            added = (self._new,) if self._new else ()
            return replace(request, specs=(*request.specs, *added))
        swapped = [self._new if spec == self._old else spec for spec in request.specs]
        return replace(request, specs=tuple(spec for spec in swapped if spec is not None))


def _origin(spec: Spec) -> str | None:
    return None if spec.origin == YOU_ASKED else spec.origin


def _instead(term: Term, spec: Spec, text: str) -> Iterator[Relaxation[SolveRequest]]:
    try:
        new = parse_spec(text, spec.origin)
    except RequestError:  # a build of a conda package, asked of an index
        return
    yield Relaxation(Change(spec.text, text, _origin(spec)), _Swap(spec, new), term, term.name)


def _any_version(
    request: SolveRequest, term: Term, spec: Spec
) -> Iterator[Relaxation[SolveRequest]]:
    direct = normalise(spec.name) in request.direct
    if not direct and (spec.version != "*" or spec.build or spec.brackets):
        extras = f"[{','.join(spec.extras)}]" if spec.extras else ""
        source = f"{spec.source}::" if spec.source else ""
        yield from _instead(term, spec, f"{source}{spec.name}{extras}")


def _elsewhere(
    term: Term, spec: Spec, holders: Mapping[str, Sequence[tuple[Source, str]]]
) -> Iterator[Relaxation[SolveRequest]]:
    if term.name == "python":
        return
    there = [pair for pair in holders.get(term.name, ()) if pair[0].kind is not Kind.HOST]
    if spec.source is None:
        there = there[1:]  # the first one is who provides it
    plain = spec.text.rpartition("::")[2].strip() if spec.source else spec.text.strip()
    for source, name in there:
        if source.name != spec.source:
            renamed = name + plain[len(spec.name) :] if name != term.name else plain
            yield from _instead(term, spec, f"{source.name}::{renamed}")


def _other_provider(
    request: SolveRequest,
    nodes: Sequence[Node],
    holders: Mapping[str, Sequence[tuple[Source, str]]],
) -> Iterator[Relaxation[SolveRequest]]:
    """Yield other sources for what nobody asked for by name, but something needs."""
    asked = {spec.name for spec in request.specs}
    for name in hidden_names(nodes):
        for source, own in holders.get(name, ())[1:]:
            if name not in asked and source.kind is not Kind.HOST:
                text = f"{source.name}::{own}"
                yield Relaxation(Change(None, text), _Swap(None, parse_spec(text)), name, name)


def hidden_names(nodes: Iterable[Node]) -> tuple[str, ...]:
    """Return the names of which a source may have other versions than the one that provides them:
    those that have no candidates, and those that strict priority excludes."""
    found: dict[str, None] = {}
    for node in walk(nodes):
        strict = node.says is Says.EXCLUDED and "strict channel priority" in node.reason
        if (strict or node.says is Says.MISSING) and not node.name.startswith("__"):
            found[node.name] = None
    return tuple(found)


def promised(nodes: Iterable[Node]) -> dict[str, tuple[str, str]]:
    """Return virtual packages that something needs and the target does not have: name to the
    need and the least version that would do for all of them."""
    from rattler import Version

    found: dict[str, tuple[str, str]] = {}
    for node in walk(nodes):
        if node.says is Says.MISSING and node.name.startswith("__"):
            match = _LOWEST.search(node.rest)
            version = match[1] if match else _SOMETHING.get(node.name, "1")
            known = found.get(node.name)
            if known is None or Version(version) > Version(known[1]):
                found[node.name] = (f"{node.name} {node.rest}".strip(), version)
    return found


def _overrides(request: SolveRequest, nodes: Sequence[Node]) -> Iterator[Relaxation[SolveRequest]]:
    for name, (_, version) in promised(nodes).items():
        if name in _PLATFORMS and version_of(name, request.virtual_packages) is None:
            continue
        yield Relaxation(
            Change(None, f"--override {name}={version}"), _Override(name, version), name
        )


class _Override:
    def __init__(self, name: str, version: str) -> None:
        self._name, self._version = name, version

    def __call__(self, request: SolveRequest) -> SolveRequest:
        others = [text for text in request.virtual_packages if split(text)[0] != self._name]
        said = f"{self._name}={self._version}=0"
        return replace(request, virtual_packages=tuple(sorted([*others, said])))


def _without_pin(term: Term, pin: Spec) -> Relaxation[SolveRequest]:
    def apply(request: SolveRequest) -> SolveRequest:
        return replace(request, pins=tuple(spec for spec in request.pins if spec != pin))

    return Relaxation(Change(pin.text, None, pin.origin), apply, term, term.name)


def _settings(
    request: SolveRequest, conflict: Sequence[Term], nodes: Sequence[Node]
) -> Iterator[Relaxation[SolveRequest]]:
    if any(term.spec is None for term in conflict):
        yield Relaxation(
            Change(FREEZE, None), lambda request: replace(request, frozen=False), FREEZE
        )
    by_time = any("cutoff" in node.reason or "timestamp" in node.reason for node in walk(nodes))
    if request.exclude_newer is not None and by_time:
        option = "--exclude-newer"
        yield Relaxation(
            Change(option, None), lambda request: replace(request, exclude_newer=None), option
        )
