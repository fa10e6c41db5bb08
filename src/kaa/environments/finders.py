"""Where the programs that make environments keep them, on every system.

A finder names places, and looks at nothing but variables, directories and small files. What is an
environment and what is not is found out afterwards (:mod:`kaa.environments.facts`).
"""

# Paths are plain texts here: there may be thousands of them, and pathlib takes ten times as long.
# ruff: noqa: PTH118, PTH119, PTH120

from __future__ import annotations

import os
import re
from typing import TYPE_CHECKING

from kaa.environments.machine import Machine, Place
from kaa.environments.program_settings import (
    condarc_directories,
    expanded,
    is_absolute,
    lines_of,
    toml_text,
)
from kaa.environments.tool_finders import tool_places, uv_places
from kaa.model.discovered import Maker

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator


Finder = "Callable[[Machine], Iterable[Place]]"

_CONDA_FOLDERS = (
    *("anaconda3", "miniconda3", "miniforge3", "mambaforge", "micromamba", "conda"),
    *("anaconda", "miniconda", "miniforge"),
)
_CASKS = ("anaconda", "miniconda", "miniforge", "mambaforge")
"""What Homebrew has of them, in ``Caskroom/<name>/base``."""
_PROJECT_FOLDERS = (".venv", "venv", "env", ".env")
_SKIPPED = frozenset({"node_modules", "__pycache__", "site-packages", "Library", "AppData"})
_DEPTH = 3
_MOST = 2_000
"""Directories that are looked into below each root: more would take too long, every time."""


def conda_places(machine: Machine) -> Iterator[Place]:
    """Give the installations of conda, mamba and micromamba, and where they keep environments."""
    for base in dict.fromkeys(_conda_bases(machine)):
        yield Place(base, Maker.CONDA, name="base")
        yield Place(os.path.join(base, "envs"), Maker.CONDA, below=True)
    yield Place(machine.at_home(".conda", "envs"), Maker.CONDA, below=True)
    for variable in ("CONDA_ENVS_PATH", "CONDA_ENVS_DIRS"):
        for path in (machine.variable(variable) or "").split(";" if machine.windows else ":"):
            if path:
                yield Place(path, Maker.CONDA, below=True)
    for path in condarc_directories(machine.home, machine.environ):
        yield Place(path, Maker.CONDA, below=True)
    listed = [line.strip() for line in lines_of(machine.at_home(".conda", "environments.txt"))]
    # An installation is on the list as every environment is: those in its own directory tell it.
    folders = dict.fromkeys(map(os.path.dirname, listed))
    bases = {os.path.dirname(folder) for folder in folders if os.path.basename(folder) == "envs"}
    for path in listed:
        yield Place(path, Maker.CONDA, name="base" if path in bases else "")
    for base in sorted(bases.difference(listed)):
        yield Place(base, Maker.CONDA, name="base")
    active = machine.variable("CONDA_PREFIX")
    if active:
        yield Place(active, Maker.CONDA)


def _conda_bases(machine: Machine) -> Iterator[str]:
    for variable in ("CONDA_EXE", "CONDA_PYTHON_EXE"):
        executable = machine.variable(variable)
        if executable:
            folder = os.path.dirname(executable)
            yield (
                folder
                if variable == "CONDA_PYTHON_EXE" and machine.windows
                else os.path.dirname(folder)
            )
    for variable in ("CONDA_ROOT", "MAMBA_ROOT_PREFIX", "_CONDA_ROOT"):
        base = machine.variable(variable)
        if base:
            yield base
    parents = [machine.home]
    if machine.windows:
        parents += [
            machine.variable("ProgramData") or "C:\\ProgramData",
            machine.variable("LOCALAPPDATA") or machine.at_home("AppData", "Local"),
            (machine.variable("SystemDrive") or "C:") + "/",
        ]
    else:
        parents += ["/opt", "/usr/local", machine.at_home("opt"), "/opt/homebrew"]
    for parent in parents:
        for folder in _CONDA_FOLDERS:
            yield os.path.join(parent, folder)
    if machine.system == "darwin":
        for room in ("/opt/homebrew/Caskroom", "/usr/local/Caskroom"):
            for cask in _CASKS:
                yield os.path.join(room, cask, "base")
    yield machine.unix_data("mamba")  # micromamba's and mamba's, since version 2


def pixi_places(machine: Machine) -> Iterator[Place]:
    """Give pixi's global environments; those of workspaces are found with the projects."""
    home = machine.variable("PIXI_HOME") or machine.at_home(".pixi")
    yield Place(os.path.join(home, "envs"), Maker.PIXI, below=True)
    detached = machine.variable("PIXI_CACHE_DIR") or os.path.join(machine.cache("rattler"), "cache")
    yield Place(
        os.path.join(detached, "envs"), Maker.PIXI, below=True, depth=3, named=_detached_name
    )
    for workspace in _quoted_paths(os.path.join(home, "workspaces.toml")):
        yield from project_places(workspace)
    for file in (machine.config("pixi"), home):
        path = toml_text(os.path.join(file, "config.toml"), "", "detached-environments")
        if path:
            place = expanded(path, machine.home, machine.environ)
            yield Place(place, Maker.PIXI, below=True, depth=3, named=_detached_name)


def _detached_name(path: str) -> str:
    """``<workspace>-<number>/envs/<environment>`` becomes ``workspace`` or with the environment."""
    workspace = os.path.basename(os.path.dirname(os.path.dirname(path))).rpartition("-")[0]
    return _in_project(workspace, os.path.basename(path))


def _in_project(project: str, environment: str) -> str:
    return project if environment == "default" else f"{project}-{environment}"


def project_places(project: str) -> Iterator[Place]:
    """Give the environments that a project has in its own directory."""
    name = os.path.basename(project) or project
    for folder in _PROJECT_FOLDERS:
        yield Place(os.path.join(project, folder), Maker.VENV, name=name)
    envs = os.path.join(project, ".pixi", "envs")
    yield Place(
        envs,
        Maker.PIXI,
        below=True,
        named=lambda path: _in_project(name, os.path.basename(path)),
    )
    yield Place(os.path.join(project, ".hatch"), Maker.HATCH, below=True)


def working_places(machine: Machine) -> Iterator[Place]:
    """Give the environments of the project that the user is in."""
    directory = machine.directory
    while directory and directory not in (machine.home, os.path.dirname(directory)):
        yield from project_places(directory)
        directory = os.path.dirname(directory)
    for variable in ("VIRTUAL_ENV", "UV_PROJECT_ENVIRONMENT"):
        path = machine.variable(variable)
        if path and is_absolute(path):
            yield Place(path, Maker.VENV, named=_venv_name)


def _venv_name(path: str) -> str:
    """Return the project's name for what is in a project, else the directory's own."""
    name = os.path.basename(path)
    return os.path.basename(os.path.dirname(path)) if name in _PROJECT_FOLDERS else name


def _places_below(root: str) -> Iterator[Place]:
    for project in _projects(root):
        yield from project_places(project)


def _projects(root: str) -> Iterator[str]:
    """Give the directories below a root, nearest first, with bounds on how many and how deep."""
    waiting = [(root, 0)]
    seen = 0
    while waiting and seen < _MOST:
        directory, depth = waiting.pop(0)
        yield directory
        seen += 1
        if depth < _DEPTH:
            waiting += [
                (os.path.join(directory, name), depth + 1)
                for name in directories_in(directory)
                if not name.startswith(".") and name not in _SKIPPED
            ]


def interpreter_places(machine: Machine) -> Iterator[Place]:
    """Give pyenv's versions with their virtual environments, and the system's interpreters."""
    pyenv = machine.variable("PYENV_ROOT") or machine.at_home(".pyenv")
    versions = (
        os.path.join(pyenv, "pyenv-win", "versions")
        if machine.windows
        else os.path.join(pyenv, "versions")
    )
    yield Place(versions, Maker.PYENV, below=True)
    yield Place(versions, Maker.PYENV, below=True, depth=3, named=os.path.basename)
    for managed in uv_places(machine, "UV_PYTHON_INSTALL_DIR", "python"):
        yield Place(managed, Maker.UV, below=True)
    if machine.windows:
        local = machine.variable("LOCALAPPDATA") or machine.at_home("AppData", "Local")
        yield Place(os.path.join(local, "Programs", "Python"), Maker.SYSTEM, below=True)
        yield Place(machine.variable("ProgramFiles") or "C:\\Program Files", Maker.SYSTEM, True)
        return
    if machine.system == "darwin":
        framework = "/Library/Frameworks/Python.framework/Versions"
        yield Place(framework, Maker.SYSTEM, below=True)
        yield Place("/opt/homebrew", Maker.SYSTEM)
    for prefix in ("/usr", "/usr/local"):
        yield Place(prefix, Maker.SYSTEM)


FINDERS: tuple[Callable[[Machine], Iterable[Place]], ...] = (
    conda_places,
    pixi_places,
    tool_places,
    working_places,
    interpreter_places,
)
"""In order: where two of them name the same directory, the first one says whose it is."""


def finders(machine: Machine) -> Iterator[tuple[str, Callable[[Machine], Iterable[Place]]]]:
    """Give :data:`FINDERS` and one for each root, and what they are called or look at."""
    for finder in FINDERS:
        yield finder.__name__, finder
    for root in machine.roots:
        yield os.path.join(root, "*"), lambda _, root=root: _places_below(root)  # type: ignore[misc]


def directories_in(path: str) -> list[str]:
    """Return the names of the directories and links in one; none where it is shut.

    Where a link leads is not looked at: it may be a file system that does not answer.
    """
    try:
        with os.scandir(path) as entries:
            return sorted(entry.name for entry in entries if _may_be_directory(entry))
    except OSError:
        return []


def _may_be_directory(entry: os.DirEntry[str]) -> bool:
    try:
        return entry.is_dir(follow_symlinks=False) or entry.is_symlink()
    except OSError:
        return False


def _quoted_paths(file: str) -> list[str]:
    """Return the absolute paths that stand in quotes in a TOML file, without parsing it."""
    found = (re.findall(r"""["']((?:/|[A-Za-z]:)[^"']*)["']""", line) for line in lines_of(file))
    return [os.path.dirname(p) if p.endswith(".toml") else p for paths in found for p in paths]
