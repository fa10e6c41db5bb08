"""A short version of ``bench/kills.py``: every command is stopped a few times."""

from __future__ import annotations

import random
import signal
import sys
from typing import TYPE_CHECKING

import pytest

from killing.blows import AtEvent, Full, Signal, events_of
from killing.mounts import small_file_system
from killing.program import stages
from killing.trial import try_once

if TYPE_CHECKING:
    from pathlib import Path

    from killing.blows import Blow

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(sys.platform != "linux", reason="looks for processes in /proc"),
]
_COMMANDS = ("create", "install-warm", "update", "remove", "undo", "clone")


def check(directory: Path, blow: Blow, count: int, *allowed: int) -> None:
    with stages(directory, _COMMANDS) as (place, played):
        assert set(played) == set(_COMMANDS)
        for seed in range(count):
            stage = played[_COMMANDS[seed % len(_COMMANDS)]]
            verdict = try_once(place, stage, blow, random.Random(seed), allowed)
            assert not verdict.failed, (stage.scene.name, seed, verdict)


def test_kills(tmp_path: Path) -> None:
    check(tmp_path / "machine", Signal(signal.SIGKILL), 12, -signal.SIGKILL)


def test_interruptions(tmp_path: Path) -> None:
    check(tmp_path / "machine", Signal(signal.SIGINT, twice=50), 6, 130)


def test_full_disks() -> None:
    with small_file_system("tmpfs", 2**26) as directory:
        if directory is None:
            pytest.skip("a file system can be mounted by root alone")
        check(directory, Full(), 6, 6)


def test_kills_around_the_commit(tmp_path: Path) -> None:
    with stages(tmp_path / "machine", ["undo"]) as (place, played):
        stage = played["undo"]
        events = events_of(place, stage)
        became = []
        switch = next(
            n for n, event in enumerate(events) if f"{place.root}/envs/demo" in event.split()
        )
        for instant in range(switch - 2, switch + 3):
            blow = AtEvent(instant)
            verdict = try_once(place, stage, blow, random.Random(instant), (-signal.SIGKILL,))
            assert not verdict.failed, (events[instant], verdict)
            became.append(verdict.became)
        assert became == ["old", "old", "old", "new", "new"]
