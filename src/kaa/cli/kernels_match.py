"""``kaa kernels match``."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from kaa.cli.options import changing_options
from kaa.cli.text import printable, write_json, write_line, write_note, write_table
from kaa.model.errors import KernelError

if TYPE_CHECKING:
    from kaa.cli.invocation import Invocation
    from kaa.workflows.kernel_match import Match

_EXAMPLES = """\b
Examples:
  kaa kernels match report.ipynb
  kaa kernels match notebooks/*.ipynb --json
  kaa kernels match report.ipynb --write -y && papermill report.ipynb done.ipynb
"""


@click.command(short_help="Find kernels for notebooks from elsewhere.", epilog=_EXAMPLES)
@click.argument(
    "notebooks",
    metavar="NOTEBOOK...",
    nargs=-1,
    required=True,
    type=click.Path(path_type=Path),
)
@click.option("--write", is_flag=True, help="Write kernelspecs under the names that are wanted.")
@changing_options
def match(invocation: Invocation, /, notebooks: tuple[Path, ...], write: bool) -> None:
    """Say which kernel each NOTEBOOK names, and which environment is the nearest if it is not here.

    That is one which the name means in another spelling, one of the same name, or one that has all
    that the notebook says it needs: in what `kaa kernels record` writes, in a cell (PEP 723), or in
    an environment.yml, requirements.txt, pyproject.toml or pixi.toml beside it. JupyterLab with kaa
    opens notebooks so by itself. With --write, programs that ask nobody (papermill, nbconvert,
    Quarto) find it, too; the kernelspec goes when the environment does. Notebooks are not changed.
    """
    from kaa.cli.question import confirm, require_answer
    from kaa.settings.directories import this_layout
    from kaa.workflows.kernel_match import match_notebooks, to_write, write_matches

    layout = this_layout()
    matches = match_notebooks(notebooks, layout)
    planned = len(to_write(matches)) if write else 0
    if planned:
        require_answer(invocation)
    if invocation.speaks:
        _show(matches)
    if planned and not invocation.dry_run:
        confirm(invocation, f"Write {planned} kernelspec{'' if planned == 1 else 's'}")
        matches = write_matches(matches, layout)
    failed = [each for each in matches if each.problem is not None]
    if invocation.json:
        told = [each.as_dict() for each in matches]
        write_json({"success": not failed, "dry_run": invocation.dry_run, "notebooks": told})
        raise click.exceptions.Exit(KernelError.exit_code if failed else 0)
    if invocation.speaks and invocation.dry_run:
        write_line("Dry run: nothing was changed.")
    elif invocation.speaks and planned:
        for directory in dict.fromkeys(each.written for each in matches if each.written):
            write_line(printable(f"Wrote {directory}"))
    if failed:
        raise KernelError(
            f"{len(failed)} of {len(matches)} notebooks could not be matched",
            cause="; ".join(f"{each.notebook}: {each.problem}" for each in failed),
            hint="the others are as told above" if len(failed) < len(matches) else None,
        )


def _show(matches: tuple[Match, ...]) -> None:
    rows = [_row(each) for each in matches if each.problem is None]
    if rows:
        write_table(["Notebook", "Kernel", "Here", "Nearest", "Because"], rows)
    if any(each.nearest is None and each.wanted and not each.here for each in matches):
        write_note("For the kernels there are: kaa kernels list")


def _row(match: Match) -> list[str]:
    found = match.nearest
    here = "yes" if match.here else "-" if match.wanted is None else "no"
    nearest = "-" if found is None else f"{found.offer.environment.label}"
    reason = found.reason if found is not None else ""
    if match.wanted is None:
        reason = "it names none"
    elif found is None and not match.here:
        reason = "nothing is near"
    cells = [match.notebook, match.name or "-", here, nearest, reason]
    return [printable(cell) for cell in cells]
