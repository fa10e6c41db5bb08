"""Where the programs that make environments keep them, on every system.

A finder names places, and looks at nothing but variables, directories and small files. What is an
environment and what is not is found out afterwards (:mod:`kaa.environments.facts`).
"""

# Paths are plain texts here: there may be thousands of them, and pathlib takes ten times as long.
# ruff: noqa: PTH118, PTH119, PTH120, PTH123

from __future__ import annotations

import os
import re
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from kaa.model.discovered import Maker

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping


@dataclass(frozen=True, slots=True)
class Machine:
    """What finders go by: everything about the system that they are told, and may be faked.

    ``system`` is ``linux``, ``darwin`` or ``win32`` as ``sys.platform`` has it; ``directory`` is
    where the user is working, ``roots`` are directories to look for projects in.
    """

    home: str
    environ: Mapping[str, str]
    system: str
    directory: str = ""
    roots: tuple[str, ...] = ()

    @property
    def windows(self) -> bool:
        """Whether it is Windows."""
        return self.system == "win32"

    def variable(self, name: str) -> str | None:
        """Return a variable that is a path, ``~`` replaced; None where it is not set, or empty."""
        value = self.environ.get(name)
        if not value:
            return None
        return self.home + value[1:] if value.startswith("~") else value

    def at_home(self, *parts: str) -> str:
        """Return a path below the home directory."""
        return os.path.join(self.home, *parts)

    def data(self, name: str) -> str:
        """Return where programs keep a user's data (the XDG base directories, and their like)."""
        if self.windows:
            return os.path.join(self._local(), name)
        if self.system == "darwin":
            return self.at_home("Library", "Application Support", name)
        return os.path.join(self.variable("XDG_DATA_HOME") or self.at_home(".local", "share"), name)

    def unix_data(self, name: str) -> str:
        """Return the same for programs that do as on Linux on macOS, too."""
        if self.windows:
            return os.path.join(self.variable("APPDATA") or self._roaming(), name)
        return os.path.join(self.variable("XDG_DATA_HOME") or self.at_home(".local", "share"), name)

    def cache(self, name: str) -> str:
        """Return where programs keep what can be made again."""
        if self.windows:
            return os.path.join(self._local(), name)
        if self.system == "darwin":
            return self.at_home("Library", "Caches", name)
        return os.path.join(self.variable("XDG_CACHE_HOME") or self.at_home(".cache"), name)

    def _local(self) -> str:
        return self.variable("LOCALAPPDATA") or self.at_home("AppData", "Local")

    def _roaming(self) -> str:
        return self.at_home("AppData", "Roaming")


@dataclass(frozen=True, slots=True)
class Place:
    """Where environments may be: ``path`` itself, or with ``below`` the directories in it.

    ``name`` is what the environment is called; empty for the last part of its path. ``trusted``
    says that whatever is in there is of ``maker``; else the environment's own files may know
    better. ``depth`` is how many levels down environments are.
    """

    path: str
    maker: Maker
    below: bool = False
    name: str = ""
    depth: int = 1
    named: Callable[[str], str] = field(default=os.path.basename)


Finder = "Callable[[Machine], Iterable[Place]]"

_CONDA_FOLDERS = ("anaconda3", "miniconda3", "miniforge3", "mambaforge", "micromamba", "conda")
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
    for path in _lines(machine.at_home(".conda", "environments.txt")):
        yield Place(path, Maker.CONDA, named=_conda_name)


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
        ]
    else:
        parents += ["/opt", "/usr/local", machine.at_home("opt"), "/opt/homebrew"]
    for parent in parents:
        for folder in _CONDA_FOLDERS:
            yield os.path.join(parent, folder)
    yield machine.unix_data("mamba")  # micromamba's and mamba's, since version 2


def _conda_name(path: str) -> str:
    """Return the name that conda has for a prefix of its list: the base's is its folder's."""
    return os.path.basename(path)


def pixi_places(machine: Machine) -> Iterator[Place]:
    """Give pixi's global environments; those of workspaces are found with the projects."""
    home = machine.variable("PIXI_HOME") or machine.at_home(".pixi")
    yield Place(os.path.join(home, "envs"), Maker.PIXI, below=True)
    detached = machine.variable("PIXI_CACHE_DIR") or os.path.join(machine.cache("rattler"), "cache")
    yield Place(
        os.path.join(detached, "envs"), Maker.PIXI, below=True, depth=3, named=_detached_name
    )
    for file in ("workspaces.toml", "config.toml"):
        for workspace in _quoted_paths(os.path.join(home, file)):
            yield from project_places(workspace)


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


def tool_places(machine: Machine) -> Iterator[Place]:
    """Give the environments of uv, pipx, poetry, pipenv, hatch, pdm and virtualenvwrapper."""
    uv = machine.variable("UV_TOOL_DIR") or os.path.join(machine.unix_data("uv"), "tools")
    yield Place(uv, Maker.UV_TOOL, below=True)
    scripts = machine.variable("UV_CACHE_DIR") or (
        os.path.join(machine.cache("uv"), "cache")
        if machine.windows
        else _unix_cache(machine, "uv")
    )
    yield Place(os.path.join(scripts, "environments-v2"), Maker.UV, below=True)
    pipx = machine.variable("PIPX_HOME")
    for home in (pipx,) if pipx else (machine.unix_data("pipx"), machine.at_home(".local", "pipx")):
        yield Place(os.path.join(home, "venvs"), Maker.PIPX, below=True)
    poetry = machine.variable("POETRY_VIRTUALENVS_PATH")
    if poetry is None:
        cache = machine.variable("POETRY_CACHE_DIR") or machine.cache("pypoetry")
        if machine.windows and not machine.variable("POETRY_CACHE_DIR"):
            cache = os.path.join(cache, "Cache")
        poetry = os.path.join(cache, "virtualenvs")
    yield Place(poetry, Maker.POETRY, below=True, named=_poetry_name)
    work_on = machine.variable("WORKON_HOME")
    pipenv = work_on or (
        machine.at_home(".virtualenvs") if machine.windows else machine.unix_data("virtualenvs")
    )
    yield Place(pipenv, Maker.PIPENV, below=True, named=_pipenv_name)
    for folder in dict.fromkeys(
        (work_on, machine.at_home(".virtualenvs"), machine.at_home("Envs"))
    ):
        if folder:
            yield Place(folder, Maker.VIRTUALENVWRAPPER, below=True)
    yield Place(machine.at_home(".venvs"), Maker.VENV, below=True)
    hatch = machine.variable("HATCH_DATA_DIR") or machine.data("hatch")
    yield Place(
        os.path.join(hatch, "env", "virtual"), Maker.HATCH, below=True, depth=3, named=_hatch_name
    )
    yield Place(os.path.join(machine.data("pdm"), "venvs"), Maker.PDM, below=True, named=_pdm_name)


def _unix_cache(machine: Machine, name: str) -> str:
    return os.path.join(machine.variable("XDG_CACHE_HOME") or machine.at_home(".cache"), name)


def _poetry_name(path: str) -> str:
    """``project-AbC12_-x-py3.12`` becomes ``project``, and keeps the Python."""
    found = re.fullmatch(r"(.+)-[\w-]{8}-py(\d+\.\d+)", os.path.basename(path))
    return found[1] if found else os.path.basename(path)


def _pipenv_name(path: str) -> str:
    found = re.fullmatch(r"(.+)-[\w-]{8}", os.path.basename(path))
    return found[1] if found else os.path.basename(path)


def _pdm_name(path: str) -> str:
    found = re.fullmatch(r"(.+)-[\w-]{8}-(.+)", os.path.basename(path))
    return found[1] if found else os.path.basename(path)


def _hatch_name(path: str) -> str:
    """``<project>/<hash>/<environment>``: the default environment is called like the project."""
    environment = os.path.basename(path)
    project = os.path.basename(os.path.dirname(os.path.dirname(path)))
    return project if environment in (project, "default") else f"{project}-{environment}"


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
    managed = machine.variable("UV_PYTHON_INSTALL_DIR") or os.path.join(
        machine.unix_data("uv"), "python"
    )
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


def _lines(file: str) -> list[str]:
    try:
        with open(file, encoding="utf-8", errors="surrogateescape") as stream:
            return [line.strip() for line in stream if line.strip()]
    except OSError:
        return []


def _quoted_paths(file: str) -> list[str]:
    """Return the absolute paths that stand in quotes in a TOML file, without parsing it."""
    found = (re.findall(r"""["']((?:/|[A-Za-z]:)[^"']*)["']""", line) for line in _lines(file))
    return [os.path.dirname(p) if p.endswith(".toml") else p for paths in found for p in paths]
