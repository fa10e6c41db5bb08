"""A home that several tests share, and programs run in it, each a process of its own."""

from __future__ import annotations

import os
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

import kaa
from kaa.kernels.overlay import overlay_prefix
from kaa.store.layout import Layout
from kernels.conftest import MINOR, add_ipykernel, make_generation, site_of

_FOREIGN = ("CONDA", "IPYTHON", "JUPYTER", "KAA", "PIP_", "UV_", "VIRTUAL_ENV", "XDG_")


@dataclass(frozen=True)
class OwnHome:
    """A home, kaa's root in it, and the variables of whatever runs there."""

    path: Path
    environ: dict[str, str]

    @property
    def layout(self) -> Layout:
        return Layout(self.path / "kaa")

    def run(self, *command: str | Path, stdin: str = "", timeout: float = 300) -> str:
        """Run a program of the tests' Python (``-m`` and its name) and return what it printed."""
        done = subprocess.run(
            [sys.executable, *map(str, command)],
            input=stdin,
            env=self.environ,
            cwd=self.path,
            capture_output=True,
            text=True,
            timeout=timeout,
            check=False,
        )
        assert done.returncode == 0, f"{command}: {done.stdout}\n{done.stderr}"
        return done.stdout

    def kaa(self, *arguments: str | Path) -> str:
        return self.run("-m", "kaa", *arguments)

    def lend_ipykernel(self) -> None:
        """Let there be an overlay for the tests' own Python, without an index."""
        add_ipykernel(site_of(make_generation(overlay_prefix(self.layout, MINOR))))

    def virtual_environment(self, name: str) -> Path:
        """Make a real one, where virtualenvwrapper has them."""
        prefix = self.path / ".virtualenvs" / name
        self.run("-m", "venv", "--without-pip", prefix)
        return prefix


def own_home(path: Path) -> OwnHome:
    path.mkdir(parents=True)
    kept = {name: text for name, text in os.environ.items() if not name.startswith(_FOREIGN)}
    index = {n: text for n, text in os.environ.items() if "CERT" in n or n.startswith("PIP_")}
    return OwnHome(
        path,
        kept
        | index
        | {
            "HOME": str(path),
            "KAA_ROOT": str(path / "kaa"),
            "KAA_CHANNELS": "pypi",
            "KAA_COMPILE": "0",
            "KAA_NAME_MAPPING": "none",
            "JUPYTER_DATA_DIR": str(path / "jupyter"),
            "JUPYTER_RUNTIME_DIR": str(path / "run"),
            "IPYTHONDIR": str(path / "ipython"),
            "PYENV_ROOT": str(path / "no pyenv"),
            "PYTHONPATH": str(Path(kaa.__file__).parent.parent),
        },
    )
