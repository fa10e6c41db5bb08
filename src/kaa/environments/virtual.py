"""A virtual environment (PEP 405) as it lies on the disk, whichever program has made it.

That is the layout of venv, virtualenv, uv, and of all that use them: ``pyvenv.cfg`` and links to an
interpreter that is elsewhere. No record says what is in it; its distributions say it themselves.
"""

from __future__ import annotations

import os
import shlex
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from kaa.environments.facts import interpreter, read_facts, virtual_settings
from kaa.model.discovered import Maker
from kaa.model.errors import UnsupportedError
from kaa.sources.host import OLDEST, host_python

if TYPE_CHECKING:
    from kaa.store.host_python import HostPython

CONFIGURATION = "pyvenv.cfg"
_HINT = "make an environment of kaa's own with the same packages: `kaa create`"


@dataclass(frozen=True, slots=True)
class VirtualEnvironment:
    """What a virtual environment's own files say, and its interpreter.

    ``maker`` is what listings call the program that has made it.
    """

    path: Path
    maker: str
    python: HostPython
    own_ipykernel: bool


def is_virtual(path: Path) -> bool:
    """Say whether a directory is a virtual environment, and no environment of conda's or kaa's."""
    return (path / CONFIGURATION).is_file() and not (path / "conda-meta").is_dir()


def read_virtual(path: Path) -> VirtualEnvironment:
    """Return the virtual environment at ``path``, whose interpreter is asked what it is.

    Raises :class:`UnsupportedError` where kaa could not go on with it: the interpreter is gone or
    another one than the packages are for, or they are not all of the environment's own.
    """
    facts = read_facts(os.fspath(path), None, windows=os.name == "nt")
    settings = virtual_settings(os.fspath(path)) or {}
    if settings.get("include-system-site-packages", "").lower() == "true":
        home = settings.get("home", "its Python")
        cause = f"it has the packages of {home}, too (--system-site-packages), which change with it"
        raise _refused(path, cause, _hint_for_system_packages(path))
    if os.path.realpath(sys.prefix) == os.path.realpath(path):
        raise _refused(path, "kaa itself is installed in it and runs from there")
    minor = facts.minor if facts is not None else None
    said = tuple(int(part) for part in (minor or "").rstrip("t").split(".") if part)
    if said and said < OLDEST:
        oldest = ".".join(map(str, OLDEST))
        raise _refused(
            path, f"its Python {minor} is older than {oldest}, the oldest kaa works with"
        )
    program = Path(interpreter(os.fspath(path), windows=os.name == "nt"))
    if facts is None or facts.python is None or not program.exists():
        real = os.path.realpath(program)
        raise _refused(path, f"its interpreter cannot run: {real} is not there")
    python = host_python(program)
    if python is None:
        cause = f"its interpreter {os.path.realpath(program)} does not start, or is no CPython"
        raise _refused(path, f"{cause} that packages of conda's and PyPI's are for")
    site = path / python.site_packages
    if python.minor != minor or not site.is_dir():
        cause = f"its packages are for Python {minor}, and its interpreter is {python.version} now"
        raise _refused(path, cause)
    return VirtualEnvironment(path, facts.maker or Maker.VENV.value, python, facts.own_ipykernel)


def _refused(path: Path, cause: str, hint: str = _HINT) -> UnsupportedError:
    return UnsupportedError(f"{path} cannot be adopted", cause=cause, hint=hint)


def _hint_for_system_packages(path: Path) -> str:
    freeze = shlex.join([os.fspath(path / "bin" / "python"), "-m", "pip", "freeze"])
    return (
        "if it needs none of them, say `include-system-site-packages = false` in its pyvenv.cfg "
        "and adopt it then; else make an environment of kaa's own of all that it sees: "
        f"`{freeze} > requirements.txt`, `kaa create -f requirements.txt`"
    )
