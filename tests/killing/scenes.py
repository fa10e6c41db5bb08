"""The commands that are stopped, and what the machine is before each of them."""

from __future__ import annotations

import os
import shutil
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING

from killing.place import PYTHON
from killing.state import State, compare, paths, read_state

if TYPE_CHECKING:
    from killing.place import Place


@dataclass(frozen=True, slots=True)
class Scene:
    """A command, and what comes before it: a kept state of the machine and more commands.

    ``again`` says that the command has the same outcome when it is repeated after its success.
    """

    name: str
    command: tuple[str, ...]
    start: str = "settled"
    before: tuple[tuple[str, ...], ...] = ()
    again: bool = False
    into: int | None = None
    """The generation that is gone back to: what no package owns is carried into it beforehand."""
    moves: bool = False
    """Whether an environment goes from one path to another, so that both may be there at first."""
    others: tuple[str, ...] = ("install", "create", "update")
    """What other commands may come next, of :data:`NEXT`."""


_NEW = (PYTHON, "bear", "wolf", "river", "nest")
_REMOVED = ("env", "remove", "-n", "new", "-y", "-q")

SCENES = {
    scene.name: scene
    for scene in (
        Scene("first", ("create", "-n", "new", *_NEW), "empty", others=("create",)),
        Scene("create", ("create", "-n", "new", *_NEW)),
        Scene(
            "create-warm",
            ("create", "-n", "new", *_NEW),
            before=(("create", "-n", "new", *_NEW, "-y", "-q"), _REMOVED),
        ),
        Scene("create-path", ("create", "-p", "{place}/projects/own env", *_NEW)),
        Scene("install", ("install", "-n", "demo", "wolf", "river"), again=True),
        Scene(
            "install-warm",
            ("install", "-n", "demo", "wolf", "river"),
            before=(("create", "-n", "new", *_NEW, "-y", "-q"), _REMOVED),
            again=True,
        ),
        Scene("update", ("update", "-n", "demo", "--all"), again=True),
        Scene("remove", ("remove", "-n", "demo", "nest")),
        Scene("undo", ("undo", "-n", "demo"), into=1),
        Scene("rollback", ("rollback", "-n", "demo", "1"), into=1, again=True),
        Scene("clone", ("clone", "demo", "new")),
        Scene("rename", ("rename", "demo", "new"), moves=True),
        Scene("env-remove", ("env", "remove", "-n", "demo")),
    )
}
NEXT = {
    "install": ("install", "-n", "other", "fur==2.1"),
    "create": ("create", "-n", "next", PYTHON, "fur==2.1"),
    "update": ("update", "-n", "other", "fur"),
}
"""What other command comes next, to clear up; the command itself, repeated, is another one."""


@dataclass(frozen=True, slots=True)
class Stage:
    """A scene that has been played to its end without a stop: what to expect of one with."""

    scene: Scene
    kept: str
    seconds: float
    old: State
    new: State
    expected: frozenset[str]
    """The paths that may be there in the end."""
    space: int
    """Bytes that the command takes on the disk."""

    @property
    def command(self) -> tuple[str, ...]:
        return (*self.scene.command, "-y", "-q")


def set_up(place: Place, interpreters: bytes) -> None:
    """Keep the states that scenes start from: ``empty``, and ``settled`` with two environments.

    ``interpreters`` is what kaa remembers of this machine's Pythons: asking takes long.
    """
    place.clear()
    (place.root / "cache").mkdir()
    (place.root / "cache" / "interpreters.json").write_bytes(interpreters)
    place.keep("empty")
    place.set_up("create", "-n", "other", PYTHON, "fur==2.1", "-y", "-q")
    place.set_up("create", "-n", "demo", PYTHON, "bear==1.0", "nest==1.0", "-y", "-q")
    place.set_up("install", "-n", "demo", "cave==1.0", "-y", "-q")
    place.set_up("install", "-n", "demo", "cave", "bear", "nest", "-y", "-q", "--dry-run")
    _use(place)
    place.keep("settled")


def _use(place: Place) -> None:
    """Do with an environment what people do: files of their own, pip by hand, edited settings."""
    demo = place.root / "envs" / "demo"
    work = demo / "work"
    (work / "empty").mkdir(parents=True)
    for number in range(30):
        (work / f"{number}.txt").write_text(f"{number}\n" * number)
    (work / "secret.txt").write_text("mine")
    (work / "secret.txt").chmod(0o600)
    (work / "run.sh").write_text("#!/bin/sh\necho run\n")
    (work / "run.sh").chmod(0o750)
    (work / "link").symlink_to("secret.txt")
    (work / "nowhere").symlink_to("/nowhere/at/all")
    (demo / "etc" / "nest" / "3.conf").write_text("edited by hand\n")
    site = demo / "lib" / PYTHON.replace("=", "") / "site-packages"
    info = site / "byhand-3.0.dist-info"
    info.mkdir()
    (site / "byhand.py").write_text("__version__ = '3.0'\n")
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: byhand\nVersion: 3.0\n")
    (info / "INSTALLER").write_text("pip\n")
    files = (
        "byhand.py",
        *(f"byhand-3.0.dist-info/{n}" for n in ("METADATA", "INSTALLER", "RECORD")),
    )
    (info / "RECORD").write_text("".join(f"{name},,\n" for name in files))
    program = demo / "bin" / "byhand"
    program.write_text(f"#!{os.path.realpath(demo)}/bin/python\nimport byhand\n")
    program.chmod(0o755)


def play(place: Place, scene: Scene) -> Stage:
    """Play a scene to its end, twice, and return what to expect.

    Raises ``RuntimeError`` when a command fails, or when it makes another tree each time.
    """
    place.restore(scene.start)
    for command in scene.before:
        place.set_up(*command)
    kept = f"before-{scene.name}"
    place.keep(kept)
    old = read_state(place)
    expected = set(paths(place))
    took = []
    space = 0
    outcomes: list[State] = []
    for following in ((), scene.others):
        place.restore(kept)
        free = shutil.disk_usage(place.directory).free
        begun = time.monotonic()
        place.set_up(*scene.command, "-y", "-q")
        took.append(time.monotonic() - begun)
        space = max(space, free - shutil.disk_usage(place.directory).free)
        outcomes.append(read_state(place))
        expected |= paths(place)
        for name in following:
            place.set_up(*NEXT[name], "-y", "-q")
            expected |= paths(place)
    for outcome in outcomes:
        if differing := compare(outcome, outcomes[0]):
            raise RuntimeError(f"something else each time: {differing[:3]}")
    return Stage(scene, kept, min(took), old, outcomes[0], frozenset(expected), space)
