"""Adding a package to a large environment and taking it back, against making it anew with uv."""

from __future__ import annotations

import shutil
from typing import TYPE_CHECKING

from contest import BenchError, Command, Samples, compete
from table import Group, Row, Unit
from workplace import PACKAGES

from kaa.store.bytecode import compile_entries, compiling
from kaa.store.compiling import interpreter
from kaa.store.layout import Layout

if TYPE_CHECKING:
    from pathlib import Path

    from workplace import Workplace

ADDED = "tabulate"
"""A small package of pure Python that none of :data:`PACKAGES` needs."""
_ROOT = "change"
_CACHE = "uv-change-cache"
_IMPORTS = "import pandas, sklearn, matplotlib"


def _prepared(place: Workplace) -> None:
    """Fill both caches, and compile the bytecode of all packages.

    kaa has that done in the background, which takes its time while the machine is busy.
    """
    if (place.root / _ROOT).exists():
        return
    commands = (place.kaa_create(_ROOT, "first"), _install(place, "first"))
    for command in (*commands, *place.uv_create(_CACHE, "uv-change-first")):
        command.run()
    layout = Layout(place.root / _ROOT)
    python = layout.environments / "first" / "bin" / "python"
    # Not what the linker has locked for itself, nor the interpreter.
    locks = layout.packages.glob("[!.]*.lock")
    entries = [lock.stem for lock in locks if not lock.stem.startswith("python-")]
    with compiling(layout, wait=True), interpreter(python) as compiler:
        compile_entries(layout, place.python_spec.partition("=")[2], entries, compiler)
    missing = set(entries) - {lock.stem for lock in layout.packages.glob(".compiled/*/*.lock")}
    if missing:
        raise BenchError(f"the bytecode of {', '.join(sorted(missing))} was not compiled")


def _install(place: Workplace, name: str) -> Command:
    return place.kaa_command(_ROOT, "install", "-y", "-q", "-n", name, "-c", "pypi", ADDED)


def _add(place: Workplace, repetitions: int) -> dict[str, Samples]:
    _prepared(place)
    for n in range(repetitions):
        place.kaa_create(_ROOT, f"add{n}").run()
    contest = compete(
        {
            "kaa": lambda n: [_install(place, f"add{n}")],
            "undo": lambda n: [place.kaa_command(_ROOT, "undo", "-y", "-q", "-n", f"add{n}")],
            "other": lambda n: place.uv_create(_CACHE, f"uv-add{n}"),
            "true": lambda _: [place.plain(shutil.which("true") or "true")],
        },
        repetitions,
    )
    for n in range(repetitions):
        place.check_same(_ROOT, f"add{n}", f"uv-add{n}")
    place.check_works(_ROOT, "add0")
    return contest


def _create(place: Workplace, repetitions: int) -> dict[str, Samples]:
    _prepared(place)
    contest = compete(
        {
            "kaa": lambda n: [place.kaa_create(_ROOT, f"compiled{n}")],
            "other": lambda n: place.uv_create(_CACHE, f"uv-compiled{n}"),
        },
        repetitions,
    )
    place.check_works(_ROOT, "compiled0")
    return contest


def _import(place: Workplace, repetitions: int) -> dict[str, Samples]:
    _prepared(place)
    for n in range(repetitions):
        for command in (
            place.kaa_create(_ROOT, f"import{n}"),
            *place.uv_create(_CACHE, f"uv-import{n}"),
        ):
            command.run()

    def program(prefix: Path) -> list[Command]:
        return [place.plain(str(prefix / "bin" / "python"), "-c", _IMPORTS)]

    return compete(
        {
            "kaa": lambda n: program(place.root / _ROOT / "envs" / f"import{n}"),
            "other": lambda n: program(place.root / f"uv-import{n}"),
        },
        repetitions,
    )


_WORK = " + ".join(PACKAGES)
_UV = "uv venv + uv pip install of that"
GROUPS = (
    Group(
        "add",
        "change",
        (
            Row("add", f"add {ADDED} to {_WORK}, warm caches", _UV, 1.0),
            Row("undo", "undo that", "true", 0.150, Unit.TIME, "undo", "true"),
        ),
        _add,
    ),
    Group(
        "compiled",
        "change",
        (Row("compiled", f"create {_WORK} with bytecode, warm caches", _UV, 1.2),),
        _create,
    ),
    Group(
        "import",
        "change",
        (
            Row(
                "import",
                "first import of pandas, scikit-learn, matplotlib",
                "made by uv, without bytecode",
                0.6,
            ),
        ),
        _import,
    ),
)
