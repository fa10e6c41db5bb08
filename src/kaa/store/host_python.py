"""An interpreter of this machine as a package: linked, it makes a prefix a virtual environment.

The package holds what PEP 405 asks for, ``pyvenv.cfg`` and links to the interpreter, and nothing
of the interpreter itself. Its identity is a hash of what it says, so a machine whose interpreter
moved or was upgraded gets another package.
"""

from __future__ import annotations

import hashlib
import json
import os
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from kaa.store.package_cache import entry_name, has_entry, new_entry

if TYPE_CHECKING:
    from pathlib import Path

    from kaa.store.layout import Layout


@dataclass(frozen=True, slots=True)
class HostPython:
    """A CPython of this machine.

    ``version`` is the full version (``3.12.1``), ``executable`` the interpreter itself, not one
    of a virtual environment; ``prefix`` its ``sys.base_prefix``.
    """

    version: str
    executable: Path
    prefix: Path

    @property
    def minor(self) -> str:
        """The version without its last part, such as ``3.12``."""
        return ".".join(self.version.split(".")[:2])

    @property
    def site_packages(self) -> str:
        """Where an environment with this interpreter has its site-packages, below the prefix."""
        return "Lib/site-packages" if os.name == "nt" else f"lib/python{self.minor}/site-packages"

    @property
    def sha256(self) -> str:
        """A hash that stands for the package made of this interpreter."""
        identity = json.dumps([self.version, str(self.executable), str(self.prefix)])
        return hashlib.sha256(identity.encode()).hexdigest()

    @property
    def build(self) -> str:
        """The build string of its package."""
        return f"host_{self.sha256[:8]}"


def ensure_host_python(layout: Layout, python: HostPython) -> None:
    """Put the package of ``python`` into the cache, unless it is there."""
    entry = entry_name("python", python.version, python.build)
    if has_entry(layout, entry, python.sha256):
        return
    with new_entry(layout, entry, python.sha256) as target:
        _write_package(python, target)


def _write_package(python: HostPython, target: Path) -> None:
    info = target / "info"
    info.mkdir(parents=True)
    config = (
        f"home = {python.executable.parent}\n"
        "include-system-site-packages = false\n"
        f"version = {python.version}\n"
    )
    (target / "pyvenv.cfg").write_text(config, encoding="utf-8")
    paths = [_path_entry(target, "pyvenv.cfg") | {"no_link": True}]
    scripts = "Scripts" if os.name == "nt" else "bin"
    (target / scripts).mkdir()
    for name, destination in _links(python):
        (target / scripts / name).symlink_to(destination)
        paths.append(
            {
                "_path": f"{scripts}/{name}",
                "path_type": "softlink",
                "sha256": hashlib.sha256(destination.encode()).hexdigest(),
                "size_in_bytes": 0,
            }
        )
    index = {
        "name": "python",
        "version": python.version,
        "build": python.build,
        "build_number": 0,
        "depends": [],
        "subdir": "noarch",
        "python_site_packages_path": python.site_packages,
    }
    files = {
        "index.json": index,
        "paths.json": {"paths": paths, "paths_version": 1},
        "about.json": {"description": f"the interpreter {python.executable} of this machine"},
    }
    for name, content in files.items():
        (info / name).write_text(json.dumps(content), encoding="utf-8")


def _links(python: HostPython) -> list[tuple[str, str]]:
    """Return the links of the scripts directory: name and destination, as ``venv`` makes them."""
    if os.name == "nt":
        return [("python.exe", str(python.executable))]
    versioned = f"python{python.minor}"
    return [(versioned, str(python.executable)), ("python3", versioned), ("python", versioned)]


def _path_entry(target: Path, path: str) -> dict[str, Any]:
    content = (target / path).read_bytes()
    return {
        "_path": path,
        "path_type": "hardlink",
        "sha256": hashlib.sha256(content).hexdigest(),
        "size_in_bytes": len(content),
    }
