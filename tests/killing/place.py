"""A machine of the trials' own: a directory with kaa's root, a home, and Jupyter's directories.

Prefixes are written into files, so that the machine is always in the same place; what it is to be
at the beginning of a trial is kept beside it and copied there.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping

    from killing.events import Watch
    from killing.shelf import Shelf
    from killing.starting import Answer, Running, Starter

MINOR = f"{sys.version_info.major}.{sys.version_info.minor}"
PYTHON = f"python={MINOR}"
_FOREIGN = (
    "PYTHONDONTWRITE",
    "PIP_",
    "UV_",
    "JUPYTER_",
    "CONDA_",
    "KAA_",
    "XDG_",
    "IPYTHON",
    "VIRTUAL_ENV",
)
_PROXIES = ("HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY", "NO_PROXY")
_MARK = "KAA_TRIAL"
_PATIENCE = 300.0


@dataclass(frozen=True, slots=True)
class Place:
    """The machine, in ``directory``; ``kept`` is where its states are kept."""

    directory: Path
    kept: Path
    environ: Mapping[str, str] = field(repr=False)
    starter: Starter

    @property
    def root(self) -> Path:
        return self.directory / "kaa"

    @property
    def home(self) -> Path:
        return self.directory / "home"

    @property
    def projects(self) -> Path:
        return self.directory / "projects"

    @property
    def kernels(self) -> Path:
        return self.home / "jupyter" / "kernels"

    def kaa(self, *arguments: str) -> Answer:
        """Run a command to its end, and what it has left working behind it."""
        answer = self.start(*arguments).wait()
        self.wait_for_nobody()
        return answer

    def set_up(self, *arguments: str) -> None:
        """Run a command that has to succeed. Raises ``RuntimeError``."""
        answer = self.kaa(*arguments)
        if answer.code:
            raise RuntimeError(f"kaa {' '.join(arguments)} ended with {answer.code}: {answer.err}")

    def start(self, *arguments: str, watch: Watch | None = None) -> Running:
        """Start a command in a session of its own, for it to be killed with its children.

        ``{place}`` in an argument stands for the machine's directory.
        """
        filled = [argument.replace("{place}", str(self.directory)) for argument in arguments]
        return self.starter.start(filled, self.directory, self.environ, watch)

    def clear(self) -> None:
        """Make it the machine of somebody who has never used kaa."""
        for path in (self.root, self.home, self.directory / "tmp", self.projects):
            shutil.rmtree(path, ignore_errors=True)
            path.mkdir(parents=True)

    def keep(self, state: str) -> None:
        """Keep the machine as it is now, under a name."""
        shutil.rmtree(self.kept / state, ignore_errors=True)
        _copy(self.directory, self.kept / state)

    def restore(self, state: str) -> None:
        """Make the machine what it was when it was kept under this name."""
        for path in self.directory.iterdir():
            if path.is_dir() and not path.is_symlink():
                shutil.rmtree(path)
            else:
                path.unlink()
        _copy(self.kept / state, self.directory)

    def wait_for_nobody(self) -> bool:
        """Wait until no process of this machine is alive; say whether that came true.

        A command may have left others at work behind it.
        """
        mark = f"{_MARK}={self.environ[_MARK]}".encode()
        deadline = time.monotonic() + _PATIENCE
        while time.monotonic() < deadline:
            if not any(mark in _environment(process) for process in Path("/proc").glob("[0-9]*")):
                return True
            time.sleep(0.02)
        return False


def make_place(
    directory: Path, kept: Path, shelf: Shelf, starter: Starter, *, compile_bytecode: bool
) -> Place:
    """Make an empty machine that knows the servers and nothing else of this one."""
    directory.mkdir(parents=True, exist_ok=True)
    kept.mkdir(parents=True, exist_ok=True)
    home = directory / "home"
    environ = {
        name: value
        for name, value in os.environ.items()
        if not name.startswith(_FOREIGN) and name.upper() not in _PROXIES
    } | {
        "HOME": str(home),
        "TMPDIR": str(directory / "tmp"),
        "JUPYTER_DATA_DIR": str(home / "jupyter"),
        "JUPYTER_RUNTIME_DIR": str(home / "run"),
        "JUPYTER_PREFER_ENV_PATH": "0",
        "KAA_ROOT": str(directory / "kaa"),
        "KAA_CHANNELS": f"{shelf.channel.url},pypi",
        "KAA_NAME_MAPPING": "none",
        "KAA_COMPILE": "1" if compile_bytecode else "0",
        "PIP_INDEX_URL": shelf.index.url,
        "PIP_CONFIG_FILE": os.devnull,
        "UV_NO_CONFIG": "1",
        "UV_SYSTEM_CERTS": "1",
        "UV_HTTP_TIMEOUT": "60",
        # What kaa is made of is compiled once, and nowhere else.
        "PYTHONPYCACHEPREFIX": str(kept / "bytecode"),
        _MARK: str(directory),
    }
    place = Place(directory, kept, environ, starter)
    place.clear()
    return place


def _environment(process: Path) -> bytes:
    try:
        return (process / "environ").read_bytes()
    except OSError:
        return b""  # it has ended, or is somebody else's


def _copy(source: Path, target: Path) -> None:
    # cp, because it keeps names that are hard links to one another what they are.
    subprocess.run(["cp", "-a", f"{source}/.", str(target)], check=True)
