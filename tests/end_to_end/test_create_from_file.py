"""Environments made of what a file asks for: environment.yml, requirements, lock files."""

from __future__ import annotations

import hashlib
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from end_to_end.machine import MINOR, PYTHON, kaa
from wheels import build_wheel

if TYPE_CHECKING:
    from local_index import LocalIndex

pytestmark = pytest.mark.usefixtures("index")


def test_an_environment_file(index: LocalIndex, tmp_path: Path) -> None:
    index.add(build_wheel(tmp_path / "wheels", "pip"))  # it comes along with its section
    (tmp_path / "environment.yml").write_text(
        f"name: den\nchannels: [pypi]\ndependencies:\n- python={MINOR}\n- ipykernel\n"
        "- pip: [bear]\nvariables: {HONEY: 'yes'}\n",
        encoding="utf-8",
    )
    assert kaa("create", "-f", "environment.yml", "-y").code == 0
    listed = kaa("list", "-n", "den", "--json").json["packages"]
    assert {"bear", "fur"} <= {package["name"] for package in listed}
    assert kaa("run", "-n", "den", "printenv", "HONEY").out == "yes\n"
    assert kaa("create", "-f", "environment.yml", "-n", "other", "--dry-run").code == 0


def test_a_requirements_file_and_its_hashes(tmp_path: Path, wheels: Path) -> None:
    right = hashlib.sha256((wheels / "fur-2.1-py3-none-any.whl").read_bytes()).hexdigest()
    file = tmp_path / "requirements.txt"
    for digest, code in ((right, 0), ("0" * 64, 2)):
        file.write_text(f"fur==2.1 --hash=sha256:{digest}\n", encoding="utf-8")
        answer = kaa("create", "-n", "den", "-f", file.name, PYTHON, "ipykernel", "--dry-run")
        assert answer.code == code, answer.err
    assert "none of the hashes" in answer.err


def test_a_name_is_needed(tmp_path: Path) -> None:
    (tmp_path / "requirements.txt").write_text("fur\n", encoding="utf-8")
    answer = kaa("create", "-f", "requirements.txt", "-y")
    assert answer.code == 2
    assert "-n NAME" in answer.err


def test_specs_beside_a_lock_file(tmp_path: Path) -> None:
    (tmp_path / "den.lock").write_text("version: 6\n", encoding="utf-8")
    answer = kaa("create", "-n", "den", "-f", Path("den.lock"), "bear", "-y")
    assert answer.code == 2
    assert "specs beside it" in answer.err
