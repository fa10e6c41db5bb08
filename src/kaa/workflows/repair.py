"""Put right what is damaged, and nothing else: verify, plan, fetch again, rebuild, carry over.

An environment is mended as it is changed: a new generation with the same packages is built from
the package cache, whose damaged entries have been fetched again, beside the others. Nobody writes
into files that are there, because the cache and other environments may share them.
"""

from __future__ import annotations

import asyncio
import logging
import shlex
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from kaa.environments.prefix import Prefix, read_info
from kaa.environments.registry import find_prefixes
from kaa.environments.writer import sole_writer_meanwhile
from kaa.model.environment import EnvironmentInfo, now
from kaa.model.errors import KaaError
from kaa.model.options import SolveOptions
from kaa.model.repair import RepairPlan, Unmended
from kaa.store.bytecode import clear_orphans, drop_compiled
from kaa.store.disk import check_writable, writing
from kaa.store.integrity import drop_entry
from kaa.transaction.cached import entry_of
from kaa.transaction.commit import check_current, commit_next_generation
from kaa.workflows.announce import announce
from kaa.workflows.bring import bring
from kaa.workflows.bytecode import compile_later
from kaa.workflows.direct_again import with_direct
from kaa.workflows.generation import link_generation
from kaa.workflows.inspect import find_environment, not_ours
from kaa.workflows.installed import solution_of
from kaa.workflows.recover import recover
from kaa.workflows.recovered import Recovered, recover_current, renewed
from kaa.workflows.supply import open_supply
from kaa.workflows.verify import verify, verify_all

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Iterable

    from kaa.model.progress import Progress
    from kaa.model.verification import EntryReport, EnvironmentReport, Verification
    from kaa.store.layout import Layout

_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class RepairRequest:
    """What is to be mended: one environment, or with ``everything`` all and the package cache.

    ``command`` is the command line, for the history; ``dry_run`` says that nothing is going to be
    carried out.
    """

    name: str | None
    prefix: Path | None
    command: str
    everything: bool = False
    offline: bool = False
    dry_run: bool = False


@dataclass(frozen=True, slots=True)
class Repair:
    """An environment that is going to be mended; ``recovered`` is what it is to be again."""

    plan: RepairPlan
    found: Prefix
    recovered: Recovered | None


@dataclass(frozen=True, slots=True)
class Repairs:
    """All that is going to be mended; ``unused`` are damaged entries that no environment has.

    They are not fetched again but forgotten, as nobody needs them now.
    """

    request: RepairRequest
    repairs: tuple[Repair, ...]
    unused: tuple[EntryReport, ...] = ()
    sound: int = 0

    @property
    def nothing_to_do(self) -> bool:
        """Whether there is nothing that can be mended."""
        return not self.unused and all(each.plan.nothing_to_do for each in self.repairs)


@dataclass(slots=True)
class Outcome:
    """What was mended, and the errors that kept the rest from it, by the environment's name."""

    mended: list[EnvironmentInfo] = field(default_factory=list)
    failed: dict[str, KaaError] = field(default_factory=dict)


@asynccontextmanager
async def prepare_repair(
    request: RepairRequest, layout: Layout, progress: Progress
) -> AsyncIterator[Repairs]:
    """Look for damage and plan what to do about it, for :func:`carry_out_repair`.

    The damaged environments have no other writer during the block, unless it is a dry run. Raises
    :class:`~kaa.model.errors.EnvironmentStateError` for an environment of which too little is
    left, and :class:`~kaa.model.errors.UnsupportedError` for one that another program made.
    """
    found = await asyncio.to_thread(_look, request, layout, progress)
    damaged = [each for each in found.environments if each.damage or not request.everything]
    async with AsyncExitStack() as stack:
        repairs = []
        for report in sorted(damaged, key=lambda each: str(each.prefix)):
            prefix = Prefix(report.prefix)
            if report.generation is None:
                raise not_ours(
                    prefix,
                    cause="it is no link to a generation, which alone can be rebuilt",
                    hint="mend it with the program that made it",
                )
            if not request.dry_run:
                check_writable(prefix.generations)
                await stack.enter_async_context(sole_writer_meanwhile(prefix, request.command))
                await asyncio.to_thread(recover, layout, prefix)
            check_current(prefix, report.generation)
            repairs.append(_plan(report, found.damaged, layout, alone=not request.everything))
        wanted = {each.entry for repair in repairs for each in repair.plan.fetched}
        unused = tuple(each for each in found.damaged if each.entry not in wanted)
        sound = len(found.environments) - len(damaged)
        yield Repairs(request, tuple(repairs), unused if request.everything else (), sound)


async def carry_out_repair(repairs: Repairs, layout: Layout, progress: Progress) -> Outcome:
    """Do what the plans say: each environment as a whole or not at all.

    What keeps one of several from being mended is in the outcome, and the others go on. Raises it
    where there is one only.
    """
    outcome = Outcome()
    for entry in repairs.unused:
        _forget(entry, layout)
    for repair in repairs.repairs:
        if repair.plan.nothing_to_do:
            announce(repair.found, layout)  # its kernel may be what is broken
            continue
        try:
            outcome.mended.append(await _carry_out(repair, repairs.request, layout, progress))
        except KaaError as error:
            if not repairs.request.everything:
                raise
            outcome.failed[repair.plan.name] = error
    with writing(layout.packages):
        clear_orphans(layout)
    return outcome


def _look(request: RepairRequest, layout: Layout, progress: Progress) -> Verification:
    if request.everything:
        return verify_all(layout, progress)
    found = find_environment(layout, request.name, request.prefix)
    return verify(layout, None, found.path, progress)


def _plan(
    report: EnvironmentReport, damaged: Iterable[EntryReport], layout: Layout, *, alone: bool
) -> Repair:
    prefix = Prefix(report.prefix)
    own = [each for each in report.damage if not each.foreign]
    recovered = recover_current(prefix, own)
    entries = {entry_of(record) for record in recovered.records}
    fetched = tuple(each for each in damaged if each.entry in entries)
    plan = RepairPlan(
        report.name,
        report.prefix,
        report.generation,
        report,
        fetched,
        recovered.rebuilt,
        recovered.number if recovered.number != report.generation else None,
        _others(prefix, fetched, layout) if alone else (),
        _unmended(report),
        rebuild=bool(own),
    )
    return Repair(plan, prefix, recovered)


def _others(prefix: Prefix, fetched: Iterable[EntryReport], layout: Layout) -> tuple[str, ...]:
    """Return the environments that were linked from damaged entries, too."""
    records = [f"conda-meta/{each.entry}.json" for each in fetched]
    return tuple(
        other.name
        for other in find_prefixes(layout)
        if other.path != prefix.path and any((other.path / name).is_file() for name in records)
    )


def _unmended(report: EnvironmentReport) -> tuple[Unmended, ...]:
    by_name: dict[str, list[int]] = {}
    foreign = [each for each in report.damage if each.foreign]
    for number, each in enumerate(foreign):
        by_name.setdefault(each.package or each.path, []).append(number)
    versions = dict(each.rpartition(" ")[::2] for each in report.distributions)
    return tuple(
        Unmended(
            name,
            tuple(foreign[number] for number in numbers),
            _reinstallation(report, name, versions.get(name)),
        )
        for name, numbers in by_name.items()
    )


def _reinstallation(report: EnvironmentReport, name: str, version: str | None) -> str:
    wanted = f"{name}=={version}" if version else name
    pip = ["python", "-m", "pip", "install", "--force-reinstall", "--no-deps", wanted]
    return shlex.join(["kaa", "run", "-p", str(report.prefix), *pip])


async def _carry_out(
    repair: Repair, request: RepairRequest, layout: Layout, progress: Progress
) -> EnvironmentInfo:
    prefix, plan, recovered = repair.found, repair.plan, repair.recovered
    assert recovered is not None
    assert plan.generation is not None
    check_current(prefix, plan.generation)
    sources = recovered.manifest.sources
    options = SolveOptions(sources=sources, offline=request.offline)
    in_layers = [each.entry for each in plan.fetched if each.layer is not None]
    again = [each.entry for each in plan.fetched if each.layer is None]
    with writing(layout.packages):
        for entry in in_layers:
            drop_compiled(layout, entry)
    async with open_supply(layout, options, progress, prefix=recovered.path) as supply:
        solution = await solution_of(recovered.records, supply)
        solution = await with_direct(solution, recovered.manifest.specs, again, layout, supply)
        await bring(solution, layout, supply, progress, supply.sources(()), again)
        if plan.rebuild:
            manifest = renewed(recovered.manifest, prefix, request.command, now())

            def commit(staging: Path) -> None:
                assert plan.generation is not None
                commit_next_generation(prefix, staging, manifest, plan.generation)

            moved = plan.report.moved_from
            await link_generation(
                solution,
                recovered.requested,
                prefix,
                layout,
                progress,
                old=recovered.path,
                commit=commit,
                left=Path(moved) if moved is not None else None,
                repair=True,
            )
        configuration = supply.configuration
    announce(prefix, layout)
    compile_later(solution.records, prefix, layout, configuration)
    return read_info(prefix)


def _forget(report: EntryReport, layout: Layout) -> None:
    """Let a damaged entry count no longer that no environment needs."""
    if report.layer is not None:
        with writing(layout.packages):
            drop_compiled(layout, report.entry)
    else:
        drop_entry(layout, report.entry)
