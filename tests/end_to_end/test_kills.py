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
    from collections.abc import Iterator

    from killing.blows import Blow
    from killing.place import Place
    from killing.scenes import Stage

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(sys.platform != "linux", reason="looks for processes in /proc"),
]
_COMMANDS = ("create", "install-warm", "remove", "undo", "clone")


class Theatre:
    """A machine, and the scenes that have been played on it to their end."""

    def __init__(self, place: Place, played: dict[str, Stage], *, small: bool) -> None:
        self.place = place
        self.played = played
        self.small = small

    def check(self, blow: Blow, count: int, *allowed: int) -> None:
        for seed in range(count):
            stage = self.played[_COMMANDS[seed % len(_COMMANDS)]]
            verdict = try_once(self.place, stage, blow, random.Random(seed), allowed)
            assert not verdict.failed, (stage.scene.name, seed, verdict)


@pytest.fixture(scope="module")
def theatre(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Theatre]:
    with small_file_system("tmpfs", 2**27) as disk:
        directory = disk or tmp_path_factory.mktemp("machine")
        with stages(directory, _COMMANDS) as (place, played):
            assert set(played) == set(_COMMANDS)
            yield Theatre(place, played, small=disk is not None)


def test_kills(theatre: Theatre) -> None:
    theatre.check(Signal(signal.SIGKILL), 5, -signal.SIGKILL)


def test_interruptions(theatre: Theatre) -> None:
    theatre.check(Signal(signal.SIGINT, twice=50), 3, 130)


def test_full_disks(theatre: Theatre) -> None:
    if not theatre.small:
        pytest.skip("a small file system can be mounted by root alone")
    theatre.check(Full(), 3, 6)


def test_kills_around_the_switch(theatre: Theatre) -> None:
    place, stage = theatre.place, theatre.played["undo"]
    link = str(place.root / "envs" / "demo")
    events = events_of(place, stage)
    switch = next(n for n, event in enumerate(events) if event.endswith(f" {link}"))
    became = []
    for instant in range(switch - 1, switch + 3):
        blow = AtEvent(instant)
        verdict = try_once(place, stage, blow, random.Random(instant), (-signal.SIGKILL,))
        assert not verdict.failed, (events[instant], verdict)
        became.append(verdict.became)
    assert became == ["old", "old", "new", "new"]
