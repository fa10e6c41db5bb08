"""What the files beside a notebook say it needs."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from kaa.kernels.beside import with_files_beside
from kaa.kernels.requirements import Need, needs
from kaa.kernels.wanted import Wanted

if TYPE_CHECKING:
    from pathlib import Path

WANTED = Wanted("gone", language="python")
YML = """
name: demo
dependencies:
  - python=3.11
  - conda-forge::numpy>=1.26
  - libfoo  # [win]
  - pip:
    - polars[excel]==1.*
    - -e .
"""
PYPROJECT = """
[project]
name = "demo"
requires-python = ">=3.10"
dependencies = ["polars>=1", 3]
"""
PIXI = """
[dependencies]
python = "3.12.*"
numpy = "*"
[pypi-dependencies]
polars = { version = ">=1", extras = ["excel"] }
local = { path = "." }
"""


@pytest.mark.parametrize(
    ("name", "text", "expected"),
    [
        (
            "environment.yml",
            YML,
            [Need("python", "==3.11.*"), Need("numpy", ">=1.26"), Need("polars", "==1.*")],
        ),
        (
            "requirements.txt",
            "polars>=1; python_version > '3'  # yes\n-r other.txt\n./here\nnumpy\n",
            [Need("polars", ">=1", 'python_version > "3"'), Need("numpy")],
        ),
        ("pyproject.toml", PYPROJECT, [Need("polars", ">=1")]),
        (
            "pixi.toml",
            PIXI,
            [Need("python", "==3.12.*"), Need("numpy"), Need("polars", ">=1"), Need("local")],
        ),
    ],
)
def test_files(tmp_path: Path, name: str, text: str, expected: list[Need]) -> None:
    (tmp_path / name).write_text(text)
    found = with_files_beside(WANTED, tmp_path)
    assert list(needs(found.requirements)) == expected
    assert found.requires_python == (">=3.10" if name == "pyproject.toml" else "")


def test_the_first_that_says_something(tmp_path: Path) -> None:
    (tmp_path / "environment.yml").write_text("dependencies: [")
    (tmp_path / "requirements.txt").write_text("# nothing yet\n")
    (tmp_path / "pyproject.toml").write_text(PYPROJECT)
    (tmp_path / "pixi.toml").write_text(PIXI)
    assert with_files_beside(WANTED, tmp_path).requirements == ("polars>=1",)


@pytest.mark.parametrize("text", ["[project]\ndependencies = 3", "project = []", "\x00", "[a"])
def test_nonsense_says_nothing(tmp_path: Path, text: str) -> None:
    for name in ("environment.yml", "requirements.txt", "pyproject.toml", "pixi.toml"):
        (tmp_path / name).write_text(text)
    (tmp_path / "requirements.txt").unlink()
    assert with_files_beside(WANTED, tmp_path) == WANTED


def test_what_the_notebook_says_goes_first(tmp_path: Path) -> None:
    (tmp_path / "requirements.txt").write_text("polars\n")
    own = Wanted("gone", requirements=("numpy",))
    assert with_files_beside(own, tmp_path) == own
    other = Wanted("gone", language="r")
    assert with_files_beside(other, tmp_path) == other
