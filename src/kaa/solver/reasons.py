"""How demands meet in a refusal, told in a few lines of plain words.

The solver's tree names every combination of versions. Here all versions of a package, and all
that they require of another one, become one line; what is at the end of a chain says what stands
against it: another demand, something that the machine lacks, a name that nobody has.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from kaa.solver.refusal import Says, walk
from kaa.solver.wording import specs_words, version_words, versions_words
from kaa.sources.part import split_extra_name

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence

    from kaa.model.explanation import Constraint
    from kaa.solver.refusal import Node

_NEVER = re.compile(r"<0(\.0)*\.?a?0?")
_URL = re.compile(r"'([^']*)'\s*$")
_DATE = re.compile(r"cutoff date of (\S+)")


@dataclass(frozen=True, slots=True)
class Facts:
    """What is known beside the refusal.

    ``demands`` are those that put a version on a package, by its name; ``virtual`` the versions of
    the target's virtual packages; ``available`` says for names that the solver found no candidates
    of what the sources have (``1.0 to 2.3 in conda-forge``), None for nothing at all; ``rejected``
    why they cannot be used; ``source_of`` is what people call a channel's URL.
    """

    demands: Mapping[str, Sequence[Constraint]]
    virtual: Mapping[str, str]
    available: Mapping[str, str | None]
    rejected: Mapping[str, Sequence[str]]
    source_of: Callable[[str], str]


@dataclass(slots=True)
class _Claim:
    """What all versions of a package in the tree say of another one."""

    versions: list[str] = field(default_factory=list)
    specs: list[str] = field(default_factory=list)
    missing: bool = False
    blocked: bool = False


def missing_names(nodes: Iterable[Node]) -> tuple[str, ...]:
    """Return the names that the solver found no candidates of, in the order of the tree."""
    return tuple(dict.fromkeys(node.name for node in walk(nodes) if node.says is Says.MISSING))


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
    lines = [_claim_line(key, claim, facts, contested) for key, claim in ordered]
    lines += [_excluded_line(*key, versions, facts) for key, versions in excluded.items()]
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
    name = shown_name(node.name)
    if node.says is Says.MISSING:
        asked = _said(facts.demands.get(node.name, ())) or f"{name} {version_words(node.rest)}"
        if name.startswith("__"):
            lines[f"{asked.strip()} was asked for{_end_of_chain(node.name, facts)}"] = None
        else:
            available = facts.available.get(node.name)
            there = f" (there is {available})" if available else ""
            if node.name in facts.rejected and not facts.demands.get(node.name):
                lines[f"no version of {name} can be used{there}"] = None
            else:
                lines[f"no source has {asked.strip()}{there}"] = None
    elif node.says is Says.LOCKED:
        lines[f"{name} {node.rest} is installed and may not change"] = None
    elif node.says is Says.UNFULFILLED and node.name in facts.demands:
        available = facts.available.get(node.name)
        there = f" (there is {available})" if available else ""
        lines[f"{name} has to be {_said(facts.demands[node.name])}{there}"] = None
    elif node.says is Says.UNKNOWN:
        lines[node.rest] = None
    elif any(child.says is Says.COLLIDES for child in node.children):
        asked = _said(facts.demands.get(node.name, ()))
        lines[f"no version of {name} is what all of these allow: {asked}"] = None


def _add_claims(
    node: Node,
    contested: set[str],
    claims: dict[tuple[str, Says, str], _Claim],
) -> None:
    for child in node.children:
        if node.says in (Says.NEEDS, Says.CONSTRAINS) and _matters(child, contested):
            key = (node.name, node.says, child.name)
            claim = claims.setdefault(key, _Claim())
            claim.versions.append(node.rest)
            claim.specs.append(child.rest)
            claim.missing |= child.says is Says.MISSING
            claim.blocked |= child.says is not Says.POSSIBLE
        _add_claims(child, contested, claims)


def _matters(node: Node, contested: set[str]) -> bool:
    """Whether what is possible by itself has to do with the conflict."""
    if node.says is not Says.POSSIBLE:
        return True
    return node.name in contested or any(inner.name in contested for inner in walk(node.children))


def _claim_line(
    key: tuple[str, Says, str], claim: _Claim, facts: Facts, contested: set[str]
) -> str:
    package, says, other = key
    versions = versions_words(claim.versions)
    many = " to " in versions or " and " in versions
    who = f"{shown_name(package)} {versions}".strip()
    if says is Says.CONSTRAINS:
        if all(_NEVER.fullmatch(spec) for spec in claim.specs):
            return f"{who} cannot be beside {other}"
        what = f"{who} {'allow' if many else 'allows'} only {specs_words(other, claim.specs)}"
    else:
        what = f"{who} {'need' if many else 'needs'} {specs_words(shown_name(other), claim.specs)}"
    if claim.missing or other in contested or says is Says.CONSTRAINS:
        return what + _end_of_chain(other, facts)
    return what


def _end_of_chain(name: str, facts: Facts) -> str:
    """Return what stands against a requirement of ``name``."""
    if name.startswith("__"):
        there = facts.virtual.get(name)
        return f" (the machine has {there})" if there else " (the machine has none)"
    demands = facts.demands.get(name)
    available = facts.available.get(name, "")
    if available is None:
        return ", which no source has"
    if demands and not available:
        return f", not {_said(demands)}"
    return f" (there is {available})" if available else ""


def _said(demands: Iterable[Constraint]) -> str:
    return " and ".join(f"`{demand.text}`" for demand in demands)


def _excluded_line(name: str, reason: str, versions: Sequence[str], facts: Facts) -> str:
    who = f"{shown_name(name)} {versions_words(versions)}".strip()
    url = _URL.search(reason)
    source = facts.source_of(url[1]) if url else ""
    if "strict channel priority" in reason:
        there = facts.available.get(name)
        first = f"there is {there}, which comes first" if there else "a source before it has others"
        return f"{who} is in {source}, but {first} (channel priority is strict)"
    if "requested channel" in reason:
        return f"{who} is not in {source}, as was asked for"
    date = _DATE.search(reason)
    if date:
        return f"{who} came after {date[1]} (--exclude-newer)"
    if "no timestamp" in reason:
        return f"{who} does not say when it came, so it does not count (--exclude-newer)"
    return f"{who} is excluded: {reason}"
