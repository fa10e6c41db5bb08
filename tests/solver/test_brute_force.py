"""The solver against brute force on small random universes: windows hide no answer."""

from __future__ import annotations

import random
from typing import TYPE_CHECKING

import pytest
from packaging.requirements import Requirement
from packaging.specifiers import SpecifierSet
from packaging.version import Version

from kaa.model.distribution import CoreMetadata
from kaa.model.errors import SolveError
from solver.universe import Universe

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

PYTHONS = ("3.12.1", "3.10.4", "3.9.18")
NAMES = ("a", "b", "c", "d", "e")
EXTRA = "x"


def random_requirement(dice: random.Random, versions: int) -> str:
    name = dice.choice(NAMES) if dice.random() < 0.98 else "nowhere"
    extra = f"[{EXTRA}]" if dice.random() < 0.15 else ""
    number = dice.randint(0, versions)
    operator = dice.choice(["", "==", "<", "<", "<=", ">=", "!=", ">", "range"])
    if operator == "range":
        bound = f">={number},<{number + dice.randint(1, 4)}"
    else:
        bound = f"{operator}{number}" if operator else ""
    marker = dice.choice([""] * 4 + ["; python_version < '3.10'", "; python_version >= '3.10'"])
    return f"{name}{extra}{bound}{marker}"


def random_universe(dice: random.Random) -> tuple[Universe, list[str], tuple[str, ...]]:
    universe = Universe()
    versions = dice.choice([2, 4, 8, 14])
    for name in NAMES:
        for number in range(dice.randint(1, versions)):
            count = dice.choice([0, 0, 1, 1, 2, 3])
            requires = [random_requirement(dice, versions) for _ in range(count)]
            if dice.random() < 0.2:
                marker = dice.choice(["extra == 'x'", "extra == 'x' or python_version < '3.10'"])
                requires.append(f"{dice.choice(NAMES)}<{dice.randint(1, versions)}; {marker}")
            python = dice.choice([None] * 5 + [">=3.10", "<3.12", "!=3.10.*"])
            tags = dice.choice([["py3"]] * 6 + [["cp312"], ["cp39", "cp310"], ["cp312", "cp310"]])
            for tag in tags:
                if dice.random() < 0.4:  # metadata that differ between the wheels of a version
                    requires = requires[:-1]
                universe.add(
                    name,
                    str(number),
                    *requires,
                    extras=[EXTRA],
                    requires_python=python,
                    tag=f"{tag}-none-any",
                )
    specs = [
        random_requirement(dice, versions).partition(";")[0] for _ in range(dice.randint(1, 3))
    ]
    return (
        universe,
        specs,
        tuple(sorted(dice.sample(PYTHONS, dice.randint(1, 3)), key=Version))[::-1],
    )


def candidates(universe: Universe, name: str, python: str) -> Iterator[tuple[str, CoreMetadata]]:
    """Yield the versions that fit a Python: of our tags at most one fits each."""
    tag = "cp" + "".join(python.split(".")[:2])
    for version, files in universe.files.get(name, {}).items():
        for file in files:
            metadata = universe.metadata[file.filename]
            assert isinstance(metadata, CoreMetadata)
            fits = file.filename.split("-")[-3] in ("py3", tag)
            if fits and SpecifierSet(metadata.requires_python or "").contains(python):
                yield version, metadata


def counts(requirement: Requirement, python: str, extras: set[str]) -> bool:
    if requirement.marker is None:
        return True
    values = {"python_version": ".".join(python.split(".")[:2]), "python_full_version": python}
    return any(requirement.marker.evaluate({**values, "extra": e}) for e in ("", *extras))


def complaints(universe: Universe, specs: Sequence[str], answer: dict[str, str]) -> list[str]:
    """Return what is wrong with an answer."""
    python = answer["python"]
    chosen = {}
    for name, version in answer.items():
        if name != "python":
            fitting = dict(candidates(universe, name, python))
            if version not in fitting:
                return [f"{name} {version} does not fit Python {python}"]
            chosen[name] = fitting[version]
    wrong = []
    todo = [Requirement(spec) for spec in specs]
    seen: set[str] = set()
    while todo:
        requirement = todo.pop()
        name = requirement.name
        if name not in chosen or not requirement.specifier.contains(answer[name]):
            wrong.append(f"{requirement} is not satisfied")
            continue
        for extras in (set(), set(requirement.extras)):
            for text in chosen[name].requires_dist:
                inner = Requirement(text)
                if f"{name}{extras}{text}" not in seen and counts(inner, python, extras):
                    seen.add(f"{name}{extras}{text}")
                    todo.append(inner)
    return wrong


def has_answer(universe: Universe, specs: Sequence[str], python: str) -> bool:
    def search(chosen: dict[str, tuple[str, CoreMetadata]], todo: list[Requirement]) -> bool:
        if not todo:
            return True
        first, *rest = todo
        name = first.name
        options = [chosen[name]] if name in chosen else list(candidates(universe, name, python))
        for version, metadata in options:
            if not first.specifier.contains(version):
                continue
            more = []
            for text in metadata.requires_dist:
                inner = Requirement(text)
                if counts(inner, python, set(first.extras)) and str(inner) not in done:
                    more.append(inner)
            added = [str(inner) for inner in more]
            done.update(added)
            if search({**chosen, name: (version, metadata)}, rest + more):
                return True
            done.difference_update(added)
        return False

    done: set[str] = set()
    return search({}, [Requirement(spec) for spec in specs])


@pytest.mark.parametrize("batch", range(4))
def test_answers_are_right_and_refusals_are_true(batch: int) -> None:
    answered = refused = 0
    for seed in range(batch * 40, batch * 40 + 40):
        universe, specs, pythons = random_universe(random.Random(seed))
        try:
            answer = universe.answer(*specs, pythons=pythons)
        except SolveError as error:
            refused += 1
            possible = [python for python in pythons if has_answer(universe, specs, python)]
            assert not possible, f"seed {seed}: {specs} refused: {error.message}\n{error.cause}"
            continue
        answered += 1
        assert complaints(universe, specs, answer) == [], f"seed {seed}: {specs} {answer}"
    assert answered
    assert refused
