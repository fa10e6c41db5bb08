"""Changes to an unsolvable request, kept only when the whole request was solved with them."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from typing import TYPE_CHECKING, Generic, TypeVar

from kaa.model.explanation import Fix

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Hashable, Iterator, Sequence

    from kaa.model.explanation import Change

R = TypeVar("R")
A = TypeVar("A")

SHOWN = 3
"""The most fixes that are looked for."""
BUDGET = 12
"""How many solves looking for fixes may cost, unless the caller says."""
AT_ONCE = 2
"""How many solves run at a time: rattler solves outside of Python's lock."""


@dataclass(frozen=True, slots=True)
class Relaxation(Generic[R]):
    """A change that may make a request solvable.

    ``item`` is what it touches: of two changes to one item only one can be made. ``last_resort``
    are those that give up something that was asked for: they are tried when nothing else helps.
    """

    change: Change
    apply: Callable[[R], R]
    item: Hashable
    last_resort: bool = False


class Trials(Generic[R, A]):
    """Tries changes on a request, within a budget of solves.

    ``attempt`` returns an answer of the solver or None, ``result`` what to tell of an answer.
    """

    def __init__(
        self,
        request: R,
        attempt: Callable[[R], Awaitable[A | None]],
        result: Callable[[A, tuple[Change, ...]], str | None],
        budget: int = BUDGET,
    ) -> None:
        self._request = request
        self._attempt = attempt
        self._result = result
        self._budget = budget
        self.solves = 0
        """How often the solver was asked."""
        self.complete = True
        """Whether everything was tried that was to be."""

    async def fixes(
        self, relaxations: Sequence[Relaxation[R]], shown: int = SHOWN
    ) -> tuple[Fix, ...]:
        """Return which of ``relaxations``, the least intrusive first, make the request solvable.

        Single changes first, without those of the last resort; if none solves, those too; if none
        does, pairs.
        """
        gentle = [(one,) for one in relaxations if not one.last_resort]
        drastic = [(one,) for one in relaxations if one.last_resort]
        return (
            await self.first(gentle, shown)
            or await self.first(drastic, shown)
            or await self.first(list(pairs(relaxations)), shown)
        )

    async def first(
        self, sets: Sequence[tuple[Relaxation[R], ...]], shown: int = SHOWN
    ) -> tuple[Fix, ...]:
        """Try sets of changes, a few at a time, until ``shown`` of them solve.

        Whatever the order in which solves end, the same are returned, in the order of ``sets``.
        """
        fixes: list[Fix] = []
        todo = list(sets)
        while todo and len(fixes) < shown:
            width = min(AT_ONCE, self._budget - self.solves)
            if width <= 0:
                self.complete = False
                break
            now, todo = todo[:width], todo[width:]
            self.solves += len(now)
            answers = await asyncio.gather(*(self._try(changes) for changes in now))
            for tried, answer in zip(now, answers, strict=True):
                if answer is not None:
                    changes = tuple(relaxation.change for relaxation in tried)
                    fixes.append(Fix(changes, self._result(answer, changes)))
        return tuple(fixes[:shown])

    async def _try(self, changes: Sequence[Relaxation[R]]) -> A | None:
        request = self._request
        for relaxation in changes:
            request = relaxation.apply(request)
        return await self._attempt(request)


def pairs(relaxations: Sequence[Relaxation[R]]) -> Iterator[tuple[Relaxation[R], ...]]:
    """Yield pairs of changes to different items: the gentler both are, the sooner."""
    for total in range(1, 2 * len(relaxations) - 2):
        for low in range((total + 1) // 2):
            high = total - low
            if high < len(relaxations) and relaxations[low].item != relaxations[high].item:
                yield relaxations[low], relaxations[high]
