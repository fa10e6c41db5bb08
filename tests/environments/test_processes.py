"""Real processes of every kind, and what is told of them."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from contextlib import contextmanager
from typing import TYPE_CHECKING

import pytest

from kaa.environments.prefix import Prefix
from kaa.environments.processes import users_among, users_of
from kaa.environments.running import running, running_elsewhere, running_on_linux
from kaa.model.process import Process, ProcessKind
from kernels.conftest import make_generation

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from kaa.environments.running import Facts

pytestmark = pytest.mark.skipif(os.name == "nt", reason="the environment is made as on POSIX")

READY = "print('ready', flush=True)\n"
SLEEP = READY + "import time; time.sleep(600)"


@pytest.fixture
def prefix(tmp_path: Path) -> Prefix:
    path = tmp_path / "env s" / "demo"
    make_generation(path, 3)
    make_generation(path.with_name("demo2"), 3)
    return Prefix(path)


@contextmanager
def started(*command: str | Path, **options: object) -> Iterator[int]:
    with subprocess.Popen(
        [os.fspath(word) for word in command],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        **options,  # type: ignore[call-overload]
    ) as process:
        try:
            assert process.stdout.readline() == "ready\n"
            yield process.pid
        finally:
            process.kill()


def only(prefix: Prefix, *, thorough: bool = False) -> Process:
    (found,) = users_of(prefix, thorough=thorough)
    return found


@pytest.fixture(params=[running_on_linux, running_elsewhere], autouse=True)
def told_by(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    if request.param is running_on_linux and sys.platform != "linux":
        pytest.skip("there is no /proc")
    monkeypatch.setattr("kaa.environments.processes.running", request.param)


def test_nobody_uses_it(prefix: Prefix) -> None:
    with started(prefix.path.with_name("demo2") / "bin" / "python", "-c", SLEEP):
        assert users_of(prefix) == ()


def test_a_program_that_was_started_through_its_generation(prefix: Prefix) -> None:
    with started(prefix.current / "bin" / "python", "-c", SLEEP) as pid:
        found = only(prefix)
    assert (found.pid, found.generation, found.kind) == (pid, 3, ProcessKind.PROGRAM)
    assert found.holds == {3}
    assert found.command == "python -c ..."


def test_a_program_that_was_started_through_the_link(prefix: Prefix) -> None:
    with started(prefix.path / "bin" / "python", "-c", SLEEP) as pid:
        found = only(prefix)
    assert (found.pid, found.generation, found.kind) == (pid, None, ProcessKind.PROGRAM)


def test_a_program_that_was_found_on_path(prefix: Prefix) -> None:
    """As in a shell in which the environment is active: its command line has no directory."""
    path = f"{prefix.path / 'bin'}{os.pathsep}{os.environ['PATH']}"
    with started(
        "python", "-c", SLEEP, executable=prefix.path / "bin" / "python", env={"PATH": path}
    ) as pid:
        found = only(prefix)
    assert (found.pid, found.generation) == (pid, None)


def test_a_script_of_the_environment(prefix: Prefix) -> None:
    script = prefix.current / "bin" / "growl"
    script.write_text(SLEEP)
    with started(sys.executable, script, "--loud", "--token", "abc", "--api-key=abc"):
        found = only(prefix)
    assert (found.generation, found.kind) == (3, ProcessKind.PROGRAM)
    assert found.command.endswith(" growl --loud --token *** --api-key=***")


def test_a_kernel(prefix: Prefix) -> None:
    python = prefix.current / "bin" / "python"
    with started(python, "-c", SLEEP, "-f", "/run/kernel-1.json"):
        assert only(prefix).kind is ProcessKind.KERNEL
    with started(python, "-c", f"{SLEEP}  # ipykernel", "-f", "/tmp/tmpx.json"):
        assert only(prefix).kind is ProcessKind.KERNEL
    with started(python, "-c", SLEEP, "-f", "settings.json"):
        assert only(prefix).kind is ProcessKind.PROGRAM


def test_a_shell_in_which_it_is_active_is_a_shell(prefix: Prefix) -> None:
    shell = ("sh", "-c", "echo ready; read line; exit")
    environ = {**os.environ, "CONDA_PREFIX": str(prefix.path)}
    with started(*shell, env=environ):
        found = only(prefix)
    assert (found.kind, found.generation, found.holds) == (ProcessKind.SHELL, None, frozenset())
    other = {**os.environ, "CONDA_PREFIX": f"{prefix.path}2"}
    with started(*shell, env=other):
        assert users_of(prefix) == ()


def test_a_shell_that_is_in_one_of_its_directories_holds_it(prefix: Prefix) -> None:
    with started("sh", "-c", "echo ready; read line; exit", cwd=prefix.path / "bin"):
        found = only(prefix)
    assert (found.kind, found.generation, found.holds) == (ProcessKind.SHELL, None, frozenset({3}))


def test_the_prefix_as_an_argument_is_no_use_of_it(prefix: Prefix) -> None:
    with started(sys.executable, "-c", SLEEP, "-p", prefix.path, f"{prefix.path}/"):
        assert users_of(prefix) == ()


def test_open_files_are_looked_at_where_that_is_asked_for(prefix: Prefix) -> None:
    file = prefix.current / "pyvenv.cfg"
    code = f"stream = open({str(file)!r}.replace('', ''))\n{SLEEP}"
    # The path is not on its command line in one piece.
    code = code.replace("/demo/", "/d' + 'emo/")
    with started(sys.executable, "-c", code):
        assert users_of(prefix) == ()
        found = only(prefix, thorough=True)
    assert (found.generation, found.holds) == (3, frozenset({3}))


def test_this_process_and_those_above_are_left_out_but_for_kernels(prefix: Prefix) -> None:
    code = (
        "from pathlib import Path\nimport subprocess, sys\n"
        "from kaa.environments.prefix import Prefix\n"
        "from kaa.environments.processes import users_of\n"
        f"prefix = Prefix(Path({str(prefix.path)!r}))\n"
        "print(len(users_of(prefix)), len(users_of(prefix, own=True)))"
    )
    inner = f"import subprocess, sys; subprocess.run([{sys.executable!r}, '-c', sys.argv[1]])"
    command = [os.fspath(prefix.current / "bin" / "python"), "-c", inner, code]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    assert done.stdout.split() == ["0", "1"]
    command += ["/run/kernel-1.json"]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    assert done.stdout.split() == ["1", "1"]


def test_through_a_link_above_the_environment(prefix: Prefix, tmp_path: Path) -> None:
    (tmp_path / "other").symlink_to(prefix.path.parent)
    other = Prefix(tmp_path / "other" / "demo")
    with started(prefix.current / "bin" / "python", "-c", SLEEP):
        assert only(other).generation == 3
    with started(prefix.path / "bin" / "python", "-c", SLEEP):
        assert only(other).generation is None


def test_what_the_system_keeps_secret_counts_as_nothing(prefix: Prefix) -> None:
    class Secret:
        pid = 1
        arguments = ("daemon",)
        executable = directory = ""

        def environment(self) -> dict[str, str]:
            return {}

        def opened(self) -> Iterator[str]:
            yield from ()

    facts: Facts = Secret()
    assert users_among(prefix, [facts], thorough=True) == ()


def test_it_is_fast(prefix: Prefix) -> None:
    times = []
    for _ in range(5):
        processes = list(running())
        start = time.process_time()
        users_among(prefix, running())
        times.append(time.process_time() - start)
    # Usually a tenth of a millisecond for each.
    assert min(times) < 0.03 + 0.001 * len(processes)
