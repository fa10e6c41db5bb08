"""What each generation is remembered by: damaged, past, and numbered once."""

from __future__ import annotations

import json
import shutil
from typing import TYPE_CHECKING

import pytest

from kaa.environments.history import (
    LOCK,
    Generation,
    changed,
    find_generation,
    lock_of,
    read_history,
    write_lock,
)
from kaa.environments.prefix import MANIFEST, PAST, Prefix, write_manifest
from kaa.model.environment import Manifest
from kaa.model.errors import EnvironmentStateError, GenerationNotFoundError
from kaa.transaction.commit import keep_past
from prefix_records import write_record

if TYPE_CHECKING:
    from pathlib import Path

LATER, EARLIER = "2026-02-01T00:00:00+00:00", "2025-01-01T00:00:00+00:00"


def generation(prefix: Prefix, number: int, created: str, **packages: str) -> Path:
    path = prefix.generations / str(number)
    for name, version in packages.items():
        write_record(path, name, version)
    asked = Manifest("demo", ("bear",), ("pypi",), "kaa", created, number - 1 or None)
    write_manifest(path, asked)
    write_lock(path)
    return path


@pytest.fixture
def demo(tmp_path: Path) -> Prefix:
    """Two generations, of which the clock says that the second one came first."""
    prefix = Prefix(tmp_path / "envs" / "demo")
    generation(prefix, 1, LATER, bear="1.0")
    generation(prefix, 2, EARLIER, bear="1.1", fur="2.0")
    return prefix


def prune(prefix: Prefix, number: int) -> None:
    keep_past(find_generation(prefix, number), prefix.generations)
    shutil.rmtree(prefix.generations / str(number))


def test_they_are_in_order_of_number_whatever_the_clock_said(demo: Prefix) -> None:
    assert [each.number for each in read_history(demo)] == [1, 2]
    first, second = read_history(demo)
    assert [(p.name, p.version) for p in second.packages()] == [("bear", "1.1"), ("fur", "2.0")]
    pairs = changed(first.packages(), second.packages())
    assert [(old and old.version, new and new.version) for old, new in pairs] == [
        ("1.0", "1.1"),
        (None, "2.0"),
    ]
    assert changed(second.packages(), second.packages()) == []


def test_what_is_past_is_known_and_its_number_never_used_again(demo: Prefix) -> None:
    before = [each.packages() for each in read_history(demo)]
    prune(demo, 2)
    prune(demo, 1)
    assert sorted(path.name for path in demo.generations.iterdir()) == [f"{PAST}1", f"{PAST}2"]
    past = read_history(demo)
    assert [(each.number, each.on_disk) for each in past] == [(1, False), (2, False)]
    assert [each.packages() for each in past] == before
    assert past[1].manifest is not None and past[1].manifest.parent == 1
    assert demo.next_number() == 3
    # Of one that is there again the disk tells, not what was kept of it.
    generation(demo, 1, LATER, bear="9")
    assert read_history(demo)[0].packages()[0].version == "9"
    keep_past(read_history(demo)[0], demo.generations)  # done before


def test_one_that_is_not_there_is_said_with_those_that_are(demo: Prefix) -> None:
    with pytest.raises(GenerationNotFoundError, match="no generation 7") as found:
        find_generation(demo, 7)
    assert found.value.cause == "there are: 1, 2"


def test_a_lock_has_all_that_a_channel_says_and_no_secret(tmp_path: Path) -> None:
    write_record(
        tmp_path,
        "bear",
        url="https://me:secret@example.org/t/tk-123-token/noarch/bear-1.0-0.conda",
        channel="https://me:secret@example.org/t/tk-123-token/",
        sha256="0" * 64,
        depends=["fur >=2"],
        requested_specs=["bear"],
        link={"source": "/home/me/pkgs/bear"},
        extracted_package_dir="/home/me/pkgs/bear",
    )
    write_lock(tmp_path)
    text = (tmp_path / LOCK).read_text()
    assert "secret" not in text and "tk-123" not in text and "/home/me" not in text
    (record,) = json.loads(text)
    assert (record["sha256"], record["depends"]) == ("0" * 64, ["fur >=2"])
    assert record["requested_specs"] == ["bear"]
    assert "files" not in record and "paths_data" not in record
    assert lock_of(tmp_path) == [record]


@pytest.mark.parametrize("content", ["", "{", "[1]", '{"name": "bear"}', "null", '["bear"]'])
def test_a_damaged_lock_is_read_off_the_records_while_they_are_there(
    demo: Prefix, content: str
) -> None:
    (demo.generations / "2" / LOCK).write_text(content)
    assert [each.name for each in read_history(demo)[1].packages()] == ["bear", "fur"]
    prune(demo, 1)
    (demo.generations / f"{PAST}1" / "lock.json").write_text(content)
    with pytest.raises(EnvironmentStateError, match="what generation 1 had cannot be read"):
        read_history(demo)[0].packages()
    (demo.generations / f"{PAST}1" / "lock.json").unlink()
    with pytest.raises(EnvironmentStateError, match="generation 1") as found:
        read_history(demo)[0].records()
    assert "missing" in str(found.value.cause)


def test_a_lock_with_a_record_that_is_none(demo: Prefix) -> None:
    (demo.generations / "1" / LOCK).write_text('[{"name": "bear"}]')
    with pytest.raises(EnvironmentStateError, match="what generation 1 had cannot be read"):
        read_history(demo)[0].packages()


@pytest.mark.parametrize(
    "content",
    [
        "",
        "[]",
        '"text"',
        '{"name": "demo"}',
        '{"name": "d", "specs": [], "sources": [], "command": "k", "created": 3}',
        '{"name": "d", "specs": [{}], "sources": [], "command": "k", "created": "x"}',
        '{"name": "d", "specs": [], "sources": [], "command": "k", "created": "x", "parent": []}',
    ],
)
def test_a_damaged_manifest_is_none(demo: Prefix, content: str) -> None:
    (demo.generations / "1" / MANIFEST).write_text(content)
    assert [each.manifest is None for each in read_history(demo)] == [True, False]


def test_what_is_no_generation_does_not_count(demo: Prefix) -> None:
    for name in (".new-x", ".pending-3", "12a", ".past-", ".link-1", ".unannounced"):
        (demo.generations / name).mkdir()
    assert [each.number for each in read_history(demo)] == [1, 2]
    assert read_history(Prefix(demo.path.with_name("nowhere"))) == ()
    assert Generation(4, demo.generations / "4").manifest is None
