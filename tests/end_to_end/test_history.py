"""Going back and forth between the generations of an environment."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from typing import TYPE_CHECKING

import pytest

from end_to_end.machine import KAA, MINOR, PYTHON, kaa, kernels, listed, names, root, unfinished
from kaa.environments.history import find_generation
from kaa.environments.prefix import Prefix
from kaa.transaction.commit import keep_past
from tree_hashes import HISTORY, tree
from wheels import build_wheel

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from end_to_end.machine import Answer
    from local_index import LocalIndex

    Kaa = Callable[..., Answer]

SITE = f"lib/python{MINOR}/site-packages"


@pytest.fixture
def demo(index: LocalIndex, tmp_path: Path, kaa_here: Kaa) -> Path:
    """An environment with bear 1.0 and fur 2.1, and an index that has moved on since."""
    index.headers = {"Cache-Control": "no-cache"}
    kaa_here("create", "-n", "demo", "-c", "pypi", PYTHON, "bear", "-y", "-q")
    more = tmp_path / "newer"
    index.add(build_wheel(more, "bear", "1.5", requires=["fur>=2"]))
    index.add(build_wheel(more, "fur", "3.0"))
    index.add(build_wheel(more, "wolf", "1.0"))
    return root() / "envs" / "demo"


def at(demo: Path) -> int:
    return int(demo.resolve().name)


def prune(demo: Path, number: int) -> None:
    """Do what `kaa clean` does to an old generation."""
    prefix = Prefix(demo)
    keep_past(find_generation(prefix, number), prefix.generations)
    shutil.rmtree(prefix.generations / str(number))


def packages_of(demo: Path) -> dict[str, str]:
    """Return a tree without what kaa has found out of it when it was made."""
    own = ("conda-meta/kaa/compared.json", "conda-meta/kaa/records-seal.json")
    return tree(demo, without=frozenset({HISTORY, *own}))


def agree(demo: Path) -> dict[str, str]:
    """Return the packages that importlib.metadata knows, as conda's records do, too."""
    code = "import importlib.metadata as m\nfor d in m.distributions(): print(d.name, d.version)"
    told = subprocess.check_output([demo / "bin" / "python", "-c", code], text=True)
    known = dict(line.split() for line in told.splitlines())
    records = [path.name.split("-")[:2] for path in (demo / "conda-meta").glob("*.json")]
    owned = {name: version for name, version in records if name != "python"}
    assert owned.items() <= known.items()
    return known


def test_back_forth_and_sideways(demo: Path, kaa_here: Kaa, index: LocalIndex) -> None:
    trees = {1: tree(demo)}
    kaa_here("install", "-n", "demo", "wolf", "-y", "-q")
    trees[2] = tree(demo)
    kaa_here("update", "-n", "demo", "bear", "-y", "-q")
    trees[3] = tree(demo)
    index.requests.clear()

    dry = kaa_here("undo", "-n", "demo", "--dry-run")
    assert "~ bear 1.5 -> 1.0" in dry.out.replace("1.0 -> 1.5", "?") and at(demo) == 3
    assert dry.out.endswith("Dry run: nothing was changed.\n")
    plan = kaa_here("undo", "-n", "demo", "--dry-run", "--json").json["plan"]
    assert (plan["from"], plan["to"], plan["at_once"]) == (3, 2, True)
    assert [each["name"] for each in plan["change"]] == ["bear"]

    said = kaa_here("undo", "-n", "demo", "--offline", "-y").out
    assert said.endswith("demo is at generation 2 now.\n")
    assert (at(demo), tree(demo)) == (2, trees[2])
    assert agree(demo) == {"bear": "1.0", "fur": "2.1", "wolf": "1.0"}
    kaa_here("undo", "-n", "demo", "-y", "-q")
    assert (at(demo), tree(demo)) == (1, trees[1])
    assert "created with it" in kaa_here("undo", "-n", "demo", "-y", code=3).err
    answer = kaa_here("rollback", "-n", "demo", "3", "-y", "--json").json
    assert answer["environment"]["generation"] == 3
    assert (at(demo), tree(demo)) == (3, trees[3])
    assert "Nothing to do" in kaa_here("rollback", "-n", "demo", "3", "-y").out
    assert index.requests == [], "going back needs nobody"

    # Another change after going back: its number is new, and what it was made from comes before.
    kaa_here("rollback", "-n", "demo", "1", "-y", "-q")
    kaa_here("install", "-n", "demo", "fur>=3", "-y", "-q")
    assert at(demo) == 4
    kaa_here("undo", "-n", "demo", "-y", "-q")
    assert (at(demo), tree(demo)) == (1, trees[1])
    generations = kaa_here("history", "-n", "demo", "--json").json["generations"]
    assert [(each["generation"], each["parent"]) for each in generations] == [
        (1, None),
        (2, 1),
        (3, 2),
        (4, 1),
    ]
    assert [each["current"] for each in generations] == [True, False, False, False]
    assert generations[2]["command"] == "kaa update -n demo bear -y -q"
    assert generations[1]["changes"]["add"][0]["name"] == "wolf"
    table = kaa_here("history", "-n", "demo").out.splitlines()
    assert table[1].startswith("* 1 ") and " +1 " in table[2] and " ~1 " in table[3]
    assert "- wolf 1.0 (pypi)" in kaa_here("diff", "-n", "demo", "2", "1").out
    assert kaa_here("diff", "-n", "demo", "1", "4", "--json").json["change"][0]["name"] == "fur"
    assert "+ bear 1.0 (pypi)" in kaa_here("diff", "-p", demo).out, "what creating it brought"

    # conda's history says the same, line after line.
    commands = [
        line.removeprefix("# cmd: kaa ").split()[0]
        for line in (demo / HISTORY).read_text().splitlines()
        if line.startswith("# cmd:")
    ]
    assert commands == [
        "create",
        "install",
        "update",
        "undo",
        "undo",
        "rollback",
        "rollback",
        "install",
        "undo",
    ]
    assert (kernels(), listed(), unfinished()) == (["demo"], [str(demo)], [])


def test_what_is_not_kaa_s_is_the_newest(demo: Path, kaa_here: Kaa, tmp_path: Path) -> None:
    foxes = [build_wheel(tmp_path, "fox", version) for version in ("1.0", "2.0")]
    owl = build_wheel(tmp_path, "owl")
    before_it = tree(demo)
    pip(demo, "install", foxes[0], owl)
    (demo / "etc").mkdir(exist_ok=True)
    (demo / "etc" / "mine.conf").write_text("then")
    state = demo / "conda-meta" / "state"
    state.write_text('{"version": 1, "env_vars": {"MOOD": "then"}}')
    kaa_here("install", "-n", "demo", "wolf", "-y", "-q")
    pip(demo, "install", foxes[1])
    pip(demo, "uninstall", "-y", "owl")
    (demo / "etc" / "mine.conf").write_text("now")
    (demo / "notes.txt").write_text("new")
    state.write_text('{"version": 1, "env_vars": {"MOOD": "now"}}')
    kaa_here("undo", "-n", "demo", "-y", "-q")
    assert agree(demo) == {"bear": "1.0", "fur": "2.1", "fox": "2.0"}
    assert (demo / "etc" / "mine.conf").read_text() == "now"
    assert (demo / "notes.txt").read_text() == "new"
    told = kaa("run", "-n", "demo", "python", "-c", "import os, fox; print(os.environ['MOOD'])")
    assert told.out == "now\n"
    # All of that taken away, it is what it was, file by file.
    pip(demo, "uninstall", "-y", "fox")
    for path in (demo / "notes.txt", state, demo / "etc" / "mine.conf"):
        path.unlink()
    (demo / "etc").rmdir()
    assert tree(demo) == before_it


def pip(prefix: Path, *arguments: str | Path) -> None:
    command = [sys.executable, "-m", "pip", "--python", str(prefix / "bin" / "python")]
    options = ["-q", "--disable-pip-version-check"]
    no_index = ["--no-index"] if arguments[0] == "install" else []
    subprocess.run([*command, *map(str, arguments), *options, *no_index], check=True)


def test_one_that_was_cleared_is_installed_again(
    demo: Path, kaa_here: Kaa, index: LocalIndex
) -> None:
    first = packages_of(demo)
    kaa_here("update", "-n", "demo", "bear", "-y", "-q")
    kaa_here("install", "-n", "demo", "wolf", "-y", "-q")
    prune(demo, 1)
    prune(demo, 2)
    (demo / "notes.txt").write_text("mine")
    assert "(1)" in kaa_here("history", "-n", "demo").out
    note = kaa_here("rollback", "-n", "demo", "1", "--dry-run").out
    assert "generation 1 is not on the disk any more; it is installed again" in note
    kaa_here("rollback", "-n", "demo", "1", "--offline", "-y", "-q")
    assert (demo / "notes.txt").read_text() == "mine"
    assert agree(demo) == {"bear": "1.0", "fur": "2.1"}
    (demo / "notes.txt").unlink()
    assert packages_of(demo) == first
    assert names(demo.parent / ".kaa" / "demo") == [".past-2", "1", "3"]
    manifest = kaa_here("history", "-n", "demo", "--json").json["generations"][0]
    assert manifest["command"].startswith("kaa create"), "it is what it was"
    assert "# cmd: kaa rollback -n demo 1" in (demo / HISTORY).read_text()

    # The package cache has lost one of its packages.
    wheel = next((root() / "pkgs").glob("bear-1.5-*"))
    shutil.rmtree(wheel)
    wheel.with_name(f"{wheel.name}.lock").unlink(missing_ok=True)
    shutil.rmtree(root() / "cache" / "wheels", ignore_errors=True)
    refused = kaa_here("rollback", "-n", "demo", "2", "--offline", "-y", code=5)
    assert "bear" in refused.err and "hint:" in refused.err
    assert (at(demo), packages_of(demo), unfinished()) == (1, first, [])
    kaa_here("rollback", "-n", "demo", "2", "-y", "-q")
    assert agree(demo) == {"bear": "1.5", "fur": "2.1"}


def test_a_program_keeps_its_generation_and_the_plan_says_so(demo: Path, kaa_here: Kaa) -> None:
    kaa_here("update", "-n", "demo", "bear", "-y", "-q")
    code = "import sys; print('up', flush=True); sys.stdin.read()"
    code += "; import bear, fur; print(bear.__version__)"
    run = [*KAA, "run", "-n", "demo", "python", "-c", code]
    with subprocess.Popen(run, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as program:
        assert program.stdout is not None and program.stdout.readline() == "up\n"
        plan = kaa_here("undo", "-n", "demo", "--dry-run", "--json").json["plan"]
        assert [each["generation"] for each in plan["processes"]] == [2]
        kaa_here("undo", "-n", "demo", "-y", "-q")
        out, _ = program.communicate("")
    assert out == "1.5\n"
    assert kaa("run", "-n", "demo", "growl").out == "bear 1.0\n"


def test_what_is_damaged_can_be_gone_away_from(demo: Path, kaa_here: Kaa) -> None:
    first = tree(demo)
    kaa_here("install", "-n", "demo", "wolf", "-y", "-q")
    next((demo / "conda-meta").glob("wolf-*.json")).write_text("{")
    kaa_here("undo", "-n", "demo", "-y", "-q")
    assert tree(demo) == first
    kaa_here("install", "-n", "demo", "wolf", "-y", "-q")
    shutil.rmtree(demo.resolve())
    assert "is missing" in kaa_here("env", "list").out
    kaa_here("rollback", "-n", "demo", "1", "-y", "-q")
    assert tree(demo) == first


def test_what_cannot_be_gone_back_to(demo: Path, kaa_here: Kaa, tmp_path: Path) -> None:
    assert "there are: 1" in kaa_here("rollback", "-n", "demo", "7", "-y", code=3).err
    assert "there are: 1" in kaa_here("diff", "-n", "demo", "7", code=3).err
    assert "no environment 'nowhere'" in kaa_here("undo", "-n", "nowhere", "-y", code=3).err
    (tmp_path / "theirs" / "conda-meta").mkdir(parents=True)
    for command in ("undo", "history", "diff"):
        refused = kaa_here(command, "-p", tmp_path / "theirs", code=2).err
        assert "kaa adopt" in refused or "-y" in refused
    kaa_here("install", "-n", "demo", "wolf", "-y", "-q")
    assert "-y" in kaa_here("undo", "-n", "demo", code=2).err, "nothing is asked without a terminal"
    assert at(demo) == 2
    completed = subprocess.run(
        [*KAA],
        env={
            **os.environ,
            "_KAA_COMPLETE": "bash_complete",
            "COMP_WORDS": "kaa rollback -n demo ",
            "COMP_CWORD": "4",
        },
        capture_output=True,
        text=True,
        check=True,
    )
    assert completed.stdout.split() == ["plain,1", "plain,2"]
