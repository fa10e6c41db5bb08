"""What everything takes on the disk and what of it is shared: ``kaa du``."""

from __future__ import annotations

import os
import time
from collections import Counter
from dataclasses import dataclass
from typing import TYPE_CHECKING

from kaa.doctor.accounting import Ledger
from kaa.doctor.places import find_places
from kaa.model.disk_use import DiskUse, GenerationUse, Holder, Shared, Space, Use
from kaa.model.progress import Phase

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path

    from kaa.doctor.accounting import Links
    from kaa.doctor.places import Place
    from kaa.model.progress import Progress
    from kaa.store.layout import Layout

_PATIENCE = 1.0
"""Seconds before progress is shown."""
_PACKAGES = frozenset({Holder.PACKAGES, Holder.FOREIGN_PACKAGES})


def disk_use(layout: Layout, progress: Progress, *more: Path) -> DiskUse:
    """Return what every environment and cache takes; ``more`` are prefixes that nobody lists.

    Only directories are read, and nothing is changed. What cannot be read counts as nothing.
    """
    places = find_places(layout, *more)
    count = _counted(places, progress)
    uses = sorted((_use(index, place, count) for index, place in enumerate(places)), key=_order)
    unreadable = sum(tally.unreadable for tally in count.ledger.tallies)
    return DiskUse(tuple(uses), count.ledger.total, unreadable)


def _order(use: Use) -> tuple[bool, int, str]:
    return not use.holder.is_environment, -use.space.freed, use.name


@dataclass(slots=True)
class Patient:
    """Shows progress once it takes long enough for anybody to wonder."""

    progress: Progress
    amount: int
    began: float
    done: int = 0
    shown: bool = False

    def advance(self, item: str) -> None:
        """Say that ``item`` is begun."""
        if not self.shown and time.monotonic() - self.began > _PATIENCE:
            self.shown = True
            self.progress.expect(Phase.DISK, self.amount)
            self.progress.advance(Phase.DISK, self.done, item)
        elif self.shown:
            self.progress.advance(Phase.DISK, 1, item)
        self.done += 1

    def finish(self) -> None:
        """Say that it is over."""
        if self.shown:
            self.progress.advance(Phase.DISK, 1)
            self.progress.finish(Phase.DISK)


def patient(progress: Progress, amount: int) -> Patient:
    """Return the progress of looking at ``amount`` directories, beginning now."""
    return Patient(progress, amount, time.monotonic())


@dataclass(frozen=True, slots=True)
class _Count:
    """All places, counted. ``owners`` says which place each directory of the ledger is in."""

    places: list[Place]
    ledger: Ledger
    owners: list[int]
    shares: list[Links]


def _counted(places: list[Place], progress: Progress) -> _Count:
    ledger = Ledger()
    owners = []
    every = frozenset(top for place in places for top in place.tops)
    steps = patient(progress, len(every))
    for index, place in enumerate(places):
        for top in place.tops:
            steps.advance(os.fspath(place.path))
            ledger.count(top, every)
            owners.append(index)
    steps.finish()
    return _Count(places, ledger, owners, ledger.shares())


def _use(index: int, place: Place, count: _Count) -> Use:
    trees = [tree for tree, owner in enumerate(count.owners) if owner == index]
    by_top = dict(zip(place.tops, trees, strict=True))
    own = frozenset(trees)
    generations = {number: frozenset({by_top[top]}) for number, top in place.generations}
    old = [trees for number, trees in generations.items() if number != place.current]
    return Use(
        place.holder,
        place.name,
        place.path,
        _space(own, own, count),
        _space(frozenset().union(*old), own, count).freed if place.current in generations else 0,
        tuple(
            GenerationUse(number, number == place.current, _space(trees, own, count))
            for number, trees in generations.items()
        ),
        place.maker,
    )


def _space(trees: frozenset[int], siblings: frozenset[int], count: _Count) -> Space:
    """Return what some directories take together; ``siblings`` are all of the same place."""
    tallies = [count.ledger.tallies[tree] for tree in trees]
    freed = sum(tally.size for tally in tallies)
    apparent = sum(tally.apparent for tally in tallies)
    shared: Counter[str] = Counter()
    for links in count.shares:
        others = [tree for tree in links.trees if tree not in trees]
        if len(others) == len(links.trees):
            continue
        apparent += links.apparent
        if links.complete and not others:
            freed += links.size
        else:
            shared[_whom(others, siblings, count)] += links.size
    files = sum(tally.files for tally in tallies)
    return Space(files, apparent, freed + sum(shared.values()), freed, Shared(**shared))


def _whom(others: Iterable[int], siblings: frozenset[int], count: _Count) -> str:
    """Return the field of :class:`Shared` for what has further names in these directories."""
    holders = {count.places[count.owners[t]].holder for t in others if t not in siblings}
    if not _PACKAGES.isdisjoint(holders):
        return "packages"
    if holders:
        return "environments"
    return "generations" if any(tree in siblings for tree in others) else "elsewhere"
