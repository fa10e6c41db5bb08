"""A real Jupyter server: its REST API lists every environment, and starts their kernels."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
import urllib.error
import urllib.request
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

import kaa
from environment_layouts import MINOR, virtual_environment
from kaa.kernels.overlay import overlay_prefix
from kaa.store.layout import default_layout
from kernels.conftest import add_ipykernel, make_generation, move_into, site_of

if TYPE_CHECKING:
    from collections.abc import Iterator

pytestmark = pytest.mark.skipif(os.name == "nt", reason="environments are made as on POSIX")
PATIENCE = 300
"""Seconds: what is late on a busy machine is no mistake."""
CONFIGURATION = Path(__file__).parents[2] / "jupyter-config"
"""What the wheel installs as ``etc/jupyter`` beside the Python that has Jupyter."""


@pytest.fixture(autouse=True)
def home(isolated: None, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    directory = tmp_path / "home"
    move_into(directory, monkeypatch)
    monkeypatch.setenv("PYTHONPATH", str(Path(kaa.__file__).parent.parent))
    monkeypatch.setenv("JUPYTER_CONFIG_PATH", str(CONFIGURATION))
    return directory


class Server:
    """A server on 127.0.0.1 and its REST API."""

    def __init__(self, url: str, token: str, log: Path) -> None:
        self.url, self.token, self.log = url, token, log

    def ask(self, path: str, method: str = "GET", content: Any = None) -> Any:
        """Return what the API answers, parsed."""
        body = None if content is None else json.dumps(content).encode()
        request = urllib.request.Request(f"{self.url}api/{path}", body, method=method)
        request.add_header("Authorization", f"token {self.token}")
        with urllib.request.urlopen(request, timeout=PATIENCE) as answer:
            text = answer.read()
        return json.loads(text) if text else None


@contextmanager
def serving(home: Path, *options: str) -> Iterator[Server]:
    log = home / "server.log"
    runtime = Path(os.environ["JUPYTER_RUNTIME_DIR"])
    command = [sys.executable, "-m", "jupyter_server", "--no-browser", "--allow-root"]
    command += ["--ServerApp.port=0", "--IdentityProvider.token=secret", *options]
    with log.open("wb") as stream:
        process = subprocess.Popen(command, stdout=stream, stderr=stream, cwd=home)
    try:
        deadline = time.monotonic() + PATIENCE
        while not (found := list(runtime.glob("jpserver-*.json"))):
            assert process.poll() is None and time.monotonic() < deadline, log.read_text()
            time.sleep(0.05)
        server = Server(_url(found[0], deadline), "secret", log)
        while True:
            try:
                server.ask("status")
                break
            except urllib.error.URLError:
                assert process.poll() is None and time.monotonic() < deadline, log.read_text()
                time.sleep(0.05)
        yield server
    finally:
        process.terminate()
        try:
            process.wait(60)
        except subprocess.TimeoutExpired:
            # A server that is stopped in the middle of an answer waits for AnyIO's thread for ever.
            process.kill()
            process.wait()


def _url(file: Path, deadline: float) -> str:
    while time.monotonic() < deadline:
        try:
            return str(json.loads(file.read_text())["url"])
        except (ValueError, KeyError):
            time.sleep(0.05)  # it is being written
    raise AssertionError("the server never said where it is")


def test_every_environment_is_listed_and_its_kernel_starts_and_ends(home: Path) -> None:
    add_ipykernel(site_of(make_generation(overlay_prefix(default_layout(), MINOR))))
    prefix = virtual_environment(home / ".virtualenvs" / "shop", f"{MINOR}.1")
    with serving(home) as server:
        listed = server.ask("kernelspecs")
        assert listed["default"] == "python3"
        assert {"python3", "conda-env-shop-py"} <= set(listed["kernelspecs"])
        kernel = server.ask("kernels", "POST", {"name": "conda-env-shop-py"})
        assert server.ask("kernels")[0]["name"] == "conda-env-shop-py"
        server.ask(f"kernels/{kernel['id']}/interrupt", "POST", {})
        server.ask(f"kernels/{kernel['id']}/restart", "POST", {})
        server.ask(f"kernels/{kernel['id']}", "DELETE")
        assert server.ask("kernels") == []

        virtual_environment(home / ".virtualenvs" / "store", f"{MINOR}.1")
        prefix.rename(prefix.with_name("closed"))
        # What the disk does not say in time is for the next listing.
        deadline = time.monotonic() + PATIENCE
        while "conda-env-shop-py" in (names := set(server.ask("kernelspecs")["kernelspecs"])):
            assert time.monotonic() < deadline
        assert {"conda-env-store-py", "conda-env-closed-py"} <= names


def test_a_manager_that_is_configured_stays(home: Path) -> None:
    virtual_environment(home / ".virtualenvs" / "shop", f"{MINOR}.1")
    chosen = "jupyter_client.kernelspec.KernelSpecManager"
    with serving(home, f"--ServerApp.kernel_spec_manager_class={chosen}") as server:
        names = list(server.ask("kernelspecs")["kernelspecs"])
        assert "python3" in names and "conda-env-shop-py" not in names
        assert "kaa lists no kernels" in server.log.read_text()
