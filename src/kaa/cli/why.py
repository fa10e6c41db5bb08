"""``kaa why``."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from kaa.cli.drawing import strokes
from kaa.cli.installed import installed_argument
from kaa.cli.options import (
    environment_options,
    json_option,
    one_of_or_active,
    pass_invocation,
    verbose_option,
)
from kaa.cli.text import printable, write_json, write_line

if TYPE_CHECKING:
    from pathlib import Path

    from kaa.cli.invocation import Invocation
    from kaa.model.graph import Chain, Dependency, DependencyGraph, Link, Node
    from kaa.workflows.graph import Why

_CHAINS = 10
_MORE = 1000


@click.command(short_help="Say why a package is in an environment.")
@environment_options
@json_option
@verbose_option
@installed_argument("PACKAGE", required=True)
@pass_invocation
def why(invocation: Invocation, name: str | None, prefix: Path | None, packages: str) -> None:
    """Say who needs PACKAGE: the shortest ways down to it from what was asked for.

    With -v all of them, and the run constraints that others put on it.
    """
    name, prefix = one_of_or_active(name, prefix)

    from kaa.settings.directories import this_layout
    from kaa.workflows import graph

    limit = _MORE if invocation.verbosity or invocation.json else _CHAINS
    answer = graph.why(this_layout(), name, prefix, packages, limit)
    if invocation.json:
        write_json({"success": True, **answer.as_dict()})
        return
    for line in _lines(answer, verbose=invocation.verbosity > 0):
        write_line(line)


def title(node: Node) -> str:
    """Return a package as a heading: name, version and source."""
    parts = [click.style(printable(node.name), bold=True), printable(node.version)]
    parts += [f"({printable(node.source)})"] if node.source else []
    return " ".join(part for part in parts if part)


def edge_text(dependency: Dependency) -> str:
    """Return what an edge demands: version, and the condition under which it does."""
    parts = [dependency.spec, f"when {dependency.condition}" if dependency.condition else ""]
    return printable(" ".join(part for part in parts if part))


def _lines(answer: Why, *, verbose: bool) -> list[str]:
    package = answer.package
    lines = [title(package)]
    if package.asked:
        lines.append(f"  you asked for it: {printable(', '.join(package.asked))}")
    if answer.chains:
        lines.append(f"  {_introduction(answer)}")
        lines += [f"    {_chain(chain, answer.graph)}" for chain in answer.chains]
        if answer.total > len(answer.chains):
            more = "" if verbose else " (-v)"
            lines.append(f"    ... and {answer.total - len(answer.chains)} more{more}")
    elif not package.asked:
        lines += _unasked(answer)
    if verbose and answer.constraints:
        lines.append("  held back by the run constraints of")
        lines += [f"    {_constraint(link, answer.graph)}" for link in answer.constraints]
    return lines


def _introduction(answer: Why) -> str:
    if not answer.recorded:
        return "nobody knows what was asked for; these need it, and nothing needs them:"
    also = "also " if answer.package.asked else ""
    return f"{also}needed by what you asked for:"


def _unasked(answer: Why) -> list[str]:
    users = list(dict.fromkeys(link.dependent.name for link in answer.needed_by))
    if not users:
        return ["  nothing needs it, and nobody asked for it"]
    users_only = [f"  needed by {printable(', '.join(users))}"]
    return ["  nothing that was asked for needs it", *users_only] if answer.recorded else users_only


def _chain(chain: Chain, graph: DependencyGraph) -> str:
    first = chain[0].dependent
    asked = graph.nodes[first.name].asked
    start = printable(", ".join(asked) or str(first))
    steps = [start]
    for number, link in enumerate(chain):
        after = chain[number + 1].dependent if number + 1 < len(chain) else None
        label = str(after) if after else link.dependency.label
        steps.append(f"{printable(label)} {edge_text(link.dependency)}".rstrip())
    return strokes().arrow.join(steps)


def _constraint(link: Link, graph: DependencyGraph) -> str:
    other = graph.nodes[link.dependent.name]
    demand = f"{link.dependency.name} {edge_text(link.dependency)}".rstrip()
    return f"{printable(f'{other.name} {other.version}')}{strokes().arrow}{demand}"
