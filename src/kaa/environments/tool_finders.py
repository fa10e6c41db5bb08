"""Where uv, pipx, poetry, pipenv, hatch, pdm and virtualenvwrapper keep their environments."""

# Paths are plain texts here: there may be thousands of them, and pathlib takes ten times as long.
# ruff: noqa: PTH118, PTH119, PTH120

from __future__ import annotations

import os
import re
from typing import TYPE_CHECKING

from kaa.environments.machine import Machine, Place
from kaa.environments.program_settings import expanded, is_absolute, toml_text
from kaa.model.discovered import Maker

if TYPE_CHECKING:
    from collections.abc import Iterator


def tool_places(machine: Machine) -> Iterator[Place]:
    """Give the environments of uv, pipx, poetry, pipenv, hatch, pdm and virtualenvwrapper."""
    for tools in uv_places(machine, "UV_TOOL_DIR", "tools"):
        yield Place(tools, Maker.UV_TOOL, below=True)
    scripts = machine.variable("UV_CACHE_DIR") or (
        os.path.join(machine.cache("uv"), "cache")
        if machine.windows
        else _unix_cache(machine, "uv")
    )
    yield Place(os.path.join(scripts, "environments-v2"), Maker.UV, below=True)
    for home in _pipx_homes(machine):
        yield Place(os.path.join(home, "venvs"), Maker.PIPX, below=True)
    yield Place(_poetry_path(machine), Maker.POETRY, below=True, named=_poetry_name)
    work_on = machine.variable("WORKON_HOME")
    pipenv = work_on or (
        machine.at_home(".virtualenvs") if machine.windows else machine.unix_data("virtualenvs")
    )
    wrapper = Maker.VIRTUALENVWRAPPER
    yield Place(pipenv, Maker.PIPENV, below=True, named=_pipenv_name, otherwise=wrapper)
    for folder in (machine.at_home(".virtualenvs"), machine.at_home("Envs")):
        yield Place(folder, wrapper, below=True)
    yield Place(machine.at_home(".venvs"), Maker.VENV, below=True)
    hatch = machine.variable("HATCH_DATA_DIR") or machine.data("hatch")
    places = [
        os.path.join(hatch, "env", "virtual"),
        machine.variable("HATCH_ENV_TYPE_VIRTUAL_PATH"),
    ]
    places.append(_configured(machine, "hatch", "dirs.env", "virtual"))
    for place in places:
        if place and is_absolute(place):
            yield Place(place, Maker.HATCH, below=True, depth=3, named=_hatch_name)
    for place in (
        os.path.join(machine.data("pdm"), "venvs"),
        machine.variable("PDM_VENV_LOCATION"),
        _configured(machine, "pdm", "venv", "location"),
    ):
        if place:
            yield Place(place, Maker.PDM, below=True, named=_pdm_name)


def _pipx_homes(machine: Machine) -> Iterator[str]:
    """Give where pipx keeps its environments: it has moved them, twice on some systems."""
    chosen = machine.variable("PIPX_HOME")
    if chosen:
        yield chosen
    elif machine.windows:
        yield machine.at_home("pipx")
        yield os.path.join(machine.data("pipx"), "pipx")
        yield machine.data("pipx")
    else:
        yield from dict.fromkeys((machine.unix_data("pipx"), machine.data("pipx")))
        yield machine.at_home(".local", "pipx")
    if not machine.windows:
        yield machine.variable("PIPX_GLOBAL_HOME") or "/opt/pipx"


def _poetry_path(machine: Machine) -> str:
    """Return ``virtualenvs.path`` of poetry's settings: a variable, its file, or the default."""
    cache = machine.variable("POETRY_CACHE_DIR") or _configured(
        machine, "pypoetry", "", "cache-dir"
    )
    if cache is None:
        cache = machine.cache("pypoetry")
        cache = os.path.join(cache, "Cache") if machine.windows else cache
    path = machine.variable("POETRY_VIRTUALENVS_PATH")
    path = path or _configured(machine, "pypoetry", "virtualenvs", "path")
    return path.replace("{cache-dir}", cache) if path else os.path.join(cache, "virtualenvs")


def _configured(machine: Machine, program: str, table: str, key: str) -> str | None:
    """Return a path that stands in a program's own ``config.toml``."""
    folder = machine.config(program)
    if program == "pypoetry":
        folder = machine.variable("POETRY_CONFIG_DIR") or folder
    text = toml_text(os.path.join(folder, "config.toml"), table, key)
    return expanded(text, machine.home, machine.environ) if text else None


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


def uv_places(machine: Machine, variable: str, folder: str) -> Iterator[str]:
    """Give where uv keeps something, unless a variable says where."""
    chosen = machine.variable(variable)
    if chosen:
        yield chosen
        return
    yield os.path.join(machine.unix_data("uv"), folder)
    if machine.windows:
        yield os.path.join(machine.unix_data("uv"), "data", folder)
