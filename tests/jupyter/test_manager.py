"""The kernelspec manager with real environments, kernels and clients."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from jupyter_client.kernelspec import NoSuchKernel
from jupyter_client.manager import KernelManager
from traitlets import TraitError
from traitlets.config import Config

import kaa
from environment_layouts import MINOR, conda_environment, kernelspec, virtual_environment
from kaa.environments.machine import Place
from kaa.jupyter.manager import KaaKernelSpecManager
from kaa.kernels.overlay import overlay_prefix
from kaa.model.discovered import Maker
from kaa.store.layout import default_layout
from kernels.conftest import Running, add_ipykernel, make_generation, move_into, run_kernel, site_of

if TYPE_CHECKING:
    from collections.abc import Iterator

pytestmark = pytest.mark.skipif(os.name == "nt", reason="environments are made as on POSIX")


@pytest.fixture(autouse=True)
def home(isolated: None, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    directory = tmp_path / "home"
    move_into(directory, monkeypatch)
    monkeypatch.setenv("PYENV_ROOT", str(tmp_path / "none"))
    # A busy machine is no reason to answer with what was there before.
    monkeypatch.setattr("kaa.jupyter.manager._PATIENCE", 300)
    # The processes that are started here are to have the same kaa.
    monkeypatch.setenv("PYTHONPATH", str(Path(kaa.__file__).parent.parent))
    return directory


def manager(**options: Any) -> KaaKernelSpecManager:
    return KaaKernelSpecManager(config=Config({"KaaKernelSpecManager": options}))


def own(specs: dict[str, Any]) -> set[str]:
    """Return the names without what this machine itself has, whatever is installed on it."""
    return {name for name, each in specs.items() if is_of_home(each)}


def is_of_home(found: dict[str, Any]) -> bool:
    """Whether a kernel is a test's own: by its environment, or else by its directory."""
    path = found["spec"]["metadata"].get("conda_env_path") or found["resource_dir"]
    return Path(path).is_relative_to(Path.home().parent)


def test_all_environments_are_kernels_beside_jupyters_own(home: Path) -> None:
    conda_environment(home / "miniconda3")
    prefix = conda_environment(home / "miniconda3" / "envs" / "stat", None, "r-base-4.4.1-h1")
    directory = kernelspec(prefix, "ir")
    virtual_environment(home / ".virtualenvs" / "shop", f"{MINOR}.1")
    found = manager().get_all_specs()
    assert own(found) == {"conda-base-py", "conda-env-stat-r", "conda-env-shop-py"}
    assert "python3" in found
    spec = found["conda-env-stat-r"]
    assert spec["resource_dir"] == str(directory)
    assert spec["spec"]["display_name"] == "R [conda env:stat]"
    assert spec["spec"]["argv"][-2:] == ["R", "{connection_file}"]
    assert json.dumps(found)  # as the REST API sends it


def test_the_systems_own_kernel_is_listed_once(
    home: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    system = home / "system"
    (system / "bin").mkdir(parents=True)
    (system / "bin" / "python").symlink_to(sys.executable)
    directory = kernelspec(system, "ir", language="R")
    places = (lambda _: [Place(str(system), Maker.SYSTEM)],)  # as /usr is one
    monkeypatch.setattr("kaa.environments.finders.FINDERS", places)
    monkeypatch.setenv("JUPYTER_PATH", str(system / "share" / "jupyter"))
    kernels = manager()
    found = kernels.get_all_specs()
    assert [n for n, each in found.items() if each["resource_dir"] == str(directory)] == ["ir"]
    assert found["ir"]["spec"]["language"] == "R"
    assert kernels.get_kernel_spec("conda-env-system-r").language == "R", "its id leads to it"
    directory.joinpath("kernel.json").write_text('{"argv": [')
    assert "ir" not in manager().get_all_specs()
    said = [each for each in caplog.records if "cannot be read" in each.message]
    assert str(directory) in said[0].message and said[0].exc_info is None


def test_get_all_specs_says_what_get_kernel_spec_says(home: Path) -> None:
    virtual_environment(home / ".virtualenvs" / "shop", f"{MINOR}.1")
    made = manager()
    everything = made.get_all_specs()
    assert set(made.find_kernel_specs()) == set(everything)
    for name in own(everything):
        assert made.get_kernel_spec(name).to_dict() == everything[name]["spec"]


def test_new_and_removed_environments_are_seen_at_once(home: Path) -> None:
    made = manager()
    assert own(made.get_all_specs()) == set()
    prefix = virtual_environment(home / ".virtualenvs" / "shop")
    assert own(made.get_all_specs()) == {"conda-env-shop-py"}
    prefix.rename(prefix.with_name("store"))
    assert own(made.get_all_specs()) == {"conda-env-store-py"}
    with pytest.raises(NoSuchKernel):
        made.get_kernel_spec("conda-env-shop-py")


def test_nb_conda_kernels_options_count_under_both_names(home: Path) -> None:
    for name in ("shop", "store"):
        virtual_environment(home / ".virtualenvs" / name)
    options = {"conda_only": True, "env_filter": "(usr|local|shop)$", "name_format": "{1}!"}
    theirs = KaaKernelSpecManager(config=Config({"CondaKernelSpecManager": options}))
    for made in (manager(**options), theirs):
        found = made.get_all_specs()
        assert set(found) == {"conda-env-store-py"}
        assert found["conda-env-store-py"]["spec"]["display_name"] == "store!"
        with pytest.raises(NoSuchKernel):
            made.get_kernel_spec("python3")
    ours_first = KaaKernelSpecManager(
        config=Config(
            {"CondaKernelSpecManager": options, "KaaKernelSpecManager": {"name_format": "{1}?"}}
        )
    )
    assert ours_first.name_format == "{1}?"


def test_options_that_make_no_sense(home: Path) -> None:
    with pytest.raises(TraitError, match="neither an option nor a directory"):
        manager(kernelspec_path=str(home / "nowhere"))


@pytest.mark.parametrize("option", [{"env_filter": "("}, {"name_format": "{nope} {0}"}])
def test_an_option_that_makes_no_sense_is_said_and_all_is_still_listed(
    home: Path, option: dict[str, str], caplog: pytest.LogCaptureFixture
) -> None:
    virtual_environment(home / ".virtualenvs" / "shop")
    kernels = manager(**option)
    for _ in range(2):
        assert {"python3", "conda-env-shop-py"} <= kernels.get_all_specs().keys()
    said = [each for each in caplog.records if "makes no sense" in each.message]
    assert len(said) == 1 and next(iter(option)) in said[0].message and said[0].exc_info is None


def test_an_environment_without_anything_has_no_logos_of_the_working_directory(home: Path) -> None:
    (home / ".conda" / "envs" / "tools" / "conda-meta").mkdir(parents=True)
    for each in manager().get_all_specs().values():
        assert Path(each["resource_dir"]).is_absolute()


def test_the_command_line_agrees(home: Path) -> None:
    virtual_environment(home / ".virtualenvs" / "shop")
    command = [sys.executable, "-m", "kaa.jupyter", "list", "--json"]
    listed = subprocess.run(command, capture_output=True, text=True, check=True)
    assert json.loads(listed.stdout)["kernelspecs"].keys() == manager().get_all_specs().keys()


def started(name: str) -> Iterator[Running]:
    kernels = KernelManager(kernel_name=name, kernel_spec_manager=manager())
    with run_kernel(kernels) as kernel:
        yield kernel


def lend_ipykernel() -> None:
    add_ipykernel(site_of(make_generation(overlay_prefix(default_layout(), MINOR))))


def test_a_virtual_environment_without_ipykernel_runs(home: Path) -> None:
    lend_ipykernel()
    prefix = home / ".virtualenvs" / "shop"
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", str(prefix)], check=True)
    for running in started("conda-env-shop-py"):
        printed = running.run("import os, sys; print(sys.prefix, os.environ['VIRTUAL_ENV'])")
        assert printed == f"{prefix} {prefix}"
        assert running.interrupted() == "KeyboardInterrupt"


def test_a_kernel_of_another_language_runs_activated(home: Path) -> None:
    lend_ipykernel()
    prefix = conda_environment(home / ".conda" / "envs" / "stat", None)
    (prefix / "bin").mkdir()
    program = prefix / "bin" / "Rish"
    generation = overlay_prefix(default_layout(), MINOR)
    program.write_text(f'#!/bin/sh\nexec {generation}/bin/python -m ipykernel_launcher -f "$1"\n')
    program.chmod(0o755)
    scripts = prefix / "etc" / "conda" / "activate.d"
    scripts.mkdir(parents=True)
    (scripts / "r.sh").write_text('export R_HOME="$CONDA_PREFIX/lib/R"\n')
    kernelspec(prefix, "rish", argv=["Rish", "{connection_file}"], language="Rish")
    for running in started("conda-env-stat-rish"):
        printed = running.run("import os; print(os.environ['R_HOME'], os.environ['CONDA_PREFIX'])")
        assert printed == f"{prefix}/lib/R {prefix}"


@pytest.mark.parametrize("at_start", [False, True], ids=["known before", "found at the start"])
def test_a_kernel_that_cannot_start_says_why_in_the_notebook(
    home: Path, at_start: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("KAA_OFFLINE", "1")  # so that the overlay cannot be built
    prefix = virtual_environment(home / ".virtualenvs" / "ill", f"{MINOR}.1")
    if not at_start:
        (prefix / "bin" / "python").unlink()
        (prefix / "bin" / "python").symlink_to("/gone/python3")
    for running in started("conda-env-ill-py"):
        reply = running.client.execute_interactive("1 + 1", timeout=300, output_hook=lambda _: None)
        content = reply["content"]
        assert content["status"] == "error" and content["ename"] == "KernelCannotStart"
        text = "\n".join(content["traceback"])
        assert str(prefix) in text
        if at_start:  # nobody has built the overlay
            assert "no ipykernel" in text and "pip install ipykernel" in text
        else:
            assert "/gone/python3, which it is made with, is gone" in text
            assert "uv venv --allow-existing" in text
