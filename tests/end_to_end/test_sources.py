"""All that PyPI's packages come as: sdists, URLs, repositories, directories, several indexes."""

from __future__ import annotations

import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from end_to_end.machine import KAA, PYTHON, kaa, root, unfinished
from local_index import LocalIndex
from sdists import pack, write_project
from wheels import build_wheel

if TYPE_CHECKING:
    from collections.abc import Iterator


@pytest.fixture
def hooks(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """What ran while something was built: a line for each hook of a build backend."""
    path = tmp_path / "hooks"
    path.touch()
    monkeypatch.setenv("KAA_TEST_HOOKS", str(path))
    return path


@pytest.fixture
def other(tmp_path: Path) -> Iterator[LocalIndex]:
    """An index beside the configured one."""
    with LocalIndex() as found:
        yield found


def add_sdist(index: LocalIndex, folder: Path, name: str, version: str, **fields: Any) -> None:
    project = write_project(folder / f"{name}-{version}", name, version, **fields)
    index.add(pack(project, folder / "packed" / f"{name}-{version}.tar.gz"))


def planned(*arguments: str) -> dict[str, str]:
    """Return the version of each package that would be there, by name, without Python."""
    answer = kaa("create", "-n", "x", *arguments, "--dry-run", "--json")
    assert answer.code == 0, answer.out
    versions = {each["name"]: each["version"] for each in answer.json["plan"]["add"]}
    del versions["python"]
    return versions


def refused(*arguments: str) -> dict[str, Any]:
    answer = kaa("create", "-n", "x", *arguments, "-y", "--json")
    assert answer.code != 0 and answer.err == "", answer.err
    assert answer.json["hint"]
    told: dict[str, Any] = answer.json
    return told


def test_one_environment_of_everything_that_is_no_wheel(
    index: LocalIndex, tmp_path: Path, hooks: Path
) -> None:
    for name in ("bees", "ants", "wasps"):  # several are built at once
        add_sdist(index, tmp_path, name, "1.0")
    write_project(tmp_path / "mein Wald", "wald", requires=["bees"])
    write_project(tmp_path / "mine", "mine", requires=["ants", "bear"])
    repository = write_project(tmp_path / "repository", "kept", "2.0")
    commit = ("git", "-c", "user.name=me", "-c", "user.email=me@example.org", "commit", "-qm", "x")
    for command in (("git", "init", "-q"), ("git", "add", "."), commit, ("git", "tag", "v2")):
        subprocess.run(command, cwd=repository, check=True)
    created = kaa(
        *("create", "-n", "all", PYTHON, "wasps", "./mein Wald", "-e", "./mine"),
        *(f"git+{repository.as_uri()}@v2", f"other-fur @ {_wheel(tmp_path).as_uri()}", "-y"),
    )
    assert created.code == 0, created.err
    assert "by code of their own (--no-build forbids it): ants, bees, kept, mine," in created.out
    listed = {each["name"] for each in kaa("list", "-n", "all", "--json").json}
    assert listed == {
        *("ants", "bear", "bees", "fur", "kept", "mine", "other-fur", "python", "wald", "wasps")
    }
    (tmp_path / "mine" / "mine.py").write_text("__version__ = 'edited'\n")
    names = ", ".join(name for name in ("ants", "bees", "kept", "mine", "wald", "wasps"))
    program = f"import {names}; print(mine.__version__, kept.__version__, wald.__version__)"
    assert kaa("run", "-n", "all", "python", "-c", program).out == "edited 2.0 1.0\n"
    assert kaa("why", "-n", "all", "ants").out.strip().endswith("mine → ants")
    # built once: the next environment takes what is there
    built = hooks.read_text().count("build_wheel")
    assert kaa("create", "-n", "again", PYTHON, "wasps", "bees", "-y").code == 0
    assert hooks.read_text().count("build_wheel") == built


def _wheel(directory: Path) -> Path:
    return build_wheel(directory / "brought", "other-fur")


def test_nothing_is_built_that_is_not_to_be(index: LocalIndex, tmp_path: Path, hooks: Path) -> None:
    add_sdist(index, tmp_path, "bees", "1.0")
    error = refused("bees", "--no-build")
    assert "--no-build" in error["cause"] and error["exit_code"] == 4
    write_project(tmp_path / "mine", "mine")
    assert "--no-build" in refused("./mine", "--no-build")["message"]
    assert hooks.read_text() == ""


def test_old_versions_are_not_built_where_newer_ones_will_do(
    index: LocalIndex, tmp_path: Path, hooks: Path
) -> None:
    """The newest do not fit, one in between does; before it there were only sdists."""
    for version, requires in (("4.0", ["fur>=3"]), ("3.0", ["fur>=3"]), ("2.0", [])):
        index.add(build_wheel(tmp_path / "made", "cub", version, requires=requires))
    for number in range(3):
        add_sdist(index, tmp_path, "cub", f"1.{number}", code={"prepare": "raise OSError('old')"})
    assert planned("cub", "fur<3") == {"cub": "2.0", "fur": "2.1"}
    assert hooks.read_text() == ""


def test_what_cannot_be_built_is_passed_over_for_a_newer_one(
    index: LocalIndex, tmp_path: Path
) -> None:
    index.add(build_wheel(tmp_path / "made", "cub", "3.0", requires=["fur>=3"]))
    add_sdist(index, tmp_path, "cub", "2.0", code={"prepare": "raise OSError('no compiler')"})
    index.add(build_wheel(tmp_path / "made", "cub", "1.0"))
    assert planned("cub", "fur<3") == {"cub": "1.0", "fur": "2.1"}
    error = refused("cub<3")  # but what would be chosen first is not replaced silently
    assert "cub 2.0 could not be built" in error["message"]
    assert "no compiler" in error["cause"]
    log = Path(error["hint"].partition("the whole log is in ")[2].partition(";")[0])
    assert "no compiler" in log.read_text()
    assert unfinished() == []


def test_indexes_have_an_order_and_one_that_is_gone_is_not_replaced(
    index: LocalIndex, other: LocalIndex, tmp_path: Path
) -> None:
    index.add(build_wheel(tmp_path / "public", "secret", "9.0"))
    other.add(build_wheel(tmp_path / "private", "secret", "1.0"))
    links = tmp_path / "links"
    build_wheel(links, "linked", requires=["secret"])
    assert planned("secret", "--index", other.url) == {"secret": "1.0"}
    assert planned("secret", "--index", index.url, "--index", other.url) == {"secret": "9.0"}
    assert planned("linked", "--index", other.url, "--find-links", str(links)) == {
        "linked": "1.0",
        "secret": "1.0",
    }
    before = len(index.requests)
    for gone in ("./typo", (tmp_path / "nowhere").as_uri(), "http://127.0.0.1:1/simple"):
        assert refused("secret", "--index", gone)["exit_code"] == 5
    assert len(index.requests) == before, "a secret of theirs may be anything"


def test_a_url_that_only_metadata_name_is_asked_for(index: LocalIndex, tmp_path: Path) -> None:
    place = _wheel(tmp_path).as_uri()
    index.add(build_wheel(tmp_path / "made", "cub", requires=[f"other-fur @ {place}"]))
    error = refused("cub")
    assert f"it needs `other-fur @ {place}`" in error["cause"]
    asked = error["cause"].split("`")[1]
    assert planned("cub", asked) == {"cub": "1.0", "other-fur": "1.0"}


def test_metadata_that_make_no_sense(index: LocalIndex, tmp_path: Path) -> None:
    made = tmp_path / "made"
    index.add(
        build_wheel(made, "liar", "2.0", metadata="Metadata-Version: 2.1\nName: x\nVersion: 2\n")
    )
    index.add(build_wheel(made, "liar", "1.0"))
    index.add(build_wheel(made, "broken", requires=["fur; python_version < "]))
    rings = {"a": ["ring[b]"], "b": ["ring[a]", "fur"]}
    index.add(build_wheel(made, "ring", extras=rings))
    assert planned("liar", "ring[a]") == {"liar": "1.0", "ring": "1.0", "fur": "2.1"}
    error = refused("liar==2")
    assert "it is that of x 2" in error["cause"]
    assert "'fur; python_version <'" in refused("broken")["cause"]
    fake = write_project(tmp_path / "fake", "another")
    index.add(pack(fake, tmp_path / "fake-1.0.tar.gz"))
    assert "it is that of another 1.0" in refused("fake")["cause"]


@pytest.mark.parametrize(
    ("spec", "said"),
    [
        ("fur==", "is not a package spec"),
        ("fur>=1,,<2", "is not a package spec"),
        ("fur; python_version", "is not a package spec"),
        ("fur; sys_platform == 'win32'", "has an environment marker"),
        ("https://example.org/me/fur", "is no direct reference"),
        ("./nowhere", "there is nothing at"),
    ],
)
def test_specs_that_make_no_sense_touch_no_source(index: LocalIndex, spec: str, said: str) -> None:
    error = refused(spec)
    assert said in error["message"] and error["exit_code"] == 2
    assert index.requests == []


def test_credentials_are_not_in_the_history(index: LocalIndex, tmp_path: Path) -> None:
    index.auth = ("me", "s3cr3t@home")
    url = index.url.replace("://", "://me:s3cr3t@home@")
    options = ("-c", "pypi", "--index", url)
    created = kaa("create", "-n", "den", PYTHON, "fur", *options, "-y", "-vv")
    assert created.code == 0, created.err
    assert "s3cr3t" not in created.out + created.err
    kept = [p for p in root().rglob("*") if p.is_file() and b"s3cr3t" in _content(p)]
    assert kept == []


def _content(path: Path) -> bytes:
    return path.read_bytes() if path.stat().st_size < 1_000_000 else b""


@pytest.mark.skipif(not Path("/proc").is_dir(), reason="looks for processes in /proc")
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_an_interruption_ends_a_build_and_what_it_started(
    tmp_path: Path, index: LocalIndex, hooks: Path, number: signal.Signals
) -> None:
    mark = f"sleeper of {tmp_path}"
    program = f"import time; time.sleep(60)  # {mark}"
    code = f"import subprocess; subprocess.run([sys.executable, '-c', {program!r}])"
    write_project(tmp_path / "slow", "slow", code={"build_wheel": code})
    process = subprocess.Popen(
        [*KAA, "create", "-n", "den", PYTHON, "./slow", "-y"],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        text=True,
    )
    while not _running(mark):
        assert process.poll() is None, "it was over before it could be interrupted"
        time.sleep(0.02)
    process.send_signal(number)
    _, said = process.communicate(timeout=300)
    assert process.returncode == 130 and said.strip().endswith("nothing was changed")
    assert not _running(mark)
    assert unfinished() == [] and not list((root() / "cache" / "builds").glob(".work*"))


def _running(mark: str) -> bool:
    for folder in Path("/proc").glob("[0-9]*"):
        try:
            words = (folder / "cmdline").read_bytes().split(b"\0")
        except OSError:
            continue
        if any(word.endswith(f"# {mark}".encode()) for word in words):
            return True
    return False


def test_many_threads_may_look_for_uv_at_once() -> None:
    """In a process of its own: what they trip over is read only once."""
    program = """
import threading
from kaa.sources.uv_program import find_uv
start, found = threading.Barrier(16), []
def look():
    start.wait()
    found.append(find_uv())
threads = [threading.Thread(target=look) for _ in range(16)]
[thread.start() for thread in threads]
[thread.join() for thread in threads]
assert len(found) == 16 and len(set(found)) == 1, found
"""
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
