"""``kaa info``."""

from __future__ import annotations

import os
import platform
import sys
from typing import TYPE_CHECKING

import click

from kaa import __version__
from kaa.cli.options import (
    environment_options,
    json_option,
    one_of,
    pass_invocation,
    verbose_option,
)
from kaa.cli.text import aligned, printable, write_json, write_line

if TYPE_CHECKING:
    from pathlib import Path

    from kaa.cli.invocation import Invocation
    from kaa.model.environment import EnvironmentInfo
    from kaa.store.layout import Layout


@click.command(short_help="Show kaa's settings, or all about one environment.")
@environment_options
@json_option
@verbose_option
@pass_invocation
def info(invocation: Invocation, name: str | None, prefix: Path | None) -> None:
    """Show everything about one environment; without -n and -p, about kaa and this machine."""
    from kaa.settings.directories import this_layout
    from kaa.workflows.inspect import environment_info, foreign_packages

    layout = this_layout()
    if name is None and prefix is None:
        about = about_kaa(layout)
        if invocation.json:
            write_json({"success": True, **about})
        else:
            _write(about)
        return
    environment = environment_info(layout, *one_of(name, prefix))
    foreign = foreign_packages(environment.generation_prefix)
    if invocation.json:
        told = {**environment.as_dict(), "foreign": [package.as_dict() for package in foreign]}
        write_json({"success": True, "environment": told})
        return
    about = about_environment(environment)
    if foreign:
        about["by hand"] = [f"{each.name} {each.version} ({each.source})" for each in foreign]
    _write(about)


def about_kaa(layout: Layout) -> dict[str, object]:
    """Return kaa's version and settings, in the fields that ``--json`` prints."""
    from kaa.network.locations import redact
    from kaa.settings.configuration import load_configuration
    from kaa.workflows.inspect import list_environments

    sources = load_configuration(os.environ).channels
    return {
        "version": __version__,
        "root": str(layout.root),
        "environments": len(list_environments(layout)),
        "active": os.environ.get("CONDA_PREFIX"),
        "sources": [redact(source) for source in sources],
        "platform": f"{platform.system()} {platform.machine()}",
        "python": f"{platform.python_version()} at {sys.executable}",
    }


def about_environment(environment: EnvironmentInfo) -> dict[str, object]:
    """Return an environment's fields, those that it has."""
    manifest = environment.manifest
    about = environment.as_dict() | {"command": manifest.command if manifest else None}
    return {key: value for key, value in about.items() if value not in (None, [])}


def _write(about: dict[str, object]) -> None:
    rows = [
        (key.replace("_", " "), ", ".join(value) if isinstance(value, list) else str(value))
        for key, value in about.items()
        if value is not None
    ]
    for line in aligned(rows):
        write_line(printable(line))
