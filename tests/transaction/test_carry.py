"""What is carried over into the next generation, and what is not."""

from __future__ import annotations

import hashlib
import os
import socket
import stat
from dataclasses import dataclass
from typing import TYPE_CHECKING

import pytest

from kaa.environments.prefix import write_manifest
from kaa.model.environment import Manifest
from kaa.model.errors import StoreError
from kaa.transaction.carried import BESIDE, Kept
from kaa.transaction.carry import carry_over
from prefix_records import write_record

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from kaa.transaction.carried import Carried

SITE = "lib/python3.12/site-packages"


@dataclass
class Pair:
    """An old generation, the next one, and the package cache that both are linked from."""

    root: Path

    @property
    def stable(self) -> Path:
        return self.root / "envs" / "demo"

    @property
    def old(self) -> Path:
        return self.root / "envs" / ".kaa" / "demo" / "1"

    @property
    def new(self) -> Path:
        return self.root / "envs" / ".kaa" / "demo" / ".new-1"

    def package(
        self, name: str, version: str, files: Mapping[str, str], where: str = "both"
    ) -> None:
        """Link a package into one generation or both; files below etc are copied."""
        cache = self.root / "pkgs" / f"{name}-{version}"
        hashes = {}
        for path, text in files.items():
            (cache / path).parent.mkdir(parents=True, exist_ok=True)
            (cache / path).write_text(text)
            os.utime(cache / path, (1e9, 1e9))  # as reproducible builds have it
            hashes[path] = hashlib.sha256(text.encode()).hexdigest()
        for generation in (self.old, self.new):
            if where in ("both", generation.name, {"1": "old", ".new-1": "new"}[generation.name]):
                self._link(cache, generation, name, version, hashes)

    def _link(
        self, cache: Path, generation: Path, name: str, version: str, hashes: Mapping[str, str]
    ) -> None:
        for path in hashes:
            target = generation / path
            target.parent.mkdir(parents=True, exist_ok=True)
            if path.startswith("etc/"):
                target.write_bytes((cache / path).read_bytes())
                os.utime(target, (1e9, 1e9))
            else:
                os.link(cache / path, target)
        entries = [
            {"_path": path, "path_type": "hardlink", "sha256": digest}
            for path, digest in hashes.items()
        ]
        write_record(
            generation,
            name,
            version,
            files=list(hashes),
            paths_data={"paths_version": 1, "paths": entries},
            sha256=hashlib.sha256(f"{name}{version}".encode()).hexdigest(),
        )

    def python(self, version: str = "3.12.1", where: str = "both") -> None:
        self.package("python", version, {f"bin/python{version[:4]}": "#!python"}, where)

    def write(self, path: str, text: str = "mine", mode: int = 0o644) -> Path:
        """Write what somebody has put into the old generation, as an editor does: anew."""
        file = self.old / path
        file.parent.mkdir(parents=True, exist_ok=True)
        file.unlink(missing_ok=True)
        file.write_text(text)
        file.chmod(mode)
        return file

    def distribution(self, name: str, version: str, *files: str) -> None:
        """Put a distribution there by hand, as pip does."""
        metadata = f"{SITE}/{name}-{version}.dist-info"
        self.write(f"{metadata}/METADATA", f"Name: {name}\n")
        self.write(f"{metadata}/INSTALLER", "pip\n")
        for file in files:
            self.write(file, f"{name} {version}")
        listed = [f"{metadata}/METADATA", f"{metadata}/INSTALLER", f"{metadata}/RECORD", *files]
        rows = [f"{os.path.relpath(path, SITE)},," for path in listed]
        self.write(f"{metadata}/RECORD", "\n".join([*rows, "/etc/passwd,,", "../../../../x,,", ""]))

    def carry(self) -> Carried:
        write_manifest(self.old, Manifest("demo", (), (), "kaa", "now"))
        (self.new / "conda-meta").mkdir(parents=True, exist_ok=True)
        return carry_over(self.old, self.new, self.stable)

    def text(self, path: str) -> str:
        return (self.new / path).read_text()

    def has(self, path: str) -> bool:
        return os.path.lexists(self.new / path)


@pytest.fixture
def pair(tmp_path: Path) -> Pair:
    pair = Pair(tmp_path)
    pair.package("bear", "1.0", {f"{SITE}/bear/__init__.py": "v = 1", "etc/bear.conf": "a = 1\n"})
    return pair


def paths(directory: Path) -> list[str]:
    return sorted(
        str(path.relative_to(directory))
        for path in directory.rglob("*")
        if not path.is_dir() or path.is_symlink()
    )


def test_what_nobody_owns_goes_along_as_it_is(pair: Pair) -> None:
    data = pair.write("work/data.csv", "1,2\n", mode=0o640)
    os.utime(data, ns=(1_600_000_000_123_456_789, 1_500_000_000_987_654_321))
    pair.write("work/run.sh", "#!/bin/sh\n", mode=0o755)
    pair.write("conda-meta/history", "==> now <==\n")
    pair.write("conda-meta/pinned", "numpy 1.*\n")
    pair.write("conda-meta/state", '{"env_vars": {"A": "1"}}')
    pair.write(f"{SITE}/mine.pth", "/somewhere\n")
    carried = pair.carry()
    copy = pair.new / "work/data.csv"
    assert copy.read_text() == "1,2\n"
    assert stat.S_IMODE(copy.stat().st_mode) == 0o640
    assert copy.stat().st_mtime_ns == 1_500_000_000_987_654_321
    assert copy.stat().st_ino != data.stat().st_ino, "the old generation stays as it is"
    assert os.access(pair.new / "work/run.sh", os.X_OK)
    assert pair.text("conda-meta/history") == "==> now <==\n"
    assert pair.text("conda-meta/pinned") == "numpy 1.*\n"
    assert pair.text("conda-meta/state") == '{"env_vars": {"A": "1"}}'
    assert pair.has(f"{SITE}/mine.pth")
    assert carried.files == 6
    assert carried.notes() == []


def test_records_and_the_manifest_are_not_carried(pair: Pair) -> None:
    pair.package("gone", "1.0", {"share/gone.txt": "x"}, "old")
    pair.write("conda-meta/kaa/later.txt", "of a later kaa")
    pair.carry()
    assert not pair.has("conda-meta/kaa/manifest.json") and not pair.has(
        "conda-meta/gone-1.0-0.json"
    )
    assert pair.has("conda-meta/kaa/later.txt")
    assert not pair.has("share"), "nor what a package leaves empty"


def test_nothing_of_a_package_is_copied(pair: Pair) -> None:
    before = (pair.new / f"{SITE}/bear/__init__.py").stat().st_ino
    carried = pair.carry()
    assert carried.files == 0
    assert (pair.new / f"{SITE}/bear/__init__.py").stat().st_ino == before


def test_a_second_change_of_the_copy_does_not_reach_the_old_one(pair: Pair) -> None:
    pair.write("big.bin", "x" * (2**20 + 1))
    pair.write("small.txt", "x")
    pair.carry()
    for name in ("big.bin", "small.txt"):
        with (pair.new / name).open("r+") as stream:
            stream.write("CHANGED")
        assert (pair.old / name).read_text().startswith("x")


# --- directories ---------------------------------------------------------------------------


def test_directories_keep_what_they_are(pair: Pair) -> None:
    pair.write("private/notes.txt")
    (pair.old / "private").chmod(0o700)
    os.utime(pair.old / "private", (1e9, 1e9))
    (pair.old / "empty" / "inside").mkdir(parents=True)
    (pair.old / "readonly").mkdir()
    pair.write("readonly/file.txt")
    (pair.old / "readonly").chmod(0o555)
    pair.old.chmod(0o750)
    pair.carry()
    status = (pair.new / "private").stat()
    assert (stat.S_IMODE(status.st_mode), status.st_mtime) == (0o700, 1e9)
    assert (pair.new / "empty" / "inside").is_dir()
    assert stat.S_IMODE((pair.new / "readonly").stat().st_mode) == 0o555
    assert stat.S_IMODE(pair.new.stat().st_mode) == 0o750
    for root in (pair.old, pair.new):
        (root / "readonly").chmod(0o755)


def test_a_directory_that_packages_have_left_is_no_directory_of_the_user(pair: Pair) -> None:
    pair.package("old", "1.0", {f"{SITE}/old/a/b.py": "", "share/old/x": ""}, "old")
    pair.write(f"{SITE}/old/a/__pycache__/b.cpython-312.pyc")
    (pair.old / "share/old/x").unlink()
    pair.carry()
    assert not pair.has(f"{SITE}/old")
    assert not pair.has("share")


# --- links and what is no file -------------------------------------------------------------


def test_links_stay_links(pair: Pair) -> None:
    (pair.old / "work").mkdir()
    links = {
        "work/dangling": "nowhere",
        "work/up": "../lib",
        "work/shared": "/usr/share",
        "work/loop": "loop",
        "work/out": "../../../../other",
    }
    for path, target in links.items():
        (pair.old / path).symlink_to(target)
    pair.carry()
    assert {path: os.readlink(pair.new / path) for path in links} == links  # noqa: PTH115


def test_a_link_into_the_old_generation_leads_to_the_environment(pair: Pair) -> None:
    (pair.old / "bin").mkdir()
    (pair.old / "bin" / "tool").symlink_to(pair.old / "lib" / "tool")
    (pair.old / "itself").symlink_to(pair.old)
    (pair.old / "ten").symlink_to(f"{pair.old}0/lib")
    (pair.old / "stable").symlink_to(pair.stable / "lib")
    pair.carry()
    read = {name: str((pair.new / name).readlink()) for name in ("itself", "ten", "stable")}
    assert (pair.new / "bin" / "tool").readlink() == pair.stable / "lib" / "tool"
    assert read == {
        "itself": str(pair.stable),
        "ten": f"{pair.old}0/lib",
        "stable": str(pair.stable / "lib"),
    }


def test_what_is_no_file_stays_behind_and_is_told(
    pair: Pair, monkeypatch: pytest.MonkeyPatch
) -> None:
    (pair.old / "run").mkdir()
    os.mkfifo(pair.old / "run" / "pipe")
    monkeypatch.chdir(pair.old / "run")  # the path of a socket may not be long
    with socket.socket(socket.AF_UNIX) as server:
        server.bind("socket")
        carried = pair.carry()
    assert carried.kept == {Kept.SPECIAL: ("run/pipe", "run/socket")}
    assert not pair.has("run/pipe") and not pair.has("run/socket")
    assert "run/pipe, run/socket" in carried.notes()[0]


def test_what_cannot_be_read_is_an_error_not_a_loss(pair: Pair) -> None:
    secret = pair.write("secret.txt", mode=0)
    if os.access(secret, os.R_OK):
        pytest.skip("this user may read everything")
    with pytest.raises(StoreError, match=r"secret.txt cannot be carried over") as caught:
        pair.carry()
    assert caught.value.hint
    secret.unlink()
    directory = pair.old / "closed"
    directory.mkdir(mode=0)
    try:
        with pytest.raises(StoreError, match="closed cannot be carried over"):
            pair.carry()
    finally:
        directory.chmod(0o755)


def test_the_owner_stays_or_the_rights_go(pair: Pair, monkeypatch: pytest.MonkeyPatch) -> None:
    theirs, shared = pair.write("theirs", mode=0o644), pair.write("shared", mode=0o644)
    try:
        os.chown(theirs, 12345, 12345)
    except PermissionError:
        pytest.skip("only root may give files away")
    os.chown(shared, 12345, 12345)
    for file in (theirs, shared):
        file.chmod(0o6755)
    pair.carry()
    status = (pair.new / "theirs").stat()
    assert (status.st_uid, stat.S_IMODE(status.st_mode)) == (12345, 0o6755)

    def refuse(*_: object, **__: object) -> None:
        raise PermissionError

    (pair.new / "shared").unlink()
    monkeypatch.setattr(os, "chown", refuse)  # as the system does to everybody else
    pair.carry()
    status = (pair.new / "shared").stat()
    assert (status.st_uid, stat.S_IMODE(status.st_mode)) == (os.geteuid(), 0o755)


def test_extended_attributes_go_along(pair: Pair) -> None:
    file = pair.write("work/data.csv")
    try:
        os.setxattr(file, "user.origin", b"field work")
    except OSError:
        pytest.skip("this file system has no extended attributes")
    pair.carry()
    assert os.getxattr(pair.new / "work/data.csv", "user.origin") == b"field work"


def test_odd_names(pair: Pair) -> None:
    names = ["a b", "ümläut", "new\nline", "-rf", os.fsdecode(b"\xff\xfe"), "x" * 250]
    for name in names:
        pair.write(f"work/{name}", name.encode("utf-8", "replace").decode())
    pair.carry()
    assert sorted(path.name for path in (pair.new / "work").iterdir()) == sorted(names)


# --- what packages own ---------------------------------------------------------------------


def test_a_path_that_a_package_takes_is_the_package_s(pair: Pair) -> None:
    pair.write("bin/tool", "mine")
    pair.write("bin/same", "alike")
    pair.package("tool", "1.0", {"bin/tool": "the package's", "bin/same": "alike"}, "new")
    carried = pair.carry()
    assert pair.text("bin/tool") == "the package's"
    assert carried.kept == {Kept.COVERED: ("bin/tool",)}
    assert (pair.old / "bin/tool").read_text() == "mine"


def test_settings_stay_the_user_s_and_the_package_s_are_beside_them(pair: Pair) -> None:
    pair.write("etc/tool/tool.conf", "mine")
    pair.package("tool", "1.0", {"etc/tool/tool.conf": "default"}, "new")
    carried = pair.carry()
    assert pair.text("etc/tool/tool.conf") == "mine"
    assert pair.text(f"etc/tool/tool.conf{BESIDE}") == "default"
    assert carried.kept == {Kept.SETTINGS: ("etc/tool/tool.conf",)}


def test_settings_of_an_unchanged_package_are_kept_silently(pair: Pair) -> None:
    pair.write("etc/bear.conf", "a = 2\n")
    carried = pair.carry()
    assert pair.text("etc/bear.conf") == "a = 2\n"
    assert carried.kept == {} and not pair.has(f"etc/bear.conf{BESIDE}")
    assert (pair.root / "pkgs/bear-1.0/etc/bear.conf").read_text() == "a = 1\n"


def test_settings_of_a_package_that_changes(pair: Pair) -> None:
    files = {"etc/same.conf": "old", "etc/other.conf": "old", "etc/untouched.conf": "old"}
    pair.package("tool", "1.0", files | {"etc/gone.conf": "old"}, "old")
    changed = {"etc/same.conf": "old", "etc/other.conf": "new", "etc/untouched.conf": "new"}
    pair.package("tool", "2.0", changed, "new")
    pair.write(f"etc/other.conf{BESIDE}", "of the change before")
    for path in ("etc/same.conf", "etc/other.conf", "etc/gone.conf"):
        pair.write(path, "mine")
    carried = pair.carry()
    assert pair.text("etc/same.conf") == "mine"
    assert not pair.has(f"etc/same.conf{BESIDE}"), "the package did not change them"
    assert (pair.text("etc/other.conf"), pair.text(f"etc/other.conf{BESIDE}")) == ("mine", "new")
    assert pair.text("etc/untouched.conf") == "new"
    assert not pair.has("etc/gone.conf")
    assert carried.kept == {
        Kept.EDITED: ("etc/gone.conf",),
        Kept.SETTINGS: ("etc/other.conf",),
    }


def test_an_edit_lives_as_long_as_its_package(pair: Pair) -> None:
    pair.write(f"{SITE}/bear/__init__.py", "v = 1  # patched")
    pair.package("fur", "1.0", {f"{SITE}/fur.py": "v = 1"}, "old")
    pair.package("fur", "2.0", {f"{SITE}/fur.py": "v = 2"}, "new")
    pair.write(f"{SITE}/fur.py", "v = 1  # patched")
    carried = pair.carry()
    assert pair.text(f"{SITE}/bear/__init__.py") == "v = 1  # patched"
    assert pair.text(f"{SITE}/fur.py") == "v = 2"
    assert carried.kept == {Kept.EDITED: (f"{SITE}/fur.py",)}
    assert (pair.root / f"pkgs/bear-1.0/{SITE}/bear/__init__.py").read_text() == "v = 1"


def test_an_edit_of_the_same_length_is_seen_and_goes_along_twice(pair: Pair) -> None:
    pair.write(f"{SITE}/bear/__init__.py", "v = 2")
    pair.carry()
    assert pair.text(f"{SITE}/bear/__init__.py") == "v = 2"
    third = pair.new.with_name(".new-2")
    pair.new.rename(pair.old.with_name("2"))
    (third / SITE / "bear").mkdir(parents=True)
    os.link(pair.root / f"pkgs/bear-1.0/{SITE}/bear/__init__.py", third / SITE / "bear/__init__.py")
    (third / "conda-meta").mkdir()
    record = pair.old / "conda-meta" / "bear-1.0-0.json"
    (third / "conda-meta" / record.name).write_text(record.read_text())
    second = pair.old.with_name("2")
    carry_over(second, third, pair.stable)
    assert (third / SITE / "bear/__init__.py").read_text() == "v = 2"


def test_what_was_deleted_of_a_package_is_there_again(pair: Pair) -> None:
    (pair.old / f"{SITE}/bear/__init__.py").unlink()
    pair.carry()
    assert pair.text(f"{SITE}/bear/__init__.py") == "v = 1"


def test_a_link_of_a_package_is_not_followed(pair: Pair, tmp_path: Path) -> None:
    outside = tmp_path / "outside"
    outside.mkdir()
    pair.write("data/mine.txt")
    (pair.new / "data").symlink_to(outside)
    pair.write("file/mine.txt")
    (pair.new / "file").write_text("a file")
    pair.write("bin", "a file where packages have a directory")
    (pair.new / "bin").mkdir()
    carried = pair.carry()
    assert list(outside.iterdir()) == []
    assert carried.kept == {Kept.COVERED: ("bin", "data/", "file/")}


# --- bytecode ------------------------------------------------------------------------------


def test_bytecode_goes_with_its_source(pair: Pair) -> None:
    cache = f"{SITE}/bear/__pycache__"
    pair.write(f"{cache}/__init__.cpython-312.pyc", "of bear")
    pair.write(f"{cache}/__init__.cpython-312.opt-1.pyc", "of bear, too")
    pair.write(f"{cache}/vanished.cpython-312.pyc", "without a source")
    # The same size and time: Python could not tell the two apart.
    pair.package("fur", "1.0", {f"{SITE}/fur.py": "v = 1"}, "old")
    pair.package("fur", "2.0", {f"{SITE}/fur.py": "v = 2"}, "new")
    pair.write(f"{SITE}/__pycache__/fur.cpython-312.pyc", "of the old fur")
    pair.write("work/mine.py", "")
    pair.write("work/__pycache__/mine.cpython-312.pyc", "of mine")
    carried = pair.carry()
    assert sorted(path for path in paths(pair.new) if path.endswith(".pyc")) == [
        f"{cache}/__init__.cpython-312.opt-1.pyc",
        f"{cache}/__init__.cpython-312.pyc",
        "work/__pycache__/mine.cpython-312.pyc",
    ]
    assert carried.kept == {}


def test_bytecode_that_packages_bring(pair: Pair) -> None:
    owned, fresh = (f"{SITE}/bear/__pycache__/{name}.cpython-312.pyc" for name in ("a", "b"))
    pair.package("bear", "1.0", {f"{SITE}/bear/a.py": "", owned: "of the package"})
    pair.write(owned, "made anew by Python")
    pair.package("fur", "1.0", {f"{SITE}/bear/b.py": ""})
    pair.write(fresh, "made by Python before the package had any")
    pair.package("fur-bytecode", "1.0", {fresh: "of the package"}, "new")
    gone = f"{SITE}/__pycache__/wolf.cpython-312.pyc"
    pair.package("wolf", "1.0", {f"{SITE}/wolf.py": "", gone: "old"}, "old")
    pair.package("wolf", "2.0", {f"{SITE}/wolf.py": ""}, "new")
    pair.write(gone, "made anew by Python")
    carried = pair.carry()
    assert pair.text(owned) == "made anew by Python"
    assert pair.text(fresh) == "of the package"
    assert not pair.has(gone)
    assert carried.kept == {}, "nobody edits bytecode"


# --- what other programs installed ---------------------------------------------------------


def test_what_pip_installed_goes_along_as_a_whole(pair: Pair) -> None:
    pair.python()
    pair.distribution("wolf", "1.0", f"{SITE}/wolf/__init__.py", "bin/howl")
    carried = pair.carry()
    assert carried.kept == {}
    assert pair.text(f"{SITE}/wolf/__init__.py") == "wolf 1.0"
    assert pair.has(f"{SITE}/wolf-1.0.dist-info/RECORD") and pair.has("bin/howl")


def test_what_pip_installed_gives_way_to_a_package_of_its_name(pair: Pair) -> None:
    pair.python()
    pair.distribution("Big_Wolf", "1.0", f"{SITE}/wolf/__init__.py", f"{SITE}/wolf/old.py")
    files = {f"{SITE}/wolf/__init__.py": "2", f"{SITE}/big_wolf-2.0.dist-info/METADATA": ""}
    pair.package("big-wolf", "2.0", files, "new")
    carried = pair.carry()
    assert carried.kept == {Kept.REPLACED: ("big-wolf 1.0",)}
    assert paths(pair.new / SITE / "wolf") == ["__init__.py"]
    assert pair.text(f"{SITE}/wolf/__init__.py") == "2"
    assert not pair.has(f"{SITE}/Big_Wolf-1.0.dist-info")


def test_what_pip_upgraded_is_the_package_s_again(pair: Pair) -> None:
    pair.python()
    metadata = f"{SITE}/wolf-1.0.dist-info"
    files = {f"{SITE}/wolf/__init__.py": "1", f"{metadata}/METADATA": "", f"{metadata}/RECORD": ""}
    pair.package("wolf", "1.0", files)
    for path in files:
        (pair.old / path).unlink()
    pair.distribution("wolf", "1.5", f"{SITE}/wolf/__init__.py", f"{SITE}/wolf/more.py")
    carried = pair.carry()
    assert carried.kept == {Kept.REPLACED: ("wolf 1.5",)}
    assert pair.text(f"{SITE}/wolf/__init__.py") == "1"
    assert not pair.has(f"{SITE}/wolf/more.py")
    assert not pair.has(f"{SITE}/wolf-1.5.dist-info")


def test_what_pip_left_in_a_package_s_metadata_goes_with_them(pair: Pair) -> None:
    pair.python()
    old, new = (f"{SITE}/wolf-{version}.dist-info" for version in ("1.0", "2.0"))
    pair.package("wolf", "1.0", {f"{old}/METADATA": "1"}, "old")
    pair.write(f"{old}/REQUESTED", "")
    pair.package("wolf", "2.0", {f"{new}/METADATA": "2"}, "new")
    pair.carry()
    assert not pair.has(old), "a distribution without metadata breaks importlib.metadata"


def test_another_python_does_not_find_what_pip_installed(pair: Pair) -> None:
    pair.python("3.12.1", "old")
    pair.python("3.13.0", "new")
    pair.distribution("wolf", "1.0", f"{SITE}/wolf/__init__.py", "bin/howl")
    pair.write(f"{SITE}/notes.txt")
    carried = pair.carry()
    assert carried.kept == {Kept.OTHER_PYTHON: ("wolf 1.0",)}
    assert not pair.has("bin/howl") and not pair.has(f"{SITE}/wolf")
    assert pair.has(f"{SITE}/notes.txt")


# --- paths of the generation ---------------------------------------------------------------


def test_scripts_name_the_environment_not_its_generation(pair: Pair) -> None:
    old = str(pair.old)
    pair.write("bin/howl", f"#!{old}/bin/python3.12\nimport wolf\n", mode=0o755)
    kernel = "share/jupyter/kernels/x/kernel.json"
    pair.write(kernel, f'{{"argv": ["{old}/bin/python", "file://{old}/x"]}}')
    pair.write(f"{SITE}/editable.pth", f"{old}\n{old}0\n/backup{old}/x\n{old}/src")
    (pair.old / "bin/binary").write_bytes(b"\0" + old.encode() + b"\0")
    pair.write("work/log.txt", f"ran {old}/bin/python")
    pair.carry()
    stable = str(pair.stable)
    assert pair.text("bin/howl") == f"#!{stable}/bin/python3.12\nimport wolf\n"
    assert os.access(pair.new / "bin/howl", os.X_OK)
    assert pair.text(kernel) == f'{{"argv": ["{stable}/bin/python", "file://{stable}/x"]}}'
    assert pair.text(f"{SITE}/editable.pth") == f"{stable}\n{old}0\n/backup{old}/x\n{stable}/src"
    assert (pair.new / "bin/binary").read_bytes() == b"\0" + old.encode() + b"\0"
    assert pair.text("work/log.txt") == f"ran {old}/bin/python", "a document is not a program"
    assert (pair.old / "bin/howl").read_text().startswith(f"#!{old}")


def test_it_can_be_stopped_between_two_files(pair: Pair) -> None:
    for number in range(9):
        pair.write(f"work/{number}.txt")
    answers = iter([False] * 12 + [True] * 100)
    (pair.new / "conda-meta").mkdir(parents=True, exist_ok=True)
    carried = carry_over(pair.old, pair.new, pair.stable, lambda: next(answers))
    assert 0 < carried.files < 9
