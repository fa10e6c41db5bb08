"""Why a solve has no answer, in words, and what to type instead.

The smallest part of the request that has no answer by itself is found by solving parts of it; the
solver's account of that part alone is short, and told in plain words. Then changes to it are
tried on the whole request, and those that have an answer are proposed.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from kaa.model.errors import ConflictError, SolveError
from kaa.model.explanation import LINES, Explanation, MissingName, MissingVirtualPackage
from kaa.model.package import channel_url
from kaa.model.source import Kind
from kaa.solver.evidence import Evidence
from kaa.solver.inquiry import Inquiry
from kaa.solver.missing import (
    ALLOW_BUILDING,
    no_matching_version,
    rejections,
    unbuilt,
    unknown_names,
    without_version,
)
from kaa.solver.reasons import Facts, missing_names, names_to_read, reasons, unusable_names
from kaa.solver.refusal import Says
from kaa.solver.relaxations import promised
from kaa.solver.repairs import repairs
from kaa.sources.virtual_packages import split, version_of

if TYPE_CHECKING:
    from collections.abc import Iterable

    from kaa.model.source import Source
    from kaa.solver.inquiry import Attempt, Clash
    from kaa.solver.request import Catalog, SolveRequest
    from kaa.solver.solve import Refusal
    from kaa.solver.terms import Term


_REJECTIONS = 2
"""The most reasons that are given for not using versions of one project."""


async def explain(refusal: Refusal, catalog: Catalog, attempt: Attempt, took: float) -> SolveError:
    """Return the error for a request that was refused.

    ``attempt`` asks the solver; ``took`` are the seconds that the refusal took, which limit what
    its explanation may take.
    """
    unknown = await unknown_names(refusal.scene, refusal.source, catalog)
    if unknown is not None:
        return unknown
    inquiry = Inquiry(refusal, catalog, attempt, took)
    refusal = await inquiry.loosened()
    clash = await inquiry.clash(inquiry.terms, refusal)
    fixes, others = await repairs(inquiry, clash)
    besides = [_besides(other) for other in others if other.minimal]
    error = await _error_of_versions(clash)
    lines = (error.cause or "").splitlines() if error else await _reasons(inquiry, clash)
    explanation = Explanation(
        tuple(term.constraint for term in clash.terms),
        clash.minimal,
        (*lines, *besides),
        fixes,
        await _missing(inquiry, clash),
        _missing_virtual(inquiry, clash),
        clash.refusal.text.strip(),
    )
    if error is None:
        return _conflict(inquiry, clash, explanation)
    error.cause = "\n".join(explanation.cause_lines(LINES - 1 - len(explanation.fix_lines())))
    tried = explanation.fix_lines()
    if error.hint == ALLOW_BUILDING:
        tried.append(f"not tried: {ALLOW_BUILDING}" if tried else ALLOW_BUILDING)
    error.hint = "\n".join(tried) or error.hint
    error.explanation = explanation
    return error


async def _reasons(inquiry: Inquiry, clash: Clash) -> tuple[str, ...]:
    demands: dict[str, list[Term]] = {}
    for term in clash.terms:
        if term.restricts:
            demands.setdefault(term.name, []).append(term)
    evidence = Evidence(clash.refusal, inquiry.shelves)
    await evidence.read(names_to_read(clash.nodes))
    request = inquiry.request
    facts = Facts(
        {name: [term.constraint for term in own] for name, own in demands.items()},
        {name: version for name, version, _ in map(split, request.virtual_packages)},
        {name: lines for name in unusable_names(clash.nodes) if (lines := _rejected(clash, name))},
        lambda channel: _source(request, channel),
        evidence,
    )
    return reasons(clash.nodes, facts)


def _source(request: SolveRequest, channel: str) -> Source | None:
    for source in request.sources:
        if source.kind is not Kind.CONDA and channel == channel_url(source.kind.value):
            return source
    return request.source(channel)


def _rejected(clash: Clash, name: str) -> list[str]:
    project = clash.refusal.source.projects.get(name) if clash.refusal.source else None
    return rejections(project, list(project.rejected), _REJECTIONS) if project else []


def _besides(clash: Clash) -> str:
    texts = _texts(clash.terms, " and ")
    return f"besides, {texts} {'do not go together' if len(clash.terms) > 1 else 'cannot be had'}"


def _texts(terms: Iterable[Term], between: str) -> str:
    return between.join(f"`{term.constraint.text}`" for term in terms)


async def _missing(inquiry: Inquiry, clash: Clash) -> tuple[MissingName, ...]:
    evidence = Evidence(clash.refusal, inquiry.shelves)
    names = [name for name in missing_names(clash.nodes) if not name.startswith("__")]
    await evidence.read(names)
    return tuple(MissingName(name) for name in names if evidence.available(name) is None)


def _missing_virtual(inquiry: Inquiry, clash: Clash) -> tuple[MissingVirtualPackage, ...]:
    there = inquiry.request.virtual_packages
    return tuple(
        MissingVirtualPackage(need, version_of(name, there), f"--override {name}={version}")
        for name, (need, version) in promised(clash.nodes).items()
    )


def _conflict(inquiry: Inquiry, clash: Clash, explanation: Explanation) -> ConflictError:
    unbuilt_names = unbuilt(clash.refusal.source, unusable_names(clash.nodes))
    hint = explanation.fix_lines()
    if unbuilt_names:
        what = " and ".join(f"`{name}`" for name in unbuilt_names)
        hint.append(f"not tried, because of {what}: {ALLOW_BUILDING}")
    hint = hint or [_no_fix(inquiry, clash)]
    cause = explanation.cause_lines(LINES - 1 - len(hint))
    return ConflictError(
        "these requirements cannot be satisfied together"
        if len(clash.terms) > 1
        else f"{_texts(clash.terms, '')} cannot be installed",
        cause="\n".join(cause),
        hint="\n".join(hint),
        explanation=explanation,
    )


def _no_fix(inquiry: Inquiry, clash: Clash) -> str:
    asked = [term for term in clash.terms if term.restricts]
    if asked:
        what = f"loosen {_texts(asked, ' or ')}"
    elif len(clash.terms) > 1:
        what = f"do without {_texts(clash.terms, ' or ')}"
    else:
        what = "another channel (`-c`) or another platform may have what it needs"
    return what if inquiry.out_of_time else f"no change that was tried solves it; {what}"


async def _error_of_versions(clash: Clash) -> SolveError | None:
    """Return the error for one package that has versions, but not the one that was asked for."""
    if len({term.name for term in clash.terms}) > 1 or any(term.pin for term in clash.terms):
        return None
    refusal = clash.refusal
    error = without_version(clash.terms, refusal.source, refusal.scene.pythons)
    return error or await _no_conda_version(clash)


async def _no_conda_version(clash: Clash) -> SolveError | None:
    name, scene = clash.terms[0].name, clash.refusal.scene
    if name not in scene.channel_names or not clash.nodes:
        return None
    # a spec that matches nothing, or several that no version matches all of
    for node in clash.nodes:
        collides = bool(node.children) and node.children[0].says is Says.COLLIDES
        if node.says is not Says.MISSING and not (collides and len(clash.terms) > 1):
            return None
    records = await scene.channels.records(name)
    versions = sorted({record.version for record in records}, reverse=True)
    asked = _texts(clash.terms, " and ")
    where = [s.name for s in scene.request.channels if name in await scene.channels.names([s])]
    among = " and ".join(where) if scene.request.has_index else ""
    return no_matching_version(name, asked, [str(version) for version in versions], among)
