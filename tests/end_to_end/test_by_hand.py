"""What pip installs by hand, with a real pip: seen, kept, warned of, adopted."""

from __future__ import annotations

import subprocess
import sys
from typing import TYPE_CHECKING, Any

import pytest

from end_to_end.machine import MINOR, PYTHON, Answer, kaa, root
from sdists import write_project
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
    packages = done(kaa("list", "-n", "demo", "--json")).json
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


def test_it_is_adopted(demo: Path, index: LocalIndex, tmp_path: Path) -> None:
    plan = done(kaa("adopt", "-n", "demo", "--dry-run", "--json")).json["plan"]
    assert [(each["name"], each["version"], each["why"]) for each in plan["add"]] == [
        ("fox-den", "1.0", "installed by pip, taken over")
    ]
    assert (plan["change"], plan["remove"], plan["notes"]) == ([], [], [])
    assert plan["asked"] == ["pypi::fox-den"]
    assert listed()["fox-den"]["foreign"]

    answer = done(kaa("adopt", "-n", "demo", "-y"))
    assert "Changed demo; it is at generation 2 now." in answer.out
    fox = listed()["fox-den"]
    assert (fox["foreign"], fox["source"], fox["requested"]) == (False, "pypi", True)
    assert kaa("run", "-n", "demo", "bark").out == "fox_den 1.0\n"
    assert len(list((demo / SITE).glob("fox_den*.dist-info"))) == 1
    assert pip(demo, "check") == ""
    again = done(kaa("adopt", "-n", "demo", "-y"))
    assert "no other program has installed anything" in again.out
    assert demo.resolve().name == "2"

    # It is a package like any other from now on.
    index.add(build_wheel(tmp_path / "more", "fox-den", "1.1", requires=["fur>=2"]))
    done(kaa("update", "-n", "demo", "fox-den", "-y"))
    assert listed()["fox-den"]["version"] == "1.1"


def test_what_is_in_no_index_or_altered_stays(
    demo: Path, index: LocalIndex, tmp_path: Path
) -> None:
    local = build_wheel(tmp_path / "local", "owl")
    pip(demo, "install", "--no-index", "--find-links", tmp_path / "local", "owl")
    gone = build_wheel(tmp_path / "gone", "hare")
    pip(demo, "install", gone)
    place = gone.as_uri()
    gone.unlink()
    (demo / SITE / "fox_den" / "__init__.py").write_text("edited = True\n")
    answer = done(kaa("adopt", "-n", "demo", "-y", "--json")).json["plan"]
    assert answer["add"] == []
    assert answer["notes"] == [
        "fox-den 1.0 (of pip) stays as it is: it is not what the index has, in fox_den/__init__.py",
        f"hare 1.0 (of pip) stays as it is: it is from {place}, which is not there any more",
        "owl 1.0 (of pip) stays as it is: no index has this version of it",
    ]
    assert demo.resolve().name == "1"
    index.add(local)
    done(kaa("adopt", "-n", "demo", "Owl", "-y"))
    assert {name for name, each in listed().items() if each["foreign"]} == {"fox-den", "hare"}
    missing = kaa("adopt", "-n", "demo", "bear", "-y")
    assert missing.code == 3 and "no other program has installed bear" in missing.err


def test_where_it_was_from_is_honoured(demo: Path, tmp_path: Path) -> None:
    wheel = build_wheel(tmp_path / "local", "weasel")
    pip(demo, "install", wheel)
    done(kaa("adopt", "-n", "demo", "weasel", "-y"))
    assert listed()["weasel"]["foreign"] is False
    (site,) = (demo / SITE).glob("weasel-*.dist-info")
    assert wheel.as_uri() in (site / "direct_url.json").read_text()
    told = done(kaa("info", "-n", "demo", "--json")).json["environment"]
    assert f"weasel @ {wheel.as_uri()}" in told["specs"]

    project = write_project(tmp_path / "stoat", "stoat")
    pip(demo, "install", "--no-build-isolation", "-e", project)
    assert listed()["stoat"]["foreign"]
    done(kaa("adopt", "-n", "demo", "-y"))
    assert not listed()["stoat"]["foreign"]
    code = "import stoat; print(stoat.__file__)"
    assert kaa("run", "-n", "demo", "python", "-c", code).out.strip() == str(project / "stoat.py")


def test_what_only_another_needs_is_not_asked_for(
    demo: Path, index: LocalIndex, tmp_path: Path
) -> None:
    index.add(build_wheel(tmp_path / "more", "lynx", requires=["lair"]))
    index.add(build_wheel(tmp_path / "more", "lair"))
    pip(demo, "install", "lynx")
    done(kaa("adopt", "-n", "demo", "-y"))
    assert not any(each["foreign"] for each in listed().values())
    told = done(kaa("info", "-n", "demo", "--json")).json["environment"]
    assert told["specs"][-2:] == ["pypi::fox-den", "pypi::lynx"]
    assert not listed()["lair"]["requested"]
