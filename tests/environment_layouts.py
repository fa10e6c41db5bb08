"""Directories as the programs that make environments leave them, with as little in them as counts.

The interpreters are links to the one that runs the tests, so that whatever looks at them sees a
program of this machine.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path

MINOR = f"{sys.version_info.major}.{sys.version_info.minor}"


def conda_environment(prefix: Path, python: str | None = "3.12.7", *more: str) -> Path:
    """Make a prefix as conda does, with a record for each package, ``more`` as ``r-base-4.4-0``."""
    records = prefix / "conda-meta"
    records.mkdir(parents=True)
    (records / "history").write_text("")
    if python is not None:
        (records / f"python-{python}-h1234_0_cpython.json").write_text("{}")
        minor = ".".join(python.split(".")[:2])
        _interpreter(prefix, minor)
    for name in more:
        (records / f"{name}.json").write_text("{}")
    return prefix


def virtual_environment(prefix: Path, python: str = "3.12.7", **settings: str) -> Path:
    """Make a prefix as venv does (PEP 405); ``settings`` are more lines of ``pyvenv.cfg``."""
    prefix.mkdir(parents=True)
    lines = {"home": str(Path(sys.executable).parent), "version": python, **settings}
    text = "".join(f"{name} = {value}\n" for name, value in lines.items())
    (prefix / "pyvenv.cfg").write_text(text)
    _interpreter(prefix, ".".join(python.split(".")[:2]))
    return prefix


def kernelspec(prefix: Path, name: str, **content: object) -> Path:
    """Put a kernelspec into a prefix."""
    directory = prefix / "share" / "jupyter" / "kernels" / name
    directory.mkdir(parents=True)
    whole = {"argv": ["R", "{connection_file}"], "display_name": "R", "language": "R", **content}
    (directory / "kernel.json").write_text(json.dumps(whole))
    return directory


def ipykernel(prefix: Path, minor: str = "3.12") -> None:
    """Let a prefix have something that passes for ipykernel."""
    packages = prefix / "lib" / f"python{minor}" / "site-packages"
    packages.mkdir(parents=True, exist_ok=True)
    (packages / "ipykernel_launcher.py").write_text("")


def _interpreter(prefix: Path, minor: str) -> None:
    (prefix / "bin").mkdir()
    (prefix / "bin" / "python").symlink_to(Path(sys.executable).resolve())
    (prefix / "lib" / f"python{minor}" / "site-packages").mkdir(parents=True)
