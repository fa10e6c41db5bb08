"""The generations of an environment: which there are, how they differ, going back to one."""

from __future__ import annotations

import shlex
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from kaa.environments.conda_history import State, append_history
from kaa.environments.history import (
    Generation,
    changed,
    find_generation,
    parent_of,
    read_history,
    steps_from,
)
from kaa.environments.prefix import read_info
from kaa.environments.processes import users_of
from kaa.environments.variables import change_variables, read_variables, steps_between, taken
from kaa.model.environment import now
from kaa.model.errors import EnvironmentStateError, GenerationNotFoundError
from kaa.store.disk import writing
from kaa.store.locks import at_work
from kaa.transaction.carried import Carried
from kaa.transaction.carry import carry_over
from kaa.transaction.commit import check_current, switch_generation
from kaa.workflows.announce import announce
from kaa.workflows.inspect import find_environment, not_ours
from kaa.workflows.recover import recover

if TYPE_CHECKING:
    from pathlib import Path

    from kaa.environments.prefix import Prefix
    from kaa.model.environment import EnvironmentInfo, Step
    from kaa.model.package import Package
    from kaa.model.process import Process
    from kaa.store.layout import Layout


@dataclass(frozen=True, slots=True)
class Difference:
    """How one generation differs from another, in order of the packages' names."""

    before: Generation | None
    after: Generation
    packages: tuple[tuple[Package | None, Package | None], ...]
    variables: tuple[Step, ...] = ()
    """What becomes of those that are set wherever the environment is active."""

    @property
    def counts(self) -> dict[str, int]:
        """How many packages were added, removed and changed."""
        pairs = self.packages
        return {
            "add": sum(old is None for old, _ in pairs),
            "remove": sum(new is None for _, new in pairs),
            "change": sum(old is not None and new is not None for old, new in pairs),
        }

    def as_dict(self) -> dict[str, Any]:
        """Return the fields that ``--json`` prints."""
        return {
            "from": self.before.number if self.before else None,
            "to": self.after.number,
            "add": [new.as_dict() for old, new in self.packages if new and old is None],
            "remove": [old.as_dict() for old, new in self.packages if old and new is None],
            "change": [
                {"name": new.name, "before": old.as_dict(), "after": new.as_dict()}
                for old, new in self.packages
                if old and new
            ],
            "variables": {step.name: step.after for step in self.variables},
        }


@dataclass(frozen=True, slots=True)
class HistoryEntry:
    """A line of the history: a generation, and what it changed in the one that it was made from.

    ``difference`` is None where what it was made from, or itself, cannot be read any more.
    """

    generation: Generation
    current: bool
    difference: Difference | None

    def as_dict(self) -> dict[str, Any]:
        """Return the fields that ``--json`` prints."""
        manifest = self.generation.manifest
        return {
            "generation": self.generation.number,
            "current": self.current,
            "on_disk": self.generation.on_disk,
            "path": str(self.generation.path) if self.generation.on_disk else None,
            "created": manifest.created if manifest else None,
            "command": manifest.command if manifest else None,
            "parent": manifest.parent if manifest else None,
            "specs": list(manifest.specs) if manifest else [],
            "changes": self.difference.as_dict() if self.difference else None,
        }


@dataclass(frozen=True, slots=True)
class Return:
    """Going to a generation, planned; nothing has changed yet.

    ``processes`` are those that run in the environment.
    """

    prefix: Prefix
    current: Generation
    target: Generation
    difference: Difference
    processes: tuple[Process, ...] = ()

    @property
    def nothing_to_do(self) -> bool:
        """Whether the environment is at this generation already."""
        return self.current.number == self.target.number

    @property
    def at_once(self) -> bool:
        """Whether one rename does it: the generation is on the disk and made for this place."""
        manifest = self.target.manifest
        here = manifest is None or manifest.prefix in (None, str(self.prefix.path))
        return self.target.on_disk and here

    def as_dict(self) -> dict[str, Any]:
        """Return the fields that ``--json`` prints."""
        return {
            "name": self.prefix.name,
            "prefix": str(self.prefix.path),
            "at_once": self.at_once,
            **self.difference.as_dict(),
            "processes": [process.as_dict() for process in self.processes],
        }


def history(layout: Layout, name: str | None, prefix: Path | None) -> tuple[HistoryEntry, ...]:
    """Return what an environment was and is, in order of number.

    Raises :class:`~kaa.model.errors.EnvironmentNotFoundError`, and
    :class:`~kaa.model.errors.UnsupportedError` for an environment that another program made.
    """
    found = find_environment(layout, name, prefix)
    _check_ours(found)
    generations = read_history(found)
    by_number = {generation.number: generation for generation in generations}
    packages: dict[int, list[Package]] = {}
    for generation in generations:
        try:
            packages[generation.number] = generation.packages()
        except EnvironmentStateError:
            continue  # its line says that nobody knows
    entries = []
    for generation in generations:
        parent = parent_of(generation, generations)
        before = by_number.get(parent) if parent is not None else None
        known = generation.number in packages and (before is None or before.number in packages)
        difference = None
        if known:
            old = packages[before.number] if before else []
            pairs = tuple(changed(old, packages[generation.number]))
            manifest = generation.manifest
            steps = manifest.variables if manifest is not None else ()
            difference = Difference(before, generation, pairs, steps)
        entries.append(
            HistoryEntry(generation, generation.number == found.current_number, difference)
        )
    return tuple(entries)


def difference_between(
    layout: Layout, name: str | None, prefix: Path | None, before: int | None, after: int | None
) -> Difference:
    """Return how two generations differ.

    ``after`` is the current one when it is None, and ``before`` the one that ``after`` was made
    from, if there is one. Raises what :func:`history` does, and :class:`GenerationNotFoundError`.
    """
    found = find_environment(layout, name, prefix)
    current = _check_ours(found)
    generations = read_history(found)
    new = find_generation(found, after if after is not None else current)
    if before is None:
        before = parent_of(new, generations)
    old = find_generation(found, before) if before is not None else None
    steps = steps_from(old, new, generations)
    was: dict[str, str] = {}
    for step in reversed(steps):  # what the first step with a variable found
        was.pop(step.name, None)
        if step.before is not None:
            was[step.name] = step.before
    pairs = changed(old.packages() if old else (), new.packages())
    return Difference(old, new, tuple(pairs), steps_between(was, taken(was, steps)))


def plan_return(found: Prefix, number: int | None) -> Return:
    """Return the plan of going to a generation, or with None to the one before.

    "Before" is the generation that the current one was made from: after an undo and another
    change, not the one that was undone. Raises
    :class:`~kaa.model.errors.UnsupportedError` for an environment that another program made, and
    :class:`GenerationNotFoundError`.
    """
    there = _check_ours(found)
    known = dict(found.numbers())
    # One that is missing can be gone away from.
    current = find_generation(found, there) if there in known else Generation(there, found.current)
    target = find_generation(found, number) if number is not None else _before(found, current)
    pairs = tuple(changed(current.packages(), target.packages()))
    difference = Difference(current, target, pairs, _variables(current, target, found))
    return Return(found, current, target, difference, users_of(found))


def _variables(current: Generation, target: Generation, found: Prefix) -> tuple[Step, ...]:
    """Return what is going to become of the variables as they are now."""
    if current.path.is_dir():
        steps = steps_from(current, target, read_history(found))
    elif target.on_disk:  # which has its own, and nobody knows of newer ones
        return ()
    else:
        steps = steps_from(None, target, read_history(found))
    now_set = read_variables(current.path)
    return steps_between(now_set, taken(now_set, steps))


def return_at_once(plan: Return, command: str, layout: Layout) -> tuple[EnvironmentInfo, Carried]:
    """Make a generation that is on the disk the current one, with the newest of the user's files.

    What no package owns is copied into it first, as in every change: nothing that was written
    since is lost. The caller is the environment's only writer. Raises the errors of the disk and
    :class:`~kaa.model.errors.EnvironmentStateError`.
    """
    current, target, prefix = plan.current, plan.target, plan.prefix
    check_current(prefix, current.number)
    recover(layout, prefix)
    with at_work(layout):
        carried = _carried(current, target, prefix)
        with writing(target.path):
            put_variables(target.path, plan)
            append_history(target.path, command, now(), _state(current), _state(target))
        switch_generation(prefix, target.number, current.number)
    announce(prefix, layout)
    return read_info(prefix), carried


def put_variables(generation: Path, plan: Return) -> None:
    """Give the generation that is going to be the current one its variables. Raises ``OSError``.

    It has what is not kaa's already, the file with the variables included, as it is now.
    """
    if not plan.current.path.is_dir() and plan.target.on_disk:
        return  # it keeps its own
    wanted = taken(read_variables(plan.current.path), plan.difference.variables)
    steps = steps_between(read_variables(generation), wanted)
    if steps:
        change_variables(generation, [(step.name, step.after) for step in steps])


def _carried(current: Generation, target: Generation, prefix: Prefix) -> Carried:
    if not current.path.is_dir():  # going back is what helps then
        return Carried(0, {})
    try:
        return carry_over(current.path, target.path, prefix.path, existing=True)
    except EnvironmentStateError:  # its records are damaged, and what it helps is the same
        return carry_over(current.path, target.path, prefix.path, existing=True, repair=True)


def _state(generation: Generation) -> State:
    manifest = generation.manifest
    return State(tuple(generation.records()), manifest.specs if manifest else ())


def _check_ours(found: Prefix) -> int:
    number = found.current_number
    if number is None:
        raise not_ours(
            found,
            cause="it has no generations",
            hint=f"`kaa adopt -p {shlex.quote(str(found.path))}` takes it over; "
            "what comes then can be undone",
        )
    return number


def _before(found: Prefix, generation: Generation) -> Generation:
    generations = read_history(found)
    by_number = {each.number: each for each in generations}
    parent = by_number.get(parent_of(generation, generations) or 0)
    while parent is not None and _is_renamed(parent, generation):
        generation = parent
        parent = by_number.get(parent_of(parent, generations) or 0)
    if parent is not None:
        return parent
    raise GenerationNotFoundError(
        f"there is nothing before generation {found.current_number} of {found.name}",
        cause="the environment was created with it",
        hint=f"to remove the environment: `kaa env remove -p {shlex.quote(str(found.path))}`",
    )


def _is_renamed(before: Generation, after: Generation) -> bool:
    """Say whether nothing but the environment's place is another: there is nothing to undo."""
    old, new = before.manifest, after.manifest
    if old is None or new is None or old.prefix == new.prefix or old.specs != new.specs:
        return False
    return not changed(before.packages(), after.packages())
