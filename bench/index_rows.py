"""A solve of jupyterlab from PyPI alone, against uv's, with nothing cached and with everything."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from contest import BenchError, Command, Samples, compete
from table import Group, Row
from workplace import path_of, python_of

if TYPE_CHECKING:
    from pathlib import Path

    from workplace import Workplace

PROJECT = "jupyterlab"
_PINNED = re.compile(r"^([A-Za-z0-9._-]+)==(\S+)", re.MULTILINE)


def _cold(place: Workplace, repetitions: int) -> dict[str, Samples]:
    python = _same_python(place)
    return compete(
        {
            "kaa": lambda n: [_kaa(place, f"index-cold{n}")],
            "other": lambda n: [_uv(place, f"uv-index-cold{n}", python)],
        },
        repetitions,
    )


def _warm(place: Workplace, repetitions: int) -> dict[str, Samples]:
    python = _same_python(place)
    _uv(place, "uv-index", python).run()  # fills the cache; kaa's was filled above
    return compete(
        {
            "kaa": lambda _: [_kaa(place, "index")],
            "other": lambda _: [_uv(place, "uv-index", python)],
        },
        repetitions * 4,
    )


def _kaa(place: Workplace, root: str) -> Command:
    return place.kaa_command(root, "create", "--dry-run", "-n", "x", "-c", "pypi", PROJECT)


def _uv(place: Workplace, cache: str, python: Path) -> Command:
    return place.uv_compile(cache, python, f"{PROJECT}\n")


def _same_python(place: Workplace) -> Path:
    """Return the interpreter that kaa chooses, for uv to take, too.

    Raises :class:`BenchError` unless both have the same answer.
    """
    plan = place.plan("index", "-c", "pypi", PROJECT)
    python = path_of(python_of(plan))
    ours = {package["name"]: package["version"] for package in plan}
    del ours["python"]
    printed = _uv(place, "uv-index", python).run()
    theirs = {re.sub("[-_.]+", "-", n).lower(): v for n, v in _PINNED.findall(printed)}
    if ours != theirs:
        names = sorted(name for name in {*ours, *theirs} if ours.get(name) != theirs.get(name))
        told = [f"{name}: kaa {ours.get(name)}, uv {theirs.get(name)}" for name in names]
        raise BenchError("\n".join(["the answers differ, the times say nothing:", *told]))
    return python


_UV = "uv pip compile"
GROUPS = (
    Group(
        "pypi-cold",
        "pypi",
        (Row("pypi-cold", f"solve {PROJECT} from PyPI, cold caches", _UV, 1.0),),
        _cold,
    ),
    Group("pypi-warm", "pypi", (Row("pypi-warm", "the same, warm caches", _UV, 2.0),), _warm),
)
