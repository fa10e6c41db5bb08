"""The kernel overlays: ipykernel once per Python minor version, for environments without it."""

from __future__ import annotations

import os
import re
from pathlib import Path
from typing import TYPE_CHECKING

from kaa.environments.activation import interpreter
from kaa.kernels import launcher

if TYPE_CHECKING:
    from kaa.model.discovered import Facts
    from kaa.store.layout import Layout


def overlay_prefix(layout: Layout, minor: str) -> Path:
    """Return the overlay's prefix, a link as every environment's, for Python ``minor`` (3.12)."""
    return Path(launcher.overlay_prefix(str(layout.overlays), minor))


def overlay_site_packages(layout: Layout, minor: str) -> Path:
    """Return the directory that the launcher appends to ``sys.path``."""
    return Path(launcher.site_packages(str(overlay_prefix(layout, minor)), minor))


def overlay_ready(layout: Layout, minor: str) -> bool:
    """Say whether the overlay for Python ``minor`` has been built."""
    return launcher.has_ipykernel(str(overlay_site_packages(layout, minor)))


def overlay_of(facts: Facts) -> str | None:
    """Return the Python whose overlay an environment with these facts would be lent from.

    ``3.12``, or ``3.13t`` for a free-threaded build; None for one without Python.
    """
    if facts.python is None:
        return None
    minor = ".".join(facts.python.split(".")[:2])
    return f"{minor}t" if f"python{minor}t" in (facts.packages_directory or "") else minor


def overlay_needed(generation: Path) -> str | None:
    """Return the Python version (``3.12``) whose overlay the environment's kernel needs.

    None when the environment has an ipykernel of its own, or no Python.
    """
    minor = python_minor(generation)
    if minor is None or launcher.has_ipykernel(launcher.site_packages(str(generation), minor)):
        return None
    return minor


def python_minor(generation: Path) -> str | None:
    """Return the minor version of the environment's Python, read off its files, never run.

    ``3.12``, or ``3.13t`` for a free-threaded build; None when there is no Python.
    """
    # os.access, since an interpreter in a directory that is closed to this user is none either.
    if not os.access(interpreter(generation), os.F_OK):
        return None
    minor = _recorded_minor(generation)
    if minor is None:
        return _newest_library(generation)
    return f"{minor}t" if (generation / "lib" / f"python{minor}t").is_dir() else minor


def _recorded_minor(generation: Path) -> str | None:
    for record in (generation / "conda-meta").glob("python-3.*.json"):
        # <name>-<version>-<build>: python-dateutil and its like have no digit after the dash.
        if found := re.match(r"python-(3\.\d+)[^-]*-[^-]+\.json$", record.name):
            return found[1]
    try:
        configuration = (generation / "pyvenv.cfg").read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError):
        return None
    found = re.search(r"^version(?:_info)?\s*=\s*(3\.\d+)", configuration, re.MULTILINE)
    return found[1] if found else None


def _newest_library(generation: Path) -> str | None:
    minors = [
        folder.name[len("python") :]
        for folder in (generation / "lib").glob("python3.*")
        if re.fullmatch(r"python3\.\d+t?", folder.name)
    ]
    return max(minors, key=lambda minor: int(minor[2:].rstrip("t")), default=None)
