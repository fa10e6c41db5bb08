"""What a generation of before has, when it is gone back to, of what was changed since."""

from __future__ import annotations

import shutil
from typing import TYPE_CHECKING

import pytest

from kaa.transaction.carried import BESIDE
from kaa.transaction.carry import carry_over
from transaction.test_carry import SITE, Pair

if TYPE_CHECKING:
    from pathlib import Path

    from kaa.transaction.carried import Carried


@pytest.fixture
def pair(tmp_path: Path) -> Pair:
    """``old`` is the current generation, ``new`` the one that is gone back to."""
    pair = Pair(tmp_path)
    pair.python()
    return pair


def back(pair: Pair) -> Carried:
    return carry_over(pair.old, pair.new, pair.stable, existing=True)


def into_both(pair: Pair, name: str, version: str, *files: str) -> None:
    """Let pip have installed a distribution before the change: both generations have it."""
    pair.distribution(name, version, *files)
    metadata = f"{SITE}/{name}-{version}.dist-info"
    for path in [*files, *(f"{metadata}/{each.name}" for each in (pair.old / metadata).iterdir())]:
        target = pair.new / path
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_bytes((pair.old / path).read_bytes())


def test_the_newest_of_the_user_s_files(pair: Pair) -> None:
    (pair.new / "notes.txt").write_text("of then")
    (pair.new / "only-then.txt").write_text("a program that runs there wrote it")
    pair.write("notes.txt", "of now")
    pair.write("data/new.csv", "1")
    back(pair)
    assert (pair.new / "notes.txt").read_text() == "of now"
    assert (pair.new / "data/new.csv").read_text() == "1"
    assert (pair.new / "only-then.txt").exists()
    assert not list(pair.new.rglob(".kaa-part"))


def test_a_file_that_has_become_a_directory_and_the_other_way_round(pair: Pair) -> None:
    (pair.new / "data").write_text("once a file")
    (pair.new / "notes").mkdir()
    (pair.new / "notes" / "a.txt").write_text("once a directory")
    pair.write("data/a.csv", "1")
    pair.write("notes", "a file now")
    carried = back(pair)
    assert (pair.new / "data/a.csv").read_text() == "1"
    assert (pair.new / "notes").read_text() == "a file now"
    assert carried.kept == {}
    # But not where a package of then has something.
    pair.package("fur", "1", {"share/fur/x.txt": "x"}, "new")
    pair.write("share/fur", "mine")
    assert back(pair).notes() and (pair.new / "share/fur/x.txt").read_text() == "x"


def test_what_pip_removed_since_is_gone(pair: Pair) -> None:
    into_both(pair, "fox", "1.0", f"{SITE}/fox/__init__.py", f"{SITE}/fox/den/a.py", "bin/bark")
    into_both(pair, "owl", "1.0", f"{SITE}/owl.py")
    cached = pair.new / SITE / "fox" / "__pycache__" / "a.pyc"
    cached.parent.mkdir()
    cached.write_text("")
    shutil.rmtree(pair.old / SITE / "fox")
    shutil.rmtree(pair.old / SITE / "fox-1.0.dist-info")
    (pair.old / "bin" / "bark").unlink()
    back(pair)
    left = [path.name for path in pair.new.rglob("*")]
    assert not {"fox", "fox-1.0.dist-info", "bark", "a.py"} & set(left)
    assert {"owl.py", "owl-1.0.dist-info", "site-packages", "bin"} <= set(left)


def test_what_pip_upgraded_since_is_there_once(pair: Pair) -> None:
    into_both(pair, "fox", "1.0", f"{SITE}/fox/__init__.py", f"{SITE}/fox/old.py")
    (pair.old / SITE / "fox" / "old.py").unlink()
    shutil.rmtree(pair.old / SITE / "fox-1.0.dist-info")
    pair.distribution("fox", "2.0", f"{SITE}/fox/__init__.py", f"{SITE}/fox/new.py")
    back(pair)
    assert [path.name for path in pair.new.glob(f"{SITE}/*-info")] == ["fox-2.0.dist-info"]
    assert sorted(path.name for path in (pair.new / SITE / "fox").iterdir()) == [
        "__init__.py",
        "new.py",
    ]
    assert (pair.new / SITE / "fox" / "__init__.py").read_text() == "fox 2.0"


def test_what_could_not_be_carried_then_is_there_again(pair: Pair) -> None:
    # A package took the place of pip's fox; going back takes that away.
    into_both(pair, "fox", "1.0", f"{SITE}/fox.py")
    (pair.old / SITE / "fox.py").unlink()
    shutil.rmtree(pair.old / SITE / "fox-1.0.dist-info")
    pair.package("fox", "2.0", {f"{SITE}/fox-2.0.dist-info/METADATA": "Name: fox\n"}, "old")
    back(pair)
    assert (pair.new / SITE / "fox.py").read_text() == "fox 1.0"
    assert [path.name for path in pair.new.glob(f"{SITE}/*-info")] == ["fox-1.0.dist-info"]


def test_of_another_python_nothing_is_taken_away(tmp_path: Path) -> None:
    pair = Pair(tmp_path)
    pair.python("3.12.1", "new")
    pair.python("3.13.1", "old")
    fox = pair.new / SITE / "fox-1.0.dist-info"
    fox.mkdir(parents=True)
    (fox / "METADATA").write_text("Name: fox\n")
    back(pair)
    assert fox.is_dir()


def test_settings_are_the_user_s_and_none_are_put_beside_twice(pair: Pair) -> None:
    pair.package("app", "1.0", {"etc/app.conf": "of 1.0", "etc/b.conf": "b of 1.0"}, "new")
    pair.package("app", "2.0", {"etc/app.conf": "of 2.0", "etc/b.conf": "b of 2.0"}, "old")
    (pair.new / "etc/app.conf").write_text("edited before the update")
    pair.write("etc/app.conf", "edited before the update, and since")
    pair.write(f"etc/app.conf{BESIDE}", "of 2.0")
    pair.write("etc/b.conf", "edited since")
    pair.write(f"etc/mine.conf{BESIDE}", "the user's, whatever it is called")
    back(pair)
    assert (pair.new / "etc/app.conf").read_text() == "edited before the update, and since"
    assert not (pair.new / f"etc/app.conf{BESIDE}").exists()
    assert (pair.new / "etc/b.conf").read_text() == "edited since"
    assert (pair.new / f"etc/b.conf{BESIDE}").read_text() == "b of 1.0"
    assert (pair.new / f"etc/mine.conf{BESIDE}").exists()


def test_going_back_twice_is_going_back_once(pair: Pair) -> None:
    pair.write("notes.txt", "of now")
    into_both(pair, "fox", "1.0", f"{SITE}/fox.py")
    back(pair)
    before = {path: path.stat().st_mtime_ns for path in pair.new.rglob("*")}
    assert back(pair).files == 0
    assert {path: path.stat().st_mtime_ns for path in pair.new.rglob("*")} == before
