"""Packages are removed: with what needs them and what they alone needed, and come back."""

from __future__ import annotations

import os
import subprocess
import sys
from typing import TYPE_CHECKING, Any

import pytest

from end_to_end.machine import KAA, MINOR, PYTHON, Answer, kaa, kernels, listed, root, state
from tree_hashes import tree
from wheels import build_wheel

if TYPE_CHECKING:
    from pathlib import Path

    from local_index import LocalIndex

SITE = f"lib/python{MINOR}/site-packages"


@pytest.fixture
def demo(index: LocalIndex, tmp_path: Path) -> Path:
    """An environment with bear, which needs fur, and wolf, which needs howl; both need claw."""
    more = tmp_path / "more"
    index.add(build_wheel(more, "claw"))
    index.add(build_wheel(more, "howl", requires=["claw"]))
    index.add(build_wheel(more, "wolf", requires=["howl"], extras={"warm": ["fur", "claw"]}))
    index.add(build_wheel(more, "cub", requires=["bear", "Claw"]))
    answer = kaa("create", "-n", "demo", "-c", "pypi", PYTHON, "cub", "wolf", "-y", "-q")
    assert answer.code == 0, answer.err
    return root() / "envs" / "demo"


def plan_of(*arguments: str) -> dict[str, str]:
    """Return what goes, and why."""
    answer = kaa("remove", "-n", "demo", *arguments, "--dry-run", "--json")
    assert answer.code == 0, answer.err
    plan: dict[str, Any] = answer.json["plan"]
    assert not plan["add"] and not plan["change"]
    return {each["name"]: each["why"] for each in plan["remove"]}


def removed(*arguments: str) -> Answer:
    answer = kaa("remove", "-n", "demo", *arguments, "-y")
    assert answer.code == 0, answer.err
    return answer


def refused(code: int, *arguments: str) -> str:
    before = state()
    answer = kaa("remove", *arguments, "-y")
    assert (answer.code, answer.out) == (code, "")
    assert "Traceback" not in answer.err
    assert state() == before
    return answer.err


def specs() -> list[str]:
    found: list[str] = kaa("info", "-n", "demo", "--json").json["environment"]["specs"]
    return found


def names(prefix: Path) -> list[str]:
    """Return what conda's records and what importlib.metadata know, which has to be the same."""
    records = {path.name.rsplit("-", 2)[0] for path in (prefix / "conda-meta").glob("*.json")}
    code = "import importlib.metadata as m; print(*(d.name for d in m.distributions()))"
    known = subprocess.check_output([prefix / "bin" / "python", "-c", code], text=True).split()
    assert sorted(known) == sorted(records - {"python"})
    return sorted(known)


def test_what_needs_it_and_what_it_needed_alone_goes_along(demo: Path) -> None:
    before = tree(demo)
    assert plan_of("bear") == {
        "bear": "you asked for it to go",
        "cub": "it needs bear",
        "fur": "nothing needs it any more",
    }
    # claw stays, for wolf's sake: through howl.
    assert plan_of("howl") == {"howl": "you asked for it to go", "wolf": "it needs howl"}
    assert plan_of("wolf") == {
        "howl": "nothing needs it any more",
        "wolf": "you asked for it to go",
    }
    assert set(plan_of("wolf", "cub")) == {"wolf", "howl", "claw", "cub", "bear", "fur"}
    assert tree(demo) == before, "nothing of it was done"

    answer = removed("bear")
    assert answer.out.splitlines()[-1] == "Changed demo; it is at generation 2 now."
    assert names(demo) == ["claw", "howl", "wolf"]
    assert specs() == [PYTHON, "wolf"]
    assert not (demo / "bin" / "growl").exists() and not (demo / SITE / "fur").exists()
    last = (demo / "conda-meta" / "history").read_text().rpartition("==>")[2].splitlines()
    assert last[1] == "# cmd: kaa remove -n demo bear -y"
    assert [line.partition("-py3")[0] for line in last[2:]] == [
        "-pypi/noarch::bear-1.0",
        "-pypi/noarch::cub-1.0",
        "-pypi/noarch::fur-2.1",
        "# remove specs: ['cub']",
    ]
    undone = kaa("undo", "-n", "demo", "-y")
    assert undone.code == 0, undone.err
    assert tree(demo) == before
    assert specs() == [PYTHON, "cub", "wolf"]
    assert kaa("run", "-n", "demo", "growl").out == "bear 1.0\n"


def test_extras_what_is_asked_for_and_force(demo: Path) -> None:
    assert kaa("install", "-n", "demo", "fur", "wolf[warm]", "-y", "-q").code == 0
    assert set(plan_of("bear")) == {"bear", "cub"}
    # What only an extra needs is needed by the package that it was asked for with.
    assert plan_of("fur") == {
        "bear": "it needs fur",
        "cub": "it needs bear",
        "fur": "you asked for it to go",
        "howl": "nothing needs it any more",
        "wolf": "it needs fur",
        "claw": "nothing needs it any more",
    }
    answer = kaa("remove", "-n", "demo", "fur", "--force", "--dry-run")
    assert "Note: bear, wolf will be broken without fur" in answer.out
    removed("fur", "--force")
    assert names(demo) == ["bear", "claw", "cub", "howl", "wolf"]
    assert specs() == [PYTHON, "cub", "wolf[warm]"]
    # What is missing is brought back by whatever is installed next.
    assert kaa("install", "-n", "demo", "cub", "-y").code == 0
    assert "fur" in names(demo)


def test_python_goes_with_all_that_needs_it_and_comes_back(demo: Path) -> None:
    before = tree(demo)
    (demo / "notes.txt").write_text("mine")
    assert set(plan_of("python")) == {"python", "bear", "claw", "cub", "fur", "howl", "wolf"}
    removed("python")
    assert not (demo / "bin" / "python").exists()
    assert (demo / "notes.txt").read_text() == "mine"
    assert kaa("list", "-n", "demo", "--json").json == []
    assert kaa("remove", "-n", "demo", "python", "-y").code == 3
    assert kaa("undo", "-n", "demo", "-y").code == 0
    (demo / "notes.txt").unlink()
    assert tree(demo) == before
    assert kaa("run", "-n", "demo", "growl").out == "bear 1.0\n"


def test_what_pip_has_installed_counts(demo: Path, tmp_path: Path) -> None:
    fox = build_wheel(tmp_path / "more", "fox", requires=["fur"])
    pip = [sys.executable, "-m", "pip", "--python", str(demo / "bin" / "python"), "install", "-q"]
    subprocess.run([*pip, "--no-deps", "--no-index", str(fox)], check=True)
    assert set(plan_of("bear")) == {"bear", "cub"}, "fur stays, since fox needs it"
    told = kaa("remove", "-n", "demo", "fur", "--dry-run").out
    assert "Note: fox will be broken without fur" in told
    theirs = refused(3, "-n", "demo", "fox")
    assert "another program" in theirs and "pip uninstall fox" in theirs


def test_what_cannot_be_removed(demo: Path) -> None:
    assert "did you mean `bear`" in refused(3, "-n", "demo", "beer")
    assert "`kaa list`" in refused(3, "-n", "demo", "surely-not-there")
    assert "nothing was named" in refused(2, "-n", "demo")
    assert "`bear`" in refused(2, "-n", "demo", "bear==1.0")
    assert "no environment 'nowhere'" in refused(3, "-n", "nowhere", "bear")
    assert "which environment" in refused(2, "bear")
    assert "--all" in refused(2, "-n", "demo", "bear", "--all")
    assert "not a package spec" in refused(2, "-n", "demo", "=")
    unasked = kaa("remove", "-n", "demo", "bear")
    assert unasked.code == 2 and "-y" in unasked.err


def test_json_quiet_the_active_one_and_the_other_name(
    demo: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("CONDA_PREFIX", str(demo))
    answer = kaa("uninstall", "Wolf", "-y", "--json")
    assert answer.code == 0, answer.err
    assert answer.json["success"] and answer.json["environment"]["generation"] == 2
    assert [each["name"] for each in answer.json["plan"]["remove"]] == ["howl", "wolf"]
    quiet = kaa("remove", "-p", str(demo), "cub", "-y", "-q")
    assert (quiet.code, quiet.out, quiet.err) == (0, "", "")
    assert names(demo) == []
    help_text = kaa("uninstall", "-h").out
    assert "kaa uninstall -n demo pandas" in help_text
    completed = subprocess.run(
        [*KAA],
        env={
            **os.environ,
            "_KAA_COMPLETE": "bash_complete",
            "COMP_WORDS": "kaa remove -n demo py",
            "COMP_CWORD": "4",
        },
        capture_output=True,
        text=True,
        check=True,
    )
    assert completed.stdout.split() == ["plain,python"]

    dry = kaa("remove", "-n", "demo", "--all", "--dry-run", "--json")
    assert dry.json["dry_run"] and demo.is_symlink()
    removed("--all")
    assert not demo.is_symlink() and not (root() / "envs" / ".kaa").exists()
    assert (kernels(), listed()) == ([], [])
