"""Changes to environments whose packages come from conda channels, from directories and URLs."""

from __future__ import annotations

import os
import subprocess
from typing import TYPE_CHECKING, Any

import pytest

from conda_channel import CondaChannel
from conda_packages import build_conda_package, python_project
from end_to_end.machine import Answer, kaa, names, root
from packed_interpreter import conda_subdir, pack_interpreter
from sdists import write_project
from wheels import build_wheel

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from local_index import LocalIndex


class Forge(CondaChannel):
    """A channel with a Python, of which packages are made as they are needed."""

    def project(self, name: str, version: str = "1.0", build: str = "0", **fields: Any) -> None:
        depends = fields.pop("depends", ())
        self.add(
            build_conda_package(
                self.directory.with_name("packages"),
                name,
                version,
                build,
                noarch="python",
                depends=["python", *depends],
                files=python_project(name, version),
                **fields,
            )
        )


@pytest.fixture
def forge(tmp_path: Path) -> Iterator[Forge]:
    try:
        python = pack_interpreter()
    except ValueError as error:
        pytest.skip(str(error))
    headers = {"Cache-Control": "no-cache"}
    subdirs = ("noarch", conda_subdir())
    channel = Forge(tmp_path / "forge", subdirs=subdirs, headers=headers)
    with channel:
        channel.add(python)
        channel.project("honey", "1.0")
        channel.project("bee", "1.0", depends=["honey >=1"])
        yield channel


@pytest.fixture
def hive(forge: Forge, index: LocalIndex) -> Path:
    """An environment with Python, bee and honey from the channel, and PyPI behind it."""
    index.headers = {"Cache-Control": "no-cache"}
    done(kaa("create", "-n", "hive", "-c", forge.url, "-c", "pypi", "python", "bee", "-y"))
    return root() / "envs" / "hive"


def done(answer: Answer) -> Answer:
    assert answer.code == 0, answer.err
    return answer


def plan_of(*arguments: str) -> dict[str, Any]:
    plan = done(kaa(*arguments, "--dry-run", "--json")).json["plan"]
    assert isinstance(plan, dict)
    return plan


def changes(plan: dict[str, Any]) -> dict[str, tuple[str, str, str, str]]:
    return {
        each["name"]: (
            each["move"],
            each["before"]["version"],
            each["after"]["version"],
            each["why"],
        )
        for each in plan["change"]
    }


def specs(name: str) -> list[str]:
    found = kaa("info", "-n", name, "--json").json["environment"]["specs"]
    assert isinstance(found, list)
    return found


def runs(name: str, module: str) -> str:
    return kaa("run", "-n", name, "python", "-c", f"import {module}; {module}.main()").out


def test_both_kinds_of_packages_are_changed_together(hive: Path, forge: Forge) -> None:
    before = os.readlink(hive)  # noqa: PTH115
    forge.project("honey", "2.0")
    plan = plan_of("install", "-n", "hive", "bear")  # from PyPI, with fur
    assert [(each["name"], each["source"]) for each in plan["add"]] == [
        ("bear", "pypi"),
        ("fur", "pypi"),
    ]
    assert plan["change"] == [] and os.readlink(hive) == before  # noqa: PTH115
    done(kaa("install", "-n", "hive", "bear", "-y"))
    done(kaa("update", "-n", "hive", "honey", "-y"))
    assert runs("hive", "honey") == "honey 2.0\n"
    assert kaa("run", "-n", "hive", "growl").out == "bear 1.0\n"
    assert names(root() / "envs" / ".kaa" / "hive") == ["1", "2", "3"]
    python = kaa("run", "-n", "hive", "python", "-c", "import sys; print(sys.prefix)").out.strip()
    assert python in (str(hive), str(hive.resolve()))


def test_the_same_version_from_elsewhere(hive: Path, index: LocalIndex, tmp_path: Path) -> None:
    index.add(build_wheel(tmp_path / "more", "honey", "1.0"))
    plan = plan_of("install", "-n", "hive", "pypi::honey")
    assert changes(plan) == {"honey": ("source", "1.0", "1.0", "you asked for pypi::honey")}
    assert plan["change"][0]["source_changed"] is True
    text = done(kaa("install", "-n", "hive", "pypi::honey", "-y")).out
    assert "forge -> pypi" in text and "1 to another source" in text
    shown = kaa("list", "-n", "hive", "--json").json
    assert {each["name"]: each["source"] for each in shown}["honey"] == "pypi"
    assert done(kaa("install", "-n", "hive", "bee", "-y")).out.endswith("Nothing to do.\n")


def test_another_build_and_what_a_package_allows(hive: Path, forge: Forge) -> None:
    forge.project("honey", "1.0", "1", build_number=1)
    assert changes(plan_of("update", "-n", "hive", "honey")) == {
        "honey": ("rebuild", "1.0", "1.0", "you asked for an update")
    }
    assert plan_of("install", "-n", "hive", "bee")["change"] == []
    forge.project("honey", "2.0")
    done(kaa("update", "-n", "hive", "honey", "-y"))
    forge.project("wax", "1.0", constrains=["honey <2"])
    assert changes(plan_of("install", "-n", "hive", "wax")) == {
        "honey": ("downgrade", "2.0", "1.0", "wax 1.0 allows honey<2 only")
    }


def test_python_moves_only_if_it_must(hive: Path, forge: Forge) -> None:
    installed = kaa("info", "-n", "hive", "--json").json["environment"]["python"]
    newer = f"3.{int(installed.split('.')[1]) + 1}.0"
    forge.add_record("python", newer, subdir=conda_subdir())
    assert plan_of("update", "-n", "hive", "--all")["change"] == []
    assert plan_of("install", "-n", "hive", "honey")["change"] == []
    forge.add_record("wax", "2.0", noarch="generic", depends=[f"python >={newer[:4]}"])
    assert changes(plan_of("install", "-n", "hive", "wax")) == {
        "python": ("upgrade", installed, newer, f"wax 2.0 needs python>={newer[:4]}")
    }
    assert changes(plan_of("update", "-n", "hive", "python")) == {
        "python": ("upgrade", installed, newer, "you asked for an update")
    }


def test_what_pip_installed_for_the_python_before_is_told(
    hive: Path, forge: Forge, tmp_path: Path
) -> None:
    installed = kaa("info", "-n", "hive", "--json").json["environment"]["python"]
    forge.add_record("python", f"3.{int(installed.split('.')[1]) + 1}.0", subdir=conda_subdir())
    site = next(hive.glob("lib/python3.*/site-packages"))
    (site / "fox-1.0.dist-info").mkdir()
    (site / "fox-1.0.dist-info" / "METADATA").write_text("Name: fox\nVersion: 1.0\n")
    notes = plan_of("update", "-n", "hive", "python")["notes"]
    assert len(notes) == 1
    assert notes[0].startswith("fox 1.0, which another program") and "add fox" in notes[0]
    assert plan_of("install", "-n", "hive", "bear")["notes"] == []


def test_a_new_source_goes_before_the_others_and_stays(
    hive: Path, forge: Forge, tmp_path: Path
) -> None:
    own = Forge(tmp_path / "own", subdirs=("noarch",))
    with own:
        own.project("honey", "3.0")
        own.project("wax", "1.0")
        url = own.url
        plan = plan_of("install", "-n", "hive", "-c", url, "wax")
        assert [(each["name"], each["source"]) for each in plan["add"]] == [("wax", "own")]
        assert plan["change"] == []
        done(kaa("install", "-n", "hive", "-c", url, "wax", "-y"))
        told = kaa("info", "-n", "hive", "--json").json["environment"]
        assert told["sources"] == [url.rstrip("/"), forge.url.rstrip("/"), "pypi"]
        moved = plan_of("update", "-n", "hive", "honey")["change"]
        assert [(each["after"]["version"], each["after"]["source"]) for each in moved] == [
            ("3.0", "own")
        ]


def test_a_directory_stays_as_it_was_installed(
    hive: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    project = write_project(tmp_path / "work" / "otter", "otter", static=True)
    monkeypatch.chdir(tmp_path / "work")
    done(kaa("install", "-n", "hive", "-e", "./otter", "-y"))
    monkeypatch.chdir(tmp_path)
    assert specs("hive")[-1] == f"-e otter @ {project.as_uri()}"
    where = kaa("run", "-n", "hive", "python", "-c", "import otter; print(otter.__file__)").out
    assert where.strip() == str(project / "otter.py")

    done(kaa("install", "-n", "hive", "bear", "-y"))
    assert specs("hive")[-2] == f"-e otter @ {project.as_uri()}"
    where = kaa("run", "-n", "hive", "python", "-c", "import otter; print(otter.__file__)").out
    assert where.strip() == str(project / "otter.py")

    # Its version is looked at again when it is what the command is about.
    write_project(project, "otter", "2.0", static=True)
    assert plan_of("install", "-n", "hive", "honey")["change"] == []
    assert changes(plan_of("update", "-n", "hive", "otter"))["otter"][:3] == (
        "upgrade",
        "1.0",
        "2.0",
    )
    assert changes(plan_of("update", "-n", "hive", "--all"))["otter"][:3] == (
        "upgrade",
        "1.0",
        "2.0",
    )


def test_a_wheel_by_its_path(hive: Path, tmp_path: Path) -> None:
    wheel = build_wheel(tmp_path / "more", "fox", "1.0", console_scripts={"bark": "fox:main"})
    done(kaa("install", "-n", "hive", f"./more/{wheel.name}", "-y"))
    assert kaa("run", "-n", "hive", "bark").out == "fox 1.0\n"
    assert specs("hive")[-1] == f"fox @ {wheel.as_uri()}"
    wheel.unlink()
    done(kaa("install", "-n", "hive", "bear", "-y"))
    assert kaa("run", "-n", "hive", "bark").out == "fox 1.0\n"
    bark = hive / "bin" / "bark"
    assert subprocess.check_output([bark], text=True) == "fox 1.0\n"
