"""Several commands at once: each is done as if it were alone, one after the other where need be."""

from __future__ import annotations

import platform
import signal
import time
from typing import TYPE_CHECKING

import pytest

from end_to_end.at_once import finish, start, waiting
from end_to_end.machine import PYTHON, kaa, kernels, listed, names, root, unfinished
from local_index import Fault
from wheels import build_wheel

if TYPE_CHECKING:
    import subprocess
    from collections.abc import Iterator
    from pathlib import Path

    from local_index import LocalIndex

_MANY = 8


def animals(index: LocalIndex, directory: Path) -> list[str]:
    """Make a package for each process, and one that all of them need."""
    index.add(build_wheel(directory, "tail"))
    known = [f"animal{number}" for number in range(_MANY)]
    for name in known:
        index.add(build_wheel(directory, name, requires=["tail"]))
    return known


@pytest.mark.slow
def test_eight_environments_from_one_cold_cache(index: LocalIndex, tmp_path: Path) -> None:
    known = animals(index, tmp_path / "wheels")
    processes = [start("create", "-n", name, PYTHON, name, "bear", "-y") for name in known]
    finish(processes)
    for name in known:
        packages = {each["name"] for each in kaa("list", "-n", name, "--json").json}
        assert {name, "tail", "bear", "fur"} <= packages
    assert sorted(listed()) == [str(root() / "envs" / name) for name in known]
    assert len(kernels()) == _MANY
    assert unfinished() == []
    assert names(root() / "envs" / ".kaa") == sorted(known)
    assert len(list((root() / "overlays").glob("cp*"))) == 1


@pytest.mark.slow
def test_eight_packages_into_one_environment(index: LocalIndex, tmp_path: Path) -> None:
    known = animals(index, tmp_path / "wheels")
    assert kaa("create", "-n", "demo", PYTHON, "-y").code == 0
    said = finish([start("install", "-n", "demo", name, "-y") for name in known])
    packages = {each["name"] for each in kaa("list", "-n", "demo", "--json").json}
    assert {*known, "tail"} <= packages
    assert names(root() / "envs" / ".kaa" / "demo") == sorted(map(str, range(1, _MANY + 2)))
    assert any("waiting for process" in err for err in said)
    assert names(root() / "envs" / ".kaa") == ["demo"]
    assert unfinished() == []


@pytest.fixture
def busy(index: LocalIndex) -> Iterator[subprocess.Popen[str]]:
    """A command at work on the environment demo, for as long as the index does not answer."""
    assert kaa("create", "-n", "demo", PYTHON, "-y").code == 0
    index.fail("/files/bear*.whl", Fault(hang=600))
    process = start("install", "-n", "demo", "bear", "-y")
    deadline = time.monotonic() + 300
    while "/files/bear-1.0-py3-none-any.whl" not in index.paths():
        assert process.poll() is None and time.monotonic() < deadline
        time.sleep(0.01)
    yield process
    index.heal()
    process.kill()
    process.communicate()


def lock_file() -> Path:
    return root() / "envs" / ".kaa" / ".lock-demo"


@pytest.mark.parametrize(
    "command",
    [("install", "-n", "demo", "fur", "-y"), ("env", "remove", "-n", "demo", "-y")],
    ids=["install", "remove"],
)
def test_who_waits_says_for_whom_and_can_be_interrupted(
    busy: subprocess.Popen[str], command: tuple[str, ...]
) -> None:
    second = start(*command)
    assert waiting(second).startswith(
        f"waiting for process {busy.pid} on {platform.node()}, which has been doing "
        "`kaa install -n demo bear -y` for "
    )
    second.send_signal(signal.SIGINT)
    _, err = second.communicate(timeout=300)
    assert second.returncode == 130
    assert err.splitlines()[-1] == "interrupted; nothing was changed"
    assert busy.poll() is None
    assert lock_file().exists()


def test_who_waits_goes_on_when_the_other_was_killed(
    busy: subprocess.Popen[str], index: LocalIndex
) -> None:
    second = start("install", "-n", "demo", "fur", "-y")
    waiting(second)
    busy.kill()
    busy.wait()
    finish([second])
    assert unfinished() == []
    assert not lock_file().exists()
    packages = {each["name"] for each in kaa("list", "-n", "demo", "--json").json}
    assert "fur" in packages and "bear" not in packages


def test_dry_runs_and_readers_wait_for_nobody(busy: subprocess.Popen[str]) -> None:
    for command in (
        ("install", "-n", "demo", "fur", "--dry-run"),
        ("list", "-n", "demo"),
        ("run", "-n", "demo", "python", "-c", "pass"),
        ("env", "list"),
    ):
        answer = kaa(*command)
        assert answer.code == 0, answer.err
        assert "waiting" not in answer.err
    assert busy.poll() is None


def test_a_second_create_of_one_name_finds_the_first_ones(index: LocalIndex) -> None:
    index.fail("/files/bear*.whl", Fault(hang=600))
    first = start("create", "-n", "demo", PYTHON, "bear", "-y")
    while "/files/bear-1.0-py3-none-any.whl" not in index.paths():
        assert first.poll() is None
        time.sleep(0.01)
    second = start("create", "-n", "demo", PYTHON, "fur", "-y")
    waiting(second)
    index.heal()
    finish([first])
    _, err = second.communicate(timeout=300)
    assert second.returncode == 3
    assert "the environment demo exists already" in err
