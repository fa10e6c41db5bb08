"""``kaa list``."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

import click

from kaa.cli.conda_flags import LISTING, conda_flags
from kaa.cli.options import (
    environment_options,
    json_option,
    one_of_or_active,
    pass_invocation,
    verbose_option,
)
from kaa.cli.text import aligned, printable, write_json, write_line, write_table
from kaa.model.errors import RequestError

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path

    from kaa.cli.invocation import Invocation
    from kaa.model.package import Package

_EXAMPLES = """\b
Examples:
  kaa list -n demo
  kaa list -n demo "^py"          names in which this is found
  kaa list -n demo -f numpy       this one alone
  kaa list -n demo --size         the largest archives last
  kaa list -n demo --revisions    what it was, as `kaa history`
"""


@click.command("list", short_help="List the packages of an environment.", epilog=_EXAMPLES)
@environment_options
@click.argument("pattern", metavar="[REGEX]", required=False)
@click.option("-f", "--full-name", is_flag=True, help="The package that is called REGEX only.")
@click.option("--no-pip", is_flag=True, help="Without what pip and its like have installed.")
@click.option("--reverse", is_flag=True, help="In reverse order.")
@click.option("--size", is_flag=True, help="With the size of each archive, the largest last.")
@click.option("--show-channel-urls", "urls", is_flag=True, help="With where each is from.")
@click.option("-c", "--canonical", is_flag=True, help="Print name-version-build only.")
@click.option("--explicit", is_flag=True, help="Print URLs, each with its hash (@EXPLICIT).")
@click.option("--md5", "--sha256", "hashes", is_flag=True, hidden=True)
@click.option("-e", "--export", "as_specs", is_flag=True, help="Print name=version=build only.")
@click.option(
    "-r", "--revisions", is_flag=True, help="List what the environment was, as history does."
)
@conda_flags(LISTING)
@json_option
@verbose_option
@pass_invocation
@click.pass_context
def list_packages(
    context: click.Context,
    invocation: Invocation,
    name: str | None,
    prefix: Path | None,
    pattern: str | None,
    full_name: bool,
    no_pip: bool,
    reverse: bool,
    size: bool,
    urls: bool,
    canonical: bool,
    explicit: bool,
    hashes: bool,
    as_specs: bool,
    revisions: bool,
) -> None:
    """List the packages of an environment, in order of name; * marks what was asked for.

    With --json, a list of what conda's `list --json` has of each package, and more.
    """
    if revisions:
        from kaa.cli.history import history

        context.invoke(history, name=name, prefix=prefix)
        return
    if explicit:
        from kaa.cli.export import export

        context.invoke(export, name=name, prefix=prefix, format_="explicit")
        return
    name, prefix = one_of_or_active(name, prefix)

    from kaa.settings.directories import this_layout
    from kaa.workflows import inspect

    packages = inspect.list_packages(this_layout(), name, prefix)
    packages = _chosen(packages, pattern, full_name=full_name, pip=not no_pip)
    if size:
        packages.sort(key=lambda package: package.size or 0)
    if reverse:
        packages.reverse()
    if invocation.json:
        write_json([package.as_conda_dict() for package in packages])
    elif canonical or as_specs:
        for package in packages:
            fields = package.as_conda_dict()
            spec = "{name}={version}={build_string}" if as_specs else "{dist_name}"
            write_line(printable(spec.format(**fields)))
    elif size:
        _write_sizes(packages)
    else:
        _write(packages, urls=urls or invocation.verbosity > 0)


def _chosen(
    packages: Iterable[Package], pattern: str | None, *, full_name: bool, pip: bool
) -> list[Package]:
    kept = [package for package in packages if pip or not package.foreign]
    if pattern is None:
        return kept
    if full_name:
        return [package for package in kept if package.name == pattern]
    try:
        found = re.compile(pattern, re.IGNORECASE)
    except re.error as error:
        raise RequestError(
            f"{pattern!r} is no regular expression",
            cause=str(error),
            hint="for the package of exactly this name: -f",
        ) from None
    return [package for package in kept if found.search(package.name)]


def _write(packages: Iterable[Package], *, urls: bool) -> None:
    header = ["  Name", "Version", "Build", "Source"]
    rows = [
        [("* " if p.requested else "  ") + p.name, p.version, p.build, p.source, p.url]
        for p in packages
    ]
    if urls:
        header.append("URL")
    write_table(header, [[printable(cell) for cell in row[: len(header)]] for row in rows])


def _write_sizes(packages: list[Package]) -> None:
    from rich.filesize import decimal

    rows = [
        (package.name, package.version, "?" if package.size is None else decimal(package.size))
        for package in packages
    ]
    total = decimal(sum(package.size or 0 for package in packages))
    head, *lines = aligned(
        [("Name", "Version", "Size"), *rows, ("all", "", total)], right=frozenset({2})
    )
    write_line(click.style(head, bold=True))
    for line in lines:
        write_line(printable(line))
