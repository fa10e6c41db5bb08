"""Environments made of what a file asks for: environment.yml, requirements, lock files."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path

import pytest

from conda_channel import CondaChannel
from conda_packages import build_conda_package
from end_to_end.machine import MINOR, PYTHON, kaa, root
from local_index import LocalIndex
from packed_interpreter import conda_subdir, pack_interpreter
from wheels import build_wheel

pytestmark = pytest.mark.usefixtures("index")


def test_an_environment_file(index: LocalIndex, tmp_path: Path) -> None:
    index.add(build_wheel(tmp_path / "wheels", "pip"))  # it comes along with its section
    (tmp_path / "environment.yml").write_text(
        f"name: den\nchannels: [pypi]\ndependencies:\n- python={MINOR}\n- ipykernel\n"
        "- pip: [bear]\nvariables: {HONEY: 'yes'}\n",
        encoding="utf-8",
    )
    assert kaa("create", "-f", "environment.yml", "-y").code == 0
    listed = kaa("list", "-n", "den", "--json").json
    assert {"bear", "fur"} <= {package["name"] for package in listed}
    assert kaa("run", "-n", "den", "printenv", "HONEY").out == "yes\n"
    assert kaa("create", "-f", "environment.yml", "-n", "other", "--dry-run").code == 0


def test_a_requirements_file_and_its_hashes(tmp_path: Path, wheels: Path) -> None:
    right = hashlib.sha256((wheels / "fur-2.1-py3-none-any.whl").read_bytes()).hexdigest()
    file = tmp_path / "requirements.txt"
    for digest, code in ((right, 0), ("0" * 64, 2)):
        file.write_text(f"fur==2.1 --hash=sha256:{digest}\n", encoding="utf-8")
        answer = kaa("create", "-n", "den", "-f", file.name, PYTHON, "ipykernel", "--dry-run")
        assert answer.code == code, answer.err
    assert "none of the hashes" in answer.err


@pytest.mark.parametrize("named", [True, False])
def test_the_hash_of_a_file_that_is_named(tmp_path: Path, wheels: Path, named: bool) -> None:
    wheel = wheels / "fur-2.1-py3-none-any.whl"
    right = hashlib.sha256(wheel.read_bytes()).hexdigest()
    file = tmp_path / "requirements.txt"
    place = f"fur @ {wheel.as_uri()}" if named else str(wheel)
    for digests, code in (([right], 0), (["0" * 64], 6), ([right, "0" * 64], 2)):
        hashes = " ".join(f"--hash=sha256:{digest}" for digest in digests)
        file.write_text(f"{place} {hashes}\n", encoding="utf-8")
        answer = kaa("create", "-n", "den", "-f", file.name, PYTHON, "--dry-run")
        assert answer.code == code, answer.err


def test_an_index_of_a_file_takes_the_place_of_the_default_one(
    index: LocalIndex, tmp_path: Path
) -> None:
    """What is not on it must not be taken from elsewhere, where it may be anybody's."""
    file = tmp_path / "requirements.txt"
    with LocalIndex() as other:
        other.add(build_wheel(tmp_path / "other", "wolf"))
        file.write_text(f"--index-url {other.url}\nwolf\n", encoding="utf-8")
        found = kaa("create", "-n", "den", "-f", file.name, PYTHON, "--dry-run")
        assert found.code == 0, found.err
        file.write_text(f"--index-url {other.url}\nbear\n", encoding="utf-8")
        missing = kaa("create", "-n", "den", "-f", file.name, PYTHON, "--dry-run")
        assert missing.code == 4
        file.write_text(f"--extra-index-url {other.url}\nbear\nwolf\n", encoding="utf-8")
        both = kaa("create", "-n", "den", "-f", file.name, PYTHON, "--dry-run")
        assert both.code == 0, both.err
    assert not [path for path in index.paths() if "wolf" in path]


def test_no_index_but_the_links_of_a_file(index: LocalIndex, tmp_path: Path, wheels: Path) -> None:
    file = tmp_path / "requirements.txt"
    file.write_text(f"--no-index\n-f {wheels.as_uri()}\nbear\n", encoding="utf-8")
    answer = kaa("create", "-n", "den", "-f", file.name, PYTHON, "--dry-run")
    assert answer.code == 0, answer.err
    assert index.requests == []


def test_what_of_a_file_does_not_count_is_a_note_of_the_plan(tmp_path: Path) -> None:
    file = tmp_path / "requirements.txt"
    file.write_text("--prefer-binary\nfur\n", encoding="utf-8")
    arguments = ("create", "-n", "den", "-f", file.name, PYTHON, "--dry-run")
    (note,) = kaa(*arguments, "--json").json["plan"]["notes"]
    assert "--prefer-binary" in note
    assert note in kaa(*arguments).out
    assert kaa(*arguments, "--quiet").err == ""


def test_a_configured_platform_is_that_of_the_plan_and_of_nothing_else(
    demo: object, tmp_path: Path
) -> None:
    (tmp_path / "home" / ".condarc").write_text("subdir: linux-s390x\n", encoding="utf-8")
    for command in (("create", "-n", "den"), ("install", "-n", "demo")):
        answer = kaa(*command, "fur", "-y")
        assert answer.code == 2
        assert "linux-s390x" in answer.err
    assert not (root() / "envs" / "den").exists()


def test_a_name_is_needed(tmp_path: Path) -> None:
    (tmp_path / "requirements.txt").write_text("fur\n", encoding="utf-8")
    answer = kaa("create", "-f", "requirements.txt", "-y")
    assert answer.code == 2
    assert "-n NAME" in answer.err


def test_specs_beside_a_lock_file(tmp_path: Path) -> None:
    (tmp_path / "den.lock").write_text("version: 6\n", encoding="utf-8")
    answer = kaa("create", "-n", "den", "-f", Path("den.lock"), "bear", "-y")
    assert answer.code == 2
    assert "specs beside it" in answer.err


@pytest.fixture
def lock(index: LocalIndex, tmp_path: Path) -> Path:
    """A lock of packages of both ecosystems, some of which need each other in a circle."""
    forge = CondaChannel(tmp_path / "forge", subdirs=("noarch", conda_subdir()))
    try:
        forge.add(pack_interpreter())
    except ValueError as error:
        pytest.skip(f"this interpreter cannot be packed: {error}")
    for name, depends in (("egg", ["hen"]), ("hen", ["egg"]), ("honey", [])):
        package = build_conda_package(tmp_path, name, depends=depends, noarch="generic")
        forge.add(package)
    links = tmp_path / "links"
    build_wheel(links, "torch", requires=["fur"])  # whose conda name is another one
    path = tmp_path / "den.lock"
    answer = kaa(
        *("lock", "-c", forge.file_url, "-c", "pypi", "--find-links", links, "-o", path),
        *("python", "hen", "honey", "pypi::torch", "pypi::ipykernel"),
    )
    assert answer.code == 0, answer.err
    return path


def test_a_change_keeps_what_a_lock_file_brought(lock: Path) -> None:
    made = kaa("create", "-n", "den", "-f", lock, "-y", "--json")
    assert made.code == 0, made.out
    requested = {each["name"] for each in made.json["plan"]["add"] if each["requested"]}
    assert requested == {"egg", "honey", "ipykernel", "python", "pytorch"}
    file = root() / "envs" / "den" / "conda-meta" / "kaa" / "manifest.json"
    manifest = json.loads(file.read_text(encoding="utf-8"))
    assert manifest["specs"] == ["egg", "honey", "pypi::ipykernel", "python", "pypi::torch"]
    assert manifest["sources"] == [(lock.parent / "forge").as_uri() + "/", "pypi"]
    change = kaa("install", "-n", "den", "pypi::bear", "--dry-run", "--json").json["plan"]
    assert [each["name"] for each in change["add"]] == ["bear"]
    assert (change["remove"], change["change"], change["unchanged"]) == ([], [], 7)


@pytest.mark.parametrize(
    "option", [["--no-deps"], ["--exclude-newer", "7d"], ["--channel-priority", "flexible"]]
)
def test_options_that_a_lock_file_leaves_no_room_for(lock: Path, option: list[str]) -> None:
    answer = kaa("create", "-n", "den", "-f", lock, *option, "--dry-run")
    assert answer.code == 2
    assert option[0] in answer.err
    assert "hint:" in answer.err


def test_only_dependencies_are_what_is_asked_for() -> None:
    assert kaa("create", "-n", "den", PYTHON, "bear", "--only-deps", "-y").code == 0
    listed = {each["name"] for each in kaa("list", "-n", "den", "--json").json}
    assert listed == {"fur", "python"}
    later = kaa("install", "-n", "den", "ipykernel", "--dry-run", "--json").json["plan"]
    assert [each["name"] for each in later["add"]] == ["ipykernel"]
    assert later["remove"] == []


@pytest.mark.parametrize("name", ["environment.yml", "requirements.txt", "den.lock"])
@pytest.mark.parametrize("content", [None, b"\x93\xff\x00broken"])
def test_a_file_that_cannot_be_read(tmp_path: Path, name: str, content: bytes | None) -> None:
    if content is not None:
        (tmp_path / name).write_bytes(content)
    answer = kaa("create", "-n", "den", "-f", name, "-y", "--json")
    assert answer.code == 2
    assert name in answer.json["message"]
    assert answer.json["cause"] and answer.json["hint"]
