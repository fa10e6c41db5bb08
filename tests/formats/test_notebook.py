"""Notebooks keep every byte that is not meant to change."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import nbformat
import pytest

from kaa.formats.notebook import read_notebook, write_metadata
from kaa.model.errors import RequestError

if TYPE_CHECKING:
    from pathlib import Path

CONTENT: dict[str, Any] = {
    "cells": [
        {
            "cell_type": "code",
            "execution_count": 1,
            "id": "a",
            "metadata": {},
            "outputs": [{"name": "stdout", "output_type": "stream", "text": ["1.10\n", "é\n"]}],
            "source": ["print(1.10)\n", 'print("é")'],
        }
    ],
    "metadata": {"kernelspec": {"display_name": "x", "name": "x"}, "z": {"float": 1e-07}},
    "nbformat": 4,
    "nbformat_minor": 5,
}
NEEDS = {"requirements": ["numpy"]}


@pytest.mark.parametrize("indent", [1, 2, 4, "\t", None], ids=str)
@pytest.mark.parametrize("ascii_only", [False, True])
@pytest.mark.parametrize("end", ["", "\n"], ids=["bare", "newline"])
def test_the_style_of_a_file_stays(
    tmp_path: Path, indent: int | str | None, ascii_only: bool, end: str
) -> None:
    file = tmp_path / "a.ipynb"
    file.write_text(json.dumps(CONTENT, indent=indent, ensure_ascii=ascii_only) + end, "utf-8")
    before = file.read_text("utf-8")
    write_metadata(file, "kaa", NEEDS)
    after = file.read_text("utf-8")
    added = json.dumps({"kaa": NEEDS}, indent=indent)
    assert json.loads(after)["metadata"] == {"kaa": NEEDS, **CONTENT["metadata"]}
    if indent is not None:
        new = [line for line in after.splitlines() if line not in before.splitlines()]
        assert new and all(line.strip() in added or "numpy" in line for line in new)
    # Taking it away again gives the file that was there.
    content = json.loads(after)
    del content["metadata"]["kaa"]
    assert json.dumps(content, indent=indent, ensure_ascii=ascii_only) + end == before


def test_what_nbformat_writes_is_what_nbformat_would_write(tmp_path: Path) -> None:
    file, theirs = tmp_path / "a.ipynb", tmp_path / "b.ipynb"
    make: Any = nbformat  # it has no types
    notebook = make.from_dict(CONTENT)
    make.write(notebook, file)
    file.chmod(0o640)
    write_metadata(file, "kaa", NEEDS)
    notebook.metadata["kaa"] = NEEDS
    make.write(notebook, theirs)
    assert file.read_bytes() == theirs.read_bytes()
    assert file.stat().st_mode & 0o777 == 0o640
    assert sorted(path.name for path in tmp_path.glob("*.ipynb*")) == ["a.ipynb", "b.ipynb"]


def test_a_link_stays_a_link(tmp_path: Path) -> None:
    (tmp_path / "there").mkdir()
    file, link = tmp_path / "there" / "a.ipynb", tmp_path / "a.ipynb"
    file.write_text(json.dumps(CONTENT))
    link.symlink_to(file)
    write_metadata(link, "kaa", NEEDS)
    assert link.is_symlink() and read_notebook(file)["metadata"]["kaa"] == NEEDS


@pytest.mark.parametrize("text", ["", "{", "[]", "{}", '{"nbformat": 4, "metadata": []}', "\x00"])
def test_what_is_no_notebook(tmp_path: Path, text: str) -> None:
    file = tmp_path / "a.ipynb"
    file.write_text(text)
    with pytest.raises(RequestError, match="cannot be used"):
        write_metadata(file, "kaa", NEEDS)
    assert file.read_text() == text
