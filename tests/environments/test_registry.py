from __future__ import annotations

import multiprocessing
from typing import TYPE_CHECKING

import pytest

from kaa.environments.prefix import MANIFEST
from kaa.environments.registry import (
    conda_environments_file,
    find_prefixes,
    register,
    unregister,
)
from kaa.store.layout import Layout

if TYPE_CHECKING:
    from pathlib import Path


@pytest.fixture
def layout(tmp_path: Path) -> Layout:
    return Layout(tmp_path / "kaa")


@pytest.fixture
def conda() -> Path:
    path = conda_environments_file()
    path.parent.mkdir()
    return path


def environment(path: Path) -> Path:
    (path / MANIFEST).parent.mkdir(parents=True)
    (path / MANIFEST).write_text("{}")
    return path


def test_an_environment_is_listed_once_and_taken_off(layout: Layout, tmp_path: Path) -> None:
    list_file = conda_environments_file()
    register(layout, tmp_path / "a")
    register(layout, tmp_path / "b")
    register(layout, tmp_path / "a")
    assert list_file.read_text() == f"{tmp_path / 'a'}\n{tmp_path / 'b'}\n"
    unregister(layout, tmp_path / "a")
    unregister(layout, tmp_path / "never there")
    assert list_file.read_text() == f"{tmp_path / 'b'}\n"
    assert [path.name for path in list_file.parent.iterdir()] == ["environments.txt"]


def test_the_lines_of_others_stay_as_they_are(layout: Layout, conda: Path, tmp_path: Path) -> None:
    theirs = b"/opt/caf\xe9\n/opt/base\n\n"
    conda.write_bytes(theirs)
    register(layout, tmp_path / "ours")
    assert conda.read_bytes() == theirs + f"{tmp_path / 'ours'}\n".encode()
    unregister(layout, tmp_path / "ours")
    assert conda.read_bytes() == theirs


def test_a_list_that_cannot_be_read_is_not_written(
    layout: Layout, conda: Path, tmp_path: Path
) -> None:
    conda.mkdir()
    with pytest.raises(OSError, match="directory"):
        register(layout, tmp_path / "ours")
    assert conda.is_dir()
    assert find_prefixes(layout) == []


def test_a_list_that_is_a_link_stays_one(layout: Layout, conda: Path, tmp_path: Path) -> None:
    target = tmp_path / "settings" / "environments.txt"
    target.parent.mkdir()
    target.write_text("/opt/base\n")
    conda.symlink_to(target)
    register(layout, tmp_path / "ours")
    assert conda.is_symlink()
    assert target.read_text() == f"/opt/base\n{tmp_path / 'ours'}\n"


def test_what_is_found(layout: Layout, conda: Path, tmp_path: Path) -> None:
    named = environment(layout.environments / ".kaa" / "zebra" / "1")
    (layout.environments / "zebra").symlink_to(named)
    (layout.environments / "dangling").symlink_to("nowhere")
    (layout.environments / "notes.txt").write_text("not an environment")
    elsewhere = environment(tmp_path / "project" / "env")
    theirs = tmp_path / "opt" / "conda"
    (theirs / "conda-meta").mkdir(parents=True)
    gone = tmp_path / "gone"
    lines = [str(layout.environments / "zebra"), str(theirs), str(gone), str(elsewhere)]
    # What such a list may hold after years: none of it ends the listing.
    lines += ["", "x" * 5000, "a\0b", "relative", "\ud800".encode("utf-8", "replace").decode()]
    conda.write_text("\n".join(lines))
    found = [str(prefix.path) for prefix in find_prefixes(layout)]
    assert found == [
        str(layout.environments / "dangling"),
        str(layout.environments / "zebra"),
        str(elsewhere),
    ]


def _register_many(root: Path, number: int) -> None:
    for each in range(10):
        register(Layout(root / "kaa"), root / f"env-{number}-{each}")


def test_many_at_once_lose_nothing(tmp_path: Path) -> None:
    context = multiprocessing.get_context("spawn")
    workers = [context.Process(target=_register_many, args=(tmp_path, n)) for n in range(3)]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join(300)
    assert [worker.exitcode for worker in workers] == [0, 0, 0]
    lines = conda_environments_file().read_text().splitlines()
    assert sorted(lines) == sorted(
        str(tmp_path / f"env-{number}-{each}") for number in range(3) for each in range(10)
    )


def test_a_link_to_nowhere_in_a_configured_directory_is_passed_over(tmp_path: Path) -> None:
    folder = tmp_path / "envs"
    environment(folder / "demo")
    (folder / "itself").symlink_to(".")
    (folder / "gone").symlink_to("not/there")
    layout = Layout(tmp_path / "kaa", environment_directories=(folder,))
    assert [prefix.name for prefix in find_prefixes(layout)] == ["demo"]
