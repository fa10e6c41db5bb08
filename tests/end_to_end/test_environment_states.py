"""Environments in states that nobody should bring them into: what works, and what is said."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from end_to_end.machine import KAA, PYTHON, Answer, kaa, kernels, listed, names, root, state
from end_to_end.test_bad_input import mounted
from wheels import build_wheel

if TYPE_CHECKING:
    from collections.abc import Iterator

    from local_index import LocalIndex

STRANGER = 12345
"""A user that this machine has not got."""


@pytest.fixture
def newer(index: LocalIndex, tmp_path: Path) -> Path:
    """The environment demo, and an index that has something newer since."""
    index.headers = {"Cache-Control": "no-cache"}
    made = kaa("create", "-n", "demo", PYTHON, "bear", "-y")
    assert made.code == 0, made.err
    index.add(build_wheel(tmp_path / "newer", "fur", "2.2"))
    return root() / "envs" / "demo"


def powerless(*arguments: str | Path) -> Answer:
    """Run the command without the right to pass over permissions, which root has."""
    program = shutil.which("setpriv")
    before: list[str] = []
    if os.geteuid() == 0:
        if program is None:
            pytest.skip("root cannot do without its rights here: there is no setpriv")
        rights = "-dac_override,-dac_read_search,-fowner,-chown"
        before = [program, "--bounding-set", rights, "--inh-caps", rights]
    done = subprocess.run(
        [*before, *KAA, *map(str, arguments)],
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        check=False,
    )
    return Answer(done.returncode, done.stdout, done.stderr)


def give_away(directory: Path) -> None:
    """Make a stranger the owner of everything in a directory."""
    if os.geteuid() != 0:
        pytest.skip("only root can give files away")
    for path in (directory, *directory.rglob("*")):
        os.chown(path, STRANGER, STRANGER, follow_symlinks=False)


def is_refused(answer: Answer, code: int, *said: str) -> None:
    assert answer.code == code, answer.err
    assert "Traceback" not in answer.err and "hint:" in answer.err
    for words in said:
        assert words in answer.err


# --- what is no environment ------------------------------------------------------------------


@pytest.mark.parametrize("what", ["an empty directory", "a project", "a link", "nothing"])
def test_what_is_no_environment(tmp_path: Path, what: str) -> None:
    place = tmp_path / "place"
    if what == "a link":
        (tmp_path / "project").mkdir()
        place.symlink_to("project")
    elif what != "nothing":
        place.mkdir()
        if what == "a project":
            (place / "notes.txt").write_text("keep me")
    before = sorted(place.rglob("*"))
    said = "there is nothing at" if what == "nothing" else "is not an environment"
    for command in (
        ("install", "fur", "-y"),
        ("update", "--all", "-y"),
        ("list",),
        ("info",),
        ("run", "true"),
        ("env", "remove", "-y"),
    ):
        words = 2 if command[0] == "env" else 1
        answer = kaa(*command[:words], "-p", place, *command[words:])
        is_refused(answer, 3, said, str(place))
    assert sorted(place.rglob("*")) == before


def test_an_environment_that_another_program_made_is_read_and_left_as_it_is(newer: Path) -> None:
    theirs = newer.parent.parent.parent / "theirs"
    shutil.copytree(newer, theirs, symlinks=True)
    shutil.rmtree(theirs / "conda-meta" / "kaa")
    before = sorted(theirs.rglob("*"))
    assert "fur" in kaa("list", "-p", theirs).out
    is_refused(kaa("install", "-p", theirs, "fur", "-y"), 2, "was not made by kaa")
    is_refused(kaa("env", "remove", "-p", theirs, "-y"), 2, "was not made by kaa")
    assert sorted(theirs.rglob("*")) == before


# --- what may not be written to, or read -----------------------------------------------------


def test_a_directory_of_generations_that_is_read_only(
    newer: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PYTHONDONTWRITEBYTECODE", "1")  # below it, there may be written
    generations = newer.parent / ".kaa" / "demo"
    generations.chmod(0o555)
    try:
        before = state()
        for command in (("install", "-n", "demo", "fur==2.2"), ("env", "remove", "-n", "demo")):
            answer = powerless(*command, "-y")
            is_refused(answer, 6, f"{generations} cannot be written", "permissions")
        assert powerless("run", "-n", "demo", "growl").out == "bear 1.0\n"
        assert state() == before
    finally:
        generations.chmod(0o755)


def test_the_environments_of_somebody_else_can_be_used_and_not_changed(newer: Path) -> None:
    before = state()
    give_away(newer.parent)
    assert "fur" in powerless("list", "-n", "demo").out
    assert powerless("run", "-n", "demo", "growl").out == "bear 1.0\n"
    assert powerless("info", "-n", "demo", "--json").json["environment"]["problem"] is None
    generations = newer.parent / ".kaa"
    for command in (
        ("install", "-n", "demo", "fur==2.2"),
        ("env", "remove", "-n", "demo"),
        ("create", "-n", "other", "fur"),
    ):
        is_refused(powerless(*command, "-y"), 6, str(generations), "not yours to write to")
    assert state() == before


def test_an_environment_that_is_closed_hides_no_other(newer: Path) -> None:
    assert kaa("create", "-n", "mine", "fur", "-y").code == 0
    generations = newer.parent / ".kaa" / "demo"
    give_away(generations)
    generations.chmod(0o700)
    listing = powerless("env", "list")
    assert listing.code == 0, listing.err
    assert "mine" in listing.out and "is closed to you" in listing.out
    for command in (
        ("list", "-n", "demo"),
        ("run", "-n", "demo", "growl"),
        ("install", "-n", "demo", "fur==2.2", "-y"),
    ):
        is_refused(powerless(*command), 3, "is closed to you", str(generations))
    assert powerless("run", "-n", "mine", "python", "-c", "import fur").code == 0


def test_the_package_cache_of_somebody_else(newer: Path) -> None:
    before = state()
    give_away(root() / "pkgs")
    answer = powerless("install", "-n", "demo", "fur==2.2", "-y")
    is_refused(answer, 6, str(root() / "pkgs"))
    assert state() == before


# --- other disks, other places ---------------------------------------------------------------


def test_an_environment_on_another_disk_than_the_package_cache(
    index: LocalIndex, tmp_path: Path
) -> None:
    with mounted(tmp_path / "disk", "size=64m"):
        place = tmp_path / "disk" / "den"
        made = kaa("create", "-p", place, PYTHON, "bear", "-y")
        assert made.code == 0, made.err
        index.headers = {"Cache-Control": "no-cache"}
        index.add(build_wheel(tmp_path / "newer", "wolf", requires=["bear"]))
        changed = kaa("install", "-p", place, "wolf", "-y")
        assert changed.code == 0, changed.err
        assert kaa("run", "-p", place, "growl").out == "bear 1.0\n"
        assert (place / "conda-meta").stat().st_dev != (root() / "pkgs").stat().st_dev
        assert kaa("env", "remove", "-p", place, "-y").code == 0
        assert names(tmp_path / "disk") == []


def test_a_link_that_was_moved_by_hand(newer: Path) -> None:
    moved = newer.with_name("moved")
    newer.rename(moved)
    before = state()
    assert f"moved here by hand from {newer}" in kaa("env", "list").out
    assert kaa("list", "-n", "moved").code == 0
    ran = kaa("run", "-n", "moved", "growl")
    assert ran.code == 126 and f"moved here by hand from {newer}" in ran.err
    for command in (("install", "-n", "moved", "fur==2.2"), ("env", "remove", "-n", "moved")):
        is_refused(kaa(*command, "-y"), 3, f"moved by hand from {newer}", f"`mv {moved} {newer}`")
    # Its generations are in the way of another environment of the name.
    is_refused(kaa("create", "-n", "demo", "fur", "-y"), 3, f"moved by hand to {moved}")
    assert state() == before
    subprocess.run(["mv", moved, newer], check=True)
    assert kaa("run", "-n", "demo", "growl").out == "bear 1.0\n"


def test_a_link_that_was_moved_into_another_directory(newer: Path, tmp_path: Path) -> None:
    moved = tmp_path / "elsewhere" / "demo"
    moved.parent.mkdir()
    newer.rename(moved)
    for command in (("list",), ("run", "growl"), ("install", "fur==2.2", "-y")):
        answer = kaa(command[0], "-p", moved, *command[1:])
        is_refused(answer, 3, "its generation", "is missing", "if its link was moved, move it back")
    moved.rename(newer)
    assert kaa("run", "-n", "demo", "growl").out == "bear 1.0\n"


def test_all_of_kaa_was_moved_and_a_change_mends_it(
    newer: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (newer / "bin" / "mine").write_text(f"#!{newer}/bin/python\nprint('mine')\n")
    (newer / "bin" / "mine").chmod(0o755)
    before = root()
    before.rename(tmp_path / "moved")
    monkeypatch.setenv("KAA_ROOT", str(tmp_path / "moved"))
    told = kaa("info", "-n", "demo", "--json").json["environment"]
    assert f"moved here by hand from {newer}" in told["problem"]
    assert kaa("run", "-n", "demo", "growl").code == 126
    mended = kaa("install", "-n", "demo", "fur==2.2", "-y")
    assert mended.code == 0, mended.err
    assert kaa("run", "-n", "demo", "growl").out == "bear 1.0\n"
    assert kaa("run", "-n", "demo", "mine").out == "mine\n"
    assert kaa("info", "-n", "demo", "--json").json["environment"]["problem"] is None


def test_a_directory_with_two_paths_is_not_moved(
    newer: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "second").symlink_to(root())
    monkeypatch.setenv("KAA_ROOT", str(tmp_path / "second"))
    assert kaa("info", "-n", "demo", "--json").json["environment"]["problem"] is None
    assert kaa("run", "-n", "demo", "growl").out == "bear 1.0\n"


# --- caches and clocks -----------------------------------------------------------------------


def test_environments_do_without_the_package_cache_and_changes_fetch_it_again(
    newer: Path, index: LocalIndex
) -> None:
    shutil.rmtree(root() / "pkgs")
    assert kaa("run", "-n", "demo", "growl").out == "bear 1.0\n"
    before = state()
    assert kaa("install", "-n", "demo", "fur==2.2", "--dry-run").code == 0  # reads the index
    answer = kaa("install", "-n", "demo", "fur==2.2", "-y", "--offline")
    is_refused(answer, 5, "bear-1.0-py3-none-any.whl", "leave out `--offline`")
    assert state() == before
    changed = kaa("install", "-n", "demo", "fur==2.2", "-y")
    assert changed.code == 0, changed.err
    assert kaa("run", "-n", "demo", "growl").out == "bear 1.0\n"
    # One package of it, as somebody clears up who needs space.
    shutil.rmtree(next((root() / "pkgs").glob("bear-1.0-*/")))
    again = kaa("install", "-n", "demo", "fur==2.1", "-y")
    assert again.code == 0, again.err
    assert kaa("run", "-n", "demo", "growl").out == "bear 1.0\n"


def test_a_clock_that_was_set_back(demo: Answer, index: LocalIndex, tmp_path: Path) -> None:
    """Everything that was written is of the future now."""
    index.add(build_wheel(tmp_path / "newer", "fur", "2.2"))
    newer = root() / "envs" / "demo"
    manifest = newer / "conda-meta" / "kaa" / "manifest.json"
    content = json.loads(manifest.read_text())
    manifest.write_text(json.dumps({**content, "created": "2199-01-01T00:00:00+00:00"}))
    future = time.time() + 10**9
    for folder in ("envs", "pkgs", "cache", "locks"):
        for path in (root() / folder).rglob("*"):
            os.utime(path, (future, future), follow_symlinks=False)
    # The page is a second old and fresh for ten minutes, if its time can be believed.
    changed = kaa("install", "-n", "demo", "fur==2.2", "-y")
    assert changed.code == 0, changed.err
    told = kaa("history", "-n", "demo", "--json").json
    assert [each["generation"] for each in told["generations"]] == [1, 2]
    assert told["generations"][0]["created"] > told["generations"][1]["created"]
    assert kaa("undo", "-n", "demo", "-y").code == 0
    assert newer.readlink().name == "1"
    assert names(newer.parent / ".kaa" / "demo")[-2:] == ["1", "2"]


# --- unusual paths ---------------------------------------------------------------------------

UNUSUAL = ["it's a 名é, 50%&more;#1*?[x](a)~!", "x" * 200]


@pytest.fixture(params=UNUSUAL, ids=lambda text: text[:20])
def unusual(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Path]:
    yield tmp_path / request.param


def test_an_unusual_path(index: LocalIndex, unusual: Path, tmp_path: Path) -> None:
    index.add(build_wheel(tmp_path / "made", "wolf", requires=["fur"]))
    made = kaa("create", "-p", unusual, PYTHON, "bear", "-y")
    assert made.code == 0, made.err
    assert kaa("run", "-p", unusual, "growl").out == "bear 1.0\n"
    direct = subprocess.run([unusual / "bin" / "growl"], capture_output=True, text=True)
    assert direct.stdout == "bear 1.0\n", direct.stderr
    changed = kaa("install", "-p", unusual, "wolf", "-y")
    assert changed.code == 0, changed.err
    assert listed() == [str(unusual)]
    (kernel,) = kernels()
    spec: dict[str, Any] = json.loads(
        (Path(os.environ["JUPYTER_DATA_DIR"]) / "kernels" / kernel / "kernel.json").read_text()
    )
    assert unusual.name in spec["display_name"]
    argv = [
        part.replace("{connection_file}", str(tmp_path / "connection")) for part in spec["argv"]
    ]
    started = subprocess.run(argv, capture_output=True, text=True)
    assert "ipykernel" in started.stderr, "what passes for it in this test cannot start"
    assert kaa("env", "remove", "-p", unusual, "-y").code == 0
    assert kernels() == [] and listed() == []
    assert not os.path.lexists(unusual) and not (tmp_path / ".kaa").exists()


@pytest.mark.parametrize("letter", ['"', "$", "`", "\\"])
def test_a_path_that_programs_could_not_be_started_by(
    index: LocalIndex, tmp_path: Path, letter: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The linker puts such a path into scripts of the shell as it is."""
    is_refused(kaa("create", "-p", tmp_path / f"a{letter}b", "fur", "-y"), 2, f"`{letter}`")
    monkeypatch.setenv("KAA_ROOT", str(tmp_path / f"root{letter}x"))
    is_refused(kaa("create", "-n", "den", "fur", "-y"), 2, f"`{letter}`")
    assert index.requests == []
