"""The published mapping: fetched from a real server that works, changes, fails, hangs or lies."""

from __future__ import annotations

import asyncio
import hashlib
import json
import logging
import os
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from kaa.network.client import Client
from kaa.network.settings import NetworkSettings
from kaa.sources import name_mapping
from kaa.sources.name_mapping import FAILURE_SECONDS, FRESH_SECONDS, MAPPING_URL, load_mapping
from kaa.sources.project_names import ProjectNames
from local_server import Fault, LocalServer, Reply, Request

if TYPE_CHECKING:
    from collections.abc import Iterator

DATA = Path(__file__).resolve().parents[3] / "shared" / "data" / "names"
SMALL = {"pytorch": ["torch"], "tk": None}


class Publisher:
    """What parselmouth publishes, on this machine, with entity tags."""

    def __init__(self) -> None:
        self.content = json.dumps(SMALL).encode()
        self.server = LocalServer(self._answer)

    @property
    def url(self) -> str:
        return f"{self.server.url}/{{channel}}/compressed_mapping.json"

    def paths(self) -> list[str]:
        return [request.path for request in self.server.requests]

    def _answer(self, request: Request) -> Reply:
        etag = f'"{hashlib.sha256(self.content).hexdigest()[:12]}"'
        if request.headers.get("if-none-match") == etag:
            return Reply(304, b"", {"ETag": etag})
        return Reply(200, self.content, {"ETag": etag, "Content-Type": "text/plain"})


@pytest.fixture
def publisher() -> Iterator[Publisher]:
    published = Publisher()
    published.server.start()
    yield published
    published.server.stop()


def load(publisher: Publisher, cache: Path, **options: Any) -> dict[str, Any] | None:
    async def main() -> dict[str, Any] | None:
        async with Client(NetworkSettings(timeout=60), backoff=0.01) as client:
            return await load_mapping(client, cache, url=publisher.url, **options)

    return asyncio.run(main())


def age(cache: Path, seconds: float) -> None:
    """Make everything in the cache as old as that."""
    then = time.time() - seconds
    for path in (cache / "names").iterdir():
        os.utime(path, (then, then))


def test_it_is_fetched_once_a_week(publisher: Publisher, tmp_path: Path) -> None:
    assert load(publisher, tmp_path) == SMALL
    assert load(publisher, tmp_path) == SMALL
    assert publisher.paths() == ["/conda-forge/compressed_mapping.json"]
    age(tmp_path, FRESH_SECONDS - 60)
    assert load(publisher, tmp_path) == SMALL
    assert len(publisher.paths()) == 1
    age(tmp_path, FRESH_SECONDS + 60)
    assert load(publisher, tmp_path) == SMALL
    assert "if-none-match" in publisher.server.requests[1].headers
    assert load(publisher, tmp_path) == SMALL
    assert len(publisher.paths()) == 2, "a 304 makes it fresh again"


def test_a_changed_mapping_replaces_the_old_one(publisher: Publisher, tmp_path: Path) -> None:
    load(publisher, tmp_path)
    publisher.content = b'{"a": ["b"]}'
    age(tmp_path, FRESH_SECONDS + 60)
    assert load(publisher, tmp_path) == {"a": ["b"]}
    assert load(publisher, tmp_path) == {"a": ["b"]}
    assert len(publisher.paths()) == 2


def test_each_channel_has_its_own(publisher: Publisher, tmp_path: Path) -> None:
    load(publisher, tmp_path, channel="bioconda")
    load(publisher, tmp_path)
    assert publisher.paths() == [
        "/bioconda/compressed_mapping.json",
        "/conda-forge/compressed_mapping.json",
    ]


def test_offline_asks_nobody(publisher: Publisher, tmp_path: Path) -> None:
    assert load(publisher, tmp_path, offline=True) is None
    load(publisher, tmp_path)
    age(tmp_path, FRESH_SECONDS * 50)
    assert load(publisher, tmp_path, offline=True) == SMALL
    assert len(publisher.paths()) == 1


@pytest.mark.parametrize(
    "fault",
    [
        Fault(status=404),
        Fault(status=403),
        Fault(body=b"<html>log in</html>"),
        Fault(body=b"[1, 2]"),
        Fault(body=b"{}"),
        Fault(body=b'{"a": ["b"]'),
        Fault(body=b"\xff\xfe"),
        Fault(status=304),
        Fault(truncate=5),
    ],
    ids=lambda fault: str(fault.status or fault.body or "truncated")[:20],
)
def test_a_failure_is_remembered_for_a_day(
    publisher: Publisher, tmp_path: Path, fault: Fault, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG, "kaa")
    publisher.server.fail("*", fault)
    assert load(publisher, tmp_path) is None
    asked = len(publisher.paths())
    said = [record for record in caplog.records if record.name == name_mapping.__name__]
    assert [record.levelno for record in said] == [logging.DEBUG]
    publisher.server.heal()
    assert load(publisher, tmp_path) is None
    assert len(publisher.paths()) == asked
    age(tmp_path, FAILURE_SECONDS + 60)
    assert load(publisher, tmp_path) == SMALL


def test_a_stale_mapping_is_better_than_none(publisher: Publisher, tmp_path: Path) -> None:
    load(publisher, tmp_path)
    age(tmp_path, FRESH_SECONDS + 60)
    publisher.server.fail("*", Fault(status=404))
    assert load(publisher, tmp_path) == SMALL
    assert load(publisher, tmp_path) == SMALL
    assert len(publisher.paths()) == 2


def test_nobody_waits_longer_than_three_seconds(
    publisher: Publisher, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert name_mapping.PATIENCE_SECONDS == 3.0
    monkeypatch.setattr(name_mapping, "PATIENCE_SECONDS", 0.3)
    publisher.server.fail("*", Fault(hang=600))
    start = time.monotonic()
    assert load(publisher, tmp_path) is None
    assert time.monotonic() - start < 60


def test_a_machine_without_a_network(publisher: Publisher, tmp_path: Path) -> None:
    publisher.server.stop()
    assert load(publisher, tmp_path) is None
    publisher.server = LocalServer(publisher._answer)
    publisher.server.start()
    assert load(publisher, tmp_path) == SMALL, "another URL"


def test_a_cache_that_is_damaged_or_cannot_be_written(publisher: Publisher, tmp_path: Path) -> None:
    load(publisher, tmp_path)
    (entry,) = (tmp_path / "names").iterdir()
    for content in (b"", b"{}\n{}", entry.read_bytes()[:-1], b"nonsense", b"[]\n[]"):
        entry.write_bytes(content)
        assert load(publisher, tmp_path) == SMALL
    assert len(publisher.paths()) == 6
    (tmp_path / "file").write_bytes(b"")
    assert load(publisher, tmp_path / "file") == SMALL


def test_the_real_one(publisher: Publisher, tmp_path: Path) -> None:
    path = DATA / "conda-forge-to-pypi.json"
    if not path.exists():
        pytest.skip("the published mapping is not here")
    publisher.content = path.read_bytes()
    mapping = load(publisher, tmp_path)
    assert mapping is not None
    assert len(mapping) > 30_000
    start = time.perf_counter()
    again = load(publisher, tmp_path)
    assert time.perf_counter() - start < 1, "from the cache, usually 20 ms"
    assert again == mapping
    assert ProjectNames(frozenset(mapping), again).conda_name("torch") == "pytorch"


def test_where_it_is() -> None:
    assert MAPPING_URL.startswith("https://")
    assert MAPPING_URL.format(channel="conda-forge").endswith(
        "/conda-forge/compressed_mapping.json"
    )
