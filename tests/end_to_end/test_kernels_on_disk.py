"""Kernelspecs on disk: kept what environments are, removed when dead, and failures are said."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from end_to_end.machine import home, kaa, kernels, root
from environment_layouts import conda_environment, kernelspec, virtual_environment

if TYPE_CHECKING:
    from end_to_end.machine import Answer

pytestmark = pytest.mark.skipif(os.name == "nt", reason="environments are made as on POSIX")


def folder() -> Path:
    return Path(os.environ["JUPYTER_DATA_DIR"]) / "kernels"


def spec(name: str) -> dict[str, Any]:
    content = json.loads((folder() / name / "kernel.json").read_text())
    assert isinstance(content, dict)
    return content


def foreign(name: str, program: str, kernels: Path | None = None, **metadata: str) -> Path:
    directory = (kernels or folder()) / name
    directory.mkdir(parents=True)
    content = {"argv": [program, "-f", "{connection_file}"], "display_name": name}
    (directory / "kernel.json").write_text(json.dumps({**content, "metadata": metadata}))
    return directory


def own() -> list[str]:
    """Return the kernels on disk without those of this machine's own interpreters."""
    return [name for name in kernels() if str(home().parent) in json.dumps(spec(name)["metadata"])]


def synced() -> Path:
    prefix = virtual_environment(home() / ".virtualenvs" / "shop")
    assert kaa("kernels", "sync").code == 0
    assert "conda-env-shop-py" in kernels()
    return prefix


@pytest.mark.parametrize("look", [("kernels", "list"), ("kernels", "list", "--json"), ("create",)])
def test_another_programs_environment_is_followed(look: tuple[str, ...], demo: Answer) -> None:
    if look == ("create",):
        look = ("create", "-n", "next", "bear", "-y")
    prefix = synced()
    kernelspec(prefix, "xpython", argv=["x"], display_name="Python (x)", language="python")
    (prefix / "pyvenv.cfg").write_text("home = /usr/bin\nversion = 3.11.1\n")
    prefix.rename(prefix.with_name("store"))
    answer = kaa(*look)
    assert answer.code == 0, answer.err
    assert {"conda-env-store-py"} == set(own()) - {"demo", "next"}
    assert spec("conda-env-store-py")["display_name"] == "Python [conda env:store]"
    assert spec("conda-env-store-py")["metadata"]["kaa"]["python"] == "3.11.1"
    subprocess.run(["rm", "-r", prefix.with_name("store")], check=True)
    assert kaa("env", "remove", "-n", "demo", "-y").code == 0
    assert set(own()) <= {"next"}


def test_what_cannot_be_seen_from_here_is_not_gone(tmp_path: Path) -> None:
    project = tmp_path / "project"
    virtual_environment(project / ".venv")
    assert kaa("kernels", "sync", cwd=project).code == 0
    assert own() == ["conda-env-project-py"]
    for command in ("list", "sync"):
        assert kaa("kernels", command, cwd=home()).code == 0
        assert own() == ["conda-env-project-py"]
    (project / ".venv" / "pyvenv.cfg").unlink()
    subprocess.run(["rm", "-r", project / ".venv" / "bin"], check=True)
    kaa("kernels", "list", cwd=home())
    assert own() == []


def test_all_kernels_of_an_environment_of_kaas_own(demo: Answer) -> None:
    prefix = root() / "envs" / "demo"
    assert kaa("install", "-n", "demo", "fur", "-y").code == 0
    kernelspec(prefix, "ir")
    assert kaa("install", "-n", "demo", "ipykernel", "-y").code == 0
    assert own() == ["conda-env-demo-r", "demo"], "what no package owns is carried over"
    assert kaa("undo", "-n", "demo", "-y").code == 0
    assert own() == ["conda-env-demo-r", "demo"]
    assert kaa("rename", "demo", "zoo", "-y").code == 0
    assert own() == ["conda-env-zoo-r", "zoo"]
    assert spec("zoo")["display_name"].endswith("(zoo)")
    assert kaa("clone", "zoo", "copy", "-y").code == 0
    assert own() == ["conda-env-copy-r", "conda-env-zoo-r", "copy", "zoo"]
    assert kaa("env", "remove", "-n", "zoo", "-y").code == 0
    assert own() == ["conda-env-copy-r", "copy"]


def test_prune(demo: Answer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    shared = tmp_path / "shared"
    monkeypatch.setenv("JUPYTER_PATH", str(shared))
    foreign("alive", sys.executable)
    foreign("unknown", "python")
    foreign("gone", str(tmp_path / "none" / "bin" / "python"))
    foreign("theirs", "python", shared / "kernels", conda_env_path=str(tmp_path / "none"))
    (folder() / "broken").mkdir()
    (folder() / "broken" / "kernel.json").write_text("{")
    subprocess.run(["rm", "-r", root() / "envs"], check=True)
    dry = kaa("kernels", "prune", "--dry-run", "--json").json
    assert {(each["name"], each["kaa"]) for each in dry["dead"]} == {
        ("demo", True),
        ("gone", False),
        ("theirs", False),
    }
    assert dry["removed"] == []
    assert kaa("kernels", "prune").code == 2, "there is no terminal to ask on"
    answer = kaa("kernels", "prune", "-y")
    assert answer.code == 0 and "- demo" in answer.out and "Removed 1" in answer.out
    assert "gone leads to" in answer.err and "--foreign" in answer.err
    assert kernels() == ["alive", "broken", "gone", "unknown"]
    again = kaa("kernels", "prune", "--foreign", "-y", "--json").json
    assert len(again["removed"]) == 2
    assert kernels() == ["alive", "broken", "unknown"]
    assert list((shared / "kernels").iterdir()) == []
    assert "leads to something" in kaa("kernels", "prune").out


def test_what_cannot_be_removed_is_an_error(tmp_path: Path) -> None:
    directory = foreign("gone", str(tmp_path / "none"))
    (directory / "kernel.json").rename(tmp_path / "kernel.json")
    directory.rmdir()
    # A link to a directory of somebody's is taken away, and the directory stays.
    real = tmp_path / "real"
    real.mkdir()
    (tmp_path / "kernel.json").rename(real / "kernel.json")
    directory.symlink_to(real)
    assert kaa("kernels", "prune", "--foreign", "-y").code == 0
    assert kernels() == [] and (real / "kernel.json").exists()


def test_jupyters_directory_cannot_be_written_to(
    demo: Answer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    blocked = tmp_path / "blocked"
    blocked.write_text("")  # not even root can make a directory in here
    monkeypatch.setenv("JUPYTER_DATA_DIR", str(blocked))
    virtual_environment(home() / ".virtualenvs" / "shop")
    answer = kaa("create", "-n", "next", "bear", "-y")
    assert answer.code == 0, answer.err
    assert "next is not a Jupyter kernel" in answer.err and "JUPYTER_DATA_DIR" in answer.err
    answer = kaa("kernels", "sync")
    assert answer.code == 7
    assert str(blocked) in answer.err and "hint" in answer.err
    answer = kaa("kernels", "sync", "--json")
    assert answer.code == 7 and answer.json["success"] is False
    assert kaa("kernels", "list").code == 0
    assert blocked.read_text() == ""


def test_a_name_that_is_taken_fails_alone() -> None:
    foreign("conda-env-shop-py", "somebodys")
    virtual_environment(home() / ".virtualenvs" / "shop")
    conda_environment(home() / "miniforge3" / "envs" / "work")
    answer = kaa("kernels", "sync")
    assert answer.code == 7
    assert "conda-env-shop-py" in answer.err and "kaa did not write it" in answer.err
    assert "conda-env-work-py" in kernels()
    assert spec("conda-env-shop-py")["argv"][0] == "somebodys"


def test_a_fifo_for_a_kernelspec_holds_nobody_up() -> None:
    prefix = synced()
    for name in ("fifo-kernel", "conda-env-shop-py"):
        (folder() / name).mkdir(exist_ok=True)
        (folder() / name / "kernel.json").unlink(missing_ok=True)
        os.mkfifo(folder() / name / "kernel.json")
    for command in (("list",), ("sync",), ("prune", "--foreign", "-y")):
        answer = kaa("kernels", *command)
        assert "fifo-kernel" not in answer.out, answer.err
    assert str(prefix) in kaa("kernels", "list", "--json").out
