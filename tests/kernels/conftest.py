"""Environments, an overlay and kernels of this machine's own interpreters, below tmp_path."""

from __future__ import annotations

import os
import sys
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from installed_wheels import with_needs
from kaa.kernels.overlay import overlay_prefix
from kaa.kernels.specs import Kernelspec, write_kernelspec
from kaa.store.layout import Layout

if TYPE_CHECKING:
    from collections.abc import Iterator

MINOR = f"{sys.version_info[0]}.{sys.version_info[1]}"
BASE_PYTHON = Path(sys.executable).resolve()


def make_generation(
    prefix: Path, number: int = 1, python: Path = BASE_PYTHON, minor: str = MINOR
) -> Path:
    """Make a generation as a virtual environment is made, and let the link point to it."""
    generation = prefix.parent / ".kaa" / prefix.name / str(number)
    for folder in ("bin", f"lib/python{minor}/site-packages", "conda-meta"):
        (generation / folder).mkdir(parents=True)
    (generation / "bin" / "python").symlink_to(python)
    (generation / "bin" / f"python{minor}").symlink_to("python")
    (generation / "pyvenv.cfg").write_text(f"home = {python.parent}\nversion = {minor}.0\n")
    link = prefix.with_name(f"{prefix.name}.new")
    link.symlink_to(Path(".kaa", prefix.name, str(number)))
    link.replace(prefix)
    return generation


def site_of(generation: Path, minor: str = MINOR) -> Path:
    return generation / "lib" / f"python{minor}" / "site-packages"


def add_ipykernel(site: Path) -> None:
    """Put the ipykernel that these tests run with, and what it needs, into a site-packages."""
    for distribution in with_needs("ipykernel"):
        tops = {file.parts[0] for file in distribution.files or ()} - {"..", "__pycache__"}
        for top in tops:
            if not (site / top).exists():
                (site / top).symlink_to(Path(str(distribution.locate_file(top))))


@dataclass
class Running:
    """A kernel under plain jupyter_client."""

    manager: Any
    client: Any

    @property
    def pid(self) -> int:
        return int(self.manager.provisioner.pid)

    def run(self, code: str) -> str:
        """Execute code; return what it printed, or the error's name and value."""
        printed = []

        def collect(message: dict[str, Any]) -> None:
            if message["msg_type"] == "stream":
                printed.append(message["content"]["text"])

        reply = self.client.execute_interactive(code, timeout=300, output_hook=collect)
        if reply["content"]["status"] == "error":
            return f"{reply['content']['ename']}: {reply['content']['evalue']}"
        return "".join(printed).replace("\r\n", "\n").strip()

    def interrupted(self) -> str:
        """Interrupt code that runs for ever; return the name of the error that ended it."""
        endless = "import time; print('on', flush=True)\nwhile True: time.sleep(0.05)"
        request = self.client.execute(endless)
        while self.client.get_iopub_msg(timeout=300)["msg_type"] != "stream":
            continue
        self.manager.interrupt_kernel()
        return str(self.reply(request)["ename"])

    def reply(self, request: str) -> dict[str, Any]:
        """Wait for the reply to a request; return its content."""
        while True:
            # A slow start has more questions than one, whose answers may still be to come.
            reply = self.client.get_shell_msg(timeout=300)
            if reply["parent_header"].get("msg_id") == request:
                content: dict[str, Any] = reply["content"]
                return content


@contextmanager
def started(name: str, **options: str) -> Iterator[Running]:
    from jupyter_client.manager import start_new_kernel

    manager, client = start_new_kernel(300, name, **options)
    try:
        yield Running(manager, client)
    finally:
        client.stop_channels()
        manager.shutdown_kernel(now=True)


@contextmanager
def run_kernel(manager: Any, **options: Any) -> Iterator[Running]:
    """Start the kernel of a ``KernelManager``, and shut it down in the end."""
    manager.start_kernel(**options)
    client = manager.client()
    client.start_channels()
    try:
        client.wait_for_ready(timeout=300)
        yield Running(manager, client)
    finally:
        client.stop_channels()
        manager.shutdown_kernel(now=True)


def move_into(home: Path, patch: pytest.MonkeyPatch) -> None:
    """Let no setting or kernel of this machine be seen, and ``home`` be the user's."""
    for name in [*os.environ]:
        if name.startswith(("JUPYTER", "IPYTHON", "CONDA")):
            patch.delenv(name)
    for name in ("PYTHONPATH", "VIRTUAL_ENV", "MPLBACKEND"):
        patch.delenv(name, raising=False)
    patch.setenv("HOME", str(home))
    patch.setenv("JUPYTER_DATA_DIR", str(home / "jupyter"))
    patch.setenv("JUPYTER_RUNTIME_DIR", str(home / "run"))
    patch.setenv("IPYTHONDIR", str(home / "ipython"))
    patch.chdir(home)


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """A home for a module's tests: a kernel takes a second to start, so that some share one."""
    # Blanks and other letters, because homes have them.
    directory = tmp_path_factory.mktemp("home") / "Zoë Müller"
    directory.mkdir()
    with pytest.MonkeyPatch.context() as patch:
        move_into(directory, patch)
        yield directory


@pytest.fixture(scope="module")
def layout(home: Path) -> Layout:
    return Layout(home / "kaa root")


@pytest.fixture(scope="module")
def overlay(layout: Layout) -> Path:
    generation = make_generation(overlay_prefix(layout, MINOR))
    add_ipykernel(site_of(generation))
    (site_of(generation) / "both.py").write_text("origin = 'overlay'\n")
    return generation


@dataclass(frozen=True)
class Demo:
    prefix: Path
    generation: Path
    spec: Kernelspec


@pytest.fixture(scope="module")
def demo(layout: Layout, overlay: Path) -> Demo:
    """An environment without ipykernel, and its kernelspec."""
    prefix = layout.environments / "demo"
    generation = make_generation(prefix)
    (site_of(generation) / "both.py").write_text("origin = 'environment'\n")
    state = '{"env_vars": {"COLOUR": "grün; $HOME `id`"}}'
    (generation / "conda-meta" / "state").write_text(state, encoding="utf-8")
    spec = write_kernelspec("demo", prefix, generation, layout)
    assert spec is not None
    return Demo(prefix, generation, spec)


@pytest.fixture(scope="module")
def kernel(demo: Demo) -> Iterator[Running]:
    with started(demo.spec.name) as running:
        yield running
