"""Packages from inside a notebook: real kernels in real environments, an index on 127.0.0.1."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

import nbformat
import pytest

from end_to_end.machine import MINOR, PYTHON, home, kaa, kernels, root
from kernels.conftest import Running, add_ipykernel, site_of, started
from local_index import Fault
from wheels import build_wheel

if TYPE_CHECKING:
    from collections.abc import Iterator

    from local_index import LocalIndex

pytestmark = pytest.mark.skipif(os.name == "nt", reason="environments are made as on POSIX")
SPECIFICS = "import importlib.metadata as m; print(m.version({!r}))"


@pytest.fixture
def demo(index: LocalIndex, tmp_path: Path) -> Path:
    """An environment with bear and fur 2.1, and an index that has moved on since."""
    index.headers = {"Cache-Control": "no-cache"}
    prefix = tmp_path / "my work" / "été"
    made = kaa("create", "-p", prefix, "-c", "pypi", PYTHON, "bear", "-y")
    assert made.code == 0, made.err
    site = site_of(root() / "overlays" / f"cp{MINOR.replace('.', '')}")
    for path in site.glob("ipykernel*"):
        path.unlink() if path.is_file() else shutil.rmtree(path)
    add_ipykernel(site)
    wheels = tmp_path / "newer"
    index.add(build_wheel(wheels, "fur", "2.2"))
    index.add(build_wheel(wheels, "wolf", requires=["fur"], console_scripts={"howl": "wolf:main"}))
    index.add(build_wheel(wheels, "cat"))
    index.add(build_wheel(wheels, "dog"))
    index.add(build_wheel(wheels, "impossible", requires=["fur>9"]))
    for name in ("a", "b"):
        index.add(build_wheel(wheels, f"zoo-{name}", files={f"zoo/{name}.py": "here = True\n"}))
    return prefix


@pytest.fixture
def kernel(demo: Path) -> Iterator[Running]:
    (name,) = kernels()
    with started(name) as running:
        yield running


def names(prefix: Path) -> set[str]:
    return {each["name"] for each in json.loads(kaa("list", "-p", prefix, "--json").out)}


def test_what_is_installed_is_imported_without_a_restart(kernel: Running, demo: Path) -> None:
    assert kernel.run("import fur, bear; print(fur.__version__)") == "2.1"
    said = kernel.run("%kaa install wolf")
    assert "you asked for wolf" in said, "the plan is shown"
    assert "Changed été" in said
    assert said.endswith("No restart is needed.")
    assert "Running in it now" not in said
    assert kernel.run("import wolf; print(wolf.__version__)") == "1.0"
    assert kernel.run(SPECIFICS.format("wolf")) == "1.0"
    points = "sorted(e.name for e in m.entry_points().select(group='console_scripts'))"
    assert "howl" in kernel.run(f"import importlib.metadata as m; print({points})")
    assert kernel.run("!command -v howl") == str(demo / "bin" / "howl")
    code = "import sys, subprocess; print(subprocess.run([sys.executable, '-c', 'import wolf']))"
    assert "returncode=0" in kernel.run(code)

    # Parts of a namespace package, the second one after the first was imported.
    assert kernel.run("%kaa install zoo-a").endswith("No restart is needed.")
    assert kernel.run("from zoo.a import here; print(here)") == "True"
    assert kernel.run("%kaa install zoo-b").endswith("No restart is needed.")
    assert kernel.run("from zoo.b import here; print(here)") == "True"

    said = kernel.run("%kaa update fur")
    assert said.endswith("has imported already: fur 2.1 -> 2.2"), said
    assert kernel.run("print(fur.__version__)") == "2.1"
    assert kernel.run("%kaa install cat").endswith("fur 2.1 -> 2.2"), "it is so still"
    assert kernel.run("%kaa undo").endswith("fur 2.1 -> 2.2")
    # Back at what was imported.
    assert kernel.run("%kaa rollback 4").endswith("No restart is needed.")
    said = kernel.run("%kaa remove bear")
    assert "bear 1.0 (removed)" in said, said
    assert "wolf" in kernel.run("%kaa why fur")
    assert "rollback" in kernel.run("%kaa")


def test_what_a_kernel_imports_from_is_kept(kernel: Running, demo: Path) -> None:
    kernel.run("%kaa install wolf")  # generation 2, on the search path from now on
    for name in ("cat", "dog"):
        done = kaa("install", "-p", demo, f"pypi::{name}", "-y")
        assert done.code == 0, done.err
    done = kaa("clean", "--generations", "--keep", "0", "--older-than", "0", "-y")
    assert done.code == 0, done.err
    assert kernel.run("import wolf; print(wolf.__version__)") == "1.0"
    kernel.run("%kaa list")


def test_programs_that_are_typed_act_on_the_environment(kernel: Running, demo: Path) -> None:
    said = kernel.run("%pip install cat")
    assert said.startswith("-> kaa install -p ")
    assert said.endswith("No restart is needed.")
    assert kernel.run("import cat; print(cat.__version__)") == "1.0"
    assert "pypi::dog" in kernel.run("!cd / && pip install dog")
    assert kernel.run("import dog; print(dog.__version__)") == "1.0"
    listed = kernel.run("x = !pip list --format=freeze\nprint(sorted(x))")
    assert listed == str(["bear==1.0", "cat==1.0", "dog==1.0", "fur==2.1"])
    assert "Name: cat" in kernel.run("!pip show cat")
    said = kernel.run("!python -m pip uninstall -y dog")
    assert "dog 1.0 (removed)" in said, said
    assert "-> kaa install" in kernel.run("%uv pip install wolf")
    assert "-> kaa remove" in kernel.run("!mamba remove wolf")
    assert "-> kaa install" in kernel.run("%conda install -c pypi wolf")
    assert "wolf" in kernel.run("%conda list")
    assert names(demo) == {"python", "bear", "cat", "fur", "wolf"}
    assert "nothing newer" in kernel.run("%mamba update cat")
    # Without a pip of its own, what has no word is uv's.
    assert "cat" in kernel.run("%pip install --force-reinstall --no-deps cat")


def test_cells_of_shells_act_on_the_environment(kernel: Running, demo: Path) -> None:
    said = kernel.run("%%bash\ncd / && pip install cat\necho done with $?")
    assert "-> kaa install -p " in said, said
    assert "done with 0\n" in said
    assert said.endswith("No restart is needed.")
    assert kernel.run("import cat; print(cat.__version__)") == "1.0"
    assert "-> kaa install" in kernel.run("%%sh\nif true; then\n  python3 -m pip install dog\nfi")
    assert kernel.run("import dog; print(dog.__version__)") == "1.0"
    assert "-> kaa remove" in kernel.run("%%script bash -e\nmamba remove dog")
    assert names(demo) == {"python", "bear", "cat", "fur"}
    assert kernel.run("%%bash --out kept\npip list --format=freeze\n") == ""
    assert kernel.run("print(sorted(kept.split()))") == str(["bear==1.0", "cat==1.0", "fur==2.1"])
    # The rest is IPython's, and this process's variables stay as they are.
    assert kernel.run("x = 'a b'\n") == ""
    assert kernel.run("%%bash -s $x\necho $2; read line\nread by the shell") == "b"
    assert kernel.run("%%sh\nexit 3").startswith("CalledProcessError")
    assert kernel.run("%%script --no-raise-error sh\nexit 3") == ""
    assert str(root() / "shims") not in kernel.run("import os; print(os.environ['PATH'])")
    assert "KAA_TYPED" not in kernel.run("print(dict(os.environ))")


def test_commands_see_no_more_than_they_need(kernel: Running) -> None:
    shims = str(root() / "shims")
    assert shims not in kernel.run("import os; print(os.environ['PATH'])")
    assert "KAA_TYPED" not in kernel.run("import os; print(dict(os.environ))")
    before = kernel.run("import subprocess; print(subprocess.getoutput('echo $PATH'))")
    assert shims not in before
    assert kernel.run("!command -v pip") == str(root() / "shims" / "pip")
    # Variables are those of the place that the command is in.
    code = "def f(name):\n    !echo $name {1 + 1} $$HOME\nf('here')"
    assert kernel.run(code) == f"here 2 {home()}"
    code = "def f(name):\n    return !echo $name\nprint(f('there'))".replace("return !", "x = !")
    assert kernel.run(code.replace("print(f('there'))", "    return x\nprint(f('there'))")) == (
        "['there']"
    )
    assert kernel.run("!exit 3\nprint(_exit_code)") == "3"
    # A shell of another kind gets them in its environment, for so long.
    csh = "import os; os.environ['SHELL'] = '/bin/cat'"
    assert kernel.run(csh) == ""
    kernel.run("!--version")
    assert "KAA_TYPED" not in kernel.run("import os; print(dict(os.environ))")


def test_what_fails_is_said_and_stops_the_notebook(
    kernel: Running, demo: Path, index: LocalIndex, tmp_path: Path
) -> None:
    before = names(demo)
    for line, reason in (
        ("%kaa install nothing-like-it", "no source has a package called 'nothing-like-it'"),
        ("%kaa install impossible", "fur"),
        ("%kaa instal cat", "did you mean"),
        ("%pip install ??", "no requirement"),
        ("%pip", ""),
        ("%pip install 'cat", "No closing quotation"),
        ("%conda create -n other", "no conda here"),
    ):
        shown: list[str] = []
        errors = errors_of(kernel, line, shown)
        text = "".join(shown)
        assert "Traceback" not in text
        if line != "%pip":
            assert reason in text + str(errors), text
            assert errors[0]["ename"] == "CommandFailedError"
            assert len(errors[0]["traceback"]) == 1
    assert names(demo) == before
    assert kernel.run("!pip install nothing-like-it\nprint(_exit_code != 0)").endswith("True")

    make: Any = nbformat.v4
    cells = [make.new_code_cell(source) for source in ("%kaa install impossible", "print('on')")]
    notebook = tmp_path / "in.ipynb"
    nbformat.write(make.new_notebook(cells=cells), notebook)  # type: ignore[no-untyped-call]
    (name,) = kernels()
    command = [sys.executable, "-m", "papermill", "-k", name, str(notebook), "out.ipynb"]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode != 0
    assert "%kaa failed" in done.stderr
    written = nbformat.read("out.ipynb", 4).cells  # type: ignore[no-untyped-call]
    assert not [cell for cell in written if cell.get("outputs") and "on\n" in str(cell.outputs)]

    index.fail("*", Fault(status=503))
    assert "error: " in kernel.run("!kaa install cat")
    assert names(demo) == before


def test_an_interrupt_leaves_what_was_there(kernel: Running, demo: Path, index: LocalIndex) -> None:
    before = names(demo)
    index.fail("*cat*", Fault(hang=600))
    kernel.run("%env UV_HTTP_TIMEOUT=600")
    request = kernel.client.execute("%kaa install cat")
    deadline = time.monotonic() + 300
    while not any("cat" in each.path for each in index.requests):
        assert time.monotonic() < deadline
        time.sleep(0.1)
    kernel.manager.interrupt_kernel()
    reply = kernel.reply(request)
    assert reply["ename"] == "KeyboardInterrupt"
    assert reply["traceback"] == ["KeyboardInterrupt"], "nothing of kaa's own code"
    assert names(demo) == before
    assert kernel.run("%kaa install dog").endswith("No restart is needed.")


def test_without_kaas_own_python_that_is_said(demo: Path) -> None:
    (name,) = kernels()
    file = Path(os.environ["JUPYTER_DATA_DIR"]) / "kernels" / name / "kernel.json"
    spec = json.loads(file.read_text(encoding="utf-8"))
    where = spec["argv"].index("--fallback") + 1
    spec["argv"][where] = str(demo / "nowhere" / "python")
    file.write_text(json.dumps(spec), encoding="utf-8")
    program = home() / "bin" / "pip"
    program.parent.mkdir()
    program.write_text("#!/bin/sh\necho the pip that PATH has: $1\n")
    program.chmod(0o755)
    with started(name) as kernel:
        kernel.run(f"import os; os.environ['PATH'] = '{program.parent}:/usr/bin:/bin'")
        assert "kaa's own Python is gone" in kernel.run("%kaa install cat")
        assert "kaa's own Python is gone" in kernel.run("%pip install cat")
        assert kernel.run("!pip list") == "the pip that PATH has: list"


def test_a_virtual_environment_is_changed_by_uv(index: LocalIndex, tmp_path: Path) -> None:
    index.headers = {"Cache-Control": "no-cache"}
    prefix = home() / ".virtualenvs" / "plain"
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", prefix], check=True)
    add_ipykernel(site_of(prefix))
    synced = kaa("kernels", "sync")
    assert synced.code == 0, synced.err
    name = next(name for name in kernels() if "plain" in name)
    with started(name) as kernel:
        said = kernel.run("%kaa install bear")
        assert "pip install bear --python" in said, said
        assert said.endswith("No restart is needed.")
        assert kernel.run("import bear, fur; print(fur.__version__)") == "2.1"
        index.add(build_wheel(tmp_path / "newer", "fur", "2.2"))
        said = kernel.run("%pip install -U fur")
        assert said.endswith("has imported already: fur 2.1 -> 2.2"), said
        assert "fur 2.2" in " ".join(kernel.run("!pip list").split())
        said = kernel.run("!pip uninstall -y bear")
        assert "bear" in said.splitlines()[-1], said
        assert "removed" in said.splitlines()[-1], said
        listed = kernel.run("%kaa list")
        assert "fur" in listed
        assert "bear" not in listed


def errors_of(kernel: Running, code: str, shown: list[str]) -> list[dict[str, Any]]:
    """Run code; return the errors that a notebook shows, and put its text into ``shown``."""
    found: list[dict[str, Any]] = []

    def collect(message: dict[str, Any]) -> None:
        if message["msg_type"] == "stream":
            shown.append(message["content"]["text"])
        elif message["msg_type"] == "error":
            found.append(message["content"])

    kernel.client.execute_interactive(code, timeout=300, output_hook=collect)
    return found
