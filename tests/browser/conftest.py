"""Real JupyterLab and Notebook, started as a user starts them, and a browser that looks at them."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import time
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

import kaa
from environment_layouts import MINOR, conda_environment, virtual_environment
from kaa.kernels.overlay import overlay_prefix
from kaa.store.layout import default_layout
from kernels.conftest import add_ipykernel, make_generation, move_into, site_of

if TYPE_CHECKING:
    from collections.abc import Iterator

PROJECT = Path(__file__).parents[2]
CHROMIUM = next(filter(None, map(shutil.which, ("chromium", "chromium-browser"))), None)
_OPTIONS = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--no-proxy-server",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--disable-dev-shm-usage",
]
PATIENCE = 300_000
"""Milliseconds that something in the browser may take: the machine may be busy."""
_NEWS = "@jupyterlab/apputils-extension:announcements"
"""What of JupyterLab asks a server far away for news."""


@dataclass(frozen=True)
class Lab:
    """A running server: its address, its working directory, and the home of its user."""

    url: str
    notebooks: Path
    home: Path

    def address(self, path: str = "") -> str:
        return f"{self.url}lab{path}?token=secret&reset"

    def notebook_address(self, path: str) -> str:
        return f"{self.url}{path}?token=secret"


@pytest.fixture(scope="module")
def lab(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Lab]:
    """JupyterLab, and a user's environments."""
    with _user(tmp_path_factory.mktemp("browser"), "kaa", "lab") as found:
        yield found


@pytest.fixture(scope="module")
def notebook(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Lab]:
    """Notebook 7, and a user's environments."""
    with _user(tmp_path_factory.mktemp("notebook"), "notebook") as found:
        yield found


@contextmanager
def _user(directory: Path, *program: str) -> Iterator[Lab]:
    """Have two virtual environments, one of conda's kind, and one that is broken."""
    home = directory / "home"
    home.mkdir()
    with pytest.MonkeyPatch.context() as patch:
        move_into(home, patch)
        for name, value in _variables(home).items():
            patch.setenv(name, value)
        add_ipykernel(site_of(make_generation(overlay_prefix(default_layout(), MINOR))))
        for name in ("shop", "store"):
            prefix = home / ".virtualenvs" / name
            command = [sys.executable, "-m", "venv", "--without-pip", str(prefix)]
            subprocess.run(command, check=True)
        conda_environment(home / "miniconda3" / "envs" / "work", f"{MINOR}.1")
        broken = virtual_environment(home / ".virtualenvs" / "ill", f"{MINOR}.1") / "bin" / "python"
        broken.unlink()
        broken.symlink_to("/gone/python3")
        settings = home / ".jupyter" / "labconfig" / "page_config.json"
        settings.parent.mkdir(parents=True)
        settings.write_text(json.dumps({"disabledExtensions": {_NEWS: True}}))
        with _serving(home, *program) as url:
            yield Lab(url, home / "notebooks", home)


def _variables(home: Path) -> dict[str, str]:
    return {
        "KAA_ROOT": str(home / "kaa"),
        "PYENV_ROOT": str(home / "none"),
        "PYTHONPATH": str(Path(kaa.__file__).parent.parent),
        "JUPYTER_CONFIG_DIR": str(home / ".jupyter"),
        # What the wheel installs beside the Python that has Jupyter.
        "JUPYTER_CONFIG_PATH": str(PROJECT / "jupyter-config"),
        "JUPYTER_PATH": str(PROJECT / "jupyter-data"),
    }


@contextmanager
def _serving(home: Path, *program: str) -> Iterator[str]:
    (home / "notebooks").mkdir()
    log = home / "server.log"
    command = [sys.executable, "-m", *program, "--no-browser", "--allow-root"]
    command += ["--ServerApp.port=0", "--IdentityProvider.token=secret"]
    with log.open("wb") as stream:
        process = subprocess.Popen(
            command, stdin=subprocess.DEVNULL, stdout=stream, stderr=stream, cwd=home / "notebooks"
        )
    try:
        deadline = time.monotonic() + 300
        while (url := _url(Path(os.environ["JUPYTER_RUNTIME_DIR"]))) is None:
            assert process.poll() is None and time.monotonic() < deadline, log.read_text()
            time.sleep(0.1)
        yield url
    finally:
        process.terminate()
        try:
            process.wait(30)
        except subprocess.TimeoutExpired:
            # A server that is stopped in the middle of an answer waits for AnyIO's thread for ever.
            process.kill()
            process.wait(30)


def _url(runtime: Path) -> str | None:
    for file in runtime.glob("jpserver-*.json"):
        try:
            return str(json.loads(file.read_text())["url"])
        except (ValueError, KeyError):
            return None  # it is being written
    return None


@pytest.fixture(scope="module")
def browser() -> Iterator[Any]:
    """Chromium, driven by playwright."""
    if CHROMIUM is None:
        pytest.skip("there is no Chromium on this machine (Debian: apt-get install chromium)")
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        chromium = playwright.chromium.launch(
            executable_path=CHROMIUM, args=_OPTIONS, timeout=PATIENCE
        )
        yield chromium
        chromium.close()


@pytest.fixture
def page(browser: Any) -> Iterator[Any]:
    """A page in a session of its own."""
    context = browser.new_context(viewport={"width": 1400, "height": 1000})
    context.set_default_timeout(PATIENCE)
    yield context.new_page()
    context.close()
