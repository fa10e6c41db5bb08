"""What nothing refers to any more, and what would be freed without it: the plan of a clean-up."""

from __future__ import annotations

import os
from dataclasses import dataclass, field, replace
from datetime import datetime, timezone
from pathlib import Path
from typing import TYPE_CHECKING

from kaa.doctor.accounting import Ledger
from kaa.doctor.places import find_orphans, own_prefixes
from kaa.doctor.references import python_minors, references
from kaa.doctor.usage import patient
from kaa.environments.history import read_history
from kaa.environments.prefix import GENERATIONS, Prefix
from kaa.environments.processes import users_among
from kaa.environments.registry import listed_prefixes
from kaa.environments.retention import superfluous
from kaa.kernels.dead import dead_foreign_kernelspecs, dead_kernelspecs
from kaa.kernels.overlay import overlay_of, overlay_prefix
from kaa.model.cleaning import CleanPlan, Item, Kind
from kaa.model.discovered import Maker
from kaa.store.bytecode import unfinished_in_layers
from kaa.store.eviction import cached_packages
from kaa.transaction.leftovers import find_leftovers

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from kaa.doctor.accounting import Links
    from kaa.environments.history import Generation
    from kaa.environments.running import Facts
    from kaa.model.cleaning import CleanRequest, Keep
    from kaa.model.progress import Progress
    from kaa.store.eviction import CachedPackage
    from kaa.store.layout import Layout

INDEX_CACHES = ("index", "metadata", "names", "repodata")
"""The caches of what sources say, below the layout's ``metadata``."""


@dataclass(slots=True)
class _Found:
    """An item, and the directories that go with it."""

    item: Item
    tops: tuple[str, ...]
    shared: bool = False
    """Whether it may go although its files have names that stay."""
    trees: frozenset[int] = field(default=frozenset())


def clean_plan(layout: Layout, request: CleanRequest, progress: Progress) -> CleanPlan:
    """Return what of the kinds of ``request`` nothing refers to, in the order it is to go.

    Reads directories and the list of processes, changes nothing.
    """
    kinds, notes = request.kinds, []
    found: list[_Found] = []
    if Kind.UNFINISHED in kinds:
        found += map(_of_item, unfinished(layout))
    if Kind.GENERATION in kinds:
        for prefix in own_prefixes(layout):
            generations, kept = surplus(prefix, request.keep)
            found += [_of_item(_generation(prefix, each)) for each in generations]
            notes += kept
    gone = {each.item.path for each in found if each.item.kind is Kind.GENERATION}
    if Kind.OVERLAY in kinds:
        overlays = unused_overlays(layout, gone)
        found += map(_overlay, overlays)
        gone |= {each.path for prefix in overlays for each in read_history(prefix)}
    if Kind.KERNEL in kinds:
        found += map(_of_item, _kernels())
        notes += _foreign_kernels()
    if Kind.LISTING in kinds:
        found += [_Found(_listing(path), ()) for path in dead_lines(layout)]
    if Kind.PACKAGE in kinds:
        found += _packages(layout, gone, everything=request.force_packages)
    if Kind.INDEX in kinds or Kind.CACHE in kinds:
        found += map(_of_item, _caches(layout, kinds))
    notes += [_orphan(prefix) for prefix in find_orphans(layout)]
    items, linked = _sized(found, progress)
    if linked:
        notes.append(
            f"{linked} packages that no environment refers to are kept: something that kaa does "
            "not know has links to their files"
        )
    return CleanPlan(tuple(items), tuple(notes))


def surplus(prefix: Prefix, keep: Keep) -> tuple[list[Generation], list[str]]:
    """Return the generations of an environment that may go, and what is kept since it is in use."""
    history = read_history(prefix)
    now = datetime.now(timezone.utc)
    number, switched = prefix.current_number, _switched(prefix)
    found = superfluous(history, number, keep, now, switched=switched)
    if not found or not _changeable(prefix):
        return [], []
    numbers = {each.number for each in found}
    in_use: dict[int, str] = {}
    for process in users_among(prefix, _running(), thorough=True):
        own = process.holds | ({process.generation} if process.generation is not None else set())
        for each in own & numbers:
            in_use[each] = f"{process.name} (process {process.pid})"
    found = superfluous(history, number, keep, now, switched=switched, in_use=in_use)
    notes = [
        f"generation {each} of {prefix.name} is kept: {user} uses it"
        for each, user in sorted(in_use.items())
    ]
    return found, notes


def unused_overlays(layout: Layout, without: set[Path]) -> list[Prefix]:
    """Return the kernel overlays for Pythons that no environment has, if nobody uses them.

    Environments that other programs made count as well, since their kernels are lent, too;
    interpreters by themselves do not.
    """
    needed = {overlay_prefix(layout, minor).name for minor in python_minors(layout, without)}
    found = [
        prefix
        for prefix in own_prefixes(layout)
        if prefix.path.parent == layout.overlays
        and prefix.name not in needed
        and prefix.current_number is not None
    ]
    if found:  # only then are everybody's environments looked for
        others = _minors_of_others(layout, without)
        needed |= {overlay_prefix(layout, minor).name for minor in others}
    return [
        prefix
        for prefix in found
        if prefix.name not in needed and not users_among(prefix, _running(), thorough=True)
    ]


def _minors_of_others(layout: Layout, without: set[Path]) -> Iterator[str]:
    from kaa.environments.discovery import discover

    for each in discover(layout, remember=False).environments:
        minor = overlay_of(each.facts)
        alone = each.maker in (Maker.KAA, Maker.SYSTEM, Maker.PYENV)
        if minor is not None and not alone and Path(each.prefix) not in without:
            yield minor


def dead_lines(layout: Layout) -> list[Path]:
    """Return the lines of conda's list that lead nowhere and are kaa's own.

    They are where kaa has environments. Where the directory is gone as well, a disk may only not
    be mounted.
    """
    return [
        path
        for path in listed_prefixes()
        if not os.path.lexists(path)
        and path.parent.is_dir()
        and (path.parent in layout.all_environments or (path.parent / GENERATIONS).is_dir())
    ]


def unfinished(layout: Layout) -> Iterator[Item]:
    """Give what killed processes have left, if nobody is at work."""
    found = (*find_leftovers(layout, *own_prefixes(layout)), *unfinished_in_layers(layout))
    for path in dict.fromkeys(found):
        yield Item(Kind.UNFINISHED, path.name, path, "its process is gone")


def unused_packages(
    layout: Layout, gone: set[Path], *, everything: bool = False
) -> Iterator[tuple[CachedPackage, tuple[str, ...], bool, str]]:
    """Give what of the package cache may go: package, layers, whether it goes itself, and why."""
    known = references(layout, gone)
    for package in cached_packages(layout):
        unused = tuple(x for x in package.layers if (package.name, x) not in known.compiled)
        if everything:
            yield package, package.layers, True, "all packages are to go"
        elif not package.whole:
            yield package, package.layers, True, "it is not complete"
        elif package.name not in known.packages:
            yield package, package.layers, True, "no environment has it"
        elif unused:
            yield package, unused, False, "no environment with this Python has it"


def _of_item(item: Item) -> _Found:
    return _Found(item, (os.fspath(item.path),), shared=True)


def _generation(prefix: Prefix, generation: Generation) -> Item:
    return Item(
        Kind.GENERATION,
        f"{prefix.name} {generation.number}",
        generation.path,
        "an old one that is not in use",
        prefix=prefix.path,
        number=generation.number,
    )


def _overlay(prefix: Prefix) -> _Found:
    item = Item(Kind.OVERLAY, prefix.name, prefix.path, "no environment has this Python")
    return _Found(item, (os.fspath(prefix.path), os.fspath(prefix.generations)), shared=True)


def _kernels() -> Iterator[Item]:
    for spec in dead_kernelspecs():
        why = f"its environment is gone: {spec.prefix}"
        yield Item(Kind.KERNEL, spec.name, spec.directory, why)


def _foreign_kernels() -> Iterator[str]:
    for spec in dead_foreign_kernelspecs():
        yield (
            f"the kernel {spec.name} cannot start: {spec.missing} is gone (it is another "
            "program's; to remove it: kaa kernels prune --foreign)"
        )


def _listing(path: Path) -> Item:
    return Item(Kind.LISTING, str(path), path, "there is nothing")


def _orphan(prefix: Prefix) -> str:
    numbers = [each.number for each in read_history(prefix) if each.on_disk]
    newest = max(numbers, default=0)
    return (
        f"{prefix.path} is gone, and its generations are still in {prefix.generations}: they are "
        f"left alone (to have it back: ln -s {GENERATIONS}/{prefix.name}/{newest} {prefix.path})"
    )


def _packages(layout: Layout, gone: set[Path], *, everything: bool) -> Iterator[_Found]:
    for package, layers, whole, why in unused_packages(layout, gone, everything=everything):
        paths = [
            path
            for path in package.paths
            if whole or (path.parent != layout.packages and path.parent.name in layers)
        ]
        name = package.name if whole else f"{package.name} ({', '.join(layers)})"
        path = layout.packages / package.name if whole else paths[0]
        locks = [f"{path}.lock" for path in {layout.packages / package.name, *paths}]
        tops = (*map(os.fspath, paths), *(locks if whole else ()))
        shared = everything or not whole or not package.whole
        yield _Found(Item(Kind.PACKAGE, name, path, why), tops, shared)


def _caches(layout: Layout, kinds: frozenset[Kind]) -> Iterator[Item]:
    if not layout.metadata.is_dir():
        return
    for path in sorted(layout.metadata.iterdir()):
        if path.name.startswith("."):
            continue
        kind = Kind.INDEX if path.name in INDEX_CACHES else Kind.CACHE
        if kind in kinds:
            yield Item(kind, path.name, path, "it is fetched or made again when it is needed")


def _sized(found: list[_Found], progress: Progress) -> tuple[list[Item], int]:
    """Return the items with what each of them frees, and how many stay since they are linked."""
    ledger = Ledger()
    steps = patient(progress, sum(len(each.tops) for each in found))
    for each in found:
        each.trees = frozenset(_count(ledger, each, steps.advance))
    steps.finish()
    shares = ledger.shares()
    going = _without_linked(found, shares)
    owner = {tree: index for index, each in enumerate(going) for tree in each.trees}
    sizes = [sum(ledger.tallies[tree].size for tree in each.trees) for each in going]
    for links in shares:
        if links.complete and all(tree in owner for tree in links.trees):
            sizes[max(owner[tree] for tree in links.trees)] += links.size
    items = [replace(each.item, size=size) for each, size in zip(going, sizes, strict=True)]
    return items, len(found) - len(going)


def _count(ledger: Ledger, found: _Found, advance: object) -> Iterator[int]:
    assert callable(advance)
    for top in found.tops:
        advance(found.item.name)
        yield ledger.count(top)


def _without_linked(found: Sequence[_Found], shares: Sequence[Links]) -> list[_Found]:
    """Leave out what must not go because its files have names that stay."""
    going = list(found)
    while True:
        trees = frozenset().union(*(each.trees for each in going))
        staying = frozenset(
            tree
            for links in shares
            if not links.complete or not trees.issuperset(links.trees)
            for tree in links.trees
        )
        kept = [each for each in going if each.shared or each.trees.isdisjoint(staying)]
        if len(kept) == len(going):
            return kept
        going = kept


def _running() -> Iterator[Facts]:
    from kaa.environments.running import running

    return running()


def _switched(prefix: Prefix) -> datetime | None:
    try:
        return datetime.fromtimestamp(prefix.path.lstat().st_mtime, timezone.utc)
    except (OSError, ValueError, OverflowError):
        return None


def _changeable(prefix: Prefix) -> bool:
    """Say whether generations are kaa's own and this user's to remove."""
    directory = prefix.generations
    elsewhere = directory.is_symlink() or directory.parent.is_symlink()
    return not elsewhere and os.access(directory, os.W_OK | os.X_OK)
