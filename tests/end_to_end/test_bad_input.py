"""Everything that can be wrong, typed once: what is said, the exit code, and nothing left behind.

Each is tried as a user types it and with ``--json``, which carries the same.
"""

from __future__ import annotations

import io
import os
import re
import socket
import subprocess
from contextlib import contextmanager, redirect_stderr, redirect_stdout
from dataclasses import dataclass
from typing import TYPE_CHECKING

import pytest

from end_to_end.conftest import know_interpreters
from end_to_end.machine import Answer, kaa, root, state
from kaa.cli.main import execute
from local_index import JSON, Fault
from wheels import build_wheel

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from local_index import LocalIndex


def refused(*arguments: str | Path) -> Answer:
    """Run a ``create`` that has to fail, twice, and check what holds for every failure."""
    before = state()
    answer = kaa("create", "-y", *arguments)
    assert state() == before
    told = kaa_here("create", "-y", "--json", *arguments)
    assert state() == before

    assert answer.code == told.code != 0
    assert "Traceback" not in answer.err + told.err
    assert "internal error" not in answer.err
    said = told.json
    assert said["success"] is False
    assert said["exit_code"] == answer.code
    lines = [line.strip() for line in answer.err.splitlines()]
    assert f"error: {without_numbers(said['message'])}" in map(without_numbers, lines)
    assert said["hint"]
    assert f"hint: {said['hint'].splitlines()[0]}" in lines
    return answer


def kaa_here(*arguments: str | Path) -> Answer:
    """Run the command in this process, which takes a fifth of the time."""
    out, err = io.StringIO(), io.StringIO()
    with redirect_stdout(out), redirect_stderr(err):
        code = execute([*map(str, arguments)])
    return Answer(code, out.getvalue(), err.getvalue())


def without_numbers(text: str) -> str:
    """Leave out what differs from run to run (directories with random names)."""
    return re.sub(r"[0-9a-f]{8,}|[0-9]", "", text)


@dataclass(frozen=True)
class Case:
    specs: tuple[str, ...]
    code: int
    said: tuple[str, ...]


REQUESTS = {
    "unknown package": Case(("surely-not-there",), 4, ("'surely-not-there'", "spelling")),
    "near name": Case(("pandsa",), 4, ("'pandsa'", "did you mean `pandas`")),
    "no such version": Case(("bear==9",), 4, ("'bear'", "`bear==9`", "1.0")),
    "no wheel for this platform": Case(("elsewhere",), 4, ("'elsewhere'", "no wheel")),
    "conflict": Case(("bear", "bald"), 4, ("together", "bald", "fur <2", "fur >=2")),
    "nothing fits one of them": Case(("bear", "odd"), 4, ("`odd` cannot", "fur ==3", "2.1")),
    "no such interpreter": Case(("python=3.7", "bear"), 4, ("`python=3.7`", "these were found")),
    "malformed spec": Case(("bear @@ 3",), 2, ("'bear @@ 3'", "examples:")),
    "nothing at all": Case((), 2, ("nothing was asked for", "at least one")),
    "URL of no wheel": Case(("bear @ https://example.org/b.whl",), 5, ("b.whl", "NAME-VERSION")),
    "path to nothing": Case(("./no-project",), 2, ("there is nothing at", "no-project")),
}


@pytest.mark.parametrize("case", REQUESTS.values(), ids=REQUESTS.keys())
def test_what_is_asked_for_cannot_be_had(index: LocalIndex, tmp_path: Path, case: Case) -> None:
    made = tmp_path / "more wheels"
    index.add(build_wheel(made, "pandas"))
    index.add(build_wheel(made, "fur", "1.5"))
    index.add(build_wheel(made, "bald", requires=["fur<2"]))
    index.add(build_wheel(made, "odd", requires=["fur==3"]))
    index.add(build_wheel(made, "elsewhere", tag="cp312-cp312-win_arm64"))
    answer = refused("-n", "new", *case.specs)
    assert answer.code == case.code
    for words in case.said:
        assert words in answer.err


FUR = "{files}fur-2.1-py3-none-any.whl"
URLS = {
    "not there": Case(("bear @ {files}bear-9-py3-none-any.whl",), 5, ("answered 404", "bear-9")),
    "another project": Case((f"bear @ {FUR}",), 5, ("it is fur 2.1", "fur @ ")),
    "another hash": Case((f"{FUR}#sha256={'0' * 64}",), 6, ("is not the file", "0" * 64)),
    "another version": Case(
        (FUR, "fur<2"), 4, ("`fur<2` and `fur @", "version: 2.1", "leave out `fur<2`")
    ),
}


@pytest.mark.parametrize("case", URLS.values(), ids=URLS.keys())
def test_what_is_asked_for_by_its_url(index: LocalIndex, tmp_path: Path, case: Case) -> None:
    index.add(build_wheel(tmp_path / "more wheels", "fur", "1.5"))
    specs = [spec.format(files=index.file_url("")) for spec in case.specs]
    answer = refused("-n", "new", *specs)
    assert answer.code == case.code
    for words in case.said:
        assert words in answer.err


@pytest.mark.parametrize(
    ("name", "reason"),
    [
        ("", "empty"),
        ("a/b", "`/`"),
        ("..", "begins with"),
        (".hidden", "begins with"),
        ("a b", "white space"),
        ("a\nb", "white space"),
        ("a:b", "`:`"),
        ("base", "conda"),
        ("x" * 201, "bytes"),
        ("名" * 70, "bytes"),
    ],
)
def test_a_name_that_no_environment_can_have(index: LocalIndex, name: str, reason: str) -> None:
    answer = refused("-n", name, "bear")
    assert answer.code == 2
    assert reason in answer.err
    assert index.requests == [], "nothing is asked of the index for a name that cannot be"


@pytest.mark.parametrize("path", ["a\nb", os.fsdecode(b"caf\xe9"), "x" * 201, ".kaa"])
def test_a_path_that_no_environment_can_have(index: LocalIndex, tmp_path: Path, path: str) -> None:
    answer = refused("-p", tmp_path / path, "bear")
    assert answer.code == 2
    assert "cannot be the path of an environment" in answer.err
    assert not index.requests


def test_the_environment_exists(demo: Answer) -> None:
    answer = refused("-n", "demo", "bear")
    assert answer.code == 3
    assert str(root() / "envs" / "demo") in answer.err
    assert f"kaa env remove -p {root() / 'envs' / 'demo'}" in answer.err


def test_something_else_is_there(index: LocalIndex, tmp_path: Path) -> None:
    other = tmp_path / "project"
    other.mkdir()
    (other / "notes.txt").write_text("keep me")
    answer = refused("-p", other, "bear")
    assert answer.code == 3
    assert str(other) in answer.err
    assert "choose another place" in answer.err and "env remove" not in answer.err
    assert (other / "notes.txt").read_text() == "keep me"


def test_a_directory_below_a_file(index: LocalIndex, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    answer = refused("-p", tmp_path / "file" / "new", "bear")
    assert answer.code == 6
    assert f"{tmp_path / 'file'} is not a directory" in answer.err
    assert not index.requests, "what can be known before the solve is said before it"


def test_the_root_is_below_a_file(
    index: LocalIndex, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "file").write_text("")
    monkeypatch.setenv("KAA_ROOT", str(tmp_path / "file" / "kaa"))
    answer = refused("-n", "new", "bear")
    assert answer.code == 6
    assert str(tmp_path / "file") in answer.err and "KAA_ROOT" in answer.err


@contextmanager
def mounted(directory: Path, options: str) -> Iterator[None]:
    """Mount a file system in memory; skips the test where that is not allowed."""
    directory.mkdir(parents=True, exist_ok=True)
    command = ["mount", "-t", "tmpfs", "-o", options, "tmpfs", str(directory)]
    try:
        done = subprocess.run(command, capture_output=True, text=True, check=False)
    except FileNotFoundError:
        pytest.skip("there is no mount program")
    if done.returncode:
        pytest.skip(f"file systems cannot be mounted here: {done.stderr.strip()}")
    try:
        yield
    finally:
        subprocess.run(["umount", "-l", str(directory)], check=True)


def test_a_directory_on_a_disk_that_is_read_only(index: LocalIndex, tmp_path: Path) -> None:
    with mounted(tmp_path / "cd", "ro,size=1m"):
        answer = refused("-p", tmp_path / "cd" / "new", "bear")
    assert answer.code == 6
    assert str(tmp_path / "cd") in answer.err and "read-only" in answer.err


def test_the_root_is_on_a_disk_that_is_read_only(
    index: LocalIndex, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with mounted(tmp_path / "cd", "ro,size=1m"):
        monkeypatch.setenv("KAA_ROOT", str(tmp_path / "cd" / "kaa"))
        answer = refused("-n", "new", "bear")
    assert answer.code == 6
    assert str(tmp_path / "cd" / "kaa") in answer.err and "KAA_ROOT" in answer.err


@pytest.mark.parametrize(
    ("room", "place"),
    [(300, "heavy-1.0-py3-none-any.whl"), (1200, "pkgs"), (2150, "envs")],
    ids=["download", "conversion", "link"],
)
def test_the_disk_is_full(
    index: LocalIndex,
    tmp_path: Path,
    room: int,
    place: str,
    monkeypatch: pytest.MonkeyPatch,
    interpreters: Path,
) -> None:
    # In kB: the wheel 450, the package 1450, the environment 1000, since what is below etc is
    # copied. Random bytes do not become smaller in the wheel, zeros become nothing.
    heavy = {f"heavy/{number}.bin": os.urandom(4096) for number in range(100)}
    etc = {f"data/etc/heavy/{number}.bin": bytes(4096) for number in range(250)}
    index.add(build_wheel(tmp_path / "made", "heavy", files=heavy, data=etc))
    with mounted(tmp_path / "small", f"size={room}k"):
        monkeypatch.setenv("KAA_ROOT", str(tmp_path / "small" / "kaa"))
        know_interpreters(interpreters)
        answer = refused("-n", "new", "heavy")
        assert answer.code == 6
        assert f"no space left for {root()}" in answer.err and place in answer.err
        assert "free some space" in answer.err


def test_files_may_not_be_that_large(index: LocalIndex, tmp_path: Path) -> None:
    # What needs no privileges to try: the shell's own limit on the size of a file.
    heavy = {"heavy/data.bin": os.urandom(400_000)}
    index.add(build_wheel(tmp_path / "made", "heavy", files=heavy))
    before = state()

    def limit() -> None:
        import resource

        resource.setrlimit(resource.RLIMIT_FSIZE, (200_000, 200_000))

    answer = kaa("create", "-y", "-n", "new", "heavy", preexec_fn=limit)
    assert answer.code == 6
    assert "heavy-1.0-py3-none-any.whl cannot be written" in answer.err
    assert "too large" in answer.err and "hint:" in answer.err
    assert state() == before


def test_a_wheel_with_another_hash(index: LocalIndex, tmp_path: Path) -> None:
    index.add(build_wheel(tmp_path / "made", "forged"), sha256="0" * 64)
    answer = refused("-n", "new", "forged", "bear")
    assert answer.code == 6
    assert "forged-1.0-py3-none-any.whl is not the file" in answer.err
    assert "0" * 64 in answer.err


def test_a_download_that_ends_too_early(index: LocalIndex) -> None:
    index.fail("*/bear-1.0-py3-none-any.whl", Fault(truncate=100))
    answer = refused("-n", "new", "bear")
    assert answer.code == 6
    assert "bear-1.0-py3-none-any.whl ended before" in answer.err
    index.heal()
    assert kaa("create", "-y", "-n", "new", "bear").code == 0


def test_a_wheel_that_is_no_archive(index: LocalIndex, tmp_path: Path) -> None:
    index.core_metadata = True
    wheel = build_wheel(tmp_path / "made", "broken", files={"broken.py": "x = 1\n" * 999})
    content = bytearray(wheel.read_bytes())
    content[60] ^= 0xFF  # inside the first file's data: everything else is as it should be
    wheel.write_bytes(bytes(content))
    index.add(wheel)
    answer = refused("-n", "new", "broken", "fur")
    assert answer.code == 6
    assert "broken-1.0-py3-none-any.whl" in answer.err


ANSWERS = {
    "500": (Fault(status=500), 5, "answered 500"),
    "403": (Fault(status=403), 5, "answered 403"),
    "garbage": (Fault(body=b"<html>welcome to the hotel"), 4, "'bear' has no files"),
    "garbage for JSON": (Fault(body=b"{oops", content_type=JSON), 5, "no project page"),
    "nothing": (Fault(hang=600), 5, "no answer within 2 seconds"),
    "reset": (Fault(reset=True), 5, "cannot be reached"),
    "404": (Fault(status=404), 4, "no source has a package called 'bear'"),
}


@pytest.mark.parametrize(("fault", "code", "said"), ANSWERS.values(), ids=ANSWERS.keys())
def test_what_an_index_may_answer(
    index: LocalIndex, fault: Fault, code: int, said: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    if fault.hang:
        monkeypatch.setenv("UV_HTTP_TIMEOUT", "2")
    index.fail("/simple/bear/", fault)
    answer = refused("-n", "new", "bear")
    assert answer.code == code
    assert said in answer.err


@pytest.mark.parametrize("status", [404, 500])
def test_a_wheel_that_the_index_does_not_hand_out(index: LocalIndex, status: int) -> None:
    index.fail("*/bear-1.0-py3-none-any.whl", Fault(status=status))
    answer = refused("-n", "new", "bear")
    assert answer.code == 5
    assert f"answered {status}" in answer.err and "bear-1.0-py3-none-any.whl" in answer.err


def test_nobody_listens(index: LocalIndex, monkeypatch: pytest.MonkeyPatch) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))  # bound and not listening: connections are refused
        port = taken.getsockname()[1]
        monkeypatch.setenv("PIP_INDEX_URL", f"http://127.0.0.1:{port}/simple/")
        answer = refused("-n", "new", "bear")
    assert answer.code == 5
    assert "127.0.0.1" in answer.err and "refused" in answer.err


def test_offline(index: LocalIndex, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("UV_OFFLINE", "1")
    answer = refused("-n", "new", "bear")
    assert answer.code == 5
    assert "UV_OFFLINE" in answer.err


@pytest.mark.parametrize(
    ("arguments", "code", "said"),
    [
        (("run", "-n", "deom", "true"), 3, "did you mean `demo`"),
        (("list", "-n", "deom"), 3, "did you mean `demo`"),
        (("info", "-n", "deom"), 3, "did you mean `demo`"),
        (("env", "remove", "-y", "-n", "deom"), 3, "did you mean `demo`"),
        (("env", "remove", "-y", "-p", "."), 3, "is not an environment"),
        (("run", "-n", "demo", "growk"), 127, "did you mean growl"),
        (("run", "-n", "demo", "--cwd", "nowhere", "growl"), 2, "nowhere"),
    ],
)
def test_other_commands(demo: Answer, arguments: tuple[str, ...], code: int, said: str) -> None:
    before = state()
    answer = kaa(*arguments)
    assert answer.code == code
    assert said in answer.err
    assert "Traceback" not in answer.err
    assert state() == before
