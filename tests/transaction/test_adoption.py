"""A directory becomes a generation, killed at every instant, with and without an exchange."""

from __future__ import annotations

import hashlib
import json
import os
import signal
import subprocess
import sys
from typing import TYPE_CHECKING

import pytest

from kaa.environments.conda_history import HISTORY
from kaa.environments.history import find_generation
from kaa.environments.prefix import Prefix, read_manifest
from kaa.model.environment import Manifest
from kaa.model.errors import NotWritableError, UnsupportedError
from kaa.store.exchange import exchange
from kaa.store.layout import Layout
from kaa.transaction.adoption import adopt_directory, check_adoptable
from kaa.transaction.commit import UNANNOUNCED
from kaa.transaction.leftovers import clear_leftovers
from prefix_records import write_record

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

ASKED = Manifest("demo", ("bear",), ("forge",), "kaa adopt", "2026-01-01T00:00:00+00:00")
OLD_HISTORY = "==> 2025-01-01 00:00:00 <==\n# cmd: conda create\n+forge/noarch::bear-1.0-0\n"
RECORDS = [{"name": "bear", "version": "1.0", "build": "0", "build_number": 0, "files": []}]

_WORK = """
import json, os, signal, sys
from pathlib import Path
from kaa.environments.prefix import Prefix
from kaa.model.environment import Manifest
from kaa.transaction import adoption

prefix, instant, exchanging = Prefix(Path(sys.argv[1])), int(sys.argv[2]), sys.argv[3] == "yes"
records = json.loads(sys.argv[4])
asked = Manifest("demo", ("bear",), ("forge",), "kaa adopt", "2026-01-01T00:00:00+00:00")
events = {"os.rename", "os.remove", "os.rmdir", "os.mkdir", "os.symlink", "shutil.rmtree"}
count = -1

def step():
    global count
    if count == instant:
        os.kill(os.getpid(), signal.SIGKILL)
    count += 1

def watch(event, arguments):
    writes = event == "open" and isinstance(arguments[2], int) and arguments[2] & os.O_CREAT
    if count >= 0 and (event in events or writes):
        step()

def exchange(one, other):
    step()
    return exchanging and real(one, other)

real, adoption.exchange = adoption.exchange, exchange
sys.addaudithook(watch)
count = 0
adoption.adopt_directory(prefix, asked, records)
count = -1
"""


def conda_made(path: Path) -> Prefix:
    write_record(path, "bear", files=["lib/bear.txt"])
    (path / HISTORY).write_text(OLD_HISTORY)
    (path / "lib").mkdir()
    (path / "lib" / "bear.txt").write_text("growl")
    (path / "lib" / "link").symlink_to("bear.txt")
    return Prefix(path)


def made_by_venv(path: Path) -> Prefix:
    (path / "lib").mkdir(parents=True)
    (path / "lib" / "bear.txt").write_text("growl")
    (path / "pyvenv.cfg").write_text("home = /usr/bin\n")
    return Prefix(path)


def tree(path: Path) -> dict[str, str]:
    found = {}
    for folder, directories, files in os.walk(path):
        for name in (*directories, *files):
            file = os.path.join(folder, name)  # noqa: PTH118
            if os.path.islink(file):  # noqa: PTH114
                content = os.readlink(file)  # noqa: PTH115
            elif os.path.isdir(file):  # noqa: PTH112
                content = "directory"
            else:
                with open(file, "rb") as stream:  # noqa: PTH123
                    content = hashlib.sha256(stream.read()).hexdigest()
            found[os.path.relpath(file, path)] = content
    return found


@pytest.fixture
def prefix(tmp_path: Path) -> Prefix:
    return conda_made(tmp_path / "envs" / "demo")


def assert_adopted(prefix: Prefix, before: dict[str, str]) -> None:
    assert prefix.current_number == 1
    assert read_manifest(prefix.path) == ASKED
    assert [record["name"] for record in find_generation(prefix, 1).records()] == ["bear"]
    history = (prefix.path / HISTORY).read_text()
    assert history.startswith(OLD_HISTORY) or str(HISTORY) not in before
    assert history.count("kaa adopt") == 1 and history.count("bear-1.0-0") == 1
    after = tree(prefix.path.resolve())
    files = ("", "/lock.json", "/manifest.json", "/records-seal.json")
    own = {str(HISTORY), *(f"conda-meta/kaa{name}" for name in files)}
    if "pyvenv.cfg" in before:
        own |= {"conda-meta", "conda-meta/bear-1.0-0.json"}
    assert {path: text for path, text in after.items() if path not in own} == {
        path: text for path, text in before.items() if path not in own
    }
    names = {path.name for path in prefix.generations.iterdir()} - {UNANNOUNCED}
    assert names == {"1"}


@pytest.mark.parametrize("exchanging", [True, False])
def test_it_is_the_directory_that_it_was(
    prefix: Prefix, exchanging: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    if not exchanging:
        monkeypatch.setattr("kaa.transaction.adoption.exchange", lambda one, other: False)
    before, inode = tree(prefix.path), prefix.path.stat().st_ino
    assert adopt_directory(prefix, ASKED) == 1
    assert_adopted(prefix, before)
    assert prefix.path.stat().st_ino == inode
    assert os.readlink(prefix.path) == os.path.join(".kaa", "demo", "1")  # noqa: PTH115, PTH118


def test_what_shares_its_content_is_not_written_into(prefix: Prefix, tmp_path: Path) -> None:
    (tmp_path / "elsewhere").hardlink_to(prefix.path / HISTORY)
    adopt_directory(prefix, ASKED)
    assert (tmp_path / "elsewhere").read_text() == OLD_HISTORY


@pytest.mark.skipif(os.name == "nt", reason="there is no SIGKILL")
@pytest.mark.parametrize("exchanging", ["yes", "no"])
@pytest.mark.parametrize("make", [conda_made, made_by_venv])
def test_an_adoption_that_is_killed_has_happened_or_not(
    tmp_path: Path, exchanging: str, make: Callable[[Path], Prefix]
) -> None:
    seen = set()
    records = RECORDS if make is made_by_venv else []
    work = [sys.executable, "-c", _WORK]
    for instant in range(100):
        layout = Layout(tmp_path / str(instant))
        prefix = make(layout.environments / "demo")
        before = tree(prefix.path)
        done = subprocess.run(
            [*work, str(prefix.path), str(instant), exchanging, json.dumps(records)],
            capture_output=True,
            text=True,
            check=False,
        )
        if done.returncode == 0:
            break
        assert done.returncode == -signal.SIGKILL, done.stderr
        there = prefix.path.is_dir()
        assert there or exchanging == "no" or not can_exchange(tmp_path)
        if not prefix.path.is_symlink() and there:
            assert tree(prefix.path) == before
        clear_leftovers(layout, prefix)
        if prefix.path.is_symlink():
            assert_adopted(prefix, before)
        else:
            assert tree(prefix.path) == before
            assert not prefix.generations.exists()
        seen.add((there, prefix.path.is_symlink()))
        # And the same command does it, whatever there was.
        if not prefix.path.is_symlink():
            adopt_directory(prefix, ASKED, records)
            assert_adopted(prefix, before)
    else:
        raise AssertionError("it never ends")
    assert {(True, False), (True, True)} <= seen
    assert ((False, True) in seen) == (exchanging == "no" or not can_exchange(tmp_path))
    assert instant >= 12


def can_exchange(directory: Path) -> bool:
    one, other = directory / "one", directory / "other"
    one.mkdir(exist_ok=True)
    other.mkdir(exist_ok=True)
    return exchange(one, other)


def test_an_exchange_is_one_or_nothing(tmp_path: Path) -> None:
    (tmp_path / "one").mkdir()
    (tmp_path / "other").symlink_to("nowhere")
    if exchange(tmp_path / "one", tmp_path / "other"):
        assert (tmp_path / "one").is_symlink() and (tmp_path / "other").is_dir()
    else:
        assert (tmp_path / "one").is_dir() and (tmp_path / "other").is_symlink()
    assert not exchange(tmp_path / "one", tmp_path / "missing")


def test_what_has_to_stay_where_it_is(prefix: Prefix, tmp_path: Path) -> None:
    def reason(path: Path) -> str:
        with pytest.raises(UnsupportedError) as caught:
            check_adoptable(Prefix(path))
        return caught.value.cause or ""

    for name in ("condabin", "pkgs"):
        base = conda_made(tmp_path / name).path
        (base / name).mkdir()
        assert "conda, mamba or the like is installed in it" in reason(base)
    venv = tmp_path / "venv"
    venv.mkdir()
    assert "no conda-meta" in reason(venv)
    link = tmp_path / "link"
    link.symlink_to(prefix.path)
    assert f"a link to {prefix.path}" in reason(link)
    adopt_directory(prefix, ASKED)
    assert "one of kaa's environments already" in reason(prefix.path)
    assert "another environment's generations" in reason(prefix.current)


@pytest.mark.skipif(os.name == "nt" or os.geteuid() == 0, reason="this user may write everywhere")
def test_what_cannot_be_written_is_refused(prefix: Prefix) -> None:
    prefix.path.parent.chmod(0o555)
    try:
        with pytest.raises(NotWritableError):
            check_adoptable(prefix)
    finally:
        prefix.path.parent.chmod(0o755)


@pytest.mark.skipif(os.name == "nt", reason="files have no such owner")
def test_another_users_is_refused(prefix: Prefix, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "geteuid", lambda: os.getuid() + 1)
    with pytest.raises(UnsupportedError) as caught:
        check_adoptable(prefix)
    assert caught.value.cause == "it belongs to another user"


def test_a_mark_that_was_not_finished_is_taken_back(prefix: Prefix) -> None:
    (prefix.generations / ".adopting-1").mkdir(parents=True)
    before = tree(prefix.path)
    adopt_directory(prefix, ASKED)
    assert_adopted(prefix, before)
    record = json.loads((prefix.path / "conda-meta" / "bear-1.0-0.json").read_text())
    assert record["name"] == "bear"
