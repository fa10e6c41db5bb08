"""The kernel without a language: what clients of every kind make of it, and that none stays."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import nbformat
import psutil
import pytest
from jupyter_client.blocking.client import BlockingKernelClient
from jupyter_client.connect import write_connection_file
from jupyter_client.manager import KernelManager
from nbclient import NotebookClient
from nbclient.exceptions import CellExecutionError

import kaa
from kaa.jupyter.manager import KaaKernelSpecManager
from kernels.conftest import add_ipykernel, move_into, site_of
from ports import own_port

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

pytestmark = pytest.mark.skipif(os.name == "nt", reason="signals and ipc are those of POSIX")
_VERSIONS = Path(os.environ.get("PYENV_ROOT") or Path.home() / ".pyenv") / "versions"
PATIENCE = 300
"""Seconds: what is late on a busy machine is no mistake."""
REASON = "its interpreter cannot run: /gone/python3, which it is made with, is gone"


@pytest.fixture(autouse=True)
def home(isolated: None, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    directory = tmp_path / "home"
    move_into(directory, monkeypatch)
    monkeypatch.setenv("PYTHONPATH", str(Path(kaa.__file__).parent.parent))
    return directory


def fallback(prefix: str, *more: str) -> list[str]:
    told = ["--prefix", prefix, "--reason", REASON]
    return [sys.executable, *more, "-m", "kaa.jupyter.fallback", *told, "-f", "{connection_file}"]


def manager(home: Path, argv: list[str], **options: Any) -> KernelManager:
    directory = home / "jupyter" / "kernels" / "ill"
    directory.mkdir(parents=True)
    content = {"argv": argv, "display_name": "ill", "language": "python"}
    (directory / "kernel.json").write_text(json.dumps(content))
    return KernelManager(kernel_name="ill", **options)


@contextmanager
def client_of(kernels: KernelManager) -> Iterator[Any]:
    kernels.start_kernel()
    client = kernels.client()
    client.start_channels()
    try:
        client.wait_for_ready(timeout=PATIENCE)
        yield client
    finally:
        client.stop_channels()
        kernels.shutdown_kernel(now=True)


def until(what: Callable[[], bool]) -> None:
    deadline = time.monotonic() + PATIENCE
    while not what():
        assert time.monotonic() < deadline
        time.sleep(0.1)


def runs(process: psutil.Process) -> bool:
    try:
        return bool(process.is_running() and process.status() != psutil.STATUS_ZOMBIE)
    except psutil.NoSuchProcess:  # it has ended between the two questions
        return False


def process_of(kernels: Any) -> int:
    return int(kernels.provisioner.pid)


def answer(client: Any, request: str, channel: str = "shell") -> dict[str, Any]:
    """Return the answer to a request; a slow start has had more questions than one."""
    get = client.get_control_msg if channel == "control" else client.get_shell_msg
    while True:
        reply: dict[str, Any] = get(timeout=PATIENCE)
        if reply["parent_header"].get("msg_id") == request:
            return reply


def executed(client: Any) -> dict[str, Any]:
    """Return what becomes of a cell."""
    content: dict[str, Any] = answer(client, client.execute("1 + 1"))["content"]
    return content


def answered(client: Any, code: str) -> str:
    """Return what a kernel's code printed."""
    printed = []

    def collect(message: dict[str, Any]) -> None:
        if message["msg_type"] == "stream":
            printed.append(message["content"]["text"])

    client.execute_interactive(code, timeout=300, output_hook=collect)
    return "".join(printed).strip()


def kinds_of_answer(client: Any, request: str) -> list[str]:
    """Return the types of what is published in answer to a request, until the kernel is idle."""
    kinds: list[str] = []
    while True:
        message = client.get_iopub_msg(timeout=PATIENCE)
        if message["parent_header"].get("msg_id") != request:
            continue
        state = message["content"].get("execution_state")
        kinds.append(state or message["msg_type"])
        if state == "idle":
            return kinds


@pytest.mark.parametrize("transport", ["tcp", "ipc"])
def test_every_request_is_answered(home: Path, transport: str) -> None:
    with client_of(manager(home, fallback("/env"), transport=transport)) as client:
        request = client.execute("1 + 1")
        reply = answer(client, request)
        assert reply["msg_type"] == "execute_reply"
        assert reply["content"]["ename"] == "KernelCannotStart"
        assert reply["content"]["evalue"] == REASON
        assert reply["content"]["execution_count"] == 1
        published = ["busy", "execute_input", "error", "idle"]
        assert kinds_of_answer(client, request) == published

        silent = client.execute("1 + 1", silent=True)
        assert answer(client, silent)["content"]["status"] == "error"
        assert kinds_of_answer(client, silent) == ["busy", "idle"]

        asked = [
            client.kernel_info(),
            client.complete("imp", 3),
            client.inspect("int", 3),
            client.history(raw=True),
            client.comm_info(),
            client.is_complete("for x in y:"),
        ]
        for each in asked:
            reply = answer(client, each)
            assert reply["content"]["status"] == (
                "unknown" if reply["msg_type"] == "is_complete_reply" else "ok"
            )
        unknown = client.session.msg("debug_request", {})
        client.control_channel.send(unknown)
        unknown_id = unknown["header"]["msg_id"]
        assert answer(client, unknown_id, "control")["content"]["status"] == "error"
        ended = answer(client, client.shutdown(restart=True), "control")
        assert ended["content"] == {"status": "ok", "restart": True}


def test_messages_that_nobody_signed_are_not_heard(home: Path) -> None:
    with client_of(manager(home, fallback("/env"))) as client:
        answer(client, client.kernel_info())
        key, client.session.key = client.session.key, b"another"
        forged = client.execute("1 + 1")
        client.shell_channel.socket.send_multipart([b"nonsense"])
        client.session.key = key
        request = client.kernel_info()
        reply = client.get_shell_msg(timeout=PATIENCE)
        assert reply["parent_header"]["msg_id"] == request != forged


def test_an_encrypted_connection(home: Path) -> None:
    import zmq

    traits = KernelManager.class_traits()
    if not (zmq.has("curve") and traits.get("transport_encryption")):
        pytest.skip("this jupyter_client has no encryption")
    kernels = manager(home, fallback("/env"))
    spec = home / "jupyter" / "kernels" / "ill" / "kernel.json"
    promised = {"metadata": {"supported_encryption": ["curve"]}}
    spec.write_text(json.dumps(json.loads(spec.read_text()) | promised))
    kernels.transport_encryption = "required"
    with client_of(kernels) as client:
        assert kernels.curve_secretkey
        assert executed(client)["evalue"] == REASON
        client.hb_channel.unpause()
        until(client.hb_channel.is_beating)


def test_an_interrupt_changes_nothing_and_an_end_leaves_no_process(home: Path) -> None:
    kernels = manager(home, fallback("/env"))
    with client_of(kernels) as client:
        for _ in range(3):
            kernels.interrupt_kernel()
        assert executed(client)["evalue"] == REASON
        first = process_of(kernels)
        kernels.restart_kernel()
        client.wait_for_ready(timeout=PATIENCE)
        second = process_of(kernels)
        assert first != second and not psutil.pid_exists(first)
        os.kill(second, signal.SIGTERM)
        assert psutil.Process(second).wait(PATIENCE) in (0, None)


def test_it_ends_with_the_one_that_started_it(home: Path) -> None:
    file = home / "connection.json"
    names = ("shell", "iopub", "stdin", "hb", "control")
    ports: Any = {f"{name}_port": own_port() for name in names}
    write_connection_file(str(file), ip="127.0.0.1", key=b"key", **ports)
    command = [*fallback("/env")[:-1], str(file)]
    code = (
        "import os, subprocess, sys; os.environ['JPY_PARENT_PID'] = str(os.getpid()); "
        "print(subprocess.Popen(sys.argv[1:], stdout=2).pid, flush=True); sys.stdin.read()"
    )
    parent = subprocess.Popen(
        [sys.executable, "-c", code, *command], stdout=subprocess.PIPE, stdin=subprocess.PIPE
    )
    assert parent.stdout is not None
    kernel = psutil.Process(int(parent.stdout.readline()))
    client = BlockingKernelClient(connection_file=str(file))
    client.load_connection_file()
    client.start_channels(hb=False)  # which would count a slow start as a death
    client.wait_for_ready(timeout=PATIENCE)
    client.stop_channels()
    parent.kill()
    parent.wait()
    until(lambda: not runs(kernel))


def test_it_needs_no_ipykernel_and_nothing_beside_the_notebook(
    home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("zmq", "argparse", "json", "traitlets"):
        (home / f"{name}.py").write_text("raise RuntimeError('the wrong module')\n")
    hidden = home / "hidden"
    hidden.mkdir()
    for name in ("ipykernel", "IPython", "jupyter_server"):
        (hidden / f"{name}.py").write_text("raise ImportError\n")
    monkeypatch.setenv("PYTHONPATH", os.environ["PYTHONPATH"] + os.pathsep + str(hidden))
    with client_of(manager(home, fallback("/env"))) as client:
        assert executed(client)["evalue"] == REASON


def test_a_notebook_that_is_run_fails_with_the_reason(home: Path) -> None:
    manager(home, fallback("/env"))
    make: Any = nbformat.v4
    notebook = make.new_notebook(cells=[make.new_code_cell("1 + 1"), make.new_code_cell("2")])
    with pytest.raises(CellExecutionError, match="To mend it"):
        NotebookClient(notebook, kernel_name="ill", timeout=PATIENCE).execute()
    output = notebook.cells[0].outputs[0]
    assert output.output_type == "error" and output.evalue == REASON
    NotebookClient(notebook, kernel_name="ill", timeout=PATIENCE, allow_errors=True).execute()
    assert [cell.outputs[0].evalue for cell in notebook.cells] == [REASON, REASON]


@pytest.mark.parametrize("version", ["2.7", "3.6", "3.7"])
def test_an_old_python(home: Path, version: str) -> None:
    python = next(iter(sorted(_VERSIONS.glob(f"{version}.*/bin/python"))), None)
    if python is None:
        pytest.skip(f"there is no Python {version} on this machine")
    prefix = home / ".virtualenvs" / "old"
    (prefix / "bin").mkdir(parents=True)
    (prefix / "bin" / "python").symlink_to(python)
    (prefix / "lib" / f"python{version}" / "site-packages").mkdir(parents=True)
    (prefix / "pyvenv.cfg").write_text(f"home = {python.parent}\nversion = {version}.9\n")
    kernels = KernelManager(
        kernel_name="conda-env-old-py", kernel_spec_manager=KaaKernelSpecManager()
    )
    with client_of(kernels) as client:
        content = executed(client)
        assert f"Python {version}.9 is older than 3.8" in content["evalue"]
        text = "\n".join(content["traceback"])
        assert "pip install ipykernel" in text


@pytest.mark.network
@pytest.mark.parametrize(("version", "has_pip"), [("3.6", True), ("3.7", False)])
def test_the_command_that_is_shown_mends_an_old_python(
    home: Path, version: str, has_pip: bool
) -> None:
    python = next(iter(sorted(_VERSIONS.glob(f"{version}.*/bin/python"))), None)
    if python is None:
        pytest.skip(f"there is no Python {version} on this machine")
    prefix = home / ".virtualenvs" / "old"
    more = [] if has_pip else ["--without-pip"]
    subprocess.run([python, "-m", "venv", *more, prefix], check=True)
    kernels = KernelManager(
        kernel_name="conda-env-old-py", kernel_spec_manager=KaaKernelSpecManager()
    )
    with client_of(kernels) as client:
        ways = [line for line in executed(client)["traceback"] if line.startswith("To mend it: ")]
        command = ways[0].removeprefix("To mend it: ")
        subprocess.run(command, shell=True, check=True, capture_output=True)
        kernels.restart_kernel(now=True)
        client.wait_for_ready(timeout=300)
        printed = answered(client, "import sys; print(sys.version)")
        assert printed.startswith(version)


def test_what_is_shown_mends_an_environment_whose_python_is_gone(home: Path) -> None:
    prefix = home / ".virtualenvs" / "torn"
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", prefix], check=True)
    add_ipykernel(site_of(prefix))
    interpreter = prefix / "bin" / "python"
    interpreter.unlink()
    interpreter.symlink_to("/gone/python3")
    kernels = KernelManager(
        kernel_name="conda-env-torn-py", kernel_spec_manager=KaaKernelSpecManager()
    )
    with client_of(kernels) as client:
        assert "/gone/python3" in executed(client)["evalue"]
        kernels.restart_kernel(now=True)
        client.wait_for_ready(timeout=PATIENCE)
        ways = [line for line in executed(client)["traceback"] if line.startswith("To mend it: ")]
        command = ways[0].removeprefix("To mend it: ")
        subprocess.run(command, shell=True, check=True, capture_output=True)
        kernels.restart_kernel(now=True)
        client.wait_for_ready(timeout=PATIENCE)
        assert answered(client, "import sys; print(sys.prefix)") == str(prefix)
        interpreter.unlink()
        kernels.restart_kernel(now=True)
        client.wait_for_ready(timeout=PATIENCE)
        assert executed(client)["status"] == "error", "it is gone once more"


def test_the_reason_comes_for_kernels_of_other_languages(home: Path) -> None:
    prefix = home / ".conda" / "envs" / "stat"
    folder = prefix / "share" / "jupyter" / "kernels" / "ir"
    folder.mkdir(parents=True)
    (prefix / "conda-meta").mkdir()
    argv = ["Rgone", "--slave", "-e", "IRkernel::main()", "--args", "{connection_file}"]
    content = {"argv": argv, "display_name": "R", "language": "R"}
    (folder / "kernel.json").write_text(json.dumps(content))
    kernels = KernelManager(
        kernel_name="conda-env-stat-r", kernel_spec_manager=KaaKernelSpecManager()
    )
    with client_of(kernels) as client:
        assert executed(client)["evalue"] == "its program Rgone is not there"


def test_another_machines_interpreter(home: Path) -> None:
    prefix = home / ".virtualenvs" / "other"
    (prefix / "bin").mkdir(parents=True)
    elf = b"\x7fELF" + bytes([2, 1, 1]) + bytes(9) + bytes([2, 0, 0, 0])
    foreign = bytearray(elf.ljust(64, b"\0"))
    foreign[18] = 22  # s390x
    (prefix / "bin" / "python").write_bytes(bytes(foreign))
    (prefix / "bin" / "python").chmod(0o755)
    (prefix / "pyvenv.cfg").write_text("home = /usr/bin\nversion = 3.12.1\n")
    kernels = KernelManager(
        kernel_name="conda-env-other-py", kernel_spec_manager=KaaKernelSpecManager()
    )
    with client_of(kernels) as client:
        content = executed(client)
        assert "its interpreter is for s390x" in content["evalue"]


def test_an_environment_that_is_gone(home: Path) -> None:
    with client_of(manager(home, fallback(str(home / "gone")))) as client:
        text = "\n".join(executed(client)["traceback"])
        assert "the environment is gone" in text and "kaa kernels list" in text
