"""``kaa env list``."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

import click

from kaa.cli.options import json_option, pass_invocation, verbose_option
from kaa.cli.text import printable, write_json, write_line, write_table

if TYPE_CHECKING:
    from kaa.cli.invocation import Invocation
    from kaa.model.environment import EnvironmentInfo


@click.command("list", short_help="List the environments.")
@json_option
@verbose_option
@pass_invocation
def list_environments(invocation: Invocation) -> None:
    """List the environments, with their Python and where they are; * marks the active one."""
    from kaa.settings.directories import this_layout
    from kaa.workflows import inspect

    environments = inspect.list_environments(this_layout())
    if invocation.json:
        write_json(
            {
                "success": True,
                "envs": [str(each.prefix) for each in environments],
                "environments": [each.as_dict() for each in environments],
            }
        )
        return
    if not environments:
        write_line("No environments yet. To create one: kaa create -n demo -c pypi python")
        return
    write_table(("  Name", "Python", "Packages", "Prefix"), [_row(each) for each in environments])


def _row(environment: EnvironmentInfo) -> list[str]:
    active = os.environ.get("CONDA_PREFIX")
    where = str(environment.prefix)
    cells = [
        ("* " if where == active else "  ") + environment.name,
        environment.python or "-",
        str(environment.packages),
        where + (f"  ({environment.problem})" if environment.problem else ""),
    ]
    return [printable(cell) for cell in cells]
