"""``kaa repoquery``: mamba's questions, with mamba's options."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Any

import click

from kaa.cli.lazy import Entry, lazy_group
from kaa.cli.options import (
    environment_options,
    json_option,
    one_of_or_active,
    pass_invocation,
    verbose_option,
)
from kaa.cli.search import remote_options, run_search
from kaa.cli.text import printable, write_json, write_line, write_note, write_table
from kaa.model.errors import RequestError, UnsupportedError
from kaa.model.options import SolveOptions

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from pathlib import Path

    from click.decorators import FC

    from kaa.cli.invocation import Invocation
    from kaa.model.graph import Link
    from kaa.workflows.graph import Branch, Tree
    from kaa.workflows.repoquery import Dependent

repoquery = lazy_group(
    "repoquery",
    {
        "depends": Entry("kaa.cli.repoquery:depends", "Show what a package needs."),
        "whoneeds": Entry("kaa.cli.repoquery:whoneeds", "Show who needs a package."),
        "search": Entry("kaa.cli.repoquery:search", "Search for packages."),
    },
    "Ask who needs whom, in mamba's words.",
)

_place_option = click.option(
    "--local/--remote",
    default=None,
    help="Ask the environment (the default without -c), or the channels.",
)


def _query_options(command: FC) -> FC:
    options = [
        environment_options,
        click.option("-t", "--tree", "as_tree", is_flag=True, help="Show a tree."),
        click.option("-r", "--recursive", is_flag=True, help="Show everything below, too."),
        _place_option,
        remote_options,
        json_option,
        verbose_option,
    ]
    for option in reversed(options):
        command = option(command)
    return command


@click.command(short_help="Show what a package needs.")
@_query_options
@click.argument("package", metavar="PACKAGE")
@pass_invocation
def depends(invocation: Invocation, /, package: str, **values: Any) -> None:
    """Show what PACKAGE needs: the installed one, or with -c or --remote the newest one."""
    answer = _answer(invocation, package, inverted=False, **values)
    assert not isinstance(answer, tuple)
    _show(invocation, answer, inverted=False, **values)


@click.command(short_help="Show who needs a package.")
@_query_options
@click.argument("package", metavar="PACKAGE")
@pass_invocation
def whoneeds(invocation: Invocation, /, package: str, **values: Any) -> None:
    """Show who needs PACKAGE: in an environment, or with -c or --remote in channels.

    Of channels' packages the newest version that needs it is shown; with -v also those whose run
    constraints and run exports name it.
    """
    answer = _answer(invocation, package, inverted=True, **values)
    if isinstance(answer, tuple):
        _show_dependents(invocation, answer)
    else:
        _show(invocation, answer, inverted=True, **values)


@click.command(short_help="Search for packages.", name="search")
@click.argument("spec", metavar="SPEC")
@environment_options
@_place_option
@click.option("--pretty", is_flag=True, help="Show everything that is known of what is found.")
@remote_options
@json_option
@verbose_option
@pass_invocation
def search(
    invocation: Invocation,
    spec: str,
    name: str | None,
    prefix: Path | None,
    local: bool | None,
    pretty: bool,
    sources: tuple[str, ...],
    platform: str | None,
    offline: bool,
) -> None:
    """Search the sources for SPEC, as `kaa search` does; with --local, an environment."""
    if not local:
        options = SolveOptions(sources=sources, platform=platform, offline=offline)
        run_search(invocation, spec, options, info=pretty, limit=None)
        return
    _refuse_sources(sources, platform)
    from kaa.settings.directories import this_layout
    from kaa.workflows.graph import installed

    packages = installed(this_layout(), *one_of_or_active(name, prefix), spec)
    if invocation.json:
        write_json({"success": True, "packages": [each.as_dict() for each in packages]})
        return
    rows = [(each.name, each.version, each.build, each.source) for each in packages]
    _write_rows(("Name", "Version", "Build", "Source"), rows)


def _answer(
    invocation: Invocation,
    package: str,
    *,
    inverted: bool,
    name: str | None,
    prefix: Path | None,
    as_tree: bool,
    recursive: bool,
    local: bool | None,
    sources: tuple[str, ...],
    platform: str | None,
    offline: bool,
) -> Tree | tuple[Dependent, ...]:
    from kaa.settings.directories import this_layout

    layout = this_layout()
    depth = None if as_tree or recursive else 1
    if local is True or (local is None and not sources):
        _refuse_sources(sources, platform)
        if local is None and not (name or prefix or os.environ.get("CONDA_PREFIX")):
            raise RequestError(
                "which environment, or which channels?",
                hint="add -n NAME, or -c CHANNEL; --remote asks the channels of the settings",
            )
        from kaa.workflows.graph import tree

        where = one_of_or_active(name, prefix)
        return tree(layout, *where, [package], inverted=inverted, depth=depth)
    from kaa.cli.interrupts import run_cancellable
    from kaa.cli.progress import display
    from kaa.workflows.repoquery import depends_remotely, needed_remotely

    options = SolveOptions(sources=sources, platform=platform, offline=offline)
    if inverted and depth is None:
        raise UnsupportedError(
            "who needs whom in whole channels is shown for one level only",
            cause="a channel has to be read once for each package above another",
            hint="leave out -t and -r, or ask an environment: `--local -n NAME`",
        )
    with display(invocation) as progress:
        if inverted:
            return run_cancellable(needed_remotely(package, options, layout, progress))
        return run_cancellable(depends_remotely(package, options, layout, progress, depth=depth))


def _refuse_sources(sources: tuple[str, ...], platform: str | None) -> None:
    if sources or platform:
        raise RequestError(
            "an environment is asked without a channel or a platform",
            hint="leave out -c and --platform, or use --remote",
        )


def _show(
    invocation: Invocation, answer: Tree, *, inverted: bool, as_tree: bool, **_others: Any
) -> None:
    if invocation.json:
        write_json({"success": True, "inverted": inverted, **answer.as_dict()})
    elif as_tree:
        from kaa.cli.tree import write_tree

        write_tree(answer, inverted=inverted)
    else:
        _write_branches(answer, inverted=inverted)


def _write_branches(answer: Tree, *, inverted: bool) -> None:
    """Write each package below the root once, in order of name, and what is said of it first."""
    from kaa.cli.tree import PRESENCE
    from kaa.cli.why import edge_text, title

    [root] = answer.roots
    write_line(title(root.node))
    found: dict[str, tuple[Branch, Link]] = {}
    for branch in _below(root.branches):
        if branch.link is not None:
            found.setdefault(branch.node.name, (branch, branch.link))
    rows = []
    for name in sorted(found):
        branch, link = found[name]
        node = branch.node
        about = node.source or PRESENCE[node.presence].strip("()")
        rows.append((node.name, node.version, node.build, about, edge_text(link.dependency)))
    if rows:
        demand = f"Needs {root.node.name}" if inverted else "Needed"
        _write_rows(("Name", "Version", "Build", "Source", demand), rows)
    else:
        write_line("nothing needs it" if inverted else "it needs nothing")


def _below(branches: Iterable[Branch]) -> Iterator[Branch]:
    level = list(branches)
    while level:  # level by level: what is nearest to the root says it first
        yield from level
        level = [below for branch in level for below in branch.branches]


def _show_dependents(invocation: Invocation, dependents: tuple[Dependent, ...]) -> None:
    if invocation.json:
        write_json({"success": True, "dependents": [each.as_dict() for each in dependents]})
        return
    needing = {"depends", "extra_depends"}
    shown = [each for each in dependents if invocation.verbosity or each.kind in needing]
    if not shown:
        write_line("Nothing needs it.")
        return
    rows = [
        (
            each.name,
            each.version,
            str(each.builds),
            each.dependency + _kind(each),
            each.source,
        )
        for each in shown
    ]
    _write_rows(("Name", "Version", "Builds", "Needs", "Source"), rows)
    if len(shown) < len(dependents):
        write_note(f"note: {len(dependents) - len(shown)} more constrain or export it (-v)")


def _kind(dependent: Dependent) -> str:
    if dependent.kind == "extra_depends":
        return f" [{dependent.extra}]"
    return "" if dependent.kind == "depends" else f" ({dependent.kind.replace('_', ' ')})"


def _write_rows(header: tuple[str, ...], rows: Iterable[tuple[str, ...]]) -> None:
    write_table(header, [[printable(cell) for cell in row] for row in rows])
