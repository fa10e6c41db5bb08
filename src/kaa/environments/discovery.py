"""Every environment of this machine, whoever made it, found by reading directories and files.

What was found is remembered with the times of modification that it hangs on, so that the next look
costs a few system calls for each environment. What does not answer (a network mount whose server is
gone) is left out, when nothing else has answered for :data:`PATIENCE` seconds either.
"""

# Paths are plain texts here, as in kaa.environments.finders and for its reason.
# ruff: noqa: PTH116, PTH119, PTH120

from __future__ import annotations

import os
import stat
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

from kaa.environments.facts import marks, read_facts
from kaa.environments.finders import directories_in, finders
from kaa.environments.looking import look_in_time
from kaa.environments.machine import Machine, Place
from kaa.environments.remembered import Entry, new_entry, read_entries, write_entries
from kaa.model.discovered import Discovered, Facts, Maker

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping
    from pathlib import Path

    from kaa.environments.looking import Look
    from kaa.store.layout import Layout

PATIENCE = 0.6
"""Seconds in which something has to answer for the rest to be waited for."""
_MIXED = frozenset({Maker.VENV, Maker.CONDA, Maker.PYENV})
"""Places in which environments of several programs lie: their own files know better."""
_ALL_IN_IT = f"{os.sep}*"
"""Behind a path: the list of what is in there, not the thing itself."""


@dataclass(frozen=True, slots=True)
class Discovery:
    """What was found, in order of label, and the places that did not answer in time."""

    environments: tuple[Discovered, ...]
    silent: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class _Candidate:
    """A prefix, and who says so: the order decides where several do."""

    order: tuple[int, ...]
    prefix: str
    maker: Maker
    name: str


def this_machine(roots: Iterable[str] = ()) -> Machine:
    """Return the machine as it is: this user's home, variables and working directory."""
    import sys

    try:
        directory = os.getcwd()  # noqa: PTH109
    except OSError:
        directory = ""
    return Machine(
        os.path.expanduser("~"),  # noqa: PTH111
        os.environ,
        sys.platform,
        directory,
        tuple(roots),
    )


def discover(layout: Layout, machine: Machine | None = None, *, remember: bool = True) -> Discovery:
    """Return the environments of this machine, and remember what was found, unless told not to.

    Raises nothing: what cannot be read is told of the environment, or left out.
    """
    machine = machine or this_machine()
    index = layout.metadata / "environments.json"
    search = _Search(machine, read_entries(index), architecture())
    late = look_in_time(search.beginning(layout), PATIENCE)
    found = dict(search.found)  # those who are late may still add to it
    entries = {prefix: entry for prefix, (entry, _) in found.items()}
    # Of what does not answer now, what is known stays for the time when it does.
    known = search.known
    remembered = entries | {path: known[path] for path in _beneath(late, known, entries)}
    if remember and remembered != known:
        write_entries(index, remembered)
    environments = [
        _discovered(candidate, facts)
        for candidate in sorted(search.candidates.copy().values(), key=lambda each: each.order)
        if candidate.prefix in entries and (facts := entries[candidate.prefix].facts) is not None
    ]
    identities = {prefix: identity for prefix, (_, identity) in found.items()}
    return Discovery(
        tuple(_labelled(_without_twins(environments, identities))),
        tuple(dict.fromkeys(path.removesuffix(_ALL_IN_IT) for path in late)),
    )


def _beneath(
    late: Iterable[str], known: Mapping[str, Entry], answered: Mapping[str, Entry]
) -> Iterator[str]:
    """Give what is known of paths that are late, and of those in directories that are."""
    paths = tuple(dict.fromkeys(path.removesuffix("*") for path in late))
    if paths:
        folders = tuple(path for path in paths if path.endswith(os.sep))
        for path in known:
            if path not in answered and (path in paths or path.startswith(folders)):
                yield path


@dataclass(frozen=True, slots=True)
class _Search:
    """One look at the machine; what its looks find is put into its dictionaries.

    ``found`` has what is known now of each prefix, and which directory it is whatever the path.
    """

    machine: Machine
    known: Mapping[str, Entry]
    architecture: str
    candidates: dict[str, _Candidate] = field(default_factory=dict)
    found: dict[str, tuple[Entry, tuple[int, int]]] = field(default_factory=dict)

    def beginning(self, layout: Layout) -> Iterator[Look]:
        """Give the looks that lead to all others, kaa's own environments first."""
        for number, folder in enumerate(layout.all_environments):
            yield f"{folder}{_ALL_IN_IT}", lambda f=folder, n=number: self._own(layout, f, n)  # type: ignore[misc]
        for number, (what, finder) in enumerate(finders(self.machine), start=1):
            yield what, lambda f=finder, n=number: self._places(f(self.machine), n)  # type: ignore[misc]

    def _own(self, layout: Layout, folder: Path, number: int) -> Iterator[Look]:
        from kaa.environments.registry import prefixes_in

        for prefix in prefixes_in(layout, folder):
            path = str(prefix.path)
            yield from self._candidate(_Candidate((0, number), path, Maker.KAA, prefix.path.name))

    def _places(self, places: Iterable[Place], number: int) -> Iterator[Look]:
        for count, place in enumerate(places):
            path = os.path.normpath(place.path)
            yield from self._at(place, path, place.depth if place.below else 0, (number, count))

    def _at(self, place: Place, path: str, depth: int, order: tuple[int, ...]) -> Iterator[Look]:
        if depth:
            yield path + _ALL_IN_IT, lambda: self._in(place, path, depth, order)
        else:
            name = place.name or place.named(path)
            yield from self._candidate(_Candidate(order, path, place.made_by(path), name))

    def _in(self, place: Place, path: str, depth: int, order: tuple[int, ...]) -> Iterator[Look]:
        for count, name in enumerate(directories_in(path)):
            if not name.startswith("."):
                below = f"{path.rstrip(os.sep)}{os.sep}{name}"
                yield from self._at(place, below, depth - 1, (*order, count))

    def _candidate(self, candidate: _Candidate) -> Iterator[Look]:
        prefix = candidate.prefix
        other = self.candidates.get(prefix)
        if other is None:
            yield prefix, lambda: self._read(prefix)
        if other is None or candidate.order < other.order:
            self.candidates[prefix] = candidate

    def _read(self, prefix: str) -> tuple[Look, ...]:
        """Find out what a prefix is, from memory where nothing has changed."""
        windows = self.machine.windows
        status = os.stat(prefix)
        if stat.S_ISDIR(status.st_mode):
            entry = self.known.get(prefix)
            if entry is None or entry.marks != marks(status, prefix, entry.facts, windows=windows):
                entry = None
            if entry is None or not entry.settled:
                facts = read_facts(prefix, self.architecture, windows=windows)
                new = new_entry(marks(status, prefix, facts, windows=windows), facts)
                same = entry is not None and (entry.facts, entry.settled) == (facts, new.settled)
                entry = entry if same else new
            assert entry is not None
            self.found[prefix] = (entry, (status.st_dev, status.st_ino))
        return ()


def architecture() -> str:
    """Return this machine's, as :func:`platform.machine` has it."""
    import platform

    return platform.machine()


def _discovered(candidate: _Candidate, facts: Facts) -> Discovered:
    maker = candidate.maker
    if maker in _MIXED and facts.maker is not None:
        maker = Maker(facts.maker)
    return Discovered(candidate.prefix, maker, candidate.name, candidate.name, facts)


def _without_twins(
    environments: Iterable[Discovered], identities: Mapping[str, tuple[int, int]]
) -> list[Discovered]:
    """Leave out what is the same directory under another path, through links."""
    found: dict[tuple[int, int], Discovered] = {}
    for environment in environments:
        found.setdefault(identities[environment.prefix], environment)
    return list(found.values())


def _labelled(environments: Iterable[Discovered]) -> list[Discovered]:
    """Return the environments in order of labels, which are distinct and as short as may be.

    Where several have one name, kaa's keeps it; others get their maker's name, then their
    directory's, then their whole path.
    """
    groups: dict[str, list[Discovered]] = {}
    for environment in environments:
        groups.setdefault(environment.name, []).append(environment)
    labelled = [each for group in groups.values() for each in _distinct(group)]
    return sorted(labelled, key=lambda each: (each.label.lower(), each.prefix))


def _distinct(group: list[Discovered]) -> list[Discovered]:
    if len(group) == 1:
        return group
    ways: tuple[Callable[[Discovered], str], ...] = (
        lambda each: each.name if each.maker is Maker.KAA else f"{each.name} ({each.maker.value})",
        lambda each: f"{each.name} ({_parent(each)})",
        lambda each: f"{each.name} ({each.prefix})",
    )
    labels: dict[str, str] = {}
    left = group
    for way in ways:
        taken = [way(each) for each in left]
        labels.update(
            {
                each.prefix: label
                for each, label in zip(left, taken, strict=True)
                if taken.count(label) == 1
            }
        )
        left = [each for each in left if each.prefix not in labels]
    return [replace(each, label=labels.get(each.prefix, each.prefix)) for each in group]


def _parent(environment: Discovered) -> str:
    """Return the directory that tells an environment from its namesakes."""
    parent = os.path.dirname(environment.prefix)
    if os.path.basename(parent) in ("envs", "versions", "venvs", "virtualenvs"):
        parent = os.path.dirname(parent)
    return os.path.basename(parent) or parent
