"""What is typed in a notebook, in kaa's words: without a kernel, and without running anything."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path
from typing import TYPE_CHECKING

import click
import pytest

from environment_layouts import MINOR, conda_environment, virtual_environment
from kaa.cli.app import app
from kaa.environments.prefix import write_manifest
from kaa.jupyter import typed
from kaa.jupyter.typed_place import read_place, real_program, search_path
from kaa.kernels.installed_launcher import install_launcher
from kaa.model.environment import Manifest, now
from kaa.model.errors import KaaError, RequestError
from kaa.store.layout import Layout
from kernels.conftest import make_generation, site_of
from prefix_records import write_record

if TYPE_CHECKING:
    from kaa.jupyter.typed_place import Place

pytestmark = pytest.mark.skipif(os.name == "nt", reason="environments are made as on POSIX")
NOTHING = {"PATH": "/nowhere"}


@pytest.fixture
def place(tmp_path: Path) -> Place:
    """One of kaa's: numpy is from a channel, rich from an index, six was installed by pip."""
    prefix = tmp_path / "envs" / "my demo"
    generation = make_generation(prefix)
    write_manifest(generation, Manifest("my demo", (), ("conda-forge",), "kaa create", now()))
    write_record(generation, "numpy", "2.1", channel="https://example.org/conda-forge")
    write_record(generation, "rich", "14.0", channel="pypi")
    (site_of(generation) / "six-1.17.dist-info").mkdir()
    found = read_place(str(prefix))
    assert found.ours
    return found


def said(place: Place, line: str, **environ: str) -> list[str]:
    """Return the commands for a line, with the environment's own path left out."""
    program, *words = line.split()
    steps = typed.understood(program, words, place, {**NOTHING, **environ})
    ends = f"-p '{place.prefix}' -y "
    texts = [f"{step.text} ".replace(ends, "") for step in steps]
    return [text.replace(place.prefix, "PREFIX").strip() for text in texts]


@pytest.mark.parametrize(
    ("line", "commands"),
    [
        ("pip install polars", ["kaa install pypi::polars"]),
        ("pip install rich", ["kaa install pypi::rich"]),
        # pip is content with what a channel brought; so it stays from there.
        ("pip install numpy", ["kaa install numpy"]),
        ("pip install Rich[jupyter]>=13,<15 -q", ["kaa install -q 'pypi::Rich[jupyter]<15,>=13'"]),
        ("pip install -U rich polars", ["kaa install pypi::polars", "kaa update rich"]),
        ("pip install --pre polars", ["kaa install 'pypi::polars>=0.dev0'"]),
        ("pip --no-input install --user polars --no-cache-dir", ["kaa install pypi::polars"]),
        ("pip install polars --progress-bar off", ["kaa install pypi::polars"]),
        ("pip install -e . polars", ["kaa install -e . pypi::polars"]),
        ("pip install ./one.whl", ["kaa install ./one.whl"]),
        (
            "pip install git+https://example.org/a.git",
            ["kaa install git+https://example.org/a.git"],
        ),
        (
            "pip install -i https://example.org/s --find-links /w --no-deps a",
            ["kaa install --index https://example.org/s --find-links /w --no-deps pypi::a"],
        ),
        ("pip install --only-binary :all: a", ["kaa install --no-build pypi::a"]),
        ("pip install --dry-run a", ["kaa install --dry-run pypi::a"]),
        ("pip uninstall -y rich", ["kaa remove rich"]),
        ("uv pip install polars", ["kaa install pypi::polars"]),
        ("uv pip uninstall rich", ["kaa remove rich"]),
        ("uv add polars", ["kaa install pypi::polars"]),
        ("uv remove rich", ["kaa remove rich"]),
        ("conda install -c conda-forge polars=1 -y", ["kaa install -c conda-forge polars=1"]),
        (
            "mamba install polars --override-channels -c x",
            ["kaa install --override-channels -c x polars"],
        ),
        ("conda update --all", ["kaa update --all"]),
        ("micromamba remove numpy", ["kaa remove numpy"]),
        ("conda install polars --solver libmamba -d", ["kaa install --dry-run polars"]),
        ("conda list", ["kaa list -p 'PREFIX'"]),
        ("conda env list", ["kaa env list"]),
        ("conda search polars", ["kaa search polars"]),
        ("kaa", ["kaa --help"]),
        ("kaa install -h", ["kaa install -h"]),
        ("kaa install polars", ["kaa install polars"]),
        ("kaa install -n other polars", ["kaa install -n other polars"]),
        ("kaa undo", ["kaa undo"]),
        ("kaa why rich", ["kaa why -p 'PREFIX' rich"]),
        ("kaa repoquery whoneeds rich", ["kaa repoquery whoneeds -p 'PREFIX' rich"]),
        ("kaa search polars", ["kaa search polars"]),
        ("kaa env list", ["kaa env list"]),
    ],
)
def test_in_an_environment_of_kaas(place: Place, line: str, commands: list[str]) -> None:
    assert said(place, line) == commands


def test_markers_are_this_environments(place: Place) -> None:
    words = ["install", "polars; python_version >= '3'", "enum34; python_version < '3'"]
    (step,) = typed.understood("pip", words, place, NOTHING)
    assert step.argv[-1] == "pypi::polars"


def test_a_requirements_file_is_read(place: Place, tmp_path: Path) -> None:
    more = tmp_path / "more.txt"
    more.write_text("attrs>=22  # why\n--index-url https://example.org/simple\n")
    file = tmp_path / "requirements.txt"
    file.write_text(f"-r {more.name}\npolars\n-e ./own\n")
    (step,) = typed.understood("pip", ["install", "-r", str(file)], place, NOTHING)
    assert step.text.endswith(
        "--index https://example.org/simple -e ./own 'pypi::attrs>=22' pypi::polars"
    )
    with pytest.raises(RequestError, match="cannot be read"):
        typed.understood("pip", ["install", "-r", "nowhere.txt"], place, NOTHING)


@pytest.mark.parametrize(
    "line",
    ["pip install --force-reinstall a", "pip install a --target /x", "pip list", "pip freeze"],
)
def test_what_has_no_word_is_left_to_pip_or_else_uv(place: Place, line: str) -> None:
    words = line.split()[1:]
    (step,) = typed.understood("pip", words, place, NOTHING)
    program, pip, *rest = step.argv
    assert Path(program).stem == "uv"
    assert pip == "pip"
    assert [word for word in rest if word in words] == words
    assert ("--target" in words) or rest[-2:] == ["--python", place.python]
    assert step.told == ("install" in words)

    assert place.site is not None
    own = Path(place.site) / "pip"
    own.mkdir()
    (own / "__main__.py").write_text("")
    (step,) = typed.understood("pip", words, read_place(place.prefix), NOTHING)
    assert step.argv == (place.python, "-m", "pip", *words)


def test_what_pip_installed_pip_removes(place: Place) -> None:
    steps = typed.understood("pip", ["uninstall", "six", "rich"], place, NOTHING)
    assert [step.own for step in steps] == [True, False]
    assert steps[0].argv[-1] == "rich"
    assert "six" in steps[1].argv


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ("pip install", "nothing was named"),
        ("pip install ??", "no requirement"),
        ("pip uninstall", "nothing was named"),
        ("pip download six", "has no pip"),
        ("pip", "has no pip of its own"),
        ("pip --help", "has no pip of its own"),
        ("conda install --force-reinstall a", "no word for all"),
        ("conda create -n x", "there is no conda here"),
        ("conda install -n other a", "there is no conda here"),
        ("conda remove --all", "would remove the environment"),
        ("kaa remove --all", "would remove the environment"),
    ],
)
def test_what_makes_no_sense_is_said(place: Place, line: str, message: str) -> None:
    with pytest.raises(KaaError, match=message) as caught:
        said(place, line)
    assert caught.value.hint


def test_an_environment_of_its_own_name_is_this_one(place: Place) -> None:
    words = ["install", "-n", "my demo", "a"]
    (step,) = typed.understood("conda", words, place, NOTHING)
    assert step.argv == ("install", "-p", place.prefix, "-y", "a")


def test_other_programs_environments_are_changed_by_their_own(tmp_path: Path) -> None:
    prefix = virtual_environment(tmp_path / "venv", f"{MINOR}.0")
    venv = read_place(str(prefix))
    assert not venv.ours
    for program, words in (("kaa", ["install", "a"]), ("pip", ["install", "a"])):
        (step,) = typed.understood(program, words, venv, NOTHING)
        assert step.argv[1:] == ("pip", "install", "a", "--python", venv.python)
    (step,) = typed.understood("kaa", ["update", "a"], venv, NOTHING)
    assert step.argv[2:5] == ("install", "-U", "a")
    for words in (["install"], ["update"], ["remove", "-y"]):
        with pytest.raises(RequestError, match="nothing was named"):
            typed.understood("kaa", words, venv, NOTHING)
    assert venv.site is not None
    installed = Path(venv.site) / "b-1.0.dist-info"
    installed.mkdir(parents=True)
    (installed / "METADATA").write_text("Metadata-Version: 2.1\nName: b\nVersion: 1.0\n")
    (step,) = typed.understood("kaa", ["update", "--all"], venv, NOTHING)
    assert step.argv[2:5] == ("install", "-U", "b")
    (step,) = typed.understood("pip", ["--version"], venv, NOTHING)
    assert subprocess.run(step.argv, capture_output=True, check=True).stdout.startswith(b"uv ")
    (step,) = typed.understood("kaa", ["list"], venv, NOTHING)
    assert step.argv[1:] == ("pip", "list", "-q", "--python", venv.python)
    with pytest.raises(RequestError, match="no environment of conda's"):
        typed.understood("conda", ["install", "a"], venv, NOTHING)


def test_condas_environments_are_changed_by_conda(tmp_path: Path) -> None:
    conda = read_place(str(conda_environment(tmp_path / "base" / "envs" / "x")))
    with pytest.raises(RequestError, match="no conda, mamba or micromamba") as caught:
        typed.understood("kaa", ["install", "a"], conda, NOTHING)
    assert caught.value.hint is not None
    assert "kaa adopt -p" in caught.value.hint
    blank = read_place(str(conda_environment(tmp_path / "base" / "envs" / "my work")))
    with pytest.raises(RequestError) as caught:
        typed.understood("kaa", ["install", "a"], blank, NOTHING)
    assert f"kaa adopt -p '{blank.prefix}'" in str(caught.value.hint)
    program = tmp_path / "bin" / "conda"
    program.parent.mkdir()
    program.write_text("#!/bin/sh\n")
    program.chmod(0o755)
    environ = {"PATH": str(program.parent)}
    for name in ("kaa", "conda", "mamba"):
        (step,) = typed.understood(name, ["install", "a"], conda, environ)
        assert step.argv == (str(program), "install", "-p", conda.prefix, "-y", "a")
        assert not step.own
    (Path(conda.prefix) / "conda-meta" / "pixi").write_text("{}")
    with pytest.raises(RequestError, match="pixi's") as caught:
        typed.understood("kaa", ["install", "a"], conda, environ)
    assert "pixi add" in str(caught.value.hint)


def test_an_environment_that_is_gone_is_said(tmp_path: Path) -> None:
    with pytest.raises(RequestError, match="is gone"):
        read_place(str(tmp_path / "nowhere"))


def test_the_shims_are_never_taken_for_the_programs(tmp_path: Path) -> None:
    layout = Layout(tmp_path / "root")
    install_launcher(layout)
    real = tmp_path / "bin"
    real.mkdir()
    (real / "pip").write_text("#!/bin/sh\n")
    (real / "pip").chmod(0o755)
    environ = {"PATH": f"{layout.shims}{os.pathsep}{real}"}
    assert search_path(environ) == str(real)
    assert real_program(["pip"], environ) == str(real / "pip")
    assert real_program(["uv"], environ) is None


def test_the_tables_of_commands_are_those_of_the_command_line() -> None:
    context = click.Context(app)
    about_one, changing = set(), set()
    for name in app.list_commands(context):
        command = app.get_command(context, name)
        assert command is not None
        options = {option for each in command.params for option in each.opts}
        if "--prefix" in options:
            about_one.add(name)
            if "-y" in options:
                changing.add(name)
    assert set(typed.ABOUT_ONE) <= about_one
    assert set(typed.CHANGING) == set(typed.ABOUT_ONE) & changing
    # All others take the active environment, which is the kernel's own, or are about more than one.
