from __future__ import annotations

import json
from pathlib import Path

import pytest

from kaa.environments.packages import read_packages
from kaa.environments.prefix import MANIFEST, Prefix, read_info, read_manifest, write_manifest
from kaa.model.environment import Manifest

ASKED = Manifest("demo", ("python=3.12", "bear"), ("pypi",), "kaa create …", "2026-01-01T00:00:00")


def record(generation: Path, name: str, **fields: object) -> None:
    folder = generation / "conda-meta"
    folder.mkdir(parents=True, exist_ok=True)
    content = {"name": name, "version": "1.0", "build": "0", "channel": "kaa://pypi", **fields}
    (folder / f"{name}-{content['version']}-0.json").write_text(json.dumps(content))


@pytest.fixture
def demo(tmp_path: Path) -> Prefix:
    prefix = Prefix(tmp_path / "envs" / "demo")
    generation = prefix.generations / "3"
    record(generation, "python", version="3.12.4", channel="kaa://host")
    record(generation, "python-dateutil")
    record(generation, "bear", requested_specs=["bear"])
    write_manifest(generation, ASKED)
    (generation / "bin").mkdir()
    (generation / "bin" / "python").write_text("")
    prefix.path.symlink_to(Path(".kaa", "demo", "3"))
    return prefix


def test_what_an_environment_is(demo: Prefix) -> None:
    info = read_info(demo)
    assert (info.name, info.generation, info.python) == ("demo", 3, "3.12.4")
    assert info.generation_prefix == demo.path.parent / ".kaa" / "demo" / "3"
    assert info.packages == 3
    assert info.manifest == ASKED
    assert info.problem is None
    assert json.loads(json.dumps(info.as_dict()))["specs"] == ["python=3.12", "bear"]
    packages = read_packages(demo.current)
    assert [(each.name, each.source, each.requested) for each in packages] == [
        ("bear", "pypi", True),
        ("python", "host", False),
        ("python-dateutil", "pypi", False),
    ]


def test_the_link_may_be_absolute_or_moved_with_its_directory(demo: Prefix, tmp_path: Path) -> None:
    absolute = Prefix(tmp_path / "envs" / "other")
    absolute.path.symlink_to(demo.current)
    assert absolute.current == demo.current
    assert absolute.current_number is None, "that is another environment's generation"
    demo.path.parent.rename(tmp_path / "moved")
    moved = Prefix(tmp_path / "moved" / "demo")
    assert moved.current_number == 3
    assert moved.current.is_dir()


def test_what_is_no_link_is_itself(tmp_path: Path) -> None:
    plain = Prefix(tmp_path)
    assert plain.current == tmp_path
    assert plain.current_number is None
    info = read_info(plain)
    assert info.python is None and info.packages == 0
    assert info.problem is not None and "not recorded" in info.problem


@pytest.mark.parametrize(
    ("damage", "problem"),
    [
        (lambda generation: generation.rename(generation.with_name("gone")), "is missing"),
        (lambda generation: (generation / MANIFEST).write_text("{"), "not recorded"),
        (lambda generation: (generation / MANIFEST).write_text("[1]"), "not recorded"),
        (lambda generation: (generation / MANIFEST).write_bytes(b"\xff"), "not recorded"),
        (lambda generation: (generation / "bin" / "python").unlink(), "interpreter is missing"),
    ],
)
def test_what_is_damaged_is_shown_with_the_reason(
    demo: Prefix, damage: object, problem: str
) -> None:
    assert callable(damage)
    damage(demo.current)
    said = read_info(demo).problem
    assert said is not None and problem in said


def test_an_environment_needs_no_python(tmp_path: Path) -> None:
    prefix = Prefix(tmp_path / "envs" / "tools")
    record(prefix.generations / "1", "libtiny")
    record(prefix.generations / "1", "python-dateutil")  # by its name not Python itself
    write_manifest(prefix.generations / "1", ASKED)
    prefix.path.symlink_to(Path(".kaa", "tools", "1"))
    info = read_info(prefix)
    assert (info.packages, info.python, info.problem) == (2, None, None)


@pytest.mark.parametrize("content", ["", "{", "[]", "{}", '"text"', '{"name": "x"}', "null", "\0"])
def test_a_damaged_record_does_not_hide_the_others(demo: Prefix, content: str) -> None:
    (demo.current / "conda-meta" / "broken-1-0.json").write_text(content)
    assert [each.name for each in read_packages(demo.current)] == [
        "bear",
        "python",
        "python-dateutil",
    ]


def test_the_manifest_is_read_as_written(tmp_path: Path) -> None:
    write_manifest(tmp_path, ASKED)
    assert read_manifest(tmp_path) == ASKED
    assert "…" in (tmp_path / MANIFEST).read_text(encoding="utf-8") or "\\u2026" in (
        tmp_path / MANIFEST
    ).read_text(encoding="utf-8")


def test_the_next_number_is_never_one_that_was_used(demo: Prefix) -> None:
    assert demo.next_number() == 4
    (demo.generations / "10").mkdir()
    (demo.generations / ".new-x").mkdir()
    assert demo.next_number() == 11
    assert Prefix(demo.path.parent / "fresh").next_number() == 1
