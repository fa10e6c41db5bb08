from __future__ import annotations

import subprocess
import sys
from typing import TYPE_CHECKING

import click
import pytest

from kaa import __version__
from kaa.cli.app import app
from kaa.cli.env import env
from kaa.cli.lazy import LazyGroup

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from cli.answer import Answer


def commands(group: LazyGroup, path: tuple[str, ...] = ()) -> Iterator[tuple[str, ...]]:
    for name in group.entries:
        command = group.get_command(click.Context(group), name)
        if isinstance(command, LazyGroup):
            yield from commands(command, (*path, name))
        else:
            yield (*path, name)


EVERY_COMMAND = list(commands(app))


def test_help_shows_every_command_with_its_line(kaa: Callable[..., Answer]) -> None:
    answer = kaa("--help")
    assert answer.code == 0
    for name, entry in app.entries.items():
        assert f"  {name}" in answer.out and entry.summary in answer.out


def test_without_a_command_the_help_is_shown(kaa: Callable[..., Answer]) -> None:
    answer = kaa()
    assert answer.code == 2
    assert "Commands:" in answer.err


@pytest.mark.parametrize("group", [app, env])
def test_the_table_says_what_the_commands_say(group: LazyGroup) -> None:
    for name, entry in group.entries.items():
        command = group.get_command(click.Context(group), name)
        assert command is not None
        assert command.name == name
        assert command.get_short_help_str(100) == entry.summary


@pytest.mark.parametrize("path", EVERY_COMMAND, ids=" ".join)
def test_every_command_has_help(kaa: Callable[..., Answer], path: tuple[str, ...]) -> None:
    answer = kaa(*path, "--help")
    assert answer.code == 0
    assert answer.out.startswith(f"Usage: kaa {' '.join(path)}")
    assert kaa(*path, "-h").out == answer.out


def test_version(kaa: Callable[..., Answer]) -> None:
    assert kaa("--version").out == f"kaa {__version__}\n"


HEAVY = ("rich", "rattler", "httpx", "asyncio", "packaging", "jupyter_core", "pyreqwest", "logging")


@pytest.mark.parametrize(
    "arguments",
    [
        ["--help"],
        ["--version"],
        ["env", "list"],
        ["env", "list", "--json"],
        ["create", "--help"],
        ["run", "-n", "missing", "true"],
        ["list", "-n", "missing"],
    ],
    ids=" ".join,
)
def test_what_only_looks_imports_nothing_heavy(arguments: list[str]) -> None:
    script = (
        "import sys; from kaa.cli.main import execute; execute(sys.argv[1:]);"
        f"sys.exit(','.join(m for m in {HEAVY!r} if m in sys.modules) or 0)"
    )
    done = subprocess.run(
        [sys.executable, "-c", script, *arguments], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    assert "internal error" not in done.stderr


def test_help_imports_no_command() -> None:
    script = (
        "import sys; from kaa.cli.main import execute; execute(['--help']);"
        "print([m for m in sys.modules if m.startswith('kaa.cli.')], file=sys.stderr)"
    )
    done = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, check=True
    )
    assert "kaa.cli.app" in done.stderr
    assert "kaa.cli.create" not in done.stderr and "kaa.cli.env" not in done.stderr
