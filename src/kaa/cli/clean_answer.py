"""The plan of ``kaa clean`` as a table, and its answer in conda's and kaa's own fields."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import click

from kaa.cli.size import size_text
from kaa.cli.text import aligned, printable, write_json, write_line
from kaa.model.cleaning import Kind

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

    from kaa.model.cleaning import Cleaned, CleanPlan, Item
    from kaa.store.layout import Layout

_NUMBERS = frozenset({1, 2})


def show_plan(plan: CleanPlan, *, verbose: bool) -> None:
    """Write what is going to go, by kind; with ``verbose`` each thing."""
    if not plan.items:
        write_line("There is nothing to remove.")
        return
    rows = [
        (kind.value, str(len(items)), size_text(sum(item.size for item in items)), _sample(items))
        for kind in Kind
        if (items := [item for item in plan.items if item.kind is kind])
    ]
    head, *body = aligned([("To be removed", "Number", "Frees", ""), *rows], _NUMBERS)
    write_line(click.style(head, bold=True))
    for line in body:
        write_line(printable(line))
    if verbose:
        write_line()
        cells = [
            (item.kind.value, item.name, size_text(item.size), item.why, str(item.path))
            for item in plan.items
        ]
        for line in aligned(cells, frozenset({2})):
            write_line(printable(line))
    write_line()
    write_line(f"Together {size_text(plan.size)}.")


def _sample(items: Sequence[Item], most: int = 3) -> str:
    """Return the names of those that free most, and how many there are besides."""
    largest = sorted(items, key=lambda item: (-item.size, item.name))
    names = ", ".join(item.name for item in largest[:most])
    return f"{names}, {len(items) - most} more" if len(items) > most else names


def write_answer(
    plan: CleanPlan,
    done: Cleaned | None,
    notes: Sequence[str],
    layout: Layout,
    flags: Mapping[str, bool],
    *,
    dry_run: bool,
) -> None:
    """Write the answer of ``--json``: conda's fields for what conda has, and kaa's own."""
    answer: dict[str, Any] = {
        "success": True,
        "dry_run": dry_run,
        "items": [item.as_dict() for item in plan.items],
        "size": plan.size,
        "notes": [*notes, *(done.notes if done else ())],
        "removed": [item.as_dict() for item in done.items] if done else [],
        "freed": done.freed if done else 0,
        "packages": _as_conda(plan, Kind.PACKAGE, layout.packages),
        "tarballs": _as_conda(plan, Kind.UNFINISHED, layout.metadata / "archives"),
        "index_cache": {"files": _paths(plan, Kind.INDEX)},
        "tempfiles": _paths(plan, Kind.UNFINISHED),
    }
    if flags["logfiles"] or flags["everything"]:
        answer["logfiles"] = []
    write_json(answer)


def _paths(plan: CleanPlan, kind: Kind) -> list[str]:
    return [str(item.path) for item in plan.items if item.kind is kind]


def _as_conda(plan: CleanPlan, kind: Kind, directory: Path) -> dict[str, Any]:
    """Return the fields that ``conda clean --json`` has for packages and archives."""
    items = [item for item in plan.items if item.kind is kind and directory in item.path.parents]
    if not items:
        return {"pkgs_dirs": {}, "pkg_sizes": {}, "total_size": 0, "warnings": []}
    return {
        "pkgs_dirs": {str(directory): [item.path.name for item in items]},
        "pkg_sizes": {str(directory): {item.path.name: item.size for item in items}},
        "total_size": sum(item.size for item in items),
        "warnings": [],
    }
