"""The accounting against the system's own ``du``, on trees of all kinds."""

from __future__ import annotations

import os
import shutil
import subprocess
from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kaa.doctor.accounting import Ledger

if TYPE_CHECKING:
    from pathlib import Path

pytestmark = pytest.mark.skipif(shutil.which("du") is None, reason="there is no du")


def du(*tops: Path) -> int:
    """Return what the system's ``du`` says of directories together."""
    done = subprocess.run(
        ["du", "-sc", "--block-size=1", *map(str, tops)], capture_output=True, text=True, check=True
    )
    return int(done.stdout.splitlines()[-1].split()[0])


def counted(*tops: Path) -> Ledger:
    ledger = Ledger()
    for top in tops:
        ledger.count(str(top))
    return ledger


def write(path: Path, size: int) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(b"x" * size)
    return path


def test_a_tree_of_every_kind_of_file(tmp_path: Path) -> None:
    one, two = tmp_path / "one", tmp_path / "two"
    write(one / "a" / "large", 100_000)
    write(one / "empty", 0)
    with (one / "sparse").open("wb") as sparse:
        sparse.truncate(10_000_000)
    linked = write(one / "a" / "linked", 5_000)
    os.link(linked, one / "again")
    two.mkdir()
    os.link(linked, two / "linked")
    (two / "link").symlink_to(one / "a", target_is_directory=True)
    (two / ("l" * 80)).symlink_to("y" * 200)  # too long for the inode of most file systems
    os.mkfifo(two / "pipe")
    assert counted(one).total == du(one)
    assert counted(two).total == du(two)
    assert counted(one, two).total == counted(two, one).total == du(one, two)
    assert [tally.files for tally in counted(one, two).tallies] == [5, 4]


_NAMES = st.lists(st.integers(0, 5), min_size=1, max_size=4)


@given(st.lists(st.tuples(st.integers(0, 20_000), _NAMES), max_size=12))
def test_any_links_among_any_trees(
    tmp_path_factory: pytest.TempPathFactory, files: list[tuple[int, list[int]]]
) -> None:
    root = tmp_path_factory.mktemp("trees")
    tops = [root / str(number) for number in range(5)]
    everywhere = [*tops, root / "elsewhere"]
    for top in everywhere:
        top.mkdir()
    for number, (size, places) in enumerate(files):
        first = write(everywhere[places[0]] / f"{number}-0", size)
        for copy, place in enumerate(places[1:], 1):
            os.link(first, everywhere[place] / f"{number}-{copy}")
    ledger = counted(*tops)
    assert ledger.total == du(*tops)
    # What would be freed without a tree is what du says less, once it is gone, of everything.
    for number, top in enumerate(tops):
        freed = ledger.tallies[number].size + sum(
            links.size
            for links in ledger.shares()
            if links.complete and set(links.trees) == {number}
        )
        before = du(root)
        shutil.rmtree(top)
        top.mkdir()
        assert freed == before - du(root) + du(top)
        shutil.rmtree(top)
        ledger = counted(*tops)


def test_what_is_skipped_is_counted_by_itself_only(tmp_path: Path) -> None:
    write(tmp_path / "outer" / "file", 9_000)
    inner = write(tmp_path / "outer" / "inner" / "file", 30_000).parent
    ledger = Ledger()
    skip = frozenset({str(inner)})
    ledger.count(str(tmp_path / "outer"), skip)
    ledger.count(str(inner), skip)
    assert ledger.total == du(tmp_path / "outer")
    assert ledger.tallies[1].size == du(inner)


def test_what_is_not_there_counts_as_nothing(tmp_path: Path) -> None:
    assert counted(tmp_path / "missing").total == 0


@pytest.mark.skipif(os.name == "nt" or os.geteuid() == 0, reason="everything is open to root")
def test_a_closed_directory_is_told(tmp_path: Path) -> None:
    closed = write(tmp_path / "top" / "closed" / "file", 10).parent
    closed.chmod(0)
    try:
        assert counted(tmp_path / "top").tallies[0].unreadable == 1
    finally:
        closed.chmod(0o755)
