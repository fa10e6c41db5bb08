"""Looks that hang: on a real file that nobody answers for, a pipe without a writer."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
import time
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING

import pytest

from environment_layouts import virtual_environment
from kaa.environments import discovery
from kaa.environments.discovery import discover
from kaa.environments.finders import directories_in
from kaa.environments.looking import look_in_time
from kaa.environments.machine import Machine
from kaa.store.layout import Layout

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from kaa.environments.looking import Look

pytestmark = pytest.mark.skipif(os.name == "nt", reason="there are no such pipes on Windows")


@contextmanager
def stalled(path: Path) -> Iterator[Path]:
    """Make a pipe: whoever opens it to read hangs, until the block ends."""
    os.mkfifo(path)
    try:
        yield path
    finally:
        deadline = time.monotonic() + 300
        while (hanging := _looking()) and time.monotonic() < deadline:
            with suppress(OSError):  # nobody waits for it at the moment
                os.close(os.open(path, os.O_WRONLY | os.O_NONBLOCK))
            for thread in hanging:
                thread.join(0.01)
        path.unlink()


def _looking() -> list[threading.Thread]:
    return [thread for thread in threading.enumerate() if thread.name == "kaa looks"]


def test_looks_lead_to_more_looks() -> None:
    seen = []

    def look(path: str, below: int) -> Look:
        def work() -> list[Look]:
            seen.append(path)
            return [look(f"{path}/{n}", below - 1) for n in range(3)] if below else []

        return path, work

    assert look_in_time([look("a", 2), look("b", 1)], 30) == []
    assert len(seen) == len(set(seen)) == 13 + 4


def test_what_is_gone_leads_nowhere() -> None:
    def work() -> list[Look]:
        raise FileNotFoundError

    assert look_in_time([("a", work)], 30) == []


def test_the_rest_is_answered_and_what_hangs_is_not_begun_again(tmp_path: Path) -> None:
    answered: list[int] = []

    def hang(path: Path) -> list[Look]:
        path.read_bytes()
        return []

    def answer(number: int) -> list[Look]:
        answered.append(number)
        return []

    with stalled(tmp_path / "dead") as dead:
        looks: list[Look] = [(str(dead), lambda: hang(dead))]
        looks += [(f"/well/{n}", lambda n=n: answer(n)) for n in range(500)]  # type: ignore[misc]
        assert look_in_time(looks, 2) == [str(dead)]
        assert len(answered) == 500
        threads = len(_looking())
        begun = time.monotonic()
        for _ in range(100):
            assert look_in_time(looks, 60) == [str(dead)]
        assert time.monotonic() - begun < 60  # nobody waits for it any more
        assert len(answered) == 500 * 101
        assert len(_looking()) <= threads
    answered.clear()
    dead.write_bytes(b"")
    assert look_in_time(looks, 60) == []
    assert len(answered) == 500


_SLOW_LOOK = """
import time
from kaa.environments.looking import look_in_time
def look():
    print("begun", flush=True)
    for _ in range(10):
        time.sleep(0.02)
    return []
print(look_in_time([("a", look)], 0.6))
"""


def test_a_process_that_stood_still_takes_nothing_for_hanging() -> None:
    command = [sys.executable, "-c", _SLOW_LOOK]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "begun\n"
        process.send_signal(signal.SIGSTOP)
        time.sleep(1)
        process.send_signal(signal.SIGCONT)
        assert process.stdout.read() == "[]\n"


def test_many_that_hang_in_one_place_do_not_keep_others_out(tmp_path: Path) -> None:
    answered: list[str] = []

    def hang(path: Path) -> list[Look]:
        path.read_bytes()
        return []

    with stalled(tmp_path / "dead") as dead:
        looks: list[Look] = [(f"/net/{n}", lambda: hang(dead)) for n in range(200)]
        looks.append(("/home/a", lambda: answered.append("a") or []))  # type: ignore[func-returns-value]
        for count in range(1, 20):
            late = look_in_time(looks, 1)
            assert set(late) == {f"/net/{n}" for n in range(200)}
            assert answered == ["a"] * count
        assert len(_looking()) <= 48


def test_a_place_that_does_not_answer_is_left_out_in_time(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    home, layout = tmp_path / "home", Layout(tmp_path / "kaa")
    virtual_environment(home / ".venvs" / "a")
    virtual_environment(home / ".virtualenvs" / "far")
    silent = str(home / ".virtualenvs")
    machine = Machine(str(home), {"PYENV_ROOT": str(tmp_path / "none")}, "linux")

    def names() -> list[str]:
        found = discover(layout, machine).environments
        return [each.name for each in found if each.prefix.startswith(str(home))]

    assert names() == ["a", "far"]
    answer = directories_in
    with stalled(tmp_path / "dead") as dead, monkeypatch.context() as patch:

        def look(path: str) -> list[str]:
            if path == silent:
                dead.read_bytes()  # as a network mount whose server is gone
            return answer(path)

        patch.setattr(discovery, "directories_in", look)
        begun = time.monotonic()
        result = discover(layout, machine)
        assert time.monotonic() - begun < 60
        assert silent in result.silent
        assert names() == ["a"]
        # What is known of it stays for the time when it answers.
        assert (
            str(home / ".virtualenvs" / "far")
            in (layout.metadata / "environments.json").read_text()
        )
    assert names() == ["a", "far"]
