"""``kaa config``: show the settings, and change those in kaa's own file."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click
from click.shell_completion import CompletionItem

from kaa.cli.conda_flags import CONFIGURING, conda_flags
from kaa.cli.options import (
    dry_run_option,
    json_option,
    pass_invocation,
    quiet_option,
    verbose_option,
    yes_option,
)
from kaa.cli.text import aligned, printable, write_json, write_line, write_note
from kaa.model.errors import RequestError

if TYPE_CHECKING:
    from collections.abc import Callable

    from click.decorators import FC

    from kaa.cli.invocation import Invocation
    from kaa.settings.editing import Edit
    from kaa.workflows.configure import Setting

_EXAMPLES = """\b
Examples:
  kaa config --show
  kaa config --show channels pinned
  kaa config --append channels bioconda
  kaa config --set always_yes true
  kaa config --set proxies.https http://proxy.example.org:3128
  kaa config --remove-key pinned
"""


def _complete_keys(
    _context: click.Context, _parameter: click.Parameter, incomplete: str
) -> list[CompletionItem[str]]:
    from kaa.settings.descriptions import DESCRIPTIONS
    from kaa.settings.keys import KEYS

    names = {key.own or key.conda[0]: DESCRIPTIONS[key.field] for key in KEYS}
    return [
        CompletionItem(name, help=text)
        for name, text in names.items()
        if name.startswith(incomplete)
    ]


def _pair(name: str, *options: str, text: str) -> Callable[[FC], FC]:
    return click.option(
        *options,
        name,
        nargs=2,
        multiple=True,
        metavar="KEY VALUE",
        help=text,
        shell_complete=_complete_keys,
    )


@click.command(short_help="Show and change the settings.", epilog=_EXAMPLES)
@click.option("--show", is_flag=True, help="The settings that are in force, or those named.")
@click.option("--show-sources", is_flag=True, help="What each file says.")
@click.option("--get", is_flag=True, help="What kaa's own file says, of all keys or those named.")
@click.option("--describe", is_flag=True, help="What the settings mean, all or those named.")
@click.option("--validate", is_flag=True, help="Read all files, and say what is wrong with them.")
@_pair("assigned", "--set", text="Give a key its one value.")
@_pair("appended", "--append", text="Add to the end of a list.")
@_pair("prepended", "--prepend", "--add", text="Add to the beginning of a list.")
@_pair("removed", "--remove", text="Take an entry out of a list.")
@click.option(
    "--remove-key",
    "unset",
    multiple=True,
    metavar="KEY",
    help="Take a key out of the file.",
    shell_complete=_complete_keys,
)
@click.option("--system", is_flag=True, help="Change the system's file, not the user's.")
@click.option("--env", "of_environment", is_flag=True, hidden=True)
@click.option(
    "--file",
    type=click.Path(dir_okay=False, path_type=Path),
    metavar="FILE",
    help="Change this file (TOML).",
)
@click.argument("keys", metavar="[KEY...]", nargs=-1, shell_complete=_complete_keys)
@conda_flags(CONFIGURING)
@yes_option
@dry_run_option
@json_option
@quiet_option
@verbose_option
@pass_invocation
def config(
    invocation: Invocation,
    /,
    keys: tuple[str, ...],
    show: bool,
    show_sources: bool,
    get: bool,
    describe: bool,
    validate: bool,
    system: bool,
    of_environment: bool,
    file: Path | None,
    **given: tuple[Any, ...],
) -> None:
    """Show the settings, or change kaa's own file; KEYs may be spelled as in .condarc.

    Comments and order of the file stay. What .condarc, pip and uv say counts for kaa as well, and
    is changed there; kaa's own file goes before them.
    """
    edits = _edits(given)
    questions = [show, show_sources, get, describe, validate]
    if sum(questions) + bool(edits) != 1:
        raise RequestError(
            "say what is wanted, and one thing at a time",
            hint="`kaa config --show` shows all settings, `kaa config --set KEY VALUE` changes one",
        )
    if of_environment:
        raise RequestError(
            "kaa's own file is not kept in environments",
            hint="write a .condarc into the environment: it counts for kaa",
        )
    if edits and keys:
        raise RequestError(f"{keys[0]!r} is one word too many", hint="quote values with spaces")
    if edits:
        _change(invocation, edits, system=system, file=file)
    elif describe:
        _describe(invocation, keys)
    elif show_sources:
        _show_sources(invocation)
    elif get:
        _get(invocation, keys, file)
    else:
        _show(invocation, keys, validate=validate)


def _edits(given: dict[str, tuple[Any, ...]]) -> list[Edit]:
    from kaa.settings.editing import Edit

    kinds = {"assigned": "set", "removed": "remove", "appended": "append", "prepended": "prepend"}
    edits = [Edit("unset", name) for name in given["unset"]]
    for name, what in kinds.items():
        edits += [Edit(what, key, value) for key, value in given[name]]
    return edits


def _change(invocation: Invocation, edits: list[Edit], *, system: bool, file: Path | None) -> None:
    from kaa.workflows.configure import prepare_edits, write_edits

    change = prepare_edits(edits, os.environ, system=system, file=file)
    if not invocation.dry_run and change.difference:
        write_edits(change)
    if invocation.json:
        write_json(
            {
                "success": True,
                "dry_run": invocation.dry_run,
                "rc_path": str(change.path),
                "diff": list(change.difference),
                "warnings": list(change.notes),
            }
        )
        return
    for note in change.notes:
        write_note(printable(f"note: {note}"))
    if invocation.speaks:
        for line in change.difference[2:]:
            if not line.startswith("@@"):
                write_line(printable(line))
        verb = "Would change" if invocation.dry_run else "Changed"
        same = not change.difference
        write_line(printable(f"{'Nothing changes in' if same else verb} {change.path}."))


def _show(invocation: Invocation, keys: tuple[str, ...], *, validate: bool) -> None:
    from kaa.workflows.configure import settings_in_force

    settings = settings_in_force(keys, os.environ)
    if validate:
        if invocation.json:
            write_json({"success": True})
        elif invocation.speaks:
            write_line("All settings can be read.")
    elif invocation.json:
        write_json({each.conda_name: each.value for each in settings})
    else:
        _write_settings(settings, origins=True)


def _get(invocation: Invocation, keys: tuple[str, ...], file: Path | None) -> None:
    from kaa.settings.editing import find_key
    from kaa.settings.search import user_file
    from kaa.workflows.configure import settings_by_file

    path = str(file or user_file(os.environ))
    environ = {**os.environ, "KAA_CONFIG": path} if file else os.environ
    wanted = {find_key(key)[0].field for key in keys}
    there = [
        each
        for each in settings_by_file(environ).get(path, [])
        if not wanted or each.key.field in wanted
    ]
    if invocation.json:
        write_json({"success": True, "get": {each.conda_name: each.value for each in there}})
    else:
        _write_settings(there, origins=False)


def _show_sources(invocation: Invocation) -> None:
    from kaa.workflows.configure import settings_by_file

    told = settings_by_file(os.environ)
    if invocation.json:
        write_json(
            {place: {each.conda_name: each.value for each in all_} for place, all_ in told.items()}
        )
        return
    if not told:
        write_line("Nothing is configured: there is no file, and no variable.")
    for number, (place, settings) in enumerate(told.items()):
        if number:
            write_line()
        write_line(click.style(printable(f"==> {place} <=="), bold=True))
        _write_settings(settings, origins=False)


def _write_settings(settings: list[Setting], *, origins: bool) -> None:
    rows = [
        (
            f"{each.name} = {_shown(each.value)}",
            f"# {', '.join(each.origins)}" if origins and each.origins else "",
        )
        for each in settings
    ]
    for line in aligned(rows) if rows else ():
        write_line(printable(line))


def _shown(value: Any) -> str:
    """Return a value as TOML has it (JSON's texts, numbers and lists are TOML's)."""
    import json

    if isinstance(value, dict):
        inside = ", ".join(f"{json.dumps(name)} = {_shown(each)}" for name, each in value.items())
        return f"{{{inside}}}"
    return "none" if value is None else json.dumps(value, ensure_ascii=False)


def _describe(invocation: Invocation, keys: tuple[str, ...]) -> None:
    from kaa.workflows.configure import describe

    told = describe(keys)
    if invocation.json:
        answer = [
            {
                "name": key.conda[0] if key.conda else key.own,
                "aliases": list(key.conda[1:]),
                "own_name": key.own,
                "variable": key.variable or None,
                "description": meaning,
                "default_value": default,
            }
            for key, meaning, default in told
        ]
        write_json(answer)
        return
    for number, (key, meaning, default) in enumerate(told):
        if number:
            write_line()
        write_line(click.style(key.own or key.conda[0], bold=True))
        write_line(f"  {meaning}")
        if key.own and key.conda:
            write_line(f"  In .condarc: {', '.join(key.conda)}")
        if not key.own:
            write_line("  In .condarc only")
        if key.variable:
            write_line(f"  Variable: {key.variable}")
        if default not in (None, [], {}, ""):
            write_line(f"  Default: {_shown(default)}")
