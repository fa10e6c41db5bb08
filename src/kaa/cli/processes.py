"""The processes that a change is going to be noticed by, as text."""

from __future__ import annotations

from typing import TYPE_CHECKING

from kaa.cli.text import aligned, printable
from kaa.model.process import ProcessKind

if TYPE_CHECKING:
    from collections.abc import Sequence

    from kaa.model.process import Process

_SHOWN = 10


def process_lines(processes: Sequence[Process], *, verbose: bool = False) -> list[str]:
    """Return the lines that say who runs in an environment and what they will see of a change.

    Kernels and programs come first; of many, only the first are told unless ``verbose``.
    """
    if not processes:
        return []
    order = [ProcessKind.KERNEL, ProcessKind.PROGRAM, ProcessKind.SHELL]
    ordered = sorted(processes, key=lambda each: (order.index(each.kind), each.pid))
    shown = ordered if verbose else ordered[:_SHOWN]
    rows = [
        [f"{each.kind.value} {each.pid}", printable(each.command), _outlook(each)] for each in shown
    ]
    lines = ["Running in it now:", *(f"  {line}" for line in aligned(rows))]
    if len(shown) < len(ordered):
        lines.append(f"  and {len(ordered) - len(shown)} more, which -v shows")
    return lines


def _outlook(process: Process) -> str:
    """Say what becomes of a process when the environment changes."""
    if process.kind is ProcessKind.SHELL:
        return "what is started in it from now on has the new packages"
    restart = (
        "restart the kernel to use the new packages"
        if process.kind is ProcessKind.KERNEL
        else "restart it to use the new packages"
    )
    if process.generation is None:
        return f"started through the link, it can see new files at once; {restart}"
    return f"keeps generation {process.generation} and all its files; {restart}"
