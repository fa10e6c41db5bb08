"""Where environments are on systems that the tests do not run on."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from kaa.environments.finders import FINDERS
from kaa.environments.machine import Machine
from kaa.model.discovered import Maker

if TYPE_CHECKING:
    from pathlib import Path


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
        (Maker.UV_TOOL, "C:/Users/bear/AppData/Roaming/uv/data/tools"),
        (Maker.CONDA, "C:/anaconda3"),
        (Maker.PIPX, "C:/Users/bear/pipx/venvs"),
        (Maker.PIPX, "C:/Users/bear/AppData/Local/pipx/pipx/venvs"),
        (Maker.PDM, "C:/Users/bear/AppData/Local/pdm/venvs"),
        (Maker.VIRTUALENVWRAPPER, "C:/Users/bear/Envs"),
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
        (Maker.CONDA, "/opt/homebrew/Caskroom/miniforge/base"),
        (Maker.CONDA, "/opt/anaconda3"),
        (Maker.PIXI, "/Users/bear/.pixi/envs"),
        (Maker.PIPX, "/Users/bear/Library/Application Support/pipx/venvs"),
        (Maker.PIPX, "/Users/bear/.local/pipx/venvs"),
        (Maker.PIPENV, "/Users/bear/.local/share/virtualenvs"),
        (Maker.PYENV, "/Users/bear/.pyenv/versions"),
        (Maker.UV, "/Users/bear/.local/share/uv/python"),
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
        ("HATCH_ENV_TYPE_VIRTUAL_PATH", "/v", Maker.HATCH, "/v"),
        ("PDM_VENV_LOCATION", "/v", Maker.PDM, "/v"),
        ("POETRY_CACHE_DIR", "/c", Maker.POETRY, "/c/virtualenvs"),
        ("PIPX_GLOBAL_HOME", "/g", Maker.PIPX, "/g/venvs"),
        ("WORKON_HOME", "/w", Maker.PIPENV, "/w"),
        ("VIRTUAL_ENV", "/x/.venv", Maker.VENV, "/x/.venv"),
        ("UV_PROJECT_ENVIRONMENT", "/x/env", Maker.VENV, "/x/env"),
        ("CONDA_PREFIX", "/c/envs/a", Maker.CONDA, "/c/envs/a"),
        ("MAMBA_ROOT_PREFIX", "/m", Maker.CONDA, "/m/envs"),
        ("UV_TOOL_DIR", "/u", Maker.UV_TOOL, "/u"),
    ],
)
def test_variables(variable: str, value: str, maker: Maker, path: str) -> None:
    assert path in places(Machine("/home/bear", {variable: value}, "linux"))[maker]


def test_what_is_empty_is_not_set() -> None:
    machine = Machine("/home/bear", {"PIPX_HOME": ""}, "linux")
    assert "/home/bear/.local/share/pipx/venvs" in places(machine)[Maker.PIPX]


SETTINGS = [
    (".condarc", "envs_dirs:\n  - ~/a b\n  - /c # big\nchannels:\n  - x\n", Maker.CONDA, "{}/a b"),
    (".condarc", "envs_dirs:\n- /one\n- $DATA/envs\n", Maker.CONDA, "/data/envs"),
    (".conda/condarc", "channels: [x]\nenvs_path: ['/one', /two]\n", Maker.CONDA, "/two"),
    (
        ".config/pypoetry/config.toml",
        'cache-dir = "/c"\n[virtualenvs]\npath = "{cache-dir}/v"\n',
        Maker.POETRY,
        "/c/v",
    ),
    (".config/pypoetry/config.toml", '[virtualenvs]\npath = "~/v"\n', Maker.POETRY, "{}/v"),
    (".config/hatch/config.toml", '[dirs.env]\nvirtual = "/h"\n', Maker.HATCH, "/h"),
    (".config/pdm/config.toml", "[venv]\nlocation = '/p'\n", Maker.PDM, "/p"),
    (".pixi/config.toml", 'detached-environments = "/d"\n', Maker.PIXI, "/d"),
    (".config/pixi/config.toml", 'detached-environments = "/d"\n', Maker.PIXI, "/d"),
]


@pytest.mark.parametrize(("file", "text", "maker", "path"), SETTINGS)
def test_programs_own_settings(
    tmp_path: Path, file: str, text: str, maker: Maker, path: str
) -> None:
    (tmp_path / file).parent.mkdir(parents=True, exist_ok=True)
    (tmp_path / file).write_text(text)
    machine = Machine(str(tmp_path), {"DATA": "/data"}, "linux")
    assert path.format(tmp_path) in places(machine)[maker]


def test_what_is_no_path_is_passed_over(tmp_path: Path) -> None:
    (tmp_path / ".condarc").write_text("envs_dirs:\n  - relative\n  - {a: 3}\nenvs_dirs: 7\n")
    (tmp_path / ".config" / "hatch").mkdir(parents=True)
    (tmp_path / ".config" / "hatch" / "config.toml").write_text('[dirs.env]\nvirtual = ".hatch"\n')
    found = places(Machine(str(tmp_path), {}, "linux"))
    assert not any("relative" in path or "a: 3" in path for path in found[Maker.CONDA])
    assert ".hatch" not in found[Maker.HATCH]
