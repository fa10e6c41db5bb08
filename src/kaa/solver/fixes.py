"""Changes to an unsolvable request, kept only when the whole request was solved with them."""

from __future__ import annotations

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

    ``item`` is what it touches: of two changes to one item only one can be made. ``about`` is the
    package whose version in an answer is of interest then. ``last_resort`` are those that give up
    something that was asked for: they are tried when nothing else helps.
    """

    change: Change
    apply: Callable[[R], R]
    item: Hashable
    about: str | None = None
    last_resort: bool = False


class Trials(Generic[R, A]):
    """Tries changes on a request, within a budget of solves.

    ``attempt`` returns an answer of the solver or None, ``result`` what to tell of the packages in
    an answer that the changes are about. Once ``hurry`` says so, the first fix is enough.
    """

    def __init__(
        self,
        request: R,
        attempt: Callable[[R], Awaitable[A | None]],
        result: Callable[[A, Sequence[str]], str | None],
        budget: int = BUDGET,
        hurry: Callable[[], bool] = bool,
    ) -> None:
        self._request = request
        self._attempt = attempt
        self._result = result
        self._budget = budget
        self._hurry = hurry
        self.solves = 0
        """How often the solver was asked."""
        self.complete = True
        """Whether everything was tried that was to be."""

    async def gentle(
        self, relaxations: Sequence[Relaxation[R]], shown: int = SHOWN
    ) -> tuple[Fix, ...]:
        """Return which single ones of ``relaxations`` make the request solvable, in their order,
        without those of the last resort."""
        return await self.first([(one,) for one in relaxations if not one.last_resort], shown)

    async def drastic(
        self, relaxations: Sequence[Relaxation[R]], shown: int = SHOWN
    ) -> tuple[Fix, ...]:
        """Return the same for those of the last resort; if none of them solves, for pairs."""
        single = [(one,) for one in relaxations if one.last_resort]
        return await self.first(single, shown) or await self.first(list(pairs(relaxations)), shown)

    async def fewest(
        self,
        changes: Sequence[Relaxation[R]],
        answer: A,
        needless: Callable[[A, Relaxation[R]], bool],
        hopeless: Callable[[Sequence[Relaxation[R]]], bool] = lambda _changes: False,
    ) -> Fix:
        """Return as few of ``changes`` as make the request solvable together.

        ``answer`` is the one with all of them. They are taken back one by one in their order, so
        that those at the end are the likelier to stay. ``needless`` says that an answer is one
        without a change, too, and ``hopeless`` that changes are known not to be enough.
        """
        tried, left = list(changes), list(changes)
        for change in changes:
            left = [one for one in left if not needless(answer, one)]
            fewer = [one for one in left if one is not change]
            if len(fewer) == len(left) or not fewer or hopeless(fewer):
                continue  # without any change there is no answer
            other = await self._answer(fewer)
            if other is not None:
                answer, tried, left = other, fewer, fewer
        if tried != left:
            # the answer is one with these changes only, but not the one that the solver prefers
            last = None if self._hurry() else await self._answer(left)
            if last is None:
                return Fix(tuple(one.change for one in left))
            answer = last
        return self._fix(left, answer)

    async def first(
        self, sets: Sequence[tuple[Relaxation[R], ...]], shown: int = SHOWN
    ) -> tuple[Fix, ...]:
        """Try sets of changes, a few at a time, until ``shown`` of them solve.

        Whatever the order in which solves end, the same are returned, in the order of ``sets``.
        """
        fixes: list[Fix] = []
        for start in range(0, len(sets), AT_ONCE):
            if len(fixes) >= shown or (fixes and self._hurry()):
                break
            for tried, answer in await self._answers(sets[start : start + AT_ONCE]):
                if answer is not None:
                    fixes.append(self._fix(tried, answer))
        return tuple(fixes[:shown])

    def _fix(self, changes: Sequence[Relaxation[R]], answer: A) -> Fix:
        about = dict.fromkeys(one.about for one in changes if one.about)
        result = self._result(answer, tuple(about)) if about else None
        return Fix(tuple(one.change for one in changes), result)

    async def _answer(self, changes: Sequence[Relaxation[R]]) -> A | None:
        answers = await self._answers([tuple(changes)])
        return answers[0][1] if answers else None

    async def _answers(
        self, sets: Sequence[tuple[Relaxation[R], ...]]
    ) -> list[tuple[tuple[Relaxation[R], ...], A | None]]:
        """Try a few sets of changes at a time, as many as the budget has left."""
        import asyncio

        now = sets[: self._budget - self.solves]
        self.complete &= len(now) == len(sets)
        self.solves += len(now)
        return list(zip(now, await asyncio.gather(*map(self._try, now)), strict=True))

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
