"""``kaa init`` and ``kaa deinit``."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from kaa.cli.options import changing_options
from kaa.cli.shell_names import shell_argument
from kaa.model.errors import RequestError, UnsupportedError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from kaa.cli.invocation import Invocation
    from kaa.shells.initialising import Edit

_EXAMPLES = """\b
Examples:
  kaa init                   the shell that this is typed in
  kaa init bash zsh fish
  kaa init --all --dry-run   what would change in all shells of this machine
  kaa init --reverse         takes it out again, as `kaa deinit` does
"""


@click.command(name="init", short_help="Prepare shells for activate.", epilog=_EXAMPLES)
@shell_argument("shells", nargs=-1)
@click.option(
    "-a", "--all", "everything", is_flag=True, help="All shells that are on this machine."
)
@click.option("--reverse", is_flag=True, help="Take out what `kaa init` has put in.")
@click.option("--user", is_flag=True, help="For this user, as always.")
@click.option("--system", is_flag=True, hidden=True)
@changing_options
def initialise(
    invocation: Invocation,
    shells: tuple[str, ...],
    everything: bool,
    reverse: bool,
    user: bool,
    system: bool,
) -> None:
    """Let each SHELL read kaa's hook at its start, by default the shell that this is typed in.

    A marked block of lines goes into the shell's own start file. It reads a file and runs no
    program. A block that is there already is replaced.
    """
    if system:
        raise UnsupportedError(
            "kaa changes no start files of the system",
            hint="read the hook in a file of /etc/profile.d: `kaa hook bash` prints it",
        )
    if reverse:
        _change(invocation, shells, reverse=True)
        return
    _change(invocation, _chosen(shells, everything), reverse=False)


@click.command(short_help="Take kaa out of shells again.")
@shell_argument("shells", nargs=-1)
@click.option("-a", "--all", "everything", is_flag=True, help="All shells, as without any.")
@changing_options
def deinit(invocation: Invocation, shells: tuple[str, ...], everything: bool) -> None:
    """Take out of the start files of SHELLs, by default of all, what `kaa init` has put in.

    They are then what they were before, byte for byte.
    """
    _change(invocation, shells, reverse=True)


def _chosen(shells: tuple[str, ...], everything: bool) -> Sequence[str]:
    import os
    import shutil

    from kaa.shells.parent import this_shell
    from kaa.shells.start_files import INITIALISED, PROGRAMS

    if everything and shells:
        raise RequestError("--all and names of shells", hint="give one of them")
    if everything:
        return [
            shell
            for shell in INITIALISED
            if (shell != "cmd" or os.name == "nt")
            and any(shutil.which(program) for program in PROGRAMS.get(shell, (shell,)))
        ]
    return shells or (this_shell(),)


def _change(invocation: Invocation, shells: Sequence[str], *, reverse: bool) -> None:
    from kaa.cli.question import confirm, require_answer
    from kaa.settings.directories import this_layout
    from kaa.shells.autorun import this_registry
    from kaa.shells.initialising import apply, plan_deinit, plan_init
    from kaa.shells.start_files import INITIALISED, this_home

    if "sh" in shells:
        raise UnsupportedError(
            "plain POSIX shells have no start file that all of them read",
            hint='write into one that yours reads: eval "$(kaa hook sh)"',
        )
    registry, layout, home = this_registry(), this_layout(), this_home()
    if reverse:
        edits = plan_deinit(layout, shells or INITIALISED, home, registry)
    else:
        edits = plan_init(layout, shells, home, registry)
    changing = [edit for edit in edits if edit.action != "none"]
    if changing:
        require_answer(invocation)
    if invocation.speaks:
        _show(edits, changing)
    if changing and not invocation.dry_run:
        confirm(invocation, f"Change {', '.join(edit.place for edit in changing)}")
        apply(changing, registry)
    _answer(invocation, edits, changing, reverse)


def _show(edits: Sequence[Edit], changing: Sequence[Edit]) -> None:
    from kaa.cli.text import printable, write_line

    verbs = {"create": "To be written", "change": "To be changed", "remove": "To be removed"}
    for edit in changing:
        write_line(f"{verbs[edit.action]}: {printable(edit.place)}")
        if not edit.own:  # a hook is long, and nobody's but kaa's
            for line in edit.diff().splitlines()[2:]:
                write_line(f"  {printable(line)}")
    if not changing:
        write_line("There is nothing to change." if edits else "kaa is in no start file.")


def _answer(
    invocation: Invocation, edits: Sequence[Edit], changing: Sequence[Edit], reverse: bool
) -> None:
    from kaa.cli.text import write_json, write_line

    if invocation.json:
        changes = [
            {
                "shell": edit.shell,
                "path": edit.place,
                "action": edit.action,
                "diff": edit.diff(),
            }
            for edit in edits
        ]
        write_json({"success": True, "dry_run": invocation.dry_run, "changes": changes})
    elif invocation.speaks and changing:
        done = (
            "Done. Shells that are open keep kaa's function until they are closed."
            if reverse
            else "Done. It counts for shells that are opened from now on; try `kaa activate`."
        )
        write_line("Dry run: nothing was changed." if invocation.dry_run else done)
