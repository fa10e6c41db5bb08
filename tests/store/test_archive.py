"""Archives of conda packages: what is in them arrives, and nothing ever gets outside."""

from __future__ import annotations

import json
import os
import shutil
import signal
import stat
import subprocess
import tarfile
import threading
import time
from typing import TYPE_CHECKING, Any, Literal

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from conda_packages import Link, Member, build_conda_package, raw_member
from kaa.model.errors import DiskFullError, StoreError, UnsafeArchiveError
from kaa.store.archive import extract_package
from kaa.store.disk import writing

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from pathlib import Path

Kind = Literal["conda", "tar.bz2"]
KINDS: list[Kind] = ["conda", "tar.bz2"]


@pytest.fixture(params=KINDS)
def kind(request: pytest.FixtureRequest) -> Kind:
    found: Kind = request.param
    return found


@pytest.fixture
def target(tmp_path: Path) -> Path:
    """The directory to extract into, deep enough for ``..`` to have somewhere to lead."""
    path = tmp_path / "cache" / "deep" / "entry"
    path.mkdir(parents=True)
    return path


def everything(tmp_path: Path) -> set[str]:
    """Every file and link below ``tmp_path`` but those of the package and its extraction."""
    own = (tmp_path / "cache" / "deep" / "entry", tmp_path / "built", tmp_path / "home")
    return {
        str(path)
        for path in tmp_path.rglob("*")
        if not path.is_dir() and not any(path.is_relative_to(directory) for directory in own)
    }


def paths_json(*paths: str, **fields: Any) -> dict[str, str]:
    entries = [
        {"_path": path, "path_type": "hardlink", "sha256": "00" * 32, "size_in_bytes": 1, **fields}
        for path in paths
    ]
    return {"paths.json": json.dumps({"paths": entries, "paths_version": 1})}


def extract(tmp_path: Path, target: Path, kind: Kind, **arguments: Any) -> None:
    package = build_conda_package(tmp_path / "built", "demo", archive=kind, **arguments)
    with writing(target):  # as whoever calls it does
        extract_package(package, target)


def test_files_links_and_modes_arrive(tmp_path: Path, target: Path, kind: Kind) -> None:
    files = {
        "bin/tool": "#!/bin/sh\n",
        "lib/libx.so.1": b"\x7fELF",
        "lib/libx.so": Link("libx.so.1"),
        "lib64": Link("lib"),
        "share/a name with spaces/é.txt": "é",
        "share/empty": "",
        "etc/localtime": Link("/etc/localtime"),
        "share/other": Link("../lib/of-another-package.so"),
    }
    extract(tmp_path, target, kind, files=files)
    assert (target / "bin/tool").read_text() == "#!/bin/sh\n"
    assert stat.S_IMODE((target / "bin/tool").stat().st_mode) == 0o755
    assert stat.S_IMODE((target / "lib/libx.so.1").stat().st_mode) == 0o644
    assert (target / "lib64/libx.so").read_bytes() == b"\x7fELF"
    assert (target / "lib/libx.so").readlink().as_posix() == "libx.so.1"
    assert (target / "etc/localtime").readlink().as_posix() == "/etc/localtime"
    assert (target / "share/a name with spaces/é.txt").read_text(encoding="utf-8") == "é"
    assert (target / "share/empty").read_bytes() == b""
    assert json.loads((target / "info/index.json").read_text())["name"] == "demo"


def test_nobody_else_may_write_to_what_environments_share(
    tmp_path: Path, target: Path, kind: Kind
) -> None:
    members = [
        raw_member("open", b"x", mode=0o666),
        raw_member("root", b"x", mode=0o6755),
        raw_member("closed", b"x", mode=0o000),
        raw_member("shut", kind=tarfile.DIRTYPE, mode=0o1577),
        raw_member("shut/file", b"x", mode=0o444),
    ]
    extract(tmp_path, target, kind, members=members)
    modes = {
        name: stat.S_IMODE((target / name).stat().st_mode)
        for name in ("open", "root", "closed", "shut", "shut/file")
    }
    assert modes == {
        "open": 0o644,
        "root": 0o755,
        "closed": 0o644,
        "shut": 0o755,
        "shut/file": 0o644,
    }


ESCAPES: dict[str, list[Member]] = {
    "dots": [raw_member("../evil", b"x")],
    "deep dots": [raw_member("a/../../../evil", b"x")],
    "through a link": [
        raw_member("d", kind=tarfile.SYMTYPE, target="../../outside"),
        raw_member("d/evil", b"x"),
    ],
    "through a link, absolute": [
        raw_member("d", kind=tarfile.SYMTYPE, target="OUTSIDE"),
        raw_member("d/evil", b"x"),
    ],
    "over a link": [
        raw_member("f", kind=tarfile.SYMTYPE, target="OUTSIDE/evil"),
        raw_member("f", b"x"),
    ],
    "hard link": [
        raw_member("h", kind=tarfile.LNKTYPE, target="../../outside/victim"),
        raw_member("h", b"changed"),
    ],
    "hard link, absolute": [
        raw_member("h", kind=tarfile.LNKTYPE, target="OUTSIDE/victim"),
        raw_member("h", b"changed"),
    ],
    "hard link to a link": [
        raw_member("s", kind=tarfile.SYMTYPE, target="OUTSIDE/victim"),
        raw_member("h", kind=tarfile.LNKTYPE, target="s"),
        raw_member("h", b"changed"),
    ],
    "absolute": [raw_member("OUTSIDE/evil", b"x")],
    "fifo": [raw_member("fifo", kind=tarfile.FIFOTYPE)],
    "character device": [raw_member("character", kind=tarfile.CHRTYPE)],
    "block device": [raw_member("block", kind=tarfile.BLKTYPE)],
    "file below a file": [raw_member("x", b"1"), raw_member("x/y", b"2")],
    "file over a directory": [raw_member("x/y", b"2"), raw_member("x", b"1")],
    "link over a file": [
        raw_member("x", b"1"),
        raw_member("x", kind=tarfile.SYMTYPE, target="share/demo.txt"),
    ],
    "hard link to a directory": [
        raw_member("d", kind=tarfile.DIRTYPE),
        raw_member("h", kind=tarfile.LNKTYPE, target="d"),
    ],
    "hard link to itself": [raw_member("h", kind=tarfile.LNKTYPE, target="h")],
    "root": [raw_member("/", b"x")],
}


@pytest.mark.parametrize("name", ESCAPES)
def test_no_member_gets_outside(tmp_path: Path, target: Path, kind: Kind, name: str) -> None:
    outside = target.parent.parent / "outside"
    outside.mkdir()
    (outside / "victim").write_text("as it was")
    members = []
    for entry, content in ESCAPES[name]:
        entry = tarfile.TarInfo.frombuf(entry.tobuf(), "utf-8", "strict")
        entry.name = entry.name.replace("OUTSIDE", str(outside))
        entry.linkname = entry.linkname.replace("OUTSIDE", str(outside))
        members.append((entry, content))
    before = everything(tmp_path)
    package = build_conda_package(tmp_path / "built", "demo", archive=kind, members=members)
    with pytest.raises(UnsafeArchiveError, match="refused") as caught:
        extract_package(package, target)
    assert caught.value.cause and caught.value.hint and package.name in caught.value.message
    assert everything(tmp_path) == before
    assert (outside / "victim").read_text() == "as it was"
    for path in target.rglob("*"):
        assert path.is_dir() or path.is_file() or path.is_symlink(), f"{path} is a device"


def test_hard_links_inside_share_their_file_and_a_later_one_does_not_write_through(
    tmp_path: Path, target: Path, kind: Kind
) -> None:
    members = [
        raw_member("lib/a", b"first", mode=0o755),
        raw_member("lib/b", kind=tarfile.LNKTYPE, target="lib/a"),
        raw_member("./lib/c", kind=tarfile.LNKTYPE, target="./lib/a"),
        raw_member("lib/a", b"second"),
    ]
    extract(tmp_path, target, kind, members=members)
    assert (target / "lib/b").read_bytes() == (target / "lib/c").read_bytes() == b"first"
    assert (target / "lib/b").samefile(target / "lib/c")
    assert (target / "lib/a").read_bytes() == b"second"


def test_compiled_bytecode_stays_valid(tmp_path: Path, target: Path, kind: Kind) -> None:
    # It names its source's time of modification.
    members = [raw_member("lib/module.py", b"x = 1")]
    members[0][0].mtime = 1_234_567_890
    extract(tmp_path, target, kind, members=members)
    assert (target / "lib/module.py").stat().st_mtime == 1_234_567_890


def test_other_threads_go_on_meanwhile(tmp_path: Path, target: Path, kind: Kind) -> None:
    files = {f"lib/{number}": os.urandom(100) for number in range(1000)}
    files["lib/large"] = os.urandom(3_000_000)
    package = build_conda_package(tmp_path / "built", "demo", archive=kind, files=files)
    turns = 0
    thread = threading.Thread(target=extract_package, args=(package, target))
    thread.start()
    while thread.is_alive():
        time.sleep(0.001)
        turns += 1
    assert turns > 10
    assert len(list((target / "lib").iterdir())) == 1001


@pytest.mark.parametrize(
    ("path", "destination"),
    [
        ("d", "/"),
        ("d", "/tmp"),
        ("d", ".."),
        ("a/b/d", "../../.."),
        ("a/d", "../b/../../.."),
        ("d", "../../../../../etc/passwd"),
        ("d", "no-such/../../x"),
    ],
)
def test_links_out_of_the_environment_are_refused(
    tmp_path: Path, target: Path, kind: Kind, path: str, destination: str
) -> None:
    with pytest.raises(UnsafeArchiveError, match="refused") as caught:
        extract(tmp_path, target, kind, files={path: Link(destination)})
    assert caught.value.cause and path in caught.value.cause
    assert caught.value.hint


def test_links_that_lead_out_together_are_refused(tmp_path: Path, target: Path, kind: Kind) -> None:
    # Each looks harmless as it is written: a/here is the package's root, so a/here/.. is outside.
    files = {"a/here": Link(".."), "out": Link("a/here/../x")}
    with pytest.raises(UnsafeArchiveError, match="refused"):
        extract(tmp_path, target, kind, files=files)


@pytest.mark.parametrize(
    "path", ["../demo-1.0-0/share/demo.txt", "share/../../x", "/etc/hostname", "", "."]
)
def test_a_list_of_files_that_leads_outside_is_refused(
    tmp_path: Path, target: Path, kind: Kind, path: str
) -> None:
    with pytest.raises(UnsafeArchiveError, match="refused") as caught:
        extract(tmp_path, target, kind, info=paths_json("share/demo.txt", path))
    assert caught.value.cause and caught.value.hint


def test_files_below_a_link_are_refused(tmp_path: Path, target: Path, kind: Kind) -> None:
    files = {"lib/x": "x", "lib64": Link("lib")}
    with pytest.raises(UnsafeArchiveError, match="refused") as caught:
        extract(tmp_path, target, kind, files=files, info=paths_json("lib/x", "lib64", "lib64/x"))
    assert "lib64" in str(caught.value.cause)


def test_what_is_listed_has_to_be_there(tmp_path: Path, target: Path, kind: Kind) -> None:
    with pytest.raises(UnsafeArchiveError, match="damaged") as caught:
        extract(tmp_path, target, kind, info=paths_json("share/demo.txt", "lib/missing.so"))
    assert "lib/missing.so" in str(caught.value.cause)


def test_the_lists_of_old_packages_are_read(tmp_path: Path, target: Path) -> None:
    old: dict[str, Any] = {
        "files": {"bin/a": "#!/opt/x/bin/sh\n", "lib/b": "b"},
        "info": {"files": "bin/a\nlib/b\n", "has_prefix": "/opt/x text bin/a\n", "no_link": ""},
    }
    package = build_conda_package(tmp_path / "built", "demo", archive="tar.bz2", **old)
    without = _without(package, "info/paths.json")
    extract_package(without, target)
    assert (target / "bin/a").is_file()

    old["info"]["files"] = "bin/a\nlib/b\n../../../home\n"
    package = build_conda_package(tmp_path / "built", "demo", archive="tar.bz2", **old)
    again = target.with_name("again")
    again.mkdir()
    with pytest.raises(UnsafeArchiveError):
        extract_package(_without(package, "info/paths.json"), again)


def _without(package: Path, name: str) -> Path:
    with tarfile.open(package) as tar:
        members = [(entry, tar.extractfile(entry)) for entry in tar if entry.name != name]
        with tarfile.open(package.with_name("old-1.0-0.tar.bz2"), "w:bz2") as other:
            for entry, file in members:
                other.addfile(entry, file)
    return package.with_name("old-1.0-0.tar.bz2")


@pytest.mark.parametrize(
    "info",
    [{"paths.json": "{"}, {"paths.json": "[]"}, {"paths.json": '{"paths": [{}]}'}],
    ids=["cut", "list", "empty"],
)
def test_a_list_that_cannot_be_read_is_an_error(
    tmp_path: Path, target: Path, kind: Kind, info: dict[str, str]
) -> None:
    with pytest.raises(UnsafeArchiveError, match="damaged") as caught:
        extract(tmp_path, target, kind, info=info)
    assert caught.value.cause and caught.value.hint


def damage(content: bytes) -> Iterable[bytes]:
    """Versions of an archive that are no such archive any more."""
    yield b""
    yield b"<html>please log in</html>"
    yield content[: len(content) // 2]
    yield content[len(content) // 2 :]
    yield b"\0" * len(content)


def test_damaged_archives_are_errors(tmp_path: Path, kind: Kind) -> None:
    package = build_conda_package(
        tmp_path / "built", "demo", archive=kind, files={"lib/x": os.urandom(100_000)}
    )
    for number, content in enumerate(damage(package.read_bytes())):
        package.write_bytes(content)
        target = tmp_path / "cache" / str(number)
        target.mkdir(parents=True)
        with pytest.raises(UnsafeArchiveError) as caught:
            extract_package(package, target)
        assert caught.value.cause and caught.value.hint, number


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A directory on a disk of 256 kB."""
    directory = tmp_path / "small"
    directory.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", "size=256k", "tmpfs", str(directory)]
    if shutil.which("mount") is None or subprocess.run(mount, capture_output=True).returncode:
        pytest.skip("only root may mount a small disk")
    yield directory
    subprocess.run(["umount", str(directory)], check=True)


def test_a_limit_of_the_system_is_no_damage(tmp_path: Path, target: Path, kind: Kind) -> None:
    resource = pytest.importorskip("resource")
    package = build_conda_package(
        tmp_path / "built", "demo", archive=kind, files={"lib/large": b"x" * 1_000_000}
    )
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    ignored = signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    resource.setrlimit(resource.RLIMIT_FSIZE, (500_000, before[1]))
    try:
        with pytest.raises(StoreError) as caught, writing(target):
            extract_package(package, target)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)
        signal.signal(signal.SIGXFSZ, ignored)
    assert not isinstance(caught.value, UnsafeArchiveError)
    assert str(target) in caught.value.message


def test_a_full_disk_is_no_damage(tmp_path: Path, kind: Kind, small_disk: Path) -> None:
    target = small_disk / "entry"
    target.mkdir()
    with pytest.raises(DiskFullError) as caught:
        extract(tmp_path, target, kind, files={"lib/large": b"x" * 1_000_000})
    assert caught.value.hint


COMPONENT = st.sampled_from(["..", ".", "a", "b", "lib", "evil", ""])
PATH = st.lists(COMPONENT, min_size=1, max_size=4).map("/".join)


@st.composite
def archives(draw: st.DrawFn) -> list[Member]:
    members = []
    for _ in range(draw(st.integers(1, 6))):
        path = draw(st.sampled_from(["", "/"])) + draw(PATH)
        kind = draw(
            st.sampled_from([tarfile.REGTYPE, tarfile.SYMTYPE, tarfile.LNKTYPE, tarfile.DIRTYPE])
        )
        target = draw(st.sampled_from(["", "/"])) + draw(PATH)
        link = kind in (tarfile.SYMTYPE, tarfile.LNKTYPE)
        content = b"evil" if kind == tarfile.REGTYPE else b""
        members.append(raw_member(path, content, kind=kind, target=target if link else ""))
    return members


@settings(max_examples=150, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(members=archives(), listed=st.lists(PATH, max_size=3))
def test_whatever_an_archive_says_nothing_gets_outside(
    tmp_path_factory: pytest.TempPathFactory, members: list[Member], listed: list[str]
) -> None:
    root = tmp_path_factory.mktemp("evil")
    target = root / "cache" / "deep" / "entry"
    target.mkdir(parents=True)
    package = build_conda_package(
        root / "built", "demo", files={"lib/x": "x"}, members=members, info=paths_json(*listed)
    )
    before = everything(root)
    try:
        extract_package(package, target)
    except UnsafeArchiveError:
        pass
    else:
        for path in listed:
            place = os.path.normpath(target / path)
            assert os.path.realpath(place).startswith(f"{os.path.realpath(target)}{os.sep}")
    assert everything(root) == before
