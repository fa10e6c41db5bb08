"""``kaa search``."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import click

from kaa.cli.conda_flags import SEARCHING, conda_flags
from kaa.cli.options import (
    complete_platforms,
    json_option,
    pass_invocation,
    source_option,
    verbose_option,
)
from kaa.cli.text import aligned, printable, write_json, write_line, write_note
from kaa.model.options import SolveOptions
from kaa.model.source import Kind

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from click.decorators import FC

    from kaa.cli.invocation import Invocation
    from kaa.model.found import Found, FoundPackage, FoundVersion

_VERSIONS = 10
_PACKAGES = 25
_WIDTH = 15
_EXAMPLES = """\b
Examples:
  kaa search numpy
  kaa search "numpy>=2,<3" --info
  kaa search "*numpy*" -c conda-forge
  kaa search pypi::requests
"""


def remote_options(command: FC) -> FC:
    """Add the options of questions to sources: ``sources``, ``platform`` and ``offline``."""
    options: list[Callable[[FC], FC]] = [
        source_option,
        click.option(
            "--platform",
            "--subdir",
            "platform",
            metavar="SUBDIR",
            help="Look for packages of another platform, such as osx-arm64.",
            shell_complete=complete_platforms,
        ),
        click.option("--offline", is_flag=True, help="Use what the caches have, and no network."),
        conda_flags(SEARCHING),
    ]
    for option in reversed(options):
        command = option(command)
    return command


@click.command(short_help="Search the sources for packages.", epilog=_EXAMPLES)
@click.argument("spec", metavar="SPEC")
@remote_options
@click.option("-i", "--info", is_flag=True, help="Show everything that is known of what is found.")
@click.option(
    "--limit",
    type=click.IntRange(min=0),
    metavar="N",
    help="Show at most N versions of each source, or N packages for a pattern (0: all).",
)
@json_option
@verbose_option
@pass_invocation
def search(
    invocation: Invocation,
    spec: str,
    sources: tuple[str, ...],
    platform: str | None,
    offline: bool,
    info: bool,
    limit: int | None,
) -> None:
    """Search conda channels and PyPI for SPEC: a name, with a version or without, or a pattern.

    A pattern has * and ? in it; PyPI finds projects by their whole name only.
    """
    options = SolveOptions(sources=sources, platform=platform, offline=offline)
    run_search(invocation, spec, options, info=info, limit=limit)


def run_search(
    invocation: Invocation, spec: str, options: SolveOptions, *, info: bool, limit: int | None
) -> None:
    """Search, and write what was found; without a ``limit``, as much as one can read.

    Programs get everything, unless they set one.
    """
    from kaa.cli.interrupts import run_cancellable
    from kaa.cli.progress import display
    from kaa.settings.directories import this_layout
    from kaa.workflows.search import SearchRequest
    from kaa.workflows.search import search as find

    if limit is None and not invocation.json:
        most: int | None = _PACKAGES
    else:
        most = limit or None
    # Programs get the records, too: conda's own `search --json` has nothing else.
    request = SearchRequest(spec, options, details=info, records=invocation.json, limit=most)
    with display(invocation) as progress:
        found = run_cancellable(find(request, this_layout(), progress))
    if invocation.json:
        write_json({"success": True, **_limited(found, limit, info=info), **found.as_conda_dict()})
        return
    if info:
        _write_details(found, 1 if limit is None else limit, urls=invocation.verbosity > 0)
    elif found.total > 1:
        _write_names(found)
    else:
        _write_versions(found, _VERSIONS if limit is None else limit)
    for note in found.notes:
        write_note(f"note: {printable(note)}")


def _limited(found: Found, limit: int | None, *, info: bool) -> dict[str, Any]:
    answer = found.as_dict()
    for package in answer["packages"] if not info else ():
        for version in package["versions"]:
            version.pop("records", None)
    if limit and found.total == 1:
        for package in answer["packages"]:
            package["versions"] = package["versions"][:limit]
    return answer


def _write_names(found: Found) -> None:
    """Write one line for each package and source, with its latest version."""
    header = ("Name", "Latest", "Versions", "Source")
    rows = [
        (
            package.name,
            package.latest.version if package.latest else "",
            str(len(package.versions)),
            package.source + ("" if package.own_name == package.name else f"::{package.own_name}"),
        )
        for package in found.packages
    ]
    cells = [tuple(printable(cell) for cell in row) for row in rows]
    head, *lines = aligned([header, *cells], right=frozenset({2}))
    write_line(click.style(head, bold=True))
    write_line("\n".join(lines))
    more = found.total - len({package.name for package in found.packages})
    if more > 0:
        write_line(f"... and {more} more packages (--limit 0)")


def _write_versions(found: Found, limit: int) -> None:
    """Write the versions of one package, source by source."""
    names = dict.fromkeys(package.name for package in found.packages)
    write_line(click.style(printable(", ".join(names)), bold=True))
    for package in found.packages:
        write_line(f"  {_heading(package, found)}")
        versions = package.versions[:limit] if limit else package.versions
        rows = [_version_row(version, package) for version in versions]
        for line in aligned([tuple(printable(cell) for cell in row) for row in rows]):
            write_line(f"    {line}")
        if len(package.versions) > len(versions):
            write_line(f"    ... and {len(package.versions) - len(versions)} older (--limit 0)")


def _heading(package: FoundPackage, found: Found) -> str:
    own = "" if package.own_name == package.name else f" (as {package.own_name})"
    which = ""
    if package.provides:
        which = f", which would provide it (channel priority {found.priority.value})"
        if len({each.source for each in found.packages}) == 1:
            which = ""
    return printable(f"{package.source}{own}{which}")


def _version_row(version: FoundVersion, package: FoundPackage) -> tuple[str, ...]:
    marks = []
    if version is package.latest:
        marks.append("latest")
    if version.yanked is not None:
        marks.append(f"yanked: {version.yanked}" if version.yanked else "yanked")
    elif version.pre_release:
        marks.append("pre-release")
    return (
        version.version,
        _archives(version.archives, package.kind),
        (version.published or "")[:10],
        ", ".join(marks),
    )


def _archives(number: int, kind: Kind) -> str:
    noun = "build" if kind is Kind.CONDA else "file"
    return f"{number} {noun}" + ("" if number == 1 else "s")


# --- everything -------------------------------------------------------------------------------


def _write_details(found: Found, limit: int, *, urls: bool) -> None:
    for number, package in enumerate(found.packages):
        # What would be chosen comes first; yanked and pre-releases are in --json and --limit 0.
        versions = sorted(package.versions, key=lambda version: version is not package.latest)
        records = [(version, record) for version in versions for record in version.records]
        for place, (_, record) in enumerate(records[:limit] if limit else records):
            if number or place:
                write_line()
            if package.kind is Kind.CONDA:
                lines = _conda_lines(record, package)
            else:
                lines = _project_lines(record, package, urls=urls)
            for line in lines:
                write_line(line)
        if limit and len(records) > limit:
            noun = "builds" if package.kind is Kind.CONDA else "versions"
            write_line(f"... and {len(records) - limit} more {noun} (--limit 0)")


def _conda_lines(record: dict[str, Any], package: FoundPackage) -> Iterator[str]:
    title = f"{record['name']} {record['version']} {record['build']}"
    yield click.style(printable(title), bold=True)
    yield from _field("Source", f"{package.source.rstrip('/')}/{record.get('subdir', '')}")
    yield from _field("Would provide", "" if package.provides else "no: another source comes first")
    yield from _field("File", record.get("fn"))
    yield from _field("URL", record.get("url"))
    yield from _field("Size", _size(record.get("size")))
    yield from _field("Published", _moment(record.get("timestamp")))
    for key in ("license", "license_family", "noarch", "sha256", "md5", "track_features"):
        yield from _field(_LABELS.get(key, key), record.get(key))
    yield from _field("Run constraints", record.get("constrains"))
    yield from _field("Needs", record.get("depends"))
    for extra, lines in (record.get("extra_depends") or {}).items():
        yield from _field(f"Needs [{extra}]", lines)


_LABELS = {
    "license": "License",
    "license_family": "License family",
    "noarch": "Noarch",
    "sha256": "SHA256",
    "md5": "MD5",
    "track_features": "Track features",
}


def _project_lines(record: dict[str, Any], package: FoundPackage, *, urls: bool) -> Iterator[str]:
    yield click.style(printable(f"{record['name']} {record['version']}"), bold=True)
    yield from _field("Source", package.source)
    yield from _field("Would provide", "" if package.provides else "no: another source comes first")
    yield from _field("Requires Python", record.get("requires_python"))
    if record.get("yanked") is not None:
        yield from _field("Yanked", record["yanked"] or "yes")
    yield from _field("Extras", ", ".join(record.get("extras") or ()))
    yield from _field("Needs", record.get("requires_dist") or record.get("reason"))
    files = [_file_row(file) for file in record["files"]]
    lines = aligned(files) if files else ["none"]
    if urls or len(files) == 1:
        hashes = [file["hashes"].get("sha256") for file in record["files"]]
        where = [file["url"] for file in record["files"]]
        parts = zip(lines, where, (f"sha256 {h}" if h else "" for h in hashes), strict=True)
        lines = [part for three in parts for part in three if part]
    yield from _field("Files", lines)


def _file_row(file: dict[str, Any]) -> tuple[str, str, str]:
    moment = (file["upload_time"] or "")[:10]
    note = moment if file["yanked"] is None else f"{moment} yanked"
    return file["filename"], _size(file["size"], short=True), note


def _field(label: str, value: object) -> Iterator[str]:
    """Yield a label and its value, one line for each part of a list; nothing for no value."""
    parts: Sequence[object] = value if isinstance(value, list) else [value] if value else []
    for number, part in enumerate(parts):
        yield f"  {'' if number else label:<{_WIDTH}}  {printable(str(part))}".rstrip()


def _size(number: int | None, *, short: bool = False) -> str:
    if number is None:
        return ""
    from rich.filesize import decimal

    return decimal(number) if short else f"{decimal(number)} ({number} bytes)"


def _moment(milliseconds: int | None) -> str:
    """Return the date and time of a record's timestamp, which is in milliseconds since 1970."""
    if not milliseconds:
        return ""
    from datetime import datetime, timezone

    moment = datetime.fromtimestamp(milliseconds / 1000, timezone.utc)
    return moment.isoformat(sep=" ", timespec="seconds")
