"""A change is stopped at every stage, politely and not: the environment is the old or the new."""

from __future__ import annotations

import os
import signal
import subprocess
import time
from typing import TYPE_CHECKING

import pytest

from end_to_end.machine import KAA, PYTHON, below, has_begun, kaa, names, root, unfinished
from local_index import Fault
from wheels import build_wheel

if TYPE_CHECKING:
    from pathlib import Path

    from local_index import LocalIndex

_FILES = 2000


@pytest.fixture
def demo(index: LocalIndex, tmp_path: Path) -> Path:
    """An environment with bear, and with many files of nobody's."""
    made = kaa("create", "-n", "demo", PYTHON, "bear", "-y")
    assert made.code == 0, made.err
    prefix = root() / "envs" / "demo"
    (prefix / "work").mkdir()
    for number in range(_FILES):
        (prefix / "work" / f"{number}.txt").write_text(f"{number}")
    data = {f"data/etc/slow/{number}.txt": f"{number}" for number in range(_FILES)}
    index.add(build_wheel(tmp_path / "slow", "slow", data=data))
    return prefix


def begun(stage: str, index: LocalIndex) -> bool:
    if stage == "solve":
        return "/simple/slow/" in index.paths()
    if stage == "download":
        return "/files/slow-1.0-py3-none-any.whl" in index.paths()
    # Whichever file is the first: the order is the file system's.
    inside = {"link": "etc/slow", "carry": "work"}[stage]
    return has_begun(root() / "envs" / ".kaa" / "demo", ".new-*", inside)


def stop(stage: str, number: signal.Signals, index: LocalIndex) -> tuple[int, str]:
    """Begin to install, stop it in a stage, and return its exit code and what it said."""
    if stage in ("solve", "download"):
        pattern = {"solve": "/simple/slow/", "download": "/files/slow*.whl"}[stage]
        index.fail(pattern, Fault(hang=600))
    process = subprocess.Popen(
        [*KAA, "install", "-n", "demo", "slow", "-y"],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        text=True,
        env={**os.environ, "UV_HTTP_TIMEOUT": "600"},
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),
    )
    try:
        deadline = time.monotonic() + 300
        while not begun(stage, index):
            assert process.poll() is None, process.communicate()
            assert time.monotonic() < deadline, "the stage never began"
            time.sleep(0.0005)
        process.send_signal(number)
        _, err = process.communicate(timeout=300)
    finally:
        process.kill()
        process.wait()
    index.heal()
    return process.returncode, err


def is_old(prefix: Path) -> bool:
    assert kaa("run", "-n", "demo", "growl").out == "bear 1.0\n"
    assert len(names(prefix / "work")) == _FILES
    return prefix.readlink().name == "1"


@pytest.mark.parametrize("stage", ["solve", "download", "link", "carry"])
def test_what_is_interrupted_has_changed_nothing(demo: Path, index: LocalIndex, stage: str) -> None:
    code, err = stop(stage, signal.SIGINT, index)
    assert code == 130
    assert err.splitlines()[-1] == "interrupted; nothing was changed"
    assert "Traceback" not in err
    assert is_old(demo)
    assert names(root() / "envs" / ".kaa" / "demo") == ["1"]
    assert unfinished() == []


@pytest.mark.parametrize("stage", ["link", "carry"])
def test_what_is_killed_has_changed_nothing(demo: Path, index: LocalIndex, stage: str) -> None:
    code, _ = stop(stage, signal.SIGKILL, index)
    assert code == -signal.SIGKILL
    assert is_old(demo)
    assert any(name.startswith(".new-") for name in names(root() / "envs" / ".kaa" / "demo"))

    again = kaa("install", "-n", "demo", "slow", "-y")
    assert again.code == 0, again.err
    assert demo.readlink().name == "2"
    assert names(root() / "envs" / ".kaa" / "demo") == ["1", "2"]
    assert len(names(demo / "etc" / "slow")) == len(names(demo / "work")) == _FILES
    assert unfinished() == []
    assert not [path for path in below(root() / "envs") if "pending" in path]
