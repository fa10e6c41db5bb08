"""A solve of 257 packages, against the least that a program has to do to make it with rattler."""

from __future__ import annotations

import platform
import sys
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from contest import AbsentError, BenchError, Command, Sample, Samples, compete
from grow import RECORDS, grown_channel, harvest_channel
from loopback import served
from table import Group, Row, Unit

if TYPE_CHECKING:
    from collections.abc import Callable

    from workplace import Workplace

SPECS = ("python=3.12", "numpy", "pandas", "scikit-learn", "jupyterlab", "matplotlib")
BARE = Path(__file__).with_name("bare_solve.py")
SHORT = 4
"""How many times more often these rows are measured."""


def _local(
    name: str, make: Callable[[Path], Path]
) -> Callable[[Workplace, int], dict[str, Samples]]:
    def measure(place: Workplace, repetitions: int) -> dict[str, Samples]:
        check_platform()
        url = f"{make(place.channels).as_uri()}/"
        return _contest(place, name, url, repetitions * SHORT)

    return measure


def _over_http(place: Workplace, repetitions: int) -> dict[str, Samples]:
    check_platform()
    with served(harvest_channel(place.channels)) as url:
        return _contest(place, "http", url, repetitions * SHORT)


def check_platform() -> None:
    """Raise :class:`AbsentError` where the records are for another machine."""
    if (platform.system(), platform.machine()) != ("Linux", "x86_64"):
        raise AbsentError("the records of these rows are for linux-64, which this machine is not")


def _contest(place: Workplace, name: str, url: str, repetitions: int) -> dict[str, Samples]:
    def kaa(*sources: str) -> Command:
        chosen = [word for source in sources for word in ("-c", source)]
        return _direct(
            place.kaa_command(f"solve-{name}", "create", "--dry-run", "-n", "x", *chosen, *SPECS)
        )

    def bare(*options: str) -> Command:
        cache = str(place.root / f"bare-{name}")
        return _direct(place.plain(sys.executable, str(BARE), *options, url, cache, *SPECS))

    _check_same(place, name, url, bare("--list").run())
    for command in (kaa(url), kaa(url, "pypi"), bare()):
        command.run()  # what it has to read is at hand from now on
    contest = compete(
        {
            "kaa": lambda _: [kaa(url)],
            "with pypi": lambda _: [kaa(url, "pypi")],
            "script": lambda _: [bare()],
        },
        repetitions,
    )
    return {**contest, "call": tuple(map(_of_the_call, contest["script"]))}


def _direct(command: Command) -> Command:
    # What is on loopback is not asked of a proxy.
    return replace(command, environ={**command.environ, "NO_PROXY": "127.0.0.1"})


def _check_same(place: Workplace, name: str, url: str, listed: str) -> None:
    """Raise :class:`BenchError` unless both have the same answer."""
    theirs = {tuple(line.split()) for line in listed.splitlines()[1:]}
    for sources in ((url,), (url, "pypi")):
        chosen = [word for source in sources for word in ("-c", source)]
        plan = place.plan(f"solve-{name}", *chosen, *SPECS)
        ours = {(package["name"], package["version"], package["build"]) for package in plan}
        if ours != theirs:
            told = [*(f"kaa alone: {p}" for p in sorted(ours - theirs))]
            told += [f"rattler alone: {p}" for p in sorted(theirs - ours)]
            raise BenchError("\n".join(["the answers differ, the times say nothing:", *told]))


def _of_the_call(sample: Sample) -> Sample:
    """Return what the script said of the call of ``rattler.solve`` in it."""
    seconds, cpu = map(float, sample.printed.split())
    return Sample(seconds, cpu, sample.memory)


_SCRIPT = "script with rattler.solve"
_CALL = "the call alone"


def _rows(name: str, work: str, limit: float | None) -> tuple[Row, ...]:
    def row(suffix: str, said: str, against: str, ours: str, theirs: str) -> Row:
        return Row(f"{name}{suffix}", said, against, limit, Unit.RATIO, ours, theirs)

    return (
        row("", work, _SCRIPT, "kaa", "script"),
        row("-call", "the same", _CALL, "kaa", "call"),
        row("-default", "the same, `-c pypi` as second source", _SCRIPT, "with pypi", "script"),
        row("-default-call", "the same", _CALL, "with pypi", "call"),
    )


def _memory(name: str, limit: float) -> Row:
    return Row(
        f"{name}-memory", "its peak memory", _SCRIPT, limit, Unit.MEMORY, "with pypi", "script"
    )


GROUPS = (
    Group(
        "solve-file",
        "solve",
        _rows("solve", "solve 257 packages of 25,345 records", 1.6),
        _local("file", harvest_channel),
    ),
    Group(
        "solve-http",
        "solve",
        _rows("solve-http", "solve 257 packages, channel on loopback", None),
        _over_http,
    ),
    Group(
        "solve-large",
        "solve-large",
        (
            *_rows("solve-large", f"solve 257 packages of {RECORDS:,} records", 1.4),
            _memory("solve-large", 1e9),
        ),
        _local("large", grown_channel),
    ),
)
