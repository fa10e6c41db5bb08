"""The smallest part of an unsolvable request that is unsolvable by itself."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Generic, TypeVar

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Collection, Sequence

T = TypeVar("T")

_FEW = 3
"""Of so many items each one is left out at the same time: mostly none of them can be."""
BUDGET = 16
"""How many solves looking for a conflict may cost, unless the caller says."""


@dataclass(frozen=True, slots=True)
class Conflict(Generic[T]):
    """Items that have no solution together, in the order in which they were given.

    ``minimal`` says that whichever one is left out, the others have a solution; without it the
    budget ended first. ``solves`` counts what it took.
    """

    items: tuple[T, ...]
    minimal: bool
    solves: int


def _without_one(chosen: Sequence[int]) -> list[list[int]]:
    return [[other for other in chosen if other != one] for one in chosen]


class _BudgetSpentError(Exception):
    """No more solves."""


class _Oracle(Generic[T]):
    """Asks whether items have a solution together, and never asks what follows from an answer.

    What is part of something solvable is solvable, what has something unsolvable in it is not.
    """

    def __init__(
        self, solvable: Callable[[Sequence[T]], Awaitable[bool]], items: Sequence[T], budget: int
    ) -> None:
        self._ask = solvable
        self._items = items
        self._budget = budget
        self._solvable: list[frozenset[int]] = [frozenset()]
        self._unsolvable: list[frozenset[int]] = [frozenset(range(len(items)))]
        self.asked = 0

    async def ask_together(self, subsets: Sequence[Sequence[int]]) -> None:
        """Ask about several sets at once, to know it later."""
        import asyncio

        if len(subsets) <= self._budget - self.asked:
            await asyncio.gather(*(self.solvable(subset) for subset in subsets))

    async def solvable(self, chosen: Sequence[int]) -> bool:
        subset = frozenset(chosen)
        if any(subset <= known for known in self._solvable):
            return True
        if any(known <= subset for known in self._unsolvable):
            return False
        if self.asked >= self._budget:
            raise _BudgetSpentError
        self.asked += 1
        answer = await self._ask([self._items[number] for number in sorted(subset)])
        (self._solvable if answer else self._unsolvable).append(subset)
        return answer


async def minimal_conflict(
    items: Sequence[T],
    solvable: Callable[[Sequence[T]], Awaitable[bool]],
    likely: Collection[T] = (),
    budget: int = BUDGET,
) -> Conflict[T]:
    """Return a conflict among ``items``, which as a whole are known to have no solution.

    ``solvable`` says whether some of them, in their order, have one; more items never make a
    solution where fewer have none, and no items at all have one. ``likely`` are those that the
    solver's own message names: they are tried alone first, and when they are the conflict, as they
    nearly always are, one solve and one more for each of them are all it takes. Otherwise the
    number of solves grows with the size of the conflict and the logarithm of that of ``items``.
    After ``budget`` solves the smallest conflict known so far is returned, not as minimal.
    """
    items = list(dict.fromkeys(items))
    named = [number for number, item in enumerate(items) if item in likely]
    others = [number for number, item in enumerate(items) if item not in likely]
    oracle = _Oracle(solvable, items, budget)
    needed: list[int] = []
    undecided = named + others  # together with what is needed always unsolvable
    step = max(len(undecided) // 2, 1)
    minimal = True
    try:
        if named and others and not await oracle.solvable(named):
            undecided, step = named, 1
        if len(undecided) <= _FEW:
            await oracle.ask_together(_without_one(undecided))
        while undecided:
            # Leave out several of the least likely at once, more after each success; where that
            # goes too far, fewer, until it is a single one that cannot be left out.
            step = min(step, len(undecided))
            kept = undecided[:-step]
            if not await oracle.solvable(needed + kept):
                undecided = kept
                step *= 2
            elif step == 1:
                needed.append(undecided.pop())
            else:
                step //= 2
    except _BudgetSpentError:
        minimal = False
    found = sorted(needed + undecided)
    return Conflict(tuple(items[number] for number in found), minimal, oracle.asked)
