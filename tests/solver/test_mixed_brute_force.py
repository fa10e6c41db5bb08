"""The solver against brute force on small random worlds of two channels and an index."""

from __future__ import annotations

import random
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import pytest
from packaging.specifiers import SpecifierSet
from rattler import Version, VersionSpec

from kaa.model.errors import SolveError
from solver.world import World

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

NAMES = ("a", "b", "c", "d", "e", "f")
CHANNELS = ("conda-forge", "other")
PYTHONS = ("3.12.4", "3.11.4", "3.10.4")
ORDERS = (
    ("conda-forge", "other", "pypi"),
    ("pypi", "conda-forge"),
    ("conda-forge", "pypi", "other"),
)


@dataclass(frozen=True)
class Candidate:
    """A package of one source; specs are of the form ``>=2`` and mean the same everywhere."""

    source: str
    name: str
    version: int
    requires: tuple[tuple[str, str], ...]
    constrains: tuple[tuple[str, str], ...] = ()
    python: str | None = None


@dataclass
class Dice:
    """A random world, as candidates and as the channels and the index that the solver asks."""

    seed: int
    world: World
    candidates: list[Candidate] = field(default_factory=list)
    order: tuple[str, ...] = ()
    specs: list[tuple[str | None, str, str]] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.dice = random.Random(self.seed)
        self.order = self.dice.choice(ORDERS)
        homes = {name: self._homes() for name in NAMES}
        for name in NAMES:
            for source in homes[name]:
                self._add_versions(source, name, homes)
        for _ in range(self.dice.randint(1, 3)):
            name = self.dice.choice(NAMES)
            chosen: str | None = None
            there = [home for home in homes[name] if home in self.order]
            if there and self.dice.random() < 0.2:
                chosen = self.dice.choice(there)
            self.specs.append((chosen, name, self._bound()))

    def _homes(self) -> list[str]:
        number = self.dice.choice([1, 1, 2, 3])
        return self.dice.sample([*CHANNELS, "pypi"], number)

    def _bound(self) -> str:
        number = self.dice.randint(0, 4)
        return self.dice.choice(["", "", f">={number}", f"<{number}", f"=={number}", f"!={number}"])

    def _add_versions(self, source: str, name: str, homes: dict[str, list[str]]) -> None:
        conda = source != "pypi"
        # What only a conda package needs is never looked for on an index, so it has a channel.
        others = [n for n in NAMES if not conda or set(homes[n]) & set(CHANNELS)]
        for version in range(self.dice.randint(1, 4)):
            needed = [
                (self.dice.choice(others), self._bound())
                for _ in range(self.dice.choice([0, 0, 1, 2]) if others else 0)
            ]
            limits = [(self.dice.choice(NAMES), self._bound())] if self.dice.random() < 0.2 else []
            limits = [limit for limit in limits if limit[1]]
            python = self.dice.choice([None, None, ">=3.11", "<3.12", "==3.10.*"])
            self._add(
                Candidate(
                    source,
                    name,
                    version,
                    tuple(needed),
                    tuple(limits) if conda else (),
                    python,
                )
            )

    def _add(self, one: Candidate) -> None:
        self.candidates.append(one)
        if one.source == "pypi":
            requires = [f"{name}{bound}" for name, bound in one.requires]
            self.world.universe.add(
                one.name, str(one.version), *requires, requires_python=one.python
            )
            return
        depends = [f"{name} {bound}".strip() for name, bound in one.requires]
        if one.python:
            depends.append(f"python {one.python.removeprefix('==')}")
        self.world.channel(one.source).add_record(
            one.name,
            str(one.version),
            depends=depends,
            constrains=[f"{name} {bound}" for name, bound in one.constrains],
        )

    def texts(self) -> list[str]:
        """Return the specs as typed."""
        return [
            f"{source}::{name}{bound}" if source else f"{name}{bound}"
            for source, name, bound in self.specs
        ]

    def provider(self, name: str) -> str | None:
        """Return who provides a name: whom a spec says, or else the first that has it."""
        chosen = [source for source, asked, _ in self.specs if asked == name and source]
        has = {one.source for one in self.candidates if one.name == name}
        return next((source for source in (*chosen, *self.order) if source in has), None)

    def fitting(self, name: str, python: str) -> Iterator[Candidate]:
        provider = self.provider(name)
        for one in self.candidates:
            if one.name == name and one.source == provider and _fits(one.python, python):
                yield one

    def contradictory(self) -> bool:
        """Say whether two specs want a package from two sources."""
        wanted: dict[str, set[str]] = {}
        for source, name, _ in self.specs:
            if source:
                wanted.setdefault(name, set()).add(source)
        return any(len(sources) > 1 for sources in wanted.values())

    def has_answer(self, python: str) -> bool:
        def search(chosen: dict[str, Candidate], todo: list[tuple[str, str]]) -> bool:
            if not todo:
                return all(not self.broken(one, chosen) for one in chosen.values())
            (name, bound), *rest = todo
            if name in chosen:
                return _holds(bound, chosen[name].version) and search(chosen, rest)
            return any(
                search({**chosen, name: one}, [*rest, *one.requires])
                for one in self.fitting(name, python)
                if _holds(bound, one.version)
            )

        return search({}, [(name, bound) for _, name, bound in self.specs])

    def broken(self, one: Candidate, chosen: dict[str, Candidate]) -> bool:
        return any(
            name in chosen and not _holds(bound, chosen[name].version)
            for name, bound in one.constrains
        )

    def complaints(self, answer: dict[str, tuple[str, str]]) -> list[str]:
        python = answer.get("python", (PYTHONS[0], ""))[0]
        chosen = {}
        for name, (version, source) in answer.items():
            if name in NAMES:
                fitting = {(str(o.version), o.source): o for o in self.fitting(name, python)}
                if (version, source) not in fitting:
                    return [f"{name} {version} of {source} is no candidate for Python {python}"]
                chosen[name] = fitting[version, source]
        wanted = [(name, bound) for _, name, bound in self.specs]
        wanted += [need for one in chosen.values() for need in one.requires]
        wrong = [
            f"{name}{bound} is not satisfied"
            for name, bound in wanted
            if name not in chosen or not _holds(bound, chosen[name].version)
        ]
        wrong += [
            f"{o.name} does not go with the others"
            for o in chosen.values()
            if self.broken(o, chosen)
        ]
        return wrong


def _holds(bound: str, version: int) -> bool:
    return not bound or bool(VersionSpec(bound).matches(Version(str(version))))


def _fits(spec: str | None, python: str) -> bool:
    return spec is None or SpecifierSet(spec).contains(python)


@pytest.mark.parametrize("batch", range(4))
def test_answers_are_right_and_refusals_are_true(batch: int, tmp_path: Path) -> None:
    answered = refused = mixed = 0
    for seed in range(batch * 40, batch * 40 + 40):
        world = World(tmp_path / str(seed))
        world.channel("other")
        dice = Dice(seed, world)
        specs = [
            f"{source}::{name}{bound}" if source else f"{name}{bound}"
            for source, name, bound in dice.specs
        ]
        told = f"seed {seed}: {specs} from {dice.order}"
        try:
            answer = world.answer(*specs, sources=dice.order)
        except SolveError as error:
            refused += 1
            possible = not dice.contradictory() and any(map(dice.has_answer, PYTHONS))
            assert not possible, f"{told} refused: {error.message}\n{error.cause}"
            continue
        answered += 1
        mixed += len({source for _, source in answer.values()}) > 1
        assert dice.complaints(answer) == [], f"{told}: {answer}"
    assert answered
    assert refused
    assert mixed
