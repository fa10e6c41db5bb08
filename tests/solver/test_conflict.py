"""Minimal conflicts, against brute force on random systems of conflicts."""

from __future__ import annotations

import asyncio
from itertools import chain, combinations
from typing import TYPE_CHECKING

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from kaa.solver.conflict import Conflict, minimal_conflict

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Sequence

ENOUGH = 1000


class Oracle:
    """Answers for known minimal conflicts, and notes what it was asked."""

    def __init__(self, conflicts: Iterable[Iterable[int]]) -> None:
        self.conflicts = [frozenset(conflict) for conflict in conflicts]
        self.asked: list[tuple[int, ...]] = []

    async def solvable(self, chosen: Sequence[int]) -> bool:
        await asyncio.sleep(0)
        assert tuple(chosen) not in self.asked, "the same question twice"
        self.asked.append(tuple(chosen))
        return self.possible(chosen)

    def possible(self, chosen: Iterable[int]) -> bool:
        return not any(conflict <= set(chosen) for conflict in self.conflicts)

    def find(self, size: int, likely: Collection[int] = (), budget: int = ENOUGH) -> Conflict[int]:
        return asyncio.run(minimal_conflict(range(size), self.solvable, likely, budget))


@st.composite
def systems(draw: st.DrawFn) -> tuple[int, list[frozenset[int]], frozenset[int]]:
    size = draw(st.integers(1, 8))
    items = st.frozensets(st.integers(0, size - 1), min_size=1)
    return size, draw(st.lists(items, min_size=1, max_size=4)), draw(items | st.just(frozenset()))


def minimal_by_brute_force(oracle: Oracle, size: int) -> set[frozenset[int]]:
    every = chain.from_iterable(combinations(range(size), count) for count in range(size + 1))
    bad = [frozenset(chosen) for chosen in every if not oracle.possible(chosen)]
    return {one for one in bad if not any(other < one for other in bad)}


@given(systems())
@settings(max_examples=400, deadline=None)
def test_it_is_one_of_the_minimal_conflicts(
    system: tuple[int, list[frozenset[int]], frozenset[int]],
) -> None:
    size, conflicts, likely = system
    oracle = Oracle(conflicts)
    found = oracle.find(size, likely)
    assert found.minimal
    assert frozenset(found.items) in minimal_by_brute_force(oracle, size)
    assert list(found.items) == sorted(found.items), "in the order of the items"
    assert found.solves == len(oracle.asked) <= 2 * size


@given(systems(), st.integers(0, 6))
@settings(max_examples=200, deadline=None)
def test_within_a_budget_it_is_a_conflict_at_least(
    system: tuple[int, list[frozenset[int]], frozenset[int]], budget: int
) -> None:
    size, conflicts, likely = system
    oracle = Oracle(conflicts)
    found = oracle.find(size, likely, budget)
    assert len(oracle.asked) <= budget
    assert not oracle.possible(found.items)
    if found.minimal:
        assert frozenset(found.items) in minimal_by_brute_force(oracle, size)


@pytest.mark.parametrize("size", [10, 50, 200])
def test_what_the_message_names_is_tried_first(size: int) -> None:
    conflict = {2, 5, size - 1}
    found = Oracle([conflict]).find(size, likely=conflict)
    assert set(found.items) == conflict
    assert found.solves == 4  # those three alone, and each two of them


def test_a_message_that_names_others_costs_one_solve() -> None:
    found = Oracle([{0, 9}]).find(10, likely={3, 4})
    assert found.items == (0, 9)
    assert found.solves <= 12


@pytest.mark.parametrize("size", [64, 256, 1024])
def test_small_conflicts_among_many_items_cost_logarithms(size: int) -> None:
    for conflict in ({0, size // 2}, {size - 1, size // 3}, {size // 2, size // 2 + 1}):
        found = Oracle([conflict]).find(size)
        assert set(found.items) == conflict
        assert found.solves <= 8 * size.bit_length()


def test_an_item_alone_is_a_conflict_without_another_solve() -> None:
    assert Oracle([{0}]).find(1) == Conflict((0,), True, 0)


def test_an_item_given_twice_counts_once() -> None:
    oracle = Oracle([{1}])
    found = asyncio.run(minimal_conflict([1, 1, 2, 1], oracle.solvable))
    assert found.items == (1,)
