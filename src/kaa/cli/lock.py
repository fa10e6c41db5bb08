"""``kaa lock``."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import click

from kaa.cli.export import chosen_format, format_option
from kaa.cli.file_options import file_options
from kaa.cli.options import (
    complete_platforms,
    dry_run_option,
    json_option,
    pass_invocation,
    quiet_option,
    solve_options,
    verbose_option,
)
from kaa.formats.recognition import FileFormat
from kaa.model.errors import RequestError

if TYPE_CHECKING:
    from kaa.cli.invocation import Invocation
    from kaa.model.options import SolveOptions
    from kaa.workflows.lock import Lock, LockRequest

_EXAMPLES = """\b
Examples:
  kaa lock -f environment.yml --platform linux-64 --platform osx-arm64
  kaa lock -f environment.yml -o conda-lock.yml
  kaa lock -c conda-forge -c pypi python=3.12 pandas "pypi::rich>=13" -o demo.lock
"""


@click.command(short_help="Write a lock file for one or more platforms.", epilog=_EXAMPLES)
@click.option(
    "--platform",
    "platforms",
    metavar="SUBDIR",
    multiple=True,
    help="Lock for this platform, such as osx-arm64; may be given several times.",
    shell_complete=complete_platforms,
)
@click.option(
    "-o",
    "--output",
    type=click.Path(dir_okay=False, path_type=Path),
    metavar="FILE",
    default=Path("kaa.lock"),
    show_default=True,
    help="Where the lock file is written.",
)
@format_option
@solve_options(links=False)
@file_options()
@click.argument("specs", metavar="[SPEC...]", nargs=-1)
@dry_run_option
@json_option
@quiet_option
@verbose_option
@pass_invocation
def lock(
    invocation: Invocation,
    file: Path | None,
    platforms: tuple[str, ...],
    output: Path,
    format_: str | None,
    options: SolveOptions,
    specs: tuple[str, ...],
) -> None:
    """Solve for every platform and write what was found into one lock file.

    What is locked is every SPEC and what FILE asks for. The platforms are those of --platform, or
    those that FILE names, or else this machine's. The file has URL and hash of every package, and
    no credentials. Its format is pixi.lock's unless its name or --format says otherwise.
    """
    # Only now, so that a mistake on the command line is told without a wait for imports.
    from kaa.cli.interrupts import run_cancellable
    from kaa.workflows.lock import LockRequest

    kind = chosen_format(format_, output, FileFormat.PIXI_LOCK)
    if not (kind.locked or kind is FileFormat.PYLOCK):
        raise RequestError(
            f"{kind.value} is no format of lock files",
            hint="there are: pixi-lock, conda-lock, explicit, pylock",
        )
    without_python = kind is FileFormat.PYLOCK
    request = LockRequest(specs, file, platforms, options, without_python)
    run_cancellable(_lock(request, output, kind, invocation))


async def _lock(
    request: LockRequest, output: Path, kind: FileFormat, invocation: Invocation
) -> None:
    from kaa.cli.progress import display
    from kaa.cli.text import printable, write_json, write_line, write_note
    from kaa.settings.directories import this_layout
    from kaa.workflows.lock import solve_lock

    with display(invocation) as progress:
        found = await solve_lock(request, this_layout(), progress)
    if not invocation.dry_run:
        made_of = (request.file.name,) if request.file else ()
        lost = found.write(output, kind, made_of)
        found = replace(found, remarks=(*found.remarks, *lost))
    if invocation.json:
        answer = {"success": True, "dry_run": invocation.dry_run, "file": str(output)}
        write_json({**answer, **found.as_dict()})
        return
    for remark in () if invocation.quiet else found.remarks:
        write_note(printable(f"note: {remark}"))
    if invocation.speaks:
        for line in _platform_lines(found):
            write_line(printable(line))
        said = "Dry run: nothing was changed." if invocation.dry_run else f"Wrote {output}."
        write_line(printable(said))


def _platform_lines(found: Lock) -> list[str]:
    from rich.filesize import decimal

    from kaa.cli.text import aligned

    header = ("Platform", "Python", "conda", "PyPI", "Size")
    rows = [
        (each.platform, each.python or "-", str(each.conda), str(each.pypi), decimal(each.size))
        for each in found.summaries
    ]
    return aligned([header, *rows], right=frozenset({2, 3, 4}))
