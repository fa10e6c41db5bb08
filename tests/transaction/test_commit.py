"""From a staged generation to an environment, and away with it."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

import pytest

from kaa.environments.prefix import MANIFEST, Prefix, read_manifest
from kaa.model.environment import Manifest
from kaa.model.errors import EnvironmentExistsError, EnvironmentStateError, StoreError
from kaa.store.layout import Layout
from kaa.transaction.commit import (
    LEAVING,
    PENDING,
    UNANNOUNCED,
    check_absent,
    commit_first_generation,
    commit_next_generation,
    delete,
    detach,
    settle,
)
from kaa.transaction.stage import staging_directory

if TYPE_CHECKING:
    from pathlib import Path

ASKED = Manifest("demo", ("bear",), ("pypi",), "kaa create", "2026-01-01T00:00:00+00:00")


@pytest.fixture
def layout(tmp_path: Path) -> Layout:
    return Layout(tmp_path / "kaa")


@pytest.fixture
def prefix(layout: Layout) -> Prefix:
    return Prefix(layout.environments / "demo")


def commit(prefix: Prefix, layout: Layout, text: str = "new") -> None:
    with staging_directory(prefix, layout) as staging:
        (staging / "file.txt").write_text(text)
        commit_first_generation(prefix, staging, ASKED)


def change(prefix: Prefix, layout: Layout, expected: int, text: str = "changed") -> int:
    with staging_directory(prefix, layout) as staging:
        (staging / "file.txt").write_text(text)
        return commit_next_generation(prefix, staging, ASKED, expected)


def asked_of(generation: Path) -> tuple[str, ...]:
    manifest = read_manifest(generation)
    assert manifest is not None
    return manifest.specs


def names(directory: Path) -> list[str]:
    """Return what is in a directory, but for the mark that a workflow takes away afterwards."""
    return sorted(path.name for path in directory.iterdir() if path.name != UNANNOUNCED)


def test_a_generation_becomes_the_environment(prefix: Prefix, layout: Layout) -> None:
    commit(prefix, layout)
    assert os.readlink(prefix.path) == os.path.join(".kaa", "demo", "1")  # noqa: PTH115, PTH118
    assert (prefix.path / "file.txt").read_text() == "new"
    assert asked_of(prefix.current) == ASKED.specs
    assert names(prefix.generations) == ["1"]
    assert prefix.current.stat().st_mode & 0o777 == 0o755


def test_nothing_is_left_of_what_was_not_committed(prefix: Prefix, layout: Layout) -> None:
    with (
        pytest.raises(RuntimeError, match="half-way"),
        staging_directory(prefix, layout) as staging,
    ):
        (staging / "file.txt").write_text("unfinished")
        raise RuntimeError("half-way")
    assert names(layout.environments) == []


def test_the_second_of_two_is_refused_and_the_first_stays(prefix: Prefix, layout: Layout) -> None:
    with staging_directory(prefix, layout) as late:
        (late / "file.txt").write_text("late")
        commit(prefix, layout, "first")
        with pytest.raises(EnvironmentExistsError, match="demo exists already"):
            commit_first_generation(prefix, late, ASKED)
    assert (prefix.path / "file.txt").read_text() == "first"
    assert names(prefix.generations) == ["1"]


def abandoned(prefix: Prefix, number: int) -> Path:
    """Leave a generation that looks whole, without a link to it."""
    generation = prefix.generations / str(number)
    (generation / MANIFEST).parent.mkdir(parents=True)
    (generation / MANIFEST).write_text("{}")
    return generation


def test_a_generation_that_was_never_linked_is_replaced(prefix: Prefix, layout: Layout) -> None:
    abandoned(prefix, 7)
    (prefix.generations / f"{PENDING}7").touch()
    (prefix.generations / f"{PENDING}8").touch()  # killed before the directory had its name
    (prefix.generations / "2024" / "thesis").mkdir(parents=True)  # whose it is nobody knows
    commit(prefix, layout)
    assert names(prefix.generations) == ["2024", "2025"]
    assert (prefix.path / "file.txt").read_text() == "new"


def test_the_generations_of_a_link_that_somebody_deleted_stay(
    prefix: Prefix, layout: Layout
) -> None:
    commit(prefix, layout, "first")
    change(prefix, layout, 1, "second")
    prefix.path.unlink()
    settle(prefix)
    commit(prefix, layout, "again")
    assert names(prefix.generations) == ["1", "2", "3"]
    assert (prefix.generations / "2" / "file.txt").read_text() == "second"


def test_the_next_generation_takes_the_place_and_the_old_one_stays(
    prefix: Prefix, layout: Layout
) -> None:
    commit(prefix, layout, "first")
    assert change(prefix, layout, 1, "second") == 2
    assert change(prefix, layout, 2, "third") == 3
    assert prefix.current_number == 3
    assert names(prefix.generations) == ["1", "2", "3"]
    texts = [(prefix.generations / str(n) / "file.txt").read_text() for n in (1, 2, 3)]
    assert texts == ["first", "second", "third"]
    assert asked_of(prefix.current) == ASKED.specs


def test_a_plan_for_another_generation_is_refused(prefix: Prefix, layout: Layout) -> None:
    commit(prefix, layout, "first")
    change(prefix, layout, 1, "second")
    with pytest.raises(EnvironmentStateError, match="changed demo in the meantime") as caught:
        change(prefix, layout, 1, "late")
    assert "generation 1, and it is at 2" in (caught.value.cause or "")
    assert "again" in (caught.value.hint or "")
    assert (prefix.path / "file.txt").read_text() == "second"
    assert names(prefix.generations) == ["1", "2"]


def test_an_environment_that_was_removed_meanwhile_does_not_come_back(
    prefix: Prefix, layout: Layout
) -> None:
    commit(prefix, layout)
    with staging_directory(prefix, layout) as staging:
        doomed = detach(prefix)
        with pytest.raises(EnvironmentStateError, match="removed demo in the meantime"):
            commit_next_generation(prefix, staging, ASKED, 1)
    delete(doomed)
    assert names(layout.environments) == [".kaa"]
    assert names(layout.environments / ".kaa") == []


def test_a_failed_rename_leaves_the_old_generation(prefix: Prefix, layout: Layout) -> None:
    commit(prefix, layout, "first")
    with staging_directory(prefix, layout) as staging:
        (staging / "file.txt").write_text("late")
        original = Prefix.next_number

        class InTheWay(Prefix):
            __slots__ = ()

            def next_number(self) -> int:
                (self.generations / "2").write_text("a file where the generation belongs")
                return original(Prefix(self.path)) - 1

        with pytest.raises(StoreError, match="demo cannot be written"):
            commit_next_generation(InTheWay(prefix.path), staging, ASKED, 1)
    assert (prefix.path / "file.txt").read_text() == "first"
    assert not [name for name in names(prefix.generations) if name.startswith(".")]


def test_what_was_linked_before_its_mark_went_is_kept(prefix: Prefix, layout: Layout) -> None:
    commit(prefix, layout, "first")
    change(prefix, layout, 1, "second")
    (prefix.generations / f"{PENDING}2").touch()  # killed after the link, before this went
    change(prefix, layout, 2, "third")
    assert names(prefix.generations) == ["1", "2", "3"]


def test_a_removal_that_was_not_begun_is_forgotten(prefix: Prefix, layout: Layout) -> None:
    commit(prefix, layout, "first")
    (prefix.generations / LEAVING).touch()  # killed before the link went
    settle(prefix)
    assert (prefix.path / "file.txt").read_text() == "first"
    assert names(prefix.generations) == ["1"]


def test_a_removal_that_was_begun_is_finished(prefix: Prefix, layout: Layout) -> None:
    commit(prefix, layout, "first")
    change(prefix, layout, 1, "second")
    (prefix.generations / "2024" / "thesis").mkdir(parents=True)
    (prefix.generations / LEAVING).touch()
    prefix.path.unlink()  # killed before the generations were renamed
    commit(prefix, layout, "new")
    assert names(prefix.generations) == ["2024", "2025"]
    assert (prefix.path / "file.txt").read_text() == "new"


@pytest.mark.parametrize("kind", ["directory", "file", "link", "kaa's link"])
def test_what_is_in_the_way_is_named_and_kept(prefix: Prefix, kind: str) -> None:
    prefix.path.parent.mkdir(parents=True)
    if kind == "directory":
        (prefix.path / "inside").mkdir(parents=True)
    elif kind == "file":
        prefix.path.write_text("")
    else:
        prefix.path.symlink_to("." if kind == "link" else f".kaa/{prefix.name}/1")
    with pytest.raises(EnvironmentExistsError) as caught:
        check_absent(prefix)
    assert str(prefix.path) in caught.value.message
    removable = kind == "kaa's link"
    assert ("env remove" in (caught.value.hint or "")) is removable
    assert os.path.lexists(prefix.path)


def test_the_hint_can_be_pasted_whatever_the_path(tmp_path: Path) -> None:
    prefix = Prefix(tmp_path / "it's mine")
    prefix.path.symlink_to(f".kaa/{prefix.name}/1")
    with pytest.raises(EnvironmentExistsError) as caught:
        check_absent(prefix)
    import shlex

    command = (caught.value.hint or "").split("`")[1]
    assert shlex.split(command) == ["kaa", "env", "remove", "-p", str(prefix.path)]


def test_a_link_that_cannot_be_placed_leaves_nothing(prefix: Prefix, layout: Layout) -> None:
    # A directory that another mount or process fills in the last moment.
    prefix.path.mkdir(parents=True)
    with staging_directory(prefix, layout) as staging:
        original = Prefix.next_number

        class Late(Prefix):
            __slots__ = ()

            def next_number(self) -> int:
                (self.path / "guest").mkdir()
                return original(self)

        with pytest.raises(StoreError, match="demo cannot be written"):
            commit_first_generation(Late(prefix.path), staging, ASKED)
    assert names(layout.environments) == ["demo"]
    assert names(prefix.path) == ["guest"]


def test_an_environment_goes_as_a_whole(prefix: Prefix, layout: Layout) -> None:
    commit(prefix, layout)
    other = Prefix(layout.environments / "other")
    commit(other, layout)
    doomed = detach(prefix)
    assert not os.path.lexists(prefix.path)
    assert not prefix.generations.exists()
    assert (doomed / "1" / "file.txt").exists()
    delete(doomed)
    assert names(layout.environments / ".kaa") == ["other"]
    delete(detach(other))
    assert names(layout.environments / ".kaa") == []
    delete(detach(other))  # somebody else was faster: that is no error


def test_a_link_in_place_of_the_generations_is_refused(prefix: Prefix, tmp_path: Path) -> None:
    victim = tmp_path / "victim"
    (victim / prefix.name / "2024" / "thesis").mkdir(parents=True)
    prefix.path.parent.mkdir(parents=True)
    prefix.generations.parent.symlink_to(victim)
    with pytest.raises(EnvironmentExistsError, match="link"):
        check_absent(prefix)
    assert (victim / prefix.name / "2024" / "thesis").is_dir()
