"""Fixes: only what solves, the gentlest first, within a budget."""

from __future__ import annotations

import asyncio
import random
from dataclasses import dataclass, field
from itertools import combinations

import pytest

from kaa.model.explanation import Change, Fix
from kaa.solver.fixes import Relaxation, Trials, pairs

Request = frozenset[str]


def without(item: str, *, last_resort: bool = False) -> Relaxation[Request]:
    return Relaxation(Change(item, None), lambda request: request - {item}, item, item, last_resort)


@dataclass
class Solver:
    """Solves what has none of its conflicts; answers come in an order of their own."""

    conflicts: list[frozenset[str]]
    asked: list[Request] = field(default_factory=list)
    at_once: int = 0
    most_at_once: int = 0

    async def attempt(self, request: Request) -> Request | None:
        self.asked.append(request)
        self.at_once += 1
        self.most_at_once = max(self.most_at_once, self.at_once)
        for _ in range(random.Random(str(sorted(request))).randint(0, 5)):
            await asyncio.sleep(0)
        self.at_once -= 1
        return None if any(conflict <= request for conflict in self.conflicts) else request

    def fixes(
        self, request: str, relaxations: list[Relaxation[Request]], budget: int = 100
    ) -> tuple[Fix, ...]:
        trials = Trials(
            frozenset(request),
            self.attempt,
            lambda answer, about: f"{len(answer)} without {about}",
            budget,
        )

        async def both() -> tuple[Fix, ...]:
            return await trials.gentle(relaxations) or await trials.drastic(relaxations)

        fixes = asyncio.run(both())
        assert trials.solves == len(self.asked) <= budget
        self.complete = trials.complete
        return fixes


def removed(fixes: tuple[Fix, ...]) -> list[str]:
    return ["".join(str(change.before) for change in fix.changes) for fix in fixes]


def test_three_at_most_in_the_order_given() -> None:
    solver = Solver([frozenset("abcde")])
    fixes = solver.fixes("abcdef", [without(item) for item in "fcaebd"])
    assert removed(fixes) == ["c", "a", "e"]
    assert len(solver.asked) == 4
    assert fixes[0].result == "5 without ('c',)"


def test_solves_run_two_at_a_time() -> None:
    solver = Solver([frozenset("ab")])
    solver.fixes("abcdef", [without(item) for item in "cdefab"])
    assert solver.most_at_once == 2


def test_the_last_resort_is_not_tried_when_something_else_helps() -> None:
    drastic = without("a", last_resort=True)
    assert removed(Solver([frozenset("ab")]).fixes("ab", [drastic, without("b")])) == ["b"]
    assert removed(Solver([frozenset("ab")]).fixes("ab", [drastic, without("c")])) == ["a"]


def test_pairs_when_no_single_change_helps() -> None:
    solver = Solver([frozenset("ab"), frozenset("cd")])
    fixes = solver.fixes("abcd", [without(item) for item in "abcd"])
    assert removed(fixes) == ["ac", "ad", "bc"]
    assert str(fixes[0]) == "leave out `a` and leave out `c` (gives 2 without ('a', 'c'))"


def test_two_changes_to_one_item_are_no_pair() -> None:
    other: Relaxation[Request] = Relaxation(Change("a", "b"), lambda _: frozenset("b"), "a")
    twice = [without("a"), other]
    assert list(pairs(twice)) == []
    assert len(list(pairs([*twice, without("c")]))) == 2


@pytest.mark.parametrize("seed", range(40))
def test_the_fewest_changes_are_left_of_many(seed: int) -> None:
    dice = random.Random(seed)
    items = "abcdefg"
    conflicts = [frozenset(dice.sample(items, dice.randint(2, 4))) for _ in range(3)]
    solver = Solver(conflicts)
    # An answer happens to be as without some changes: what they remove is in no conflict with it.
    lucky = {item for item in items if not any(item in one for one in conflicts)}
    trials = Trials(frozenset(items), solver.attempt, lambda *_: None)
    changes = [without(item) for item in dice.sample(items, len(items))]
    fix = asyncio.run(trials.fewest(changes, frozenset(), lambda _, one: one.item in lucky))
    assert fix is not None
    assert len(solver.asked) <= len(items) + 1
    gone = {str(change.before) for change in fix.changes}
    assert not any(conflict <= frozenset(items) - gone for conflict in conflicts)
    for item in gone:
        assert any(conflict <= frozenset(items) - (gone - {item}) for conflict in conflicts)
    assert frozenset(items) - gone in solver.asked, "what is proposed was tried"


def test_the_budget_ends_the_search() -> None:
    solver = Solver([frozenset("ab"), frozenset("cd"), frozenset("ef")])
    assert solver.fixes("abcdef", [without(item) for item in "abcdef"], budget=7) == ()
    assert not solver.complete


@pytest.mark.parametrize("seed", range(60))
def test_every_fix_solves_and_the_gentlest_is_there(seed: int) -> None:
    dice = random.Random(seed)
    items = "abcdefg"
    conflicts = [
        frozenset(dice.sample(items, dice.randint(1, 4))) for _ in range(dice.randint(1, 3))
    ]
    order = dice.sample(items, len(items))
    gentle = dice.randint(0, len(items))
    relaxations = [without(item, last_resort=number >= gentle) for number, item in enumerate(order)]
    fixes = Solver(conflicts).fixes(items, relaxations)
    for changes in removed(fixes):
        assert not any(conflict <= frozenset(items) - set(changes) for conflict in conflicts)
    solving = [
        "".join(chosen)
        for size in (1, 2)
        for chosen in combinations(order, size)
        if not any(conflict <= frozenset(items) - set(chosen) for conflict in conflicts)
    ]
    assert bool(fixes) == bool(solving), "what there is, is found"
    if fixes:
        found = removed(fixes)
        assert len(found[0]) == len(solving[0]), "one change when one is enough"
        best = [one for one in solving if len(one) == 1 and one in order[:gentle]]
        assert found[: len(best)] == best[: len(found)]
