"""Bytecode in layers of the package cache: whose it is, when it counts, and what a kill leaves."""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from kaa.sources.host import find_host_pythons
from kaa.store.bytecode import (
    clear_orphans,
    clear_unfinished,
    compile_entries,
    compiling,
    drop_compiled,
    is_compiled,
    layer_of,
    settled_layer,
)
from kaa.store.compiling import interpreter, start_compiling
from kaa.store.layout import Layout
from kaa.store.package_cache import new_entry

if TYPE_CHECKING:
    from collections.abc import Mapping

    from kaa.store.host_python import HostPython

VERSION = ".".join(map(str, sys.version_info[:3]))
TAG = sys.implementation.cache_tag
ENTRY = "bear-1.0-py3_0"
SHA256 = hashlib.sha256(b"bear").hexdigest()


@pytest.fixture
def layout(tmp_path: Path) -> Layout:
    return Layout(tmp_path / "kaa")


@pytest.fixture(scope="module")
def pythons(tmp_path_factory: pytest.TempPathFactory) -> tuple[HostPython, ...]:
    """This machine's interpreters."""
    return find_host_pythons(Layout(tmp_path_factory.mktemp("interpreters")))


def package(
    layout: Layout,
    files: Mapping[str, str],
    entry: str = ENTRY,
    sha256: str = SHA256,
    special: Mapping[str, dict[str, Any]] | None = None,
) -> Path:
    """Write an entry of the package cache whose files are below site-packages."""
    with new_entry(layout, entry, sha256) as target:
        paths = []
        for name, text in files.items():
            path = f"site-packages/{name}"
            (target / path).parent.mkdir(parents=True, exist_ok=True)
            (target / path).write_text(text)
            paths.append({"_path": path, "path_type": "hardlink", **(special or {}).get(name, {})})
        (target / "info").mkdir()
        (target / "info/index.json").write_text("{}")
        listing = {"paths": paths, "paths_version": 1}
        (target / "info/paths.json").write_text(json.dumps(listing))
    return layout.packages / entry


def compile_all(layout: Layout, *entries: str, python: Path = Path(sys.executable)) -> Path:
    with compiling(layout, wait=True), interpreter(python) as compiler:
        compile_entries(layout, VERSION, entries or (ENTRY,), compiler)
    return layer_of(layout, VERSION)


def bytecode(directory: Path) -> list[str]:
    return sorted(str(path.relative_to(directory)) for path in directory.rglob("*.pyc"))


def test_an_entry_has_the_files_of_its_base_and_their_bytecode(layout: Layout) -> None:
    base = package(layout, {"bear/__init__.py": "v = 1", "bear/fur/a.py": "", "bear/data.txt": ""})
    listed_before = (base / "info/paths.json").read_bytes()
    layer = compile_all(layout)
    compiled = layer / ENTRY
    assert bytecode(compiled) == [
        f"site-packages/bear/__pycache__/__init__.{TAG}.pyc",
        f"site-packages/bear/fur/__pycache__/a.{TAG}.pyc",
    ]
    listing = json.loads((compiled / "info/paths.json").read_bytes())["paths"]
    assert {each["_path"] for each in listing} == {
        str(path.relative_to(compiled))
        for path in compiled.rglob("*")
        if path.is_file() and path.parent.name != "info"
    }
    for each in listing:
        if each["_path"].endswith(".pyc"):
            content = (compiled / each["_path"]).read_bytes()
            assert each["sha256"] == hashlib.sha256(content).hexdigest()
            assert each["size_in_bytes"] == len(content)
        else:
            assert (compiled / each["_path"]).samefile(base / each["_path"])
    assert (base / "info/paths.json").read_bytes() == listed_before
    assert bytecode(base) == [], "nothing is written into the base"
    assert settled_layer(layout, VERSION, [ENTRY, "wolf-1.0-py3_0"]) == layer


def test_python_takes_it_for_its_own(layout: Layout, tmp_path: Path) -> None:
    package(layout, {"bear.py": "raise SystemExit(7)"})
    compiled = compile_all(layout) / ENTRY / "site-packages"
    linked = tmp_path / "linked"
    shutil.copytree(compiled, linked, copy_function=os.link)
    source = linked / "bear.py"
    times = source.stat()
    source.unlink()
    # The same size and time, so that only who believes in the bytecode ends with a 7.
    source.write_text("raise SystemExit(8)")
    os.utime(source, ns=(times.st_atime_ns, times.st_mtime_ns))
    command = [sys.executable, "-c", "import bear"]
    done = subprocess.run(command, cwd=linked, capture_output=True, check=False)
    assert done.returncode == 7, done.stderr


def test_what_is_not_compiled(layout: Layout) -> None:
    files = {
        "bear/good.py": "",
        "bear/old.py": "print 'of another Python'",
        "bear/template.py": "{{ name }} = §",
        "bear/nothing.py": "x = '\0'",
        "bear/tests/test_bear.py": "",
        "bear/prefix.py": "where = '/placeholder'",
        "bear/latin.py": "",
    }
    base = package(
        layout, files, special={"bear/prefix.py": {"prefix_placeholder": "/placeholder"}}
    )
    (base / "site-packages/bear/latin.py").write_bytes(b"x = '\xff'")
    compiled = compile_all(layout) / ENTRY
    assert bytecode(compiled) == [f"site-packages/bear/__pycache__/good.{TAG}.pyc"]
    assert is_compiled(layout, layer_of(layout, VERSION), ENTRY), "and it is not tried again"


def test_what_its_builder_has_compiled_is_left_alone(layout: Layout) -> None:
    package(layout, {"bear/a.py": "", "bear/__pycache__/b.pyc": "x"})
    assert bytecode(compile_all(layout) / ENTRY) == ["site-packages/bear/__pycache__/b.pyc"]


@pytest.mark.parametrize("way", ["removed", "of another archive", "fetched again", "let go"])
def test_it_counts_with_its_base_only(layout: Layout, way: str) -> None:
    base = package(layout, {"bear.py": "v = 1"})
    layer = compile_all(layout)
    lock = layout.packages / f"{ENTRY}.lock"
    if way == "removed":
        lock.unlink()
        shutil.rmtree(base)
    elif way == "let go":
        lock.unlink()
    else:
        other = hashlib.sha256(b"other").hexdigest()
        if way == "fetched again":
            lock.unlink()
        package(layout, {"bear.py": "v = 1"}, sha256=SHA256 if way == "fetched again" else other)
    assert not is_compiled(layout, layer, ENTRY)
    assert settled_layer(layout, VERSION, [ENTRY]) is None
    assert not (layer / f"{ENTRY}.lock").exists(), "the linker would believe it"
    assert (layer / ENTRY).exists()
    clear_orphans(layout)
    assert not (layer / ENTRY).exists()


def test_it_is_made_again_for_another_base(layout: Layout) -> None:
    package(layout, {"bear.py": "v = 1"})
    compile_all(layout)
    package(layout, {"bear.py": "v = 2"}, sha256=hashlib.sha256(b"other").hexdigest())
    layer = compile_all(layout)
    assert (layer / ENTRY / "site-packages/bear.py").read_text() == "v = 2"
    assert settled_layer(layout, VERSION, [ENTRY]) == layer


def test_what_is_damaged_can_be_dropped(layout: Layout) -> None:
    package(layout, {"bear.py": ""})
    layer = compile_all(layout)
    drop_compiled(layout, ENTRY)
    assert settled_layer(layout, VERSION, [ENTRY]) is None
    assert bytecode(compile_all(layout) / ENTRY)
    assert is_compiled(layout, layer, ENTRY)


def test_orphans_of_entries_that_count_are_not_touched(layout: Layout) -> None:
    package(layout, {"bear.py": ""})
    layer = compile_all(layout)
    clear_orphans(layout)
    assert is_compiled(layout, layer, ENTRY)


def test_one_at_a_time(layout: Layout) -> None:
    with compiling(layout, wait=False) as first:
        assert first
        program = (
            "import sys; from pathlib import Path\n"
            "from kaa.store.bytecode import compiling\n"
            "from kaa.store.layout import Layout\n"
            "with compiling(Layout(Path(sys.argv[1])), wait=False) as alone: print(alone)"
        )
        command = [sys.executable, "-c", program, str(layout.root)]
        other = subprocess.run(command, capture_output=True, text=True, check=True)
    assert other.stdout == "False\n"


def test_a_base_that_cannot_be_read_is_passed_over(layout: Layout) -> None:
    package(layout, {"bear.py": ""})
    package(layout, {"wolf.py": ""}, entry="wolf-1.0-py3_0")
    (layout.packages / ENTRY / "info/paths.json").write_text("{")
    layer = compile_all(layout, "gone-1.0-py3_0", ENTRY, "wolf-1.0-py3_0")
    assert sorted(path.name for path in layer.iterdir()) == [
        "wolf-1.0-py3_0",
        "wolf-1.0-py3_0.lock",
    ]


@pytest.mark.parametrize("minor", ["3.8", "3.9", "3.10", "3.12", "3.13"])
def test_every_python_compiles(layout: Layout, minor: str, pythons: tuple[HostPython, ...]) -> None:
    found = next((python.executable for python in pythons if python.minor == minor), None)
    if found is None:
        pytest.skip(f"there is no Python {minor}")
    package(layout, {"bear.py": "v = 1"})
    with compiling(layout, wait=True), interpreter(found) as compiler:
        compile_entries(layout, f"{minor}.1", [ENTRY], compiler)
    tag = minor.replace(".", "")
    assert bytecode(layer_of(layout, minor) / ENTRY) == [
        f"site-packages/__pycache__/bear.cpython-{tag}.pyc"
    ]


# --- in the background ---------------------------------------------------------------------


def wait_for(what: str, layout: Layout, *, seconds: float = 600) -> Path:
    until = time.monotonic() + seconds
    while time.monotonic() < until:
        for path in layer_of(layout, VERSION).glob(what):
            return path
        time.sleep(0.05)
    raise AssertionError(f"{what} did not appear")


def test_it_is_done_by_a_process_that_nobody_waits_for(layout: Layout, tmp_path: Path) -> None:
    package(layout, {"bear.py": ""})
    go, patient = tmp_path / "go", tmp_path / "patient"
    patient.write_text(
        "#!/bin/sh\n"
        f"n=0; until [ -e '{go}' ] || [ $n = 2000 ]; do sleep 0.05; n=$((n + 1)); done\n"
        f"exec '{sys.executable}' \"$@\"\n"
    )
    patient.chmod(0o755)
    start_compiling(layout, VERSION, patient, [ENTRY])
    assert list(layer_of(layout, VERSION).glob(f"{ENTRY}.lock")) == []
    go.touch()
    wait_for(f"{ENTRY}.lock", layout)
    assert len(bytecode(layer_of(layout, VERSION) / ENTRY)) == 1


def test_a_python_that_cannot_be_run_is_no_news(layout: Layout, tmp_path: Path) -> None:
    package(layout, {"bear.py": ""})
    start_compiling(layout, VERSION, tmp_path / "nowhere", [ENTRY])
    broken = tmp_path / "broken"
    broken.write_text("#!/bin/sh\nexit 3\n")
    broken.chmod(0o755)
    compile_all(layout, python=broken)
    assert list(layer_of(layout, VERSION).glob("*")) == [], "neither an entry nor leftovers"


def test_what_a_kill_leaves_does_not_count_and_is_cleared(layout: Layout, tmp_path: Path) -> None:
    package(layout, {"bear.py": ""})
    slow = tmp_path / "slow"
    slow.write_text("#!/bin/sh\necho $PPID > $0.pid\nexec sleep 600\n")
    slow.chmod(0o755)
    start_compiling(layout, VERSION, slow, [ENTRY])
    left = wait_for(".kaa-*", layout)
    said = tmp_path / "slow.pid"
    until = time.monotonic() + 300
    while not (said.exists() and said.read_text().endswith("\n")) and time.monotonic() < until:
        time.sleep(0.02)
    process = int(said.read_text())
    clear_unfinished(layout)
    assert left.exists(), "it is somebody's who is at work"
    os.kill(process, signal.SIGKILL)
    until = time.monotonic() + 300
    while left.exists() and time.monotonic() < until:
        clear_unfinished(layout)
        time.sleep(0.05)
    assert not left.exists()
    assert settled_layer(layout, VERSION, [ENTRY]) is None
    assert bytecode(compile_all(layout) / ENTRY)
