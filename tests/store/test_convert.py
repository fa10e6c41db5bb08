"""Wheels turned into packages, linked by rattler, compared with uv; unsafe ones refused."""

from __future__ import annotations

import asyncio
import base64
import csv
import hashlib
import json
import shutil
import struct
import subprocess
import sys
import zipfile
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
import rattler

from kaa.model.distribution import IndexFile
from kaa.model.errors import UnsafeArchiveError
from kaa.sources.host import HostSource
from kaa.sources.records import wheel_record
from kaa.store.convert import PLACEHOLDER, convert_wheel
from kaa.store.host_python import HostPython, ensure_host_python
from kaa.store.layout import Layout
from kaa.store.package_cache import entry_name, new_entry
from wheels import build_wheel

if TYPE_CHECKING:
    from collections.abc import Callable

INDEX = {
    "name": "demo",
    "version": "1.0",
    "build": "py3_0",
    "build_number": 0,
    "depends": [],
    "noarch": "python",
    "subdir": "noarch",
}
INFO = "demo-1.0.dist-info"
NAME = "demo-1.0-py3-none-any.whl"
WHEEL = "Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: py3-none-any\n"
METADATA = "Metadata-Version: 2.1\nName: demo\nVersion: 1.0\n"
POINTS = f"{INFO}/entry_points.txt"


def rich_wheel(directory: Path) -> Path:
    return build_wheel(
        directory,
        "demo",
        files={
            "demo/__init__.py": "def main():\n    print('hello')\n",
            "demo/empty.py": "",
            "demo/with, comma.txt": "x",
            'demo/with "quotes".txt': "x",
            "demo/größe.txt": "ü",
            "demo/tool.sh": "#!/bin/sh\n",
            "demo/big.bin": bytes(range(256)) * 20_000,
        },
        data={
            "purelib/pure.py": "p = 1\n",
            "platlib/plat.py": "p = 2\n",
            "scripts/run-it": "#!python -E\nimport sys, demo\nprint(sys.prefix)\n",
            "scripts/shell": "#!/bin/sh\necho shell\n",
            "scripts/windows": "#!python\r\nprint('crlf')\n",
            "headers/demo.h": "int x;\n",
            "data/share/demo/data.txt": "data",
            "data/etc/jupyter/demo.json": "{}",
        },
        console_scripts={"demo": "demo:main", "demo-extra": "demo : main [x]"},
        gui_scripts={"demo-gui": "demo:main"},
        executable=["demo/tool.sh"],
    )


def convert(wheel: Path, target: Path) -> dict[str, Any]:
    convert_wheel(wheel, wheel.name, target, INDEX)
    paths = json.loads((target / "info/paths.json").read_text())["paths"]
    return {entry["_path"]: entry for entry in paths}


def test_every_file_has_its_place_hash_and_mode(tmp_path: Path) -> None:
    target = tmp_path / "package"
    entries = convert(rich_wheel(tmp_path), target)
    files = {
        path.relative_to(target).as_posix(): path for path in target.rglob("*") if path.is_file()
    }
    assert {path for path in files if not path.startswith("info/")} == set(entries)
    for path, entry in entries.items():
        content = files[path].read_bytes()
        assert entry["sha256"] == hashlib.sha256(content).hexdigest()
        assert entry["size_in_bytes"] == len(content)
    assert {
        "site-packages/pure.py",
        "site-packages/plat.py",
        "include/site/demo/demo.h",
        "share/demo/data.txt",
        "etc/jupyter/demo.json",
        "python-scripts/run-it",
        "python-scripts/shell",
        "site-packages/demo/empty.py",
    } <= set(entries)
    executable = {path for path, file in files.items() if file.stat().st_mode & 0o111}
    assert executable == {
        "site-packages/demo/tool.sh",
        *(path for path in entries if path.startswith("python-scripts/")),
    }
    assert {path for path, entry in entries.items() if entry.get("no_link")} == {
        "etc/jupyter/demo.json"
    }
    placed = {path for path, entry in entries.items() if "prefix_placeholder" in entry}
    assert placed == {"python-scripts/run-it", "python-scripts/windows"}
    first = files["python-scripts/run-it"].read_text().splitlines()[0]
    assert first == f"#!{PLACEHOLDER}/bin/python -E"
    assert (
        files["python-scripts/windows"]
        .read_bytes()
        .startswith(f"#!{PLACEHOLDER}/bin/python\n".encode())
    )
    link = json.loads(files["info/link.json"].read_text())
    assert link["noarch"] == {
        "type": "python",
        "entry_points": ["demo = demo:main", "demo-extra = demo:main", "demo-gui = demo:main"],
    }
    assert json.loads(files["info/index.json"].read_text()) == INDEX
    assert files[f"site-packages/{INFO}/INSTALLER"].read_text() == "kaa\n"


def record_of(site_packages: Path) -> dict[str, tuple[str, str]]:
    with (site_packages / INFO / "RECORD").open(newline="", encoding="utf-8") as file:
        return {path: (digest, size) for path, digest, size in csv.reader(file)}


@pytest.mark.skipif(sys.platform == "win32", reason="paths of POSIX")
def test_record_lists_every_file_with_its_hash(tmp_path: Path) -> None:
    target = tmp_path / "package"
    entries = convert(rich_wheel(tmp_path), target)
    record = record_of(target / "site-packages")
    expected = {f"{INFO}/RECORD": ("", "")}
    for name in ("demo", "demo-extra", "demo-gui"):
        expected[f"../../../bin/{name}"] = ("", "")
    for path, entry in entries.items():
        if path == f"site-packages/{INFO}/RECORD":
            continue
        place = path.removeprefix("site-packages/")
        if place == path:
            place = f"../../../{path.replace('python-scripts/', 'bin/')}"
        digest = base64.urlsafe_b64encode(bytes.fromhex(entry["sha256"])).decode().rstrip("=")
        placed = "prefix_placeholder" in entry
        expected[place] = ("", "") if placed else (f"sha256={digest}", str(entry["size_in_bytes"]))
    assert record == expected


@pytest.mark.parametrize("record", ["wrong", "missing"])
def test_the_wheels_own_record_does_not_matter(tmp_path: Path, record: Any) -> None:
    convert(build_wheel(tmp_path, "demo", record=record), tmp_path / "package")
    assert f"{INFO}/RECORD" in record_of(tmp_path / "package/site-packages")


def test_the_wheels_own_installer_is_replaced(tmp_path: Path) -> None:
    files = {f"{INFO}/INSTALLER": "somebody", "demo.py": ""}
    entries = convert(build_wheel(tmp_path, "demo", files=files), tmp_path / "package")
    installer = tmp_path / "package/site-packages" / INFO / "INSTALLER"
    assert installer.read_text() == "kaa\n"
    digest = hashlib.sha256(b"kaa\n").hexdigest()
    assert entries[f"site-packages/{INFO}/INSTALLER"]["sha256"] == digest


@pytest.mark.parametrize("filename", ["my.Demo-1.0", "My__demo-1.0", "my_demo-1.0"])
def test_names_of_the_metadata_directory_are_normalised(tmp_path: Path, filename: str) -> None:
    wheel = archive(tmp_path, {f"{filename}.dist-info/{p}": t for p, t in base_files().items()})
    convert_wheel(wheel, "my_demo-1.0-py3-none-any.whl", tmp_path / "package", INDEX)
    assert (tmp_path / "package/site-packages" / f"{filename}.dist-info" / "METADATA").is_file()


@pytest.mark.parametrize("compression", [zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED])
def test_stored_deflated_and_zip64(tmp_path: Path, compression: int) -> None:
    wheel = tmp_path / NAME
    with zipfile.ZipFile(wheel, "w", compression) as file:
        for path, text in base_files().items():
            file.writestr(f"{INFO}/{path}", text)
        with file.open("demo/big.bin", "w", force_zip64=True) as member:
            member.write(b"kaa" * 700_000)
    entries = convert(wheel, tmp_path / "package")
    assert entries["site-packages/demo/big.bin"]["size_in_bytes"] == 2_100_000


# --- refused --------------------------------------------------------------------------------


def base_files() -> dict[str, str]:
    return {"WHEEL": WHEEL, "METADATA": METADATA, "RECORD": ""}


def archive(directory: Path, members: dict[str, str | bytes] | list[tuple[Any, str]]) -> Path:
    wheel = directory / NAME
    with zipfile.ZipFile(wheel, "w", zipfile.ZIP_DEFLATED) as file:
        for path, text in members.items() if isinstance(members, dict) else members:
            file.writestr(path, text)
    return wheel


def full(extra: dict[str, str]) -> dict[str, str | bytes]:
    return {**{f"{INFO}/{path}": text for path, text in base_files().items()}, **extra}


def special(mode: int) -> list[tuple[Any, str]]:
    info = zipfile.ZipInfo("demo/special")
    info.create_system = 3
    info.external_attr = mode << 16
    return [*full({}).items(), (info, "/etc/passwd")]  # type: ignore[list-item]


MEMBERS: dict[str, Any] = {
    "parent": full({"../evil.py": ""}),
    "parent inside": full({"demo/../../evil.py": ""}),
    "absolute": full({"/evil.py": ""}),
    "dot": full({"./demo.py": ""}),
    "empty part": full({"demo//x.py": ""}),
    "drive": full({"C:/evil.py": ""}),
    "symbolic link": special(0o120777),
    "device": special(0o020666),
    "pipe": special(0o010666),
    "same place": full({"x.py": "", "demo-1.0.data/purelib/x.py": ""}),
    "file and directory": full({"demo": "", "demo/x.py": ""}),
    "file and deep directory": full({"demo": "", "demo/a/b/x.py": ""}),
    "conda-meta": full({"demo-1.0.data/data/conda-meta/history": ""}),
    "info": full({"demo-1.0.data/data/INFO/index.json": ""}),
    "pyvenv.cfg": full({"demo-1.0.data/data/pyvenv.cfg": ""}),
    "site-packages": full({"demo-1.0.data/data/site-packages/x.py": ""}),
    "parent in data": full({"demo-1.0.data/data/../x.py": ""}),
    "unknown scheme": full({"demo-1.0.data/secret/x.py": ""}),
    "scheme is a file": full({"demo-1.0.data/data": ""}),
    "script in a directory": full({"demo-1.0.data/scripts/a/b": ""}),
    "no dist-info": {"demo.py": ""},
    "two dist-info": full({"other-1.0.dist-info/METADATA": ""}),
    "another's dist-info": {f"other-1.0.dist-info/{p}": t for p, t in base_files().items()},
    "no WHEEL": {f"{INFO}/METADATA": METADATA},
    "no METADATA": {f"{INFO}/WHEEL": WHEEL},
    "version 2": full({f"{INFO}/WHEEL": "Wheel-Version: 2.0\n"}),
    "no version": full({f"{INFO}/WHEEL": "Root-Is-Purelib: true\n"}),
    "entry point with a path": full({POINTS: "[console_scripts]\n../x = demo:main\n"}),
    "entry point with a backslash": full({POINTS: "[console_scripts]\na\\x = demo:main\n"}),
    "entry point without a function": full({POINTS: "[console_scripts]\nx = demo\n"}),
    "entry point with code": full({POINTS: "[gui_scripts]\nx = os:system('x');y\n"}),
    "entry points without a section": full({POINTS: "x = demo:main\n"}),
    "entry points in Latin 1": full({POINTS: "[console_scripts]\ng\xf6 = x:y\n".encode("latin1")}),  # type: ignore[dict-item]
}


def refused(wheel: Path, tmp_path: Path) -> UnsafeArchiveError:
    """Convert as the program does: into a new entry of the cache, of which nothing may stay."""
    layout = Layout(tmp_path / "root")
    with (
        pytest.raises(UnsafeArchiveError) as caught,
        new_entry(layout, "demo-1.0-0", "00" * 32) as target,
    ):
        convert_wheel(wheel, NAME, target, INDEX)
    assert list(layout.packages.iterdir()) == []
    assert {path.name for path in tmp_path.iterdir()} <= {"root", "home", NAME}
    assert NAME in caught.value.message
    assert caught.value.cause
    assert caught.value.hint
    return caught.value


@pytest.mark.parametrize("case", MEMBERS)
def test_unsafe_members_are_refused(tmp_path: Path, case: str) -> None:
    refused(archive(tmp_path, MEMBERS[case]), tmp_path)


def test_backslashes_are_refused(tmp_path: Path) -> None:
    info = zipfile.ZipInfo("x")
    info.filename = "..\\evil.py"  # as an archive of another system has it
    refused(archive(tmp_path, [*full({}).items(), (info, "")]), tmp_path)  # type: ignore[list-item]


def central(content: bytes, name: bytes) -> int:
    """Return where the central directory's entry of ``name`` starts."""
    return content.rindex(b"PK\x01\x02", 0, content.rindex(name))


def patched(tmp_path: Path, change: Callable[[bytearray], object]) -> Path:
    wheel = archive(tmp_path, full({"demo/payload.bin": "payload " * 5000}))
    content = bytearray(wheel.read_bytes())
    change(content)
    wheel.write_bytes(content)
    return wheel


def set_field(offset: int, layout: str, value: int) -> Callable[[bytearray], object]:
    def change(content: bytearray) -> None:
        start = central(bytes(content), b"demo/payload.bin") + offset
        struct.pack_into(layout, content, start, value)

    return change


@pytest.mark.parametrize(
    "change",
    [
        set_field(16, "<L", 12345),
        set_field(24, "<L", 10),
        set_field(24, "<L", 50_000),
        set_field(20, "<L", 5),
        set_field(8, "<H", 1),
        set_field(10, "<H", 12),
        set_field(10, "<H", 99),
        set_field(42, "<L", 0x7FFFFFFF),
    ],
    ids=[
        "crc",
        "bomb",
        "size too large",
        "packed size",
        "encrypted",
        "bzip2",
        "unknown compression",
        "offset",
    ],
)
def test_damaged_members_are_refused(tmp_path: Path, change: Callable[[bytearray], object]) -> None:
    refused(patched(tmp_path, change), tmp_path)


def test_encrypted_metadata_is_refused(tmp_path: Path) -> None:
    def change(content: bytearray) -> None:
        struct.pack_into("<H", content, central(bytes(content), f"{INFO}/WHEEL".encode()) + 8, 1)

    refused(patched(tmp_path, change), tmp_path)


@pytest.mark.parametrize("keep", [0, 10, 500])
def test_truncated_archives_are_refused(tmp_path: Path, keep: int) -> None:
    refused(patched(tmp_path, lambda content: content.__delitem__(slice(keep, None))), tmp_path)


def test_what_is_no_archive_is_refused(tmp_path: Path) -> None:
    (tmp_path / NAME).write_text("<html>not found</html>")
    refused(tmp_path / NAME, tmp_path)


# --- linked ---------------------------------------------------------------------------------


def this_python() -> HostPython:
    version = ".".join(map(str, sys.version_info[:3]))
    executable = getattr(sys, "_base_executable", None) or sys.executable
    return HostPython(version, Path(executable).resolve(), Path(sys.base_prefix))


def linked(wheel: Path, tmp_path: Path) -> Path:
    """Convert the wheel and link it together with this Python into a new prefix."""
    layout = Layout(tmp_path / "root")
    python = this_python()
    ensure_host_python(layout, python)
    sha256 = hashlib.sha256(wheel.read_bytes()).hexdigest()
    file = IndexFile(wheel.name, "https://example.org/x.whl", {"sha256": sha256})
    record = wheel_record("demo", "1.0", file, sha256, [], [])
    index = {**INDEX, "build": str(record.build)}
    with new_entry(layout, entry_name("demo", "1.0", str(record.build)), sha256) as target:
        convert_wheel(wheel, wheel.name, target, index)
    (python_record,) = HostSource([python])._records.values()
    prefix = tmp_path / "environment"
    cache = rattler.PackageCache.new_layered(
        [str(layout.packages)], validation_mode=rattler.ValidationMode.skip()
    )
    asyncio.run(
        rattler.install(
            [python_record, record],
            prefix,
            installed_packages=[],
            package_cache=cache,
            execute_link_scripts=False,
            show_progress=False,
        )
    )
    return prefix


def contents(prefix: Path) -> dict[str, bytes]:
    found = {}
    for path in prefix.rglob("*"):
        place = path.relative_to(prefix).as_posix()
        if path.is_file() and not place.startswith("conda-meta/") and "__pycache__" not in place:
            found[place] = path.read_bytes()
    return found


@pytest.mark.skipif(sys.platform == "win32", reason="paths of POSIX")
def test_an_environment_has_the_files_that_uv_makes(tmp_path: Path) -> None:
    uv = shutil.which("uv", path=str(Path(sys.executable).parent)) or shutil.which("uv")
    assert uv, "uv is one of the tests' requirements"
    wheel = rich_wheel(tmp_path)
    ours = linked(wheel, tmp_path)
    theirs = tmp_path / "by-uv"
    run(uv, "venv", "-q", "--no-project", "--python", str(this_python().executable), str(theirs))
    empty = set(contents(theirs))
    run(uv, "pip", "install", "-q", "--no-deps", "--offline", "--python", str(theirs), str(wheel))
    expected = {path: text for path, text in contents(theirs).items() if path not in empty}
    expected.pop(".lock", None)
    got = contents(ours)
    own = {"pyvenv.cfg", "CACHEDIR.TAG", *(f"bin/{p.name}" for p in (ours / "bin").glob("python*"))}
    site = this_python().site_packages
    recorded = {
        f"{site}/{INFO}/{name}" for name in ("REQUESTED", "direct_url.json", "uv_cache.json")
    }
    headers = f"include/site/python{this_python().minor}/demo/demo.h"
    assert headers in expected
    expected["include/site/demo/demo.h"] = expected.pop(headers)
    assert set(got) - own == set(expected) - recorded
    scripts = {f"bin/{name}" for name in ("demo", "demo-extra", "demo-gui", "run-it", "windows")}
    differ = {f"{site}/{INFO}/RECORD", f"{site}/{INFO}/INSTALLER"} | scripts
    for path in set(got) - own - differ:
        assert got[path] == expected[path], path


@pytest.mark.skipif(sys.platform == "win32", reason="paths of POSIX")
def test_the_environment_knows_the_distribution(tmp_path: Path) -> None:
    prefix = linked(rich_wheel(tmp_path), tmp_path)
    code = (
        "import importlib.metadata as m, json, hashlib, base64\n"
        "d = m.distribution('demo')\n"
        "bad = [str(f) for f in d.files if not f.locate().exists()]\n"
        "for f in d.files:\n"
        "    if f.hash:\n"
        "        h = hashlib.new(f.hash.mode, f.read_binary()).digest()\n"
        "        if base64.urlsafe_b64encode(h).decode().rstrip('=') != f.hash.value:\n"
        "            bad.append(str(f))\n"
        "print(json.dumps([d.version, sorted(e.name for e in d.entry_points), bad]))\n"
    )
    version, points, bad = json.loads(run(str(prefix / "bin/python"), "-c", code))
    assert (version, points, bad) == ("1.0", ["demo", "demo-extra", "demo-gui"], [])
    for script, output in [
        ("demo", "hello"),
        ("demo-gui", "hello"),
        ("run-it", str(prefix)),
        ("shell", "shell"),
        ("windows", "crlf"),
    ]:
        assert run(str(prefix / "bin" / script)).strip() == output


def run(*command: str) -> str:
    done = subprocess.run(command, capture_output=True, text=True, timeout=300, check=False)
    assert done.returncode == 0, done.stderr
    return done.stdout
