"""Who is at work, what is cleared, and what becomes of locks when a process is killed."""

from __future__ import annotations

import signal
import subprocess
import sys
import threading
import time
from typing import TYPE_CHECKING

import pytest

from kaa.environments.prefix import Prefix
from kaa.model.errors import NotWritableError, StoreError
from kaa.store.layout import Layout
from kaa.store.locks import alone, at_work, locked
from kaa.transaction.leftovers import clear_leftovers

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

_HOLD = """
import sys, time
from pathlib import Path
from kaa.store.layout import Layout
from kaa.store.locks import at_work, locked
layout = Layout(Path(sys.argv[1]))
with locked(layout, "held") if sys.argv[2] == "locked" else at_work(layout):
    print("holding", flush=True)
    time.sleep(60)
"""


@pytest.fixture
def layout(tmp_path: Path) -> Layout:
    return Layout(tmp_path / "kaa")


class Holder:
    """Another process that holds a lock until it is killed."""

    def __init__(self, layout: Layout, kind: str) -> None:
        command = [sys.executable, "-c", _HOLD, str(layout.root), kind]
        self.process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
        assert self.process.stdout is not None
        assert self.process.stdout.readline() == "holding\n"

    def kill(self) -> None:
        self.process.send_signal(signal.SIGKILL)
        self.process.wait()


@pytest.fixture(params=["at_work"])
def holder(layout: Layout, request: pytest.FixtureRequest) -> Iterator[Holder]:
    holder = Holder(layout, request.param)
    yield holder
    holder.process.kill()
    holder.process.communicate()


def leave(layout: Layout, prefix: Prefix) -> list[Path]:
    """Leave what a killed process leaves; return the paths."""
    left = [
        layout.environments / ".kaa" / "demo" / ".new-abc" / "lib" / "file.py",
        layout.environments / ".kaa" / "demo" / ".link-abc",
        layout.environments / ".kaa" / ".old-demo-abc" / "1" / "file.py",
        layout.overlays / ".kaa" / "cp312" / ".new-abc" / "file.py",
        prefix.generations / ".new-abc" / "file.py",
        layout.packages / ".kaa-123-abc" / "info" / "index.json",
        layout.metadata / "wheels" / "0123456789abcdef" / ".bear-1.0-py3-none-any.whl.1.part",
        layout.metadata / "wheels" / ("0" * 64 + ".whl"),
    ]
    for path in left:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text("left")
    return left


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
    left = leave(layout, prefix)
    clear_leftovers(layout, prefix)
    assert [path for path in left if not path.exists()] == []
    holder.kill()
    clear_leftovers(layout, prefix)
    assert [path for path in left if path.exists()] == []
    assert list(layout.locks.glob("run-*")) == [], "its lock file is cleared, too"


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
    assert began.wait(5)
    thread.join()


@pytest.mark.parametrize("holder", ["locked"], indirect=True)
def test_a_wait_is_told_and_ends_with_the_holder(
    layout: Layout, holder: Holder, caplog: pytest.LogCaptureFixture
) -> None:
    timer = threading.Timer(1.3, holder.kill)
    timer.start()
    began = time.monotonic()
    with locked(layout, "held"):
        waited = time.monotonic() - began
    timer.join()
    assert 1.0 < waited < 10
    assert "waiting for another kaa" in caplog.text
    assert str(layout.locks / "held.lock") in caplog.text


def test_a_lock_file_of_a_dead_process_is_no_obstacle(layout: Layout) -> None:
    layout.locks.mkdir(parents=True)
    (layout.locks / "held.lock").write_text("12345")
    began = time.monotonic()
    with locked(layout, "held"):
        assert time.monotonic() - began < 1


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
