"""Explaining that a request of ten specs has no answer, against finding that out."""

from __future__ import annotations

import json
import sys
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from contest import Sample, Samples, median
from grow import harvest_channel
from solve_rows import check_platform
from table import Group, Row

if TYPE_CHECKING:
    from workplace import Workplace

PROGRAM = Path(__file__).with_name("explain_refusals.py")


def _explain(place: Workplace, repetitions: int) -> dict[str, Samples]:
    check_platform()
    url = f"{harvest_channel(place.channels).as_uri()}/"
    command = place.plain(sys.executable, str(PROGRAM), url, str(repetitions * 4))
    command = replace(command, environ={**command.environ, "KAA_ROOT": str(place.root / "explain")})
    found: list[tuple[Samples, Samples]] = []
    for name, times in json.loads(command.run()).items():
        refused, explained = (
            tuple(Sample(*pair) for pair in times[what]) for what in ("refused", "explained")
        )
        print(f"  {name}: {median(explained) / median(refused):.1f} times", file=sys.stderr)
        found.append((explained, refused))
    found.sort(key=lambda pair: median(pair[0]) / median(pair[1]))
    middle, worst = found[len(found) // 2], found[-1]
    return {"kaa": middle[0], "other": middle[1], "worst": worst[0], "worst solve": worst[1]}


_SOLVE = "one failing solve"
GROUPS = (
    Group(
        "explain",
        "explain",
        (
            Row("explain", "explain a refusal of 10 specs, the middle one of 7", _SOLVE, 10.0),
            Row(
                "explain-worst",
                "the same, the one that takes longest",
                _SOLVE,
                10.0,
                ours="worst",
                theirs="worst solve",
            ),
        ),
        _explain,
    ),
)
