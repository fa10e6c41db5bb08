"""A place of its own for kaa and its peers: directories, variables and commands to measure.

Nothing of the user's is read or written: homes, caches and data directories are temporary, and
pip's and uv's settings are left out for both contestants but for certificates and proxies.
"""

from __future__ import annotations

import importlib.util
import json
import os
import shutil
import sys
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit
from urllib.request import url2pathname

from contest import BenchError, Command

if TYPE_CHECKING:
    from collections.abc import Sequence

PACKAGES = ("pandas", "scikit-learn", "matplotlib", "jupyterlab")
_IMPORTS = "import pandas, sklearn, matplotlib, jupyterlab"
_LEFT_OUT = ("CONDA_", "JUPYTER_", "KAA_", "MAMBA_", "PIP_", "PYTHON", "UV_", "VIRTUAL_ENV", "XDG_")
_LISTING = """
import importlib.metadata, json, re
print(json.dumps({
    re.sub("[-_.]+", "-", found.metadata["Name"]).lower(): found.version
    for found in importlib.metadata.distributions()
}))
"""


@dataclass(frozen=True, slots=True)
class Workplace:
    """The two programs, the interpreter that both use, and the directory they work in.

    ``channels`` is a directory with channels that are made once and kept.
    """

    root: Path
    channels: Path
    kaa: tuple[str, ...]
    uv: str
    interpreter: Path
    python_spec: str
    proxy: str | None = None

    def behind(self, proxy: str) -> Workplace:
        """Return the same place where everything is fetched through ``proxy``, a URL."""
        return replace(self, proxy=proxy)

    def kaa_command(self, kaa_root: str, *arguments: str) -> Command:
        """Return kaa at work below the root directory ``kaa_root``."""
        environ = self._environ() | {"KAA_ROOT": str(self.root / kaa_root), "KAA_COMPILE": "0"}
        return Command((*self.kaa, *arguments), environ)

    def kaa_create(self, kaa_root: str, name: str) -> Command:
        """Return the creation of an environment with :data:`PACKAGES`."""
        specs = (self.python_spec, *PACKAGES)
        return self.kaa_command(kaa_root, "create", "-y", "-q", "-n", name, "-c", "pypi", *specs)

    def uv_create(self, cache: str, name: str) -> tuple[Command, ...]:
        """Return the same with uv: its own defaults, with the same interpreter."""
        environ = self._environ() | {"UV_CACHE_DIR": str(self.root / cache)}
        prefix = str(self.root / name)
        install = ("pip", "install", "-q", "--python", prefix, *PACKAGES)
        return (
            Command((self.uv, "venv", "-q", "--python", str(self.interpreter), prefix), environ),
            Command((self.uv, *install), environ),
        )

    def uv_compile(self, cache: str, python: Path, requirements: str) -> Command:
        """Return uv's solve of ``requirements`` (lines, PEP 508) for the interpreter ``python``."""
        environ = self._environ() | {"UV_CACHE_DIR": str(self.root / cache)}
        arguments = (self.uv, "pip", "compile", "-q", "--python", str(python), "-")
        return Command(arguments, environ, requirements)

    def plain(self, *arguments: str) -> Command:
        """Return any other program, in the same surroundings."""
        return Command(arguments, _environment(self.root))

    def plan(self, kaa_root: str, *arguments: str) -> list[dict[str, Any]]:
        """Return the packages that ``kaa create`` with ``arguments`` would install."""
        command = ("create", "--dry-run", "--json", "-y", "-n", "probe", *arguments)
        found: list[dict[str, Any]] = json.loads(self.kaa_command(kaa_root, *command).run())[
            "plan"
        ]["add"]
        return found

    def _environ(self) -> dict[str, str]:
        return _environment(self.root) | ({"HTTPS_PROXY": self.proxy} if self.proxy else {})

    def check_same(self, kaa_root: str, name: str, uv_name: str) -> None:
        """Raise :class:`BenchError` unless both environments have the same packages."""
        ours = json.loads(self._in_environment(kaa_root, name, _LISTING).run())
        uv_python = str(self.root / uv_name / "bin" / "python")
        theirs = json.loads(self.plain(uv_python, "-c", _LISTING).run())
        if ours != theirs:
            names = sorted(name for name in {*ours, *theirs} if ours.get(name) != theirs.get(name))
            told = [f"{name}: kaa {ours.get(name)}, uv {theirs.get(name)}" for name in names]
            raise BenchError("\n".join(["the environments differ, the times say nothing:", *told]))

    def check_works(self, kaa_root: str, name: str) -> None:
        """Raise :class:`BenchError` unless the packages of kaa's environment can be imported."""
        self._in_environment(kaa_root, name, _IMPORTS).run()

    def _in_environment(self, kaa_root: str, name: str, program: str) -> Command:
        return self.kaa_command(kaa_root, "run", "-n", name, "python", "-c", program)


def find_workplace(root: Path, channels: Path) -> Workplace:
    """Find kaa, uv and an interpreter. Raises :class:`BenchError` when one is missing."""
    command = _beside_python("kaa")
    kaa = (command,) if command else (sys.executable, "-m", "kaa")
    if importlib.util.find_spec("kaa") is None:
        raise BenchError(f"kaa is not installed for {sys.executable}")
    uv = _beside_python("uv") or shutil.which("uv")
    if uv is None:
        raise BenchError("uv was found neither beside this Python nor on PATH")
    place = Workplace(root, channels, kaa, uv, Path(sys.executable), "python")
    try:
        version, interpreter = _interpreter(place, "python=3.12")
    except BenchError:  # not on this machine; what is wrong with kaa shows below
        version, interpreter = _interpreter(place, "python")
    minor = ".".join(version.split(".")[:2])
    return replace(place, interpreter=interpreter, python_spec=f"python={minor}")


def _interpreter(place: Workplace, spec: str) -> tuple[str, Path]:
    """Return version and path of the interpreter that kaa takes for ``spec``."""
    python = python_of(place.plan("probe", "-c", "pypi", spec))
    return python["version"], path_of(python)


def python_of(plan: Sequence[dict[str, Any]]) -> dict[str, Any]:
    """Return the Python among the packages of a plan."""
    return next(package for package in plan if package["name"] == "python")


def path_of(python: dict[str, Any]) -> Path:
    """Return the path of a Python of this machine."""
    return Path(url2pathname(urlsplit(python["url"]).path))


def _environment(root: Path) -> dict[str, str]:
    kept = {
        name: value
        for name, value in os.environ.items()
        if "CERT" in name or not name.startswith(_LEFT_OUT)
    }
    home = root / "home"
    home.mkdir(parents=True, exist_ok=True)
    return kept | {"HOME": str(home), "PIP_CONFIG_FILE": os.devnull, "UV_NO_PROGRESS": "1"}


def _beside_python(name: str) -> str | None:
    # Not resolved: in a virtual environment it is the link's directory that has the commands.
    path = Path(sys.executable).parent / name
    return str(path) if os.access(path, os.X_OK) else None
