"""``kaa list``."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from kaa.cli.options import (
    environment_options,
    json_option,
    one_of_or_active,
    pass_invocation,
    verbose_option,
)
from kaa.cli.text import printable, write_json, write_table

if TYPE_CHECKING:
    from pathlib import Path

    from kaa.cli.invocation import Invocation


@click.command("list", short_help="List the packages of an environment.")
@environment_options
@json_option
@verbose_option
@pass_invocation
def list_packages(invocation: Invocation, name: str | None, prefix: Path | None) -> None:
    """List the packages of an environment, in order of name; * marks what was asked for."""
    name, prefix = one_of_or_active(name, prefix)

    from kaa.settings.directories import this_layout
    from kaa.workflows import inspect

    packages = inspect.list_packages(this_layout(), name, prefix)
    if invocation.json:
        write_json({"success": True, "packages": [package.as_dict() for package in packages]})
        return
    header = ["  Name", "Version", "Build", "Source"]
    rows = [
        ["* " * p.requested or "  ", p.name, p.version, p.build, p.source, p.url] for p in packages
    ]
    cells = [[mark + label, *others] for mark, label, *others in rows]
    if invocation.verbosity:
        header.append("URL")
    write_table(header, [[printable(cell) for cell in row[: len(header)]] for row in cells])
