"""Which changes to a refused request have an answer: across one conflict, or several."""

from __future__ import annotations

from typing import TYPE_CHECKING

from kaa.solver.fixes import AT_ONCE, SHOWN, Trials
from kaa.solver.relaxations import hidden_names, relaxations
from kaa.solver.terms import with_only

if TYPE_CHECKING:
    from collections.abc import Sequence

    from kaa.model.explanation import Fix
    from kaa.solver.fixes import Relaxation
    from kaa.solver.inquiry import Clash, Inquiry
    from kaa.solver.request import Solution, SolveRequest

MOST = 3
"""The most conflicts of one request that fixes are looked for across."""


async def repairs(inquiry: Inquiry, clash: Clash) -> tuple[tuple[Fix, ...], list[Clash]]:
    """Return fixes for a request with this conflict, and the other conflicts that were found.

    One change cannot be enough where there is another conflict in what is left. Mostly there is
    none, so the first changes that come to mind are tried before that is asked.
    """
    changes = await _relaxations(inquiry, clash)
    trials = Trials(inquiry.request, inquiry.solution, _versions, hurry=inquiry.hurry)
    fixes = await trials.gentle(changes[:AT_ONCE])
    if fixes:
        more = [] if inquiry.hurry() else changes[AT_ONCE:]
        return fixes + await trials.gentle(more, SHOWN - len(fixes)), []
    others = await inquiry.others(clash, MOST - 1)
    if not others:
        return await trials.gentle(changes[AT_ONCE:]) or await trials.drastic(changes), []
    # What does not help against its own conflict cannot help against all of them, and that is
    # much sooner found out.
    of_others = [(other, await _relaxations(inquiry, other)) for other in others]
    groups = [await _useful(inquiry, *pair) for pair in [(clash, changes), *of_others]]
    return await trials.first(combinations(groups)), others


async def _relaxations(inquiry: Inquiry, clash: Clash) -> list[Relaxation[SolveRequest]]:
    wanted = dict.fromkeys([*(term.name for term in clash.terms), *hidden_names(clash.nodes)])
    holders = {name: await inquiry.shelves.holders(name) for name in wanted if name}
    return relaxations(inquiry.request, clash.terms, clash.nodes, holders)


async def _useful(
    inquiry: Inquiry, clash: Clash, changes: Sequence[Relaxation[SolveRequest]]
) -> list[Relaxation[SolveRequest]]:
    alone = Trials(with_only(inquiry.request, clash.terms), inquiry.solution, _versions)
    gentle = [one for one in changes if not one.last_resort]
    # without one of the terms the others have an answer, as is known of a minimal conflict
    return [*await alone.useful(gentle), *(one for one in changes if one.last_resort)]


def _versions(answer: Solution, about: Sequence[str]) -> str | None:
    packages = [record for record in answer.records if record.name.normalized in about]
    packages.sort(key=lambda record: about.index(record.name.normalized))
    return ", ".join(f"{one.name.normalized} {one.version}" for one in packages) or None


def combinations(
    groups: Sequence[Sequence[Relaxation[SolveRequest]]],
) -> list[tuple[Relaxation[SolveRequest], ...]]:
    """Return one relaxation of each group: those without a last resort first, and of those the
    combinations of the gentlest."""
    found: list[tuple[tuple[int, int], tuple[Relaxation[SolveRequest], ...]]] = [((0, 0), ())]
    for group in groups:
        found = [
            ((drastic + one.last_resort, rank + place), (*chosen, one))
            for (drastic, rank), chosen in found
            for place, one in enumerate(group)
        ]
    return [chosen for _, chosen in sorted(found, key=lambda pair: pair[0])]
