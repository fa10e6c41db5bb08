"""The health of one environment: its files, what its packages need of each other, its kernel."""

from __future__ import annotations

import shlex
from typing import TYPE_CHECKING

from kaa.environments.graph import read_graph
from kaa.environments.names import resolve_prefix
from kaa.environments.prefix import Prefix, read_info
from kaa.environments.registry import conda_environments_file, listed_prefixes
from kaa.model.errors import EnvironmentStateError, KaaError
from kaa.model.graph import Presence
from kaa.model.health import Check, Health, State
from kaa.settings.condarc import read_pinned
from kaa.solver.specs import parse_spec
from kaa.workflows.kernels import list_kernels
from kaa.workflows.verify import verify

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from kaa.model.environment import EnvironmentInfo
    from kaa.model.progress import Progress
    from kaa.model.verification import EnvironmentReport, Finding
    from kaa.store.layout import Layout


def examine(layout: Layout, name: str | None, prefix: Path | None, progress: Progress) -> Health:
    """Ask everything of an environment that can be asked without running it.

    Raises :class:`~kaa.model.errors.EnvironmentNotFoundError`.
    """
    verification = verify(layout, name, prefix, progress)
    found = Prefix(resolve_prefix(layout, name, prefix))
    report = verification.environments[0]
    ours = report.generation is not None
    checks = [
        _state(read_info(found), ours=ours),
        _files(report, found),
        _cache(len(verification.damaged), verification.entries),
        _needs(found),
        _by_hand(report, found, ours=ours),
        _pins(found),
        _registered(found),
        _kernel(layout, found),
    ]
    return Health(report.name, found.path, tuple(checks))


def _state(info: EnvironmentInfo, *, ours: bool) -> Check:
    question = "environment"
    if info.problem and ours:
        hint = f"kaa repair -p {shlex.quote(str(info.prefix))}"
        return Check(question, State.ILL, info.problem, hint=hint)
    python = f"Python {info.python}, " if info.python else ""
    kind = f"generation {info.generation}" if ours else "made by another program than kaa"
    return Check(question, State.SOUND, f"{python}{info.packages} packages, {kind}")


def _files(report: EnvironmentReport, found: Prefix) -> Check:
    question = "files"
    if not report.damage:
        return Check(question, State.SOUND, f"all {report.files} files are as they were installed")
    count = len(report.damage)
    return Check(
        question,
        State.ILL,
        f"{count} of {report.files} are damaged or missing",
        tuple(_told(finding) for finding in report.damage),
        f"kaa repair -p {shlex.quote(str(found.path))}"
        if report.generation is not None
        else "mend it with the program that made it",
    )


def _told(finding: Finding) -> str:
    whose = f" ({finding.package})" if finding.package else ""
    detail = f": {finding.detail}" if finding.detail else ""
    return f"{finding.kind.value} {finding.path}{whose}{detail}"


def _cache(damaged: int, entries: int) -> Check:
    if not damaged:
        return Check("package cache", State.SOUND, f"its {entries} packages there are sound")
    return Check(
        "package cache", State.ILL, f"{damaged} of {entries} are damaged", hint="kaa repair --all"
    )


def _needs(found: Prefix) -> Check:
    """Ask whether every package has what it needs, in a version that it accepts."""
    question = "dependencies"
    graph = read_graph(found.current, foreign=True)
    unmet = [
        f"{node.name} needs {need.label}, which is not there"
        for node in graph.nodes.values()
        for need in node.needs
        if graph.nodes[need.name].presence is Presence.MISSING
    ]
    try:
        unmet += _wrong_versions(found.current)
    except EnvironmentStateError as error:
        return Check(question, State.ILL, error.message, hint=error.hint)
    if not unmet:
        return Check(question, State.SOUND, "every package has what it needs")
    hint = f"kaa update -p {shlex.quote(str(found.path))} --all"
    return Check(question, State.ILL, f"{len(unmet)} are not met", tuple(unmet), hint)


def _wrong_versions(generation: Path) -> Iterator[str]:
    """Give a line for each package that has what it needs in a version that it does not accept."""
    from rattler import MatchSpec

    from kaa.environments.records import read_records

    records = {record.name.normalized: record for record in read_records(generation)}
    for record in records.values():
        for text in record.depends:
            spec = MatchSpec(text)
            there = records.get(spec.name.normalized) if spec.name else None
            # What hangs on a condition, the graph has decided; it is there or it is not needed.
            if there is not None and not spec.condition and not spec.matches(there):
                yield f"{record.name.normalized} needs {text}, and {there.version} is there"


def _by_hand(report: EnvironmentReport, found: Prefix, *, ours: bool) -> Check:
    question = "by hand"
    if not report.distributions:
        return Check(question, State.SOUND, "no other program has installed anything into it")
    hint = f"kaa adopt -p {shlex.quote(str(found.path))}" if ours else None
    finding = f"{len(report.distributions)} packages are pip's or another program's"
    return Check(question, State.NOTE, finding, report.distributions, hint)


def _pins(found: Prefix) -> Check:
    question = "pins"
    try:
        pins = read_pinned(found.path)
        for text in pins:
            parse_spec(text)
    except KaaError as error:
        file = found.path / "conda-meta" / "pinned"
        return Check(question, State.ILL, f"{file}: {error.message}", hint=error.hint)
    return Check(question, State.SOUND, f"{len(pins)} packages are pinned", pins)


def _registered(found: Prefix) -> Check:
    if found.path in listed_prefixes():
        return Check("register", State.SOUND, "it is on conda's list of environments")
    file = conda_environments_file()
    return Check("register", State.NOTE, f"it is not in {file}, where conda and editors look")


def _kernel(layout: Layout, found: Prefix) -> Check:
    question = "kernel"
    listing = list_kernels(layout)
    path = str(found.path)
    offers = [
        offer
        for offer in listing.offers
        # What has no language at all is in good health without a kernel.
        if offer.environment.prefix == path and offer.environment.facts.languages
    ]
    if not offers:
        return Check(question, State.NOTE, "it offers no Jupyter kernel")
    ill = next((offer for offer in offers if offer.reason), None)
    if ill is not None:
        return Check(question, State.ILL, f"it cannot run: {ill.reason}", hint="kaa kernels list")
    brought = "lent by kaa" if listing.brought_by(offers[0]) == "overlay" else "its own"
    return Check(question, State.SOUND, f"{offers[0].display_name}, {brought}")
