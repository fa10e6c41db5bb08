"""What need not be listed again: whatever happened in between, nothing else is carried over."""

from __future__ import annotations

import os
import random
import shutil
import stat
import time
from typing import TYPE_CHECKING

import pytest

from kaa.environments.prefix import write_manifest
from kaa.model.environment import Manifest
from kaa.transaction.carry import carry_over
from kaa.transaction.compared import COMPARED, compare_with_past
from transaction.test_carry import SITE, Pair

if TYPE_CHECKING:
    from pathlib import Path

FILES = ("a.py", "deep/b.py", "deep/er/c.py", "deep/er/data.txt")
MOMENT = 0.15
"""Seconds after which a directory counts as at rest."""


class World(Pair):
    """Generations of an environment, linked from one package cache."""

    def generation(self, name: str) -> Path:
        return self.old.with_name(name)

    def link(self, name: str, *packages: tuple[str, str]) -> Path:
        """Link packages into a new generation as :meth:`Pair.package` does."""
        other = type(self)(self.root)
        target = self.generation(name)
        for package, version in packages:
            files = {f"{SITE}/{package}/{file}": f"{package} {version}" for file in FILES}
            files |= {f"{SITE}/shared/{package}/{file}": version for file in FILES}
            files |= {f"etc/{package}.conf": f"of {package}", f"bin/{package}": "#!"}
            self.fill(other, target, package, version, files)
        (target / "conda-meta").mkdir(parents=True, exist_ok=True)
        write_manifest(target, Manifest("demo", (), (), "kaa", "now"))
        return target

    def fill(
        self, other: Pair, target: Path, package: str, version: str, files: dict[str, str]
    ) -> None:
        cache = self.root / "pkgs" / f"{package}-{version}"
        made = cache.exists()
        scratch = self.root / "scratch"
        mirror = Pair(scratch)
        if not made:
            mirror.package(package, version, files, "old")
            shutil.copytree(scratch / "pkgs" / cache.name, cache)
            shutil.copytree(mirror.old / "conda-meta", cache / "records")
            shutil.rmtree(scratch)
        for path in files:
            place = target / path
            place.parent.mkdir(parents=True, exist_ok=True)
            if path.startswith("etc/"):
                shutil.copy2(cache / path, place)
            else:
                os.link(cache / path, place)
        (target / "conda-meta").mkdir(exist_ok=True)
        for record in (cache / "records").iterdir():
            shutil.copy2(record, target / "conda-meta" / record.name)


BEFORE = (("bear", "1.0"), ("fur", "1.0"))
AFTER = (*BEFORE, ("wolf", "1.0"))
NEXT = (("bear", "1.0"), ("fur", "2.0"), ("owl", "1.0"))


@pytest.fixture
def world(tmp_path: Path) -> World:
    """Two generations, the second made from the first."""
    world = World(tmp_path)
    first = world.link("1", *BEFORE)
    (first / "work/sub").mkdir(parents=True)
    (first / "work/sub/mine.txt").write_text("mine")
    (first / SITE / "bear/deep/mine.txt").write_text("mine")
    time.sleep(MOMENT)
    second = world.link(".new-2", *AFTER)
    carry_over(first, second, world.stable)
    second.rename(world.generation("2"))
    return world


def tree(root: Path) -> dict[str, tuple[object, ...]]:
    found: dict[str, tuple[object, ...]] = {}
    for path in sorted(root.rglob("*")):
        status = path.lstat()
        name = str(path.relative_to(root))
        if name == COMPARED.as_posix():
            continue
        content: object = None
        if stat.S_ISLNK(status.st_mode):
            content = os.readlink(path)  # noqa: PTH115
        elif stat.S_ISREG(status.st_mode):
            content = path.read_bytes()
        found[name] = (stat.S_IFMT(status.st_mode), stat.S_IMODE(status.st_mode), content)
    return found


def live_in(root: Path, chance: random.Random) -> None:
    """Do to a generation what people and programs do."""
    for _ in range(chance.randrange(1, 7)):
        paths = [path for path in root.rglob("*") if "conda-meta" not in path.parts]
        directories = [path for path in paths if path.is_dir() and not path.is_symlink()]
        files = [path for path in paths if path.is_file() and not path.is_symlink()]
        directory, file = chance.choice(directories), chance.choice(files)
        name = f"mine-{chance.randrange(5)}"
        match chance.randrange(9):
            case 0:
                (directory / name).write_text("new")
            case 1:
                file.unlink()
                file.write_text("edited")
            case 2:
                with file.open("r+") as stream:
                    stream.write("IN PLACE")
            case 3:
                file.unlink()
            case 4:
                (directory / f"{name}.d" / "below").mkdir(parents=True, exist_ok=True)
                (directory / f"{name}.d" / "below" / "x").write_text("new")
            case 5:
                directory.chmod(0o750)
            case 6:
                if not (directory / name).exists():
                    (directory / name).symlink_to("a.py")
            case 7:
                cache = directory / "__pycache__"
                cache.mkdir(exist_ok=True)
                (cache / "a.cpython-312.pyc").write_text("bytecode")
            case 8:
                shutil.rmtree(directory)


@pytest.mark.parametrize("seed", range(20))
def test_the_next_change_carries_the_same(world: World, seed: int) -> None:
    second = world.generation("2")
    live_in(second, random.Random(seed))
    quick, slow = (world.link(name, *NEXT) for name in (".new-quick", ".new-slow"))
    by_the_list = carry_over(second, quick, world.stable)
    (second / COMPARED).unlink()
    by_all = carry_over(second, slow, world.stable)
    assert tree(quick) == tree(slow)
    assert by_the_list == by_all


@pytest.mark.parametrize("seed", range(20))
def test_going_back_carries_the_same(world: World, seed: int) -> None:
    first, second = world.generation("1"), world.generation("2")
    live_in(second, random.Random(seed))
    if seed % 2:
        live_in(first, random.Random(seed + 1000))
    replica = world.generation("replica")
    shutil.copytree(first, replica, copy_function=os.link, symlinks=True)
    for path in first.glob("etc/*.conf"):  # those are not shared with anybody
        (replica / "etc" / path.name).unlink()
        shutil.copy2(path, replica / "etc" / path.name, follow_symlinks=False)
    by_all = carry_over(second, replica, world.stable, existing=True)
    by_the_list = carry_over(second, first, world.stable, existing=True)
    assert tree(first) == tree(replica)
    assert by_the_list == by_all


def test_what_has_nothing_of_its_own_is_not_listed(world: World) -> None:
    first, second = (str(world.generation(number)) for number in "12")
    for pair in ((first, second), (second, first)):
        comparison = compare_with_past(*pair)
        assert comparison.below(f"{SITE}/fur") == ["deep"]
        assert comparison.below(f"{SITE}/fur/deep/er") == []
        assert comparison.below(SITE) == ["bear", "fur", "shared", "wolf"]
        assert comparison.below(f"{SITE}/bear/deep") is None, "somebody's file is in it"
        assert comparison.below("etc") is None, "copies may be edited in place"
        assert comparison.below("work/sub") is None
    (world.generation("1") / SITE / "fur" / "new.txt").write_text("new")
    assert compare_with_past(second, first).below(f"{SITE}/fur") is None


def test_a_package_that_was_fetched_again_is_looked_at(world: World) -> None:
    """Its files were the cache's, and are the environment's alone since: they can be edited."""
    cache = world.root / "pkgs" / "fur-1.0"
    shutil.copytree(cache, world.root / "again")
    shutil.rmtree(cache)
    (world.root / "again").rename(cache)
    first, second = world.generation("1"), world.generation("2")
    shutil.rmtree(first)
    with (second / SITE / "fur/deep/b.py").open("w") as stream:
        stream.write("edited in place")
    third = world.link(".new-3", *AFTER)
    carry_over(second, third, world.stable)
    assert (third / SITE / "fur/deep/b.py").read_text() == "edited in place"


def test_what_changed_a_moment_ago_is_not_relied_upon(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("kaa.transaction.compared._MOMENT", 3600 * 10**9)  # the machine may be slow
    world = World(tmp_path)
    first = world.link("1", *BEFORE)
    second = world.link(".new-2", *AFTER)
    os.utime(first / SITE / "fur")  # changed just now
    carry_over(first, second, world.stable)
    assert compare_with_past(str(second), str(first)).below(f"{SITE}/fur") is None


@pytest.mark.parametrize("content", ["", "{", "[]", '{"other": "1", "directories": {"": [1]}}'])
def test_a_damaged_list_is_none(world: World, content: str) -> None:
    second = world.generation("2")
    (second / COMPARED).write_text(content)
    (second / SITE / "fur" / "mine.txt").write_text("mine")
    third = world.link(".new-3", *AFTER)
    carry_over(second, third, world.stable)
    assert (third / SITE / "fur" / "mine.txt").read_text() == "mine"
