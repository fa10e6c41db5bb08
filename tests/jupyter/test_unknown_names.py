"""Kernel names of other machines: what the manager and a real server make of them."""

from __future__ import annotations

import json
import logging
import os
import urllib.error
from pathlib import Path
from typing import Any

import pytest
from jupyter_client.kernelspec import NoSuchKernel

import kaa
from environment_layouts import MINOR, conda_environment, virtual_environment
from jupyter.test_manager import manager
from jupyter.test_server import CONFIGURATION, Server, serving
from kaa.kernels.overlay import overlay_prefix
from kaa.kernels.specs import write_kernelspec
from kaa.store.layout import default_layout
from kernels.conftest import add_ipykernel, make_generation, move_into, site_of

pytestmark = pytest.mark.skipif(os.name == "nt", reason="environments are made as on POSIX")


@pytest.fixture(autouse=True)
def home(isolated: None, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    directory = tmp_path / "home"
    move_into(directory, monkeypatch)
    monkeypatch.setenv("PYENV_ROOT", str(tmp_path / "none"))
    # A busy machine is no reason to answer with what was there before.
    monkeypatch.setattr("kaa.jupyter.manager._PATIENCE", 300)
    monkeypatch.setenv("PYTHONPATH", str(Path(kaa.__file__).parent.parent))
    monkeypatch.setenv("JUPYTER_CONFIG_PATH", str(CONFIGURATION))
    return directory


def write_notebook(file: Path, name: str, *sources: str, **metadata: Any) -> bytes:
    """Write a notebook that wants a kernel; return what is in the file then."""
    spec = {"name": name, "display_name": name, "language": "python"}
    cell: dict[str, Any] = {"cell_type": "code", "id": "a", "metadata": {}, "outputs": []}
    content = {
        "cells": [{**cell, "execution_count": None, "source": source} for source in sources],
        "metadata": {"kernelspec": spec, "language_info": {"name": "python"}, **metadata},
        "nbformat": 4,
        "nbformat_minor": 5,
    }
    file.write_text(json.dumps(content))
    return file.read_bytes()


def test_the_manager_answers_with_the_nearest(home: Path, caplog: pytest.LogCaptureFixture) -> None:
    virtual_environment(home / ".virtualenvs" / "shop", f"{MINOR}.1")
    made = manager()
    with caplog.at_level(logging.WARNING):
        spec = made.get_kernel_spec("conda-env-Shop-python3")
    assert spec.display_name == "Python [conda env:shop], for conda-env-Shop-python3"
    assert spec.metadata["conda_env_path"] == str(home / ".virtualenvs" / "shop")
    assert spec.metadata["kaa"]["wanted"] == "conda-env-Shop-python3"
    assert spec.metadata["kaa"]["because"] == "spelling"
    assert "no kernel conda-env-Shop-python3; conda-env-shop-py is taken" in caplog.text
    # What is there is never anything else, and what is not there has no name in listings.
    assert "wanted" not in made.get_kernel_spec("conda-env-shop-py").metadata["kaa"]
    assert "conda-env-Shop-python3" not in made.get_all_specs()
    for other in ("conda-env-gone-py", "gone", "conda-env-shop-r"):
        with pytest.raises(NoSuchKernel):
            made.get_kernel_spec(other)
    with pytest.raises(NoSuchKernel):
        manager(match_unknown=False).get_kernel_spec("shop")
    assert manager(conda_only=True).get_kernel_spec("shop").metadata["kaa"]["because"] == "name"


def kernel_of(server: Server, path: str) -> dict[str, Any]:
    """Return what the browser is told of a notebook's kernel."""
    model = server.ask(f"contents/{path}")
    return dict(model["content"]["metadata"]["kernelspec"])


def opened(server: Server, path: str) -> Any:
    return server.ask(f"kaa/opened?path={path}")


SYNCHRONOUS = "jupyter_server.services.contents.largefilemanager.LargeFileManager"


@pytest.mark.parametrize("options", [[], [f"--ServerApp.contents_manager_class={SYNCHRONOUS}"]])
def test_a_notebook_is_opened_with_the_nearest_kernel(home: Path, options: list[str]) -> None:
    virtual_environment(home / ".virtualenvs" / "shop", f"{MINOR}.1")
    data = conda_environment(home / "miniconda3" / "envs" / "data", f"{MINOR}.1")
    (site_of(data) / "polars-1.9.0.dist-info").mkdir()
    ours = default_layout().environments / "ours"
    write_kernelspec("ours", ours, make_generation(ours), default_layout())
    needs = '# /// script\n# dependencies = ["polars>=1"]\n# ///'
    (home / "binder").mkdir()
    (home / "binder" / "requirements.txt").write_text("polars\n")
    written = {
        "same.ipynb": write_notebook(home / "same.ipynb", "shop", "1"),
        "need.ipynb": write_notebook(home / "need.ipynb", "conda-env-gone-py", needs),
        "binder/file.ipynb": write_notebook(home / "binder" / "file.ipynb", "gone", "1"),
        "none.ipynb": write_notebook(home / "none.ipynb", "conda-env-gone-py", "1"),
        "here.ipynb": write_notebook(home / "here.ipynb", "python3", "1"),
        "ours.ipynb": write_notebook(home / "ours.ipynb", "conda-env-ours-py", "1"),
    }
    with serving(home, f"--ServerApp.root_dir={home}", *options) as server:
        assert kernel_of(server, "same.ipynb") == {
            "name": "conda-env-shop-py",
            "display_name": "Python [conda env:shop]",
            "language": "python",
        }
        note = opened(server, "same.ipynb")
        assert note["wanted"] == "shop" and note["name"] == "conda-env-shop-py"
        assert "same name" in note["reason"]
        assert kernel_of(server, "need.ipynb")["name"] == "conda-env-data-py"
        assert "all that the notebook needs" in opened(server, "need.ipynb")["reason"]
        assert kernel_of(server, "binder/file.ipynb")["name"] == "conda-env-data-py"
        for path, name in (("none.ipynb", "conda-env-gone-py"), ("here.ipynb", "python3")):
            assert kernel_of(server, path)["name"] == name
            assert opened(server, path) is None
        # The same environment under the name that is listed: nothing to talk about.
        assert kernel_of(server, "ours.ipynb")["name"] == "ours"
        assert opened(server, "ours.ipynb") is None
        assert "same.ipynb wants the kernel shop, which is not here" in server.log.read_text()

        # What is written is what was there: nobody has saved anything yet.
        server.ask("contents/same.ipynb/checkpoints", "POST")
        server.ask("contents/same.ipynb/trust", "POST")
        copied = server.ask("contents", "POST", {"copy_from": "same.ipynb"})["path"]
        named = json.loads((home / copied).read_text())["metadata"]["kernelspec"]["name"]
        assert named == "shop"
        plain = server.ask("contents/same.ipynb?type=file&format=text")["content"]
        assert json.loads(plain)["metadata"]["kernelspec"]["name"] == "shop"
        for checkpoint in (home / ".ipynb_checkpoints").glob("*.ipynb"):
            assert json.loads(checkpoint.read_bytes())["metadata"]["kernelspec"]["name"] == "shop"
        del written["same.ipynb"]  # to trust it is to write it, as Jupyter itself does
        assert {name: (home / name).read_bytes() for name in written} == written

        # Somebody saves it as it was opened: from then on the file says so.
        model = server.ask("contents/same.ipynb")
        server.ask("contents/same.ipynb", "PUT", {"type": "notebook", "content": model["content"]})
        saved = json.loads((home / "same.ipynb").read_text())["metadata"]
        assert saved["kernelspec"]["name"] == "conda-env-shop-py"
        assert kernel_of(server, "same.ipynb")["name"] == "conda-env-shop-py"
        assert opened(server, "same.ipynb") is None


def test_a_session_under_an_unknown_name_starts(home: Path) -> None:
    add_ipykernel(site_of(make_generation(overlay_prefix(default_layout(), MINOR))))
    virtual_environment(home / ".virtualenvs" / "shop", f"{MINOR}.1")
    text = write_notebook(home / "same.ipynb", "shop", "1")
    with serving(home, f"--ServerApp.root_dir={home}") as server:

        def begin(name: str) -> Any:
            content = {"path": "a.ipynb", "type": "notebook", "name": "", "kernel": {"name": name}}
            return server.ask("sessions", "POST", content)

        session = begin("conda-env-Shop-python3")
        assert session["kernel"]["name"] == "conda-env-Shop-python3"
        server.ask(f"sessions/{session['id']}", "DELETE")
        with pytest.raises(urllib.error.HTTPError, match="501"):
            begin("conda-env-gone-py")

        bare = server.ask("contents/same.ipynb?content=0&hash=1")
        whole = server.ask("contents/same.ipynb?hash=1")
        for field in ("hash", "hash_algorithm", "last_modified", "size"):
            assert bare[field] == whole[field], "they are the file's"
        assert (home / "same.ipynb").read_bytes() == text

        server.token = "wrong"
        with pytest.raises(urllib.error.HTTPError, match="403"):
            opened(server, "same.ipynb")
