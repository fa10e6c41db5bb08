"""A pylock.toml rebuilds the identical environment without a network, wherever Python is from."""

from __future__ import annotations

import shutil
from typing import TYPE_CHECKING

import pytest

from conda_channel import CondaChannel
from end_to_end.machine import MINOR, PYTHON, Answer, kaa, root
from packed_interpreter import conda_subdir, pack_interpreter
from tree_hashes import tree

if TYPE_CHECKING:
    from pathlib import Path

    from local_index import LocalIndex

ASKED = ("pypi::bear", "pypi::ipykernel")


def files_of(name: str) -> dict[str, str]:
    """Return the hashes of all files but records and bytecode."""
    found = tree(root() / "envs" / name)
    return {
        path: digest
        for path, digest in found.items()
        if not path.startswith("conda-meta/") and "__pycache__" not in path
    }


def records_of(name: str) -> set[str]:
    return {path.name for path in (root() / "envs" / name / "conda-meta").glob("*.json")}


def done(*arguments: str | Path) -> Answer:
    answer = kaa(*arguments)
    assert answer.code == 0, answer.err
    return answer


def rebuilt(index: LocalIndex, *options: str) -> None:
    """Make `den` again, of its lock alone, while nothing can be fetched, and compare the two."""
    files, records = files_of("den"), records_of("den")
    done("env", "remove", "-n", "den", "-y")
    index.heal()
    asked = len(index.requests)
    done("create", "-n", "den", "--offline", *options, "-f", "pylock.toml", "-y")
    assert len(index.requests) == asked
    assert files_of("den") == files
    assert records_of("den") == records
    assert kaa("run", "-n", "den", "growl").out == "bear 1.0\n"


@pytest.mark.parametrize("command", ["export", "lock"])
def test_python_is_this_machine_s(index: LocalIndex, tmp_path: Path, command: str) -> None:
    wanted = ("-c", "pypi", PYTHON, *ASKED)
    done("create", "-n", "den", *wanted, "-y")
    if command == "export":
        done("export", "-n", "den", "-f", "pylock.toml")
    else:
        done("lock", *wanted, "-o", "pylock.toml")
    assert f'requires-python = "=={MINOR}.*"' in (tmp_path / "pylock.toml").read_text()
    if command == "lock":  # the packages are warm, and what was known of the index is not
        for path in (root() / "cache").iterdir():
            if path.name != "interpreters.json":
                shutil.rmtree(path) if path.is_dir() else path.unlink()
    rebuilt(index)


@pytest.mark.parametrize("command", ["export", "lock"])
def test_python_is_a_channel_s(index: LocalIndex, tmp_path: Path, command: str) -> None:
    channel = CondaChannel(tmp_path / "forge", subdirs=("noarch", conda_subdir()))
    try:
        channel.add(pack_interpreter())
    except ValueError as error:
        pytest.skip(f"this interpreter cannot be packed: {error}")
    with channel:
        sources = ("-c", channel.url, "-c", "pypi")
        wanted = (*sources, f"python={MINOR}", *ASKED)
        done("create", "-n", "den", *wanted, "-y")
        if command == "export":
            done("export", "-n", "den", "-f", "pylock.toml")
        else:
            done("lock", *wanted, "-o", "pylock.toml")
    shutil.rmtree(tmp_path / "forge")
    rebuilt(index, *sources)
