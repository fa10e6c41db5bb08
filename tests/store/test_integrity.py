"""Whether entries of the package cache are still what was written: quickly, and every byte."""

from __future__ import annotations

import hashlib
import json
import os
from typing import TYPE_CHECKING

import pytest

from kaa.model.progress import Silent
from kaa.model.verification import Kind
from kaa.store.digests import Digests
from kaa.store.integrity import drop_entry, entries_of, entry_reports, quick_damage
from kaa.store.layout import Layout
from kaa.store.package_cache import has_entry, new_entry

if TYPE_CHECKING:
    from pathlib import Path

    from kaa.model.verification import Finding

ENTRY = "demo-1.0-py3_0"
SHA = "11" * 32


@pytest.fixture
def layout(tmp_path: Path) -> Layout:
    layout = Layout(tmp_path / "root")
    with new_entry(layout, ENTRY, SHA) as target:
        (target / "info/recipe").mkdir(parents=True)
        (target / "lib").mkdir()
        contents = {"lib/a": b"abcd", "lib/b": b"efgh"}
        paths = []
        for path, content in contents.items():
            (target / path).write_bytes(content)
            digest = hashlib.sha256(content).hexdigest()
            size = len(content)
            paths.append(
                {"_path": path, "path_type": "hardlink", "sha256": digest, "size_in_bytes": size}
            )
        (target / "lib/link").symlink_to("a")
        paths.append({"_path": "lib/link", "path_type": "softlink"})
        (target / "info/paths.json").write_text(json.dumps({"paths": paths}))
        (target / "info/index.json").write_text("{}")
        (target / "info/recipe/meta.yaml").write_text("a: 1")
    return layout


def full(layout: Layout) -> list[Finding]:
    reports = entry_reports(layout.packages, [ENTRY], Digests(), Silent())
    return [finding for report in reports for finding in report.findings]


def quick(layout: Layout) -> Kind | None:
    found = quick_damage(layout.packages, ENTRY)
    return None if found is None else found.kind


def test_what_was_written_is_sound(layout: Layout) -> None:
    assert entries_of(layout.packages) == [ENTRY]
    assert quick(layout) is None
    assert full(layout) == []


def test_every_single_bit_is_looked_at(layout: Layout) -> None:
    """Files, what the package says of itself, the seal, the lock file: size and times kept."""
    entry = layout.packages / ENTRY
    files = [path for path in entry.rglob("*") if path.is_file() and not path.is_symlink()]
    files.append(layout.packages / f"{ENTRY}.lock")
    assert len(files) == 7
    for path in files:
        good, times = path.read_bytes(), path.stat()
        for position in range(len(good)):
            content = bytearray(good)
            content[position] ^= 1 << position % 8
            path.write_bytes(content)
            os.utime(path, ns=(times.st_atime_ns, times.st_mtime_ns))
            assert full(layout), f"byte {position} of {path.name}"
        path.write_bytes(good)
        os.utime(path, ns=(times.st_atime_ns, times.st_mtime_ns))
    assert full(layout) == []


def test_sizes_and_times_are_seen_without_reading(layout: Layout) -> None:
    file = layout.packages / ENTRY / "lib/a"
    file.write_bytes(b"abc")
    assert quick(layout) is Kind.ALTERED
    file.write_bytes(b"abcX")
    later = (layout.packages / f"{ENTRY}.lock").stat().st_mtime + 60
    os.utime(file, (later, later))
    assert quick(layout) is Kind.ALTERED  # written to since, and therefore read
    file.write_bytes(b"abcd")
    os.utime(file, (later, later))
    assert quick(layout) is None  # read, and found to be as it was


def test_missing_files_and_other_kinds_are_seen_without_reading(layout: Layout) -> None:
    entry = layout.packages / ENTRY
    (entry / "lib/link").unlink()
    assert quick(layout) is Kind.MISSING
    (entry / "lib/link").write_text("a")
    assert quick(layout) is Kind.TYPE
    (entry / "lib/link").unlink()
    (entry / "lib/link").symlink_to("a")
    (entry / "lib/b").unlink()
    (entry / "lib/b").symlink_to("a")
    assert quick(layout) is Kind.TYPE
    (entry / "info/paths.json").write_text("{")
    assert quick(layout) is Kind.ALTERED
    (entry / "info/paths.json").unlink()
    assert quick(layout) is Kind.MISSING


def test_a_package_of_old_lists_names_only(layout: Layout) -> None:
    entry = layout.packages / ENTRY
    (entry / "info/paths.json").unlink()
    (entry / "info/kaa-seal.json").unlink()
    (entry / "info/files").write_text("lib/a\nlib/link\n")
    assert quick(layout) is None
    (entry / "lib/a").unlink()
    assert quick(layout) is Kind.MISSING


def test_what_is_dropped_does_not_count_until_it_is_there_again(layout: Layout) -> None:
    drop_entry(layout, ENTRY, still=lambda: False)
    assert has_entry(layout, ENTRY, SHA)
    drop_entry(layout, ENTRY)
    assert not has_entry(layout, ENTRY, SHA)
    assert entries_of(layout.packages) == []
    drop_entry(layout, ENTRY)  # another process was faster
