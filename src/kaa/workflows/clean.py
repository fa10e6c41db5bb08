"""Clean away what nothing refers to: old generations, unused packages, dead kernels."""

from __future__ import annotations

import contextlib
import os
from dataclasses import replace
from typing import TYPE_CHECKING

from kaa.doctor.cleaning import (
    clean_plan,
    dead_lines,
    surplus,
    unfinished,
    unused_overlays,
    unused_packages,
)
from kaa.environments.prefix import Prefix
from kaa.environments.registry import unregister
from kaa.environments.writer import writer_if_free
from kaa.kernels.dead import dead_kernelspecs
from kaa.model.cleaning import Cleaned, CleanPlan, CleanRequest, Item, Kind
from kaa.model.errors import KaaError, StoreError
from kaa.model.progress import Phase
from kaa.store.deletion import delete_counted
from kaa.store.disk import disk_error
from kaa.store.eviction import evict
from kaa.store.locks import alone, at_work, locked
from kaa.store.run_token import random_text
from kaa.transaction.commit import REMOVED, detach
from kaa.transaction.prune import prune_generation

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from kaa.model.progress import Progress
    from kaa.store.layout import Layout

__all__ = ["carry_out_clean", "plan_clean"]

_UNDISTURBED = (Kind.UNFINISHED, Kind.OVERLAY, Kind.PACKAGE, Kind.INDEX, Kind.CACHE)
"""What another kaa at work could be about to use, whatever it does."""


def plan_clean(layout: Layout, request: CleanRequest, progress: Progress) -> CleanPlan:
    """Return what can go, and what that frees. Nothing is changed.

    What is unfinished is left out while another process is at work, and where lock files cannot
    be written, so that nobody knows.
    """
    if Kind.UNFINISHED in request.kinds and layout.root.is_dir() and not _undisturbed_now(layout):
        request = replace(request, kinds=request.kinds - {Kind.UNFINISHED})
    return clean_plan(layout, request, progress)


def _undisturbed_now(layout: Layout) -> bool:
    try:
        with alone(layout) as undisturbed:
            return undisturbed
    except StoreError:
        return False


def carry_out_clean(
    plan: CleanPlan, request: CleanRequest, layout: Layout, progress: Progress
) -> Cleaned:
    """Remove what the plan says, as far as nothing refers to it now either, and count.

    Each thing goes as a whole or not at all, and what does not go is told, with the reason: an
    environment that is being changed keeps its generations, and while another kaa is at work
    below the same root the package cache stays as it is.
    """
    done = _Done(progress, len(plan.items))
    of_kind = {kind: [item for item in plan.items if item.kind is kind] for kind in Kind}
    _prune(of_kind[Kind.GENERATION], request, layout, done)
    for item in of_kind[Kind.KERNEL]:
        with done.attempt(item):
            if any(spec.directory == item.path for spec in dead_kernelspecs()):
                done.remove(item, [item.path])
    for item in of_kind[Kind.LISTING]:
        with done.attempt(item):
            if item.path in dead_lines(layout):
                unregister(layout, item.path)
                done.remove(item, [])
    _undisturbed([i for kind in _UNDISTURBED for i in of_kind[kind]], request, layout, done)
    return done.answer()


class _Done:
    """What was done, and what not, and how far it is."""

    def __init__(self, progress: Progress, amount: int) -> None:
        self._progress = progress
        self._items: list[Item] = []
        self._notes: list[str] = []
        self._freed = 0
        progress.expect(Phase.DISK, amount)

    @contextlib.contextmanager
    def attempt(self, item: Item) -> Iterator[None]:
        """Go on with the next item when this one cannot be removed, and say so."""
        self._progress.advance(Phase.DISK, 0, item.name)
        try:
            yield
        except KaaError as error:
            cause = f": {error.cause}" if error.cause else ""
            self.skip(f"{item.name} stays: {error.message}{cause}")
        except OSError as error:
            self.skip(f"{item.name} stays: {disk_error(error, item.path).cause}")
        self._progress.advance(Phase.DISK, 1)

    def remove(self, item: Item, paths: list[Path]) -> None:
        """Delete what nobody can see any more."""
        self._freed += sum(map(delete_counted, paths))
        self._items.append(item)
        if any(map(os.path.lexists, paths)):
            self.skip(f"not all of {item.name} could be deleted; the next kaa tries again")

    def skip(self, note: str) -> None:
        """Remember what people should know."""
        self._notes.append(note)

    def answer(self) -> Cleaned:
        """Return all of it."""
        self._progress.finish(Phase.DISK)
        return Cleaned(tuple(self._items), self._freed, tuple(self._notes))


def _prune(items: list[Item], request: CleanRequest, layout: Layout, done: _Done) -> None:
    for path in dict.fromkeys(item.prefix for item in items):
        assert path is not None
        prefix = Prefix(path)
        planned = {item.number: item for item in items if item.prefix == path}
        first = next(iter(planned.values()))
        pruned: list[tuple[Item, Path]] = []
        # At work, so that nobody clears away what is kept of a generation while it is written.
        with (
            done.attempt(first),
            at_work(layout),
            writer_if_free(prefix, request.command) as free,
        ):
            if not free:
                done.skip(f"{prefix.name} is being changed just now: its generations stay")
                continue
            found, notes = surplus(prefix, request.keep)
            for note in notes:
                done.skip(note)
            for generation in found:
                if generation.number in planned:
                    item = planned[generation.number]
                    pruned.append((item, prune_generation(prefix, generation)))
        # Not while others wait, since it may take long.
        for item, doomed in pruned:
            done.remove(item, [doomed])


def _undisturbed(items: list[Item], request: CleanRequest, layout: Layout, done: _Done) -> None:
    if not items:
        return
    doomed: list[tuple[Item, list[Path]]] = []
    with alone(layout) as undisturbed:
        if not undisturbed:
            kinds = ", ".join(dict.fromkeys(item.kind.value for item in items))
            done.skip(f"another kaa is at work in {layout.root}: what it may need stays ({kinds})")
            return
        leavers = _Leavers(layout, request)
        for item in items:
            with done.attempt(item):
                paths = leavers.leave(item)
                if paths is not None:
                    doomed.append((item, paths))
    for item, paths in doomed:
        done.remove(item, paths)


class _Leavers:
    """Takes out of sight what nothing refers to at this moment, to be deleted later."""

    def __init__(self, layout: Layout, request: CleanRequest) -> None:
        self._layout = layout
        self._request = request
        self._found: dict[Path, tuple[str, tuple[str, ...], bool]] | None = None
        kinds = request.kinds
        self._unfinished = (
            {item.path for item in unfinished(layout)} if Kind.UNFINISHED in kinds else set()
        )
        self._overlays = (
            {prefix.path for prefix in unused_overlays(layout, set())}
            if Kind.OVERLAY in kinds
            else set()
        )

    def leave(self, item: Item) -> list[Path] | None:
        """Return what is to be deleted of an item, None if there is a reason to keep it now."""
        if item.kind is Kind.UNFINISHED:
            return [item.path] if item.path in self._unfinished else None
        if item.kind is Kind.OVERLAY:
            return self._leave_overlay(item) if item.path in self._overlays else None
        if item.kind is Kind.PACKAGE:
            return self._leave_package(item)
        if not os.path.lexists(item.path):
            return None
        beside = item.path.with_name(f"{REMOVED}{item.name}-{random_text(4)}")
        item.path.replace(beside)
        return [beside]

    def _leave_overlay(self, item: Item) -> list[Path]:
        with locked(self._layout, "environments"):
            return [detach(Prefix(item.path))]

    def _leave_package(self, item: Item) -> list[Path] | None:
        found = self._packages().get(item.path)
        if found is None:
            return None
        name, layers, base = found
        return evict(self._layout, name, layers, base=base)

    def _packages(self) -> dict[Path, tuple[str, tuple[str, ...], bool]]:
        """Return how to evict what goes, by the items' paths; asked once overlays are gone."""
        if self._found is None:
            everything = self._request.force_packages
            self._found = {}
            for package, layers, base, _ in unused_packages(
                self._layout, set(), everything=everything
            ):
                path = self._layout.packages / package.name
                if not base:
                    path = next(p for p in package.paths if p.parent.name in layers)
                self._found[path] = (package.name, layers, base)
        return self._found
