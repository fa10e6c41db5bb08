"""Every environment of this machine, whoever made it, found by reading directories and files.

What was found is remembered with the times of modification that it hangs on, so that the next look
costs a few system calls for each environment. Places that do not answer (a network mount whose
server is gone) are waited for once, for :data:`PATIENCE` seconds all together, and then left out.
"""

# Paths are plain texts here, as in kaa.environments.finders and for its reason.
# ruff: noqa: PTH112, PTH118, PTH119, PTH120

from __future__ import annotations

import contextlib
import json
import os
import threading
import time
from collections import deque
from dataclasses import asdict, dataclass, replace
from typing import TYPE_CHECKING, Any, TypeVar

from kaa.environments.facts import marks, read_facts
from kaa.environments.finders import FINDERS, Machine, Place, directories_in
from kaa.model.discovered import Discovered, Facts, InnerKernel, Maker

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping
    from pathlib import Path

    from kaa.store.layout import Layout

T = TypeVar("T")
R = TypeVar("R")

PATIENCE = 0.45
"""Seconds that all places have to answer in, and then all environments that are in them."""
_FORMAT = 1
_WORKERS = 8
_MIXED = frozenset({Maker.VENV, Maker.CONDA, Maker.PYENV})
"""Places in which environments of several programs lie: their own files know better."""


@dataclass(frozen=True, slots=True)
class Discovery:
    """What was found, in order of label, and the places that did not answer in time."""

    environments: tuple[Discovered, ...]
    silent: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class _Candidate:
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


def discover(layout: Layout, machine: Machine | None = None) -> Discovery:
    """Return the environments of this machine, and remember what was found.

    Raises nothing: what cannot be read is told of the environment, or left out.
    """
    machine = machine or this_machine()
    index = layout.metadata / "environments.json"
    known = _read_index(index)
    places = [place for finder in FINDERS for place in finder(machine)]
    looks = {f"{place.path} {number}": place for number, place in enumerate(places)}
    named, silent = _in_time(looks, lambda place: list(_candidates(place)))
    candidates: dict[str, _Candidate] = {prefix: _own(prefix) for prefix in _own_prefixes(layout)}
    for key in looks:  # in the order of the finders: the first says whose a prefix is
        for candidate in named.get(key, ()):
            candidates.setdefault(candidate.prefix, candidate)
    architecture = _architecture()
    entries, late = _in_time(candidates, lambda each: _read(each, known, architecture, machine))
    remembered = {prefix: entry for prefix, entry in entries.items() if entry is not None}
    # Of what does not answer now, what is known stays for the time when it does.
    remembered.update({prefix: known[prefix] for prefix in late if prefix in known})
    if remembered != known:
        _write_index(index, remembered)
    environments = [
        _discovered(candidates[prefix], entry.facts)
        for prefix, entry in entries.items()
        if entry is not None and entry.facts is not None
    ]
    shut = [looks[key].path for key in silent]
    return Discovery(tuple(_labelled(_without_twins(environments))), (*shut, *late))


@dataclass(frozen=True, slots=True)
class _Entry:
    """What is remembered of a prefix; ``facts`` are None for what is no environment."""

    marks: tuple[int, ...]
    facts: Facts | None


def _own_prefixes(layout: Layout) -> Iterator[str]:
    from kaa.environments.registry import find_prefixes

    for prefix in find_prefixes(layout):
        yield str(prefix.path)


def _own(prefix: str) -> _Candidate:
    return _Candidate(prefix, Maker.KAA, os.path.basename(prefix))


def _candidates(place: Place) -> Iterator[_Candidate]:
    paths = [place.path]
    for _ in range(place.depth if place.below else 0):
        paths = [
            os.path.join(path, name)
            for path in paths
            for name in directories_in(path)
            if not name.startswith(".")
        ]
    for path in paths:
        yield _Candidate(os.path.normpath(path), place.maker, place.name or place.named(path))


def _read(
    candidate: _Candidate,
    known: Mapping[str, _Entry],
    architecture: str,
    machine: Machine,
) -> _Entry | None:
    """Return what an environment is, from memory where nothing has changed.

    None for what is not there.
    """
    prefix, windows = candidate.prefix, machine.windows
    entry = known.get(prefix)
    if entry is not None and entry.marks == marks(prefix, entry.facts, windows=windows):
        return entry
    if not os.path.isdir(prefix):
        return None
    facts = read_facts(prefix, architecture, windows=windows)
    return _Entry(marks(prefix, facts, windows=windows), facts)


def _in_time(tasks: Mapping[str, T], work: Callable[[T], R]) -> tuple[dict[str, R], list[str]]:
    """Do ``work`` on all values for :data:`PATIENCE` at most; return results and what is late.

    The threads are daemons: one that waits for a dead file system keeps nobody from leaving.
    """
    deadline = time.monotonic() + PATIENCE
    waiting = deque(tasks.items())
    done: dict[str, R] = {}
    finished = threading.Semaphore(0)

    def labour() -> None:
        while True:
            try:
                key, value = waiting.popleft()
            except IndexError:
                return
            try:
                done[key] = work(value)
            except OSError:
                pass  # gone while it was looked at
            finally:
                finished.release()

    for _ in range(min(_WORKERS, len(tasks))):
        threading.Thread(target=labour, daemon=True).start()
    for _ in tasks:
        if not finished.acquire(timeout=max(0.0, deadline - time.monotonic())):
            break
    results = dict(done)
    ordered = {key: results[key] for key in tasks if key in results}
    begun = set(tasks) - {key for key, _ in list(waiting)}
    return ordered, [key for key in tasks if key not in results and key in begun]


def _architecture() -> str:
    import platform

    return platform.machine()


def _discovered(candidate: _Candidate, facts: Facts) -> Discovered:
    maker = candidate.maker
    if maker in _MIXED and facts.maker is not None:
        maker = Maker(facts.maker)
    return Discovered(candidate.prefix, maker, candidate.name, candidate.name, facts)


def _without_twins(environments: Iterable[Discovered]) -> list[Discovered]:
    """Leave out what is the same directory under another path, through links."""
    found: dict[str, Discovered] = {}
    for environment in environments:
        found.setdefault(os.path.realpath(environment.prefix), environment)
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


def _read_index(file: Path) -> dict[str, _Entry]:
    try:
        content = json.loads(file.read_text(encoding="utf-8"))
        if content["format"] != _FORMAT:
            return {}
        return {prefix: _entry(fields) for prefix, fields in content["prefixes"].items()}
    except (OSError, ValueError, LookupError, TypeError, AttributeError):
        return {}  # made anew


def _entry(fields: Mapping[str, Any]) -> _Entry:
    facts = fields["facts"]
    if facts is None:
        return _Entry(tuple(fields["marks"]), None)
    kernels = tuple(
        InnerKernel(**{**kernel, "argv": tuple(kernel["argv"])}) for kernel in facts["kernels"]
    )
    read = Facts(**{**facts, "kernels": kernels, "languages": tuple(facts["languages"])})
    return _Entry(tuple(fields["marks"]), read)


def _write_index(file: Path, entries: Mapping[str, _Entry]) -> None:
    from kaa.store.disk import replace_file

    content = {
        "format": _FORMAT,
        "prefixes": {
            prefix: {"marks": entry.marks, "facts": entry.facts and asdict(entry.facts)}
            for prefix, entry in entries.items()
        },
    }
    with contextlib.suppress(OSError):  # then the next look takes as long as this one
        replace_file(file, json.dumps(content).encode("utf-8", "surrogateescape"))
