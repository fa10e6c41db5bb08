"""Requests without an answer: the right class, readable reasons, a hint."""

from __future__ import annotations

import asyncio
import re

import pytest

from kaa.model.errors import (
    ConflictError,
    NoAnswerError,
    NoInterpreterError,
    NoMatchingVersionError,
    NoWheelError,
    SolveError,
    UnknownPackageError,
)
from solver.universe import Universe

ARTEFACTS = re.compile(r"dev\b|\.post\*|\.0\.0\.0\.1|extras=|a0\b|\+dev")


@pytest.fixture
def universe() -> Universe:
    universe = Universe()
    for version in ("1.0", "2.0", "3.0"):
        universe.add("numpy", version)
        universe.add("pandas", version, "numpy<2" if version < "3" else "numpy<3,>1.0,!=1.5")
    return universe


def refusal(universe: Universe, *specs: str, pythons: tuple[str, ...] = ("3.12.1",)) -> SolveError:
    with pytest.raises(SolveError) as caught:
        universe.solve(*specs, pythons=pythons)
    error = caught.value
    text = f"{error.message}\n{error.cause}"
    assert not ARTEFACTS.search(text), text
    assert error.hint
    assert 1 + len(f"{error.cause}\n{error.hint}".splitlines()) <= 15
    assert error.explanation is not None or isinstance(error, NoInterpreterError)
    return error


def test_unknown_name_with_near_ones(universe: Universe) -> None:
    error = refusal(universe, "nunpy")
    assert isinstance(error, UnknownPackageError)
    assert "'nunpy'" in error.message
    assert "`numpy`" in str(error.hint)


def test_unknown_name_like_nothing(universe: Universe) -> None:
    error = refusal(universe, "qwertzuiop")
    assert isinstance(error, UnknownPackageError)
    assert "spelling" in str(error.hint)


def test_unknown_dependency_deep_in_the_tree(universe: Universe) -> None:
    universe.add("top", "1", "middle")
    universe.add("middle", "1", "missing-thing>=2")
    error = refusal(universe, "top")
    assert isinstance(error, ConflictError)
    assert "middle 1 needs missing-thing >=2, which no source has" in str(error.cause)
    assert error.explanation is not None
    assert [one.name for one in error.explanation.missing] == ["missing-thing"]


@pytest.mark.parametrize("specs", [["numpy>5"], ["numpy<2", "numpy>2"], ["numpy==1.0", "numpy==2"]])
def test_no_matching_version(universe: Universe, specs: list[str]) -> None:
    error = refusal(universe, *specs)
    assert isinstance(error, NoMatchingVersionError)
    assert "there are 3 versions, the newest: 3.0, 2.0, 1.0" in str(error.cause)
    for spec in specs:
        assert f"`{spec}`" in error.message


def test_no_wheel(universe: Universe) -> None:
    universe.add("foreign", "1", tag="cp312-cp312-plan9_mips")
    universe.add_sdist("source", "1.0")
    universe.add("yanked", "1", yanked="it eats data")
    universe.add("future", "1", requires_python=">=3.99")
    for name, reason in [
        ("foreign", "no wheel for this platform"),
        ("source", "only a source distribution"),
        ("yanked", "it eats data"),
        ("future", "requires Python >=3.99"),
    ]:
        error = refusal(universe, name)
        assert isinstance(error, NoWheelError)
        assert reason in str(error.cause)


def test_broken_metadata_are_named(universe: Universe) -> None:
    universe.add("broken", "1", "x >== ?")
    error = refusal(universe, "broken")
    assert isinstance(error, NoWheelError)
    assert "x >== ?" in str(error.cause)


def test_a_conflict_is_readable(universe: Universe) -> None:
    universe.add("user", "1", "numpy>=3.0")
    error = refusal(universe, "pandas", "user")
    assert isinstance(error, ConflictError)
    assert "pandas" in str(error.cause)
    assert "numpy" in str(error.cause)


def test_the_hint_names_what_can_be_loosened(universe: Universe) -> None:
    error = refusal(universe, "pandas>=1.0", "numpy==3.0")
    assert isinstance(error, ConflictError)
    assert "`numpy==3.0`" in str(error.hint)


def test_an_interpreter_that_is_not_there(universe: Universe) -> None:
    error = refusal(universe, "python=3.7", "numpy", pythons=("3.13.0", "3.12.1"))
    assert isinstance(error, NoInterpreterError)
    assert "`python=3.7`" in error.message
    assert "3.13.0, 3.12.1" in str(error.cause)
    assert isinstance(refusal(universe, "numpy", pythons=()), NoInterpreterError)


def test_a_solver_that_comes_to_no_end_is_left(
    universe: Universe, monkeypatch: pytest.MonkeyPatch
) -> None:
    # The one fault that cannot be had on demand: rattler searching for ever.
    universe.add("a", "1")

    async def never(*_arguments: object, **_named: object) -> list[object]:
        await asyncio.Event().wait()
        return []

    monkeypatch.setattr("rattler.solve", never)
    monkeypatch.setattr("kaa.solver.solve._PATIENCE", 0.05)
    with pytest.raises(NoAnswerError) as caught:
        universe.solve("a")
    assert caught.value.hint and "silent" in str(caught.value.cause)
