"""Small changes to an environment: install and update, from the command line, with real wheels."""

from __future__ import annotations

import json
import os
import platform
import re
import subprocess
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from end_to_end.at_once import finish, start, waiting
from end_to_end.machine import (
    KAA,
    MINOR,
    PYTHON,
    Answer,
    kaa,
    kernels,
    listed,
    names,
    root,
    state,
    unfinished,
)
from wheels import build_wheel

if TYPE_CHECKING:
    from local_index import LocalIndex

SITE = f"lib/python{MINOR}/site-packages"


@pytest.fixture
def demo(index: LocalIndex, tmp_path: Path) -> Path:
    """An environment with bear 1.0 and fur 2.1, and an index that has moved on since."""
    index.headers = {"Cache-Control": "no-cache"}
    made = kaa("create", "-n", "demo", "-c", "pypi", PYTHON, "bear", "-y")
    assert made.code == 0, made.err
    wheels = tmp_path / "newer"
    for version in ("2.2", "3.0"):
        index.add(build_wheel(wheels, "fur", version))
    index.add(build_wheel(wheels, "bear", "1.5", requires=["fur>=2,<3"]))
    index.add(build_wheel(wheels, "wolf", "1.0", requires=["fur<3"]))
    index.add(build_wheel(wheels, "wolf", "2.0", requires=["fur>=2.2", "howl"]))
    index.add(build_wheel(wheels, "howl", "0.1"))
    return root() / "envs" / "demo"


def plan_of(*arguments: str) -> dict[str, Any]:
    answer = kaa(*arguments, "--dry-run", "--json")
    assert answer.code == 0, answer.err
    plan = answer.json["plan"]
    assert isinstance(plan, dict)
    return plan


def changes(plan: dict[str, Any]) -> dict[str, tuple[str, str, str]]:
    return {
        each["name"]: (each["before"]["version"], each["after"]["version"], each["why"])
        for each in plan["change"]
    }


def versions() -> dict[str, str]:
    packages = kaa("list", "-n", "demo", "--json").json
    return {each["name"]: each["version"] for each in packages if each["name"] != "python"}


def done(answer: Answer) -> Answer:
    assert answer.code == 0, answer.err
    return answer


def test_what_is_installed_stays(demo: Path) -> None:
    before = state()
    plan = plan_of("install", "-n", "demo", "wolf<2")
    assert [(each["name"], each["why"]) for each in plan["add"]] == [
        ("wolf", "you asked for wolf<2")
    ]
    assert (plan["change"], plan["remove"], plan["unchanged"]) == ([], [], 3)
    assert (plan["asked"], plan["generation"]) == (["wolf<2"], 1)
    assert state() == before

    done(kaa("install", "-n", "demo", "wolf<2", "-y"))
    assert versions() == {"bear": "1.0", "fur": "2.1", "wolf": "1.0"}
    assert names(root() / "envs" / ".kaa" / "demo") == ["1", "2"]
    assert os.readlink(demo) == os.path.join(".kaa", "demo", "2")  # noqa: PTH115, PTH118
    told = kaa("info", "-n", "demo", "--json").json["environment"]
    assert (told["generation"], told["specs"]) == (2, [PYTHON, "bear", "wolf<2"])
    assert kaa("run", "-n", "demo", "growl").out == "bear 1.0\n"
    assert (listed(), kernels()) == ([str(demo)], ["demo"])


def test_what_has_to_move_moves_and_says_why(demo: Path) -> None:
    plan = plan_of("install", "-n", "demo", "wolf")
    assert changes(plan) == {"fur": ("2.1", "3.0", "wolf 2.0 needs fur>=2.2")}
    assert {each["name"]: each["why"] for each in plan["add"]} == {
        "wolf": "you asked for wolf",
        "howl": "needed by wolf",
    }
    done(kaa("install", "-n", "demo", "wolf", "-y"))

    # And back again: a new spec takes the place of the old one, and what only that needed goes.
    plan = plan_of("install", "-n", "demo", "wolf<2")
    assert changes(plan) == {
        "fur": ("3.0", "2.2", "wolf 1.0 needs fur<3"),
        "wolf": ("2.0", "1.0", "you asked for wolf<2"),
    }
    assert [each["move"] for each in plan["change"]] == ["downgrade", "downgrade"]
    assert [(each["name"], each["why"]) for each in plan["remove"]] == [
        ("howl", "wolf does not need it any more")
    ]
    done(kaa("install", "-n", "demo", "wolf<2", "-y"))
    assert versions() == {"bear": "1.0", "fur": "2.2", "wolf": "1.0"}
    specs = kaa("info", "-n", "demo", "--json").json["environment"]["specs"]
    assert specs == [PYTHON, "bear", "wolf<2"]
    assert not (demo / SITE / "howl").exists()
    assert names(root() / "envs" / ".kaa" / "demo") == ["1", "2", "3"]


def test_nothing_to_do_changes_nothing(demo: Path, index: LocalIndex) -> None:
    before = state()
    index.requests.clear()
    answer = done(kaa("install", "-n", "demo", "bear", "-y"))
    assert answer.out.splitlines()[-1] == "Nothing to do."
    told = done(kaa("install", "-n", "demo", "bear", "-y", "--json")).json
    assert told["environment"]["generation"] == 1
    assert state() == before
    assert not any(path.endswith(".whl") for path in index.paths())


def test_a_dependency_that_is_asked_for_is_kept_as_such(demo: Path) -> None:
    answer = done(kaa("install", "-n", "demo", "fur", "-y"))
    assert "Asked for from now on: fur" in answer.out
    assert "* fur" in kaa("list", "-n", "demo").out
    assert versions() == {"bear": "1.0", "fur": "2.1"}


def test_a_name_alone_does_not_loosen_what_was_asked_for(demo: Path) -> None:
    done(kaa("install", "-n", "demo", "fur<2.2", "-y"))
    assert done(kaa("install", "-n", "demo", "fur", "-y")).out.endswith("Nothing to do.\n")
    assert "fur<2.2" in kaa("info", "-n", "demo", "--json").json["environment"]["specs"]


def test_an_update_moves_one_package_and_what_goes_with_it(demo: Path) -> None:
    plan = plan_of("update", "-n", "demo", "bear")
    assert changes(plan) == {"bear": ("1.0", "1.5", "you asked for an update")}
    assert plan["asked"] == []
    done(kaa("update", "-n", "demo", "bear", "-y"))
    assert versions() == {"bear": "1.5", "fur": "2.1"}

    # bear 1.5 does not allow fur 3, so that 2.2 is the newest there is.
    assert changes(plan_of("upgrade", "-n", "demo", "fur")) == {
        "fur": ("2.1", "2.2", "you asked for an update")
    }
    done(kaa("upgrade", "-n", "demo", "fur", "-y"))
    stays = done(kaa("update", "-n", "demo", "fur", "-y")).out
    assert "Note: fur 2.2 stays: nothing newer fits with the rest (bear 1.5 needs" in stays
    assert stays.endswith("Nothing to do.\n")


def test_an_update_takes_along_what_it_needs_and_makes_nothing_older(
    demo: Path, index: LocalIndex, tmp_path: Path
) -> None:
    done(kaa("install", "-n", "demo", "wolf<2", "-y"))
    # The newest fur can only be had with an old wolf, which said nothing of it.
    index.add(build_wheel(tmp_path / "more", "wolf", "0.1"))
    index.add(build_wheel(tmp_path / "more", "fur", "4.0"))
    plan = plan_of("update", "-n", "demo", "fur")
    assert changes(plan) == {"fur": ("2.1", "2.2", "you asked for an update")}
    index.add(build_wheel(tmp_path / "more", "wolf", "1.5", requires=["fur>=3"]))
    plan = plan_of("update", "-n", "demo", "fur")
    assert {name: change[:2] for name, change in changes(plan).items()} == {
        "fur": ("2.1", "4.0"),
        "wolf": ("1.0", "1.5"),
    }


def test_an_update_of_all(demo: Path) -> None:
    done(kaa("install", "-n", "demo", "wolf<2", "-y"))
    assert changes(plan_of("update", "-n", "demo", "--all")) == {
        "bear": ("1.0", "1.5", "there is a newer version"),
        "fur": ("2.1", "2.2", "there is a newer version"),
    }
    done(kaa("update", "-n", "demo", "--all", "-y"))
    assert versions() == {"bear": "1.5", "fur": "2.2", "wolf": "1.0"}
    assert done(kaa("update", "-n", "demo", "--all", "-y")).out.endswith("Nothing to do.\n")


def test_what_was_pinned_stays_pinned(demo: Path) -> None:
    done(kaa("install", "-n", "demo", "fur==2.1", "-y"))
    assert changes(plan_of("update", "-n", "demo", "--all")) == {
        "bear": ("1.0", "1.5", "there is a newer version")
    }
    plan = plan_of("update", "-n", "demo", "fur")
    assert plan["change"] == []
    assert plan["notes"] == [
        "fur 2.1 stays: nothing newer fits with the rest (you asked for fur==2.1)"
    ]
    refused = kaa("install", "-n", "demo", "wolf>=2", "-y")
    assert refused.code == 4 and "fur==2.1" in refused.err


def test_what_the_environment_s_own_file_pins_stays(demo: Path) -> None:
    pinned = demo / "conda-meta" / "pinned"
    pinned.write_text("# conda's words\nfur ==2.1  # warm\n", encoding="utf-8")
    note = kaa("update", "-n", "demo", "fur", "--dry-run", "--json").json["plan"]["notes"][0]
    assert note.startswith("fur 2.1 stays")
    refused = kaa("install", "-n", "demo", "fur>=2.2", "--dry-run")
    assert refused.code == 4
    assert "conda-meta/pinned" in refused.err
    assert kaa("install", "-n", "demo", "wolf==1.0", "-y").code == 0
    assert (root() / "envs" / "demo" / "conda-meta" / "pinned").is_file()


def test_an_update_to_a_version_is_kept_as_asked_for(demo: Path) -> None:
    done(kaa("update", "-n", "demo", "fur>2.1,<3", "-y"))
    assert versions()["fur"] == "2.2"
    assert changes(plan_of("update", "-n", "demo", "--all"))["bear"][1] == "1.5"
    assert "fur" not in changes(plan_of("update", "-n", "demo", "--all"))


def test_freeze_installed_changes_nothing_that_is_there(demo: Path) -> None:
    before = state()
    plan = plan_of("install", "-n", "demo", "wolf", "--freeze-installed")
    assert plan["change"] == []
    assert [(each["name"], each["version"]) for each in plan["add"]] == [("wolf", "1.0")]
    refused = kaa("install", "-n", "demo", "wolf>=2", "--freeze-installed", "-y")
    assert refused.code == 4
    assert "fur" in refused.err and "wolf" in refused.err
    assert state() == before


def test_no_deps_and_only_deps(demo: Path) -> None:
    plan = plan_of("install", "-n", "demo", "wolf", "--no-deps")
    assert [each["name"] for each in plan["add"]] == ["wolf"]
    assert (plan["change"], plan["unchanged"]) == ([], 3)

    done(kaa("install", "-n", "demo", "wolf", "--only-deps", "-y"))
    assert versions() == {"bear": "1.0", "fur": "3.0", "howl": "0.1"}
    specs = kaa("info", "-n", "demo", "--json").json["environment"]["specs"]
    assert specs == [PYTHON, "bear", "fur>=2.2", "howl"]
    assert done(kaa("install", "-n", "demo", "bear", "-y")).out.endswith("Nothing to do.\n")


def test_the_active_environment_is_meant_where_none_is_named(
    demo: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert kaa("install", "howl", "-y").code == 2
    monkeypatch.setenv("CONDA_PREFIX", str(demo))
    done(kaa("install", "howl", "-y"))
    assert versions()["howl"] == "0.1"


def test_what_cannot_be_changed(demo: Path, tmp_path: Path) -> None:
    def refused(code: int, *arguments: str) -> str:
        answer = kaa(*arguments, "-y")
        assert (answer.code, answer.out) == (code, "")
        assert "hint:" in answer.err and "Traceback" not in answer.err
        return answer.err

    assert "no environment 'nowhere'" in refused(3, "install", "-n", "nowhere", "fur")
    (tmp_path / "theirs" / "conda-meta").mkdir(parents=True)
    assert "was not made by kaa" in refused(2, "install", "-p", "theirs", "fur")
    assert "was not made by kaa" in refused(2, "update", "-p", "theirs", "--all")
    missing = refused(3, "update", "-n", "demo", "furr")
    assert "'furr'" in missing and "`fur`" in missing and "kaa install furr" in missing
    assert "nothing was asked for" in refused(2, "install", "-n", "demo")
    assert "nothing was asked for" in refused(2, "update", "-n", "demo")
    assert "--all" in refused(2, "update", "-n", "demo", "fur", "--all")
    assert "--all" in refused(2, "update", "-n", "demo", "--all", "--freeze-installed")
    assert "surely-not-there" in refused(4, "install", "-n", "demo", "surely-not-there")
    (next((demo / "conda-meta").glob("fur-*.json"))).write_text("{")
    assert "fur-2.1" in refused(3, "install", "-n", "demo", "wolf")


def test_nothing_is_asked_without_a_terminal(demo: Path) -> None:
    before = state()
    answer = kaa("install", "-n", "demo", "wolf")
    assert answer.code == 2 and "-y" in answer.err
    assert state() == before


def test_what_is_not_kaa_s_goes_along(demo: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("PYTHONDONTWRITEBYTECODE", raising=False)
    (demo / "notes.txt").write_text("mine")
    (demo / "etc" / "mine.conf").parent.mkdir()
    (demo / "etc" / "mine.conf").write_text("a = 1")
    bytecode = kaa("run", "-n", "demo", "python", "-c", "import bear, fur; print(bear.__cached__)")
    assert Path(bytecode.out.strip()).exists()
    done(kaa("install", "-n", "demo", "wolf", "-y"))
    assert (demo / "notes.txt").read_text() == "mine"
    assert (demo / "etc" / "mine.conf").read_text() == "a = 1"
    cached = [path.name for path in (demo / SITE).glob("*/__pycache__/*.pyc")]
    assert len(cached) == 1, "that of bear, which stays; not that of fur, which does not"
    (demo / "notes.txt").write_text("changed")
    assert (root() / "envs/.kaa/demo/1/notes.txt").read_text() == "mine"


def test_what_pip_installs_goes_along_with_its_scripts(
    demo: Path, index: LocalIndex, tmp_path: Path
) -> None:
    pip = pip_wheel()
    index.add(pip)
    index.add(build_wheel(tmp_path / "more", "fox", console_scripts={"bark": "fox:main"}))
    done(kaa("install", "-n", "demo", "pip", "-y"))
    options = ("-q", "--no-cache-dir", "--disable-pip-version-check")
    done(kaa("run", "-n", "demo", "python", "-m", "pip", "install", *options, "fox"))
    generation = str(demo.resolve())
    assert generation in (demo / "bin" / "bark").read_text(), "pip writes what it runs in"

    plan = plan_of("install", "-n", "demo", "wolf")
    assert plan["notes"] == []
    done(kaa("install", "-n", "demo", "wolf", "-y"))
    assert (demo / "bin" / "bark").read_text().startswith(f"#!{demo}/bin/python")
    assert subprocess.check_output([demo / "bin" / "bark"], text=True) == "fox 1.0\n"
    assert kaa("run", "-n", "demo", "bark").out == "fox 1.0\n"

    # A package of the same name is the environment's own from then on.
    index.add(build_wheel(tmp_path / "more", "fox", "2.0", console_scripts={"bark": "fox:main"}))
    assert "fox 1.0, which another program" in plan_of("install", "-n", "demo", "fox")["notes"][0]
    answer = done(kaa("install", "-n", "demo", "fox", "-y"))
    assert "replaced by the environment's own package: fox 1.0" in answer.err
    assert kaa("run", "-n", "demo", "bark").out == "fox 2.0\n"
    listing = kaa("run", "-n", "demo", "python", "-m", "pip", "list", "--format", "json").out
    installed = {each["name"]: each["version"] for each in json.loads(listing)}
    assert installed["fox"] == "2.0"
    check = kaa("run", "-n", "demo", "python", "-m", "pip", "check")
    assert (check.code, check.out) == (0, "No broken requirements found.\n")


def pip_wheel() -> Path:
    import ensurepip

    bundled = sorted((Path(ensurepip.__file__).parent / "_bundled").glob("pip-*.whl"))
    if not bundled:
        pytest.skip("this Python comes without the wheel of pip")
    return bundled[-1]


def test_two_changes_at_once(demo: Path) -> None:
    commands = [["install", "-n", "demo", "wolf<2", "-y"], ["install", "-n", "demo", "howl", "-y"]]
    running = [
        subprocess.Popen([*KAA, *command], stderr=subprocess.PIPE, text=True)
        for command in commands
    ]
    answers = [(process.communicate()[1], process.returncode) for process in running]
    codes = sorted(code for _, code in answers)
    assert codes in ([0, 0], [0, 3])
    if codes == [0, 3]:
        lost = next(err for err, code in answers if code == 3)
        assert "has changed demo in the meantime" in lost and "again" in lost
    for command in commands:
        done(kaa(*command))
    assert versions() == {"bear": "1.0", "fur": "2.1", "wolf": "1.0", "howl": "0.1"}
    assert unfinished() == []


def test_a_second_writer_waits_and_finds_what_the_first_one_left(
    demo: Path, index: LocalIndex
) -> None:
    from local_index import Fault

    index.fail("/files/howl*.whl", Fault(hang=600))
    first = start("install", "-n", "demo", "howl", "-y", "-q")
    while "/files/howl-0.1-py3-none-any.whl" not in index.paths():
        assert first.poll() is None
        time.sleep(0.01)
    second = start("install", "-n", "demo", "wolf<2", "-y")
    told = f"waiting for process {first.pid} on {platform.node()}, which has been doing "
    assert waiting(second).startswith(f"{told}`kaa install -n demo howl -y -q` for ")
    index.heal()
    finish([first, second])
    assert versions() == {"bear": "1.0", "fur": "2.1", "wolf": "1.0", "howl": "0.1"}
    assert names(root() / "envs" / ".kaa" / "demo") == ["1", "2", "3"]


def test_names_of_installed_packages_complete(demo: Path) -> None:
    completed = subprocess.run(
        [*KAA],
        env={
            **os.environ,
            "_KAA_COMPLETE": "bash_complete",
            "COMP_WORDS": "kaa update -n demo f",
            "COMP_CWORD": "4",
        },
        capture_output=True,
        text=True,
        check=True,
    )
    assert completed.stdout.split() == ["plain,fur"]


def test_a_quiet_change_says_nothing(demo: Path) -> None:
    answer = kaa("install", "-n", "demo", "wolf", "-y", "-q")
    assert (answer.code, answer.out, answer.err) == (0, "", "")
    text = done(kaa("update", "-n", "demo", "bear", "--dry-run")).out
    assert re.search(r"^up +\* bear +1\.0 -> 1\.5 ", text, re.MULTILINE) or "Nothing" in text
