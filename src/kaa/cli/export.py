"""``kaa export``, which is also ``kaa env export``."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from kaa.cli.conda_flags import EXPORTING, conda_flags
from kaa.cli.options import (
    environment_options,
    json_option,
    one_of_or_active,
    pass_invocation,
    quiet_option,
    source_option,
    verbose_option,
)
from kaa.formats.recognition import FileFormat, format_of_name
from kaa.model.errors import RequestError

if TYPE_CHECKING:
    from click.shell_completion import CompletionItem

    from kaa.cli.invocation import Invocation
    from kaa.workflows.export import Export

_FORMATS: dict[str, FileFormat] = {
    **{each.value: each for each in FileFormat if each is not FileFormat.MATCH_SPECS},
    # what conda and others call them
    "environment-yaml": FileFormat.ENVIRONMENT_YML,
    "yaml": FileFormat.ENVIRONMENT_YML,
    "yml": FileFormat.ENVIRONMENT_YML,
    "conda-lock-v1": FileFormat.CONDA_LOCK,
    "rattler-lock-v6": FileFormat.PIXI_LOCK,
    "pixi": FileFormat.PIXI_LOCK,
}
_EXAMPLES = """\b
Examples:
  kaa export -n demo > environment.yml
  kaa export -n demo --from-history -f environment.yml
  kaa export -n demo -f conda-lock.yml
  kaa export -n demo --format pylock
"""


def chosen_format(text: str | None, file: Path | None, usual: FileFormat) -> FileFormat:
    """Return the format that is named, or that a file's name means, or the usual one.

    :raises RequestError: there is no such format.
    """
    if text is not None:
        found = _FORMATS.get(text.lower())
        if found is None:
            names = ", ".join(each.value for each in dict.fromkeys(_FORMATS.values()))
            raise RequestError(f"there is no format {text!r}", hint=f"there are: {names}")
        return found
    found = format_of_name(file.name) if file is not None else None
    if found is None and file is not None and file.suffix in {".toml", ".json"}:
        raise RequestError(
            f"the name {file.name} does not say which format is meant",
            hint="add --format, or call it pixi.toml, pyproject.toml or pylock.toml",
        )
    return found or usual


def _complete_formats(
    _context: click.Context, _parameter: click.Parameter, incomplete: str
) -> list[CompletionItem[str]]:
    from click.shell_completion import CompletionItem

    names = dict.fromkeys(each.value for each in _FORMATS.values())
    return [CompletionItem(name) for name in names if name.startswith(incomplete)]


format_option = click.option(
    "--format",
    "format_",
    metavar="FORMAT",
    shell_complete=_complete_formats,
    help="environment-yml, requirements, explicit, pixi-toml, pyproject, conda-lock, pixi-lock or "
    "pylock; without it the file's name decides.",
)


@click.command(short_help="Write an environment to a file.", epilog=_EXAMPLES)
@environment_options
@click.option(
    "--from-history", is_flag=True, help="What was asked for, without what came along with it."
)
@click.option("--no-builds", is_flag=True, help="Versions without build strings.")
@format_option
@click.option(
    "-f",
    "--file",
    type=click.Path(dir_okay=False, path_type=Path),
    metavar="FILE",
    help="Write into this file; comments of one that is there stay.",
)
@source_option
@click.option("--override-channels", is_flag=True, help="Name only the channels of -c.")
@conda_flags(EXPORTING)
@json_option
@quiet_option
@verbose_option
@pass_invocation
def export(
    invocation: Invocation,
    name: str | None,
    prefix: Path | None,
    from_history: bool,
    no_builds: bool,
    format_: str | None,
    file: Path | None,
    sources: tuple[str, ...],
    override_channels: bool,
) -> None:
    """Write what an environment, or the active one, has, so that it can be made again.

    Without FILE it goes to standard output, as environment.yml unless --format says otherwise.
    Locks have the URL and the hash of every package. Credentials are in none of them. What a
    format cannot say is told.
    """
    name, prefix = one_of_or_active(name, prefix)
    kind = chosen_format(format_, file, FileFormat.ENVIRONMENT_YML)

    from kaa.settings.directories import this_layout
    from kaa.workflows import export as workflow

    request = workflow.ExportRequest(
        name, prefix, kind, from_history, not no_builds, sources, override_channels
    )
    found = workflow.export(request, this_layout(), _previous(file))
    if file is not None:
        _write(file, found.rendered.text)
    _show(found, file, invocation)


def _previous(file: Path | None) -> str | None:
    if file is None or not file.is_file():
        return None
    from kaa.formats.text_file import read_text_file

    return read_text_file(file)


def _write(file: Path, text: str) -> None:
    from kaa.store.disk import rewrite_file, writing

    with writing(file):
        if file.exists() and not file.is_file():  # /dev/stdout
            file.write_text(text, encoding="utf-8")
        else:
            rewrite_file(file, text.encode())


def _show(found: Export, file: Path | None, invocation: Invocation) -> None:
    from kaa.cli.text import printable, write_json, write_line, write_note

    if invocation.json:
        answer = {
            **found.described,
            "success": True,
            "format": found.format.value,
            "file": str(file) if file else None,
            "lost": list(found.rendered.lost),
        }
        write_json(answer if file else {**answer, "content": found.rendered.text})
        return
    for each in () if invocation.quiet else found.rendered.lost:
        write_note(printable(f"note: {each}"))
    if file is None:
        click.echo(found.rendered.text, nl=False)
    elif invocation.speaks:
        write_line(printable(f"Wrote {file}."))
