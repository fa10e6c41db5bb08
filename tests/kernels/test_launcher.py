from __future__ import annotations

import ast
import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from kaa.kernels.installed_launcher import install_launcher, launcher_text, notebook_text
from kaa.kernels.overlay import overlay_prefix
from kaa.kernels.specs import write_kernelspec
from kaa.store.layout import Layout

from .conftest import (
    MINOR,
    Demo,
    Running,
    add_ipykernel,
    make_generation,
    move_into,
    site_of,
    started,
)

pytestmark = pytest.mark.skipif(os.name == "nt", reason="generations are made as on POSIX")


@pytest.fixture(autouse=True)
def shared_home(home: Path, isolated: None, monkeypatch: pytest.MonkeyPatch) -> None:
    """Each test gets a home of its own by default; these share their module's."""
    move_into(home, monkeypatch)


def alive(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    return True


# --- a kernel from the overlay -------------------------------------------------------------


def test_the_kernel_is_the_process_that_jupyter_started(kernel: Running) -> None:
    assert kernel.run("import os; print(os.getpid())") == str(kernel.pid)


def test_the_kernel_runs_through_the_generation(kernel: Running, demo: Demo) -> None:
    executable, prefix = kernel.run("import sys; print(sys.executable); print(sys.prefix)").split(
        "\n"
    )
    assert executable == str(demo.generation / "bin" / "python")
    assert prefix == str(demo.generation)


def test_the_variables_name_the_stable_path(kernel: Running, demo: Demo) -> None:
    names = ["CONDA_PREFIX", "VIRTUAL_ENV", "CONDA_DEFAULT_ENV", "COLOUR"]
    printed = kernel.run(f"import json, os; print(json.dumps([os.environ[n] for n in {names}]))")
    expected = [str(demo.prefix), str(demo.prefix), "demo", "grün; $HOME `id`"]
    assert json.loads(printed) == expected


def test_commands_see_the_environment_first_and_no_overlay(kernel: Running, demo: Demo) -> None:
    assert kernel.run("!command -v python") == str(demo.prefix / "bin" / "python")
    ask = "import importlib.util as u; print(u.find_spec('ipykernel'), u.find_spec('both').name)"
    assert kernel.run(f'!python -c "{ask}"') == "None both"
    assert kernel.run("import os; print('PYTHONPATH' in os.environ)") == "False"


def test_commands_do_not_inherit_the_inline_backend(kernel: Running) -> None:
    # The backend's module is in the overlay, so that matplotlib would fail in a subprocess.
    assert kernel.run("import os; print(os.environ['MPLBACKEND'])").startswith("module://")
    assert kernel.run('!echo "<$MPLBACKEND>"') == "<>"


def test_the_environments_packages_win_over_the_overlays(kernel: Running, overlay: Path) -> None:
    assert kernel.run("import both; print(both.origin)") == "environment"
    last = kernel.run("import sys; print(sys.path[-1])")
    assert last == str(site_of(overlay))
    assert kernel.run("import ipykernel; print(ipykernel.__file__)").startswith(last)


def test_arguments_and_path_are_a_plain_kernels(
    kernel: Running, overlay: Path, demo: Demo, layout: Layout
) -> None:
    prefix = layout.environments / "plain"
    generation = make_generation(prefix)
    add_ipykernel(site_of(generation))
    spec = write_kernelspec("plain", prefix, generation, layout)
    assert spec is not None
    code = (
        "import json, sys, os; print(json.dumps([sys.path, os.path.basename(sys.argv[0]), "
        "len(sys.argv), sys.flags.no_user_site, sorted(n for n in globals() if n[0] != '_')]))"
    )
    ours, *rest = json.loads(kernel.run(code))
    with started(spec.name) as plain:
        theirs, *plain_rest = json.loads(plain.run(code))
        origin = plain.run("import ipykernel; print(ipykernel.__file__)")
    # An environment with its own ipykernel does without the overlay.
    assert Path(origin).is_relative_to(site_of(generation))
    assert str(site_of(overlay)) not in theirs
    renamed = [entry.replace(str(generation), str(demo.generation)) for entry in theirs]
    assert ours == [*renamed, str(site_of(overlay))]
    assert [rest[:3]] == [plain_rest[:3]]
    assert set(rest[3]) - set(plain_rest[3]) <= {"both", "ipykernel", "n"}


def test_an_encrypted_connection_can_be_required(demo: Demo) -> None:
    import zmq
    from ipykernel.kernelspec import get_kernel_dict
    from jupyter_client.manager import KernelManager

    if not (
        "supported_encryption" in get_kernel_dict()["metadata"]
        and KernelManager.class_traits().get("transport_encryption")
        and zmq.has("curve")
    ):
        pytest.skip("this ipykernel or jupyter_client has no encryption")
    with started(demo.spec.name, transport_encryption="required") as running:
        assert running.run("print(1 + 1)") == "2"
        assert running.manager.curve_secretkey


def test_output_that_is_displayed_arrives(kernel: Running) -> None:
    shown = []
    kernel.client.execute_interactive(
        "from IPython.display import HTML; display(HTML('<b>x</b>'))",
        timeout=300,
        output_hook=lambda message: shown.append(message["content"].get("data", {})),
    )
    assert {"text/html": "<b>x</b>"}.items() <= {
        key: value for data in shown for key, value in data.items()
    }.items()


def test_a_file_beside_the_notebook_shadows_nothing_at_start(
    demo: Demo, home: Path, kernel: Running
) -> None:
    shadow = home / "traitlets.py"
    shadow.write_text("raise RuntimeError('the wrong module')\n")
    try:
        with started(demo.spec.name) as running:
            assert running.run("print(1 + 1)") == "2"
    finally:
        shadow.unlink()


def test_interrupt_restart_and_shutdown_reach_the_kernel(demo: Demo) -> None:
    with started(demo.spec.name) as running:
        first = running.pid
        assert running.interrupted() == "KeyboardInterrupt"

        running.run("value = 1")
        running.manager.restart_kernel(now=False)
        running.client.wait_for_ready(timeout=300)
        assert running.run("value").startswith("NameError")
        assert running.run("import os; print(os.getpid())") == str(running.pid)
        second = running.pid
        assert second != first
        assert not alive(first)

        running.manager.shutdown_kernel()
        assert not alive(second)


def test_a_kernel_keeps_its_generation_while_the_link_moves(layout: Layout, overlay: Path) -> None:
    prefix = layout.environments / "changing"
    old = make_generation(prefix)
    (site_of(old) / "answer.py").write_text("value = 1\n")
    spec = write_kernelspec("changing", prefix, old, layout)
    assert spec is not None
    with started(spec.name) as running:
        new = make_generation(prefix, 2)
        (site_of(new) / "answer.py").write_text("value = 2\n")
        assert running.run("import answer; print(answer.value)") == "1"
        # What the kernel starts by name is the environment as it is now.
        assert running.run('!python -c "import answer; print(answer.value)"') == "2"
        running.manager.restart_kernel(now=True)
        running.client.wait_for_ready(timeout=300)
        assert running.run("import answer; print(answer.value)") == "2"


@pytest.mark.network
@pytest.mark.parametrize("minor", ["3.10", "3.13"])
def test_other_interpreters_run_with_an_overlay_of_their_own(
    minor: str, layout: Layout, tmp_path: Path
) -> None:
    import pwd

    versions = Path(pwd.getpwuid(os.getuid()).pw_dir, ".pyenv", "versions")
    python = next(versions.glob(f"{minor}.*/bin/python{minor}"), None)
    if python is None or minor == MINOR:
        pytest.skip(f"there is no other Python {minor} on this machine")
    built = make_generation(overlay_prefix(layout, minor), 1, python, minor)
    command = ["uv", "pip", "install", "-q", "--python", str(built / "bin" / "python"), "ipykernel"]
    subprocess.run([sys.executable, "-m", *command], check=True)
    prefix = tmp_path / "été" / "project"
    generation = make_generation(prefix, 1, python, minor)
    spec = write_kernelspec(None, prefix, generation, layout)
    assert spec is not None
    with started(spec.name) as running:
        code = "import os, sys; print(os.getpid(), '%d.%d' % sys.version_info[:2])"
        assert running.run(code) == f"{running.pid} {minor}"


# --- the launcher as a file ----------------------------------------------------------------


def test_the_launcher_is_one_file_of_old_syntax_and_cheap_imports(layout: Layout) -> None:
    tree = ast.parse(launcher_text(), feature_version=(3, 7))
    imported = {
        alias.name for node in tree.body if isinstance(node, ast.Import) for alias in node.names
    }
    assert imported == {"os", "sys"}
    assert "kaa." not in {
        node.module for node in ast.walk(tree) if isinstance(node, ast.ImportFrom) and node.module
    }
    for text in (launcher_text(), notebook_text()):
        body = ast.parse(text, feature_version=(3, 7)).body
        defined = [node.name for node in body if isinstance(node, ast.FunctionDef | ast.ClassDef)]
        assert len(defined) == len(set(defined)), "modules that become one share their names"


def test_python_keeps_the_launchers_bytecode_and_nothing_stays_on_its_path(
    layout: Layout, demo: Demo
) -> None:
    launcher = install_launcher(layout)
    show = "import sys; print(sys.path, [n for n in sys.modules if n.startswith('kaa')])"
    command = [
        *(str(demo.prefix / "bin" / "python"), "-I", "-S", "-v", str(launcher)),
        *("--prefix", str(demo.prefix), "--overlays", str(layout.overlays), "--run", "kernel"),
        *("--", str(demo.prefix / "bin" / "python"), "-c", show),
    ]
    for _ in range(2):
        done = subprocess.run(command, capture_output=True, text=True, check=True)
        assert str(layout.root) not in done.stdout.replace(str(layout.environments), "")
    read = [line for line in done.stderr.splitlines() if "kaa_launcher" in line]
    assert any(".pyc matches" in line or "code object from" in line for line in read), read
    assert not any("wrote" in line for line in read)


def test_several_versions_write_their_launchers_at_once(tmp_path: Path) -> None:
    own = Layout(tmp_path / "root")
    program = """
import sys
from pathlib import Path
from kaa.kernels import installed_launcher as written
from kaa.store.layout import Layout

own = written.launcher_text()
written.launcher_text = lambda: own + "# " + sys.argv[2]
written._FORGOTTEN = float(sys.argv[3])
for _ in range(50):
    written.install_launcher(Layout(Path(sys.argv[1])))
"""
    writers = [
        subprocess.Popen([sys.executable, "-c", program, str(own.root), version, "60"])
        for version in ("a", "a", "b", "c")
    ]
    command = [sys.executable, "-I", "-S", str(own.launcher), "--prefix", sys.prefix]
    command += ["--overlays", str(own.overlays), "--run", "kernel", "--"]
    command += [str(Path(sys.executable)), "-c", "print('started')"]
    while any(writer.poll() is None for writer in writers):
        if own.launcher.exists():
            done = subprocess.run(command, capture_output=True, text=True, check=False)
            assert (done.returncode, done.stdout, done.stderr) == (0, "started\n", "")
    assert [writer.returncode for writer in writers] == [0] * 4


def test_what_other_versions_left_long_ago_is_deleted(tmp_path: Path) -> None:
    own = Layout(tmp_path / "root")
    for name in ("old", "recent"):
        left = own.startup / name / "kaa_launcher.py"
        left.parent.mkdir(parents=True)
        left.write_text("")
    os.utime(own.startup / "old" / "kaa_launcher.py", (0, 0))
    install_launcher(own)
    kept = {folder.name for folder in own.startup.iterdir()}
    assert "recent" in kept
    assert "old" not in kept
    assert len(kept) == 2


def test_a_damaged_launcher_is_written_again(tmp_path: Path) -> None:
    own = Layout(tmp_path / "root")
    install_launcher(own)
    files = sorted(path for path in own.root.rglob("*.py"))
    before = [file.read_text() for file in files]
    assert len(files) == 3
    files[1].write_text("")
    files[2].unlink()
    install_launcher(own)
    assert [file.read_text() for file in files] == before


def test_without_any_ipykernel_the_reason_is_said(layout: Layout, tmp_path: Path) -> None:
    prefix = tmp_path / "bare"
    make_generation(prefix)
    done = subprocess.run(
        [
            *(str(prefix / "bin" / "python"), "-I", "-S", str(install_launcher(layout))),
            *("--prefix", str(prefix), "--overlays", str(tmp_path / "none"), "--", "-f", "x"),
        ],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 1
    assert f"no kernel overlay for Python {MINOR}" in done.stderr
    assert "install ipykernel" in done.stderr
    assert "Traceback" not in done.stderr
