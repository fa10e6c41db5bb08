"""kill -9 at every instant at which a rename touches the disk: one of the two is there, whole.

A child of this process watches its own audit events (PEP 578), and kills itself at the n-th; n
grows until the work gets to its end.
"""

from __future__ import annotations

import os
import signal
import sys
from typing import TYPE_CHECKING

import pytest

from kaa.environments.history import read_history
from kaa.environments.prefix import Prefix
from kaa.environments.writer import sole_writer
from kaa.model.environment import Manifest
from kaa.store.layout import Layout
from kaa.transaction.commit import (
    RENAMED,
    STANDS_IN,
    commit_first_generation,
    commit_next_generation,
    commit_renamed,
    renamed_to,
    stands_alone,
)
from kaa.transaction.stage import staging_directory
from kaa.workflows.recover import recover
from kaa.workflows.remove import take_away

if TYPE_CHECKING:
    from pathlib import Path

pytestmark = pytest.mark.skipif(not hasattr(os, "fork"), reason="there is no fork")

ASKED = Manifest("demo", ("bear",), ("pypi",), "kaa", "2026-01-01T00:00:00+00:00")
_EVENTS = {"os.rename", "os.remove", "os.rmdir", "os.mkdir", "os.symlink", "shutil.rmtree"}


def make(prefix: Prefix, layout: Layout, text: str) -> None:
    with staging_directory(prefix, layout) as staging:
        (staging / "file.txt").write_text(text)
        current = prefix.current_number
        if current is None:
            commit_first_generation(prefix, staging, ASKED)
        else:
            commit_next_generation(prefix, staging, ASKED, current)


def rename(source: Prefix, target: Prefix, layout: Layout) -> None:
    with staging_directory(target, layout) as staging:
        (staging / "file.txt").write_text("second")
        commit_renamed(source, target, staging, ASKED, read_history(source))
    take_away(source, layout)
    stands_alone(target)


def killed_at(instant: int, source: Prefix, target: Prefix, layout: Layout) -> bool:
    child = os.fork()
    if child == 0:
        count = 0

        def watch(event: str, arguments: tuple[object, ...]) -> None:
            nonlocal count
            flags = arguments[2] if event == "open" else 0
            if event in _EVENTS or (isinstance(flags, int) and flags & os.O_CREAT):
                if count == instant:
                    os.kill(os.getpid(), signal.SIGKILL)
                count += 1

        sys.addaudithook(watch)
        code = 1
        try:
            rename(source, target, layout)
            code = 0
        finally:
            os._exit(code)
    _, status = os.waitpid(child, 0)
    assert status in (0, signal.SIGKILL)
    return status != 0


def is_whole(prefix: Prefix) -> bool:
    try:
        return (prefix.path / "file.txt").read_text() == "second"
    except OSError:
        return False


@pytest.mark.parametrize("other_directory", [False, True])
def test_one_of_the_two_is_there_and_the_next_command_finishes_it(
    tmp_path: Path, other_directory: bool
) -> None:
    seen = set()
    for instant in range(200):
        layout = Layout(tmp_path / str(instant))
        source = Prefix(layout.environments / "demo")
        place = layout.root / "elsewhere" if other_directory else layout.environments
        target = Prefix(place / "trial")
        make(source, layout, "first")
        make(source, layout, "second")
        if not killed_at(instant, source, target, layout):
            break
        before = (is_whole(source), is_whole(target))
        assert any(before), f"both are gone at instant {instant}"
        # The next command is about one of the two, or about a third one.
        anyone = (source, target, Prefix(layout.environments / "other"))[instant % 3]
        if other_directory and anyone.path.parent == layout.environments:
            anyone = source
        with sole_writer(anyone, "kaa"):
            recover(layout, anyone)
        after = (is_whole(source), is_whole(target))
        if other_directory:  # what is unfinished there is found by who works there
            with sole_writer(target, "kaa"):
                recover(layout, target)
        assert sum(after) == 1, (instant, before, after)
        assert after[1] >= before[1], "what has been done is not taken back"
        there = target if after[1] else source
        kept = sorted(path.name for path in there.generations.iterdir())
        assert kept == ([".past-1", ".past-2", "3"] if after[1] else ["1", "2"]), instant
        gone = source if after[1] else target
        assert not gone.generations.exists(), list(gone.generations.iterdir())
        seen.add(after)
    else:
        raise AssertionError("it never ends")
    assert seen == {(True, False), (False, True)}
    assert instant > 10


def test_a_mark_that_was_left_harms_nothing_that_is_made_later(tmp_path: Path) -> None:
    layout = Layout(tmp_path / "kaa")
    source, target = (Prefix(layout.environments / name) for name in ("demo", "trial"))
    make(source, layout, "second")
    (source.generations / RENAMED).write_text(f"1234 {target.path}")
    make(target, layout, "another one, of the same name")
    assert renamed_to(source) is None
    (target.generations / f"{STANDS_IN}5678").write_text(str(source.path))
    with sole_writer(target, "kaa"):
        recover(layout, target)
    assert is_whole(source) and target.current_number == 1
    assert [path.name for path in source.generations.iterdir() if path.name == RENAMED] == []


def test_what_cannot_be_committed_leaves_no_mark(tmp_path: Path) -> None:
    layout = Layout(tmp_path / "kaa")
    source, target = (Prefix(layout.environments / name) for name in ("demo", "trial"))
    make(source, layout, "second")
    target.path.mkdir(parents=True)
    with staging_directory(target, layout) as staging:
        target.path.rmdir()
        target.path.symlink_to("nowhere")
        with pytest.raises(Exception, match="already"):
            commit_renamed(source, target, staging, ASKED, read_history(source))
    assert renamed_to(source) is None and not (source.generations / RENAMED).exists()
