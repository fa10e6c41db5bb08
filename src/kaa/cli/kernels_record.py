"""``kaa kernels record``."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from kaa.cli.options import changing_options, environment_options, one_of_or_active
from kaa.cli.text import printable, write_json, write_line

if TYPE_CHECKING:
    from kaa.cli.invocation import Invocation

_EXAMPLES = """\b
Examples:
  kaa kernels record report.ipynb -n forecast
  kaa kernels record notebooks/*.ipynb -n forecast -y
"""


@click.command(short_help="Write into notebooks what they need.", epilog=_EXAMPLES)
@click.argument(
    "notebooks", metavar="NOTEBOOK...", nargs=-1, required=True, type=click.Path(path_type=Path)
)
@environment_options
@changing_options
def record(
    invocation: Invocation,
    /,
    notebooks: tuple[Path, ...],
    name: str | None,
    prefix: Path | None,
) -> None:
    """Write into each NOTEBOOK what the environment was asked for, as `metadata.kaa.requirements`.

    Another machine with kaa then opens it with an environment that has all of that, whatever it is
    called there. Nothing else in the files changes.
    """
    from kaa.cli.question import confirm, require_answer
    from kaa.settings.directories import this_layout
    from kaa.workflows import kernel_record as workflow

    require_answer(invocation)
    name, prefix = one_of_or_active(name, prefix)
    recording = workflow.plan_recording(notebooks, this_layout(), name, prefix)
    if invocation.speaks:
        needs = ", ".join(recording.requirements)
        for notebook in recording.notebooks:
            write_line(printable(f"{notebook} needs {needs} (as {recording.environment} has it)"))
    if not invocation.dry_run:
        count = len(recording.notebooks)
        confirm(invocation, f"Write into {count} notebook{'' if count == 1 else 's'}")
        workflow.record(recording)
    if invocation.json:
        write_json({"success": True, "dry_run": invocation.dry_run, **recording.as_dict()})
    elif invocation.speaks and invocation.dry_run:
        write_line("Dry run: nothing was changed.")
