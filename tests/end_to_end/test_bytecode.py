"""What was compiled once is in the environments that are made later."""

from __future__ import annotations

import os
import subprocess
import time
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from end_to_end.machine import MINOR, PYTHON, kaa, names, root

if TYPE_CHECKING:
    from local_index import LocalIndex

LAYER = f"cp{MINOR.replace('.', '')}"
CACHE = f"lib/python{MINOR}/site-packages/bear/__pycache__"


def create(*place: str) -> None:
    made = kaa("create", *place, "-c", "pypi", PYTHON, "bear", "-y")
    assert made.code == 0, made.err


def wait_for_compilation(*packages: str) -> None:
    layer = root() / "pkgs" / ".compiled" / LAYER
    until = time.monotonic() + 600  # it has the lowest priority
    while not all(list(layer.glob(f"{package}-*.lock")) for package in packages):
        assert time.monotonic() < until, names(layer) if layer.is_dir() else "no layer"
        time.sleep(0.05)


@pytest.fixture
def compiled(index: LocalIndex, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An environment that was made before bear was compiled; the layer is there now."""
    monkeypatch.setenv("KAA_COMPILE", "1")
    create("-n", "first")
    wait_for_compilation("bear", "fur")
    monkeypatch.setenv("KAA_COMPILE", "0")
    return root() / "envs" / "first"


def run_import(prefix: Path) -> None:
    python = str(prefix / "bin" / "python")
    subprocess.run([python, "-c", "import bear, fur"], check=True, capture_output=True)


def test_the_next_environment_has_it_and_owns_it(compiled: Path) -> None:
    create("-n", "second")
    second = compiled.with_name("second")
    before = {path.name: path.stat().st_ino for path in (second / CACHE).iterdir()}
    assert list(before) == [f"__init__.cpython-{MINOR.replace('.', '')}.pyc"]
    run_import(second)
    after = {path.name: path.stat().st_ino for path in (second / CACHE).iterdir()}
    assert after == before, "Python would have replaced what is not valid"
    (record,) = (second / "conda-meta").glob("bear-1.0-*.json")
    assert f"{CACHE}/{next(iter(before))}" in record.read_text()


def test_a_change_takes_it_along_without_a_word(compiled: Path) -> None:
    run_import(compiled)  # makes bytecode of its own, which the package's is now in the place of
    changed = kaa("install", "-n", "first", "ipykernel", "-y")
    assert changed.code == 0, changed.err
    assert "pyc" not in changed.err + changed.out
    layer = root() / "pkgs" / ".compiled" / LAYER
    (of_layer,) = layer.glob("bear-*/site-packages/bear/__pycache__/*.pyc")
    assert (compiled / CACHE / of_layer.name).samefile(of_layer)


def test_copies_on_another_file_system_stay_valid(compiled: Path) -> None:
    elsewhere = Path("/dev/shm")
    if not elsewhere.is_dir() or elsewhere.stat().st_dev == root().stat().st_dev:
        pytest.skip("there is no other file system")
    prefix = elsewhere / f"kaa-test-{os.getpid()}" / "demo"
    try:
        create("-p", str(prefix))
        (pyc,) = (prefix / CACHE).iterdir()
        before = pyc.stat().st_ino
        run_import(prefix)
        assert [path.stat().st_ino for path in (prefix / CACHE).iterdir()] == [before]
    finally:
        subprocess.run(["rm", "-rf", str(prefix.parent)], check=True)


def test_it_can_be_switched_off(index: LocalIndex, tmp_path: Path) -> None:
    settings = tmp_path / "config.toml"
    settings.write_text("compile-bytecode = false\n")
    environ = {**os.environ, "KAA_CONFIG": str(settings)}
    del environ["KAA_COMPILE"]
    made = kaa("create", "-n", "demo", "-c", "pypi", PYTHON, "bear", "-y", env=environ)
    assert made.code == 0, made.err
    time.sleep(0.5)
    assert not (root() / "pkgs" / ".compiled").exists()
