"""The command as a user has it, in a process of its own, and what it leaves on the disk."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterator

MINOR = f"{sys.version_info.major}.{sys.version_info.minor}"
PYTHON = f"python={MINOR}"
"""A spec for the interpreter that the tests run with: one that is certainly there."""
KAA = (sys.executable, "-m", "kaa")


@dataclass(frozen=True, slots=True)
class Answer:
    """What a command said and how it ended."""

    code: int
    out: str
    err: str

    @property
    def json(self) -> Any:
        answer = json.loads(self.out)
        assert isinstance(answer, (dict, list))
        return answer


def kaa(*arguments: str | Path, timeout: float = 300, **options: Any) -> Answer:
    """Run the command, with no terminal and nothing on standard input."""
    done = subprocess.run(
        [*KAA, *map(str, arguments)],
        **{"stdin": subprocess.DEVNULL, **options},
        capture_output=True,
        text=True,
        timeout=timeout,
        check=False,
    )
    return Answer(done.returncode, done.stdout, done.stderr)


def root() -> Path:
    return Path(os.environ["KAA_ROOT"])


def home() -> Path:
    return Path(os.environ["HOME"])


def kernels() -> list[str]:
    folder = Path(os.environ["JUPYTER_DATA_DIR"]) / "kernels"
    return sorted(path.name for path in folder.glob("*"))


def listed() -> list[str]:
    """Return the lines of conda's list of environments."""
    try:
        return (home() / ".conda" / "environments.txt").read_text(encoding="utf-8").splitlines()
    except FileNotFoundError:
        return []


def names(directory: Path) -> list[str]:
    return sorted(path.name for path in directory.iterdir())


def has_begun(parent: Path, pattern: str, inside: str) -> bool:
    """Say whether there is something in ``inside`` of a directory that matches, and may just go."""
    for path in parent.glob(pattern):
        with suppress(OSError):
            if any((path / inside).iterdir()):
                return True
    return False


def below(directory: Path) -> Iterator[str]:
    """Give every path below a directory, links not followed."""
    for folder, directories, files in os.walk(directory):
        for name in (*directories, *files):
            yield str(Path(folder, name).relative_to(directory))


@dataclass(frozen=True, slots=True)
class State:
    """All that a command that fails must leave as it was."""

    environments: frozenset[str]
    overlays: frozenset[str]
    jupyter: frozenset[str]
    listed: tuple[str, ...]


def state() -> State:
    """Return what there is now; unfinished packages and downloads there may never be."""
    assert unfinished() == []
    return State(
        frozenset(below(root() / "envs")),
        frozenset(below(root() / "overlays")),
        frozenset(below(Path(os.environ["JUPYTER_DATA_DIR"]))),
        tuple(listed()),
    )


def unfinished() -> list[str]:
    """Return the packages without their lock file, and what is on its way or was."""
    packages = root() / "pkgs"
    entries = sorted(path.name for path in packages.glob("*") if path.is_dir())
    found = [name for name in entries if not (packages / f"{name}.lock").is_file()]
    found += [path.name for path in packages.glob(".kaa-*")]
    found += [name for name in below(root()) if name.endswith(".part") or "/.new-" in f"/{name}"]
    return found
