"""What kaa does to an environment's variables is undone like every other change."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
from typing import TYPE_CHECKING

import pytest

from end_to_end.machine import PYTHON, below, kaa, root, unfinished
from kaa.environments.history import find_generation
from kaa.environments.prefix import Prefix
from kaa.environments.variables import read_variables
from kaa.transaction.commit import keep_past
from tree_hashes import tree
from wheels import build_wheel

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from end_to_end.machine import Answer
    from local_index import LocalIndex

    Kaa = Callable[..., Answer]


@pytest.fixture
def demo(index: LocalIndex, tmp_path: Path, kaa_here: Kaa) -> Path:
    index.add(build_wheel(tmp_path / "more", "wolf"))
    kaa_here("create", "-n", "demo", "-c", "pypi", PYTHON, "bear", "-y", "-q")
    return root() / "envs" / "demo"


def put(*assignments: str) -> None:
    done = kaa("env", "config", "vars", "set", "-n", "demo", *assignments)
    assert done.code == 0, done.err


def unset(*names: str) -> None:
    done = kaa("env", "config", "vars", "unset", "-n", "demo", *names)
    assert done.code == 0, done.err


def there(name: str = "demo") -> dict[str, str]:
    return read_variables(root() / "envs" / name)


def by_hand(demo: Path, **values: str) -> None:
    """Do what conda does: write into the file, and into no other."""
    (demo / "conda-meta" / "state").write_text(json.dumps({"version": 1, "env_vars": values}))


def undo(*more: str) -> Answer:
    done = kaa("undo", "-n", "demo", "-y", *more)
    assert done.code == 0, done.err
    return done


def rollback(number: int) -> None:
    done = kaa("rollback", "-n", "demo", str(number), "-y", "-q")
    assert done.code == 0, done.err


def install(*specs: str) -> None:
    done = kaa("install", "-n", "demo", *specs, "-y", "-q")
    assert done.code == 0, done.err


def test_set_and_undone(demo: Path) -> None:
    before = tree(demo)
    put("A=1", "B=two words")
    told = kaa("undo", "-n", "demo", "--dry-run").out
    assert "  - variable A (was 1)\n  - variable B (was two words)\n" in told
    plan = kaa("undo", "-n", "demo", "--dry-run", "--json").json["plan"]
    assert plan["variables"] == {"A": None, "B": None}
    assert there() == {"A": "1", "B": "two words"}, "a dry run has changed nothing"
    undo()
    assert there() == {}
    assert tree(demo) == before, "file by file"
    rollback(2)
    assert there() == {"A": "1", "B": "two words"}


def test_unset_and_undone(demo: Path) -> None:
    put("A=1", "B=2")
    put("A=new")
    unset("B")
    unset("A")
    assert there() == {}
    undo()
    assert there() == {"A": "new"}
    undo()
    assert there() == {"A": "new", "B": "2"}
    assert "~ variable A=1\n" in undo().out
    assert there() == {"A": "1", "B": "2"}
    table = kaa("history", "-n", "demo").out.splitlines()
    assert [" 2 variables " in line for line in table] == [False, False, True, False, False, False]
    assert [" 1 variable " in line for line in table] == [False] * 3 + [True] * 3
    assert "+ variable B=2" in kaa("diff", "-n", "demo", "1", "2").out
    assert kaa("diff", "-n", "demo", "2", "5", "--json").json["variables"] == {"A": None, "B": None}


def test_a_package_that_came_afterwards_is_another_matter(demo: Path) -> None:
    put("A=1")
    install("wolf")
    undo()
    assert there() == {"A": "1"}
    undo()
    assert there() == {}
    rollback(3)
    assert there() == {"A": "1"}, "what both changes made of it"


def test_a_package_that_came_before_is_another_matter(demo: Path) -> None:
    install("wolf")
    put("A=1")
    undo()
    assert there() == {} and list((demo / "conda-meta").glob("wolf-*.json"))


def test_what_was_set_by_hand_stays(demo: Path) -> None:
    put("A=1", "B=1")
    by_hand(demo, A="1", B="by hand", HAND="1")
    install("wolf")
    by_hand(demo, A="1", B="by hand", HAND="2", MORE="3")
    put("C=1")
    undo()
    kept = {"B": "by hand", "HAND": "2", "MORE": "3"}
    assert there() == {"A": "1", **kept}
    rollback(1)
    assert there() == kept
    # conda unsets so; and what is not set any more does not come back with an older generation.
    by_hand(demo, B="***unset***", HAND="2")
    assert there() == {"HAND": "2"}
    (demo / "conda-meta" / "state").unlink()
    rollback(3)
    assert there() == {"A": "1", "B": "1"}, "what the commands up to it did"


def test_sideways(demo: Path) -> None:
    put("A=1")
    undo()
    put("B=1")
    rollback(2)
    assert there() == {"A": "1"}
    rollback(3)
    assert there() == {"B": "1"}


def test_a_file_s_variables_go_with_its_packages(demo: Path, tmp_path: Path) -> None:
    put("A=1")
    file = tmp_path / "environment.yml"
    file.write_text("dependencies:\n- pypi::wolf\nvariables:\n  A: '2'\n  FILE: x\n")
    done = kaa("env", "update", "-n", "demo", "-f", file, "-y")
    assert done.code == 0, done.err
    assert there() == {"A": "2", "FILE": "x"}
    undo()
    assert there() == {"A": "1"} and not list((demo / "conda-meta").glob("wolf-*.json"))


def test_what_was_cleared_or_renamed_has_its_variables(demo: Path, index: LocalIndex) -> None:
    put("A=1")
    put("A=2")
    prefix = Prefix(demo)
    keep_past(find_generation(prefix, 2), prefix.generations)
    shutil.rmtree(prefix.generations / "2")
    undo("--offline")
    assert there() == {"A": "1"}
    renamed = kaa("rename", "-n", "demo", "den", "-y")
    assert renamed.code == 0, renamed.err
    assert there("den") == {"A": "1"}
    done = kaa("undo", "-n", "den", "-y")
    assert done.code == 0, done.err
    assert there("den") == {}
    done = kaa("rollback", "-n", "den", "4", "-y")
    assert there("den") == {"A": "1"}


_WORK = """
import os, signal, sys
from kaa.__main__ import main

instant, prefix = int(sys.argv[1]), sys.argv[2]
events = {"os.rename", "os.remove", "os.rmdir", "os.mkdir", "os.symlink", "os.chmod"}
count = 0

def watch(event, arguments):
    global count
    writes = event == "open" and isinstance(arguments[2], int) and arguments[2] & os.O_CREAT
    if (event in events or writes) and prefix in str(arguments[0]):
        if count == instant:
            os.kill(os.getpid(), signal.SIGKILL)
        count += 1

sys.addaudithook(watch)
sys.argv = ["kaa", "undo", "-n", "demo", "-y", "-q"]
main()
"""


@pytest.mark.skipif(os.name == "nt", reason="there is no SIGKILL")
def test_killed_at_every_instant(demo: Path) -> None:
    first = tree(demo)
    put("A=1")
    by_hand(demo, A="1", HAND="2")
    seen = set()
    for instant in range(60):
        work = [sys.executable, "-c", _WORK, str(instant), str(demo.parent)]
        done = subprocess.run(work, capture_output=True, text=True, check=False)
        gone_back = demo.resolve().name == "1"
        assert there() == ({"HAND": "2"} if gone_back else {"A": "1", "HAND": "2"})
        seen.add(gone_back)
        if gone_back and done.returncode == -signal.SIGKILL:
            rollback(2)
            assert there() == {"A": "1", "HAND": "2"}
        elif done.returncode == 0:
            break
        else:
            assert done.returncode == -signal.SIGKILL, done.stderr
    assert done.returncode == 0 and seen == {True, False} and instant > 3
    (demo / "conda-meta" / "state").unlink()

    assert tree(demo) == first
    assert not unfinished() and not [name for name in below(demo) if "/.history." in name]
