"""Parts of a refused request, put to the solver one after the other."""

from __future__ import annotations

import time
from dataclasses import dataclass
from typing import TYPE_CHECKING

from kaa.model.errors import KaaError
from kaa.solver.conflict import minimal_conflict
from kaa.solver.missing import Shelves
from kaa.solver.refusal import Node, names, read_refusal
from kaa.solver.request import Solution
from kaa.solver.terms import Term, terms_of, with_only

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Sequence

    from kaa.solver.request import Catalog, SolveRequest
    from kaa.solver.solve import Refusal

    Attempt = Callable[[SolveRequest, Catalog], Awaitable[Solution | Refusal]]

_ENOUGH = (4.0, 0.5)
_MOST = (8.0, 1.0)
"""How long an explanation may take: so many times as long as the refusal took, and never less than
so many seconds. After the first one fix is enough, after the second what is known has to do."""
_LONGEST = 20.0
"""Seconds that it may take at the most."""


@dataclass(frozen=True, slots=True)
class Clash:
    """Terms without an answer, the solver's account of them alone, and whether they are the
    fewest: without any one of them the others have an answer."""

    terms: tuple[Term, ...]
    refusal: Refusal
    nodes: tuple[Node, ...]
    minimal: bool


class Inquiry:
    """Asks about one refusal, for a time that depends on the seconds that it ``took``."""

    def __init__(self, refusal: Refusal, catalog: Catalog, attempt: Attempt, took: float) -> None:
        self.refusal = refusal
        self.request = refusal.scene.request
        self.terms = terms_of(refusal.scene)
        self.shelves = Shelves(refusal.scene, catalog)
        self.out_of_time = False
        """Whether something was left unasked because it took too long."""
        self._catalog = catalog
        self._attempt = attempt
        now = time.monotonic()
        self._enough = now + min(max(_ENOUGH[0] * took, _ENOUGH[1]), _LONGEST)
        self._end = now + min(max(_MOST[0] * took, _MOST[1]), _LONGEST)
        self._refusals: dict[frozenset[Term], Refusal] = {}

    def about(self, refusal: Refusal) -> Inquiry:
        """Return an inquiry about the refusal of another request, in the time that is left."""
        other = Inquiry(refusal, self._catalog, self._attempt, 0.0)
        other._enough, other._end = self._enough, self._end
        return other

    def hurry(self) -> bool:
        """Say whether it has taken so long that little more should be asked."""
        return time.monotonic() > self._enough

    async def answer(self, request: SolveRequest) -> Solution | Refusal | None:
        """Return what the solver says, None when it cannot be asked."""
        import asyncio

        left = self._end - time.monotonic()
        try:
            if left > 0:
                return await asyncio.wait_for(self._attempt(request, self._catalog), left)
        except (asyncio.TimeoutError, TimeoutError):
            pass
        except KaaError:  # what goes wrong for an explanation is not what went wrong
            return None
        self.out_of_time = True
        return None

    async def solution(self, request: SolveRequest) -> Solution | None:
        """Return the solver's answer, None when there is none or it cannot be asked."""
        answer = await self.answer(request)
        return answer if isinstance(answer, Solution) else None

    async def clash(self, terms: Sequence[Term], refusal: Refusal) -> Clash:
        """Return a minimal conflict among ``terms``, which were refused."""
        named = names(read_refusal(refusal.text))
        # A spec that names a source also gives access to it, so that others may have an answer
        # only beside it: it always stays, unless such specs have none among themselves.
        fixed = [term for term in terms if term.spec and term.spec.source and not term.pin]
        free = [term for term in terms if term not in fixed]
        if fixed and (not free or not await self._solvable(fixed)):
            refusal = self._refusals.get(frozenset(fixed), refusal)
            named = names(read_refusal(refusal.text))
            fixed, free = [], fixed
        likely = [term for term in free if term.name in named or term.spec is None]

        async def solvable(chosen: Sequence[Term]) -> bool:
            return await self._solvable([*chosen, *fixed])

        found = await minimal_conflict(free, solvable, likely)
        minimal = found.minimal and not self.out_of_time
        own = self._refusals.get(frozenset([*found.items, *fixed]), refusal)
        nodes = read_refusal(own.text)
        involved = names(nodes)
        kept = {*found.items, *(term for term in fixed if term.name in involved)}
        return Clash(tuple(term for term in terms if term in kept), own, nodes, minimal)

    async def others(self, first: Clash, refusal: Refusal, most: int) -> list[Clash]:
        """Return conflicts that share no term with ``first`` nor with each other.

        ``refusal`` is that of what is left without the terms of ``first``.
        """
        found: list[Clash] = []
        rest = [term for term in self.terms if term not in first.terms]
        answer: Solution | Refusal | None = refusal
        while answer is not None and not isinstance(answer, Solution):
            found.append(await self.clash(rest, answer))
            rest = [term for term in rest if term not in found[-1].terms]
            if len(found) == most or not rest:
                break
            answer = await self.answer(with_only(self.request, rest))
        return found

    async def _solvable(self, terms: Sequence[Term]) -> bool:
        answer = await self.answer(with_only(self.request, terms))
        if answer is None or isinstance(answer, Solution):
            return True  # what cannot be found out is not left out
        self._refusals[frozenset(terms)] = answer
        return False
