"""A create is stopped at every stage, politely and not: the environment is absent or complete."""

from __future__ import annotations

import os
import signal
import subprocess
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING

import pytest

from end_to_end.machine import (
    KAA,
    PYTHON,
    below,
    has_begun,
    kaa,
    kernels,
    listed,
    names,
    root,
    state,
    unfinished,
)
from local_index import Fault
from wheels import build_wheel

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from local_index import LocalIndex

_FILES = 3000
"""Of the slow package: enough for half a second of unpacking, and as much of linking."""


def wheel_of(files: int, directory: Path) -> Path:
    # Files below etc are copied instead of linked, which takes longer.
    data = {f"data/etc/slow/{number}.txt": f"{number}" for number in range(files)}
    return build_wheel(directory, "slow", data=data)


@pytest.fixture(scope="session")
def slow_wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return wheel_of(_FILES, tmp_path_factory.mktemp("slow"))


@pytest.fixture
def wheel_for(slow_wheel: Path, tmp_path: Path) -> Callable[[Stage], Path]:
    """The slow package for a stage: a small one where something else makes the stage last."""
    return lambda stage: slow_wheel if stage.files == _FILES else wheel_of(stage.files, tmp_path)


@dataclass(frozen=True)
class Stage:
    """What makes the stage last, and how to see that it has begun."""

    prepare: Callable[[LocalIndex], None]
    begun: Callable[[LocalIndex], bool]
    files: int = 30


def _converting(_index: LocalIndex) -> bool:
    return has_begun(root() / "pkgs", ".kaa-*", "etc/slow")


def _linking(_index: LocalIndex) -> bool:
    return has_begun(root() / "envs" / ".kaa" / "demo", ".new-*", "etc/slow")


STAGES = {
    "solve": Stage(
        lambda index: index.fail("/simple/bear/", Fault(hang=600)),
        lambda index: "/simple/bear/" in index.paths(),
    ),
    "download": Stage(
        lambda index: index.fail("/files/bear*.whl", Fault(hang=600)),
        lambda index: "/files/bear-1.0-py3-none-any.whl" in index.paths(),
    ),
    "conversion": Stage(lambda index: None, _converting, _FILES),
    "link": Stage(lambda index: None, _linking, _FILES),
}


def heed_interrupts() -> None:
    signal.signal(signal.SIGINT, signal.SIG_DFL)


def interrupt(
    index: LocalIndex, stage: Stage, number: signal.Signals, *options: str
) -> tuple[int, str, str]:
    """Start a create, stop it in a stage, and return its exit code and what it wrote."""
    stage.prepare(index)
    process = subprocess.Popen(
        [*KAA, "create", "-n", "demo", PYTHON, "bear", "slow", "-y", *options],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env={**os.environ, "UV_HTTP_TIMEOUT": "600"},
        # Whoever runs the tests in the background may ignore it, and children inherit that.
        preexec_fn=heed_interrupts,
    )
    try:
        deadline = time.monotonic() + 300
        while not stage.begun(index):
            assert process.poll() is None, f"it ended by itself: {process.communicate()}"
            assert time.monotonic() < deadline, "the stage never began"
            time.sleep(0.001)
        process.send_signal(number)
        out, err = process.communicate(timeout=300)
    finally:
        process.kill()
        process.wait()
    return process.returncode, out, err


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM], ids=["INT", "TERM"])
@pytest.mark.parametrize("stage", STAGES.values(), ids=STAGES.keys())
def test_nothing_is_left_of_what_was_interrupted(
    index: LocalIndex,
    wheel_for: Callable[[Stage], Path],
    stage: Stage,
    number: signal.Signals,
) -> None:
    index.add(wheel_for(stage))
    before = state()
    code, _, err = interrupt(index, stage, number)
    assert code == 130
    assert err.splitlines()[-1] == "interrupted; nothing was changed"
    assert "Traceback" not in err
    assert state() == before
    assert list(below(root() / "cache" / "wheels")) == []
    assert list((root() / "locks").glob("run-*")) == []
    assert not (root() / "envs" / ".kaa").exists()


def test_an_interruption_as_json(index: LocalIndex, wheel_for: Callable[[Stage], Path]) -> None:
    stage = STAGES["download"]
    index.add(wheel_for(stage))
    code, out, err = interrupt(index, stage, signal.SIGINT, "--json")
    assert code == 130
    assert '"error": "AbortedError"' in out and '"exit_code": 130' in out
    assert err == ""


@pytest.mark.parametrize("stage", STAGES.values(), ids=STAGES.keys())
def test_a_kill_leaves_nothing_that_the_next_create_does_not_clear(
    index: LocalIndex, wheel_for: Callable[[Stage], Path], stage: Stage
) -> None:
    index.add(wheel_for(stage))
    code, _, _ = interrupt(index, stage, signal.SIGKILL)
    assert code == -signal.SIGKILL
    index.heal()
    assert kaa("env", "list", "--json").json["environments"] == []
    assert (listed(), kernels()) == ([], [])

    again = kaa("create", "-n", "demo", PYTHON, "bear", "slow", "-y")
    assert again.code == 0, again.err
    assert kaa("run", "-n", "demo", "growl").out == "bear 1.0\n"
    assert len(names(root() / "envs" / "demo" / "etc" / "slow")) == stage.files
    assert unfinished() == []
    assert names(root() / "envs" / ".kaa" / "demo") == ["1"]
    assert list(below(root() / "cache" / "wheels")) == []
    assert list((root() / "locks").glob("run-*")) == []


def test_what_others_are_at_work_on_is_not_cleared(index: LocalIndex) -> None:
    index.fail("/files/bear*.whl", Fault(hang=600))
    working = subprocess.Popen(
        [*KAA, "create", "-n", "demo", PYTHON, "bear", "-y", "-q"],
        env={**os.environ, "UV_HTTP_TIMEOUT": "600"},
    )
    try:
        deadline = time.monotonic() + 300
        while "/files/bear-1.0-py3-none-any.whl" not in index.paths():
            assert working.poll() is None and time.monotonic() < deadline
            time.sleep(0.005)
        partial = [path for path in below(root() / "cache" / "wheels") if "bear" in path]
        assert partial
        assert kaa("create", "-n", "other", PYTHON, "fur", "-y").code == 0
        assert working.poll() is None
        assert set(partial) <= set(below(root() / "cache" / "wheels"))
        index.heal()
        assert working.wait(300) == 0
    finally:
        working.kill()
        working.wait()
    assert kaa("run", "-n", "demo", "growl").out == "bear 1.0\n"


def test_an_interruption_while_the_kernel_is_prepared(
    index: LocalIndex, wheel_for: Callable[[Stage], Path]
) -> None:
    stage = Stage(
        lambda index: index.fail("/simple/ipykernel/", Fault(hang=600)),
        lambda index: "/simple/ipykernel/" in index.paths(),
    )
    index.add(wheel_for(stage))
    code, _, err = interrupt(index, stage, signal.SIGINT)
    assert code == 130
    assert "interrupted; demo is complete" in err and "hint:" in err
    assert kaa("run", "-n", "demo", "growl").out == "bear 1.0\n"
    assert listed() == [str(root() / "envs" / "demo")]
    assert kernels() == ["demo"]
    assert unfinished() == []
    index.heal()
    # The overlay is made with the next environment that needs it; both kernels start from it.
    assert kaa("create", "-n", "next", PYTHON, "fur", "-y").code == 0
    assert len(list((root() / "overlays").glob("cp*"))) == 1


def test_a_kill_while_an_environment_is_removed(index: LocalIndex, slow_wheel: Path) -> None:
    index.add(slow_wheel)
    prefix = root() / "envs" / "demo"
    for milliseconds in (0, 10, 20, 30):  # how far the removal has come
        assert kaa("create", "-n", "demo", PYTHON, "slow", "-y", "-q").code == 0
        process = subprocess.Popen([*KAA, "env", "remove", "-n", "demo", "-y", "-q"])
        deadline = time.monotonic() + 300
        while prefix.is_symlink():
            assert time.monotonic() < deadline
            time.sleep(0.0005)
        time.sleep(milliseconds / 1000)
        process.kill()
        process.wait()
        assert not os.path.lexists(prefix)
        again = kaa("create", "-n", "demo", PYTHON, "bear", "-y")
        assert again.code == 0, again.err
        assert kaa("run", "-n", "demo", "growl").out == "bear 1.0\n"
        assert names(root() / "envs" / ".kaa") == ["demo"]
        assert listed() == [str(prefix)]
        assert kernels() == ["demo"]
        assert kaa("env", "remove", "-n", "demo", "-y").code == 0
