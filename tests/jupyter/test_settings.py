"""The manager, the command line and the disk say the same, whoever sets what."""

from __future__ import annotations

import json
import logging
import os
import sys
import threading
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from jupyter_client.kernelspec import KernelSpecManager, NoSuchKernel
from traitlets import TraitError
from traitlets.config import Config

import kaa
from environment_layouts import MINOR, conda_environment, kernelspec, virtual_environment
from kaa.jupyter.manager import KaaKernelSpecManager
from kaa.kernels.specs import write_kernelspec
from kaa.store.layout import default_layout
from kaa.workflows.kernels import list_kernels, sync_kernels
from kernels.conftest import make_generation, move_into

from .test_manager import is_of_home
from .test_server import serving

if TYPE_CHECKING:
    from collections.abc import Iterator

pytestmark = pytest.mark.skipif(os.name == "nt", reason="environments are made as on POSIX")


@pytest.fixture(autouse=True)
def home(isolated: None, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    directory = tmp_path / "home"
    move_into(directory, monkeypatch)
    monkeypatch.setenv("PYENV_ROOT", str(tmp_path / "none"))
    # A busy machine is no reason to answer with what was there before.
    monkeypatch.setattr("kaa.jupyter.manager._PATIENCE", 300)
    monkeypatch.setenv("PYTHONPATH", str(Path(kaa.__file__).parent.parent))
    yield directory
    settle()


def settle() -> None:
    """Wait for what managers write in threads of their own."""
    for thread in threading.enumerate():
        if thread.name == "kaa kernelspecs":
            thread.join(300)


def manager(**options: Any) -> KaaKernelSpecManager:
    return KaaKernelSpecManager(config=Config({"KaaKernelSpecManager": options}))


def settings(home: Path, text: str) -> None:
    file = home / ".config" / "kaa" / "config.toml"
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(text)


def shown(made: KaaKernelSpecManager) -> dict[str, str]:
    """Return the names that are shown, by kernel, without what this machine itself has."""
    found = made.get_all_specs()
    assert {name: each["resource_dir"] for name, each in found.items()} == made.find_kernel_specs()
    for name, each in found.items():
        assert made.get_kernel_spec(name).to_dict() == each["spec"]
    return {name: each["spec"]["display_name"] for name, each in found.items() if is_of_home(each)}


def own(name: str) -> Path:
    """Make an environment of kaa's, with its kernelspec on the disk."""
    prefix = default_layout().environments / name
    generation = make_generation(prefix)
    (generation / "conda-meta" / "kaa").mkdir(parents=True)
    assert write_kernelspec(name, prefix, generation, default_layout()) is not None
    return prefix


def on_disk(kernels: Path) -> dict[str, str]:
    return {
        file.parent.name: json.loads(file.read_text())["display_name"]
        for file in sorted(kernels.glob("*/kernel.json"))
    }


def test_a_change_of_the_file_is_seen_without_a_restart(home: Path) -> None:
    for name in ("shop", "store"):
        virtual_environment(home / ".virtualenvs" / name)
    own("demo")
    made = manager()
    first = f"Python {MINOR} (demo)"
    assert shown(made)["demo"] == first
    settings(home, '[kernels]\nalias = {demo = "D", shop = "S"}\nhidden = ["store"]\n')
    assert shown(made) == {"demo": "D", "conda-env-shop-py": "S"}
    settle()
    assert on_disk(home / "jupyter" / "kernels") == {"demo": "D"}
    listed = list_kernels(default_layout()).offers
    assert {"D", "S"} <= {offer.display_name for offer in listed}
    settings(home, '[kernels]\npinned = ["~/.virtualenvs/store"]\n')
    assert shown(made)["demo"] == first
    assert next(iter(shown(made))) == "conda-env-store-py"
    metadata = made.get_all_specs()["conda-env-store-py"]["spec"]["metadata"]
    assert metadata["kaa"]["pinned"] is True


def test_what_jupyters_configuration_says_wins_and_stays_off_the_disk(home: Path) -> None:
    virtual_environment(home / ".virtualenvs" / "shop")
    own("demo")
    settings(home, '[kernels]\nalias = {demo = "D", shop = "S"}\nbase-name = "root"\n')
    conda_environment(home / "miniforge3")
    made = manager(aliases={"demo": "Other"}, base_name="base")
    assert shown(made) == {
        "demo": "Other",
        "conda-env-shop-py": "Python [conda env:shop]",
        "conda-base-py": "Python [conda env:base]",
    }
    assert "demo" not in shown(manager(hidden=["demo"]))
    settle()
    assert on_disk(home / "jupyter" / "kernels") == {"demo": "D"}


def test_a_hidden_kernel_still_starts_under_its_id(home: Path) -> None:
    virtual_environment(home / ".virtualenvs" / "shop")
    made = manager(hidden=["shop"])
    assert shown(made) == {}
    assert made.get_kernel_spec("conda-env-shop-py").metadata["conda_env_name"] == "shop"
    with pytest.raises(NoSuchKernel):
        manager(env_filter="shop", match_unknown=False).get_kernel_spec("conda-env-shop-py")


def test_a_file_that_makes_no_sense_is_told_once_and_the_last_one_counts(
    home: Path, caplog: pytest.LogCaptureFixture
) -> None:
    virtual_environment(home / ".virtualenvs" / "shop")
    settings(home, '[kernels.alias]\nshop = "S"\n')
    made = manager()
    made.log.propagate = True
    assert shown(made) == {"conda-env-shop-py": "S"}
    settings(home, "[kernels\n")
    with caplog.at_level(logging.WARNING):
        assert shown(made) == {"conda-env-shop-py": "S"}
        made.get_all_specs()
    assert caplog.text.count("settings are those of before") == 1


def test_icons(home: Path) -> None:
    virtual_environment(home / ".virtualenvs" / "shop")
    picture = home / "bear.png"
    picture.write_bytes(b"1")
    settings(home, '[kernels.icons]\nshop = "~/bear.png"\n')
    made = manager()
    resources = Path(made.get_all_specs()["conda-env-shop-py"]["resource_dir"])
    assert (resources / "logo-64x64.png").read_bytes() == b"1"
    picture.write_bytes(b"22")
    resources = Path(made.find_kernel_specs()["conda-env-shop-py"])
    assert (resources / "logo-64x64.png").read_bytes() == b"22"
    (home / "logos").mkdir()
    made = manager(icons={"shop": str(home / "logos")})
    assert made.find_kernel_specs()["conda-env-shop-py"] == str(home / "logos")


def test_an_environment_is_listed_once_whatever_is_on_the_disk(home: Path) -> None:
    prefix = conda_environment(home / "miniforge3" / "envs" / "Stat")
    kernelspec(prefix, "ir")
    own("demo")
    assert sync_kernels(default_layout()).failed == ()
    made = shown(manager())
    assert sorted(made) == ["conda-env-stat-py", "conda-env-stat-r", "demo"]
    assert manager().get_kernel_spec("conda-env-Stat-r").display_name == "R [conda env:Stat]"


@pytest.mark.parametrize("value", ["--user", "prefix", "", "--sys-prefix"])
def test_kernelspec_path(home: Path, value: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """nb_conda_kernels' README: where kernelspecs are written for programs without a manager."""
    places = {
        "--user": home / "jupyter" / "kernels",
        "prefix": home / "p" / "share" / "jupyter" / "kernels",
        "": home / "all" / "kernels",
        "--sys-prefix": home / "sys" / "share" / "jupyter" / "kernels",
    }
    (home / "p").mkdir()
    monkeypatch.setattr("kaa.jupyter.manager.SYSTEM_JUPYTER_PATH", [str(home / "all")])
    prefix = conda_environment(home / "miniforge3" / "envs" / "stat")
    kernelspec(prefix, "ir")
    own("demo")
    with monkeypatch.context() as patch:
        if value == "--sys-prefix":
            patch.setattr(sys, "prefix", str(home / "sys"))
        made = manager(
            kernelspec_path=str(home / "p") if value == "prefix" else value,
            env_filter="^/usr",
        )
        assert made.conda_only
        looking = made._looking
        assert looking is not None, "it begins at once, whoever asks"
        looking.join(300)
        settle()
        theirs = {
            "conda-env-stat-py": "Python [conda env:stat]",
            "conda-env-stat-r": "R [conda env:stat]",
        }
        demo = {"demo": f"Python {MINOR} (demo)"}
        kernels = places[value]
        assert on_disk(kernels) == theirs | (demo if value == "--user" else {})
        assert shown(made) == theirs | demo
        with pytest.raises(NoSuchKernel):
            made.get_kernel_spec("python3")
        spec = KernelSpecManager(kernel_dirs=[str(kernels)]).get_kernel_spec("conda-env-stat-r")
        assert spec.argv[-2:] == ["R", "{connection_file}"]
        somebodys = kernels / "conda-env-other-py"
        somebodys.mkdir()
        (somebodys / "kernel.json").write_text('{"argv": ["x"], "display_name": "mine"}')
        prefix.rename(prefix.with_name("tics"))
        made.get_all_specs()
        settle()
        assert sorted(on_disk(kernels)) == sorted(
            [
                *("conda-env-other-py", "conda-env-tics-py", "conda-env-tics-r"),
                *(demo if value == "--user" else ()),
            ]
        )


def test_kernelspec_path_takes_over_from_nb_conda_kernels(home: Path) -> None:
    prefix = conda_environment(home / "miniforge3" / "envs" / "stat")
    folder = home / "jupyter" / "kernels" / "conda-env-stat-py"
    folder.mkdir(parents=True)
    argv = ["python", "-m", "nb_conda_kernels.runner", str(prefix.parent.parent), str(prefix)]
    (folder / "kernel.json").write_text(json.dumps({"argv": argv, "display_name": "old"}))
    options = {"CondaKernelSpecManager": {"kernelspec_path": "--user"}}
    made = KaaKernelSpecManager(config=Config(options))
    made.get_all_specs()
    settle()
    assert on_disk(folder.parent)["conda-env-stat-py"] == "Python [conda env:stat]"


def test_where_nothing_can_be_written_is_said_once(
    home: Path, caplog: pytest.LogCaptureFixture
) -> None:
    for name in ("shop", "store"):
        virtual_environment(home / ".virtualenvs" / name)
    (home / "p").mkdir()
    (home / "p" / "share").write_text("")  # not even root can make a directory in here
    made = manager()
    made.log.propagate = True
    with caplog.at_level(logging.WARNING):
        made = manager(kernelspec_path=str(home / "p"))
        assert set(shown(made)) == {"conda-env-shop-py", "conda-env-store-py"}
        settle()
        virtual_environment(home / ".virtualenvs" / "more")
        assert len(shown(made)) == 3
        settle()
    assert caplog.text.count("could not be written") == 1
    with pytest.raises(TraitError, match="neither an option nor a directory"):
        manager(kernelspec_path=str(home / "nowhere"))


def test_two_managers_are_configured(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """nb_conda_kernels, when it is installed, writes itself into ``jupyter_config.json``."""
    virtual_environment(home / ".virtualenvs" / "shop", f"{MINOR}.1")
    folder = home / "etc"
    folder.mkdir()
    theirs = "nb_conda_kernels.CondaKernelSpecManager"
    content = {
        "JupyterApp": {"kernel_spec_manager_class": theirs},
        "CondaKernelSpecManager": {"name_format": "{1}!"},
    }
    (folder / "jupyter_config.json").write_text(json.dumps(content))
    # As it is installed: the server imports what its configuration names before it asks anybody.
    (home / "nb_conda_kernels.py").write_text(
        "from jupyter_client.kernelspec import KernelSpecManager\n"
        "class CondaKernelSpecManager(KernelSpecManager): pass\n"
    )
    python_path = os.pathsep.join([os.environ["PYTHONPATH"], str(home)])
    monkeypatch.setenv("PYTHONPATH", python_path)
    ours = os.environ.get("JUPYTER_CONFIG_PATH", "")
    shipped = str(Path(__file__).parents[2] / "jupyter-config")
    monkeypatch.setenv(
        "JUPYTER_CONFIG_PATH", os.pathsep.join(filter(None, [ours, shipped, str(folder)]))
    )
    with serving(home) as server:
        found = server.ask("kernelspecs")["kernelspecs"]
        assert found["conda-env-shop-py"]["spec"]["display_name"] == "shop!"
        assert f"in place of {theirs}" in server.log.read_text()
    content["JupyterApp"] = {
        "kernel_spec_manager_class": "jupyter_client.kernelspec.KernelSpecManager"
    }
    (folder / "jupyter_config.json").write_text(json.dumps(content))
    for file in Path(os.environ["JUPYTER_RUNTIME_DIR"]).glob("jpserver-*.json"):
        file.unlink()
    with serving(home) as server:
        names = list(server.ask("kernelspecs")["kernelspecs"])
        assert "python3" in names and "conda-env-shop-py" not in names
        assert "kaa lists no kernels" in server.log.read_text()
