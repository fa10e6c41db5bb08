"""Explanations as the command line tells them, from a channel on disk, in a process of its own."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from typing import TYPE_CHECKING, Any

import pytest

from conda_channel import CondaChannel

if TYPE_CHECKING:
    from pathlib import Path

DEEP = 20


@pytest.fixture
def channel(tmp_path: Path) -> CondaChannel:
    channel = CondaChannel(tmp_path / "forge", zst=False)
    for minor in ("3.11", "3.12"):
        abi = f"cp{minor.replace('.', '')}"
        channel.add_record("python", f"{minor}.4", f"0_{abi}", depends=[f"python_abi {minor}.*"])
        channel.add_record("python_abi", minor, f"8_{abi}", depends=[])
    for version in ("1.26", "2.1"):
        channel.add_record("numpy", version, depends=["python >=3.11"])
    channel.add_record("frame", "1.0", depends=["numpy <2"])
    channel.add_record("elder", "1.0", depends=["python >=3.11,<3.12.0a0"])
    for number in range(DEEP):
        channel.add_record(f"step{number}", "1.0", depends=[f"step{number + 1}"])
    channel.add_record(f"step{DEEP}", "1.0", depends=["numpy <2"])
    channel.add_record("gpu", "1.0", depends=["__cuda >=12.4"])
    return channel


def kaa(channel: CondaChannel, *arguments: str) -> subprocess.CompletedProcess[str]:
    root = channel.directory.parent / "root"
    environ = {
        **{key: value for key, value in os.environ.items() if not key.startswith("KAA_")},
        "KAA_ROOT": str(root),
        "CONDA_OVERRIDE_CUDA": "",
    }
    command = ["create", "-n", "x", "-c", channel.file_url, "--dry-run", "--platform", "linux-64"]
    return subprocess.run(
        [sys.executable, "-m", "kaa", *command, *arguments],
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
        env=environ,
    )


def told(channel: CondaChannel, *arguments: str) -> dict[str, Any]:
    answer = kaa(channel, "--json", *arguments)
    assert answer.returncode == 4, answer.stderr
    found = json.loads(answer.stdout)
    assert isinstance(found, dict)
    return found


def typed(arguments: tuple[str, ...], fix: dict[str, Any]) -> list[str]:
    """Return the arguments with the changes of a fix, taken as they are."""
    found = list(arguments)
    for change in fix["changes"]:
        after = change["after"].split() if change["after"] else []
        if change["before"] is None:
            found += after
        else:
            place = found.index(change["before"])
            found[place : place + 1] = after
    return found


@pytest.mark.parametrize(
    "specs",
    [
        ("frame", "numpy=2", "python=3.12"),
        ("elder", "python=3.12", "numpy"),
        ("elder", "frame", "numpy >= 2", "python=3.12"),
        ("numpy=9", "frame"),
        ("gpu", "numpy"),
    ],
)
def test_every_fix_can_be_typed_as_json_says_it(
    channel: CondaChannel, specs: tuple[str, ...]
) -> None:
    fixes = told(channel, *specs)["explanation"]["fixes"]
    assert fixes
    for fix in fixes:
        answer = kaa(channel, "--json", *typed(specs, fix))
        assert answer.returncode == 0, f"{fix}: {answer.stdout}"


def test_verbose_shows_all_reasons_and_the_whole_tree(channel: CondaChannel) -> None:
    explanation = told(channel, "step0", "numpy=2")["explanation"]
    assert len(explanation["reasons"]) == DEEP + 1
    short = kaa(channel, "step0", "numpy=2").stderr
    assert "lines more (-v shows all)" in short
    assert len([line for line in short.splitlines() if line.strip()]) <= 15
    whole = kaa(channel, "-v", "step0", "numpy=2").stderr
    for line in (*explanation["reasons"], *explanation["tree"].splitlines()):
        assert line in whole
