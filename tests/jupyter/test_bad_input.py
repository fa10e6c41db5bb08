"""What should not be there, is there no longer, or is shut: listings and kernels go on."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import threading
import time
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from jupyter_client.manager import KernelManager

import kaa
from end_to_end.unprivileged import close_to_writing, open_to_writing, unprivileged
from environment_layouts import MINOR, conda_environment, kernelspec, virtual_environment
from jupyter.test_manager import own
from jupyter.test_server import CONFIGURATION, serving
from kaa.jupyter.manager import KaaKernelSpecManager
from kaa.kernels.overlay import overlay_prefix
from kaa.store.layout import default_layout
from kernels.conftest import Running, add_ipykernel, make_generation, move_into, run_kernel, site_of

if TYPE_CHECKING:
    from collections.abc import Iterator

pytestmark = pytest.mark.skipif(os.name == "nt", reason="environments are made as on POSIX")


@pytest.fixture(autouse=True)
def home(isolated: None, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    directory = tmp_path / "home"
    move_into(directory, monkeypatch)
    monkeypatch.setenv("PYENV_ROOT", str(tmp_path / "none"))
    # A busy machine is no reason to answer with what was there before.
    monkeypatch.setattr("kaa.jupyter.manager._PATIENCE", 300)
    monkeypatch.setenv("PYTHONPATH", str(Path(kaa.__file__).parent.parent))
    monkeypatch.setenv("JUPYTER_CONFIG_PATH", str(CONFIGURATION))
    return directory


def lend_ipykernel() -> None:
    add_ipykernel(site_of(make_generation(overlay_prefix(default_layout(), MINOR))))


def real_environment(prefix: Path) -> Path:
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", str(prefix)], check=True)
    return prefix


def started(name: str, **options: str) -> Iterator[Running]:
    specs = KaaKernelSpecManager()
    kernels = KernelManager(kernel_name=name, kernel_spec_manager=specs, **options)
    with run_kernel(kernels) as kernel:
        yield kernel


def test_kernelspecs_that_are_none(home: Path) -> None:
    on_disk = home / "jupyter" / "kernels"
    for name, text in {
        "notjson": "{",
        "list": "[]",
        "noargv": '{"display_name": "x", "language": "y"}',
        "binary": "\x00\x01",
    }.items():
        (on_disk / name).mkdir(parents=True)
        (on_disk / name / "kernel.json").write_text(text)
        prefix = conda_environment(home / ".conda" / "envs" / f"with-{name}")
        directory = prefix / "share" / "jupyter" / "kernels" / "other"
        directory.mkdir(parents=True)
        (directory / "kernel.json").write_text(text)
    (on_disk / "dangling").symlink_to(home / "nowhere")
    (on_disk / "loop").symlink_to(on_disk / "loop")
    (on_disk / "directory" / "kernel.json").mkdir(parents=True)
    found = KaaKernelSpecManager().get_all_specs()
    assert "python3" in found
    assert {f"conda-env-with-{n}-py" for n in ("notjson", "list", "noargv", "binary")} <= set(found)
    assert not {"notjson", "list", "binary", "dangling", "loop", "directory"} & set(found)
    assert json.dumps(found)


def test_what_is_inside_environments_is_not_removed(home: Path) -> None:
    directory = kernelspec(conda_environment(home / ".conda" / "envs" / "stat", None), "ir")
    made = KaaKernelSpecManager()
    assert made.find_kernel_specs()["conda-env-stat-r"] == str(directory)
    with pytest.raises(KeyError):
        made.remove_kernel_spec("conda-env-stat-r")
    assert (directory / "kernel.json").is_file()
    on_disk = home / "jupyter" / "kernels" / "conda-env-stat-r"
    shutil.copytree(directory, on_disk)
    assert made.remove_kernel_spec("conda-env-stat-r") == str(on_disk)
    assert (directory / "kernel.json").is_file() and not on_disk.exists()


def test_an_environment_that_is_removed_while_its_kernel_runs(home: Path) -> None:
    lend_ipykernel()
    prefix = real_environment(home / ".virtualenvs" / "shop")
    for running in started("conda-env-shop-py"):
        assert running.run("print(6 * 7)") == "42"
        shutil.rmtree(prefix)
        assert running.run("print('goes on')") == "goes on"
        assert "the environment of this kernel is gone" in (said := running.run("!kaa list"))
        assert "Restart the kernel" not in said, "that would not help"
        running.manager.restart_kernel(now=True)
        running.client.wait_for_ready(timeout=300)
        said = running.run("1 + 1")
        assert said == "KernelCannotStart: the environment is gone"


def test_environments_that_come_and_go_while_they_are_listed(home: Path) -> None:
    for number in range(20):
        virtual_environment(home / ".virtualenvs" / f"stays-{number}")
    made = KaaKernelSpecManager()
    stays = {f"conda-env-stays-{number}-py" for number in range(20)}
    over = threading.Event()

    def come_and_go() -> None:
        while not over.is_set():
            for number in range(5):
                prefix = virtual_environment(home / ".virtualenvs" / f"goes-{number}")
                kernelspec(prefix, "ir")
                shutil.rmtree(prefix)

    thread = threading.Thread(target=come_and_go)
    thread.start()
    try:
        for _ in range(50):
            assert stays <= set(made.get_all_specs())
    finally:
        over.set()
        thread.join()
    assert own(made.get_all_specs()) == stays


@pytest.mark.parametrize("name", ["Zürich", "データ", "two words", "semi;colon", "-x"])
def test_names_of_all_kinds(home: Path, name: str) -> None:
    lend_ipykernel()
    prefix = real_environment(home / ".virtualenvs" / name)
    specs = KaaKernelSpecManager().get_all_specs()
    [(kernel, found)] = [
        (each, spec)
        for each, spec in specs.items()
        if spec["spec"]["metadata"].get("conda_env_path") == str(prefix)
    ]
    assert name in found["spec"]["display_name"]
    assert kernel.isascii()
    command = [sys.executable, "-m", "kaa", "kernels"]
    listed = subprocess.run([*command, "list", "--json"], capture_output=True, check=True)
    assert kernel in {each["id"] for each in json.loads(listed.stdout)["kernels"]}
    subprocess.run([*command, "sync", "-q"], check=True)
    on_disk = [
        json.loads(file.read_text(encoding="utf-8"))
        for file in (home / "jupyter" / "kernels").glob("*/kernel.json")
    ]
    assert str(prefix) in {spec["metadata"]["conda_env_path"] for spec in on_disk}
    for running in started(kernel):
        assert running.run("import os; print(os.environ['VIRTUAL_ENV'])") == str(prefix)


LIST = """
import sys
from kaa.jupyter.__main__ import main
sys.argv[1:] = ["list", "--json"]
main()
"""


def test_many_processes_list_at_once(home: Path) -> None:
    for number in range(20):
        virtual_environment(home / ".virtualenvs" / f"shop-{number}")
    command = [sys.executable, "-c", LIST]
    running = [
        subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE) for _ in range(4)
    ]
    expected = {f"conda-env-shop-{number}-py" for number in range(20)}
    for process in running:
        out, err = process.communicate(timeout=300)
        assert process.returncode == 0, err.decode()
        assert expected <= set(json.loads(out)["kernelspecs"])
    index = default_layout().metadata / "environments.json"
    assert len(json.loads(index.read_text())["prefixes"]) >= 20
    assert [path.name for path in index.parent.glob(".environments*")] == []


def test_nothing_can_be_written_anywhere(home: Path) -> None:
    virtual_environment(home / ".virtualenvs" / "shop", f"{MINOR}.1")
    shut = virtual_environment(home / ".virtualenvs" / "shut", f"{MINOR}.1")
    (home / "jupyter").mkdir()
    default_layout().root.mkdir()
    closed = (home, default_layout().root)
    for directory in closed:
        close_to_writing(directory)
    shut.chmod(0)
    try:
        command = [*unprivileged(), sys.executable, "-c", LIST]
        done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=300)
        assert done.returncode == 0, done.stderr
        assert "Traceback" not in done.stderr
        found = json.loads(done.stdout)["kernelspecs"]
        assert {"python3", "conda-env-shop-py", "conda-env-shut-py"} <= set(found)
        title = found["conda-env-shut-py"]["spec"]["display_name"]
        assert "cannot run" in title
    finally:
        shut.chmod(0o755)
        for directory in closed:
            open_to_writing(directory)


DEAD = """
import os, threading
from kaa.environments import discovery
answer, never = discovery.directories_in, threading.Event()
def look(path):
    if path.endswith(".virtualenvs"):
        never.wait()  # as a network mount whose server is gone
    return answer(path)
discovery.directories_in = look
"""


def test_a_dead_mount_does_not_hold_up_a_server(home: Path) -> None:
    virtual_environment(home / ".venvs" / "near", f"{MINOR}.1")
    virtual_environment(home / ".virtualenvs" / "far", f"{MINOR}.1")
    settings = home / "settings"
    settings.mkdir()
    (settings / "jupyter_server_config.py").write_text(DEAD)
    option = f"--ServerApp.config_file={settings / 'jupyter_server_config.py'}"
    with serving(home, option) as server:
        waits: list[float] = []
        over = threading.Event()

        def watch() -> None:
            while not over.is_set():
                begun = time.monotonic()
                server.ask("status")
                waits.append(time.monotonic() - begun)

        watching = threading.Thread(target=watch)
        watching.start()
        lists = []
        try:
            for _ in range(10):
                begun = time.monotonic()
                found = set(server.ask("kernelspecs")["kernelspecs"])
                lists.append(time.monotonic() - begun)
                assert "conda-env-near-py" in found and "conda-env-far-py" not in found
        finally:
            over.set()
            watching.join()
        # A busy machine is slow in all of them; one that hangs is in each listing.
        assert sorted(lists)[5] < 1
        assert sorted(waits)[len(waits) // 2] < 0.5
