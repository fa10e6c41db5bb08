"""Kernelspecs on disk are kept what environments are: what has changed, what is gone.

Those of environments that other programs make are written once, by ``kaa kernels sync``; afterwards
whoever looks at the environments keeps them in step. Nobody else does: those programs do not know.
"""

from __future__ import annotations

import os
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar

from kaa.environments.discovery import PATIENCE
from kaa.environments.facts import read_facts
from kaa.environments.looking import look_in_time
from kaa.environments.prefix import Prefix
from kaa.kernels.command import kernelspec_content
from kaa.kernels.specs import (
    find_aliases,
    find_kernelspecs,
    is_gone,
    remove_specs,
    write_kernelspec,
    write_offer,
)
from kaa.model.discovered import Maker
from kaa.model.errors import KernelError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence

    from kaa.environments.looking import Look
    from kaa.kernels.offers import KernelOptions, Offer
    from kaa.kernels.specs import Kernelspec
    from kaa.store.layout import Layout


T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Steps:
    """What has to be done so that the disk says what there is.

    ``write`` are offers whose kernelspec says something else, ``remove`` the kernelspecs of what is
    gone, hidden, or called otherwise.
    """

    write: tuple[Offer, ...] = ()
    remove: tuple[Kernelspec, ...] = ()


@dataclass(frozen=True, slots=True)
class Taken:
    """What was done: kernels' names, and those that could not be written, with the reason."""

    written: tuple[str, ...] = ()
    removed: tuple[str, ...] = ()
    failed: tuple[tuple[str, KernelError], ...] = ()


def find_steps(offered: Sequence[Offer], layout: Layout, silent: Sequence[str] = ()) -> Steps:
    """Return what is out of step at user level.

    ``offered`` are all offers, those that are left out as well; ``silent`` are places that did not
    answer, of which nothing is known now. It does not wait for a file system that is dead.
    """
    specs, aliases = find_kernelspecs(), find_aliases()
    if not specs and not aliases:
        return Steps()
    by_kernel = {(offer.environment.prefix, offer.kernel_name): offer for offer in offered}
    seen = {offer.environment.prefix for offer in offered}
    unseen = {
        str(spec.prefix)
        for spec in (*specs, *aliases)
        if str(spec.prefix) not in seen and not _is_below(str(spec.prefix), silent)
    }
    gone = _in_time(unseen, _is_no_environment)
    write: list[Offer] = []
    remove: list[Kernelspec] = []
    for spec in specs:
        prefix = str(spec.prefix)
        offer = by_kernel.get((prefix, spec.kernel))
        if offer is None and spec.native:  # python2's and python3's are one
            offer = next((o for o in offered if o.environment.prefix == prefix and o.native), None)
        if offer is None:
            if gone.get(prefix, prefix in seen):
                remove.append(spec)
        elif offer.left_out is not None or (offer.reason is not None and _foreign(offer)):
            remove.append(spec)
        elif _foreign(offer) and spec.name != offer.id.lower():
            remove.append(spec)
            write.append(offer)
        elif _differs(spec, offer, layout):
            write.append(offer)
    remove += [alias for alias in aliases if gone.get(str(alias.prefix))]
    lost = [spec for spec in remove if spec.inode and gone.get(str(spec.prefix))]
    there = {(str(spec.prefix), spec.kernel) for spec in specs}
    write += _moved(
        lost, [o for o in offered if (o.environment.prefix, o.kernel_name) not in there]
    )
    return Steps(tuple(write), tuple(remove))


def take_steps(
    steps: Steps, layout: Layout, options: KernelOptions, *, write_all: Iterable[Offer] = ()
) -> Taken:
    """Take the steps, and write the kernelspecs of ``write_all`` as well.

    The caller holds the lock ``environments``. Raises nothing that a kernelspec can be at fault of.
    """
    written: list[str] = []
    removed: list[str] = []
    failed: list[tuple[str, KernelError]] = []
    for spec in steps.remove:
        try:
            removed += [each.name for each in remove_specs([spec])]
        except KernelError as error:
            failed.append((spec.name, error))
    done: set[str] = set()
    for offer in (*steps.write, *write_all):
        own = not _foreign(offer)
        key = offer.environment.prefix if own else offer.id
        if key in done:
            continue
        done.add(key)
        try:
            spec_written = _write(offer, layout, options) if own else write_offer(offer, layout)
            written.append(spec_written.name if spec_written else offer.id)
        except KernelError as error:
            failed.append((offer.id, error))
    return Taken(tuple(written), tuple(removed), tuple(failed))


def write_into(
    kernels: Path, offered: Iterable[Offer], layout: Layout, keep: frozenset[str] = frozenset()
) -> Taken:
    """Write the kernelspecs of offers into a directory of kernelspecs, and remove kaa's others.

    ``keep`` are names that stay.
    """
    written: dict[str, None] = {}
    failed = []
    for offer in offered:
        try:
            written[write_offer(offer, layout, kernels).name] = None
        except KernelError as error:
            failed.append((offer.id, error))
    kept = {*written, *keep, *(name.lower() for name, _ in failed)}
    removed = []
    for spec in find_kernelspecs(kernels):
        if spec.name not in kept:
            try:
                removed += [each.name for each in remove_specs([spec])]
            except KernelError as error:
                failed.append((spec.name, error))
    return Taken(tuple(written), tuple(removed), tuple(failed))


def _write(offer: Offer, layout: Layout, options: KernelOptions) -> Kernelspec | None:
    prefix = Prefix(Path(offer.environment.prefix))
    # Its label, since another environment of kaa's may have the same name.
    label = offer.environment.label
    return write_kernelspec(label, prefix.path, prefix.current, layout, options)


def _foreign(offer: Offer) -> bool:
    return offer.environment.maker is not Maker.KAA


def _is_below(path: str, places: Sequence[str]) -> bool:
    return any(path == place or path.startswith(place + os.sep) for place in places)


def _in_time(prefixes: Iterable[str], ask: Callable[[str], T]) -> dict[str, T]:
    """Return the answers by prefix, of those that answer in time."""
    answers: dict[str, T] = {}

    def look(prefix: str) -> tuple[Look, ...]:
        answers[prefix] = ask(prefix)
        return ()

    asked = list(prefixes)
    if asked:
        look_in_time(((prefix, partial(look, prefix)) for prefix in asked), PATIENCE)
    return answers.copy()


def _is_no_environment(prefix: str) -> bool:
    """Say whether nothing is at a path, or nothing that could run a kernel."""
    return is_gone(Path(prefix)) or read_facts(prefix, None, windows=os.name == "nt") is None


def _differs(spec: Kernelspec, offer: Offer, layout: Layout) -> bool:
    if _foreign(offer):
        said: Mapping[str, object] = kernelspec_content(offer, layout)
        return not _agrees(spec, offer) or spec.argv != tuple(said["argv"])  # type: ignore[arg-type]
    return not _agrees(spec, offer)


def _agrees(spec: Kernelspec, offer: Offer) -> bool:
    """Say whether a kernelspec has the name and the metadata of an offer; it may have more."""
    if spec.display_name != offer.display_name:
        return False
    expected = {**offer.metadata, "kaa": {**offer.metadata["kaa"]}}
    mark = expected.pop("kaa")
    said = spec.metadata
    return all(said.get(key) == value for key, value in expected.items()) and all(
        said["kaa"].get(key) == value for key, value in mark.items()
    )


def _moved(lost: Sequence[Kernelspec], new: Sequence[Offer]) -> list[Offer]:
    """Return the offers of environments that are called otherwise now: the same directories."""
    if not lost:
        return []
    prefixes = {offer.environment.prefix for offer in new}
    inodes = _in_time(prefixes, lambda prefix: os.stat(prefix).st_ino)  # noqa: PTH116
    was = {(spec.inode, spec.kernel, spec.maker) for spec in lost}
    return [
        offer
        for offer in new
        if (inodes.get(offer.environment.prefix), offer.kernel_name, offer.environment.maker.value)
        in was
        and offer.left_out is None
        and offer.reason is None
    ]
