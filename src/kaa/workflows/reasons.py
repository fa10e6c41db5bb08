"""Why a package is added, changed or removed: read off what the packages need of each other."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from kaa.environments.conditions import holds
from kaa.environments.graph import readable_dependency
from kaa.model.graph import Vertex, parse_dependency

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from rattler import RepoDataRecord

_SHOWN = 2


@dataclass(frozen=True, slots=True)
class Intent:
    """What the user wants of a change.

    ``asked`` maps the names of packages to the specs that hold for them, as typed, and ``extras``
    to the extras that those name; ``changed`` are the packages that this command has brought a
    spec for, ``updated`` those that it is to make newer; ``everything`` says that these are all.
    """

    asked: Mapping[str, str]
    changed: frozenset[str] = frozenset()
    updated: frozenset[str] = frozenset()
    everything: bool = False
    extras: Mapping[str, tuple[str, ...]] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class _Need:
    """A line of a record: ``dependent`` needs a package to be as ``text`` (a match spec) says."""

    dependent: RepoDataRecord
    text: str

    @property
    def said(self) -> str:
        """The need as people write it."""
        return f"{_label(self.dependent)} needs {readable_dependency(self.text)}"


@dataclass(frozen=True, slots=True)
class Needs:
    """The needs that count among packages that are installed together.

    ``records`` are the packages by name, ``by_name`` who needs a name and ``constraints`` who
    allows it in some versions only.
    """

    records: Mapping[str, RepoDataRecord]
    by_name: Mapping[str, tuple[_Need, ...]]
    constraints: Mapping[str, tuple[_Need, ...]]


def read_needs(records: Iterable[RepoDataRecord], extras: Mapping[str, tuple[str, ...]]) -> Needs:
    """Return what ``records`` need of each other.

    Those of extras count where a package asks for them, or the user does (``extras``).
    """
    known = {record.name.normalized: record for record in records}
    versions = {name: str(record.version) for name, record in known.items()}
    found: dict[str, list[_Need]] = {}
    waiting = [Vertex(name) for name in known]
    waiting += [Vertex(name, extra) for name, those in extras.items() for extra in those]
    seen: set[Vertex] = set()
    while waiting:
        vertex = waiting.pop()
        if vertex in seen or vertex.name not in known:
            continue
        seen.add(vertex)
        record = known[vertex.name]
        lines = record.extra_depends.get(vertex.extra, ()) if vertex.extra else record.depends
        for text in lines:
            line = parse_dependency(text, vertex.extra)
            if line is None or (line.condition and not holds(line.condition, versions)):
                continue
            waiting += line.targets[1:]
            if line.name != vertex.name:
                found.setdefault(line.name, []).append(_Need(record, text))
    constraints: dict[str, list[_Need]] = {}
    for record in known.values():
        for text in record.constrains:
            line = parse_dependency(text)
            if line is not None:
                constraints.setdefault(line.name, []).append(_Need(record, text))
    return Needs(known, _frozen(found), _frozen(constraints))


def why_added(name: str, intent: Intent, after: Needs) -> str:
    """Say what a new package is for."""
    if name in intent.asked:
        return f"you asked for {intent.asked[name]}"
    users = list(dict.fromkeys(_name(need.dependent) for need in after.by_name.get(name, ())))
    users.sort(key=lambda user: (user not in intent.asked, user))
    return f"needed by {_some(users)}" if users else "needed by what you asked for"


def why_removed(name: str, before: Needs, gone: Iterable[str]) -> str:
    """Say why a package is not needed any more; ``gone`` are the names of all that go."""
    users = sorted({_name(need.dependent) for need in before.by_name.get(name, ())})
    stay = [user for user in users if user not in set(gone)]
    if stay:
        return f"{_some(stay)} {'does' if len(stay) == 1 else 'do'} not need it any more"
    if users:
        return f"only {_some(users)} needed it"
    return "nothing that you asked for needs it"


def why_changed(
    before: RepoDataRecord, after: RepoDataRecord, intent: Intent, needs: Needs, move: int
) -> str:
    """Say what makes a package change; ``move`` is positive for upwards, negative for downwards.

    ``needs`` are those of the packages that are going to be installed.
    """
    name = _name(after)
    if name in intent.changed and name in intent.asked:
        return f"you asked for {intent.asked[name]}"
    if name in intent.updated:
        return "you asked for an update"
    broken = [need for need in needs.by_name.get(name, ()) if not _allows(need.text, before)]
    if broken:
        return broken[0].said
    forbidden = [need for need in needs.constraints.get(name, ()) if not _allows(need.text, before)]
    if forbidden:
        return (
            f"{_label(forbidden[0].dependent)} allows {readable_dependency(forbidden[0].text)} only"
        )
    unmet = _unmet(before, needs)
    if unmet is not None:
        return unmet
    if intent.everything and move > 0:
        return "there is a newer version"
    which = "another build" if move == 0 else f"{'a newer' if move > 0 else 'an older'} version"
    return f"{which} fits the rest"


def why_held(record: RepoDataRecord, records: Iterable[RepoDataRecord]) -> str | None:
    """Say which of ``records`` does not allow just any newer version of a package."""
    needs = read_needs(records, {})
    name = _name(record)
    for need in (*needs.by_name.get(name, ()), *needs.constraints.get(name, ())):
        line = parse_dependency(need.text)
        if line is not None and re.search(r"(^|[^>!~])=|<|~=|\*|^\d", line.spec):
            return need.said
    return None


def direct_needs(records: Iterable[RepoDataRecord], names: Iterable[str]) -> list[str]:
    """Return what the packages of ``names`` need of others, as specs that people write."""
    about = frozenset(names)
    found = {
        readable_dependency(need.text)
        for name, needs in read_needs(records, {}).by_name.items()
        for need in needs
        if _name(need.dependent) in about and name not in about and not name.startswith("__")
    }
    return sorted(found)


def tops(records: Iterable[RepoDataRecord]) -> list[str]:
    """Return the names of as few packages as lead to all others by what they need.

    Of packages that need each other in a circle, and that nothing else needs, it is one.
    """
    needs = read_needs(records, {})
    below: dict[str, set[str]] = {name: set() for name in needs.records}
    for name, those in needs.by_name.items():
        for need in those:
            below[_name(need.dependent)].add(name)
    chosen: dict[str, None] = {}
    reached: set[str] = set()
    for start in sorted(below, key=lambda name: (bool(needs.by_name.get(name)), name)):
        if start in reached:
            continue
        found: set[str] = set()
        waiting = [start]
        while waiting:
            name = waiting.pop()
            if name not in found:
                found.add(name)
                waiting += below.get(name, ())
        # One that was taken for want of a better one may turn out to be below another.
        chosen = {name: None for name in chosen if name not in found}
        chosen[start] = None
        reached |= found
    return sorted(chosen)


def _unmet(before: RepoDataRecord, needs: Needs) -> str | None:
    """Say which of its needs a package would not have met if it stayed as it is."""
    for text in before.depends:
        line = parse_dependency(text)
        other = needs.records.get(line.name) if line is not None and not line.condition else None
        if other is not None and not _allows(text, other):
            return f"{_label(before)} needs {readable_dependency(text)}"
    return None


def _allows(text: str, record: RepoDataRecord) -> bool:
    from rattler import MatchSpec

    return MatchSpec(text).matches(record)


def _name(record: RepoDataRecord) -> str:
    return record.name.normalized


def _label(record: RepoDataRecord) -> str:
    return f"{_name(record)} {record.version}"


def _some(names: Sequence[str]) -> str:
    if len(names) <= _SHOWN:
        return " and ".join(names)
    return f"{', '.join(names[:_SHOWN])} and {len(names) - _SHOWN} more"


def _frozen(found: Mapping[str, list[_Need]]) -> dict[str, tuple[_Need, ...]]:
    return {name: tuple(needs) for name, needs in found.items()}
