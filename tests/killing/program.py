"""The program: trials of every scene in turns, and their figures."""

from __future__ import annotations

import argparse
import random
import signal
import sys
import tempfile
import time
from collections import Counter
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from killing.blows import AtEvent, Full, Signal, events_of
from killing.crowd import gather, prepare_crowds
from killing.mounts import small_file_system
from killing.place import make_place
from killing.scenes import SCENES, Stage, play, set_up
from killing.shelf import serve
from killing.starting import Forked, Fresh
from killing.trial import Verdict, try_once

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from killing.blows import Blow
    from killing.place import Place

HOWS = ("kill", "int", "term", "full", "event", "crowd")
_ENDINGS = {
    "kill": (-signal.SIGKILL,),
    "int": (130,),
    "term": (130,),
    "full": (6,),
    "event": (-signal.SIGKILL,),
}
_BLOWS: dict[str, Blow] = {
    "kill": Signal(signal.SIGKILL),
    "int": Signal(signal.SIGINT, twice=40),
    "term": Signal(signal.SIGTERM, twice=40),
    "full": Full(),
}
_SPACE = 2**28
_MEMORY = Path("/dev/shm")
"""Where it is faster to work, where there is such a thing."""


@dataclass(slots=True)
class Tally:
    """The figures of one scene."""

    trials: int = 0
    became: Counter[str] = field(default_factory=Counter)
    failures: Counter[str] = field(default_factory=Counter)

    def add(self, verdict: Verdict) -> None:
        self.trials += 1
        self.became[verdict.became] += 1
        for kind in ("broken", "half", "leftovers", "rude"):
            self.failures[kind] += bool(getattr(verdict, kind))


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the program; the exit code is 1 when anything was not as it has to be."""
    options = _parser().parse_args(arguments)
    if options.how == "full":
        with small_file_system(options.file_system, _SPACE) as directory:
            if directory is None:
                print("a file system cannot be mounted here: this needs root on Linux")
                return 0
            return _run(options, directory)
    where = options.directory or (_MEMORY if _MEMORY.is_dir() else None)
    with tempfile.TemporaryDirectory(prefix="kaa-kills-", dir=where) as scratch:
        return _run(options, Path(scratch).resolve() / "machine")


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--count", type=int, default=100, help="how many trials in all")
    parser.add_argument("--how", choices=HOWS, default="kill")
    parser.add_argument("--seed", type=int, help="the first trial's; the next have the next")
    parser.add_argument("--commands", help="comma-separated, of: " + ", ".join(SCENES))
    parser.add_argument("--directory", type=Path, help="where to work; default: in memory")
    parser.add_argument("--whole", action="store_true", help="an interpreter for each command")
    parser.add_argument("--file-system", choices=("tmpfs", "ext4"), default="tmpfs")
    parser.add_argument("--compile", action="store_true", help="with bytecode in the background")
    parser.add_argument("--verbose", action="store_true", help="a line for every trial")
    return parser


def _run(options: argparse.Namespace, directory: Path) -> int:
    seed = options.seed if options.seed is not None else random.randrange(10**6)
    names = options.commands.split(",") if options.commands else list(SCENES)
    names = [] if options.how == "crowd" else names
    stage = partial(stages, compile_bytecode=options.compile, whole=options.whole)
    with stage(directory, names) as (place, played):
        if options.how == "crowd":
            return _run_crowds(options, place, seed)
        if not played:
            return 2
        tallies = {name: Tally() for name in played}
        begun = time.monotonic()
        for number, (name, blow) in enumerate(_plan(options, place, played)):
            verdict = try_once(
                place, played[name], blow, random.Random(seed + number), _ENDINGS[options.how]
            )
            tallies[name].add(verdict)
            if verdict.failed or options.verbose:
                again = f"--how {options.how} --commands {name} --seed {seed + number} --count 1"
                _tell(name, verdict, again)
        return _summarize(tallies, time.monotonic() - begun)


def _run_crowds(options: argparse.Namespace, place: Place, seed: int) -> int:
    crowds = prepare_crowds(place)
    tallies = {name: Tally() for name in crowds}
    begun = time.monotonic()
    for number in range(options.count):
        chance = random.Random(seed + number)
        name = chance.choice(list(crowds))
        verdict = gather(place, crowds[name], Fresh(), chance, chance.choice((0, 3)))
        tallies[name].add(verdict)
        if verdict.failed or options.verbose:
            _tell(name, verdict, f"--how crowd --seed {seed + number} --count 1")
    return _summarize(tallies, time.monotonic() - begun)


@contextmanager
def stages(
    directory: Path, names: Sequence[str], *, compile_bytecode: bool = False, whole: bool = False
) -> Iterator[tuple[Place, dict[str, Stage]]]:
    """Give a machine in ``directory``, and the scenes that could be played on it to their end."""
    where = _MEMORY if _MEMORY.is_dir() else None
    with (
        tempfile.TemporaryDirectory(prefix="kaa-kept-", dir=where) as scratch,
        serve(Path(scratch)) as shelf,
        nullcontext(Fresh()) if whole else Forked() as starter,
    ):
        kept = Path(scratch, "kept")
        place = make_place(directory, kept, shelf, starter, compile_bytecode=compile_bytecode)
        set_up(place, _interpreters(place))
        played = {}
        for name in names:
            try:
                played[name] = play(place, SCENES[name])
            except RuntimeError as error:
                print(f"{name} is left out: {error}", file=sys.stderr, flush=True)
        yield place, played


def _interpreters(place: Place) -> bytes:
    place.set_up("create", "-n", "any", "python", "--dry-run", "-q", "-c", "pypi")
    return (place.root / "cache" / "interpreters.json").read_bytes()


def _plan(
    options: argparse.Namespace, place: Place, played: dict[str, Stage]
) -> Iterator[tuple[str, Blow]]:
    if options.how != "event":
        for number in range(options.count):
            yield list(played)[number % len(played)], _BLOWS[options.how]
        return
    for name, stage in played.items():
        for instant in range(len(events_of(place, stage)) + 1):
            yield name, AtEvent(instant)


def _tell(name: str, verdict: Verdict, again: str) -> None:
    print(f"{name} at {verdict.moment}: {verdict.became}, next: {verdict.next}", flush=True)
    for kind in ("broken", "half", "leftovers", "rude"):
        for line in getattr(verdict, kind)[:4]:
            print(f"    {kind}: {line[-1500:]}")
    if verdict.failed:
        print(f"    again: {again}", flush=True)


def _summarize(tallies: dict[str, Tally], seconds: float) -> int:
    print(f"{'':14}{'trials':>8}{'old':>6}{'new':>6}{'broken':>8}{'half':>6}{'left':>6}{'rude':>6}")
    for name, tally in tallies.items():
        figures = (tally.became["old"], tally.became["new"])
        failed = tuple(tally.failures[k] for k in ("broken", "half", "leftovers", "rude"))
        print("{:14}{:8}{:6}{:6}{:8}{:6}{:6}{:6}".format(name, tally.trials, *figures, *failed))
    trials = sum(tally.trials for tally in tallies.values())
    bad = Counter[str]()
    for tally in tallies.values():
        bad.update(tally.failures)
    print(f"{trials} trials in {seconds:.0f} s: " + ", ".join(f"{n} {k}" for k, n in bad.items()))
    return int(bad.total() > 0)
