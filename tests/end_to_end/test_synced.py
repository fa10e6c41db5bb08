"""What was just made of a file is known to be what the file says; and only that."""

from __future__ import annotations

import json
import subprocess
import sys
import time
from typing import TYPE_CHECKING

import pytest

from end_to_end.at_once import finish, start
from end_to_end.machine import PYTHON, kaa, root
from local_index import Fault
from wheels import build_wheel

if TYPE_CHECKING:
    from pathlib import Path

    from local_index import LocalIndex


@pytest.fixture
def file(tmp_path: Path, index: LocalIndex) -> Path:
    """A file that asks for fur, and a variable; and an index that says what it is asked."""
    index.headers = {"Cache-Control": "no-cache"}
    return written(tmp_path, "fur")


def written(tmp_path: Path, *projects: str, honey: str = "sweet") -> Path:
    path = tmp_path / "environment.yml"
    specs = [PYTHON, *(f"pypi::{project}" for project in projects)]
    content = {"name": "den", "channels": ["pypi"], "dependencies": specs}
    path.write_text(json.dumps({**content, "variables": {"HONEY": honey}}), encoding="utf-8")
    return path


def is_known(file: Path, *more: str) -> bool:
    """Sync, without a change; say whether it was known without a solve that nothing is to do."""
    command = [
        sys.executable,
        "-X",
        "importtime",
        "-m",
        "kaa",
        "sync",
        "-n",
        "den",
        "-f",
        str(file),
    ]
    done = subprocess.run(
        [*command, "--dry-run", *more], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    known = "kaa.workflows.change\n" not in done.stderr
    assert not known or "Nothing to do." in done.stdout
    return known


def make(*arguments: str | Path) -> None:
    done = kaa(*arguments, "-y")
    assert done.code == 0, done.err


def test_what_was_created_is_synced(file: Path, index: LocalIndex, tmp_path: Path) -> None:
    make("create", "-f", file)
    asked = len(index.requests)
    assert is_known(file)
    assert len(index.requests) == asked
    # The long way says the same, and so it was no lie.
    command = [sys.executable, "-X", "importtime", "-m", "kaa", "sync", "-f", str(file)]
    named = subprocess.run(command, capture_output=True, text=True, check=False)
    assert "Nothing to do." in named.stdout and "ruamel" not in named.stderr
    (note,) = (root() / "cache" / "synced").glob("*.json")
    note.unlink()
    assert not is_known(file)
    assert "Nothing to do." in kaa("sync", "-n", "den", "-f", file, "-y").out
    assert is_known(file) and not is_known(file, "--no-build") and not is_known(file, "--offline")
    for changed in (written(tmp_path, "fur", honey="sour"), written(tmp_path, "fur", "bear")):
        assert not is_known(changed)
    assert is_known(written(tmp_path, "fur"))


def test_what_was_pruned_is_synced(file: Path, tmp_path: Path) -> None:
    make("create", "-n", "den", "-c", "pypi", PYTHON, "bear")
    make("env", "update", "-n", "den", "-f", file, "--prune")
    assert is_known(file)
    make("env", "update", "-n", "den", "-f", written(tmp_path, "bear"))
    assert not is_known(written(tmp_path, "fur")) and not is_known(written(tmp_path, "bear"))


def test_a_lock_that_was_followed_is_synced(file: Path, tmp_path: Path) -> None:
    lock = tmp_path / "pylock.toml"
    make("create", "-n", "other", "-f", file)
    assert kaa("export", "-n", "other", "-f", lock).code == 0
    make("create", "-n", "den", "-f", lock)
    assert is_known(lock) and not is_known(file)
    lock.write_text(lock.read_text(encoding="utf-8") + "#\n", encoding="utf-8")
    assert not is_known(lock)


@pytest.mark.parametrize("more", [("bear",), ("--no-deps",)])
def test_what_is_more_or_less_than_the_file_says_is_not(file: Path, more: tuple[str, ...]) -> None:
    make("create", "-f", file, *more)
    options = [option for option in more if option.startswith("-")]
    assert not is_known(file, *options)


def test_default_packages_are_more_than_the_file_says(
    file: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "condarc").write_text('create_default_packages: ["pypi::bear"]\n')
    monkeypatch.setenv("CONDARC", str(tmp_path / "condarc"))
    make("create", "-f", file)
    assert not is_known(file)
    assert kaa("list", "-n", "den", "bear", "--json").json


def test_whoever_changes_the_environment_makes_sync_look_again(file: Path, tmp_path: Path) -> None:
    make("create", "-f", file)
    den = root() / "envs" / "den"
    make("install", "-n", "den", "bear")
    assert not is_known(file)
    make("undo", "-n", "den")
    assert not is_known(file), "its history says more, at least"
    make("sync", "-n", "den", "-f", file)
    assert is_known(file)
    make("env", "config", "vars", "set", "-n", "den", "MORE=1")
    assert not is_known(file)
    make("sync", "-n", "den", "-f", file)
    assert is_known(file)
    # conda writes into the file, and removes and adds records; pip knows of distributions only.
    state = den / "conda-meta" / "state"
    before = state.read_text()
    state.write_text(before.replace("sweet", "sour"))
    assert not is_known(file)
    state.write_text(before)
    assert is_known(file)
    wheel = build_wheel(tmp_path, "fur", "9.0")
    pip = [sys.executable, "-m", "pip", "--python", str(den / "bin" / "python")]
    subprocess.run([*pip, "install", "-q", "--no-index", wheel], check=True)
    assert not is_known(file)
    make("sync", "-n", "den", "-f", file)
    assert is_known(file)
    (record,) = (den / "conda-meta").glob("fur-*.json")
    record.unlink()
    assert not is_known(file)


def test_a_file_that_is_edited_meanwhile_is_not_noted(
    file: Path, tmp_path: Path, index: LocalIndex
) -> None:
    index.fail("/simple/fur/", Fault(hang=60))
    process = start("create", "-f", str(file), "-y")
    deadline = time.monotonic() + 120
    while "/simple/fur/" not in index.paths():
        assert process.poll() is None and time.monotonic() < deadline
        time.sleep(0.01)
    written(tmp_path, "fur", "bear")
    index.heal()
    finish([process])
    assert not is_known(file)
    plan = kaa("sync", "-n", "den", "-f", file, "--dry-run", "--json").json["plan"]
    assert [each["name"] for each in plan["add"]] == ["bear"]
