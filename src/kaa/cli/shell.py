"""``kaa shell``."""

from __future__ import annotations

import os
from pathlib import Path

import click

from kaa.cli.options import complete_names, environment_options, verbose_option
from kaa.model.errors import RequestError

_EXAMPLES = """\b
Examples:
  kaa shell -n demo
  kaa shell ./.venv
  kaa shell -n demo --shell zsh
"""


@click.command(short_help="Start a shell in an environment.", epilog=_EXAMPLES)
@click.argument(
    "environment", metavar="[NAME|PREFIX]", required=False, shell_complete=complete_names
)
@environment_options
@click.option("--shell", "program", metavar="SHELL", help="This one, instead of your own.")
@verbose_option
@click.pass_context
def shell(
    context: click.Context,
    environment: str | None,
    name: str | None,
    prefix: Path | None,
    program: str | None,
) -> None:
    """Start your shell with an environment active in it; `exit` returns to this one.

    It reads its own start files first, as always. Nothing need be prepared with `kaa init`.
    """
    given = [each for each in (environment, name, prefix) if each is not None]
    if len(given) != 1:
        raise RequestError(
            "one environment at a time" if given else "which environment?",
            hint="say its name: `kaa shell -n NAME`",
        )

    from kaa.cli.shell_names import known_shell
    from kaa.environments.launch import execute
    from kaa.settings.directories import this_layout
    from kaa.shells.parent import this_shell
    from kaa.shells.starting import start
    from kaa.shells.target import find_target

    # A path given with -p is one, also without a separator in it.
    text = str(Path(os.path.abspath(prefix.expanduser()))) if prefix else str(given[0])  # noqa: PTH100
    target = find_target(text, os.environ)
    found = start(
        this_layout(), known_shell(program) if program else this_shell(), target.prefix, os.environ
    )
    context.exit(execute(list(found.arguments), {**os.environ, **found.variables}))
