"""kill -9 at every instant at which a commit or a removal touches the disk.

The process that is killed watches its own audit events (PEP 578) of the file system and kills
itself at the n-th; n grows until the work gets to its end.
"""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from typing import TYPE_CHECKING

import pytest

from kaa.environments.prefix import Prefix, read_manifest
from kaa.model.environment import Manifest
from kaa.store.layout import Layout
from kaa.transaction.commit import UNANNOUNCED, commit_first_generation, commit_next_generation
from kaa.transaction.leftovers import clear_leftovers
from kaa.transaction.stage import staging_directory

if TYPE_CHECKING:
    from pathlib import Path

ASKED = Manifest("demo", ("bear",), ("pypi",), "kaa", "2026-01-01T00:00:00+00:00")

_WORK = """
import os, signal, sys
from pathlib import Path
from kaa.environments.prefix import Prefix
from kaa.model.environment import Manifest
from kaa.store.layout import Layout
from kaa.transaction import commit
from kaa.transaction.stage import staging_directory

layout, work, instant = Layout(Path(sys.argv[1])), sys.argv[2], int(sys.argv[3])
prefix = Prefix(layout.environments / "demo")
asked = Manifest("demo", ("bear",), ("pypi",), "kaa", "2026-01-01T00:00:00+00:00")
events = {"os.rename", "os.remove", "os.rmdir", "os.mkdir", "os.symlink", "shutil.rmtree"}
count = -1

def watch(event, arguments):
    global count
    writes = event == "open" and isinstance(arguments[2], int) and arguments[2] & os.O_CREAT
    if count >= 0 and (event in events or writes):
        if count == instant:
            os.kill(os.getpid(), signal.SIGKILL)
        count += 1

sys.addaudithook(watch)
if work == "remove":
    count = 0
    commit.delete(commit.detach(prefix))
else:
    with staging_directory(prefix, layout) as staging:
        (staging / "file.txt").write_text("killed")
        count = 0
        if work == "first":
            commit.commit_first_generation(prefix, staging, asked)
        else:
            commit.commit_next_generation(prefix, staging, asked, 2)
        count = -1
print(count)
"""


@pytest.fixture
def layout(tmp_path: Path) -> Layout:
    return Layout(tmp_path / "kaa")


def commit(prefix: Prefix, layout: Layout, text: str) -> int:
    with staging_directory(prefix, layout) as staging:
        (staging / "file.txt").write_text(text)
        current = prefix.current_number
        if current is None:
            return commit_first_generation(prefix, staging, ASKED)
        return commit_next_generation(prefix, staging, ASKED, current)


def killed_at(layout: Layout, work: str, instant: int) -> bool:
    """Do the work in a process; say whether it was killed before it came to its end."""
    done = subprocess.run(
        [sys.executable, "-c", _WORK, str(layout.root), work, str(instant)],
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode == 0:
        return False
    assert done.returncode == -signal.SIGKILL, done.stderr
    return True


def text_of(generation: Path) -> str:
    manifest = read_manifest(generation)
    assert manifest is not None and manifest.specs == ASKED.specs
    return (generation / "file.txt").read_text()


def generations(prefix: Prefix) -> list[str]:
    return sorted(path.name for path in prefix.generations.iterdir() if path.name != UNANNOUNCED)


def instants(work: str, root: Path, before: tuple[str, ...]) -> list[Layout]:
    """Return the roots in which the work was killed, one for each instant of it."""
    layouts: list[Layout] = []
    for instant in range(100):
        layout = Layout(root / f"{work}-{instant}")
        prefix = Prefix(layout.environments / "demo")
        for text in before:
            commit(prefix, layout, text)
        if not killed_at(layout, work, instant):
            return layouts
        layouts.append(layout)
    raise AssertionError("it never ends")


def test_a_change_that_is_killed_has_happened_or_not(tmp_path: Path) -> None:
    seen = set()
    layouts = instants("next", tmp_path, ("first", "second"))
    for layout in layouts:
        prefix = Prefix(layout.environments / "demo")
        number = prefix.current_number
        seen.add((number, text_of(prefix.path)))
        clear_leftovers(layout, prefix)
        assert (prefix.current_number, text_of(prefix.generations / "1")) == (number, "first")
        assert text_of(prefix.generations / "2") == "second"
        expected = ["1", "2"] if number == 2 else ["1", "2", "3"]
        assert generations(prefix) == expected
    assert seen == {(2, "second"), (3, "killed")}
    assert len(layouts) >= 6, "the mark, two renames, the new link, its rename, the mark again"


def test_the_next_change_clears_up_as_well(tmp_path: Path) -> None:
    # Another process may be at work, so that nothing was cleared before.
    for layout in instants("next", tmp_path, ("first", "second")):
        prefix = Prefix(layout.environments / "demo")
        before = prefix.current_number
        assert before in (2, 3)
        assert commit(prefix, layout, "after") == before + 1
        assert text_of(prefix.path) == "after"
        numbers = [name for name in generations(prefix) if name.isdigit()]
        assert numbers == [str(number) for number in range(1, before + 2)]
        assert not list(prefix.generations.glob(".pending-*"))


def test_a_creation_that_is_killed_has_happened_or_not(tmp_path: Path) -> None:
    seen = set()
    for layout in instants("first", tmp_path, ()):
        prefix = Prefix(layout.environments / "demo")
        there = os.path.lexists(prefix.path)
        assert not there or text_of(prefix.path) == "killed"
        clear_leftovers(layout, prefix)
        assert prefix.generations.exists() is there
        if not there:
            assert commit(prefix, layout, "after") == 1
        assert generations(prefix) == ["1"]
        seen.add(there)
    assert seen == {True, False}


def test_a_removal_that_is_killed_loses_no_half(tmp_path: Path) -> None:
    seen = set()
    for layout in instants("remove", tmp_path, ("first", "second")):
        prefix = Prefix(layout.environments / "demo")
        there = os.path.lexists(prefix.path)
        clear_leftovers(layout, prefix)
        if there:
            assert generations(prefix) == ["1", "2"]
            assert text_of(prefix.path) == "second"
        else:
            assert list(layout.environments.rglob("*")) == []
        seen.add(there)
    assert seen == {True, False}
