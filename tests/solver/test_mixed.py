"""One solve over conda channels and package indexes: who provides what, and under which name."""

from __future__ import annotations

import asyncio
from datetime import datetime, timezone
from typing import TYPE_CHECKING

import pytest

from kaa.model.errors import ConflictError, InvalidSpecError, SolveError, UnknownPackageError
from kaa.model.source import Priority
from kaa.solver.solve import Refusal, attempt
from kaa.solver.specs import parse_spec
from solver.world import World

if TYPE_CHECKING:
    from pathlib import Path

    from kaa.model.distribution import CoreMetadata, IndexFile


@pytest.fixture
def world(tmp_path: Path) -> World:
    return World(tmp_path / "channels")


def test_the_first_source_provides_a_name_whatever_its_versions(world: World) -> None:
    world.add("rich", "1.0", "python >=3.10")
    world.universe.add("rich", "9.0")
    assert world.answer("rich")["rich"] == ("1.0", "conda-forge")
    assert world.asked == []  # nothing that an index has could be in the answer
    assert world.answer("rich", sources=("pypi", "conda-forge"))["rich"] == ("9.0", "pypi")


def test_a_project_that_no_channel_has_comes_from_the_index_and_needs_conda_packages(
    world: World,
) -> None:
    world.add("numpy", "2.1", "python >=3.10")
    world.universe.add("numpy", "9.0")
    world.universe.add("own", "1.0", "numpy>=2")
    answer = world.answer("own")
    assert answer["own"] == ("1.0", "pypi")
    assert answer["numpy"] == ("2.1", "conda-forge")
    assert answer["python"] == ("3.12.4", "conda-forge")
    assert set(world.asked) == {"own"}


def test_a_source_is_chosen_by_hand(world: World) -> None:
    world.add("rich", "1.0", "python >=3.10")
    world.universe.add("rich", "9.0")
    assert world.answer("pypi::rich")["rich"] == ("9.0", "pypi")
    order = ("pypi", "conda-forge")
    assert world.answer("conda-forge::rich", sources=order)["rich"] == ("1.0", "conda-forge")
    with pytest.raises(InvalidSpecError, match="not among the sources"):
        world.answer("elsewhere::rich")


def test_what_was_chosen_by_hand_is_what_others_get(world: World) -> None:
    world.add("rich", "1.0", "python >=3.10")
    world.add("tool", "1.0", "rich >=1")
    world.universe.add("rich", "9.0")
    assert world.answer("tool", "pypi::rich")["rich"] == ("9.0", "pypi")


@pytest.mark.parametrize("late", [False, True])
def test_an_index_has_what_a_conda_package_was_first_to_ask_for(
    world: World, monkeypatch: pytest.MonkeyPatch, late: bool
) -> None:
    world.add("tool", "1.0", "shared")
    world.universe.add("own", "1.0", "shared>=2")
    world.universe.add("shared", "1.0")
    world.universe.add("shared", "2.0")
    read = world.universe.core_metadata

    async def read_late(file: IndexFile, *, likely: bool = True) -> CoreMetadata:
        # only now it is known that a project of the index wants it, too
        await asyncio.sleep(0.3 if late and file.filename.startswith("own-") else 0)
        return await read(file, likely=likely)

    monkeypatch.setattr(world.universe, "core_metadata", read_late)
    for order in (("conda-forge", "pypi"), ("pypi", "conda-forge")):
        answer = world.answer("tool", "own", sources=order)
        assert answer["shared"] == ("2.0", "pypi")
        with pytest.raises(SolveError):
            world.answer("tool", sources=order)  # nobody but a conda package wants it of the index


def test_python_is_solved_for(world: World) -> None:
    world.universe.add("old", "1.0", tag="cp310-cp310-manylinux_2_17_x86_64")
    world.universe.add("old", "1.0", tag="cp311-cp311-manylinux_2_17_x86_64")
    assert world.answer("old")["python"] == ("3.11.4", "conda-forge")
    assert world.answer("old", "python=3.10")["python"] == ("3.10.4", "conda-forge")
    with pytest.raises(SolveError):
        world.answer("old", "python=3.12")


def test_python_of_this_machine(world: World) -> None:
    world.universe.add("own", "1.0")
    assert world.answer("own", sources=("pypi",))["python"][0] == "3.13.1"
    assert world.answer("own", sources=("host", "conda-forge", "pypi"))["python"][0] == "3.13.1"


def test_wheels_are_not_given_to_other_kinds_of_python(world: World) -> None:
    world.add_python("3.13.4", build="0_cp313t", abi="cp313t")
    world.add_python("3.14.1", build="0_73_pypy", abi="pypy314_pp73")
    world.universe.add("own", "1.0")
    assert world.answer("own")["python"][0] == "3.12.4"


def test_a_name_that_only_conda_packages_need_is_never_taken_from_an_index(world: World) -> None:
    world.add("tool", "1.0", "private-library")
    world.universe.add("private-library", "6.6.6")
    world.universe.add("own", "1.0")
    refusal = asyncio.run(attempt(world.request("tool", "own"), world.catalog()))
    assert isinstance(refusal, Refusal)
    assert "private-library" not in world.asked


@pytest.mark.parametrize(
    ("project", "conda"),
    [
        ("typing-extensions", "typing_extensions"),
        ("ruamel-yaml", "ruamel.yaml"),
        ("torch", "pytorch"),
        ("graphviz", "python-graphviz"),
    ],
)
def test_a_project_has_its_conda_name(world: World, project: str, conda: str) -> None:
    world.mapping = {"pytorch": ["torch"], "graphviz": None, "python-graphviz": ["graphviz"]}
    world.add(conda, "2.0", "python")
    world.add("graphviz", "8.0")
    world.universe.add(project, "3.0")
    world.universe.add("own", "1.0", project)
    answer = world.answer("own")
    assert answer[conda] == ("2.0", "conda-forge")
    assert world.answer(f"pypi::{project}", "own")[conda] == ("3.0", "pypi")


def test_a_project_whose_name_is_another_ones_in_conda(world: World) -> None:
    world.mapping = {"docker-py": ["docker"]}
    world.add("docker-py", "7.0", "python")
    world.universe.add("docker-py", "1.10")
    assert world.answer("pypi::docker-py")["pypi.docker-py"] == ("1.10", "pypi")
    assert world.answer("docker")["docker-py"] == ("7.0", "conda-forge")


def test_an_extra_of_a_conda_package_brings_what_it_needs(world: World) -> None:
    world.add("requests", "2.0", "python")
    world.add("pysocks", "1.5", "python")
    for version in ("1.0", "2.0", "3.0"):
        world.universe.add("requests", version, "PySocks>=1; extra == 'socks'", extras=["socks"])
    world.universe.add("own", "1.0", "requests[socks]")
    for spec in ("requests[socks]", "own"):
        answer = world.answer(spec)
        assert answer["requests"] == ("2.0", "conda-forge")
        assert answer["pysocks"] == ("1.5", "conda-forge")
        assert not any(name.startswith("extra.") for name in answer)


def test_flexible_and_disabled_priority(world: World) -> None:
    world.add("base", "1.0")
    world.add("tool", "1.0", "base >=2")
    other = world.channel("other")
    other.add_record("base", "2.0")
    other.add_record("tool", "9.0")
    sources = ("conda-forge", "other")
    with pytest.raises(SolveError):
        world.answer("tool", sources=sources)
    flexible = world.answer("tool", sources=sources, priority=Priority.FLEXIBLE)
    assert flexible == {"base": ("2.0", "other"), "tool": ("1.0", "conda-forge")}
    disabled = world.answer("tool", sources=sources, priority=Priority.DISABLED)
    assert disabled["tool"] == ("9.0", "other")
    assert world.answer("base", sources=sources, priority=Priority.FLEXIBLE)["base"][0] == "1.0"


def test_a_pin_holds_without_asking(world: World) -> None:
    for version in ("1.0", "2.0"):
        world.add("base", version)
        world.universe.add("leaf", version)
    world.add("tool", "1.0", "base")
    world.universe.add("own", "1.0", "leaf")
    pins = (parse_spec("base<2"), parse_spec("leaf<2"))
    answer = world.answer("tool", "own", pins=pins)
    assert (answer["base"][0], answer["leaf"][0]) == ("1.0", "1.0")
    assert "base" not in world.answer("own", pins=pins)
    with pytest.raises(ConflictError):
        world.answer("base>=2", pins=pins)


def test_what_is_installed_stays_unless_it_must_move(world: World) -> None:
    world.add("base", "1.0")
    world.universe.add("leaf", "1.0")
    installed = world.solve(world.request("base", "leaf")).records
    for version in ("1.5", "2.0"):
        world.add("base", version)
        world.universe.add("leaf", version)
    world.universe.add("own", "1.0", "leaf>=1.2")
    world.asked.clear()
    answer = world.answer("base", "leaf", installed=installed)
    assert (answer["base"][0], answer["leaf"][0]) == ("1.0", "1.0")
    assert world.asked == []  # an index is not asked for what does not move
    answer = world.answer("base", "leaf", "own", installed=installed)
    assert (answer["base"][0], answer["leaf"][0]) == ("1.0", "2.0")
    with pytest.raises(SolveError):
        world.answer("base", "leaf", "own", installed=installed, frozen=True)


def test_virtual_packages_decide(world: World) -> None:
    world.add("gpu", "2.0", "__cuda >=12")
    world.add("gpu", "1.0")
    assert world.answer("gpu")["gpu"][0] == "1.0"
    assert world.answer("gpu", virtual_packages=("__cuda=12.4=0",))["gpu"][0] == "2.0"


def test_the_c_library_decides_which_wheels_fit(world: World) -> None:
    world.universe.add("own", "2.0", tag="py3-none-manylinux_2_39_x86_64")
    world.universe.add("own", "1.0", tag="py3-none-manylinux_2_28_x86_64")
    assert world.answer("own")["own"][0] == "1.0"
    assert world.answer("own", virtual_packages=("__glibc=2.40=0",))["own"][0] == "2.0"


def test_exclude_newer_holds_for_channels(world: World) -> None:
    new = int(datetime(2026, 1, 1, tzinfo=timezone.utc).timestamp() * 1000)
    old = int(datetime(2024, 1, 1, tzinfo=timezone.utc).timestamp() * 1000)
    world.add("base", "1.0", timestamp=old)
    world.add("base", "2.0", timestamp=new)
    limit = datetime(2025, 1, 1, tzinfo=timezone.utc)
    assert world.answer("base", exclude_newer=limit)["base"][0] == "1.0"


def test_run_constraints_and_features(world: World) -> None:
    world.add("base", "2.0")
    world.add("base", "1.0")
    world.add("tool", "1.0", constrains=["base <2"])
    assert world.answer("tool", "base")["base"][0] == "1.0"
    world.add("blas", "2.0", track_features="special")
    world.add("blas", "1.0")
    assert world.answer("blas")["blas"][0] == "1.0"


def test_a_name_that_is_nowhere(world: World) -> None:
    with pytest.raises(UnknownPackageError, match="nowhere-at-all"):
        world.answer("nowhere-at-all")
    with pytest.raises(UnknownPackageError):
        world.answer("nowhere-at-all", sources=("conda-forge",))


def test_a_channel_without_python_leaves_room_for_that_of_this_machine(tmp_path: Path) -> None:
    world = World(tmp_path / "channels")
    world.channel("small").add_record("tool", "1.0", noarch="python", depends=["python >=3.9"])
    assert world.answer("tool", sources=("small", "pypi"))["python"][0] == "3.13.1"
    world.channel("small").add_record("plain", "1.0")
    assert set(world.answer("plain", sources=("small",))) == {"plain"}
