"""``kaa du``."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from kaa.cli.options import (
    environment_options,
    json_option,
    one_of,
    pass_invocation,
    verbose_option,
)
from kaa.cli.size import size_text
from kaa.cli.text import aligned, printable, write_json, write_line, write_note

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence
    from pathlib import Path

    from kaa.cli.invocation import Invocation
    from kaa.model.disk_use import DiskUse, Shared, Use

_EXAMPLES = """\b
Examples:
  kaa du
  kaa du -n demo
  kaa du --json
"""
_SIZES = frozenset({1, 2, 3, 4, 5})
"""The columns with numbers in them."""


@click.command(short_help="Show what takes space on the disk, and who shares it.", epilog=_EXAMPLES)
@environment_options
@json_option
@verbose_option
@pass_invocation
def du(invocation: Invocation, name: str | None, prefix: Path | None) -> None:
    """Show what environments and caches really take, and what would be freed without them.

    Files that are in several places at once (hard links) count once. `Frees` is what would be
    freed if the environment went, with all its generations; the rest of its size is shared: with
    a package cache, or else with other environments, or with what kaa does not know.
    Environments of other programs (`kaa kernels list` shows whose) and caches of conda and mamba
    are looked at, too. With -n or -p: the generations of one environment.
    """
    from kaa.cli.progress import display
    from kaa.settings.directories import this_layout
    from kaa.workflows.disk import all_disk_use, environment_disk_use

    layout = this_layout()
    if name is None and prefix is None:
        with display(invocation) as progress:
            everything = all_disk_use(layout, progress)
        if invocation.json:
            write_json({"success": True, **everything.as_dict()})
        else:
            _show_all(everything, verbose=invocation.verbosity > 0)
        return
    name, prefix = one_of(name, prefix)
    with display(invocation) as progress:
        use = environment_disk_use(layout, name, prefix, progress)
    if invocation.json:
        write_json({"success": True, "use": use.as_dict()})
    else:
        _show_one(use)


def _show_all(everything: DiskUse, *, verbose: bool) -> None:
    environments = [use for use in everything.uses if use.holder.is_environment]
    others = [use for use in everything.uses if not use.holder.is_environment]
    if environments:
        _write(
            ("Environment", "Generations", "Files", "Size", "Frees", "Shared", "Path"),
            [(_name(use), _count(use), *_row(use), str(use.path)) for use in environments],
        )
        write_line()
    _write(
        ("Besides", "", "Files", "Size", "Frees", "Shared", "Path"),
        [(use.name, "", *_row(use), str(use.path)) for use in others if use.space.size or verbose],
    )
    write_line()
    write_line(f"Together {size_text(everything.total)}.")
    if everything.unreadable:
        write_note(f"{everything.unreadable} directories could not be read, and are not counted.")
    old = sum(use.old for use in environments)
    if old:
        write_line(f"Old generations take {size_text(old)} of it: kaa clean --generations")


def _show_one(use: Use) -> None:
    space = use.space
    rows = [
        ("Environment", use.name),
        ("Path", str(use.path)),
        ("Files", str(space.files)),
        ("Length", size_text(space.apparent)),
        ("Size", size_text(space.size)),
        ("Frees", f"{size_text(space.freed)} if it is removed"),
        ("Shared", _shared(space.shared)),
    ]
    for line in aligned([row for row in rows if row[1]]):
        write_line(printable(line))
    if not use.generations:
        return
    write_line()
    _write(
        ("Generation", "Files", "Size", "Frees", "Shared", ""),
        [
            (
                f"{each.number}{' (current)' if each.current else ''}",
                str(each.space.files),
                *map(size_text, (each.space.size, each.space.freed, each.space.shared.all)),
                _shared(each.space.shared),
            )
            for each in use.generations
        ],
    )
    if use.old:
        write_line()
        write_line(f"Without its old generations {size_text(use.old)} would be freed.")


def _write(header: Sequence[str], rows: Iterable[Sequence[str]]) -> None:
    head, *body = aligned([header, *rows], _SIZES)
    write_line(click.style(head, bold=True))
    for line in body:
        write_line(printable(line))


def _name(use: Use) -> str:
    from kaa.model.disk_use import Holder

    what = {
        Holder.OVERLAY: " (kernel overlay)",
        Holder.ORPHAN: " (its link is gone)",
        Holder.FOREIGN_ENVIRONMENT: f" ({use.maker or 'another program'})",
    }
    return use.name + what.get(use.holder, "")


def _count(use: Use) -> str:
    return str(len(use.generations)) if use.generations else "-"


def _row(use: Use) -> tuple[str, ...]:
    space = use.space
    return (
        str(space.files),
        size_text(space.size),
        size_text(space.freed),
        size_text(space.shared.all),
    )


def _shared(shared: Shared) -> str:
    parts = (
        (shared.packages, "with a package cache"),
        (shared.environments, "with other environments"),
        (shared.generations, "with its other generations"),
        (shared.elsewhere, "with files elsewhere"),
    )
    return ", ".join(f"{size_text(size)} {whom}" for size, whom in parts if size)
