"""Everyday command lines of conda and mamba, typed to kaa: docs/compatibility.md is their table."""

from __future__ import annotations

import importlib.util
import json
import os
import shlex
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from conda_channel import CondaChannel
from conda_packages import build_conda_package
from end_to_end.machine import kaa
from packed_interpreter import conda_subdir

if TYPE_CHECKING:
    from collections.abc import Iterator
    from types import ModuleType

DOCS = Path(__file__).parents[2] / "docs"


def load_table() -> ModuleType:
    spec = importlib.util.spec_from_file_location("everyday", DOCS / "everyday_commands.py")
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module  # dataclasses look themselves up
    spec.loader.exec_module(module)
    return module


table = load_table()


@pytest.fixture
def channel(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[CondaChannel]:
    packages: dict[str, dict[str, list[str]]] = {
        "bear": {"1.0": ["fur 1.0"], "2.0": ["fur >=1"]},
        "fur": {"1.0": [], "1.5": []},
        "lair": {"1.0": ["bear"]},
        "den": {"1.0": ["fur"]},
        "cave": {"1.0": []},
        "hide": {"1.0": ["cave"]},
    }
    made = CondaChannel(tmp_path / "forge", subdirs=("noarch", conda_subdir()))
    for name, versions in packages.items():
        for version, depends in versions.items():
            package = build_conda_package(
                tmp_path / "made", name, version, depends=depends, noarch="generic"
            )
            made.add(package)
    configuration = tmp_path / "config.toml"
    configuration.write_text(f"channels = [{json.dumps(made.file_url)}]\n")
    monkeypatch.setenv("KAA_CONFIG", str(configuration))
    for variable in ("KAA_CHANNELS", "CONDA_PREFIX"):
        monkeypatch.delenv(variable, raising=False)
    made.write()
    yield made


def test_the_page_is_what_the_table_says() -> None:
    assert (DOCS / "compatibility.md").read_text(encoding="utf-8") == table.page()


@pytest.mark.slow
def test_what_people_type_works(channel: CondaChannel, tmp_path: Path) -> None:
    (tmp_path / "wanted.yml").write_text("name: demo\ndependencies: [bear=1.0, lair]\n")
    wrong = [
        f"{line.typed}: {problem}"
        for chapter in table.CHAPTERS
        for line in chapter.lines
        for problem in problems(line)
    ]
    assert not wrong, "\n".join(wrong)


def problems(line: Any) -> Iterator[str]:
    answer = kaa(*shlex.split(line.typed), timeout=300, env=dict(os.environ))
    expected = line.code if line.ours is None else line.ours
    said = answer.out + answer.err
    if answer.code != expected:
        yield f"exit code {answer.code}, not {expected}\n{said}"
        return
    if line.says and line.says not in said:
        yield f"nothing of {line.says!r} in\n{said}"
    if line.fields:
        found = answer.json if isinstance(answer.json, dict) else answer.json[0]
        if missing := [field for field in line.fields if field not in found]:
            yield f"no fields {missing} in {list(found)}"
    if line.env is not None:
        packages = kaa("list", "--name", "demo", "--json").json
        if isinstance(packages, dict):
            yield f"no environment: {packages}"
            return
        there = tuple(f"{each['name']}={each['version']}" for each in packages)
        if there != line.env:
            yield f"the environment has {there}, not {line.env}"
