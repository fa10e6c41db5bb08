"""What pip installs by hand, with a real pip: seen, kept, warned of, adopted."""

from __future__ import annotations

import subprocess
import sys
from typing import TYPE_CHECKING, Any

import pytest

from end_to_end.machine import MINOR, PYTHON, Answer, kaa, root
from wheels import build_wheel

if TYPE_CHECKING:
    from pathlib import Path

    from local_index import LocalIndex

SITE = f"lib/python{MINOR}/site-packages"


@pytest.fixture
def demo(index: LocalIndex, tmp_path: Path) -> Path:
    """An environment with bear and fur, into which pip has installed fox, which needs fur."""
    index.headers = {"Cache-Control": "no-cache"}
    fox = build_wheel(
        tmp_path / "more",
        "Fox.Den",
        requires=["fur>=2", "pelt; python_version < '3'"],
        console_scripts={"bark": "fox_den:main"},
    )
    index.add(fox)
    done(kaa("create", "-n", "demo", "-c", "pypi", PYTHON, "bear", "-y"))
    path = root() / "envs" / "demo"
    pip(path, "install", "fox-den")
    return path


def pip(prefix: Path, *arguments: str | Path) -> str:
    command = [sys.executable, "-m", "pip", "--python", prefix / "bin" / "python", *arguments]
    options = ["-q", "--no-cache-dir", "--disable-pip-version-check"]
    return subprocess.run(
        [*map(str, command), *options], check=True, capture_output=True, text=True
    ).stdout


def done(answer: Answer) -> Answer:
    assert answer.code == 0, answer.err
    return answer


def listed() -> dict[str, dict[str, Any]]:
    packages = done(kaa("list", "-n", "demo", "--json")).json["packages"]
    return {each["name"]: each for each in packages}


def notes(*arguments: str) -> list[str]:
    plan = done(kaa(*arguments, "--dry-run", "--json")).json["plan"]
    found: list[str] = plan["notes"]
    return found


def test_it_is_listed(demo: Path, index: LocalIndex, tmp_path: Path) -> None:
    fox = listed()["fox-den"]
    assert (fox["version"], fox["source"], fox["requested"]) == ("1.0", "pip", True)
    assert fox["foreign"] and not listed()["bear"]["foreign"]
    assert [name for name, each in listed().items() if each["foreign"]] == ["fox-den"]
    assert any(line.split() == ["*", "fox-den", "1.0", "pip"] for line in lines("list"))
    told = done(kaa("info", "-n", "demo")).out
    assert "fox-den 1.0 (pip)" in told
    about = done(kaa("info", "-n", "demo", "--json")).json["environment"]
    assert [each["name"] for each in about["foreign"]] == ["fox-den"]

    # Where it is from is told, if that is no index.
    wheel = build_wheel(tmp_path / "local", "owl", "3.1")
    pip(demo, "install", wheel)
    assert listed()["owl"]["url"] == wheel.as_uri()
    pip(demo, "uninstall", "-y", "owl")
    assert "owl" not in listed()


def lines(command: str) -> list[str]:
    return done(kaa(command, "-n", "demo")).out.splitlines()


def test_why_and_tree_know_it(demo: Path) -> None:
    assert "fox-den (of pip) -> fur >=2" in done(kaa("why", "-n", "demo", "fur")).out.replace(
        "→", "->"
    )
    assert "you asked for it: fox-den (of pip)" in done(kaa("why", "-n", "demo", "Fox_Den")).out
    tree = done(kaa("tree", "-n", "demo")).out
    assert "fox-den 1.0" in tree
    assert "pelt" not in tree


def test_it_is_kept_and_what_covers_it_is_warned_of(
    demo: Path, index: LocalIndex, tmp_path: Path
) -> None:
    index.add(build_wheel(tmp_path / "more", "wolf"))
    assert notes("install", "-n", "demo", "wolf") == []
    done(kaa("install", "-n", "demo", "wolf", "-y"))
    assert listed()["fox-den"]["foreign"]
    assert kaa("run", "-n", "demo", "bark").out == "fox_den 1.0\n"

    # A package with a file that fox has, too: known as soon as it is in the cache.
    files = {"fox_den/__init__.py": "", "vixen.py": ""}
    index.add(build_wheel(tmp_path / "more", "vixen", files=files))
    (demo / SITE / "vixen.py").write_text("mine = True\n")
    done(kaa("create", "-n", "other", "-c", "pypi", PYTHON, "vixen", "-y"))
    path = "fox_den/__init__.py"
    assert notes("install", "-n", "demo", "vixen") == [
        f"vixen takes the place of files of fox-den 1.0 (of another program): {SITE}/{path}",
        f"vixen takes the place of files that no package has: {SITE}/vixen.py",
    ]
