"""Core metadata by each of its ways, from real wheels on a real server."""

from __future__ import annotations

import asyncio
import hashlib
import random
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import pytest

from kaa.model.distribution import CoreMetadata, IndexFile
from kaa.model.errors import (
    HashMismatchError,
    MetadataError,
    SourceAnswerError,
    UnsupportedError,
)
from kaa.network.client import Client
from kaa.network.settings import NetworkSettings
from kaa.sources.metadata import MetadataReader, parse_metadata
from local_index import Fault, LocalIndex
from wheels import build_wheel

if TYPE_CHECKING:
    from pathlib import Path

EXPECTED = CoreMetadata(
    "Demo", "1.0", ">=3.8", ("numpy>=1.2", "rich; extra == 'Color_Full'"), ("color-full",)
)


def make(folder: Path, size: int = 0, **options: Any) -> Path:
    noise = random.Random(1).randbytes(size)
    return build_wheel(
        folder,
        "Demo",
        requires=["numpy>=1.2"],
        requires_python=">=3.8",
        extras={"Color_Full": ["rich"]},
        data={"data/noise": noise} if size else None,
        **options,
    )


def described(index: LocalIndex, path: Path, **changes: Any) -> IndexFile:
    url = index.add(path)
    content = path.read_bytes()
    hashes = {"sha256": hashlib.sha256(content).hexdigest()}
    return replace(IndexFile(path.name, url, hashes, len(content)), **changes)


def read(file: IndexFile, cache: Path, wheels: Path | None = None) -> CoreMetadata:
    async def main() -> CoreMetadata:
        settings = NetworkSettings(timeout=60, retries=1)
        async with Client(settings, backoff=0.01) as client:
            return await MetadataReader(client, cache, wheels).core_metadata(file)

    return asyncio.run(main())


def test_beside_the_wheel_and_then_from_the_cache(local_index: LocalIndex, tmp_path: Path) -> None:
    file = described(local_index, make(tmp_path), metadata_hashes={})
    for _ in range(2):
        assert read(file, tmp_path / "c") == EXPECTED
    assert local_index.paths() == [f"/files/{file.filename}.metadata"]


def test_beside_the_wheel_with_a_wrong_hash(local_index: LocalIndex, tmp_path: Path) -> None:
    file = described(local_index, make(tmp_path), metadata_hashes={"sha256": "0" * 64})
    with pytest.raises(HashMismatchError, match="metadata"):
        read(file, tmp_path / "c")
    assert list((tmp_path / "c").rglob("*.json")) == []


def test_a_promised_metadata_file_that_is_missing(local_index: LocalIndex, tmp_path: Path) -> None:
    local_index.core_metadata = False
    file = described(local_index, make(tmp_path, 300_000), metadata_hashes={})
    assert read(file, tmp_path / "c") == EXPECTED


def test_two_ranges_at_most_for_a_large_wheel(local_index: LocalIndex, tmp_path: Path) -> None:
    file = described(local_index, make(tmp_path, 300_000))
    assert read(file, tmp_path / "c") == EXPECTED
    assert [request.headers["range"] for request in local_index.requests] == ["bytes=-32768"]


def test_metadata_at_the_start_and_a_long_directory(
    local_index: LocalIndex, tmp_path: Path
) -> None:
    import zipfile

    noise = random.Random(1)
    path = tmp_path / "demo-1.0-py3-none-any.whl"
    small = make(tmp_path / "small")
    with zipfile.ZipFile(small) as old, zipfile.ZipFile(path, "w") as new:
        for name in reversed(old.namelist()):
            new.writestr(name, old.read(name))
        for number in range(2000):
            new.writestr(f"demo/{number}.bin", noise.randbytes(100))
    file = described(local_index, path)
    assert read(file, tmp_path / "c") == EXPECTED
    assert 2 <= len(local_index.requests) <= 4
    assert all("range" in request.headers for request in local_index.requests)


def test_an_unknown_size(local_index: LocalIndex, tmp_path: Path) -> None:
    file = described(local_index, make(tmp_path), size=None)
    assert read(file, tmp_path / "c") == EXPECTED


@pytest.mark.parametrize("keep", [True, False])
def test_a_server_without_ranges(local_index: LocalIndex, tmp_path: Path, keep: bool) -> None:
    local_index.ranges = False
    file = described(local_index, make(tmp_path, 300_000))
    wheels = tmp_path / "kept" if keep else None
    assert read(file, tmp_path / "c", wheels) == EXPECTED
    kept = [path.read_bytes() for path in (tmp_path / "kept").glob("*")]
    assert kept == ([(tmp_path / file.filename).read_bytes()] if keep else [])


def test_a_small_wheel_comes_whole_and_is_kept(local_index: LocalIndex, tmp_path: Path) -> None:
    path = make(tmp_path, 100_000)
    file = described(local_index, path)
    assert read(file, tmp_path / "c", tmp_path / "kept") == EXPECTED
    assert len(local_index.requests) == 1
    kept = tmp_path / "kept" / f"{file.hashes['sha256']}.whl"
    assert kept.read_bytes() == path.read_bytes()


def test_a_whole_wheel_with_a_wrong_hash(local_index: LocalIndex, tmp_path: Path) -> None:
    file = described(local_index, make(tmp_path), hashes={"sha256": "0" * 64})
    with pytest.raises(HashMismatchError):
        read(file, tmp_path / "c", tmp_path / "kept")
    assert not (tmp_path / "kept").exists()
    assert not (tmp_path / "c").exists()


def test_a_wheel_that_is_gone(local_index: LocalIndex, tmp_path: Path) -> None:
    file = described(local_index, make(tmp_path, 300_000))
    local_index.fail("/files/*", Fault(status=404))
    with pytest.raises(SourceAnswerError, match="not on its server"):
        read(file, tmp_path / "c")


@pytest.mark.parametrize("size", [0, 300_000])
def test_a_file_that_is_no_wheel_inside(local_index: LocalIndex, tmp_path: Path, size: int) -> None:
    path = tmp_path / "demo-1.0-py3-none-any.whl"
    path.write_bytes(b"not a zip file" + random.Random(1).randbytes(size))
    with pytest.raises(MetadataError, match=r"demo-1\.0") as caught:
        read(described(local_index, path), tmp_path / "c")
    assert caught.value.hint


@pytest.mark.parametrize(
    ("name", "version"), [("other", "1.0"), ("demo", "2.0"), ("demo", "nonsense")]
)
def test_metadata_of_something_else(
    local_index: LocalIndex, tmp_path: Path, name: str, version: str
) -> None:
    text = f"Metadata-Version: 2.1\nName: {name}\nVersion: {version}\n"
    with pytest.raises(MetadataError, match="cannot be used"):
        read(described(local_index, make(tmp_path, metadata=text)), tmp_path / "c")


def test_versions_may_be_written_differently() -> None:
    text = b"Metadata-Version: 2.4\nName: A.b\nVersion: 1.0.0\n\nRequires-Dist: not-this\n"
    found = parse_metadata(text, "a_b-1.0-py3-none-any.whl")
    assert found == CoreMetadata("A.b", "1.0.0", None, ())


@pytest.mark.parametrize(
    "text", [b"", b"\xff\xfe\x00", b"Name: demo\nVersion: 1.0", b"Metadata-Version: 3.0\nName: x"]
)
def test_metadata_that_is_none(text: bytes) -> None:
    with pytest.raises(MetadataError):
        parse_metadata(text, "demo-1.0-py3-none-any.whl")


def test_a_damaged_cache_entry_is_replaced(local_index: LocalIndex, tmp_path: Path) -> None:
    file = described(local_index, make(tmp_path))
    read(file, tmp_path / "c")
    (entry,) = (tmp_path / "c").rglob("*.json")
    whole = entry.read_bytes()
    entry.write_bytes(whole[:20])
    assert read(file, tmp_path / "c") == EXPECTED
    assert entry.read_bytes() == whole


def test_a_file_without_hashes_is_cached_by_its_url(
    local_index: LocalIndex, tmp_path: Path
) -> None:
    file = described(local_index, make(tmp_path), hashes={})
    for _ in range(2):
        assert read(file, tmp_path / "c", tmp_path / "kept") == EXPECTED
    assert len(local_index.requests) == 1


def test_a_wheel_in_a_directory(tmp_path: Path) -> None:
    path = make(tmp_path, 300_000)
    assert read(IndexFile(path.name, path.as_uri(), {}), tmp_path / "c") == EXPECTED


def test_an_sdist_is_refused(tmp_path: Path) -> None:
    with pytest.raises(UnsupportedError, match="no wheel"):
        read(IndexFile("demo-1.0.tar.gz", "http://example.org/x", {}), tmp_path)
