"""A hook of mkdocs: pages that are made when the site is built, so that none can be out of date.

``commands.md`` comes from click's commands, ``settings.md`` from the table of settings;
``bench.md`` and ``changes.md`` are files that lie elsewhere in the project. Nothing of it is
written to the disk.
"""

from __future__ import annotations

import re
from pathlib import Path
from typing import TYPE_CHECKING

import click
from mkdocs.structure.files import File

if TYPE_CHECKING:
    from collections.abc import Iterator

    from mkdocs.config.defaults import MkDocsConfig
    from mkdocs.structure.files import Files

PROJECT = Path(__file__).resolve().parent.parent
FILES_ELSEWHERE = {"bench.md": "bench/README.md", "changes.md": "CHANGELOG.md"}


def on_files(files: Files, config: MkDocsConfig) -> Files:
    """Add the pages; mkdocs calls this when it has found those in ``docs/``."""
    pages = {"commands.md": commands_page(), "settings.md": settings_page()}
    for name, path in FILES_ELSEWHERE.items():
        pages[name] = (PROJECT / path).read_text(encoding="utf-8")
    for name, text in pages.items():
        files.append(File.generated(config, name, content=text))
    return files


def commands_page() -> str:
    """Return the page of all commands, in the order of ``kaa --help``; hidden ones are left out."""
    lines = [
        "# Commands",
        "",
        "What `kaa COMMAND --help` says, of all commands. Flags of conda's and mamba's that make",
        "no difference here are accepted, too, and said to have no effect.",
    ]
    for context in visible_commands():
        lines += ["", *_command(context)]
    return "\n".join([*lines, ""])


def visible_commands() -> Iterator[click.Context]:
    """Give every command that ``--help`` lists, groups before what is in them."""
    from kaa.cli.app import app

    yield from _below(click.Context(app, info_name="kaa"))


def _below(context: click.Context) -> Iterator[click.Context]:
    group = context.command
    assert isinstance(group, click.Group)
    for name in group.list_commands(context):
        command = group.get_command(context, name)
        assert command is not None, name
        if command.hidden:
            continue
        inner = click.Context(command, info_name=name, parent=context)
        yield inner
        if isinstance(command, click.Group):
            yield from _below(inner)


def _command(context: click.Context) -> Iterator[str]:
    command = context.command
    usage = " ".join(command.collect_usage_pieces(context))
    yield f"## {context.command_path}"
    yield ""
    yield from ("```text", f"{context.command_path} {usage}", "```", "")
    yield from _paragraphs(command.help or "")
    records = [record for each in _parameters(context) if (record := each.get_help_record(context))]
    if records:
        yield from ("| option | meaning |", "| --- | --- |")
        for spellings, meaning in records:
            yield f"| `{spellings}` | {_in_table(meaning)} |"
        yield ""
    if command.epilog:
        yield from ("```text", *_examples(command.epilog), "```")


def _parameters(context: click.Context) -> list[click.Parameter]:
    """Return the command's own options; ``--help`` is everywhere."""
    return [each for each in context.command.get_params(context) if "--help" not in each.opts]


def _paragraphs(text: str) -> Iterator[str]:
    for paragraph in text.replace("\b", "").split("\n\n"):
        yield _prose(" ".join(paragraph.split()))
        yield ""


def _examples(epilog: str) -> list[str]:
    """Return an epilog's lines without its title and indentation."""
    lines = [line for line in epilog.replace("\b", "").splitlines() if line.strip()]
    if lines and lines[0].strip() == "Examples:":
        lines = lines[1:]
    indentation = min(len(line) - len(line.lstrip()) for line in lines)
    return [line[indentation:].removeprefix("Example: ") for line in lines]


def _in_table(text: str) -> str:
    return _prose(" ".join(text.split())).replace("|", "\\|")


def _prose(text: str) -> str:
    """Return text for a terminal as Markdown: only what is in backquotes is marked up."""
    pieces = re.split(r"(`[^`]*`)", text)
    return "".join(
        piece if piece.startswith("`") else re.sub(r"([*_\[\]<>\\])", r"\\\1", piece)
        for piece in pieces
    )


def settings_page() -> str:
    """Return the page of all settings: their names in both kinds of file, their variables."""
    from kaa.settings.descriptions import DESCRIPTIONS
    from kaa.settings.keys import KEYS

    lines = [
        "# Settings",
        "",
        "Every key that kaa's own file (`config.toml`) and conda's (`.condarc`) can have, and the",
        "variable that wins over both. [Configuration](configuration.md) tells how they go",
        "together.",
        "",
        "| kaa's file | `.condarc` | variable | meaning |",
        "| --- | --- | --- | --- |",
    ]
    for key in KEYS:
        names = [[key.own], key.conda, [key.variable]]
        cells = [", ".join(f"`{name}`" for name in each if name) for each in names]
        lines.append(f"| {' | '.join([*cells, _in_table(DESCRIPTIONS[key.field])])} |")
    return "\n".join([*lines, ""])
