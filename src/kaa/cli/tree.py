"""``kaa tree``."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from kaa.cli.drawing import Strokes, strokes
from kaa.cli.installed import installed_argument
from kaa.cli.options import (
    environment_options,
    json_option,
    one_of_or_active,
    pass_invocation,
    verbose_option,
)
from kaa.cli.text import write_json, write_line
from kaa.cli.why import edge_text, title
from kaa.model.graph import Presence

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from pathlib import Path

    from kaa.cli.invocation import Invocation
    from kaa.workflows.graph import Branch, Tree

_REPEATED = "(*)"
PRESENCE = {
    Presence.INSTALLED: "",
    Presence.VIRTUAL: "(virtual)",
    Presence.MISSING: "(not installed)",
}


@click.command(short_help="Show what the packages of an environment need.")
@environment_options
@click.option("-i", "--invert", is_flag=True, help="Show who needs a package instead.")
@click.option(
    "--depth", type=click.IntRange(min=0), metavar="N", help="Show this many levels below each."
)
@json_option
@verbose_option
@installed_argument("[PACKAGE...]", nargs=-1)
@pass_invocation
def tree(
    invocation: Invocation,
    name: str | None,
    prefix: Path | None,
    invert: bool,
    depth: int | None,
    packages: tuple[str, ...],
) -> None:
    """Show what PACKAGE needs, and what that needs; without PACKAGE, all that was asked for."""
    name, prefix = one_of_or_active(name, prefix)

    from kaa.settings.directories import this_layout
    from kaa.workflows import graph

    answer = graph.tree(this_layout(), name, prefix, packages, inverted=invert, depth=depth)
    if invocation.json:
        write_json({"success": True, "inverted": invert, **answer.as_dict()})
        return
    write_tree(answer, inverted=invert)


def write_tree(answer: Tree, *, inverted: bool = False) -> None:
    """Write trees with lines between the packages, and a legend if a mark needs one."""
    style = strokes()
    lines = [line for root in answer.roots for line in _lines(root, style, inverted)]
    if answer.orphans:
        lines += ["", "Not needed by anything that was asked for:"]
        lines += [line for root in answer.orphans for line in _lines(root, style, inverted)]
    if not lines:
        lines = ["No packages."]
    if any(_is_repeated(root) for root in (*answer.roots, *answer.orphans)):
        lines += ["", f"{_REPEATED} its branches are shown where it is first"]
    # In one piece: a tree has thousands of lines, and each write of its own takes its time.
    write_line("\n".join(lines))


def _lines(root: Branch, style: Strokes, inverted: bool) -> Iterator[str]:
    yield _text(root, inverted)
    yield from _below(root.branches, style, "", inverted)


def _below(
    branches: Iterable[Branch], style: Strokes, indent: str, inverted: bool
) -> Iterator[str]:
    for before, below, branch in style.before(branches, indent):
        yield before + _text(branch, inverted)
        yield from _below(branch.branches, style, below, inverted)


def _text(branch: Branch, inverted: bool) -> str:
    node = branch.node
    heading = title(node)
    if branch.extras:
        heading = heading.replace(node.name, branch.label, 1)
    parts = [heading, PRESENCE[node.presence]]
    if branch.link is not None:
        demand = edge_text(branch.link.dependency)
        parts.append(click.style(f"needs {demand}" if inverted and demand else demand, dim=True))
    if inverted and node.asked and branch.link is not None:
        parts.append("(asked for)")
    parts.append(_REPEATED if branch.repeated else "")
    return " ".join(part for part in parts if click.unstyle(part))


def _is_repeated(branch: Branch) -> bool:
    return branch.repeated or any(_is_repeated(other) for other in branch.branches)
