"""What fails once the environment is there does not take it away: a warning says what to do."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING

from end_to_end.machine import PYTHON, below, home, kaa, kernels, listed, root

if TYPE_CHECKING:
    import pytest

    from end_to_end.machine import Answer
    from local_index import LocalIndex


def works(answer: Answer) -> bool:
    assert "Traceback" not in answer.err
    return answer.code == 0 and kaa("run", "-n", "demo", "growl").out == "bear 1.0\n"


def test_the_kernels_directory_cannot_be_written(
    index: LocalIndex, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "file").write_text("")
    monkeypatch.setenv("JUPYTER_DATA_DIR", str(tmp_path / "file" / "jupyter"))
    made = kaa("create", "-n", "demo", PYTHON, "bear", "-y")
    assert works(made)
    assert "demo is not a Jupyter kernel" in made.err
    assert str(tmp_path / "file") in made.err and "JUPYTER_DATA_DIR" in made.err
    assert listed() == [str(root() / "envs" / "demo")]
    assert kaa("env", "remove", "-n", "demo", "-y").code == 0


def test_condas_list_cannot_be_written(index: LocalIndex) -> None:
    (home() / ".conda").write_text("a file where conda has a directory")
    made = kaa("create", "-n", "demo", PYTHON, "bear", "-y")
    assert works(made)
    assert "demo is not on conda's list" in made.err
    assert str(home() / ".conda") in made.err and "hint:" in made.err
    assert kernels() == ["demo"]
    removed = kaa("env", "remove", "-n", "demo", "-y")
    assert removed.code == 0
    assert kernels() == []
    assert list(below(root() / "envs")) == []


def test_nobody_offers_ipykernel(
    local_index: LocalIndex, wheels: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("bear", "fur"):
        local_index.add(next(wheels.glob(f"{name}-*")))
    local_index.headers = {"Cache-Control": "no-cache"}
    monkeypatch.setenv("PIP_INDEX_URL", local_index.url)

    made = kaa("create", "-n", "demo", PYTHON, "bear", "-y")
    assert works(made)
    assert "demo is complete, but its kernel cannot start" in made.err
    assert "no source has a package called 'ipykernel'" in made.err
    assert "tried again with the next environment" in made.err
    assert list(below(root() / "overlays")) == []
    assert kernels() == ["demo"], "it starts as soon as there is an overlay"

    told = kaa("create", "-n", "second", PYTHON, "fur", "-y", "--json")
    assert told.json["success"] is True, "warnings do not get between the lines of the JSON"

    local_index.add(next(wheels.glob("ipykernel-*")))
    third = kaa("create", "-n", "third", PYTHON, "fur", "-y")
    assert "cannot start" not in third.err
    assert len(list((root() / "overlays").glob("cp*"))) == 1


def test_a_removal_goes_on_where_the_kernelspec_stays(
    demo: Answer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    spec = Path(os.environ["JUPYTER_DATA_DIR"], "kernels", "demo")
    (spec / "kernel.json").rename(tmp_path / "kernel.json")
    (spec / "kernel.json").symlink_to(tmp_path / "kernel.json")
    (tmp_path / "kernel.json").unlink()
    removed = kaa("env", "remove", "-n", "demo", "-y")
    assert removed.code == 0
    assert list(below(root() / "envs")) == []
    assert listed() == []
