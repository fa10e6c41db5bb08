"""Start, interrupt, restart, shut down: again and again, over the REST API, in other languages."""

from __future__ import annotations

import os
import tempfile
import time
from typing import TYPE_CHECKING, Any

import psutil
import pytest
from jupyter_client.blocking.client import BlockingKernelClient

from environment_layouts import MINOR, conda_environment, kernelspec
from jupyter.test_bad_input import home as home
from jupyter.test_bad_input import lend_ipykernel, real_environment, started
from jupyter.test_server import serving
from kaa.kernels.overlay import overlay_prefix
from kaa.store.layout import default_layout

if TYPE_CHECKING:
    from pathlib import Path

pytestmark = pytest.mark.skipif(os.name == "nt", reason="environments are made as on POSIX")

CHILD = """
import subprocess
try:
    subprocess.run(["sh", "-c", "echo on; sleep 600"], check=False)
except KeyboardInterrupt:
    print("interrupted")
"""


def test_restarts_over_the_rest_api_keep_the_activation(home: Path) -> None:
    lend_ipykernel()
    prefix = real_environment(home / ".virtualenvs" / "shop")
    with serving(home) as server:
        kernel = server.ask("kernels", "POST", {"name": "conda-env-shop-py"})["id"]
        for _ in range(3):
            told = value_in(
                home, kernel, "(__import__('os').environ['VIRTUAL_ENV'], 'x' in globals())"
            )
            assert told.split() == [f"('{prefix}',", "False)"]
            server.ask(f"kernels/{kernel}/restart", "POST", {})
        pids = [p.pid for p in psutil.process_iter(["cmdline"]) if kernel in str(p.info["cmdline"])]
        assert pids
        server.ask(f"kernels/{kernel}", "DELETE")
        deadline = time.monotonic() + 300
        while any(map(psutil.pid_exists, pids)) and time.monotonic() < deadline:
            time.sleep(0.1)
        assert not any(map(psutil.pid_exists, pids))


def value_in(home: Path, kernel: str, expression: str) -> str:
    """Return what an expression is in a server's kernel, asked on its shell channel; set x."""
    file = next((home / "run").glob(f"kernel-{kernel}*.json"))
    client: Any = BlockingKernelClient(connection_file=str(file))
    client.load_connection_file()
    client.start_channels()
    try:
        asked = {"value": expression}
        reply = client.execute("", user_expressions=asked, reply=True, timeout=300)
        client.execute("x = 1", reply=True, timeout=300)
        return str(reply["content"]["user_expressions"]["value"]["data"]["text/plain"])
    finally:
        client.stop_channels()


def test_an_interrupt_reaches_the_programs_that_the_code_runs(home: Path) -> None:
    lend_ipykernel()
    real_environment(home / ".virtualenvs" / "shop")
    for running in started("conda-env-shop-py"):
        request = running.client.execute(CHILD)
        deadline = time.monotonic() + 300
        process = psutil.Process(running.pid)
        while not process.children() and time.monotonic() < deadline:
            time.sleep(0.05)
        children = process.children(recursive=True)
        assert children
        running.manager.interrupt_kernel()
        running.reply(request)
        gone, alive = psutil.wait_procs(children, timeout=300)
        assert gone and not alive


def test_another_language_is_interrupted_restarted_and_shut_down(home: Path) -> None:
    lend_ipykernel()
    prefix = conda_environment(home / ".conda" / "envs" / "stat", None)
    (prefix / "bin").mkdir()
    program = prefix / "bin" / "Rish"
    generation = overlay_prefix(default_layout(), MINOR)
    program.write_text(f'#!/bin/sh\nexec {generation}/bin/python -m ipykernel_launcher -f "$1"\n')
    program.chmod(0o755)
    kernelspec(prefix, "rish", argv=["Rish", "{connection_file}"], language="Rish")
    for running in started("conda-env-stat-rish"):
        assert running.interrupted() == "KeyboardInterrupt"
        before = running.pid
        running.manager.restart_kernel(now=True)
        running.client.wait_for_ready(timeout=300)
        where = "import os; print(os.environ['CONDA_PREFIX'])"
        assert running.run(where) == str(prefix)
        last = running.pid
        running.manager.shutdown_kernel()
        assert not psutil.pid_exists(before) and not psutil.pid_exists(last)


@pytest.mark.slow
def test_ten_in_a_row_leave_no_process(home: Path) -> None:
    lend_ipykernel()
    real_environment(home / ".virtualenvs" / "shop")
    pids = []
    # Not over TCP: between a port's being chosen and its being bound, another program may take it.
    with tempfile.TemporaryDirectory(prefix="kaa-") as short:
        for number in range(10):
            options = {"transport": "ipc", "connection_file": f"{short}/{number}.json"}
            for running in started("conda-env-shop-py", **options):
                pids.append(running.pid)
                assert running.interrupted() == "KeyboardInterrupt"
                running.manager.shutdown_kernel()
    assert len(set(pids)) == 10
    assert not any(psutil.pid_exists(pid) for pid in pids)
    mine = str(home / ".virtualenvs")
    left = [p for p in psutil.process_iter(["cmdline"]) if mine in str(p.info["cmdline"])]
    assert left == []
