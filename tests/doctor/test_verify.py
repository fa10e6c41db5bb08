"""An environment against its records: what is damage, what is worth knowing, what is neither."""

from __future__ import annotations

import base64
import hashlib
import json
import os
import shutil
from typing import TYPE_CHECKING, Any

import pytest

from kaa.doctor.verify import verify_environment
from kaa.environments.prefix import Prefix
from kaa.environments.sealed import seal_records
from kaa.model.progress import Silent
from kaa.model.verification import Kind
from kaa.store.digests import Digests
from prefix_records import write_record

if TYPE_CHECKING:
    from pathlib import Path

    from kaa.model.verification import EnvironmentReport

SITE = "lib/python3.12/site-packages"


class Place:
    """A prefix with a Python, to which packages are added file by file."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.add("python", {"bin/python3.12": b"#!/bin/sh\n"}, "3.12.1")

    def add(self, name: str, files: dict[str, bytes], version: str = "1.0", **entry: Any) -> Path:
        paths = []
        for path, content in files.items():
            self.write(path, content)
            digest = hashlib.sha256(content).hexdigest()
            paths.append({"_path": path, "path_type": "hardlink", "sha256": digest, **entry})
        return self.record(name, paths, version)

    def record(self, name: str, paths: list[dict[str, Any]], version: str = "1.0") -> Path:
        data = {"paths_version": 1, "paths": paths}
        names = [entry["_path"] for entry in paths]
        return write_record(self.path, name, version, files=names, paths_data=data)

    def write(self, path: str, content: bytes) -> Path:
        file = self.path / path
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_bytes(content)
        return file

    def by_hand(self, name: str, files: dict[str, bytes], version: str = "1.0") -> None:
        """Put a distribution there as pip does."""
        rows = []
        for path, content in files.items():
            self.write(f"{SITE}/{path}", content)
            digest = base64.urlsafe_b64encode(hashlib.sha256(content).digest()).rstrip(b"=")
            rows.append(f"{path},sha256={digest.decode()},{len(content)}")
        info = f"{name}-{version}.dist-info"
        rows.append(f"{info}/RECORD,,")
        self.write(f"{SITE}/{info}/RECORD", "\n".join(rows).encode())

    def report(self) -> EnvironmentReport:
        return verify_environment(Prefix(self.path), Digests(), Silent())

    def found(self) -> list[tuple[Kind, str, str | None]]:
        return [(each.kind, each.path, each.package) for each in self.report().findings]


@pytest.fixture
def place(tmp_path: Path) -> Place:
    return Place(tmp_path / "env")


def test_what_is_as_recorded_is_sound(place: Place) -> None:
    place.add("bear", {"lib/bear.so": b"bear", f"{SITE}/bear.py": b"x = 1\n"})
    report = place.report()
    assert (report.packages, report.files, report.findings) == (2, 3, ())


def test_one_bit(place: Place) -> None:
    place.add("bear", {"lib/bear.so": b"bear", "lib/other": b"other"})
    file = place.path / "lib/bear.so"
    before = file.stat()
    file.write_bytes(b"beas")
    os.utime(file, ns=(before.st_atime_ns, before.st_mtime_ns))
    assert place.found() == [(Kind.ALTERED, "lib/bear.so", "bear")]


def test_what_is_missing_and_what_took_its_place(place: Place) -> None:
    place.add("bear", {"lib/a": b"a", "lib/b": b"b", "lib/c": b"c", "lib/d": b"d"})
    (place.path / "lib/a").unlink()
    (place.path / "lib/b").unlink()
    (place.path / "lib/b").mkdir()
    (place.path / "lib/c").unlink()
    (place.path / "lib/c").symlink_to("d")
    assert place.found() == [
        (Kind.MISSING, "lib/a", "bear"),
        (Kind.TYPE, "lib/b", "bear"),
        (Kind.TYPE, "lib/c", "bear"),
    ]


def test_a_package_without_any_of_its_files_is_told_once(place: Place) -> None:
    record = place.add("bear", {f"lib/bear/{number}": b"x" for number in range(20)})
    shutil.rmtree(place.path / "lib/bear")
    assert place.found() == [(Kind.GONE, f"conda-meta/{record.name}", "bear")]


def test_a_package_that_has_no_files_is_not_gone(place: Place) -> None:
    place.add("metapackage", {})
    assert place.found() == []


def test_the_hash_as_linked_counts_not_the_packages(place: Place) -> None:
    content = b"#!/the/prefix/bin/python\n"
    place.write("bin/tool", content)
    entry = {
        "_path": "bin/tool",
        "path_type": "hardlink",
        "prefix_placeholder": "/placeholder",
        "sha256": "00" * 32,
        "sha256_in_prefix": hashlib.sha256(content).hexdigest(),
    }
    place.record("tool", [entry])
    place.write("bin/old", content)
    old = {key: value for key, value in entry.items() if key != "sha256_in_prefix"}
    place.record("old", [{**old, "_path": "bin/old"}])  # nobody knows its hash as linked
    assert place.found() == []
    place.write("bin/tool", b"else")
    assert place.found() == [(Kind.ALTERED, "bin/tool", "tool")]


def test_settings_are_the_users_to_edit(place: Place) -> None:
    place.add("server", {"etc/jupyter/a.json": b"{}", "etc/jupyter/b.json": b"{}"}, no_link=True)
    place.write("etc/jupyter/a.json", b'{"mine": 1}')
    report = place.report()
    assert [(each.kind, each.path) for each in report.notes] == [
        (Kind.EDITED, "etc/jupyter/a.json")
    ]
    assert report.damage == ()
    (place.path / "etc/jupyter/b.json").unlink()
    assert [each.kind for each in place.report().damage] == [Kind.MISSING]


def test_links(place: Place, tmp_path: Path) -> None:
    interpreter = tmp_path / "python"
    interpreter.write_text("")
    links = {"bin/python": str(interpreter), "lib/a": "b", "lib/nowhere": "of/another/package"}
    entries = []
    for path, target in links.items():
        (place.path / path).parent.mkdir(exist_ok=True)
        (place.path / path).symlink_to(target)
        digest = hashlib.sha256(target.encode()).hexdigest()
        entries.append({"_path": path, "path_type": "softlink", "sha256": digest})
    place.record("host", entries)
    place.write("lib/b", b"")
    assert place.found() == []
    interpreter.unlink()
    (place.path / "lib/a").unlink()
    (place.path / "lib/a").write_text("no link")
    assert place.found() == [
        (Kind.BROKEN_LINK, "bin/python", "host"),
        (Kind.TYPE, "lib/a", "host"),
    ]


def test_a_link_that_leads_elsewhere(place: Place, tmp_path: Path) -> None:
    entry = tmp_path / "pkgs" / "linked-1.0-0"
    for root in (entry / "lib", place.path / "lib"):
        root.mkdir(parents=True, exist_ok=True)
        (root / "libx.so").symlink_to("libx.so.1")
        (root / "libx.so.1").write_text("one")
    write_record(
        place.path,
        "linked",
        paths_data={
            "paths_version": 1,
            "paths": [{"_path": "lib/libx.so", "path_type": "softlink", "sha256": "00" * 32}],
        },
        extracted_package_dir=str(entry),
    )
    assert place.found() == []
    (place.path / "lib/libx.so").unlink()
    (place.path / "lib/libx.so").symlink_to("libx.so.2")
    assert place.found() == [(Kind.LINK, "lib/libx.so", "linked")]


def test_records_that_cannot_be_read_and_two_of_one_package(place: Place) -> None:
    place.add("bear", {"lib/bear": b"1"})
    (place.path / "conda-meta/wolf-1.0-0.json").write_text('{"name": "wolf"')
    place.add("bear", {"lib/bear2": b"2"}, "2.0")
    assert place.found() == [
        (Kind.DUPLICATE, "conda-meta/bear-2.0-0.json", "bear"),
        (Kind.RECORD, "conda-meta/wolf-1.0-0.json", "wolf"),
    ]


def test_a_sealed_record_is_damaged_by_any_change(place: Place) -> None:
    record = place.add("bear", {"lib/bear": b"1"})
    (place.path / "conda-meta/kaa").mkdir()
    (place.path / "conda-meta/kaa/manifest.json").write_text("{}")
    seal_records(place.path)
    assert place.found() == []
    content = json.loads(record.read_text())
    record.write_text(json.dumps({**content, "license": "another"}))
    assert place.found() == [(Kind.RECORD, f"conda-meta/{record.name}", "bear")]
    seal = place.path / "conda-meta/kaa/records-seal.json"
    seal_records(place.path)
    seal.write_bytes(seal.read_bytes()[:-1] + b" ")
    assert [each[0] for each in place.found()] == [Kind.MANIFEST]


def test_what_pip_installed_is_compared_with_its_own_list(place: Place) -> None:
    place.by_hand("wolf", {"wolf/__init__.py": b"howl = 1\n", "wolf/teeth.py": b""})
    place.write(f"{SITE}/wolf/__pycache__/__init__.cpython-312.pyc", bytes(40))
    report = place.report()
    assert report.findings == ()
    assert report.distributions == ("wolf 1.0",)
    assert report.unowned.files == 0
    place.write(f"{SITE}/wolf/__init__.py", b"howl = 2\n")
    (place.path / SITE / "wolf/teeth.py").unlink()
    found = place.report().findings
    assert [(each.kind, each.path, each.foreign) for each in found] == [
        (Kind.ALTERED, f"{SITE}/wolf/__init__.py", True),
        (Kind.MISSING, f"{SITE}/wolf/teeth.py", True),
    ]


def test_distributions_twice_and_without_a_list(place: Place) -> None:
    place.by_hand("wolf", {"wolf.py": b""})
    place.by_hand("wolf", {"wolf.py": b""}, "2.0")
    place.write(f"{SITE}/fox-1.0.dist-info/METADATA", b"")
    kinds = [(each.kind, each.package) for each in place.report().findings]
    assert kinds == [(Kind.DUPLICATE, "wolf"), (Kind.UNLISTED, "fox")]


def test_a_script_whose_interpreter_is_gone(place: Place) -> None:
    place.by_hand("wolf", {"../../../bin/howl": b"#!/not/there/bin/python\n"})
    assert place.found() == [(Kind.INTERPRETER, "bin/howl", "wolf")]


def test_files_of_nobody_are_counted_and_no_damage(place: Place) -> None:
    place.write("data/big/one.csv", bytes(5000))
    place.write(f"{SITE}/notes.txt", b"mine")
    report = place.report()
    assert report.findings == ()
    assert (report.unowned.files, report.unowned.size) == (2, 5004)
    assert report.unowned.places[0] == "data/big"


def bytecode(source: Path, body: bytes, *, stale: bool = False) -> bytes:
    status = source.stat()
    time = int(status.st_mtime) - (10 if stale else 0)
    return bytes(8) + time.to_bytes(4, "little") + status.st_size.to_bytes(4, "little") + body


def test_bytecode(place: Place) -> None:
    source, cached = f"{SITE}/bear.py", f"{SITE}/__pycache__/bear.cpython-312.pyc"
    place.add("bear", {source: b"x = 1\n"})
    file = place.write(cached, b"")
    for body, stale, kinds in [
        (b"code", False, []),
        (b"", True, []),  # Python makes it anew
        (b"", False, [Kind.BYTECODE]),  # Python fails
    ]:
        file.write_bytes(bytecode(place.path / source, body, stale=stale))
        assert [each[0] for each in place.found()] == kinds
    assert place.report().unowned.files == 0


def test_bytecode_of_a_package_may_be_written_anew_by_python_alone(place: Place) -> None:
    source, cached = f"{SITE}/bear.py", f"{SITE}/__pycache__/bear.cpython-312.pyc"
    file = place.write(source, b"x = 1\n")
    record = place.add("bear", {source: b"x = 1\n", cached: bytecode(file, b"code")})
    os.utime(place.path / source, ns=(file.stat().st_atime_ns, file.stat().st_mtime_ns))
    pyc = place.path / cached
    recorded = record.stat().st_mtime
    pyc.write_bytes(bytecode(file, b"CODE"))
    os.utime(pyc, (recorded - 5, recorded - 5))
    assert [each[0] for each in place.found()] == [Kind.ALTERED]  # nobody wrote it since
    os.utime(pyc, (recorded + 5, recorded + 5))
    assert [each[0] for each in place.found()] == [Kind.REWRITTEN]
    pyc.write_bytes(bytecode(file, b"CODE", stale=True))
    os.utime(pyc, (recorded + 5, recorded + 5))
    assert [each[0] for each in place.found()] == [Kind.ALTERED]


def test_an_environment_that_was_moved(place: Place, tmp_path: Path) -> None:
    script = f"#!{place.path}/bin/python3.12\n".encode()
    place.add("bear", {"bin/bear": script}, path_type="unix_python_entry_point")
    assert place.found() == []
    moved = tmp_path / "elsewhere"
    place.path.rename(moved)
    report = verify_environment(Prefix(moved), Digests(), Silent())
    assert [each.kind for each in report.findings] == [Kind.MOVED]
    assert report.moved_from == str(place.path)


def test_a_generation_that_is_missing(tmp_path: Path) -> None:
    (tmp_path / "env").symlink_to(".kaa/env/3")
    report = verify_environment(Prefix(tmp_path / "env"), Digests(), Silent())
    assert [each.kind for each in report.findings] == [Kind.GENERATION]
    assert report.generation == 3


def test_a_virtual_environment(tmp_path: Path) -> None:
    path = tmp_path / "venv"
    place = Place(path)
    shutil.rmtree(path / "conda-meta")
    place.by_hand("wolf", {"wolf.py": b"1"})
    (path / "bin/python").symlink_to("/not/there/python3")
    place.write(f"{SITE}/wolf.py", b"2")
    assert place.found() == [
        (Kind.ALTERED, f"{SITE}/wolf.py", "wolf"),
        (Kind.BROKEN_LINK, "bin/python", None),
    ]


@pytest.mark.skipif(os.name == "nt" or os.geteuid() == 0, reason="root reads everything")
def test_what_cannot_be_read_is_said(place: Place) -> None:
    place.add("bear", {"lib/bear": b"1"})
    (place.path / "lib/bear").chmod(0)
    assert place.found() == [(Kind.UNREADABLE, "lib/bear", "bear")]
