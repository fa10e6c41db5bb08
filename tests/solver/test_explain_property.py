"""Explanations against brute force on small random worlds of two channels and an index."""

from __future__ import annotations

import copy
import re
from typing import TYPE_CHECKING

import pytest

from kaa.model.errors import SolveError
from solver.test_mixed_brute_force import PYTHONS, Dice
from solver.world import World

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence
    from pathlib import Path

    from kaa.model.explanation import Explanation, Fix

Spec = tuple[str | None, str, str]
"""Source, name and bound."""


def parsed(text: str) -> Spec:
    match = re.fullmatch(r"(?:(.+)::)?([a-z]+)(.*)", text)
    assert match, text
    return match[1], match[2], match[3]


def has_answer(dice: Dice, specs: Iterable[Spec]) -> bool:
    """Say by brute force whether these specs have an answer, with any Python."""
    other = copy.copy(dice)
    other.specs = list(specs)
    return not other.contradictory() and any(map(other.has_answer, PYTHONS))


def changed(texts: Sequence[str], fix: Fix) -> list[str]:
    """Return the specs as somebody types them who takes the fix's word."""
    specs = list(texts)
    for change in fix.changes:
        assert change.before is None or change.before in specs, f"{change} of {texts}"
        new = [change.after] if change.after else []
        if change.before is None:
            specs += new
        specs = [two for one in specs for two in (new if one == change.before else [one])]
    return specs


def check_conflict(dice: Dice, explanation: Explanation, told: str) -> None:
    conflict = [parsed(constraint.text) for constraint in explanation.conflict]
    # A spec that names a source gives access to it, so that leaving it out may take an answer
    # away: such specs stay whatever else is left out, unless they clash among themselves.
    fixed = [spec for spec in dice.specs if spec[0]]
    if not has_answer(dice, fixed):
        fixed = []
    assert set(conflict) <= set(dice.specs), told
    assert not has_answer(dice, {*conflict, *fixed}), f"{told}: no conflict: {conflict}"
    assert explanation.minimal, told
    for spec in set(conflict) - set(fixed):
        others = {*conflict, *fixed} - {spec}
        assert has_answer(dice, others), f"{told}: {conflict} without {spec} has no answer"


@pytest.mark.parametrize("batch", range(4))
def test_conflicts_are_minimal_and_fixes_solve(batch: int, tmp_path: Path) -> None:
    refused = fixed = 0
    for seed in range(batch * 60, batch * 60 + 60):
        world = World(tmp_path / str(seed))
        world.channel("other")
        dice = Dice(seed, world)
        if dice.contradictory() or dice.order[-1] == "other":
            continue  # where what is an answer is not only a question of the packages
        texts = dice.texts()
        told = f"seed {seed}: {texts} from {dice.order}"
        try:
            world.answer(*texts, sources=dice.order)
            continue
        except SolveError as error:
            explanation = error.explanation
        refused += 1
        assert not has_answer(dice, dice.specs), told
        assert explanation is not None, told
        if explanation.missing and not explanation.fixes:
            continue  # a name that is nowhere
        check_conflict(dice, explanation, told)
        for fix in explanation.fixes:
            specs = changed(texts, fix)
            assert has_answer(dice, map(parsed, specs)), f"{told}: {fix} has no answer"
            answer = world.answer(*specs, sources=dice.order)
            if fix.result:
                name, _, version = fix.result.split(", ")[0].partition(" ")
                assert answer[name][0] == version, f"{told}: {fix}"
        fixed += bool(explanation.fixes)
    assert refused
    assert fixed > refused / 2
