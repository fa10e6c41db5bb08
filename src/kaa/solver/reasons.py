"""How demands meet in a refusal, told in a few lines of plain words.

The solver's tree names every combination of versions. Here all versions of a package, and all
that they require of another one, become one line; what is at the end of a chain says what stands
against it: another demand, something that the machine lacks, a name that nobody has. Each line is
checked against the records first.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from kaa.solver.refusal import Says, is_blocker, walk
from kaa.solver.wording import specs_words, version_words, versions_words
from kaa.sources.part import split_extra_name

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence

    from kaa.model.explanation import Constraint
    from kaa.model.source import Source
    from kaa.solver.evidence import Evidence
    from kaa.solver.refusal import Node

_NEVER = re.compile(r"<0(\.0)*\.?a?0?")
_URL = re.compile(r"'([^']*)'\s*$")
_DATE = re.compile(r"cutoff date of (\S+)")
_SOME = "some builds of"
_STRICT = "strict channel priority"
_REQUESTED = "requested channel"


@dataclass(frozen=True, slots=True)
class Facts:
    """What is known beside the refusal.

    ``demands`` are those that put a version on a package, by its name; ``virtual`` the versions of
    the target's virtual packages; ``rejected`` says of names why versions of theirs cannot be
    used; ``source`` returns the one of the request that a channel's URL or name is of;
    ``evidence`` is what the records say, read for all names of the tree (:func:`names_to_read`).
    """

    demands: Mapping[str, Sequence[Constraint]]
    virtual: Mapping[str, str]
    rejected: Mapping[str, Sequence[str]]
    source: Callable[[str], Source | None]
    evidence: Evidence


@dataclass(slots=True)
class _Claim:
    """What all versions of a package in the tree say of another one."""

    versions: list[str] = field(default_factory=list)
    specs: list[str] = field(default_factory=list)
    blocked: bool = False


def missing_names(nodes: Iterable[Node]) -> tuple[str, ...]:
    """Return the names that the solver found no candidates of, in the order of the tree."""
    return tuple(dict.fromkeys(node.name for node in walk(nodes) if node.says is Says.MISSING))


def unusable_names(nodes: Iterable[Node]) -> tuple[str, ...]:
    """Return the names of which there may be versions that cannot be used: those without any
    candidates, and those whose own source has offered nothing."""
    found: dict[str, None] = {}
    for node in walk(nodes):
        elsewhere = node.says is Says.EXCLUDED and _REQUESTED in node.reason
        if node.says is Says.MISSING or elsewhere or is_blocker(node):
            found[node.name] = None
    return tuple(found)


def names_to_read(nodes: Iterable[Node]) -> tuple[str, ...]:
    """Return the names whose records :func:`reasons` wants to see."""
    found = dict.fromkeys(node.name.partition("[")[0] for node in walk(nodes))
    return tuple(name for name in found if name and not name.startswith("__"))


def reasons(nodes: Sequence[Node], facts: Facts) -> tuple[str, ...]:
    """Return the lines: from what was asked for down to what stands against it."""
    claims: dict[tuple[str, Says, str], _Claim] = {}
    others: dict[str, None] = {}
    contested = _contested(nodes)
    for node in nodes:
        _add_root(node, facts, others)
        _add_claims(node, contested, claims)
    excluded: dict[tuple[str, str], list[str]] = {}
    for node in walk(nodes):
        if node.says is Says.EXCLUDED:
            excluded.setdefault((node.name, node.reason), []).append(node.rest)
    # where the solver finds no way comes before what only takes part in it
    ordered = sorted(claims.items(), key=lambda item: not item[1].blocked)
    lines = [_claim_line(key, claim, facts) for key, claim in ordered]
    # builds for another Python say little where there are some for this one, too
    lines.sort(key=lambda line: line.startswith(_SOME) and " python " in line)
    for (name, reason), versions in excluded.items():
        lines += _excluded_lines(name, reason, versions, facts)
    lines += [f"{name} {line}" for name in facts.rejected for line in facts.rejected[name]]
    return tuple(dict.fromkeys([*others, *lines]))


def shown_name(name: str) -> str:
    """Return a solver's name as people say it: an extra of a conda package has brackets."""
    extra = split_extra_name(name)
    return f"{extra[0]}[{extra[1]}]" if extra else name


def _contested(nodes: Iterable[Node]) -> set[str]:
    ends = (Says.COLLIDES, Says.FORBIDDEN, Says.UNFULFILLED, Says.LOCKED)
    return {node.name for node in walk(nodes) if node.says in ends}


def _add_root(node: Node, facts: Facts, lines: dict[str, None]) -> None:
    name, demands = shown_name(node.name), facts.demands.get(node.name, ())
    if node.says is Says.MISSING:
        asked = _said(demands) or f"{name} {version_words(node.rest)}".strip()
        available = facts.evidence.available(node.name)
        there = f" (there is {available})" if available else ""
        if name.startswith("__"):
            lines[f"{asked} was asked for{_lack(node.name, facts)}"] = None
        elif node.name in facts.rejected and not demands:
            lines[f"no version of {name} can be used{there}"] = None
        else:
            lines[f"{facts.evidence.asked_for(node.name)} has {asked}{there}"] = None
    elif node.says is Says.LOCKED:
        lines[f"{name} {node.rest} is installed and may not change"] = None
    elif node.says is Says.UNFULFILLED and demands:
        available = facts.evidence.available(node.name)
        there = f" (there is {available})" if available else ""
        lines[f"{name} has to be {_said(demands)}{there}"] = None
    elif node.says is Says.UNKNOWN:
        lines[node.rest] = None
    elif len(demands) > 1 and not facts.evidence.satisfiable(node.name, [""]):
        lines[f"no version of {name} is what all of these allow: {_said(demands)}"] = None


def _add_claims(
    node: Node,
    contested: set[str],
    claims: dict[tuple[str, Says, str], _Claim],
) -> None:
    for child in node.children:
        # a Python's own ABI says only which build of it it is
        told = not is_blocker(node) and (node.name, child.name) != ("python", "python_abi")
        if node.says in (Says.NEEDS, Says.CONSTRAINS) and told and _matters(child, contested):
            claim = claims.setdefault((node.name, node.says, child.name), _Claim())
            claim.versions.append(node.rest)
            claim.specs.append(child.rest)
            claim.blocked |= child.says is not Says.POSSIBLE
        _add_claims(child, contested, claims)


def _matters(node: Node, contested: set[str]) -> bool:
    """Whether what is possible by itself has to do with the conflict."""
    if node.says is not Says.POSSIBLE:
        return True
    return node.name in contested or any(inner.name in contested for inner in walk(node.children))


def _claim_line(key: tuple[str, Says, str], claim: _Claim, facts: Facts) -> str:
    package, says, other = key
    limits = says is Says.CONSTRAINS
    checked = facts.evidence.check(package, claim.versions, other, claim.specs, limits=limits)
    versions = versions_words(claim.versions)
    many = " to " in versions or " and " in versions or not checked.all_builds
    who = f"{shown_name(package)} {versions}".strip()
    if not checked.all_builds:
        who = f"{_SOME} {who}"
    if limits and all(_NEVER.fullmatch(spec) for spec in checked.specs):
        return f"{who} cannot be beside {other}"
    what = specs_words(shown_name(other), checked.specs, lambda spec: _allows(other, spec, facts))
    end = _against(other, checked.specs, facts)
    if limits:
        return f"{who} {'allow' if many else 'allows'} only {what}{end}"
    return f"{who} {'need' if many else 'needs'} {what}{end}"


def _allows(name: str, spec: str, facts: Facts) -> bool:
    return facts.evidence.satisfiable(name, [spec])


def _against(name: str, specs: Sequence[str], facts: Facts) -> str:
    """Return what stands against a requirement of ``name``, nothing where something meets it."""
    evidence = facts.evidence
    if name.startswith("__"):
        return "" if evidence.satisfiable(name, specs) else _lack(name, facts)
    demands = facts.demands.get(name)
    available = evidence.available(name)
    if available is None:
        return f", which {evidence.asked_for(name)} has"
    if evidence.satisfiable(name, specs):
        return ""
    if demands and evidence.satisfiable(name, specs, as_asked=False):
        return f", not {_said(demands)}"
    return f" (there is {available})"


def _lack(name: str, facts: Facts) -> str:
    there = facts.virtual.get(name)
    return f" (the machine has {there})" if there else " (the machine has none)"


def _said(demands: Iterable[Constraint]) -> str:
    return " and ".join(f"`{demand.text}`" for demand in demands)


def _excluded_lines(name: str, reason: str, lists: Sequence[str], facts: Facts) -> tuple[str, ...]:
    versions = versions_words(lists)
    url = _URL.search(reason)
    source = facts.source(url[1]) if url else None
    if _STRICT in reason and source is not None:
        return _lower_lines(name, source, lists, facts)
    if _REQUESTED in reason and source is not None:
        return _requested_lines(name, source, versions, facts)
    many = " to " in versions or " and " in versions
    who = f"{shown_name(name)} {versions}".strip()
    date = _DATE.search(reason)
    if date:
        return (f"{who} came after {date[1]} (--exclude-newer)",)
    if "no timestamp" in reason:
        if many:
            return (f"{who} do not say when they came, so they do not count (--exclude-newer)",)
        return (f"{who} does not say when it came, so it does not count (--exclude-newer)",)
    return (f"{who} {'are' if many else 'is'} excluded: {reason}",)


def _lower_lines(name: str, source: Source, lists: Sequence[str], facts: Facts) -> tuple[str, ...]:
    """Return that a source of lower priority has what those above it have not."""
    only = facts.evidence.only_in(source, name, lists)
    first = facts.evidence.providers(name)
    if not only or not first or any(one.source == source for one in first):
        return ()  # it has nothing that would be of any use
    who = f"{shown_name(name)} {versions_words([' | '.join(only)])}"
    if set(only) <= set(first[0].versions):
        what = f"{source.name} has other builds of {who}, but {first[0].source.name}"
    else:
        are = "are" if len(only) > 1 else "is"
        there = facts.evidence.available(name)
        what = f"{who} {are} in {source.name}, but there is {there}, which"
    return (f"{what} comes first (channel priority is strict)",)


def _requested_lines(name: str, source: Source, versions: str, facts: Facts) -> tuple[str, ...]:
    """Return that the source that was named has not what was asked of it.

    The solver says so of the records of other sources, whatever that source has.
    """
    if facts.evidence.has(source, name):
        return ()
    asked = _said(facts.demands.get(name, ())) or shown_name(name)
    there = facts.evidence.available(name)
    end = f" (there is {there})" if there else ""
    return (f"{source.name} has no {asked}{end}",)
