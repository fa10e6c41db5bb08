"""What two directories share, told from their listings, also where listings say nothing."""

from __future__ import annotations

import os
from dataclasses import dataclass
from typing import TYPE_CHECKING, cast

from kaa.environments.records import PackageFiles, read_files
from kaa.transaction.comparison import Owners, not_shared
from prefix_records import write_record

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path


@dataclass
class Listed:
    """An entry of a file system that lists other numbers than its files have."""

    entry: os.DirEntry[str]
    number: int

    @property
    def name(self) -> str:
        return self.entry.name

    @property
    def path(self) -> str:
        return self.entry.path

    def inode(self) -> int:
        return self.number

    def is_dir(self, *, follow_symlinks: bool) -> bool:
        return self.entry.is_dir(follow_symlinks=follow_symlinks)


def compare(old: Path, new: Path, change: Callable[[os.DirEntry[str]], object]) -> list[str]:
    with os.scandir(old) as scan:
        entries = [cast("os.DirEntry[str]", change(entry)) for entry in scan]
    with os.scandir(new) as scan:
        there = {entry.name: cast("os.DirEntry[str]", change(entry)) for entry in scan}
    return [entry.name for entry in not_shared(entries, there)]


def two_directories(tmp_path: Path) -> tuple[Path, Path]:
    old, new = tmp_path / "old", tmp_path / "new"
    for directory in (old, new):
        (directory / "package").mkdir(parents=True)
        (directory / "edited").write_text("x")
    for name in ("a", "b"):
        (old / name).write_text(name)
        os.link(old / name, new / name)
    (old / "mine").write_text("mine")
    (new / "theirs").write_text("theirs")
    return old, new


def test_only_what_is_not_the_same_file_is_left(tmp_path: Path) -> None:
    old, new = two_directories(tmp_path)
    assert compare(old, new, lambda entry: entry) == ["edited", "mine", "package"]


def test_numbers_that_mean_nothing_are_not_believed(tmp_path: Path) -> None:
    old, new = two_directories(tmp_path)
    constant = compare(old, new, lambda entry: Listed(entry, 0xFFFFFFFF))
    assert constant == ["edited", "mine", "package"]


def test_numbers_that_never_agree_cost_time_only(tmp_path: Path) -> None:
    old, new = two_directories(tmp_path)
    numbers = iter(range(100))
    left = compare(old, new, lambda entry: Listed(entry, next(numbers)))
    assert left == ["a", "b", "edited", "mine", "package"]


def test_owners(tmp_path: Path) -> None:
    bear = PackageFiles("bear", "1", "0", "", None, ("lib/bear/a.py",), {})
    owners = Owners([bear])
    assert owners.get("lib/bear/a.py") is bear
    assert owners.get("lib/bear") is None and "lib/bear" not in owners
    assert owners.has_below("lib") and not owners.has_below("lib/be")


def test_a_record_that_changes_is_read_again(tmp_path: Path) -> None:
    record = write_record(tmp_path, "bear", files=["a"])
    (first,) = read_files(tmp_path)
    (again,) = read_files(tmp_path)
    assert again is first, "what was parsed is not parsed twice"
    record.unlink()
    write_record(tmp_path, "bear", files=["b"])
    assert [package.files for package in read_files(tmp_path)] == [("b",)]
