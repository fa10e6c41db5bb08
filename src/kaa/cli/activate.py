"""``kaa activate`` and ``kaa deactivate`` where no hook asks for them (:mod:`kaa.cli.hooked` is for
that): help, and what to type instead.
"""

from __future__ import annotations

import click

from kaa.cli.hooked import answer_hook
from kaa.cli.options import complete_names, verbose_option
from kaa.model.errors import RequestError

_EXAMPLES = """\b
Examples:
  kaa activate demo
  kaa activate ./.venv
  kaa activate --stack tools
"""
_shell_option = click.option(
    "--shell", metavar="SHELL", help="Print the lines for this shell to evaluate."
)


@click.command(short_help="Activate an environment in this shell.", epilog=_EXAMPLES)
@click.argument(
    "environment", metavar="[NAME|PREFIX]", required=False, shell_complete=complete_names
)
@click.option("--stack/--no-stack", default=None, help="Keep the active one on PATH, behind it.")
@_shell_option
@verbose_option
def activate(environment: str | None, stack: bool | None, shell: str | None) -> None:
    """Make an environment the active one of this shell: its programs, variables and prompt.

    NAME is one of any program's environments, PREFIX a path with a separator in it. The one that
    was active is returned to by `kaa deactivate`. The shell needs kaa's hook: `kaa init`.
    """
    if shell is not None:
        stacking = [] if stack is None else ["--stack" if stack else "--no-stack"]
        named = [] if environment is None else [environment]
        answer_hook(["activate", "--shell", shell, *stacking, *named])
        return
    raise _no_hook("activate", environment)


@click.command(short_help="Return to what was before activate.")
@_shell_option
@verbose_option
def deactivate(shell: str | None) -> None:
    """Leave the active environment: everything in this shell is what it was before."""
    if shell is not None:
        answer_hook(["deactivate", "--shell", shell])
        return
    raise _no_hook("deactivate", None)


def _no_hook(command: str, environment: str | None) -> RequestError:
    from kaa.shells.parent import this_shell

    shell = this_shell()
    now = {
        "fish": "kaa hook fish | source",
        "powershell": "kaa hook powershell | Out-String | Invoke-Expression",
        "xonsh": "execx($(kaa hook xonsh))",
    }.get(shell, f'eval "$(kaa hook {shell})"')
    lines = [f"`kaa init {shell}`, once, and open a new shell"]
    if shell not in ("nushell", "cmd"):
        lines.append(f"`{now}`, for this shell only")
    if command == "activate":
        named = f" -n {environment}" if environment and "/" not in environment else " -n NAME"
        lines.append(f"`kaa shell{named}`, for a new shell in the environment")
    error = RequestError(
        f"this shell has no hook yet through which kaa could {command} anything",
        cause="a program cannot change the shell that it was started by",
        hint="\nor ".join(lines),
    )
    error.exit_code = 1
    return error
