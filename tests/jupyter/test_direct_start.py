"""Kernels that the manager starts without the launcher: everything is as with it."""

from __future__ import annotations

import json
import os
import shutil
import sys
import time
from typing import TYPE_CHECKING, Any

import pytest
from jupyter_client.manager import KernelManager

from environment_layouts import MINOR
from jupyter.test_bad_input import home as home
from jupyter.test_bad_input import lend_ipykernel, real_environment
from kaa.jupyter.manager import KaaKernelSpecManager
from kaa.kernels.specs import write_kernelspec
from kaa.store.layout import default_layout
from kernels.conftest import Running, add_ipykernel, make_generation, run_kernel, site_of

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from jupyter_client.kernelspec import KernelSpec

pytestmark = pytest.mark.skipif(os.name == "nt", reason="environments are made as on POSIX")

VARIABLES = "import json, os; print(json.dumps({**os.environ}))"
OF_ONE_START = {"JPY_PARENT_PID", "LINES", "COLUMNS", "SHLVL", "_", "PWD", "OLDPWD"}


def direct(spec: KernelSpec) -> bool:
    """Say whether a kernel would start without the launcher, on a machine that is not too busy."""
    deadline = time.monotonic() + 60
    while "enter_and_start" not in "".join(spec.argv + []):  # noqa: RUF005 - what Jupyter does
        if time.monotonic() > deadline:
            return False
        time.sleep(0.2)
    return True


def spec_of(name: str) -> KernelSpec:
    return KaaKernelSpecManager().get_kernel_spec(name)


def through_launcher(spec: KernelSpec) -> KernelSpec:
    spec.argv = [*spec.argv]
    return spec


def started(spec: KernelSpec, **options: Any) -> Iterator[Running]:
    kernels = KernelManager()
    kernels._kernel_spec = spec
    with run_kernel(kernels, **options) as kernel:
        yield kernel


def variables(running: Running) -> dict[str, str]:
    found: dict[str, str] = json.loads(running.run(VARIABLES))
    return {name: text for name, text in found.items() if name not in OF_ONE_START}


def activation_script(prefix: Path, text: str) -> None:
    folder = prefix / "etc" / "conda" / "activate.d"
    folder.mkdir(parents=True)
    (folder / "own.sh").write_text(text)


def test_who_reads_the_command_gets_the_launchers(home: Path) -> None:
    lend_ipykernel()
    prefix = real_environment(home / ".virtualenvs" / "shop")
    spec = spec_of("conda-env-shop-py")
    assert spec.to_dict()["argv"][:4] == [
        *(sys.executable, "-I", "-S", str(default_layout().launcher))
    ]
    assert json.loads(spec.to_json())["argv"] == [*spec.argv]
    assert direct(spec)
    command = spec.argv + ["--more"]  # noqa: RUF005 - what Jupyter does
    assert command[0] == str(prefix / "bin" / "python")
    assert command[-3:] == ["-f", "{connection_file}", "--more"]
    spec.argv[-1] = "elsewhere"
    assert (spec.argv + [])[-1] == "elsewhere"  # noqa: RUF005


SCRIPTS = {
    "plain": 'export ROOT="$CONDA_PREFIX/x" PATH="$PATH:/more"; unset GOES',
    "early": 'export LD_LIBRARY_PATH=/nowhere PYTHONHASHSEED=7 TZ=Asia/Tokyo PATH="/y:$PATH"',
}


@pytest.mark.parametrize("script", SCRIPTS)
def test_the_variables_are_those_that_the_launcher_sets(
    home: Path, script: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    lend_ipykernel()
    prefix = real_environment(home / ".virtualenvs" / "shop")
    left = real_environment(home / ".virtualenvs" / "left")
    activation_script(prefix, SCRIPTS[script])
    (prefix / "conda-meta").mkdir()
    state = '{"env_vars": {"COLOUR": "grün; $HOME `id` {prefix}"}}'
    (prefix / "conda-meta" / "state").write_text(state, encoding="utf-8")
    (left / "conda-meta").mkdir()
    (left / "conda-meta" / "state").write_text('{"env_vars": {"THEIRS": "1"}}')
    for name, text in {
        "VIRTUAL_ENV": str(left),
        "THEIRS": "1",
        "GOES": "1",
        "CONDA_PREFIX_1": "/x",
        "PATH": f"{left}/bin:{os.environ['PATH']}",
    }.items():
        monkeypatch.setenv(name, text)
    for running in started(through_launcher(spec_of("conda-env-shop-py"))):
        expected = variables(running)
    spec = spec_of("conda-env-shop-py")
    assert direct(spec)
    for _ in range(2):  # what scripts set is found out, then remembered
        for running in started(spec):
            assert variables(running) == expected
            assert running.run("import os; print(os.getpid())") == str(running.pid)
            seen = running.run("import sys, time; print(sys.flags.hash_randomization, time.tzname)")
    assert expected["COLOUR"] == "grün; $HOME `id` {prefix}"
    assert not {"THEIRS", "CONDA_PREFIX_1"} & set(expected)
    if script == "early":
        assert expected["LD_LIBRARY_PATH"] == "/nowhere"
        assert seen == "1 ('JST', 'JST')"
    else:
        assert expected["ROOT"] == f"{prefix}/x" and "GOES" not in expected


def test_variables_that_the_kernel_is_given_count(home: Path) -> None:
    lend_ipykernel()
    prefix = real_environment(home / ".virtualenvs" / "shop")
    spec = spec_of("conda-env-shop-py")
    assert direct(spec)
    given = {**os.environ, "PATH": "/usr/bin:/bin", "MINE": "$HOME"}
    for running in started(spec, env=given):
        found = variables(running)
        assert found["PATH"] == f"{prefix}/bin:/usr/bin:/bin"
        assert found["MINE"] == "$HOME"


def test_a_restart_takes_the_environment_as_it_is_then(home: Path) -> None:
    prefix = default_layout().environments / "own"
    prefix.parent.mkdir(parents=True)
    old = make_generation(prefix)
    add_ipykernel(site_of(old))
    where = "import os, sys; print(sys.prefix, os.environ.get('COLOUR'))"
    spec = spec_of("conda-env-own-py")
    assert direct(spec)
    for running in started(spec):
        assert running.run(where) == f"{old} None"
        new = make_generation(prefix, 2)
        add_ipykernel(site_of(new))
        (new / "conda-meta" / "state").write_text('{"env_vars": {"COLOUR": "red"}}')
        running.manager.restart_kernel(now=True)
        running.client.wait_for_ready(timeout=300)
        assert running.run(where) == f"{new} red"
        assert running.interrupted() == "KeyboardInterrupt"


@pytest.mark.parametrize("broken", ["script", "loader"])
def test_an_interpreter_that_broke_since_is_said_in_the_notebook(home: Path, broken: str) -> None:
    lend_ipykernel()
    prefix = real_environment(home / ".virtualenvs" / "shop")
    spec = spec_of("conda-env-shop-py")
    assert direct(spec)
    for running in started(spec):
        python = prefix / "bin" / "python"
        content = b"#!/gone/sh\n"
        if broken == "loader":
            content = python.read_bytes().replace(b"/lib64/ld-linux", b"/lib64/ld-lonux")
            if b"ld-lonux" not in content[:4096]:
                pytest.skip("this machine's programs name another loader")
        python.unlink()
        python.write_bytes(content)
        python.chmod(0o755)
        running.manager.restart_kernel(now=True)
        running.client.wait_for_ready(timeout=300)
        assert running.run("1 + 1").startswith("KernelCannotStart: ")


def test_the_launcher_starts_what_cannot_be_started_otherwise(
    home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    prefix = real_environment(home / ".virtualenvs" / "shop")
    spec = spec_of("conda-env-shop-py")
    launcher = [*spec.argv]
    assert spec.argv + [] == launcher  # noqa: RUF005 - there is no ipykernel yet
    lend_ipykernel()
    assert direct(spec)
    with monkeypatch.context() as patch:
        patch.setenv("PYTHONHOME", "/nowhere")
        assert spec.argv + [] == launcher  # noqa: RUF005
    shutil.rmtree(default_layout().startup)
    assert spec.argv + [] == launcher  # noqa: RUF005
    shutil.rmtree(prefix)
    assert spec.argv + [] == launcher  # noqa: RUF005


def test_a_kernelspec_on_the_disk_is_started_directly_too(home: Path) -> None:
    layout = default_layout()
    prefix = layout.environments / "own"
    prefix.parent.mkdir(parents=True)
    generation = make_generation(prefix)
    add_ipykernel(site_of(generation))
    written = write_kernelspec("own", prefix, generation, layout)
    assert written is not None
    assert direct(spec_of(written.name))
    file = written.directory / "kernel.json"
    content = json.loads(file.read_text())
    content["env"] = {"COLOUR": "red"}
    content["argv"] += ["--IPKernelApp.exec_lines=found=6*7"]
    file.write_text(json.dumps(content))
    spec = spec_of(written.name)
    assert direct(spec)
    for running in started(spec):
        assert running.run("import os, sys; print(found, os.environ['COLOUR'])") == "42 red"


@pytest.mark.parametrize("way", [lambda spec: spec, through_launcher], ids=["direct", "launcher"])
def test_kaas_own_bytecode_is_kept_also_where_none_is_to_be_written(
    home: Path, way: Callable[[KernelSpec], KernelSpec], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PYTHONDONTWRITEBYTECODE", "1")
    lend_ipykernel()
    prefix = real_environment(home / ".virtualenvs" / "shop")
    (site_of(prefix) / "mine.py").write_text("")
    spec = spec_of("conda-env-shop-py")
    assert direct(spec)
    for running in started(way(spec)):
        assert running.run("import mine, sys; print(sys.dont_write_bytecode)") == "True"
    assert list(default_layout().startup.glob("*/__pycache__/kaa_notebook.*.pyc"))
    assert not (site_of(prefix) / "__pycache__").exists()


def test_another_python_in_the_environment_since(home: Path) -> None:
    lend_ipykernel()
    prefix = real_environment(home / ".virtualenvs" / "shop")
    spec = spec_of("conda-env-shop-py")
    minor = spec.argv.index("--minor") + 1
    assert spec.argv[minor] == MINOR
    spec.argv[minor] = "3.9"  # as it was when the server took note of it
    assert direct(spec)
    for running in started(spec):
        assert running.run("import sys; print(sys.prefix)") == str(prefix)
