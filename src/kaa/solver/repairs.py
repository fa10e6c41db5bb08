"""Which changes to a refused request have an answer: one of them, or several at once."""

from __future__ import annotations

from typing import TYPE_CHECKING

from kaa.solver.fixes import AT_ONCE, SHOWN, Trials
from kaa.solver.refusal import read_refusal
from kaa.solver.relaxations import any_versions, hidden_names, leaving_out, relaxations
from kaa.solver.request import Solution
from kaa.solver.terms import Term, with_only

if TYPE_CHECKING:
    from collections.abc import Sequence

    from kaa.model.explanation import Fix
    from kaa.solver.fixes import Relaxation
    from kaa.solver.inquiry import Clash, Inquiry
    from kaa.solver.request import SolveRequest
    from kaa.solver.solve import Refusal

_MOST = 3
"""The most conflicts that are told of, and changes beside those of versions."""


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
    rest = [term for term in inquiry.terms if term not in clash.terms]
    answer = await inquiry.answer(with_only(inquiry.request, rest)) if rest else None
    if answer is None or isinstance(answer, Solution):
        return await trials.gentle(changes[AT_ONCE:]) or await trials.drastic(changes), []
    fix = await _several(inquiry, trials, clash, answer)
    others = [] if fix and inquiry.hurry() else await inquiry.others(clash, answer, _MOST - 1)
    return (fix,) if fix else (), others


async def _several(
    inquiry: Inquiry, trials: Trials[SolveRequest, Solution], clash: Clash, rest: Refusal
) -> Fix | None:
    """Return the fewest changes with which everything is solved, where one is not enough.

    ``rest`` is the refusal of what is left without the conflict. With any version of what both are
    about, or else of everything, there mostly is an answer. What that answer has is as it was
    asked for but for a few packages; those are the ones to try again.
    """
    tops = {node.name for node in read_refusal(rest.text)}
    likely = [term for term in inquiry.terms if term in clash.terms or term.name in tops]
    changes = any_versions(inquiry.request, likely)
    answer = await inquiry.answer(_changed(inquiry.request, changes)) if changes else None
    if not isinstance(answer, Solution):
        changes, answer = await _anything(inquiry, any_versions(inquiry.request, inquiry.terms))
    if not isinstance(answer, Solution):
        return None
    # What gives up most is taken back first; Python is the last to change.
    changes.sort(key=lambda one: (not one.last_resort, one.about != "python"))
    conflicts = [set(clash.terms), {term for term in inquiry.terms if term not in clash.terms}]

    def hopeless(fewer: Sequence[Relaxation[SolveRequest]]) -> bool:
        items = {one.item for one in fewer if isinstance(one.item, Term)}
        return len(items) == len(fewer) and not all(items & terms for terms in conflicts)

    return await trials.fewest(changes, answer, _needless, hopeless)


async def _anything(
    inquiry: Inquiry, changes: list[Relaxation[SolveRequest]]
) -> tuple[list[Relaxation[SolveRequest]], Solution | Refusal | None]:
    """Return changes beside those of all versions with which there is an answer, and that."""
    answer = await inquiry.answer(_changed(inquiry.request, changes))
    for _ in range(_MOST):
        if answer is None or isinstance(answer, Solution):
            break
        others = await _no_version_helps(inquiry.about(answer), inquiry.terms)
        if not others:
            break
        items = {one.item for one in others}
        changes = [*(one for one in changes if one.item not in items), *others]
        answer = await inquiry.answer(_changed(inquiry.request, changes))
    return changes, answer


async def _no_version_helps(
    inquiry: Inquiry, terms: Sequence[Term]
) -> list[Relaxation[SolveRequest]]:
    """Return what helps a request that leaves all versions open: a change that is not about them,
    or to do without a package, whatever is asked of it.

    ``terms`` are those of the request before they were left open.
    """
    clash = await inquiry.clash(inquiry.terms, inquiry.refusal)
    found = await _relaxations(inquiry, clash)
    gentle = [one for one in found if not (isinstance(one.item, Term) and not one.item.pin)]
    alone = Trials(with_only(inquiry.request, clash.terms), inquiry.solution, _versions)
    for change in gentle:
        if await alone.first([(change,)]):
            return [change]
    names = [term.name for term in clash.terms if term.name != "python"]
    wanted = [term for term in terms if term.name in names and not term.pin]
    return [
        leaving_out(term, term.spec) for term in wanted if term.spec and term.name == wanted[0].name
    ]


def _changed(request: SolveRequest, changes: Sequence[Relaxation[SolveRequest]]) -> SolveRequest:
    for change in changes:
        request = change.apply(request)
    return request


def _needless(answer: Solution, change: Relaxation[SolveRequest]) -> bool:
    """Say whether an answer has what was asked for before a version was left open."""
    from rattler import MatchSpec

    term = change.item
    if not isinstance(term, Term) or term.spec is None or change.change.after is None:
        return False
    if term.spec.source is not None:
        return False
    record = next((r for r in answer.records if r.name.normalized == term.name), None)
    conda = record is not None and record.url not in answer.files
    return record is not None and MatchSpec(term.spec.match_spec(term.name, conda=conda)).matches(
        record
    )


async def _relaxations(inquiry: Inquiry, clash: Clash) -> list[Relaxation[SolveRequest]]:
    wanted = dict.fromkeys([*(term.name for term in clash.terms), *hidden_names(clash.nodes)])
    holders = {name: await inquiry.shelves.holders(name) for name in wanted if name}
    return relaxations(inquiry.request, clash.terms, clash.nodes, holders)


def _versions(answer: Solution, about: Sequence[str]) -> str | None:
    packages = [record for record in answer.records if record.name.normalized in about]
    packages.sort(key=lambda record: about.index(record.name.normalized))
    return ", ".join(f"{one.name.normalized} {one.version}" for one in packages) or None
