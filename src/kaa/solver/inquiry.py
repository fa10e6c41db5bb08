"""Parts of a refused request, put to the solver one after the other."""

from __future__ import annotations

import time
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, TypeVar

from kaa.model.errors import KaaError
from kaa.model.source import Priority
from kaa.solver.conflict import minimal_conflict
from kaa.solver.missing import Shelves
from kaa.solver.refusal import Node, names, read_refusal, without_options
from kaa.solver.request import Solution
from kaa.solver.terms import Term, terms_of, with_only

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Collection, Sequence

    from kaa.solver.request import Catalog, SolveRequest
    from kaa.solver.solve import Refusal

    Attempt = Callable[[SolveRequest, Catalog], Awaitable[Solution | Refusal]]

T = TypeVar("T")
_ENOUGH = (4.0, 0.2)
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
        self._loosened: frozenset[str] = frozenset()
        """Names that conflicts were about, where the priority is flexible."""

    def about(self, refusal: Refusal) -> Inquiry:
        """Return an inquiry about the refusal of another request, in the time that is left."""
        other = Inquiry(refusal, self._catalog, self._attempt, 0.0)
        other._enough, other._end = self._enough, self._end
        return other

    async def loosened(self) -> Refusal:
        """Return the refusal to explain: with flexible priority that of no priority at all."""
        if self.request.priority is Priority.FLEXIBLE:
            answer = await self.answer(self.request)
            if answer is not None and not isinstance(answer, Solution):
                self.refusal = answer
        return self.refusal

    def hurry(self) -> bool:
        """Say whether it has taken so long that little more should be asked."""
        return time.monotonic() > self._enough

    async def answer(self, request: SolveRequest) -> Solution | Refusal | None:
        """Return what the solver says, None when it cannot be asked."""
        return await self._within(self._ask(request))

    async def _within(self, asking: Awaitable[T]) -> T | None:
        """Await the solver for as long as there is time left."""
        import asyncio

        left = self._end - time.monotonic()
        try:
            return await asyncio.wait_for(asking, max(left, 0.0))
        except (asyncio.TimeoutError, TimeoutError):
            pass
        except KaaError:  # what goes wrong for an explanation is not what went wrong
            return None
        self.out_of_time = True
        return None

    async def solution(self, request: SolveRequest) -> Solution | None:
        """Return the solver's answer, None when there is none or it cannot be asked."""
        answer = await self.answer(request)
        if isinstance(answer, Solution) and request.priority is Priority.FLEXIBLE:
            # There is one, which is known for little; what is in it depends on what is loosened.
            answer = await self._within(self._attempt(request, self._catalog))
        return answer if isinstance(answer, Solution) else None

    async def _ask(self, request: SolveRequest) -> Solution | Refusal:
        """Return an answer, whichever one, or the refusal."""
        if request.priority is not Priority.FLEXIBLE:
            return await self._attempt(request, self._catalog)
        # Flexible priority loosens the names of a conflict one after the other, which is a long
        # way to a refusal. All of them at once have an answer where one of them has.
        strict = replace(request, priority=Priority.STRICT)
        answer = await self._attempt(strict, self._catalog)
        free = request.loosened
        while not isinstance(answer, Solution):
            words = {*names(read_refusal(answer.text)), *self._loosened}
            more = answer.scene.channel_names & (words - free)
            if not more:
                break
            free |= more
            self._loosened |= more
            answer = await self._attempt(replace(strict, loosened=free), self._catalog)
        return answer

    async def clash(self, terms: Sequence[Term], refusal: Refusal) -> Clash:
        """Return a minimal conflict among ``terms``, which were refused."""
        alone = await self._alone(terms, refusal)
        if alone is not None:
            return alone
        likely = _likely(refusal)
        # A spec that names a source also gives access to it, so that others may have an answer
        # only beside it: it always stays, unless such specs have none among themselves.
        fixed = [term for term in terms if term.spec and term.spec.source and not term.pin]
        free = [term for term in terms if term not in fixed]
        if fixed and (not free or not await self._solvable(fixed)):
            refusal = self._refusals.get(frozenset(fixed), refusal)
            likely = _likely(refusal)
            fixed, free = [], fixed

        async def solvable(chosen: Sequence[Term]) -> bool:
            return await self._solvable([*chosen, *fixed])

        found = await minimal_conflict(free, solvable, [term for term in free if likely(term)])
        minimal = found.minimal and not self.out_of_time
        own = self._refusals.get(frozenset([*found.items, *fixed]), refusal)
        nodes = read_refusal(own.text)
        items = set(found.items)
        if not minimal and _is_proof(own):
            # what the solver's own account is about has no answer by itself
            items = set(filter(_likely(own), items)) or items
        involved = names(nodes)
        kept = {*items, *(term for term in fixed if term.name in involved)}
        clash = Clash(tuple(term for term in terms if term in kept), own, nodes, minimal)
        return await self._without_access(clash, items) if fixed and minimal else clash

    async def _alone(self, terms: Sequence[Term], refusal: Refusal) -> Clash | None:
        """Return the conflict of a single spec that nothing is as it says, if there is one.

        The refusal tells of such a spec, which is mostly right and costs one solve to know.
        """
        nothing = without_options(read_refusal(refusal.text))
        chosen = {term.name for term in terms if term.spec and term.spec.source}
        for term in terms:
            if term.pin or term.name not in nothing or not term.restricts:
                continue
            if term.name in chosen and not (term.spec and term.spec.source):
                continue  # by itself it would be of another source
            answer = await self.answer(with_only(self.request, [term]))
            if answer is not None and not isinstance(answer, Solution):
                nodes = read_refusal(answer.text)
                if term.name in without_options(nodes):
                    return Clash((term,), answer, nodes, True)
        return None

    async def _without_access(self, clash: Clash, items: Collection[Term]) -> Clash:
        """Return the same conflict with the fewest of the specs that name a source."""
        free = [term for term in clash.terms if term in items]
        fixed = [term for term in clash.terms if term not in items]
        if self.hurry() or len(fixed) < 1 or await self._solvable([*free, *fixed]):
            return clash
        kept: Sequence[Term] = ()
        if not free or await self._solvable(free):

            async def solvable(chosen: Sequence[Term]) -> bool:
                return await self._solvable([*free, *chosen])

            kept = (await minimal_conflict(fixed, solvable)).items
        own = self._refusals.get(frozenset([*free, *kept]))
        if own is None or self.out_of_time:
            return clash
        terms = tuple(term for term in clash.terms if term in items or term in kept)
        return Clash(terms, own, read_refusal(own.text), True)

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


def _likely(refusal: Refusal) -> Callable[[Term], bool]:
    """Return what says whether a term has a part in a refusal, as the solver tells it.

    A version that was asked for leaves others no candidates, without being told of itself.
    """
    nodes = read_refusal(refusal.text)
    tops, named = {node.name for node in nodes}, set(names(nodes))

    def likely(term: Term) -> bool:
        asked = term.name in tops or (term.restricts and term.name in named)
        return asked or term.spec is None

    return likely


def _is_proof(refusal: Refusal) -> bool:
    """Say whether an account is of all possibilities: where several Pythons were tried one by one,
    it is of the first of them."""
    return len({python.rpartition(".")[0] for python in refusal.scene.pythons}) < 2
