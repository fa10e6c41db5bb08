"""Where environments are on systems that the tests do not run on."""

from __future__ import annotations

import pytest

from kaa.environments.finders import FINDERS, Machine
from kaa.model.discovered import Maker


def places(machine: Machine) -> dict[Maker, set[str]]:
    """Return the paths that are looked at, by maker, with slashes whatever the system."""
    found: dict[Maker, set[str]] = {}
    for finder in FINDERS:
        for place in finder(machine):
            found.setdefault(place.maker, set()).add(place.path.replace("\\", "/"))
    return found


WINDOWS = {
    "LOCALAPPDATA": "C:/Users/bear/AppData/Local",
    "APPDATA": "C:/Users/bear/AppData/Roaming",
    "ProgramData": "C:/ProgramData",
    "ProgramFiles": "C:/Program Files",
}


@pytest.mark.parametrize(
    ("maker", "path"),
    [
        (Maker.CONDA, "C:/ProgramData/miniconda3"),
        (Maker.CONDA, "C:/Users/bear/AppData/Local/miniforge3/envs"),
        (Maker.CONDA, "C:/Users/bear/.conda/envs"),
        (Maker.PIXI, "C:/Users/bear/.pixi/envs"),
        (Maker.UV_TOOL, "C:/Users/bear/AppData/Roaming/uv/tools"),
        (Maker.POETRY, "C:/Users/bear/AppData/Local/pypoetry/Cache/virtualenvs"),
        (Maker.PIPENV, "C:/Users/bear/.virtualenvs"),
        (Maker.HATCH, "C:/Users/bear/AppData/Local/hatch/env/virtual"),
        (Maker.PYENV, "C:/Users/bear/.pyenv/pyenv-win/versions"),
        (Maker.SYSTEM, "C:/Users/bear/AppData/Local/Programs/Python"),
    ],
)
def test_windows(maker: Maker, path: str) -> None:
    assert path in places(Machine("C:/Users/bear", WINDOWS, "win32"))[maker]


@pytest.mark.parametrize(
    ("maker", "path"),
    [
        (Maker.CONDA, "/opt/homebrew/miniforge3"),
        (Maker.CONDA, "/Users/bear/opt/anaconda3/envs"),
        (Maker.POETRY, "/Users/bear/Library/Caches/pypoetry/virtualenvs"),
        (Maker.HATCH, "/Users/bear/Library/Application Support/hatch/env/virtual"),
        (Maker.PDM, "/Users/bear/Library/Application Support/pdm/venvs"),
        (Maker.UV_TOOL, "/Users/bear/.local/share/uv/tools"),
        (Maker.SYSTEM, "/Library/Frameworks/Python.framework/Versions"),
        (Maker.SYSTEM, "/opt/homebrew"),
    ],
)
def test_macos(maker: Maker, path: str) -> None:
    assert path in places(Machine("/Users/bear", {}, "darwin"))[maker]


@pytest.mark.parametrize(
    ("variable", "value", "maker", "path"),
    [
        ("CONDA_EXE", "/x/bin/conda", Maker.CONDA, "/x/envs"),
        ("XDG_DATA_HOME", "/data", Maker.PIPX, "/data/pipx/venvs"),
        ("XDG_CACHE_HOME", "~/c", Maker.POETRY, "/home/bear/c/pypoetry/virtualenvs"),
        ("POETRY_VIRTUALENVS_PATH", "/v", Maker.POETRY, "/v"),
        ("PIPX_HOME", "/p", Maker.PIPX, "/p/venvs"),
        ("PYENV_ROOT", "/py", Maker.PYENV, "/py/versions"),
        ("PIXI_HOME", "/pixi", Maker.PIXI, "/pixi/envs"),
        ("HATCH_DATA_DIR", "/h", Maker.HATCH, "/h/env/virtual"),
    ],
)
def test_variables(variable: str, value: str, maker: Maker, path: str) -> None:
    assert path in places(Machine("/home/bear", {variable: value}, "linux"))[maker]


def test_what_is_empty_is_not_set() -> None:
    machine = Machine("/home/bear", {"PIPX_HOME": ""}, "linux")
    assert "/home/bear/.local/share/pipx/venvs" in places(machine)[Maker.PIPX]
