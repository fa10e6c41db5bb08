"""Who is at work, what is cleared, and what becomes of locks when a process is killed."""

from __future__ import annotations

import signal
import subprocess
import sys
import threading
import time
from typing import TYPE_CHECKING

import pytest

from kaa.environments.elsewhere import note_directory
from kaa.environments.prefix import Prefix
from kaa.environments.writer import sole_writer
from kaa.model.errors import NotWritableError, StoreError
from kaa.store.layout import Layout
from kaa.store.locks import alone, at_work, locked, runs
from kaa.store.run_token import run_token, temporary_name, token_of
from kaa.transaction.leftovers import clear_leftovers

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

_HOLD = """
import sys, time
from pathlib import Path
from kaa.store.layout import Layout
from kaa.store.locks import at_work, locked
layout = Layout(Path(sys.argv[1]), package_directory=Path(sys.argv[3]))
with locked(layout, "held") if sys.argv[2] == "locked" else at_work(layout):
    from kaa.store.run_token import run_token
    print(run_token(), flush=True)
    time.sleep(600)
"""
_OURS = "0123456789abcdef-01234567"
"""What the names of a process have in them that is not there any more."""


@pytest.fixture
def layout(tmp_path: Path) -> Layout:
    return Layout(tmp_path / "kaa")


class Holder:
    """Another process that holds a lock until it is killed."""

    def __init__(self, layout: Layout, kind: str) -> None:
        command = [sys.executable, "-c", _HOLD, str(layout.root), kind, str(layout.packages)]
        self.process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
        assert self.process.stdout is not None
        self.token = self.process.stdout.readline().strip()
        assert len(self.token) == 16

    def kill(self) -> None:
        self.process.send_signal(signal.SIGKILL)
        self.process.wait()


@pytest.fixture(params=["at_work"])
def holder(layout: Layout, request: pytest.FixtureRequest) -> Iterator[Holder]:
    holder = Holder(layout, request.param)
    yield holder
    holder.process.kill()
    holder.process.communicate()


def leave(layout: Layout, prefix: Prefix, run: str = _OURS) -> list[Path]:
    """Leave what a process leaves that is killed now; return the paths."""
    left = [
        layout.environments / ".kaa" / "demo" / ".new-abc" / "lib" / "file.py",
        layout.environments / ".kaa" / "demo" / ".link-abc",
        layout.environments / ".kaa" / ".old-demo-abc" / "1" / "file.py",
        layout.overlays / ".kaa" / "cp312" / ".new-abc" / "file.py",
        prefix.generations / ".new-abc" / "file.py",
        *of_run(layout, run),
        layout.metadata / "wheels" / ("0" * 64 + ".whl"),
    ]
    for path in left:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text("left")
    return left


def of_run(layout: Layout, run: str) -> list[Path]:
    return [
        layout.packages / f".kaa-{run}" / "info" / "index.json",
        layout.metadata / "wheels" / run / f".bear-1.0-py3-none-any.whl.{run}.part",
        layout.metadata / "archives" / run / "bear-1.0-0.conda",
        layout.metadata / "builds" / f".work-{run}" / "log",
    ]


def test_what_is_left_is_cleared_and_what_is_whole_stays(layout: Layout, tmp_path: Path) -> None:
    prefix = Prefix(tmp_path / "project" / "env")
    left = leave(layout, prefix)
    whole = [
        layout.environments / ".kaa" / "other" / "1" / "file.py",
        layout.environments / ".kaa" / "other" / "2" / ".new-file",
        layout.packages / "bear-1.0-0" / "info" / "index.json",
        layout.packages / "bear-1.0-0.lock",
        layout.metadata / "metadata" / "ab" / "cd.json",
        tmp_path / "project" / ".new-notes",
    ]
    for path in whole:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text("whole")
    clear_leftovers(layout, prefix)
    assert [path for path in left if path.exists()] == []
    assert [path for path in whole if not path.exists()] == []
    assert not (layout.environments / ".kaa" / "demo").exists()
    assert not (tmp_path / "project" / ".kaa").exists()
    assert not (layout.overlays / ".kaa").exists()


def test_nothing_is_cleared_under_the_hands_of_others(
    layout: Layout, tmp_path: Path, holder: Holder
) -> None:
    prefix = Prefix(tmp_path / "project" / "env")
    theirs = [*of_run(layout, f"{holder.token}-01234567"), layout.metadata / "wheels" / "a.whl"]
    for path in theirs:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text("theirs")
    dead = leave(layout, prefix)[:-1]
    clear_leftovers(layout, prefix)
    assert [path for path in theirs if not path.exists()] == []
    assert [path for path in dead if path.exists()] == [], "although somebody is at work"
    holder.kill()
    clear_leftovers(layout, prefix)
    assert [path for path in theirs if path.exists()] == []
    assert list(layout.locks.iterdir()) == [], "its lock file is cleared, too"


def test_what_was_being_exchanged_is_found_anywhere(layout: Layout, holder: Holder) -> None:
    run = f"{holder.token}-01234567"
    theirs = [
        layout.metadata / "pages" / "ab" / f".cd.json.{run}",
        layout.metadata / "builds" / "sdists" / "ab" / f".bear-1.0.tar.gz.{run}.part",
        layout.root / f".launcher.py.{run}",
        layout.environments / ".kaa" / f"..lock-demo.holder.{run}",
    ]
    for path in theirs:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text("theirs")
    clear_leftovers(layout, Prefix(layout.environments / "demo"))
    assert [path for path in theirs if not path.exists()] == []
    holder.kill()
    clear_leftovers(layout, Prefix(layout.environments / "demo"))
    assert [path for path in theirs if path.exists()] == []


def test_one_environment_s_writer_clears_beside_others_that_nobody_changes(
    layout: Layout,
) -> None:
    free, busy = Prefix(layout.environments / "free"), Prefix(layout.environments / "busy")
    left = {}
    for prefix in (free, busy):
        left[prefix.name] = [
            prefix.generations / ".new-abc" / "file.py",
            prefix.generations / "7" / "file.py",
            prefix.generations / ".pending-7",
            prefix.generations.with_name(f".old-{prefix.name}-01234567") / "1" / "file.py",
        ]
        for path in left[prefix.name]:
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text("left")
    own = Prefix(layout.environments / "own")
    with sole_writer(own, "kaa x"), sole_writer(busy, "kaa y"):
        clear_leftovers(layout, own)
        assert [path for path in left["free"] if path.exists()] == []
        assert [path for path in left["busy"] if not path.exists()] == []
        assert not free.generations.exists()
    with sole_writer(own, "kaa x"):
        clear_leftovers(layout, own)
    assert [path for path in left["busy"] if path.exists()] == []
    assert not (layout.environments / ".kaa").exists()


def test_the_lock_of_a_killed_writer_goes_with_what_it_left(layout: Layout) -> None:
    generations = layout.environments / ".kaa"
    generations.mkdir(parents=True)
    (generations / ".lock-demo").touch()
    (generations / ".lock-demo.holder").write_text("{}")
    with sole_writer(Prefix(layout.environments / "own"), "kaa x"):
        clear_leftovers(layout, Prefix(layout.environments / "own"))
    assert not generations.exists()


def test_a_cache_of_several_roots_knows_who_is_at_work_in_it(tmp_path: Path) -> None:
    cache = tmp_path / "shared" / "kaa"
    one = Layout(tmp_path / "one", package_directory=cache)
    two = Layout(tmp_path / "two", package_directory=cache)
    holder = Holder(one, "at_work")
    try:
        theirs = cache / f".kaa-{holder.token}-01234567" / "file"
        dead = cache / f".kaa-{_OURS}" / "file"
        for path in (theirs, dead):
            path.parent.mkdir(parents=True)
            path.write_text("theirs")
        clear_leftovers(two, Prefix(two.environments / "demo"))
        assert theirs.exists()
        assert not dead.exists()
        with alone(two) as undisturbed:
            assert not undisturbed
        holder.kill()
        clear_leftovers(two, Prefix(two.environments / "demo"))
        assert not theirs.exists()
    finally:
        holder.process.kill()
        holder.process.communicate()


def test_names_say_whose_they_are(layout: Layout) -> None:
    assert token_of(temporary_name(".x.", ".part")) == run_token()
    assert token_of("0" * 64 + ".whl") is None
    assert token_of(".bear-1.0-py3-none-any.whl.1.part") is None
    with at_work(layout), runs(layout) as found:
        assert run_token() in found.alive
        assert not found.is_dead(run_token())
        assert found.is_dead("0123456789abcdef")
        assert found.is_dead(None)


def test_a_root_that_is_not_there_has_nothing_to_clear(layout: Layout, tmp_path: Path) -> None:
    clear_leftovers(layout, Prefix(tmp_path / "env"))
    assert not layout.environments.exists()


def test_one_s_own_work_counts_as_others_do(layout: Layout) -> None:
    with alone(layout) as undisturbed:
        assert undisturbed
    with at_work(layout), at_work(layout), alone(layout) as undisturbed:
        assert not undisturbed
    with alone(layout) as undisturbed:
        assert undisturbed
    assert list(layout.locks.glob("run-*")) == []


def test_nobody_begins_while_leftovers_are_cleared(layout: Layout) -> None:
    began = threading.Event()

    def begin() -> None:
        with at_work(layout):
            began.set()

    with alone(layout):
        thread = threading.Thread(target=begin)
        thread.start()
        assert not began.wait(0.2)
    assert began.wait(300)
    thread.join()


@pytest.mark.parametrize("holder", ["locked"], indirect=True)
def test_a_wait_is_told_and_ends_with_the_holder(
    layout: Layout, holder: Holder, caplog: pytest.LogCaptureFixture
) -> None:
    timer = threading.Timer(1.3, holder.kill)
    began = time.monotonic()
    timer.start()
    with locked(layout, "held"):
        waited = time.monotonic() - began
    timer.join()
    assert 1.0 < waited < 300
    assert "waiting for another kaa" in caplog.text
    assert str(layout.locks / "held.lock") in caplog.text


def test_a_lock_file_of_a_dead_process_is_no_obstacle(
    layout: Layout, caplog: pytest.LogCaptureFixture
) -> None:
    layout.locks.mkdir(parents=True)
    (layout.locks / "held.lock").write_text("12345")
    with locked(layout, "held"):
        assert "waiting for" not in caplog.text


def test_locks_that_cannot_be_written(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    layout = Layout(tmp_path / "file" / "kaa")
    with (
        pytest.raises(NotWritableError, match="locks cannot be written") as caught,
        at_work(layout),
    ):
        pytest.fail("there can be no lock")
    assert caught.value.hint
    layout = Layout(tmp_path / "kaa")
    (layout.locks / "held.lock").mkdir(parents=True)
    with pytest.raises(StoreError, match="locks cannot be written"), locked(layout, "held"):
        pytest.fail("there can be no lock")


def test_half_a_file_in_a_generation_gone_back_to_is_cleared(layout: Layout) -> None:
    """As by an undo: what is carried into a generation of before is written beside at first."""
    other = Prefix(layout.environments / "other")
    (other.generations / "1").mkdir(parents=True)
    (other.generations / "1" / ".kaa-part").touch()
    other.path.symlink_to(".kaa/other/1")
    lock = other.generations.with_name(".lock-other")
    lock.touch()  # of who was killed at it
    clear_leftovers(layout, Prefix(layout.environments / "demo"))
    assert list((other.generations / "1").iterdir()) == []
    assert not lock.exists()


def test_what_is_left_at_a_path_that_only_a_note_knows_is_cleared(
    layout: Layout, tmp_path: Path
) -> None:
    own = Prefix(tmp_path / "projects" / "own")
    note_directory(layout, own)
    (own.generations / ".new-1").mkdir(parents=True)
    clear_leftovers(layout, Prefix(layout.environments / "demo"))
    assert list((tmp_path / "projects").iterdir()) == []
