"""The site builds without a warning, with every command and every setting in it."""

from __future__ import annotations

import os
import re
import shlex
import subprocess
import sys
from typing import TYPE_CHECKING

import click
import pytest

from documentation.pages import PAGES, PROJECT, blocks
from kaa.cli.app import app
from kaa.settings.keys import KEYS

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

IN_PROSE = re.compile(r"`(kaa [^`\n]*)`")
NOT_RUN = ("bash", "text", "")
"""Kinds of blocks that show commands which cannot be run here."""


def visible_commands() -> Iterator[tuple[str, click.Command]]:
    def below(group: click.Group, context: click.Context) -> Iterator[tuple[str, click.Command]]:
        for name in group.list_commands(context):
            command = group.get_command(context, name)
            assert command is not None
            inner = click.Context(command, info_name=name, parent=context)
            if not command.hidden:
                yield inner.command_path, command
            if isinstance(command, click.Group):
                yield from below(command, inner)

    yield from below(app, click.Context(app, info_name="kaa"))


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The site, which would not have been built with a link that leads nowhere."""
    directory = tmp_path_factory.mktemp("site")
    done = subprocess.run(
        [sys.executable, "-m", "mkdocs", "build", "--strict", "--site-dir", directory],
        cwd=PROJECT,
        env={**os.environ, "NO_MKDOCS_2_WARNING": "1"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return directory


def test_every_page_is_there(site: Path) -> None:
    docs = PROJECT / "docs"
    written = {page.relative_to(docs) for page in docs.rglob("*.md")}
    built = {page.relative_to(site).with_suffix(".md") for page in site.rglob("*.html")}
    assert {str(path) for path in written - built} == set()
    assert not list(site.rglob("*.py"))


def test_every_command_and_option_is_in_the_reference(site: Path) -> None:
    page = (site / "commands.html").read_text(encoding="utf-8")
    for path, command in visible_commands():
        assert f">{path}<a" in page, path
        for parameter in command.params:
            if isinstance(parameter, click.Option) and not parameter.hidden:
                assert parameter.opts[0] in page, (path, parameter.opts)
    assert "--experimental-solver" not in page, "hidden options are left out"


def test_every_setting_is_in_the_reference(site: Path) -> None:
    page = (site / "settings.html").read_text(encoding="utf-8")
    names = {name for key in KEYS for name in (key.own, key.variable, *key.conda) if name}
    assert {name for name in names if f"<code>{name}</code>" not in page} == set()


def test_pages_load_nothing_from_elsewhere(site: Path) -> None:
    loaded = re.compile(
        r"<(?:script|img|link rel=\"?stylesheet\"?)[^>]*(?:src|href)=\"?(https?:[^ >]*)"
    )
    assert loaded.findall((site / "index.html").read_text(encoding="utf-8")) == []


def commands_not_run(text: str) -> Iterator[str]:
    """Give what a page shows without its being run: in the running text, or in other blocks."""
    fenced = "\n".join(line for block in blocks(text) for line in block.lines)
    yield from (found for found in IN_PROSE.findall(text) if found not in fenced)
    for block in blocks(text):
        if block.kind in NOT_RUN:
            yield from (line for line in block.lines if line.startswith("kaa "))


@pytest.mark.parametrize("page", PAGES, ids=[str(page.relative_to(PROJECT)) for page in PAGES])
def test_commands_that_are_not_run_exist_with_their_options(page: Path) -> None:
    for shown in commands_not_run(page.read_text(encoding="utf-8")):
        words = [word for word in _words(shown) if word not in {"...", "|", "&&"}]
        command, context = _command(words[1:])
        known = {
            name
            for each in command.get_params(context)
            for name in (*each.opts, *each.secondary_opts)
        }
        for word in _options_of(words, command):
            assert word.partition("=")[0] in known, f"{page.name}: `{shown}` has no {word}"


@pytest.mark.parametrize("page", PAGES, ids=[str(page.relative_to(PROJECT)) for page in PAGES])
def test_commands_are_in_blocks_that_are_run(page: Path) -> None:
    """What is indented is not run, so it has no commands; README's overview has no examples."""
    text = page.read_text(encoding="utf-8").partition("\n## Commands\n")[0]
    assert re.findall(r"^    kaa .*$", text, re.MULTILINE) == []
    assert all(block.kind for block in blocks(text)), "a block says what it is"


def _words(shown: str) -> list[str]:
    try:
        return shlex.split(shown, comments=True)
    except ValueError:  # a quote in running text
        return shown.split()


def _command(words: list[str]) -> tuple[click.Command, click.Context]:
    command: click.Command = app
    context = click.Context(app, info_name="kaa")
    for word in (word.partition("|")[0] for word in words):
        if not isinstance(command, click.Group) or not word.isalpha() or not word.islower():
            break
        found = command.get_command(context, word)
        assert found is not None, f"no command {' '.join(words)}"
        command, context = found, click.Context(found, info_name=word, parent=context)
    return command, context


def _options_of(words: list[str], command: click.Command) -> Iterator[str]:
    """Give a command's options; what comes after the program that it runs is not its own."""
    for word in words:
        if command.name in {"run", "lab"} and word in {"python", "PROGRAM", "ARGUMENT..."}:
            return
        if word.startswith("-") and word != "-" and not word.startswith("-v"):
            yield word.rstrip(",.;]")
