"""``kaa hook``."""

from __future__ import annotations

import sys

import click

from kaa.cli.shell_names import shell_argument

_HOW = """\b
For one shell, without `kaa init`:
  bash, zsh   eval "$(kaa hook bash)"
  fish        kaa hook fish | source
  powershell  kaa hook powershell | Out-String | Invoke-Expression
  xonsh       execx($(kaa hook xonsh))
"""


@click.command(short_help="Print a shell's hook, for activate.", epilog=_HOW)
@shell_argument("shell", required=False)
def hook(shell: str | None) -> None:
    """Print the function `kaa` for SHELL, by default for the shell that this is typed in.

    It has `kaa activate` and `kaa deactivate` change the shell, and runs kaa for everything else.
    """
    from kaa.shells.hooking import hook_text
    from kaa.shells.parent import this_shell

    sys.stdout.write(hook_text(shell or this_shell()))
