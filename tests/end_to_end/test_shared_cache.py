"""One package cache for several roots, and caches beneath one's own that are only read."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
from dataclasses import dataclass
from typing import TYPE_CHECKING

import pytest

from end_to_end.at_once import finish, start
from end_to_end.machine import KAA, PYTHON, Answer, below, kaa
from end_to_end.unprivileged import close_to_writing, open_to_writing, unprivileged

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from local_index import LocalIndex


@dataclass(frozen=True)
class User:
    """Somebody with a home, a root and settings of their own."""

    home: Path

    @property
    def root(self) -> Path:
        return self.home / "kaa"

    @property
    def variables(self) -> dict[str, str]:
        return {
            "HOME": str(self.home),
            "KAA_ROOT": str(self.root),
            "XDG_CONFIG_HOME": str(self.home / ".config"),
            "JUPYTER_DATA_DIR": str(self.home / "jupyter"),
        }

    def kaa(self, *arguments: str, before: tuple[str, ...] = ()) -> Answer:
        done = subprocess.run(
            [*before, *KAA, *arguments],
            env={**os.environ, **self.variables},
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=300,
            check=False,
        )
        return Answer(done.returncode, done.stdout, done.stderr)

    def module(self, environment: str, name: str) -> Path:
        """Return the path of a module in an environment."""
        link = self.root / "envs" / environment
        return next(link.glob(f"lib/python*/site-packages/{name}/__init__.py"))


@pytest.fixture
def user(tmp_path: Path, interpreters: Path) -> Callable[..., User]:
    def make(name: str, *packages: Path) -> User:
        made = User(tmp_path / name)
        (made.root / "cache").mkdir(parents=True)
        shutil.copy(interpreters, made.root / "cache")
        settings = made.home / ".config" / "kaa" / "config.toml"
        settings.parent.mkdir(parents=True)
        settings.write_text(f"pkgs-dirs = {json.dumps(list(map(str, packages)))}\n")
        return made

    return make


@pytest.fixture
def shared(tmp_path: Path, index: LocalIndex, user: Callable[..., User]) -> Iterator[Path]:
    """A cache with bear and fur in it that nobody may write to."""
    directory = tmp_path / "shared"
    administrator = user("administrator", directory)
    made = administrator.kaa("create", "-n", "demo", PYTHON, "bear", "-y")
    assert made.code == 0, made.out + made.err
    close_to_writing(directory)
    yield directory
    open_to_writing(directory)


def same_file(module: Path, packages: Path) -> bool:
    files = packages.glob(f"{module.parent.name}-*/site-packages/{module.parent.name}/__init__.py")
    return any(module.samefile(file) for file in files)


def test_a_read_only_cache_beneath_one_s_own(
    shared: Path, tmp_path: Path, index: LocalIndex, user: Callable[..., User]
) -> None:
    ada = user("ada", tmp_path / "own", shared)
    before = sorted(below(shared))
    index.requests.clear()
    made = ada.kaa("create", "-n", "demo", PYTHON, "bear", "-y", before=unprivileged())
    assert made.code == 0, made.out + made.err
    assert "0 bytes to download" in made.out
    assert [path for path in index.paths() if path.endswith(".whl")] == []
    assert ada.kaa("run", "-n", "demo", "growl").out == "bear 1.0\n"
    assert same_file(ada.module("demo", "bear"), shared / "kaa")
    assert sorted(below(shared)) == before
    own = {path.name for path in (tmp_path / "own" / "kaa").glob("*") if path.is_dir()}
    assert not any(name.startswith(("bear", "fur")) for name in own)


def test_without_any_cache_to_write_to_one_s_own_is_below_the_root(
    shared: Path, user: Callable[..., User]
) -> None:
    ada = user("ada", shared)
    before = unprivileged()
    made = ada.kaa("create", "-n", "demo", PYTHON, "bear", "-y", before=before)
    assert made.code == 0, made.out + made.err
    assert same_file(ada.module("demo", "bear"), shared / "kaa")
    assert (ada.root / "pkgs").is_dir()


def test_what_is_damaged_beneath_is_fetched_into_one_s_own(
    shared: Path, tmp_path: Path, user: Callable[..., User]
) -> None:
    module = next((shared / "kaa").glob("bear-1.0-*/site-packages/bear/__init__.py"))
    module.parent.chmod(0o755)
    module.unlink()
    ada = user("ada", tmp_path / "own", shared)
    made = ada.kaa("create", "-n", "demo", PYTHON, "bear", "-y")
    assert made.code == 0, made.out + made.err
    assert "bear-1.0" in made.err and "left out" in made.err
    assert ada.kaa("run", "-n", "demo", "growl").out == "bear 1.0\n"
    assert same_file(ada.module("demo", "bear"), tmp_path / "own" / "kaa")
    assert not module.exists()


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can give files to somebody else")
def test_a_cache_that_somebody_else_has_filled(
    index: LocalIndex, tmp_path: Path, user: Callable[..., User]
) -> None:
    cache = tmp_path / "shared"
    cache.mkdir()
    assert user("somebody", cache).kaa("create", "-n", "demo", PYTHON, "bear", "-y").code == 0
    for path in (cache / "kaa").rglob("*"):
        if path.name != ".locks":
            os.chown(path, 12345, 12345, follow_symlinks=False)
    index.requests.clear()
    ada = user("ada", cache)
    # Into what one may write to oneself, beside what others have written.
    made = ada.kaa("create", "-n", "demo", PYTHON, "bear", "-y", before=unprivileged())
    assert made.code == 0, made.out + made.err
    assert ada.kaa("run", "-n", "demo", "growl").out == "bear 1.0\n"
    assert [path for path in index.paths() if "bear" in path and path.endswith(".whl")] == []


@pytest.mark.slow
def test_two_users_fill_one_cache_at_once(
    index: LocalIndex, tmp_path: Path, user: Callable[..., User]
) -> None:
    cache = tmp_path / "shared"
    users = [user("ada", cache), user("bob", cache)]
    finish(
        [
            start("create", "-n", name, PYTHON, "bear", "-y", **each.variables)
            for name in ("one", "two", "three")
            for each in users
        ]
    )
    for each in users:
        for name in ("one", "two", "three"):
            assert each.kaa("run", "-n", name, "growl").out == "bear 1.0\n"
        assert same_file(each.module("one", "bear"), cache / "kaa")
        assert not (each.root / "pkgs").exists()
    assert list((cache / "kaa").glob(".kaa-*")) == []
    assert list((cache / "kaa" / ".locks").iterdir()) == []


def test_what_one_puts_into_a_shared_cache_others_can_read(
    index: LocalIndex, tmp_path: Path, user: Callable[..., User]
) -> None:
    cache = tmp_path / "shared"
    cache.mkdir()
    cache.chmod(0o2775)
    ada = user("ada", cache)
    before = os.umask(0o077)
    try:
        assert ada.kaa("create", "-n", "demo", PYTHON, "bear", "-y").code == 0
    finally:
        os.umask(before)
    for path in (cache / "kaa", *(cache / "kaa").rglob("*")):
        if not path.is_symlink() and path.name != ".cache.lock":  # which is rattler's
            wanted = 0o755 if path.is_dir() else 0o644
            assert path.stat().st_mode & wanted == wanted, path
    for path in (cache / "kaa", cache / "kaa" / ".locks"):
        assert path.stat().st_mode & 0o020, f"{path} is for the group to write to"


def test_leftovers_of_another_root_are_cleared(
    index: LocalIndex, tmp_path: Path, user: Callable[..., User]
) -> None:
    cache = tmp_path / "shared"
    ada, bob = user("ada", cache), user("bob", cache)
    left = cache / "kaa" / ".kaa-0123456789abcdef-01234567" / "file"
    left.parent.mkdir(parents=True)
    left.touch()
    assert ada.kaa("create", "-n", "demo", PYTHON, "fur", "-y").code == 0
    assert not left.parent.exists()
    assert kaa("env", "list").code == 0
    assert bob.kaa("create", "-n", "demo", PYTHON, "fur", "-y").code == 0
