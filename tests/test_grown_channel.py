"""The large channel of the benchmarks is made of whole copies of the real one."""

from __future__ import annotations

import asyncio
import importlib
import json
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
import zstandard

if TYPE_CHECKING:
    from types import ModuleType

BENCH = Path(__file__).resolve().parents[1] / "bench"
HARVEST = BENCH.parents[1] / "shared" / "data" / "repodata" / "conda-forge-harvest"
needs_harvest = pytest.mark.skipif(
    not (HARVEST / "noarch").is_dir(), reason="the real records of ../shared/data are not here"
)
RECORDS = 26_000
"""A little more than there are, so that there is one copy."""


@pytest.fixture
def grow(monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    monkeypatch.syspath_prepend(str(BENCH))
    for name in ("grow", "contest"):
        monkeypatch.delitem(sys.modules, name, raising=False)
    return importlib.import_module("grow")


def read_index(directory: Path) -> dict[str, dict[str, object]]:
    index = json.loads((directory / "repodata.json").read_bytes())
    return {**index["packages"], **index["packages.conda"]}


@needs_harvest
def test_a_grown_channel_has_the_real_records_and_renamed_copies(
    grow: ModuleType, tmp_path: Path
) -> None:
    real = grow.harvest_channel(tmp_path)
    grown = grow.grown_channel(tmp_path, RECORDS)
    total = 0
    for subdir in ("linux-64", "noarch"):
        before, after = read_index(real / subdir), read_index(grown / subdir)
        total += len(after)
        assert len(after) == 2 * len(before)
        assert before.items() <= after.items()
        packed = (grown / subdir / "repodata.json.zst").read_bytes()
        unpacked = zstandard.ZstdDecompressor().stream_reader(packed).read()
        assert unpacked == (grown / subdir / "repodata.json").read_bytes()
    assert total >= RECORDS
    numpy = next(
        record for name, record in read_index(grown / "linux-64").items() if "numpy-c01" in name
    )
    assert numpy["name"] == "numpy-c01"
    assert any(str(spec).startswith("python-c01 ") for spec in numpy["depends"])  # type: ignore[attr-defined]


@needs_harvest
def test_a_copy_can_be_solved_for_and_needs_nothing_of_the_original(
    grow: ModuleType, tmp_path: Path
) -> None:
    import rattler
    from rattler.package import BuildString

    channel = rattler.Channel(f"{grow.grown_channel(tmp_path, RECORDS).as_uri()}/")

    async def names(spec: str) -> set[str]:
        gateway = rattler.Gateway(cache_dir=tmp_path / "cache")
        machine = [
            rattler.GenericVirtualPackage(
                rattler.PackageName(name), rattler.Version(version), BuildString("0")
            )
            for name, version in (("__glibc", "2.36"), ("__unix", "0"), ("__linux", "6.1"))
        ]
        found = await rattler.solve(
            [channel],
            [spec],
            gateway=gateway,
            platforms=["linux-64", "noarch"],
            virtual_packages=machine,
        )
        return {record.name.normalized for record in found}

    original = asyncio.run(names("pandas"))
    copy = asyncio.run(names("pandas-c01"))
    assert "numpy" in original
    assert copy == {f"{name}-c01" for name in original}


@needs_harvest
def test_the_same_harvest_gives_the_same_channel_which_is_made_once(
    grow: ModuleType, tmp_path: Path
) -> None:
    first = grow.grown_channel(tmp_path / "a", RECORDS) / "noarch" / "repodata.json"
    made = first.stat()
    again = grow.grown_channel(tmp_path / "a", RECORDS) / "noarch" / "repodata.json"
    assert (again, again.stat().st_ino, again.stat().st_mtime_ns) == (
        first,
        made.st_ino,
        made.st_mtime_ns,
    )
    other = grow.grown_channel(tmp_path / "b", RECORDS) / "noarch" / "repodata.json"
    assert other.read_bytes() == first.read_bytes()


def test_without_the_harvest_there_is_a_reason(
    grow: ModuleType, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(grow, "HARVEST", tmp_path / "nowhere")
    with pytest.raises(grow.AbsentError, match="the real records are needed"):
        grow.grown_channel(tmp_path / "channels", RECORDS)
    assert not (tmp_path / "channels").exists()
