"""Eight commands at once: into eight environments from one cold cache, and into one environment."""

from __future__ import annotations

import json
import subprocess
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING

from killing.place import PYTHON
from killing.state import (
    State,
    check_cache,
    check_programs,
    compare,
    left_behind,
    paths,
    read_state,
)
from killing.trial import Verdict

if TYPE_CHECKING:
    import random

    from killing.place import Place
    from killing.starting import Starter

EIGHT = 8
_LISTING = """
import importlib.metadata, json
print(json.dumps([found.metadata["Name"] for found in importlib.metadata.distributions()]))
"""
_SETTLE = ("create", "-n", "next", PYTHON, "fur==2.1", "-y", "-q")


@dataclass(frozen=True, slots=True)
class Crowd:
    """Commands for one moment, and what there is when they have come to their end one by one."""

    name: str
    start: str
    commands: tuple[tuple[str, ...], ...]
    alone: State
    expected: frozenset[str]
    seconds: float


def prepare_crowds(place: Place) -> dict[str, Crowd]:
    """Play both crowds one command after the other. Raises ``RuntimeError`` when one fails."""
    numbers = range(EIGHT)
    many = tuple(
        ("create", "-n", f"env{n}", PYTHON, "bear", "wolf", "river", "nest", f"cub{n}", "-y", "-q")
        for n in numbers
    )
    one = tuple(("install", "-n", "demo", f"cub{n}", "-y", "-q") for n in numbers)
    return {
        name: _prepare(place, name, start, commands)
        for name, start, commands in (("eight", "empty", many), ("one", "settled", one))
    }


def _prepare(place: Place, name: str, start: str, commands: tuple[tuple[str, ...], ...]) -> Crowd:
    place.restore(start)
    begun = time.monotonic()
    for command in commands:
        place.set_up(*command)
    seconds = time.monotonic() - begun
    alone = read_state(place)
    place.set_up(*_SETTLE)
    return Crowd(name, start, commands, alone, paths(place), seconds)


def gather(
    place: Place, crowd: Crowd, starter: Starter, chance: random.Random, kills: int
) -> Verdict:
    """Run all commands at once, kill some of them, and then run what was killed once more."""
    from signal import SIGKILL

    verdict = Verdict(next="create", became=crowd.name)
    place.restore(crowd.start)
    running = [
        starter.start(command, place.directory, place.environ, None) for command in crowd.commands
    ]
    doomed = sorted(chance.sample(range(EIGHT), kills))
    moments = sorted(chance.uniform(0, crowd.seconds) for _ in doomed)
    verdict.moment = f"{kills} kills of {EIGHT}"
    begun = time.monotonic()
    for moment, number in zip(moments, chance.sample(doomed, kills), strict=True):
        time.sleep(max(0.0, begun + moment - time.monotonic()))
        running[number].signal(SIGKILL)
    answers = [each.wait() for each in running]
    place.wait_for_nobody()
    for number, answer in enumerate(answers):
        if answer.code and not (number in doomed and answer.code == -SIGKILL):
            verdict.rude.append(f"{crowd.commands[number]}: {answer.code} {answer.err[-1500:]}")
    done = [number for number, answer in enumerate(answers) if answer.code == 0]
    _judge(place, crowd, done, verdict)
    _settle(place, crowd, [n for n in range(EIGHT) if n not in done], verdict)
    return verdict


def _judge(place: Place, crowd: Crowd, done: list[int], verdict: Verdict) -> None:
    verdict.broken += check_programs(place) + check_cache(place)
    found = read_state(place)
    if crowd.name == "one":
        missing = {f"cub{n}" for n in done} - _distributions(place)
        verdict.half += [f"{name} was installed and is not there" for name in sorted(missing)]
        return
    for path in set(found.environments) & set(
        crowd.alone.environments
    ):  # also those whose command was killed: whole or absent
        expected = {path: crowd.alone.environments[path]}
        verdict.half += compare(State({path: found.environments[path]}, {}), State(expected, {}))
    there = {path.rpartition("/")[2] for path in found.environments}
    verdict.half += [f"env{n} is missing" for n in done if f"env{n}" not in there]


def _settle(place: Place, crowd: Crowd, killed: list[int], verdict: Verdict) -> None:
    answer = place.kaa(*_SETTLE)
    if answer.code:
        verdict.broken.append(f"next command: {answer.code} {answer.err[-1000:]}")
    verdict.leftovers += left_behind(place, crowd.expected)
    for number in killed:
        command = crowd.commands[number]
        if command[0] == "create" and (place.root / "envs" / command[2]).exists():
            continue  # it was killed when all was done
        answer = place.kaa(*command)
        if answer.code:
            verdict.broken.append(f"repeated: {answer.code} {answer.err[-1000:]}")
    _judge(place, crowd, list(range(EIGHT)), verdict)
    verdict.leftovers += left_behind(place, crowd.expected)


def _distributions(place: Place) -> set[str]:
    python = place.root / "envs" / "demo" / "bin" / "python"
    done = subprocess.run(
        [str(python), "-I", "-B", "-c", _LISTING], capture_output=True, text=True, check=False
    )
    return set(json.loads(done.stdout)) if done.returncode == 0 else set()
