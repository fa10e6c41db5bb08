"""Kernels that are not ipykernel, each with the program that it is for: R, and xeus-python."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING

import psutil
import pytest

from environment_layouts import conda_environment
from jupyter.test_bad_input import home as home
from jupyter.test_bad_input import started
from kaa.jupyter.manager import KaaKernelSpecManager

if TYPE_CHECKING:
    from kernels.conftest import Running

pytestmark = pytest.mark.skipif(os.name == "nt", reason="environments are made as on POSIX")


def r_program() -> str:
    """Return R where it has its kernel; skip the test where it is not installed."""
    program, script = shutil.which("R"), shutil.which("Rscript")
    if program is None or script is None:
        pytest.skip("R is not installed (Debian: apt-get install r-cran-irkernel)")
    asked = [script, "-e", "library(IRkernel)"]
    if subprocess.run(asked, capture_output=True, check=False).returncode != 0:
        pytest.skip("R has no IRkernel (Debian: apt-get install r-cran-irkernel)")
    return program


def write_kernelspec(prefix: Path) -> None:
    """Have IRkernel write its kernelspec into an environment, as its users do."""
    programs = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
    subprocess.run(
        ["Rscript", "-e", "IRkernel::installspec(prefix = commandArgs(TRUE))", str(prefix)],
        env={**os.environ, "PATH": programs},
        capture_output=True,
        check=True,
    )


@pytest.mark.slow
def test_r_runs_in_its_environment(home: Path) -> None:
    program = r_program()
    prefix = conda_environment(home / ".conda" / "envs" / "stat", None, "r-base-4.4.1-h1")
    (prefix / "bin").mkdir()
    (prefix / "bin" / "R").symlink_to(program)
    (prefix / "conda-meta" / "state").write_text('{"env_vars": {"MODEL": "of \\"stat\\""}}')
    write_kernelspec(prefix)
    spec = KaaKernelSpecManager().get_all_specs()["conda-env-stat-r"]["spec"]
    assert (spec["display_name"], spec["language"]) == ("R [conda env:stat]", "R")

    for running in started("conda-env-stat-r"):
        assert running.run("cat(6 * 7)") == "42"
        assert activated(running, prefix)
        assert running.run('cat(Sys.getenv("MODEL"))') == 'of "stat"'
        assert running.run("stop('no')").rstrip().endswith("no")
        interrupt(running)
        assert running.run("x <- 1; cat('goes on')") == "goes on"
        before = running.pid
        restart(running)
        assert running.run("cat(exists('x'))") == "FALSE"
        assert activated(running, prefix)
        last = running.pid
        running.manager.shutdown_kernel()
        assert not psutil.pid_exists(before) and not psutil.pid_exists(last)


def activated(running: Running, prefix: Path) -> bool:
    said = running.run(
        'cat(Sys.getenv("CONDA_PREFIX"), Sys.getenv("PATH"), Sys.which("R"), sep = "\\n")'
    )
    where, path, program = said.splitlines()
    return (where, program) == (str(prefix), f"{prefix}/bin/R") and path.startswith(
        f"{prefix}/bin:"
    )


def restart(running: Running) -> None:
    """Restart the kernel, and talk to it over new channels.

    On the old ones what it publishes first may be lost: only ipykernel says when they are open.
    """
    running.manager.restart_kernel()
    running.client.stop_channels()
    running.client = running.manager.client()
    running.client.start_channels()
    running.client.wait_for_ready(timeout=300)


def interrupt(running: Running) -> None:
    """Interrupt code that runs for ever, and wait until the kernel has answered."""
    # What is printed is shown before the loop begins, or after its end.
    looping = Path.home() / "looping"
    request = running.client.execute(
        f"repeat {{ file.create({json.dumps(str(looping))}); Sys.sleep(0.05) }}"
    )
    deadline = time.monotonic() + 300
    while not looping.exists():
        assert time.monotonic() < deadline
        time.sleep(0.05)
    running.manager.interrupt_kernel()
    assert running.reply(request)["status"] == "abort"
    # Until it is idle, IRkernel answers everything that comes by "aborted".
    while True:
        message = running.client.get_iopub_msg(timeout=300)
        ours = message["parent_header"].get("msg_id") == request
        if ours and message["content"].get("execution_state") == "idle":
            return


@pytest.mark.network
@pytest.mark.slow
def test_xeus_python_runs_in_its_environment(home: Path) -> None:
    python = f"python={sys.version_info[0]}.{sys.version_info[1]}"
    command = [sys.executable, "-m", "kaa", "create", "-n", "fast", python, "xeus-python"]
    done = subprocess.run([*command, "-y"], capture_output=True, text=True, check=False)
    if "xeus-python" in done.stderr and done.returncode:
        pytest.skip(f"there is no wheel of xeus-python for this machine: {done.stderr}")
    assert done.returncode == 0, done.stderr
    prefix = Path(os.environ["KAA_ROOT"]) / "envs" / "fast"
    spec = KaaKernelSpecManager().get_all_specs()["conda-env-fast-xpython"]["spec"]
    assert spec["language"] == "python" and "conda env:fast" in spec["display_name"]
    for running in started("conda-env-fast-xpython"):
        where = "import os, sys; print(os.path.realpath(sys.prefix), os.environ['VIRTUAL_ENV'])"
        assert running.run(where) == f"{prefix.resolve()} {prefix}"
        assert running.run("print('ipykernel' in sys.modules)") == "False"
        assert running.run("print(get_ipython().__class__.__name__)") == "XPythonShell"
        first = running.pid
        restart(running)
        assert running.run("print('sys' in globals())") == "False"
        running.manager.shutdown_kernel()
        assert not psutil.pid_exists(first)
