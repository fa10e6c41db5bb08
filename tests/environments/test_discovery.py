"""Environments of every program are found where that program puts them, by reading only."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from typing import TYPE_CHECKING

import pytest

from environment_layouts import conda_environment, ipykernel, kernelspec, virtual_environment
from kaa.environments.discovery import discover
from kaa.environments.machine import Machine
from kaa.model.discovered import Discovered, Maker
from kaa.store.layout import Layout

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path


@pytest.fixture
def home(tmp_path: Path) -> Path:
    return tmp_path / "home"


@pytest.fixture
def layout(tmp_path: Path) -> Layout:
    return Layout(tmp_path / "kaa")


def found(home: Path, layout: Layout, **machine: object) -> dict[str, Discovered]:
    """Return what is found of the test's own, by label: the system's interpreters are no matter."""
    facts = {"environ": {}, "system": "linux", **machine}
    result = discover(layout, Machine(str(home), **facts))  # type: ignore[arg-type]
    below = str(home.parent)
    return {each.label: each for each in result.environments if each.prefix.startswith(below)}


PLACES: dict[str, tuple[str, Callable[[Path], object], Maker, str]] = {
    "conda's own": ("miniconda3", conda_environment, Maker.CONDA, "base"),
    "conda": ("miniforge3/envs/work", conda_environment, Maker.CONDA, "work"),
    "conda at home": (".conda/envs/work", conda_environment, Maker.CONDA, "work"),
    "micromamba": (".local/share/mamba/envs/work", conda_environment, Maker.CONDA, "work"),
    "pixi global": (".pixi/envs/tool", conda_environment, Maker.PIXI, "tool"),
    "uv tool": (".local/share/uv/tools/ruff", virtual_environment, Maker.UV_TOOL, "ruff"),
    "pipx": (".local/share/pipx/venvs/black", virtual_environment, Maker.PIPX, "black"),
    "pipx of old": (".local/pipx/venvs/black", virtual_environment, Maker.PIPX, "black"),
    "poetry": (
        ".cache/pypoetry/virtualenvs/shop-aB3_dE-9-py3.12",
        virtual_environment,
        Maker.POETRY,
        "shop",
    ),
    "pipenv": (
        ".local/share/virtualenvs/shop-aB3_dE-9",
        virtual_environment,
        Maker.PIPENV,
        "shop",
    ),
    "hatch": (
        ".local/share/hatch/env/virtual/shop/aB3dE9/shop",
        virtual_environment,
        Maker.HATCH,
        "shop",
    ),
    "hatch's others": (
        ".local/share/hatch/env/virtual/shop/aB3dE9/docs",
        virtual_environment,
        Maker.HATCH,
        "shop-docs",
    ),
    "pdm": (
        ".local/share/pdm/venvs/shop-aB3_dE-9-3.12",
        virtual_environment,
        Maker.PDM,
        "shop",
    ),
    "virtualenvwrapper": (".virtualenvs/old", virtual_environment, Maker.VIRTUALENVWRAPPER, "old"),
    "pyenv's virtualenv": (
        ".pyenv/versions/3.12.7/envs/old",
        virtual_environment,
        Maker.VENV,
        "old",
    ),
}


@pytest.mark.parametrize(("path", "make", "maker", "name"), PLACES.values(), ids=PLACES.keys())
def test_where_programs_put_them(
    home: Path,
    layout: Layout,
    path: str,
    make: Callable[[Path], object],
    maker: Maker,
    name: str,
) -> None:
    make(home / path)
    environments = found(home, layout)
    assert list(environments) == [name]
    environment = environments[name]
    assert (environment.prefix, environment.maker) == (str(home / path), maker)
    assert environment.facts.python == "3.12.7"
    assert environment.facts.languages == ("python",)
    assert environment.facts.problem is None


def test_variables_move_the_places(home: Path, layout: Layout, tmp_path: Path) -> None:
    conda_environment(tmp_path / "mamba" / "envs" / "a")
    virtual_environment(tmp_path / "tools" / "b")
    virtual_environment(tmp_path / "work" / "c")
    conda_environment(tmp_path / "more" / "d")
    environments = found(
        home,
        layout,
        environ={
            "MAMBA_ROOT_PREFIX": str(tmp_path / "mamba"),
            "UV_TOOL_DIR": str(tmp_path / "tools"),
            "WORKON_HOME": str(tmp_path / "work"),
            "CONDA_ENVS_PATH": str(tmp_path / "more"),
        },
    )
    assert list(environments) == ["a", "b", "c", "d"]


def test_environments_on_condas_list(home: Path, layout: Layout, tmp_path: Path) -> None:
    conda_environment(tmp_path / "elsewhere" / "blå bär")
    (home / ".conda").mkdir(parents=True)
    listed = f"{tmp_path / 'elsewhere' / 'blå bär'}\n{tmp_path / 'gone'}\n\n"
    (home / ".conda" / "environments.txt").write_text(listed)
    assert list(found(home, layout)) == ["blå bär"]


def test_projects_of_the_working_directory_and_of_roots(
    home: Path, layout: Layout, tmp_path: Path
) -> None:
    virtual_environment(tmp_path / "shop" / ".venv", uv="0.9.1")
    conda_environment(tmp_path / "lab" / "physics" / ".pixi" / "envs" / "default")
    conda_environment(tmp_path / "lab" / "physics" / ".pixi" / "envs" / "gpu")
    virtual_environment(tmp_path / "lab" / "node_modules" / "x" / ".venv")
    (tmp_path / "shop" / "src" / "deep").mkdir(parents=True)
    environments = found(
        home,
        layout,
        directory=str(tmp_path / "shop" / "src" / "deep"),
        roots=(str(tmp_path / "lab"),),
    )
    assert {label: each.maker for label, each in environments.items()} == {
        "shop": Maker.UV,
        "physics": Maker.PIXI,
        "physics-gpu": Maker.PIXI,
    }


def test_who_made_it_is_read_off_its_files(home: Path, layout: Layout) -> None:
    virtual_environment(home / ".venvs" / "plain")
    virtual_environment(home / ".venvs" / "old", virtualenv="20.26.1")
    virtual_environment(home / ".venvs" / "quick", uv="0.9.1")
    makers = {label: each.maker for label, each in found(home, layout).items()}
    assert makers == {"plain": Maker.VENV, "old": Maker.VIRTUALENV, "quick": Maker.UV}


def test_real_environments_are_what_they_say(home: Path, layout: Layout) -> None:
    subprocess.run(
        [sys.executable, "-m", "venv", "--without-pip", str(home / ".venvs" / "real")], check=True
    )
    environment = found(home, layout)["real"]
    assert environment.maker is Maker.VENV
    assert environment.facts.python == ".".join(map(str, sys.version_info[:3]))
    packages = environment.facts.packages_directory
    assert packages is not None
    code = "import sysconfig; print(sysconfig.get_path('purelib'))"
    told = subprocess.run(
        [f"{environment.prefix}/bin/python", "-c", code],
        capture_output=True,
        text=True,
        check=True,
    )
    assert os.path.realpath(packages) == os.path.realpath(told.stdout.strip())


def test_several_of_one_name_get_readable_ones(home: Path, layout: Layout) -> None:
    conda_environment(home / "miniconda3" / "envs" / "work")
    conda_environment(home / "miniforge3" / "envs" / "work")
    virtual_environment(home / ".virtualenvs" / "work")
    virtual_environment(home / ".venvs" / "other")
    assert {label: each.prefix for label, each in found(home, layout).items()} == {
        "other": str(home / ".venvs" / "other"),
        "work (miniconda3)": str(home / "miniconda3" / "envs" / "work"),
        "work (miniforge3)": str(home / "miniforge3" / "envs" / "work"),
        "work (virtualenvwrapper)": str(home / ".virtualenvs" / "work"),
    }


def test_kernels_of_any_language(home: Path, layout: Layout) -> None:
    prefix = conda_environment(home / ".conda" / "envs" / "stat", None, "r-base-4.4.1-h1")
    directory = kernelspec(prefix, "ir")
    kernelspec(prefix, "broken", argv="R")
    (directory.parent / "notjson").mkdir()
    (directory.parent / "notjson" / "kernel.json").write_text("{")
    facts = found(home, layout)["stat"].facts
    assert (facts.python, facts.languages, facts.problem) == (None, ("r",), None)
    told = [(kernel.name, kernel.language, kernel.argv[0]) for kernel in facts.kernels]
    assert told == [("ir", "R", "R")]


def broken_interpreter(prefix: Path) -> None:
    (prefix / "bin" / "python").unlink()
    (prefix / "bin" / "python").symlink_to(prefix / "gone" / "python3.12")


def missing_interpreter(prefix: Path) -> None:
    (prefix / "bin" / "python").unlink()


def other_machine(prefix: Path) -> None:
    (prefix / "bin" / "python").unlink()
    head = b"\x7fELF\x02\x01\x01" + bytes(9) + b"\x02\x00" + (22).to_bytes(2, "little") + bytes(99)
    (prefix / "bin" / "python").write_bytes(head)
    (prefix / "bin" / "python").chmod(0o755)


def not_executable(prefix: Path) -> None:
    (prefix / "bin" / "python").unlink()
    (prefix / "bin" / "python").write_text("")


@pytest.mark.parametrize(
    ("damage", "said"),
    [
        (broken_interpreter, "gone/python3.12, which it is made with, is gone"),
        (missing_interpreter, "its interpreter cannot run: it is missing"),
        (other_machine, "its interpreter is for s390x, and this machine is"),
        (not_executable, "is not executable"),
    ],
)
def test_why_it_cannot_run(
    home: Path, layout: Layout, damage: Callable[[Path], None], said: str
) -> None:
    damage(virtual_environment(home / ".venvs" / "ill"))
    problem = found(home, layout)["ill"].facts.problem
    assert problem is not None and said in problem


def test_an_old_python_runs_with_a_kernel_of_its_own(home: Path, layout: Layout) -> None:
    prefix = virtual_environment(home / ".venvs" / "old", "3.6.15")
    problem = found(home, layout)["old"].facts.problem
    assert problem is not None and "older than 3.8" in problem
    ipykernel(prefix, "3.6")
    facts = found(home, layout)["old"].facts
    assert (facts.problem, facts.own_ipykernel) == (None, True)


def settle(prefix: Path) -> None:
    """Let everything in a prefix be an hour old."""
    before = time.time() - 3600
    for path in (prefix, *prefix.rglob("*")):
        os.utime(path, (before, before), follow_symlinks=False)


def test_two_changes_in_one_moment_are_both_seen(
    home: Path, layout: Layout, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("kaa.environments.remembered._GRAIN", 3600 * 10**9)  # for slow machines
    prefix = virtual_environment(home / ".venvs" / "a", "3.11.9")
    at = (prefix / "pyvenv.cfg").stat()
    assert found(home, layout)["a"].facts.python == "3.11.9"
    text = (prefix / "pyvenv.cfg").read_text()
    (prefix / "pyvenv.cfg").write_text(text.replace("3.11.9", "3.11.8"))
    # A clock that stands still, as those of file systems do for a moment or two
    os.utime(prefix / "pyvenv.cfg", ns=(at.st_atime_ns, at.st_mtime_ns))
    assert found(home, layout)["a"].facts.python == "3.11.8"


def test_what_changes_is_seen_and_what_does_not_is_remembered(home: Path, layout: Layout) -> None:
    prefix = virtual_environment(home / ".venvs" / "a")
    settle(prefix)
    assert list(found(home, layout)) == ["a"]
    remembered = (layout.metadata / "environments.json").read_bytes()
    assert list(found(home, layout)) == ["a"]
    assert (layout.metadata / "environments.json").read_bytes() == remembered
    ipykernel(prefix)
    assert found(home, layout)["a"].facts.own_ipykernel
    kernelspec(prefix, "xpython", language="python")
    assert [kernel.name for kernel in found(home, layout)["a"].facts.kernels] == ["xpython"]
    (prefix / "bin" / "python").unlink()
    assert found(home, layout)["a"].facts.problem is not None
    prefix.rename(prefix.with_name("b"))
    assert list(found(home, layout)) == ["b"]


@pytest.mark.parametrize(
    "content", ["", "{", "[]", json.dumps({"format": 1, "prefixes": {"/": 3}})]
)
def test_a_damaged_memory_is_made_anew(home: Path, layout: Layout, content: str) -> None:
    virtual_environment(home / ".venvs" / "a")
    layout.metadata.mkdir(parents=True)
    (layout.metadata / "environments.json").write_text(content)
    assert list(found(home, layout)) == ["a"]


def test_links_loops_and_much_else_beside(home: Path, layout: Layout) -> None:
    folder = home / ".venvs"
    virtual_environment(folder / "a")
    (folder / "again").symlink_to(folder / "a")
    (folder / "dangling").symlink_to(folder / "nowhere")
    (folder / "loop").symlink_to(folder / "loop")
    (folder / "file").write_text("")
    for number in range(10_000):
        (folder / f"no-{number}").mkdir()
    assert list(found(home, layout)) == ["a"]


def test_a_directory_that_is_shut(home: Path, layout: Layout) -> None:
    if os.geteuid() == 0:
        pytest.skip("this user may read everything")
    prefix = virtual_environment(home / ".venvs" / "shut")
    prefix.chmod(0)
    try:
        assert found(home, layout)["shut"].facts.problem == "it cannot be read by this user"
    finally:
        prefix.chmod(0o755)


def test_pipenvs_and_virtualenvwrappers_in_one_directory(
    home: Path, layout: Layout, tmp_path: Path
) -> None:
    virtual_environment(tmp_path / "work" / "shop-aB3_dE-9")
    virtual_environment(tmp_path / "work" / "old")
    environments = found(home, layout, environ={"WORKON_HOME": str(tmp_path / "work")})
    assert {label: each.maker for label, each in environments.items()} == {
        "shop": Maker.PIPENV,
        "old": Maker.VIRTUALENVWRAPPER,
    }


def test_an_installation_in_an_unusual_place_is_known_by_condas_list(
    home: Path, layout: Layout, tmp_path: Path
) -> None:
    base = conda_environment(tmp_path / "tools" / "py")
    conda_environment(base / "envs" / "work")
    (home / ".conda").mkdir(parents=True)
    (home / ".conda" / "environments.txt").write_text(f"{base}\n{base}/envs/work\n")
    assert list(found(home, layout)) == ["base", "work"]


def test_what_is_active_is_found_wherever_it_is(home: Path, layout: Layout, tmp_path: Path) -> None:
    prefix = virtual_environment(tmp_path / "projects" / "shop" / ".venv")
    environments = found(home, layout, environ={"VIRTUAL_ENV": str(prefix)})
    assert list(environments) == ["shop"]
