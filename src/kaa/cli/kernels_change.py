"""``kaa kernels change``."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from kaa.cli.options import changing_options
from kaa.cli.text import aligned, printable, write_json, write_line, write_note
from kaa.model.errors import RequestError

if TYPE_CHECKING:
    from click.shell_completion import CompletionItem

    from kaa.cli.invocation import Invocation
    from kaa.workflows.kernel_settings import KernelChange, KernelSettings

_EXAMPLES = """\b
Examples:
  kaa kernels change forecast --alias "Forecast (weekly)" --pin
  kaa kernels change ~/projects/shop/.venv --hide
  kaa kernels change "work (miniforge3)" --icon ~/pictures/work.png
  kaa kernels change forecast --no-alias --unpin --show --no-icon
  kaa kernels change forecast            # what is set for it
"""


def _complete(
    _context: click.Context, _parameter: click.Parameter, incomplete: str
) -> list[CompletionItem[str]]:
    from kaa.cli.completion import discovered_names

    return discovered_names(incomplete)


@click.command(short_help="Name, hide, pin or picture a kernel.", epilog=_EXAMPLES)
@click.argument("environment", shell_complete=_complete)
@click.option("--alias", metavar="NAME", help="What launchers show.")
@click.option("--no-alias", is_flag=True, help="Show the usual name again.")
@click.option("--hide/--show", "hidden", default=None, help="Leave its kernels out, or do not.")
@click.option("--pin/--unpin", "pinned", default=None, help="List its kernels first, or do not.")
@click.option(
    "--icon",
    metavar="PATH",
    type=click.Path(),
    help="A picture (.png, .svg), or a directory with logo-64x64.png and its like.",
)
@click.option("--no-icon", is_flag=True, help="Show the usual logo again.")
@changing_options
def change(
    invocation: Invocation,
    /,
    environment: str,
    alias: str | None,
    no_alias: bool,
    hidden: bool | None,
    pinned: bool | None,
    icon: str | None,
    no_icon: bool,
) -> None:
    """Set how the kernels of ENVIRONMENT are listed, whoever made it, here and in every Jupyter.

    ENVIRONMENT is a name as `kaa kernels list` has it, or a path. It is written into your own
    configuration file, the rest of which stays as it is, and kernelspecs on disk follow at once.
    Without options, what is set is shown.
    """
    from kaa.settings.directories import this_layout
    from kaa.workflows import kernel_settings as workflow

    wanted = workflow.KernelChange(
        alias=_one_of("alias", alias, no_alias),
        icon=_one_of("icon", icon, no_icon),
        hidden=hidden,
        pinned=pinned,
    )
    layout = this_layout()
    if wanted.is_empty:
        found = workflow.kernel_settings(layout, environment)
    else:
        found = workflow.change_kernel(layout, environment, wanted, dry_run=invocation.dry_run)
    if invocation.json:
        write_json({"success": True, "dry_run": invocation.dry_run, **found.as_dict()})
        return
    for note in found.notes:
        write_note(printable(f"note: {note}"))
    if not invocation.speaks:
        return
    if wanted.is_empty:
        _show(found)
        return
    label = found.environment.label
    for line in _told(wanted):
        write_line(printable(f"{label}: {line}"))
    if invocation.dry_run:
        write_line("Dry run: nothing was changed.")
    else:
        write_line(printable(f"Written to {found.file}."))


def _one_of(name: str, given: str | None, none: bool) -> str | None:
    if given is not None and none:
        raise RequestError(f"--{name} and --no-{name} contradict each other", hint="give one")
    if given is not None and not given.strip():
        raise RequestError(f"--{name} is empty", hint=f"give --no-{name} to take it away")
    return "" if none else given


def _told(wanted: KernelChange) -> list[str]:
    lines = []
    if wanted.alias is not None:
        lines.append(f"shown as {wanted.alias!r}" if wanted.alias else "shown under its usual name")
    if wanted.hidden is not None:
        lines.append("hidden" if wanted.hidden else "shown")
    if wanted.pinned is not None:
        lines.append("listed first" if wanted.pinned else "listed in the order of names")
    if wanted.icon is not None:
        lines.append(f"with the picture {wanted.icon}" if wanted.icon else "with its usual logo")
    return lines


def _show(found: KernelSettings) -> None:
    rows = [
        ("environment", found.environment.label),
        ("prefix", found.environment.prefix),
        ("alias", found.alias or "-"),
        ("pinned", "yes" if found.pinned else "no"),
        ("hidden", f"yes, by {found.left_out}" if found.left_out else "no"),
        ("icon", found.icon or "-"),
        ("file", str(found.file)),
    ]
    for line in aligned(rows):
        write_line(printable(line))
