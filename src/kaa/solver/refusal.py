"""The solver's own account of a refusal, a tree of text, read back into what it says.

The tree is that of resolvo (``DisplayUnsat``), the solver inside of rattler: requirements with
the packages that could satisfy them below, packages with what they require below.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from enum import Enum
from typing import TYPE_CHECKING

from kaa.sources.versions import NO_VERSION

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

_HEAD = "Cannot solve the request because of: "
_SECOND_PART = "The following packages are incompatible"
_PREFIX = re.compile(r"(?:├─ |└─ |│  |   )*")
_STEP = 3
_NAME = re.compile(r"(?P<name>[\w.+-]+(?:\[[\w.,-]+\](?=$| ))?)\s*(?P<rest>.*)", re.DOTALL)


class Says(Enum):
    """What a line of the tree says of its package or requirement."""

    BLOCKED = "a requirement that nothing below it satisfies"
    POSSIBLE = "a requirement that something satisfies, taken by itself"
    MISSING = "a requirement for which there is no package at all"
    NEEDS = "packages that require what is below"
    CONSTRAINS = "packages that forbid what is not as below"
    FORBIDDEN = "what packages allow of another one that is to be installed"
    EXCLUDED = "packages that are not taken, for a reason"
    COLLIDES = "packages beside which another version is wanted, too"
    OPTION = "packages that could be installed"
    UNFULFILLED = "a constraint (a pin) that does not hold"
    LOCKED = "an installed package that would have to change"
    UNKNOWN = "a line of a form that is not known"


_LINES = (
    (Says.BLOCKED, r"(.*?),? (?:which )?cannot be installed because there are no viable options:?"),
    (Says.POSSIBLE, r"(.*?),? (?:which )?can be installed with any of the following options:?"),
    (Says.MISSING, r"No candidates were found for (.*)\."),
    (Says.MISSING, r"(.*), for which no candidates were found\."),
    (Says.MISSING, r"(.*), which has no candidates.*"),
    (Says.NEEDS, r"(.*) would require"),
    (Says.CONSTRAINS, r"(.*) would constrain"),
    (Says.FORBIDDEN, r"(.*), which conflicts with any installable versions previously reported"),
    (Says.EXCLUDED, r"(.*?) is excluded because (?P<reason>.*)"),
    (Says.COLLIDES, r"(.*), which conflicts with the versions reported above\."),
    (Says.UNFULFILLED, r"the constraint (.*) cannot be fulfilled"),
    (Says.LOCKED, r"(.*?) is locked, but .*"),
    (Says.OPTION, r"([\w.+-]+(?: [^\s,]+(?: \| [^\s,]+)*)?(?:\[[\w.,-]+\])?)"),
)
_FORMS = tuple((says, re.compile(pattern)) for says, pattern in _LINES)


@dataclass(frozen=True, slots=True)
class Node:
    """One line of the tree.

    ``name`` is that of a package; ``rest`` what the line says after it: a version spec, or
    versions between bars, some of which the solver leaves out (``1.0 | 1.1 | ... | 2.3``).
    ``reason`` is the solver's, for what is excluded.
    """

    says: Says
    name: str
    rest: str = ""
    reason: str = ""
    children: tuple[Node, ...] = ()


def read_refusal(text: str) -> tuple[Node, ...]:
    """Return the lines of the solver's account that are below no other, with those below them.

    A line of an unknown form is kept as :attr:`Says.UNKNOWN`, with its text as ``rest``.
    """
    nodes: list[Node] = []
    # the two parts have their first level at different depths
    for part in text.removeprefix(_HEAD).split(_SECOND_PART):
        lines = []
        for line in part.splitlines():
            prefix = _PREFIX.match(line)
            indent = prefix.end() if prefix else 0
            said = line[indent:].strip()
            if said:
                lines.append((indent // _STEP, said))
        found, _ = _below(lines, 0, -1)
        nodes += found
    return tuple(nodes)


def walk(nodes: Iterable[Node]) -> Iterator[Node]:
    """Yield nodes and all that is below them, from top to bottom."""
    for node in nodes:
        yield node
        yield from walk(node.children)


def names(nodes: Iterable[Node]) -> tuple[str, ...]:
    """Return the names in the tree, those nearer to its top first."""
    found: dict[str, None] = {}
    level = list(nodes)
    while level:
        found |= {node.name.partition("[")[0]: None for node in level if node.name}
        level = [child for node in level for child in node.children]
    return tuple(found)


def without_options(nodes: Iterable[Node]) -> frozenset[str]:
    """Return the names at the top of the tree of which there is nothing at all to choose from.

    What is asked of such a name cannot be had whatever else is asked for: it has no candidates,
    or none but those of another source, of a later time, and the one that stands for an index
    that has nothing fitting.
    """
    found: dict[str, bool] = {}
    for node in nodes:
        found[node.name] = found.get(node.name, True) and _is_empty(node)
    return frozenset(name for name, empty in found.items() if empty)


def is_blocker(node: Node) -> bool:
    """Say whether a node is the record that stands for an index that has nothing fitting."""
    return node.says is Says.NEEDS and any(
        child.name == node.name and child.rest == NO_VERSION for child in node.children
    )


def _is_empty(node: Node) -> bool:
    if node.says is Says.MISSING:
        return True
    others = node.children if node.says is Says.BLOCKED else ()
    return bool(others) and all(
        is_blocker(one) or (one.says is Says.EXCLUDED and "strict" not in one.reason)
        for one in others
    )


def _below(lines: list[tuple[int, str]], start: int, depth: int) -> tuple[tuple[Node, ...], int]:
    """Return the nodes from line ``start`` on that are deeper than ``depth``, and where it ends."""
    nodes = []
    while start < len(lines) and lines[start][0] > depth:
        own, said = lines[start]
        children, start = _below(lines, start + 1, own)
        nodes.append(_node(said, children))
    return tuple(nodes), start


def _node(said: str, children: tuple[Node, ...]) -> Node:
    for says, form in _FORMS:
        match = form.fullmatch(said)
        subject = _NAME.fullmatch(match[1]) if match else None
        if match and subject:
            reason = match["reason"] if says is Says.EXCLUDED else ""
            return Node(says, subject["name"], subject["rest"].strip(), reason, children)
    return Node(Says.UNKNOWN, "", said, "", children)
