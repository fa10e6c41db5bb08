"""Kernels: listing those of a hundred environments, and starting them, in this very process."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import tempfile
import time
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from contest import AbsentError, BenchError, Sample, Samples
from table import Group, Row, Unit

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from workplace import Workplace

_MINOR = f"{sys.version_info.major}.{sys.version_info.minor}"
_EACH = 20
"""Environments of each of the five makers."""
_STARTS = 3
"""How many times more often kernels are started: one start varies by a tenth."""
_LISTINGS = 6
_IN_A_ROW = 50


def _listing(place: Workplace, repetitions: int) -> dict[str, Samples]:
    from jupyter_client.kernelspec import KernelSpecManager

    with _at_home(place.root / "many", with_pyenv=False) as home:
        _make_environments(home)
        kernels = home / "jupyter" / "kernels"
        from traitlets.config import Config

        from kaa.jupyter.manager import KaaKernelSpecManager

        roots = {"roots": [str(home / "work")]}
        ours = KaaKernelSpecManager(config=Config({"KaaKernelSpecManager": roots}))
        found = ours.get_all_specs()
        environments = [spec for spec in found.values() if "kaa" in spec["spec"]["metadata"]]
        if len(environments) < 5 * _EACH:
            raise BenchError(f"{len(environments)} kernels were found, not {5 * _EACH}")
        index = home / "kaa" / "cache" / "environments.json"
        time.sleep(3)  # what is younger than the grain of time stamps is read again every time
        cold, warm, disk = [], [], []
        for _ in range(repetitions * _LISTINGS):
            index.unlink(missing_ok=True)
            cold.append(_timed(ours.get_all_specs))
            warm.append(_timed(ours.get_all_specs))
            _write_kernelspecs(kernels, environments)
            # Jupyter's own manager, with the same hundred kernelspecs on the disk
            plain = KernelSpecManager()
            disk.append(_timed(plain.get_all_specs))
            shutil.rmtree(kernels)
        return {"kaa": tuple(warm), "cold": tuple(cold), "other": tuple(disk)}


def _write_kernelspecs(kernels: Path, specs: list[dict[str, Any]]) -> None:
    for number, each in enumerate(specs):
        folder = kernels / f"kernel-{number}"
        folder.mkdir(parents=True)
        spec = {key: text for key, text in each["spec"].items() if key != "kernel_protocol_version"}
        # Without the mark, or kaa would find them.
        spec["metadata"] = {k: v for k, v in spec["metadata"].items() if k != "kaa"}
        (folder / "kernel.json").write_text(json.dumps(spec))


def _make_environments(home: Path) -> None:
    """Make a hundred of five makers, of which conda's and pixi's have 300 records each."""
    for number in range(_EACH):
        _conda(home / "miniforge3" / "envs" / f"science{number}", number)
        pixi = home / "work" / f"project{number}" / ".pixi" / "envs" / "default"
        _conda(pixi, number)
        (pixi / "conda-meta" / "pixi").write_text("{}")
        _virtual(home / ".virtualenvs" / f"shop{number}")
        _virtual(home / ".local" / "share" / "uv" / "tools" / f"tool{number}", "uv = 0.9.0\n")
        generation = home / "kaa" / "envs" / ".kaa" / f"own{number}" / "1"
        _virtual(generation)
        (generation / "conda-meta" / "kaa").mkdir(parents=True)
        (generation / "conda-meta" / "kaa" / "manifest.json").write_text("{}")
        link = home / "kaa" / "envs" / f"own{number}"
        link.symlink_to(Path(".kaa", f"own{number}", "1"))


def _conda(prefix: Path, number: int) -> None:
    records = prefix / "conda-meta"
    records.mkdir(parents=True)
    (records / "history").write_text("")
    (records / f"python-{_MINOR}.7-h1234_0_cpython.json").write_text("{}")
    for each in range(300):
        (records / f"package{each}-1.{each}-h{each:08x}_0.json").write_text("{}")
    _interpreter(prefix)
    for name, language in (("python3", "python"), ("ir", "R"))[: 1 + number % 2]:
        folder = prefix / "share" / "jupyter" / "kernels" / name
        folder.mkdir(parents=True)
        argv = [str(prefix / "bin" / language), "{connection_file}"]
        content = {"argv": argv, "display_name": language, "language": language}
        (folder / "kernel.json").write_text(json.dumps(content))


def _virtual(prefix: Path, more: str = "") -> None:
    prefix.mkdir(parents=True)
    home = Path(sys.executable).resolve().parent
    (prefix / "pyvenv.cfg").write_text(f"home = {home}\nversion = {_MINOR}.0\n{more}")
    _interpreter(prefix)


def _interpreter(prefix: Path) -> None:
    (prefix / "bin").mkdir()
    (prefix / "bin" / "python").symlink_to(Path(sys.executable).resolve())
    (prefix / "lib" / f"python{_MINOR}" / "site-packages").mkdir(parents=True)


def _starts(place: Workplace, repetitions: int) -> dict[str, Samples]:
    """Start the kernels of two environments with ipykernel and one without, and plain ones."""
    with _at_home(place.root / "starts") as home:
        prefix = home / ".virtualenvs" / "with"
        kaas = _environments_to_start(place, home)
        from kaa.jupyter.manager import KaaKernelSpecManager

        manager = KaaKernelSpecManager()
        plain = _plain(prefix)
        own_plain = _plain(kaas)
        contestants: dict[str, Callable[[], Any]] = {
            "other": lambda: plain,
            "kaa": lambda: manager.get_kernel_spec("conda-env-with-py"),
            "other kaa's": lambda: own_plain,
            "kaa's": lambda: manager.get_kernel_spec("conda-env-own-py"),
            "lent": lambda: manager.get_kernel_spec("conda-env-without-py"),
            "launched": lambda: _through_launcher(manager.get_kernel_spec("conda-env-with-py")),
        }
        for spec in contestants.values():
            _start(spec())
        rounds = [
            {name: _start(spec()) for name, spec in contestants.items()}
            for _ in range(repetitions * _STARTS)
        ]
    return {name: tuple(each[name] for each in rounds) for name in contestants}


def _environments_to_start(place: Workplace, home: Path) -> Path:
    """Make them, bytecode and all; return the prefix of kaa's own."""
    python = str(place.interpreter)
    for name, packages in (("with", ["ipykernel"]), ("without", [])):
        prefix = str(home / ".virtualenvs" / name)
        _run(place.uv, "venv", "-q", "--python", python, prefix)
        if packages:
            install = ("pip", "install", "-q", "--compile-bytecode", "--python", prefix)
            _run(place.uv, *install, *packages)
    command = (*place.kaa, "create", "-y", "-q", "-c", "pypi", place.python_spec)
    _run(*command, "-n", "lender")  # builds the overlay
    _run(*command, "-n", "own", "ipykernel")
    for name in ("lender", "own"):
        shutil.rmtree(home / "jupyter" / "kernels" / name, ignore_errors=True)
    for folder in (home / "kaa" / "envs" / "own", home / "kaa" / "overlays"):
        compiled = [python, "-m", "compileall", "-q", str(folder) + os.sep]
        subprocess.run(compiled, check=False, stdout=subprocess.DEVNULL)
    return home / "kaa" / "envs" / "own"


def _run(*command: str) -> None:
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode:
        raise BenchError(f"{' '.join(command)} failed:\n{done.stderr}")


def _plain(prefix: Path) -> Any:
    from jupyter_client.kernelspec import KernelSpec

    python = str(prefix / "bin" / "python")
    argv = [python, "-m", "ipykernel_launcher", "-f", "{connection_file}"]
    return KernelSpec(argv=argv, display_name="plain", language="python")


def _through_launcher(spec: Any) -> Any:
    """Return a kernelspec of the manager's as a kernelspec on the disk is."""
    spec.argv = [*spec.argv]
    return spec


def _start(spec: Any) -> Sample:
    """Start a kernel of a kernelspec; from the start to its first answer."""
    import zmq
    from jupyter_client.manager import KernelManager

    # ZeroMQ tries a port that nobody listens at ten times a second; a kernel's start is to be
    # measured more finely than that.
    context = zmq.Context()
    context.reconnect_ivl = 1
    kernels = KernelManager(context=context)
    kernels._kernel_spec = spec
    begun = time.perf_counter()
    kernels.start_kernel()
    client = kernels.client()
    client.context = context
    client.start_channels()
    try:
        client.wait_for_ready(timeout=120)
        return Sample(time.perf_counter() - begun, 0.0)
    finally:
        client.stop_channels()
        kernels.shutdown_kernel(now=True)


def _in_a_row(place: Workplace, _: int) -> dict[str, Samples]:
    """Start, interrupt and shut down fifty kernels; raise unless all go well and nothing is left.

    They take turns: an environment with ipykernel, and one without.
    """
    import psutil

    with (
        _at_home(place.root / "row") as home,
        tempfile.TemporaryDirectory(prefix="kaa-") as short,
    ):
        _environments_to_start(place, home)
        from jupyter_client.manager import KernelManager

        from kaa.jupyter.manager import KaaKernelSpecManager

        manager = KaaKernelSpecManager()
        before = {process.pid for process in psutil.Process().children(recursive=True)}
        samples = []
        for number in range(_IN_A_ROW):
            name = ("conda-env-with-py", "conda-env-without-py")[number % 2]
            # Not over TCP: between a port's being chosen and bound, another program may take it.
            file = f"{short}/{number}.json"
            kernels = KernelManager(
                kernel_name=name,
                kernel_spec_manager=manager,
                transport="ipc",
                connection_file=file,
            )
            begun = time.perf_counter()
            kernels.start_kernel()
            client = kernels.client()
            client.start_channels()
            client.wait_for_ready(timeout=120)
            _interrupt(kernels, client)
            client.stop_channels()
            kernels.shutdown_kernel()
            samples.append(Sample(time.perf_counter() - begun, 0.0))
        mine = str(home)
        left = [
            process.pid
            for process in psutil.process_iter(["cmdline"])
            if mine in " ".join(process.info["cmdline"] or ()) and process.pid not in before
        ]
        if left:
            raise BenchError(f"{len(left)} processes are left")
    return {"kaa": tuple(samples), "other": tuple(samples)}


def _interrupt(kernels: Any, client: Any) -> None:
    request = client.execute("print('on', flush=True)\nimport time\nwhile True: time.sleep(0.05)")
    while client.get_iopub_msg(timeout=120)["msg_type"] != "stream":
        continue
    kernels.interrupt_kernel()
    while True:
        reply = client.get_shell_msg(timeout=120)
        if reply["parent_header"].get("msg_id") == request:
            if reply["content"].get("ename") != "KeyboardInterrupt":
                raise BenchError(f"the kernel was not interrupted: {reply['content']}")
            return


@contextmanager
def _at_home(home: Path, *, with_pyenv: bool = True) -> Iterator[Path]:
    """Let this process have another home; kaa's manager and kernels go by its variables."""
    if os.name == "nt":
        raise AbsentError("the environments are made as on POSIX")
    left_out = ("CONDA", "IPYTHON", "JUPYTER", "KAA_", "PYENV_", "VIRTUAL_ENV", "XDG_")
    before, directory = dict(os.environ), Path.cwd()
    pyenv = os.environ.get("PYENV_ROOT") or str(Path.home() / ".pyenv")
    home.mkdir(parents=True)
    for name in [*os.environ]:
        if name.startswith(left_out):
            del os.environ[name]
    os.environ.update(
        HOME=str(home),
        KAA_ROOT=str(home / "kaa"),
        JUPYTER_DATA_DIR=str(home / "jupyter"),
        JUPYTER_RUNTIME_DIR=str(home / "run"),
        IPYTHONDIR=str(home / "ipython"),
        PYENV_ROOT=pyenv if with_pyenv else str(home / "none"),
    )
    os.chdir(home)
    try:
        yield home
    finally:
        os.chdir(directory)
        os.environ.clear()
        os.environ.update(before)


def _timed(work: Callable[[], object]) -> Sample:
    used, begun = time.process_time(), time.perf_counter()
    work()
    return Sample(time.perf_counter() - begun, time.process_time() - used)


_JUPYTERS = "Jupyter's own manager, 100 kernelspecs"
_LAUNCHER = "python -m ipykernel_launcher"
_ON_DISK = "kernel of a venv through the launcher, start to ready"
_OVERLAY = "kernel of a venv without ipykernel, start to ready"
GROUPS = (
    Group(
        "kernels-list",
        "kernels",
        (
            Row("kernels-warm", "kernelspecs of 100 environments", _JUPYTERS, 0.020, Unit.TIME),
            Row(
                "kernels-cold", "the same, cold index", _JUPYTERS, 0.300, Unit.TIME, "cold", "other"
            ),
        ),
        _listing,
    ),
    Group(
        "kernels-start",
        "kernels",
        (
            Row("start-venv", "kernel of a venv, start to ready", _LAUNCHER, 1.03),
            Row("start-venv-more", "the same", _LAUNCHER, 0.025, Unit.EXCESS),
            Row(
                *("start-own", "kernel of kaa's own environment, start to ready", _LAUNCHER, 1.03),
                ours="kaa's",
                theirs="other kaa's",
            ),
            Row(
                *("start-own-more", "the same", _LAUNCHER, 0.025, Unit.EXCESS),
                ours="kaa's",
                theirs="other kaa's",
            ),
            Row("start-lent", _OVERLAY, "with its own, plain", None, ours="lent"),
            Row("start-disk", _ON_DISK, _LAUNCHER, None, ours="launched"),
        ),
        _starts,
    ),
    Group(
        "kernels-row",
        "kernels",
        (Row("kernels-row", "start, interrupt, shut down a kernel, 50 in a row", "", None),),
        _in_a_row,
    ),
)
