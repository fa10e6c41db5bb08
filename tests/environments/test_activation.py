from __future__ import annotations

import json
import os
from pathlib import Path, PureWindowsPath

import pytest

from kaa.environments.activation import (
    activated,
    activation,
    bin_directories,
    generation_of,
    interpreter,
)

posix_only = pytest.mark.skipif(os.name == "nt", reason="paths and links of POSIX")


@pytest.fixture
def prefix(tmp_path: Path) -> Path:
    generation = tmp_path / "envs" / ".kaa" / "demo" / "1"
    (generation / "bin").mkdir(parents=True)
    (generation / "pyvenv.cfg").touch()
    link = tmp_path / "envs" / "demo"
    link.symlink_to(Path(".kaa", "demo", "1"))
    return link


def own_variables(prefix: Path, files: dict[str, str]) -> None:
    for name, text in files.items():
        file = prefix / name
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(text, encoding="utf-8")


@posix_only
def test_the_link_is_resolved_once_and_only_itself(prefix: Path, tmp_path: Path) -> None:
    assert generation_of(prefix) == str(tmp_path / "envs" / ".kaa" / "demo" / "1")
    assert generation_of(tmp_path) == str(tmp_path)
    assert generation_of(tmp_path / "missing") == str(tmp_path / "missing")
    elsewhere = tmp_path / "elsewhere"
    elsewhere.symlink_to(tmp_path / "envs")
    assert generation_of(elsewhere / "demo") == str(elsewhere / ".kaa" / "demo" / "1")


@posix_only
def test_the_variables_of_a_virtual_environment(prefix: Path) -> None:
    changes = activation(prefix, prefix.resolve(), {"PATH": "/usr/bin:/bin", "HOME": "/h"})
    assert changes == {
        "PATH": f"{prefix}/bin:/usr/bin:/bin",
        "CONDA_PREFIX": str(prefix),
        "CONDA_DEFAULT_ENV": "demo",
        "CONDA_PROMPT_MODIFIER": "(demo) ",
        "CONDA_SHLVL": "1",
        "VIRTUAL_ENV": str(prefix),
        "VIRTUAL_ENV_PROMPT": "demo",
        "PYTHONHOME": None,
        "__PYVENV_LAUNCHER__": None,
    }


@posix_only
def test_an_environment_elsewhere_is_called_by_its_path(tmp_path: Path) -> None:
    environ = activated(tmp_path, tmp_path, {"VIRTUAL_ENV": "/other", "PYTHONHOME": "/x"})
    assert environ["CONDA_DEFAULT_ENV"] == str(tmp_path)
    # Without pyvenv.cfg it is a conda environment.
    assert "VIRTUAL_ENV" not in environ
    assert "PYTHONHOME" not in environ
    assert environ["PATH"] == f"{tmp_path}/bin:/bin:/usr/bin"


@posix_only
def test_activating_twice_changes_nothing(prefix: Path) -> None:
    own_variables(prefix, {"conda-meta/state": '{"env_vars": {"A": "1"}}'})
    once = activated(prefix, prefix.resolve(), {"PATH": "/bin"})
    assert activated(prefix, prefix.resolve(), once) == once
    inside = {**once, "PATH": f"{prefix.resolve()}/bin:{once['PATH']}"}
    assert activated(prefix, prefix.resolve(), inside) == once


@posix_only
def test_what_was_active_is_left(prefix: Path, tmp_path: Path) -> None:
    base, venv = tmp_path / "base", tmp_path / "venv"
    own_variables(base, {"conda-meta/state": '{"env_vars": {"OF_BASE": "1", "SHARED": "base"}}'})
    own_variables(prefix, {"conda-meta/state": '{"env_vars": {"SHARED": "demo"}}'})
    environ = activated(
        prefix,
        prefix.resolve(),
        {
            "PATH": f"{venv}/bin:{base}/bin/:{base}/condabin:/bin",
            "CONDA_PREFIX": str(base),
            "CONDA_PREFIX_1": "/older",
            "CONDA_PREFIX_NOTE": "kept",
            "CONDA_SHLVL": "2",
            "VIRTUAL_ENV": str(venv),
            "OF_BASE": "1",
            "SHARED": "base",
        },
    )
    assert environ["PATH"] == f"{prefix}/bin:{base}/condabin:/bin"
    assert environ["CONDA_SHLVL"] == "1"
    assert environ["SHARED"] == "demo"
    assert environ["CONDA_PREFIX_NOTE"] == "kept"
    assert not {"CONDA_PREFIX_1", "OF_BASE"} & environ.keys()


@posix_only
@pytest.mark.parametrize(
    ("path", "expected"),
    [("", ""), (":/bin", "::/bin"), ("/a/../bin", ":/a/../bin"), ("bin", ":bin")],
)
def test_other_entries_of_path_stay_as_they_are(prefix: Path, path: str, expected: str) -> None:
    changed = activation(prefix, prefix.resolve(), {"PATH": path})["PATH"]
    assert changed == f"{prefix}/bin{expected}"


@posix_only
def test_own_variables_are_taken_as_conda_takes_them(prefix: Path) -> None:
    own_variables(
        prefix,
        {
            "etc/conda/env_vars.d/a.json": '{"ONE": "a", "TWO": "a", "PATH": "/evil"}',
            "etc/conda/env_vars.d/b.json": '{"TWO": "b"}',
            "etc/conda/env_vars.d/b.txt": "no JSON",
            "conda-meta/state": (
                '{"version": 1, "env_vars": {"THREE": "$(id) \\" é", "NUMBER": 1,'
                ' "GONE": "***unset***"}}'
            ),
        },
    )
    environ = activated(prefix, prefix.resolve(), {"PATH": "/bin"})
    own = {name: environ.get(name) for name in ("ONE", "TWO", "THREE", "NUMBER", "GONE")}
    assert own == {"ONE": "a", "TWO": "b", "THREE": '$(id) " é', "NUMBER": "1", "GONE": None}
    assert environ["PATH"] == f"{prefix}/bin:/bin"


@posix_only
@pytest.mark.parametrize("broken", ["{", "[1]", '{"env_vars": 3}'])
def test_a_broken_file_is_named_and_passed_over(
    prefix: Path, broken: str, capsys: pytest.CaptureFixture[str]
) -> None:
    own_variables(prefix, {"conda-meta/state": broken})
    own_variables(prefix, {"etc/conda/env_vars.d/a.json": '{"ONE": "1"}'})
    assert activated(prefix, prefix.resolve(), {})["ONE"] == "1"
    said = capsys.readouterr().err
    assert ("state" in said) == (broken != '{"env_vars": 3}')


@posix_only
@pytest.mark.parametrize(("name", "value"), [("A=B", "1"), ("", "1"), ("A", "a\0b"), ("A\0", "1")])
def test_what_no_system_takes_for_a_variable_is_named_and_left_out(
    prefix: Path, name: str, value: str, capsys: pytest.CaptureFixture[str]
) -> None:
    own = {"env_vars": {name: value, "ONE": "1"}}
    own_variables(prefix, {"conda-meta/state": json.dumps(own)})
    environ = activated(prefix, prefix.resolve(), {"PATH": "/bin"})
    assert environ["ONE"] == "1" and name not in environ
    assert "state" in capsys.readouterr().err


def test_windows_directories_in_condas_order() -> None:
    prefix = r"C:\kaa\envs\demo"
    changes = activation(
        prefix, prefix, {"PATH": r"c:\KAA\envs\demo\scripts;C:\Windows"}, windows=True
    )
    path = changes["PATH"]
    assert path is not None
    entries = path.split(";")
    assert entries[0] == prefix
    assert r"C:\kaa\envs\demo\Library\bin" in entries
    assert entries[-2:] == [r"C:\kaa\envs\demo\bin", r"C:\Windows"]
    assert len(entries) == 7
    assert changes["CONDA_DEFAULT_ENV"] == "demo"
    assert [PureWindowsPath(entry).parts[0] for entry in entries] == ["C:\\"] * 7
    assert bin_directories(prefix, windows=True) == entries[:6]
    assert interpreter(prefix, windows=True) == r"C:\kaa\envs\demo\python.exe"
