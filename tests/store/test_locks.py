"""One holder at a time: in one process, in several, killed, waited for, and without locks."""

from __future__ import annotations

import errno
import json
import os
import platform
import signal
import subprocess
import sys
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from typing import TYPE_CHECKING

import filelock
import pytest

from kaa.model.errors import AbortedError, NotWritableError
from kaa.store.exclusive import Holder, held, held_if_free, holder_of

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

_HOLD = """
import errno, sys, time
from pathlib import Path
import filelock
if sys.argv[2]:
    def refuse(descriptor, *, blocking=True, poll_interval=0.05):
        raise OSError(int(sys.argv[2]), "no locks here")
    filelock.lock_descriptor = refuse
from kaa.store.exclusive import held
with held(Path(sys.argv[1]), "kaa install -n demo x"):
    print("holding", flush=True)
    time.sleep(600)
"""
_COUNT = """
import sys
from pathlib import Path
from kaa.store.exclusive import held
lock, counter = Path(sys.argv[1]), Path(sys.argv[2])
for _ in range(50):
    with held(lock, "counting"):
        counter.write_text(str(int(counter.read_text()) + 1))
"""
_NO_LOCKS = [errno.ENOSYS, errno.ENOLCK, errno.EOPNOTSUPP, errno.ENOTSUP]


@contextmanager
def holder(path: Path, fault: int | None = None) -> Iterator[subprocess.Popen[str]]:
    """Another process that holds the lock until it is killed."""
    command = [sys.executable, "-c", _HOLD, str(path), str(fault or "")]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
    assert process.stdout is not None
    try:
        assert process.stdout.readline() == "holding\n"
        yield process
    finally:
        process.kill()
        process.communicate()


def end(process: subprocess.Popen[str]) -> None:
    process.kill()
    process.wait()  # its process id counts as long as nobody has asked how it ended


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "locks" / ".lock-demo"


@pytest.fixture
def without_locks(monkeypatch: pytest.MonkeyPatch) -> int:
    """The system's call fails as it does on a network file system without locks."""

    def refuse(descriptor: int, *, blocking: bool = True, poll_interval: float = 0.05) -> bool:
        raise OSError(errno.ENOLCK, "No locks available")

    monkeypatch.setattr(filelock, "lock_descriptor", refuse)
    return errno.ENOLCK


def test_nothing_is_left_of_a_lock(path: Path) -> None:
    with held(path, "kaa x"):
        assert path.exists()
    assert list(path.parent.iterdir()) == []


def test_the_holder_is_known(path: Path) -> None:
    before = time.time()
    with held(path, "kaa x"):
        found = holder_of(path)
        assert found is not None
        assert (found.pid, found.host, found.doing) == (os.getpid(), platform.node(), "kaa x")
        assert before <= found.since <= time.time()
    assert holder_of(path) is None


@pytest.mark.parametrize("text", ["", "{", "[]", '{"pid": 1}', '{"pid": "x", "host": 1}'])
def test_facts_that_make_no_sense_name_nobody(path: Path, text: str) -> None:
    path.parent.mkdir()
    path.with_name(".lock-demo.holder").write_text(text)
    assert holder_of(path) is None


def test_a_clock_that_went_backwards_is_no_negative_time() -> None:
    assert str(Holder(1, "here", time.time() + 100, "kaa x")).endswith("doing `kaa x` for 0 s")
    assert str(Holder(1, "here", time.time() - 600, "kaa x")).endswith("for 10 min")


def test_threads_of_one_process_exclude_each_other(path: Path) -> None:
    inside: list[int] = []

    def work(number: int) -> None:
        with held(path, "work"):
            inside.append(number)
            time.sleep(0.001)
            assert inside == [number]
            inside.remove(number)

    with ThreadPoolExecutor(8) as pool:
        list(pool.map(work, range(40)))
    assert list(path.parent.iterdir()) == []


def test_processes_exclude_each_other_while_files_come_and_go(path: Path, tmp_path: Path) -> None:
    counter = tmp_path / "counter"
    counter.write_text("0")
    command = [sys.executable, "-c", _COUNT, str(path), str(counter)]
    for process in [subprocess.Popen(command) for _ in range(6)]:
        assert process.wait(300) == 0
    assert counter.read_text() == "300"
    assert list(path.parent.iterdir()) == []


def test_a_waiting_one_names_the_holder(path: Path, caplog: pytest.LogCaptureFixture) -> None:
    with holder(path) as other:
        began = time.monotonic()
        threading.Timer(1.4, end, [other]).start()
        with held(path, "kaa y"):
            waited = time.monotonic() - began
    assert 1.0 < waited < 300
    said = f"waiting for process {other.pid} on {platform.node()}, which has been doing "
    assert said + "`kaa install -n demo x` for " in caplog.text
    assert caplog.text.count("waiting for") == 1


def test_a_killed_holder_is_no_obstacle_and_its_facts_are_stale(
    path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    with holder(path) as other:
        other.send_signal(signal.SIGKILL)
        other.wait()
    said = holder_of(path)
    assert said is not None and said.pid == other.pid, "it could not clear up after itself"
    with held(path, "kaa y"):
        now = holder_of(path)
        assert now is not None and now.pid == os.getpid()
    assert "waiting for" not in caplog.text
    assert list(path.parent.iterdir()) == []


def test_who_is_halted_stops_waiting_at_once(path: Path) -> None:
    halt = threading.Event()
    with holder(path):
        threading.Timer(0.2, halt.set).start()
        began = time.monotonic()
        with pytest.raises(AbortedError), held(path, "kaa y", halted=halt.is_set):
            pytest.fail("another process holds it")
        assert time.monotonic() - began < 60
        assert holder_of(path) is not None, "the holder's facts are untouched"


def test_to_try_is_not_to_wait(path: Path) -> None:
    with held_if_free(path, "kaa x") as free:
        assert free
        with held_if_free(path, "kaa y") as second:
            assert not second
        assert holder_of(path) is not None
    assert list(path.parent.iterdir()) == []


def test_an_error_within_lets_go(path: Path) -> None:
    with pytest.raises(ZeroDivisionError), held(path, "kaa x"):
        raise ZeroDivisionError
    assert list(path.parent.iterdir()) == []


def test_what_cannot_be_written_is_said(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(NotWritableError), held(tmp_path / "file" / "locks" / "x", ""):
        pytest.fail("there can be no lock")


def test_who_writes_to_the_directory_writes_to_the_lock(path: Path) -> None:
    path.parent.mkdir()
    path.parent.chmod(0o2775)
    before = os.umask(0o077)
    try:
        with held(path, "kaa x"):
            assert path.stat().st_mode & 0o777 == 0o664
    finally:
        os.umask(before)


@pytest.mark.parametrize("fault", _NO_LOCKS)
def test_a_lease_stands_in_for_locks_that_there_are_not(
    path: Path, monkeypatch: pytest.MonkeyPatch, fault: int
) -> None:
    def refuse(descriptor: int, **options: object) -> bool:
        raise OSError(fault, os.strerror(fault))

    monkeypatch.setattr(filelock, "lock_descriptor", refuse)
    with held(path, "kaa x"):
        assert path.with_name(".lock-demo.lease").exists()
        with held_if_free(path, "kaa y") as second:
            assert not second
    assert list(path.parent.iterdir()) == []
    with held_if_free(path, "kaa y") as again:
        assert again


def test_another_fault_is_not_taken_for_that(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(descriptor: int, **options: object) -> bool:
        raise OSError(errno.EACCES, "Permission denied")

    monkeypatch.setattr(filelock, "lock_descriptor", refuse)
    with pytest.raises(NotWritableError), held(path, "kaa x"):
        pytest.fail("there can be no lock")


def test_a_lease_is_waited_for_and_ends_with_its_holder(
    path: Path, without_locks: int, caplog: pytest.LogCaptureFixture
) -> None:
    with holder(path, without_locks) as other:
        began = time.monotonic()
        threading.Timer(1.4, end, [other]).start()
        with held(path, "kaa y"):
            waited = time.monotonic() - began
    assert 1.0 < waited < 300, "on its own host, a dead holder is known by its process id"
    assert f"waiting for process {other.pid} on" in caplog.text
    assert list(path.parent.iterdir()) == []


def test_the_lease_of_a_dead_host_runs_out(
    path: Path, without_locks: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    from kaa.store import exclusive

    monkeypatch.setattr(exclusive, "LEASE", 1.5)
    with held(path, "kaa x"):
        marker = path.with_name(".lock-demo.lease").read_bytes()
    path.with_name(".lock-demo.lease").write_bytes(elsewhere(marker))
    began = time.monotonic()
    with held(path, "kaa y"):
        assert 1.4 < time.monotonic() - began < 300


def elsewhere(marker: bytes) -> bytes:
    """Return the marker of a lease as if another host had written it."""
    from filelock._identity import host_name

    here = host_name().encode()
    changed = marker.replace(here, b"another-host" + here[len("another-host") :])
    assert changed != marker
    return changed


def test_who_has_locks_heeds_the_lease_of_who_has_not(path: Path) -> None:
    with holder(path, errno.ENOLCK), held_if_free(path, "kaa y") as free:
        assert not free
    with held_if_free(path, "kaa y") as free:
        assert free
    assert list(path.parent.iterdir()) == []


def test_facts_are_one_object_of_json(path: Path) -> None:
    with held(path, "kaa x"):
        said = json.loads(path.with_name(".lock-demo.holder").read_bytes())
    assert set(said) == {"pid", "host", "since", "doing"}
