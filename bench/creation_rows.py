"""Creating an environment of PyPI packages, against uv: cached, from nothing, over a slow link."""

from __future__ import annotations

import shutil
from typing import TYPE_CHECKING

from contest import BenchError, Samples, compete
from link import limited_link
from table import Group, Row
from workplace import PACKAGES

if TYPE_CHECKING:
    from workplace import Workplace

NEEDED = 1_300_000_000
"""Bytes of disk for one repetition of a cold row, both contestants together."""
MEGABITS = 100.0
"""The speed of the link in the row of that name, a second."""


def _warm(place: Workplace, repetitions: int) -> dict[str, Samples]:
    for command in (place.kaa_create("warm", "first"), *place.uv_create("uv-cache", "uv-first")):
        command.run()  # fills the caches
    contest = compete(
        {
            "kaa": lambda n: [place.kaa_create("warm", f"warm{n}")],
            "other": lambda n: place.uv_create("uv-cache", f"uv-warm{n}"),
        },
        repetitions,
    )
    for n in range(repetitions):
        place.check_same("warm", f"warm{n}", f"uv-warm{n}")
    place.check_works("warm", "warm0")
    return contest


def _cold(place: Workplace, repetitions: int) -> dict[str, Samples]:
    return _from_nothing(place, repetitions, "cold")


def _link(place: Workplace, repetitions: int) -> dict[str, Samples]:
    with limited_link(MEGABITS) as proxy:
        return _from_nothing(place.behind(proxy), repetitions, "link")


def _from_nothing(place: Workplace, repetitions: int, name: str) -> dict[str, Samples]:
    # A new cache each time; the old ones are deleted at the very end (see README.md).
    if shutil.disk_usage(place.root).free < repetitions * NEEDED:
        raise BenchError(f"{repetitions * NEEDED / 1e9:.0f} GB of free disk are needed")
    contest = compete(
        {
            "kaa": lambda n: [place.kaa_create(f"{name}{n}", "demo")],
            "other": lambda n: place.uv_create(f"uv-{name}-cache{n}", f"uv-{name}{n}"),
        },
        repetitions,
    )
    for n in range(repetitions):
        place.check_same(f"{name}{n}", "demo", f"uv-{name}{n}")
    place.check_works(f"{name}0", "demo")
    return contest


_WORK = "create " + " + ".join(PACKAGES)
_UV = "uv venv + uv pip install"
GROUPS = (
    Group("warm", "create", (Row("warm", f"{_WORK}, warm caches", _UV, 1.2),), _warm),
    Group("cold", "create", (Row("cold", "the same, cold caches", _UV, 1.2),), _cold),
    Group(
        "link",
        "create",
        (Row("link", f"the same, over a link of {MEGABITS:.0f} Mbit/s", _UV, 1.2),),
        _link,
    ),
)
