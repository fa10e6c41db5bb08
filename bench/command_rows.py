"""Commands that take milliseconds, against the start of a process."""

from __future__ import annotations

import shutil
import sys
from typing import TYPE_CHECKING

from contest import AbsentError, Samples, compete
from table import Group, Row, Unit
from workplace import PACKAGES

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from workplace import Workplace

_ROOT = "small"
"""The root directory of kaa; it has the environment ``demo``."""
_DEMO = "demo"
_TWENTY = "twenty"
"""Another root directory, whose environment ``demo`` was made of a file, and 19 copies of that."""
_FILE = "environment.yml"
_TRUE = (shutil.which("true") or "true",)
_PYTHON = (sys.executable, "-c", "pass")
SHORT = 4
"""How many times more often what takes milliseconds is repeated."""


def _measure(
    arguments: tuple[str, ...], other: tuple[str, ...]
) -> Callable[[Workplace, int], dict[str, Samples]]:
    def measure(place: Workplace, repetitions: int) -> dict[str, Samples]:
        if not (place.root / _ROOT).exists():
            place.kaa_create(_ROOT, _DEMO).run()
        return compete(
            {
                "kaa": lambda _: [place.kaa_command(_ROOT, *arguments)],
                "other": lambda _: [place.plain(*other)],
            },
            repetitions * SHORT,
        )

    return measure


def _group(name: str, arguments: tuple[str, ...], against: str, limit: float) -> Group:
    row = Row(name, f"kaa {' '.join(arguments)}", against, limit, Unit.EXCESS)
    other = _TRUE if against == "true" else _PYTHON
    return Group(name, "start", (row,), _measure(arguments, other))


def _among_twenty(name: str, *arguments: str) -> Group:
    def measure(place: Workplace, repetitions: int) -> dict[str, Samples]:
        file = place.root / _FILE
        if not file.exists():
            _make_twenty(place, file)
        inside = [str(file) if argument == _FILE else argument for argument in arguments]
        return compete(
            {
                "kaa": lambda _: [place.kaa_command(_TWENTY, *inside)],
                "other": lambda _: [place.plain(*_PYTHON)],
            },
            repetitions * SHORT,
        )

    work = f"kaa {' '.join(arguments)}, 20 environments"
    return Group(name, "daily", (Row(name, work, "python -c pass", 0.120, Unit.EXCESS),), measure)


def _make_twenty(place: Workplace, file: Path) -> None:
    specs = "".join(f"  - {spec}\n" for spec in (place.python_spec, *PACKAGES))
    file.write_text(f"channels: [pypi, nodefaults]\ndependencies:\n{specs}", encoding="utf-8")
    create = ("create", "-y", "-q", "-n", _DEMO, "-f", str(file))
    place.kaa_command(_TWENTY, *create).run()
    for number in range(1, 20):
        place.kaa_command(_TWENTY, "clone", "-y", "-q", _DEMO, f"{_DEMO}{number}").run()


def _hook(shell: str, *options: str) -> Group:
    def measure(place: Workplace, repetitions: int) -> dict[str, Samples]:
        if shutil.which(shell) is None:
            raise AbsentError(f"{shell} is not installed")
        hook = place.root / f"hook.{shell}"
        hook.write_text(place.kaa_command(_ROOT, "hook", shell).run(), encoding="utf-8")
        return compete(
            {
                "kaa": lambda _: [place.plain(shell, *options, "-c", f". {hook}")],
                "other": lambda _: [place.plain(shell, *options, "-c", ":")],
            },
            repetitions * SHORT,
        )

    row = Row(f"hook-{shell}", f"start {shell} with the hook", shell, 0.005, Unit.EXCESS)
    return Group(row.name, "shell", (row,), measure)


_ACTIVATE = Row("activate", "kaa activate demo", "python -c pass", 0.060, Unit.TIME)
GROUPS = (
    _group("run", ("run", "-n", _DEMO, "true"), "true", 0.070),
    _group("help", ("--help",), "python -c pass", 0.100),
    _group("list", ("env", "list"), "python -c pass", 0.100),
    Group(
        "activate",
        "shell",
        (_ACTIVATE,),
        _measure(("activate", "--shell", "bash", _DEMO), _PYTHON),
    ),
    _among_twenty("daily-list", "list", "-n", _DEMO),
    _among_twenty("daily-envs", "env", "list"),
    _among_twenty("daily-info", "info"),
    _among_twenty("daily-sync", "sync", "-n", _DEMO, "-f", _FILE),
    _hook("bash", "--norc", "--noprofile"),
    _hook("zsh", "-f"),
)
