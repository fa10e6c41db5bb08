"""The first start of a kernel whose ipykernel is to be lent, and has to be fetched first."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import groupby
from pathlib import Path
from typing import TYPE_CHECKING, Any

import nbformat
import psutil
import pytest
from jupyter_client.manager import KernelManager
from nbclient import NotebookClient
from nbclient.exceptions import CellExecutionError

import kaa
from environment_layouts import MINOR
from kaa.environments.prefix import Prefix
from kaa.environments.writer import sole_writer
from kaa.jupyter.manager import KaaKernelSpecManager
from kaa.kernels.overlay import overlay_prefix, overlay_ready
from kaa.store.layout import default_layout
from kernels.conftest import Running, move_into, run_kernel

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from local_index import LocalIndex

pytestmark = pytest.mark.skipif(os.name == "nt", reason="signals are those of POSIX")
NAME = "conda-env-shop-py"


@pytest.fixture(scope="module")
def root(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A root of which the tests share the package cache; none begins with an overlay."""
    return tmp_path_factory.mktemp("kaa")


@pytest.fixture(autouse=True)
def home(
    isolated: None,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    kernel_index: LocalIndex,
    root: Path,
) -> Iterator[Path]:
    directory = tmp_path / "home"
    shutil.rmtree(root / "overlays", ignore_errors=True)
    monkeypatch.setenv("KAA_ROOT", str(root))
    move_into(directory, monkeypatch)
    monkeypatch.setenv("PYTHONPATH", str(Path(kaa.__file__).parent.parent))
    monkeypatch.setenv("PIP_INDEX_URL", kernel_index.url)
    # Short, since a local socket's path is; and seen to be empty at the end.
    with tempfile.TemporaryDirectory(prefix="kaa-test-") as scratch:
        monkeypatch.setenv("TMPDIR", scratch)
        make_environment(directory)
        yield directory
        until(lambda: not os.listdir(scratch))  # noqa: PTH208


def make_environment(home: Path) -> Path:
    prefix = home / ".virtualenvs" / "shop"
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", str(prefix)], check=True)
    return prefix


def until(what: Callable[[], object]) -> None:
    deadline = time.monotonic() + 300
    while not what():
        assert time.monotonic() < deadline
        time.sleep(0.1)


@dataclass
class Kernel(Running):
    """A kernel under jupyter_client, with what is published about a cell."""

    def begin(self, code: str) -> str:
        request: str = self.client.execute(code)
        return request

    def seen(self, request: str, last: str) -> list[dict[str, Any]]:
        """Return what is published in answer to a request, until ``last`` is in one of it."""
        messages = []
        while True:
            message = self.client.get_iopub_msg(timeout=300)
            if message["parent_header"].get("msg_id") == request:
                messages.append(message)
                code = message["msg_type"] == "execute_input"
                if not code and last in str(message["content"]):
                    return messages

    def printed(self, request: str) -> str:
        """Return what is printed from here on in answer to a request, in however many pieces."""
        return text_of(self.seen(request, "'idle'"))

    def run(self, code: str) -> str:
        """Return what is left on the page when code has been run."""
        request = self.begin(code)
        texts: list[str] = []
        for message in self.seen(request, "'idle'"):
            if message["msg_type"] == "clear_output":
                texts.clear()
            texts.append(message["content"].get("text", ""))
        reply = self.reply(request)
        if reply["status"] == "error":
            return f"{reply['ename']}: {reply['evalue']}"
        return "".join(texts).strip()

    def processes(self) -> list[psutil.Process]:
        """Return what runs for the kernel, the process that Jupyter knows first."""
        own = psutil.Process(self.pid)
        return [own, *own.children(recursive=True)]


def text_of(messages: list[dict[str, Any]]) -> str:
    return "".join(each["content"]["text"] for each in messages if each["msg_type"] == "stream")


@contextmanager
def starting(name: str = NAME, **options: Any) -> Iterator[Kernel]:
    kernels = KernelManager(kernel_name=name, kernel_spec_manager=KaaKernelSpecManager(), **options)
    with run_kernel(kernels) as kernel:
        yield Kernel(kernel.manager, kernel.client)


@contextmanager
def nothing_is_built() -> Iterator[None]:
    """Hold up who would build the overlay."""
    with sole_writer(Prefix(overlay_prefix(default_layout(), MINOR)), "a test"):
        yield


def gone(processes: list[psutil.Process]) -> None:
    until(lambda: not any(map(_runs, processes)))


def _runs(process: psutil.Process) -> bool:
    try:
        return bool(process.is_running() and process.status() != psutil.STATUS_ZOMBIE)
    except psutil.NoSuchProcess:
        return False


def notebook(*cells: str) -> Any:
    make: Any = nbformat.v4
    return make.new_notebook(cells=[make.new_code_cell(cell) for cell in cells])


def outputs(notebook: Any) -> list[list[str]]:
    return [
        [each.get("text") or each.data["text/plain"] for each in cell.outputs]
        for cell in notebook.cells
    ]


def run(notebook: Any, **options: Any) -> None:
    kernels = KernelManager(kernel_name=NAME, kernel_spec_manager=KaaKernelSpecManager())
    try:
        NotebookClient(
            notebook, km=kernels, timeout=300, coalesce_streams=True, **options
        ).execute()
    finally:
        kernels.shutdown_kernel(now=True)


def test_a_notebook_has_its_results_and_nothing_else(home: Path) -> None:
    made = notebook("import sys; print(sys.prefix)", "1 + 1")
    run(made)
    assert outputs(made) == [[f"{home}/.virtualenvs/shop\n"], ["2"]]
    assert made.metadata.language_info["name"] == "python"
    assert [cell.execution_count for cell in made.cells] == [1, 2]
    assert overlay_ready(default_layout(), MINOR)


def test_meanwhile_it_answers_and_shows_how_far_it_is(home: Path) -> None:
    with nothing_is_built(), starting() as kernel:
        info = kernel.client.kernel_info(reply=True, timeout=300)["content"]
        assert info["language_info"]["name"] == "python"
        assert info["language_info"]["version"] == MINOR
        assert kernel.client.complete("imp", reply=True, timeout=300)["content"]["matches"] == []

        first, second = kernel.begin("1"), kernel.begin("2")
        seen = kernel.seen(first, "a test")  # whom it waits for
        assert seen[0]["content"] == {"execution_state": "busy"}
        assert all(each["msg_type"] == "stream" for each in seen[1:])
        texts = [each["content"]["text"] for each in seen[1:]]
        assert texts[0].startswith(f"Preparing the shared kernel for Python {MINOR}: ")
        assert all(text.startswith("\rPreparing") for text in texts[1:])
        assert len(texts) < 12

        kernel.manager.interrupt_kernel()
        assert kernel.reply(first)["ename"] == "KeyboardInterrupt"
        assert kernel.reply(second)["status"] == "aborted"
        kernel.seen(first, "idle")
        kernel.seen(second, "idle")

        third = kernel.begin("print(3)")
        kernel.seen(third, "Preparing")
        everyone = kernel.processes()
        assert len(everyone) == 2  # the stand-in, and who builds
    gone(everyone)


def test_held_cells_are_run_in_their_order_and_every_channel_works(home: Path) -> None:
    with starting() as kernel:
        requests = [kernel.begin(f"print({count})") for count in range(3)]
        for count, request in enumerate(requests):
            seen = kernel.seen(request, "idle")
            types = [each["msg_type"] for each in seen]
            # A stream may arrive in pieces.
            kinds = [kind for kind, _ in groupby(each for each in types if each != "clear_output")]
            assert kinds[-4:] == ["status", "execute_input", "stream", "status"]
            assert text_of(seen[types.index("execute_input") :]) == f"{count}\n"
            assert kernel.reply(request)["execution_count"] == count + 1

        assert (
            "import" in kernel.client.complete("imp", reply=True, timeout=300)["content"]["matches"]
        )
        many = kernel.run("for i in range(5000): print(i, flush=True)")
        assert many.splitlines() == [str(i) for i in range(5000)]

        def give(request: dict[str, Any]) -> None:
            assert request["content"]["prompt"] == "name? "
            kernel.client.input("Kaa")

        printed: list[str] = []
        kernel.client.execute_interactive(
            "print(input('name? '))",
            timeout=300,
            stdin_hook=give,
            output_hook=lambda message: printed.append(message["content"].get("text", "")),
        )
        # A stream may arrive in pieces.
        assert "".join(printed) == "Kaa\n"
        kernel.client.hb_channel.unpause()
        until(kernel.client.hb_channel.is_beating)

        assert kernel.interrupted() == "KeyboardInterrupt"


def test_a_signal_reaches_the_kernel_once(home: Path) -> None:
    counting = """
import signal, time
times = []
signal.signal(signal.SIGTERM, lambda *_: times.append(1))
print("begun", flush=True)
until = time.monotonic() + 300
while not times and time.monotonic() < until:
    time.sleep(0.05)
time.sleep(1)  # a second one would come at once
print(len(times))
"""
    with starting() as kernel:
        kernel.run("pass")
        for send in (os.kill, os.killpg):
            request = kernel.begin(counting)
            kernel.seen(request, "begun")
            send(kernel.pid, signal.SIGTERM)
            assert kernel.printed(request).strip() == "1"


def test_after_a_restart_the_kernel_is_the_process_itself(home: Path) -> None:
    own = "import os; print(os.getpid())"
    with starting() as kernel:
        assert kernel.run(own) == str(kernel.processes()[1].pid)
        before = kernel.processes()
        kernel.manager.restart_kernel()
        kernel.client.wait_for_ready(timeout=300)
        gone(before)
        assert kernel.run(own) == str(kernel.pid)


@pytest.mark.parametrize("victim", [0, 1], ids=["what Jupyter started", "the kernel"])
@pytest.mark.parametrize("busy", [False, True], ids=["idle", "deaf"])
def test_when_one_is_killed_none_stays(home: Path, victim: int, busy: bool) -> None:
    with starting() as kernel:
        kernel.run("pass")
        processes = kernel.processes()
        assert len(processes) == 2
        if busy:  # holds Python's lock, so that no thread looks for a parent
            begun = home / "begun"
            deaf = f"import ctypes; open({str(begun)!r}, 'w'); ctypes.PyDLL(None).sleep(1000)"
            kernel.begin(deaf)
            until(begun.exists)
        processes[victim].kill()
        gone(processes)


def test_a_shutdown_leaves_nothing(home: Path) -> None:
    with starting() as kernel:
        assert kernel.run("print(1)") == "1"
        processes = kernel.processes()
        kernel.manager.shutdown_kernel()
        gone(processes)
    with nothing_is_built():
        overlay_prefix(default_layout(), MINOR).unlink()
        with starting() as kernel:
            kernel.seen(kernel.begin("1"), "Preparing")
            processes = kernel.processes()
            kernel.manager.shutdown_kernel()
            gone(processes)


def test_two_at_once_build_it_once(
    home: Path, kernel_index: LocalIndex, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("KAA_ROOT", str(tmp_path / "empty"))
    asked = len(kernel_index.requests)
    with starting() as one, starting() as other:
        requests = [(kernel, kernel.begin("print(6 * 7)")) for kernel in (one, other)]
        for kernel, request in requests:
            seen = kernel.seen(request, "'idle'")
            begun = [each["msg_type"] for each in seen].index("execute_input")
            assert text_of(seen[begun:]) == "42\n"
    wheels = [each.path for each in kernel_index.requests[asked:] if each.path.endswith(".whl")]
    assert any("/ipykernel-" in path for path in wheels)
    assert len(wheels) == len(set(wheels))


def test_without_a_network_the_reason_is_said(
    home: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("KAA_OFFLINE", "1")
    monkeypatch.setenv("KAA_ROOT", str(tmp_path / "empty"))
    made = notebook("1 + 1", "2")
    with pytest.raises(CellExecutionError, match="no shared one could be prepared") as raised:
        run(made)
    said = str(raised.value)
    assert "offline" in said and f"kaa kernels prepare {MINOR}" in said
    assert "pip install ipykernel" in said
    run(made, allow_errors=True)
    assert [[each.ename for each in cell.outputs] for cell in made.cells] == [
        ["KernelCannotStart"],
        ["KernelCannotStart"],
    ]


def test_an_index_that_is_gone(home: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("KAA_ROOT", str(tmp_path / "empty"))
    monkeypatch.setenv("PIP_INDEX_URL", "http://127.0.0.1:9/simple/")
    with starting() as kernel:
        request = kernel.begin("1 + 1")
        content = kernel.reply(request)
        assert content["ename"] == "KernelCannotStart"
        assert "127.0.0.1 cannot be reached" in content["evalue"]
        kernel.manager.interrupt_kernel()
        assert kernel.run("2").startswith("KernelCannotStart")


def test_an_encrypted_connection_stays_one(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    import zmq

    if not (zmq.has("curve") and KernelManager.class_traits().get("transport_encryption")):
        pytest.skip("this jupyter_client has no encryption")
    promising = KaaKernelSpecManager()
    spec = promising.get_kernel_spec(NAME)
    assert "supported_encryption" not in spec.metadata  # the shared kernel is not there yet
    spec.metadata["supported_encryption"] = ["curve"]
    monkeypatch.setattr(KaaKernelSpecManager, "get_kernel_spec", lambda *_: spec)
    with starting(transport_encryption="required") as kernel:
        assert kernel.manager.curve_secretkey
        assert kernel.run("print(6 * 7)") == "42"


def test_the_environment_and_what_it_starts_know_of_no_overlay(home: Path) -> None:
    overlays = str(default_layout().overlays)
    with starting() as kernel:
        code = "import os; print([n for n, v in os.environ.items() if 'overlays' in v])"
        assert kernel.run(code) == "[]"
        ask = "import sys; print([p for p in sys.path if 'overlays' in p])"
        assert kernel.run(f'!python -c "{ask}"') == "[]"
        assert kernel.run(ask.replace("'overlays'", f"'{overlays}'")).startswith(f"['{overlays}")
