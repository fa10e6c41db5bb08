"""What a solve chooses: versions, wheels, Pythons, extras, pre-releases."""

from __future__ import annotations

import asyncio
import random
from dataclasses import replace
from typing import TYPE_CHECKING

import pytest

from kaa.model.errors import MetadataError
from kaa.network.client import Client
from kaa.network.settings import NetworkSettings, make_index
from kaa.solver.solve import solve
from kaa.sources.index import ProjectIndex
from kaa.sources.metadata import MetadataReader
from solver.universe import Universe
from wheels import build_wheel

if TYPE_CHECKING:
    from pathlib import Path

    from local_index import LocalIndex

ALL = ("3.13.0", "3.12.1", "3.10.4")


@pytest.fixture
def universe() -> Universe:
    return Universe()


def test_the_newest_of_everything(universe: Universe) -> None:
    for version in ("1.9", "1.10", "2.0rc1"):
        universe.add("a", version, "b>=1")
    universe.add("b", "1")
    assert universe.answer("a", pythons=ALL) == {"python": "3.13.0", "a": "1.10", "b": "1"}


def test_few_metadata_are_read_when_the_newest_fit(universe: Universe) -> None:
    for number in range(100):
        universe.add("a", str(number), "b")
        universe.add("b", str(number))
    universe.answer("a")
    assert len(universe.reads) == 2


def test_a_window_grows_down_to_an_old_version(universe: Universe) -> None:
    for number in range(60):
        universe.add("a", str(number), "c<5" if number < 3 else "c>=5")
    universe.add("b", "1", "c<5")
    for number in range(10):
        universe.add("c", str(number))
    assert universe.answer("a", "b") == {"python": "3.12.1", "a": "2", "b": "1", "c": "4"}


def test_conflicting_bounds_meet_at_older_versions(universe: Universe) -> None:
    for number in range(30):
        universe.add("a", str(number), f"c=={number}")
        universe.add("b", str(number), f"c=={number % 7}")
        universe.add("c", str(number))
    answer = universe.answer("a", "b")
    assert answer["a"] == answer["c"]
    assert int(answer["b"]) % 7 == int(answer["c"])


def test_a_window_hides_no_newer_answer(universe: Universe) -> None:
    # What an extra that nobody asked for wants brings an old version into the pool: the answer
    # with it is one, but not the newest.
    universe.add("dask", "1", "pandas>=2", "pandas<3; extra == 'legacy'", extras=("legacy",))
    universe.add("pandas", "3.1", "numpy>=2")
    universe.add("pandas", "3.0", "numpy>=1.26")
    universe.add("pandas", "2.3", "numpy>=1.22")
    universe.add("numpy", "2.5")
    universe.add("numpy", "1.26")
    assert universe.answer("dask", "numpy<2")["pandas"] == "3.0"


def test_pre_releases_are_chosen_when_named_or_when_there_is_nothing_else(
    universe: Universe,
) -> None:
    for version in ("1.0", "2.0a1", "2.0.dev1"):
        universe.add("a", version)
    universe.add("only", "1.0b1")
    universe.add("only", "1.0b2")
    universe.add("needs", "1", "a>=2.0a0")
    assert universe.answer("a")["a"] == "1.0"
    assert universe.answer("a>=2.0a1")["a"] == "2.0a1"
    assert universe.answer("only")["only"] == "1.0b2"
    assert universe.answer("needs")["a"] == "2.0a1"
    assert universe.answer("needs", "a")["a"] == "2.0a1"


def test_a_yanked_release_is_chosen_by_an_exact_pin_only(universe: Universe) -> None:
    universe.add("a", "1")
    universe.add("a", "2", yanked="broken")
    universe.add("b", "1", "a==2")
    assert universe.answer("a")["a"] == "1"
    assert universe.answer("a==2")["a"] == "2"
    assert universe.answer("b")["a"] == "2"


def test_local_versions_satisfy_what_names_none(universe: Universe) -> None:
    universe.add("torch", "2.5.1+cu124")
    universe.add("vision", "1", "torch==2.5.1")
    universe.add("audio", "1", "torch>=2.5.1,<2.6")
    assert universe.answer("vision", "audio", "torch<=2.5.1")["torch"] == "2.5.1+cu124"


def test_python_is_chosen_with_the_rest(universe: Universe) -> None:
    universe.add("a", "2", requires_python="<3.11")
    universe.add("b", "1", tag="cp312-none-any")
    universe.add("c", "1", requires_python=">=3.13")
    universe.add("c", "0")
    assert universe.answer("a", pythons=ALL)["python"] == "3.10.4"
    assert universe.answer("b", pythons=ALL)["python"] == "3.12.1"
    assert universe.answer("c", "python=3.12", pythons=ALL) == {"python": "3.12.1", "c": "0"}
    assert universe.answer("python", pythons=ALL) == {"python": "3.13.0"}
    assert universe.answer("python<3.13", pythons=ALL) == {"python": "3.12.1"}


def test_each_wheel_of_a_version_has_its_own_metadata(universe: Universe) -> None:
    universe.add("a", "1", "nowhere", tag="cp313-none-any")
    universe.add("a", "1", "b", tag="cp312-none-any")
    universe.add("b", "1")
    answer = universe.answer("a", pythons=ALL)
    assert answer == {"python": "3.12.1", "a": "1", "b": "1"}
    universe.add("c", "1", "a; python_version < '3'", "b", tag="cp313-none-any")
    universe.add("c", "1", "nowhere", tag="cp310-none-any")
    assert universe.answer("c", pythons=ALL) == {"python": "3.13.0", "c": "1", "b": "1"}


def test_markers_and_extras(universe: Universe) -> None:
    universe.add(
        "a",
        "1",
        "old; python_version < '3.11'",
        "extra-one; extra == 'one'",
        "a[one]; extra == 'all'",
        "b[x]; python_version >= '3.12'",
        "windows; sys_platform == 'win32' and sys_platform == 'linux'",
        extras=["one", "all"],
    )
    universe.add("b", "1", "hidden[y]; extra == 'x'", extras=["x"])
    universe.add("hidden", "1", "deep; extra == 'y'", extras=["y"])
    for name in ("old", "extra-one", "deep"):
        universe.add(name, "1")
    assert set(universe.answer("a", pythons=ALL)) == {"python", "a", "b", "hidden", "deep"}
    assert set(universe.answer("a", pythons=["3.10.4"])) == {"python", "a", "old"}
    assert "extra-one" in universe.answer("a[one]", pythons=ALL)
    assert "extra-one" in universe.answer("a[all]", pythons=ALL)


def test_extras_in_a_circle(universe: Universe) -> None:
    universe.add("a", "1", "a[y]; extra == 'x'", "a[x]; extra == 'y'", "b[x]", extras=["x", "y"])
    universe.add("b", "1", "a[x]; extra == 'x'", "c; extra == 'x'", extras=["x"])
    universe.add("c", "1", "a")
    assert set(universe.answer("a[x]")) == {"python", "a", "b", "c"}


def test_broken_metadata_make_a_version_unusable(universe: Universe) -> None:
    universe.add("a", "1", "b")
    universe.add("b", "1")
    universe.add("b", "2", "c >== 1 ???")
    universe.add("b", "3", "d; 'x' in extras")
    universe.add("b", "4")
    universe.metadata["b-4-py3-none-any.whl"] = MetadataError("no metadata", cause="x", hint="y")
    assert universe.answer("a")["b"] == "1"


def test_a_version_that_needs_a_url_is_passed_over(universe: Universe) -> None:
    universe.add("a", "1")
    universe.add("a", "2", "b @ https://example.org/b-1-py3-none-any.whl")
    universe.add("b", "1")
    assert universe.answer("a") == {"python": "3.12.1", "a": "1"}


@pytest.mark.parametrize("seed", range(5))
def test_the_same_index_gives_the_same_answer(seed: int) -> None:
    dice = random.Random(seed)
    calls = []
    for number in range(12):
        for name in ("a", "b", "c"):
            calls.append((name, str(number), f"{'bcd'['abc'.index(name)]}!={number}", "cp312"))
            calls.append((name, str(number), f"{'bcd'['abc'.index(name)]}!={number}", "cp310"))
        calls.append(("d", str(number), "a<11", "py3"))
    specs = ["a<11", "b", "d!=11", "python"]

    def answer() -> dict[str, str]:
        universe = Universe()
        for name, version, requires, tag in calls:
            universe.add(name, version, requires, tag=f"{tag}-none-any")
        solution = universe.solve(*specs, pythons=ALL)
        return {record.name.normalized: record.url for record in solution.records}

    expected = answer()
    dice.shuffle(calls)
    dice.shuffle(specs)
    assert answer() == expected


def test_over_a_real_index(local_index: LocalIndex, tmp_path: Path) -> None:
    wheels = tmp_path / "wheels"
    for number in range(12):
        bound = "<2" if number < 4 else ">=2"
        wheel = build_wheel(wheels, "top", f"1.{number}", requires=[f"base[x]{bound}"])
        local_index.add(wheel)
    for version in ("1.0", "2.0"):
        extras = {"x": ["leaf"]}
        local_index.add(build_wheel(wheels, "base", version, extras=extras))
    local_index.add(build_wheel(wheels, "leaf", "1.0"))
    index = make_index(local_index.url)
    settings = NetworkSettings(indexes=(index,), timeout=60, retries=0)

    async def answer() -> dict[str, str]:
        async with Client(settings) as client:
            catalog = replace(
                Universe().catalog(),
                index=ProjectIndex(client, settings, tmp_path / "cache"),
                metadata=MetadataReader(client, tmp_path / "cache"),
            )
            solution = await solve(Universe().request("top", "base<2"), catalog)
        assert solution.host_python is not None
        python = solution.host_python.executable.as_uri()
        wheels = {record.url for record in solution.records} - {python}
        assert set(solution.files) == wheels
        return {record.name.normalized: str(record.version) for record in solution.records}

    expected = {"python": "3.12.1", "top": "1.3", "base": "1.0", "leaf": "1.0"}
    assert [asyncio.run(answer()) for _ in range(5)] == [expected] * 5
