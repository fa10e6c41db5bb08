"""What runs in an environment while it changes: it keeps its files, and the plan says so."""

from __future__ import annotations

import os
import shutil
import subprocess
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import pytest

from end_to_end.machine import KAA, MINOR, PYTHON, kaa, root
from kernels.conftest import add_ipykernel, site_of, started
from wheels import build_wheel

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from local_index import LocalIndex

pytestmark = pytest.mark.skipif(os.name == "nt", reason="programs are looked at as on POSIX")

READ = "import sys\nfor line in sys.stdin: exec(line); sys.stdout.flush()"
LATE = "from den import {}; print({}.version)"
"""What is imported only now, long after the program was started."""


@pytest.fixture
def demo(index: LocalIndex, tmp_path: Path) -> Path:
    """An environment with den 1.0, whose modules have its version in them."""
    index.headers = {"Cache-Control": "no-cache"}
    index.add(den(tmp_path, "1.0"))
    made = kaa("create", "-n", "demo", PYTHON, "den", "-y")
    assert made.code == 0, made.err
    index.add(den(tmp_path, "2.0"))
    return root() / "envs" / "demo"


def den(directory: Path, version: str) -> Path:
    modules = ("__init__", "early", "late", "later", "last")
    files = {f"den/{module}.py": f"version = {version!r}\n" for module in modules}
    return build_wheel(directory / "dens", "den", version, files=files)


def update(*arguments: str) -> dict[str, Any]:
    answer = kaa("update", "-n", "demo", "--all", *arguments, "--json")
    assert answer.code == 0, answer.err
    plan = answer.json["plan"]
    assert isinstance(plan, dict)
    return plan


@contextmanager
def program(*command: str | Path) -> Iterator[Any]:
    """Give a function that lets a running program execute a line, and returns what it says."""
    with subprocess.Popen(
        [*map(str, command), "-c", READ],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    ) as process:
        to, of = process.stdin, process.stdout
        assert to is not None
        assert of is not None

        def tell(line: str) -> str:
            to.write(f"{line}\n")
            to.flush()
            return of.readline().strip()

        try:
            yield tell
        finally:
            process.kill()


def test_a_program_keeps_its_generation(demo: Path) -> None:
    with program(*KAA, "run", "-n", "demo", "python") as tell:
        assert tell(LATE.format("early", "early")) == "1.0"
        pid = int(tell("import os; print(os.getpid())"))
        (told,) = update("-y")["processes"]
        assert told == {
            "pid": pid,
            "name": "python",
            "command": "python -c ...",
            "generation": 1,
            "kind": "program",
            "holds": [1],
        }
        assert tell(LATE.format("late", "late")) == "1.0"
        # Also when the change after that is the other way round.
        answer = kaa("install", "-n", "demo", "den<2", "-y")
        assert answer.code == 0, answer.err
        assert "keeps generation 1 and all its files; restart it to use the new" in answer.out
        assert tell(LATE.format("later", "later")) == "1.0"
    again = kaa("install", "-n", "demo", "den>=2", "-y", "--json")
    assert again.json["plan"]["processes"] == []
    with program(*KAA, "run", "-n", "demo", "python") as tell:
        assert tell(LATE.format("late", "late")) == "2.0"


def test_a_program_started_through_the_link_sees_new_files(demo: Path) -> None:
    with program(demo / "bin" / "python") as tell:
        assert tell(LATE.format("early", "early")) == "1.0"
        (told,) = update("--dry-run")["processes"]
        assert (told["generation"], told["kind"]) == (None, "program")
        answer = kaa("update", "-n", "demo", "--all", "-y")
        assert "started through the link, it can see new files at once" in answer.out
        # Which is what the plan warns of.
        assert tell(LATE.format("late", "late")) == "2.0"


def test_a_shell_is_told_apart(demo: Path) -> None:
    environ = {**os.environ, "CONDA_PREFIX": str(demo)}
    with subprocess.Popen(["sh", "-c", "read line; exit"], stdin=subprocess.PIPE, env=environ):
        (told,) = update("--dry-run")["processes"]
        assert (told["kind"], told["generation"]) == ("shell", None)
        answer = kaa("update", "-n", "demo", "--all", "--dry-run")
        assert "what is started in it from now on has the new packages" in answer.out


def test_a_kernel_keeps_its_generation(demo: Path) -> None:
    """A real kernel, started from kaa's kernelspec; its ipykernel is the overlay's."""
    site = site_of(root() / "overlays" / f"cp{MINOR.replace('.', '')}")
    for path in site.glob("ipykernel*"):
        path.unlink() if path.is_file() else shutil.rmtree(path)
    add_ipykernel(site)
    with started("demo") as kernel:
        assert kernel.run(LATE.format("early", "early")) == "1.0"
        answer = kaa("update", "-n", "demo", "--all", "-y", "-v")
        assert answer.code == 0, answer.err
        assert f"kernel {kernel.pid}" in answer.out
        assert "keeps generation 1 and all its files; restart the kernel to use" in answer.out
        assert kernel.run(LATE.format("late", "late")) == "1.0"
        kernel.manager.restart_kernel(now=True)
        kernel.client.wait_for_ready(timeout=300)
        assert kernel.run(LATE.format("late", "late")) == "2.0"
        assert update("--dry-run")["processes"] == [], "there is nothing to do, and to be told"

        # What is typed in a kernel is told of that kernel.
        command = [*KAA, "install", "-n", "demo", "den<2", "--dry-run"]
        code = f"import subprocess; print(subprocess.run({command!r}, capture_output=True).stdout)"
        assert f"kernel {kernel.pid}" in kernel.run(code)


def test_removing_the_environment_tells_of_it(demo: Path) -> None:
    with program(*KAA, "run", "-n", "demo", "python") as tell:
        pid = tell("import os; print(os.getpid())")
        answer = kaa("env", "remove", "-n", "demo", "--dry-run")
    assert f"{pid} python -c ... (its files go, too)" in answer.out
