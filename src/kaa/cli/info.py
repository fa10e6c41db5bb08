"""``kaa info``."""

from __future__ import annotations

import os
import platform
import sys
from typing import TYPE_CHECKING

import click

from kaa import __version__
from kaa.cli.conda_flags import TELLING, conda_flags
from kaa.cli.options import (
    environment_options,
    json_option,
    one_of,
    pass_invocation,
    verbose_option,
)
from kaa.cli.text import aligned, printable, write_json, write_line

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path

    from kaa.cli.invocation import Invocation
    from kaa.model.environment import EnvironmentInfo
    from kaa.store.layout import Layout


@click.command(short_help="Show kaa's settings, or all about one environment.")
@environment_options
@click.option("-e", "--envs", is_flag=True, help="List the environments, as `kaa env list` does.")
@click.option("--base", is_flag=True, help="Print where kaa itself is installed.")
@click.option("-a", "--all", "-s", "--system", "everything", is_flag=True, hidden=True)
@conda_flags(TELLING)
@json_option
@verbose_option
@pass_invocation
@click.pass_context
def info(
    context: click.Context,
    invocation: Invocation,
    name: str | None,
    prefix: Path | None,
    envs: bool,
    base: bool,
    everything: bool,
) -> None:
    """Show everything about one environment; without -n and -p, about kaa and this machine.

    With --json, what `conda info --json` has of this is called the same.
    """
    if base:
        if invocation.json:
            write_json({"root_prefix": sys.prefix})
        else:
            write_line(sys.prefix)
        return
    if envs:
        from kaa.cli.env_list import list_environments as command

        context.invoke(command)
        return
    from kaa.settings.directories import this_layout
    from kaa.workflows.inspect import environment_info, foreign_packages

    layout = this_layout()
    if name is None and prefix is None:
        about = about_kaa(layout)
        if invocation.json:
            write_json({"success": True, **about, **in_condas_words(layout)})
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
    from kaa.settings.channels import configured_channels
    from kaa.workflows.inspect import environment_prefixes

    return {
        "version": __version__,
        "root": str(layout.root),
        "environments": len(environment_prefixes(layout)),
        "active": os.environ.get("CONDA_PREFIX"),
        "sources": _redacted(configured_channels(os.environ)),
        "platform": f"{platform.system()} {platform.machine()}",
        "python": f"{platform.python_version()} at {sys.executable}",
    }


def in_condas_words(layout: Layout) -> dict[str, object]:
    """Return the fields of `conda info --json`, as far as kaa has such a thing."""
    from kaa.settings.configuration import load_configuration
    from kaa.settings.search import find_condarc, find_own, user_file
    from kaa.sources.target import host_subdir
    from kaa.sources.virtual_packages import virtual_packages
    from kaa.workflows.inspect import environment_prefixes

    configuration = load_configuration(os.environ)
    active = os.environ.get("CONDA_PREFIX")
    subdir = configuration.subdir or host_subdir()
    virtual = [text.split("=") for text in virtual_packages(subdir)]
    files = [*find_own(os.environ), *find_condarc(os.environ)]
    return {
        "active_prefix": active,
        "active_prefix_name": os.environ.get("CONDA_DEFAULT_ENV"),
        "channels": _redacted(configuration.channels),
        "config_files": [str(file) for file in files],
        "conda_version": __version__,
        "default_prefix": active or sys.prefix,
        "envs": [str(prefix) for prefix in environment_prefixes(layout)],
        "envs_dirs": [str(directory) for directory in layout.all_environments],
        "offline": configuration.offline,
        "pkgs_dirs": [str(directory) for directory in layout.all_packages],
        "platform": subdir,
        "python_version": platform.python_version(),
        "rc_path": str(user_file(os.environ)),
        "root_prefix": sys.prefix,
        "root_writable": os.access(sys.prefix, os.W_OK),
        "sys.executable": sys.executable,
        "sys.prefix": sys.prefix,
        "sys.version": sys.version,
        "virtual_pkgs": [[*parts, "0"][:3] for parts in virtual],
    }


def _redacted(sources: Iterable[str]) -> list[str]:
    """Return sources fit to be shown; only URLs have anything to hide, and most are names."""
    sources = list(sources)
    if not any("://" in source for source in sources):
        return sources
    from kaa.network.locations import redact

    return [redact(source) for source in sources]


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
