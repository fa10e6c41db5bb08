"""``kaa verify``."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from kaa.cli.options import (
    environment_options,
    json_option,
    one_of_or_active,
    pass_invocation,
    quiet_option,
    verbose_option,
)

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path

    from kaa.cli.invocation import Invocation
    from kaa.model.verification import EnvironmentReport, Finding, Verification

_EXAMPLES = """\b
Examples:
  kaa verify -n demo
  kaa verify -p ~/venvs/tools     an environment of another program
  kaa verify --all                all of kaa's, and the whole package cache
"""
_SHOWN = 20


@click.command(short_help="Look for damage in environments and packages.", epilog=_EXAMPLES)
@environment_options
@click.option(
    "--all", "everything", is_flag=True, help="All environments and the whole package cache."
)
@json_option
@quiet_option
@verbose_option
@pass_invocation
def verify(invocation: Invocation, name: str | None, prefix: Path | None, everything: bool) -> None:
    """Compare every file of an environment with the records of its packages.

    The packages in the package cache are compared as well, and what pip or another program has
    installed with its own list of files. Nothing is changed. The exit code is 1 when something is
    damaged: `kaa repair` mends it. Files in etc/, which are yours to edit, and files of nobody's
    are told with -v, and are no damage.
    """
    from kaa.cli.progress import display
    from kaa.cli.text import write_json, write_line
    from kaa.model.errors import RequestError
    from kaa.settings.directories import this_layout
    from kaa.workflows.verify import verify as verify_one
    from kaa.workflows.verify import verify_all

    if everything and (name is not None or prefix is not None):
        raise RequestError("--all names no environment", hint="leave out -n and -p, or --all")
    layout = this_layout()
    with display(invocation) as progress:
        if everything:
            result = verify_all(layout, progress)
        else:
            result = verify_one(layout, *one_of_or_active(name, prefix), progress)
    if invocation.json:
        write_json({"success": True, **result.as_dict()})
    elif invocation.speaks:
        for line in verification_text(result, verbose=invocation.verbosity > 0):
            write_line(line)
    if not result.sound:
        raise click.exceptions.Exit(1)


def verification_text(result: Verification, *, verbose: bool) -> Iterator[str]:
    """Give the lines that say what was found."""
    for report in result.environments:
        yield from _environment_text(report, verbose=verbose)
    if result.damaged:
        total = f"{len(result.damaged)} of {result.entries}"
        yield f"The package cache is damaged: {total} packages"
        findings = [(each.entry, finding) for each in result.damaged for finding in each.findings]
        yield from finding_rows(findings, verbose=verbose)
    elif result.entries:
        yield f"The package cache: {_count(result.entries, 'package')} looked at, sound."
    if not result.sound:
        yield _what_to_do(result)


def _what_to_do(result: Verification) -> str:
    import shlex

    others = [each for each in result.environments if each.damage and each.generation is None]
    if others:
        return "kaa mends what it has made; mend this with the program that made it."
    if len(result.environments) == 1:
        return f"To mend it: kaa repair -p {shlex.quote(str(result.environments[0].prefix))}"
    return "To mend it: kaa repair --all"


def _environment_text(report: EnvironmentReport, *, verbose: bool) -> Iterator[str]:
    from kaa.cli.text import printable

    size = f"{_count(report.packages, 'package')}, {_count(report.files, 'file')}"
    if report.damage:
        yield printable(f"{report.name} is damaged ({size}):")
        findings = [(each.package or "", each) for each in report.damage]
        yield from finding_rows(findings, verbose=verbose)
    else:
        yield printable(f"{report.name}: {size}, sound.")
    if report.distributions:
        names = ", ".join(report.distributions[: None if verbose else 5])
        more = len(report.distributions) - 5
        rest = f" and {more} more" if more > 0 and not verbose else ""
        yield printable(f"  installed by another program (pip?): {names}{rest}")
    if report.notes:
        if verbose:
            yield from finding_rows(
                [(each.package or "", each) for each in report.notes], verbose=True
            )
        else:
            counts: dict[str, int] = {}
            for each in report.notes:
                counts[each.kind.value] = counts.get(each.kind.value, 0) + 1
            said = ", ".join(f"{number} {kind}" for kind, number in counts.items())
            yield f"  no damage, and worth knowing: {said} (-v lists them)"
    if report.unowned.files:
        places = ", ".join(report.unowned.places)
        yield printable(f"  {_count(report.unowned.files, 'file')} of no package, in {places}")


def finding_rows(findings: Sequence[tuple[str, Finding]], *, verbose: bool) -> Iterator[str]:
    """Give a line for each finding: what, whose (the text beside it), where; not too many."""
    from kaa.cli.text import aligned, printable

    shown = findings if verbose else findings[:_SHOWN]
    rows = [
        (each.kind.value, whose, each.path + (f" ({each.detail})" if each.detail else ""))
        for whose, each in shown
    ]
    yield from (printable("  " + line) for line in aligned(rows))
    if len(shown) < len(findings):
        yield f"  and {len(findings) - len(shown)} more (-v lists them)"


def _count(number: int, thing: str) -> str:
    return f"{number} {thing}" if number == 1 else f"{number} {thing}s"
