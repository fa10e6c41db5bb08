"""A generation is taken off the disk: what is kept of it, and kill -9 at every instant."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from typing import TYPE_CHECKING

import pytest

from kaa.environments.history import find_generation, read_history
from kaa.environments.prefix import Prefix
from kaa.model.environment import Manifest
from kaa.model.errors import EnvironmentStateError
from kaa.store.deletion import delete_counted
from kaa.store.layout import Layout
from kaa.transaction.commit import commit_first_generation, commit_next_generation
from kaa.transaction.leftovers import clear_leftovers
from kaa.transaction.prune import prune_generation
from kaa.transaction.stage import staging_directory

if TYPE_CHECKING:
    from pathlib import Path

RECORD = {
    "name": "bear",
    "version": "1.0",
    "build": "0",
    "build_number": 0,
    "subdir": "noarch",
    "fn": "bear-1.0-0.conda",
    "url": "https://channel.example.org/noarch/bear-1.0-0.conda",
    "channel": "https://channel.example.org",
    "files": ["bear.txt"],
    "paths_data": {"paths_version": 1, "paths": []},
}

_WORK = """
import os, signal, sys
from pathlib import Path
from kaa.environments.history import find_generation
from kaa.environments.prefix import Prefix
from kaa.store.deletion import delete_counted
from kaa.transaction.prune import prune_generation

prefix, instant = Prefix(Path(sys.argv[1])), int(sys.argv[2])
generation = find_generation(prefix, 1)
events = {"os.rename", "os.remove", "os.rmdir", "os.mkdir"}
count = 0

def watch(event, arguments):
    global count
    writes = event == "open" and isinstance(arguments[2], int) and arguments[2] & os.O_CREAT
    if event in events or writes:
        if count == instant:
            os.kill(os.getpid(), signal.SIGKILL)
        count += 1

sys.addaudithook(watch)
delete_counted(prune_generation(prefix, generation))
"""


@pytest.fixture(autouse=True)
def unflushed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("KAA_FLUSH", "0")


def environment(root: Path) -> Prefix:
    """Make an environment with three generations of one package."""
    layout = Layout(root)
    prefix = Prefix(layout.environments / "demo")
    for number in range(3):
        asked = Manifest("demo", ("bear",), ("pypi",), f"kaa {number}", "2026-01-01T00:00:00+00:00")
        with staging_directory(prefix, layout) as staging:
            (staging / "conda-meta").mkdir()
            (staging / "conda-meta" / "bear-1.0-0.json").write_text(json.dumps(RECORD))
            (staging / "bear.txt").write_text(str(number))
            current = prefix.current_number
            if current is None:
                commit_first_generation(prefix, staging, asked)
            else:
                commit_next_generation(prefix, staging, asked, current)
    return prefix


def there(prefix: Prefix) -> list[str]:
    return sorted(path.name for path in prefix.generations.iterdir())


def test_what_it_was_is_kept(tmp_path: Path) -> None:
    prefix = environment(tmp_path)
    before = find_generation(prefix, 1)
    doomed = prune_generation(prefix, before)
    assert (doomed / "bear.txt").read_text() == "0"
    past = find_generation(prefix, 1)
    assert not past.on_disk
    assert past.manifest == before.manifest is not None
    (record,) = past.records()
    assert record["url"] == RECORD["url"] and "files" not in record
    assert delete_counted(doomed) > 0
    assert ".past-1" in there(prefix) and "1" not in there(prefix)
    assert [each.number for each in read_history(prefix)] == [1, 2, 3]
    assert prefix.next_number() == 4


def test_the_current_one_is_never_taken(tmp_path: Path) -> None:
    prefix = environment(tmp_path)
    with pytest.raises(EnvironmentStateError, match="is the current one"):
        prune_generation(prefix, find_generation(prefix, 3))
    assert (prefix.path / "bear.txt").read_text() == "2"
    assert "3" in there(prefix) and ".past-3" not in there(prefix)


@pytest.mark.skipif(os.name == "nt", reason="signals")
def test_killed_at_any_instant_it_is_there_or_cleared_away(tmp_path: Path) -> None:
    seen = set()
    for instant in range(100):
        layout = Layout(tmp_path / str(instant))
        prefix = environment(layout.root)
        before = find_generation(prefix, 1)
        done = subprocess.run(
            [sys.executable, "-c", _WORK, str(prefix.path), str(instant)],
            capture_output=True,
            text=True,
            check=False,
        )
        after = find_generation(prefix, 1)
        assert (prefix.path / "bear.txt").read_text() == "2"
        assert after.manifest == before.manifest
        assert [each["name"] for each in after.records()] == ["bear"]
        if after.on_disk:
            assert (after.path / "bear.txt").read_text() == "0"
        clear_leftovers(layout, prefix)
        assert find_generation(prefix, 1).on_disk is after.on_disk
        left = [name for name in there(prefix) if not name.startswith((".past-", ".unann"))]
        assert left == (["1", "2", "3"] if after.on_disk else ["2", "3"])
        seen.add(after.on_disk)
        if done.returncode == 0:
            break
        assert done.returncode == -signal.SIGKILL, done.stderr
        if after.on_disk:  # the next clean finds it, and what is kept of it already
            delete_counted(prune_generation(prefix, find_generation(prefix, 1)))
            assert [name for name in there(prefix) if name.isdigit()] == ["2", "3"]
    else:
        raise AssertionError("it never ends")
    assert seen == {True, False}
    assert instant >= 8, "two files and two renames, then whatever is deleted"
