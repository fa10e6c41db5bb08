"""Entries of the package cache: whole or not there, whoever else is writing."""

from __future__ import annotations

import os
import struct
import subprocess
import sys
from typing import TYPE_CHECKING

import pytest

from kaa.sources.host import find_host_pythons
from kaa.store.host_python import ensure_host_python
from kaa.store.layout import Layout
from kaa.store.package_cache import (
    has_entry,
    new_entry,
    read_origin,
    remove_halves,
    write_origin,
)

if TYPE_CHECKING:
    from pathlib import Path

ENTRY = "demo-1.0-py3_0"
ONE, OTHER = "11" * 32, "22" * 32


@pytest.fixture
def layout(tmp_path: Path) -> Layout:
    return Layout(tmp_path / "root")


def put(layout: Layout, content: str, sha256: str = ONE) -> None:
    with new_entry(layout, ENTRY, sha256) as target:
        (target / "info").mkdir(parents=True)
        (target / "info/index.json").write_text(content)


def content(layout: Layout) -> str:
    return (layout.packages / ENTRY / "info/index.json").read_text()


def test_an_entry_counts_for_its_hash_alone(layout: Layout) -> None:
    assert not has_entry(layout, ENTRY, ONE)
    put(layout, "a")
    assert has_entry(layout, ENTRY, ONE)
    assert not has_entry(layout, ENTRY, OTHER)
    lock = (layout.packages / f"{ENTRY}.lock").read_bytes()
    assert lock == struct.pack(">Q", 1) + bytes.fromhex(ONE)


def test_an_entry_counts_for_its_md5_where_there_is_no_sha256(layout: Layout) -> None:
    put(layout, "a")
    package = layout.packages / ENTRY
    assert not has_entry(layout, ENTRY, None, "ab" * 16), "nobody knows what it was made of"
    write_origin(package, {"md5": "ab" * 16})
    assert read_origin(package) == {"md5": "ab" * 16}
    assert has_entry(layout, ENTRY, None, "ab" * 16)
    assert not has_entry(layout, ENTRY, None, "cd" * 16)
    assert not has_entry(layout, ENTRY, None, None)
    assert not has_entry(layout, ENTRY, OTHER, "ab" * 16), "the sha256 decides where it is given"
    (package / "info/repodata_record.json").write_text("[]")
    assert not has_entry(layout, ENTRY, None, "ab" * 16)


@pytest.mark.parametrize("lock", [None, b"", b"short", b"x" * 60])
def test_an_interrupted_entry_is_replaced(layout: Layout, lock: bytes | None) -> None:
    (layout.packages / ENTRY / "info").mkdir(parents=True)
    (layout.packages / ENTRY / "half").write_text("")
    if lock is not None:
        (layout.packages / f"{ENTRY}.lock").write_bytes(lock)
    assert not has_entry(layout, ENTRY, ONE)
    put(layout, "whole")
    assert has_entry(layout, ENTRY, ONE)
    assert content(layout) == "whole"
    assert not (layout.packages / ENTRY / "half").exists()


def test_a_lock_file_without_content_does_not_count(layout: Layout) -> None:
    layout.packages.mkdir(parents=True)
    (layout.packages / f"{ENTRY}.lock").write_bytes(struct.pack(">Q", 1) + bytes.fromhex(ONE))
    assert not has_entry(layout, ENTRY, ONE)


def test_an_entry_of_another_archive_is_replaced(layout: Layout) -> None:
    put(layout, "one")
    put(layout, "other", OTHER)
    assert has_entry(layout, ENTRY, OTHER)
    assert content(layout) == "other"


def test_halves_of_entries_are_removed_and_nothing_else(layout: Layout) -> None:
    put(layout, "whole")
    (layout.packages / "bear-1.0-0" / "info").mkdir(parents=True)
    (layout.packages / "bear-1.0-0.lock").touch()
    (layout.packages / "fur-1.0-0").mkdir()
    (layout.packages / "wolf-1.0-0.lock").write_bytes(b"1")
    (layout.packages / ".of-others").mkdir()
    remove_halves(layout)
    left = {path.name for path in layout.packages.iterdir()}
    assert left == {ENTRY, f"{ENTRY}.lock", ".of-others"}
    assert has_entry(layout, ENTRY, ONE)


def test_work_that_another_process_finished_is_kept(layout: Layout) -> None:
    with new_entry(layout, ENTRY, ONE) as target:
        (target / "info").mkdir(parents=True)
        put(layout, "faster")
    assert content(layout) == "faster"
    assert sorted(path.name for path in layout.packages.iterdir()) == [ENTRY, f"{ENTRY}.lock"]


@pytest.mark.parametrize("error", [ValueError, KeyboardInterrupt])
def test_nothing_stays_of_a_failure(layout: Layout, error: type[BaseException]) -> None:
    with pytest.raises(error), new_entry(layout, ENTRY, ONE) as target:
        target.mkdir(exist_ok=True)
        (target / "x").write_text("")
        raise error
    assert list(layout.packages.iterdir()) == []


def test_processes_at_once_leave_one_whole_entry(layout: Layout) -> None:
    code = (
        "import sys; from pathlib import Path; from kaa.store.layout import Layout\n"
        "from kaa.store.package_cache import new_entry\n"
        "for n in range(10):\n"
        "    with new_entry(Layout(Path(sys.argv[1])), f'demo-{n}', '11' * 32) as target:\n"
        "        (target / 'info').mkdir(parents=True)\n"
        "        (target / 'info/index.json').write_text('{}')\n"
    )
    command = [sys.executable, "-c", code, str(layout.root)]
    running = [subprocess.Popen(command, stderr=subprocess.PIPE) for _ in range(3)]
    for process in running:
        _, errors = process.communicate(timeout=300)
        assert process.returncode == 0, errors.decode()
    assert all(has_entry(layout, f"demo-{n}", ONE) for n in range(10))
    assert len(list(layout.packages.iterdir())) == 20


@pytest.mark.skipif(sys.platform == "win32", reason="paths of POSIX")
def test_every_interpreter_becomes_the_python_of_a_virtual_environment(
    layout: Layout, tmp_path: Path
) -> None:
    pythons = find_host_pythons(layout)
    assert ".".join(map(str, sys.version_info[:2])) in {python.minor for python in pythons}
    question = (
        "import sys, sysconfig, os; print(sys.prefix); print(sys.base_prefix)\n"
        "print(os.path.relpath(sysconfig.get_path('purelib'), sys.prefix)); print(sys.path)\n"
    )
    for python in pythons:
        ensure_host_python(layout, python)
        ensure_host_python(layout, python)
        entry = layout.packages / f"python-{python.version}-{python.build}"
        prefix = tmp_path / f"env-{python.version}"
        prefix.mkdir()
        (prefix / "bin").mkdir()
        for name in ("python", "python3", f"python{python.minor}"):
            (prefix / "bin" / name).symlink_to(os.readlink(entry / "bin" / name))  # noqa: PTH115
        (prefix / "pyvenv.cfg").write_text((entry / "pyvenv.cfg").read_text())
        done = subprocess.run(
            [prefix / "bin/python", "-c", question], capture_output=True, text=True, check=True
        )
        own, base, purelib, path = done.stdout.splitlines()
        assert (own, base) == (str(prefix), str(python.prefix))
        assert purelib == python.site_packages
        (prefix / purelib).mkdir(parents=True)
        again = subprocess.run(
            [prefix / "bin/python", "-c", question], capture_output=True, text=True, check=True
        )
        path = again.stdout.splitlines()[3]
        assert str(prefix / purelib) in path
        assert f"{python.prefix}/lib/python{python.minor}/site-packages" not in path
