"""``kaa env config vars``: variables that are set wherever an environment is active."""

from __future__ import annotations

import functools
from typing import TYPE_CHECKING

import click

from kaa.cli.options import (
    changing_options,
    environment_options,
    json_option,
    one_of_or_active,
    pass_invocation,
)

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from kaa.cli.invocation import Invocation


@click.group()
def config() -> None:
    """Show and change variables of an environment."""


@config.group("vars")
def variables() -> None:
    """Variables that are set wherever an environment is active: list, set, unset."""


@variables.command("list")
@environment_options
@json_option
@pass_invocation
def list_variables(invocation: Invocation, name: str | None, prefix: Path | None) -> None:
    """List the variables, as NAME = value."""
    from kaa.cli.text import printable, write_json, write_line
    from kaa.settings.directories import this_layout
    from kaa.workflows.variables import variables_of

    name, prefix = one_of_or_active(name, prefix)
    found = variables_of(this_layout(), name, prefix)
    if invocation.json:
        write_json(dict(found))  # nothing beside them, as conda has it
        return
    for key, value in found.items():
        write_line(printable(f"{key} = {value}"))


@variables.command("set")
@environment_options
@click.argument("assignments", metavar="NAME=VALUE...", nargs=-1, required=True)
@changing_options
def set_variables(
    invocation: Invocation, name: str | None, prefix: Path | None, assignments: tuple[str, ...]
) -> None:
    """Set variables; a value may have blanks, quotes, = and line ends in it."""
    from kaa.workflows.variables import parse_assignments

    _change(invocation, name, prefix, parse_assignments(assignments), ())


@variables.command("unset")
@environment_options
@click.argument("names", metavar="NAME...", nargs=-1, required=True)
@changing_options
def unset_variables(
    invocation: Invocation, name: str | None, prefix: Path | None, names: tuple[str, ...]
) -> None:
    """Set variables no more."""
    _change(invocation, name, prefix, {}, names)


def _change(
    invocation: Invocation,
    name: str | None,
    prefix: Path | None,
    assigned: Mapping[str, str],
    removed: tuple[str, ...],
) -> None:
    name, prefix = one_of_or_active(name, prefix)

    from kaa.cli.change import change_environment
    from kaa.cli.interrupts import run_cancellable
    from kaa.model.options import SolveOptions
    from kaa.workflows.change import ChangeRequest
    from kaa.workflows.variables import prepare_variables

    invocation.yes = True  # conda does not ask either
    options = SolveOptions(offline=True)
    request = ChangeRequest(
        name, prefix, (), invocation.command, options, dry_run=invocation.dry_run
    )
    prepare = functools.partial(prepare_variables, assigned, removed)
    run_cancellable(change_environment(prepare, request, invocation))
