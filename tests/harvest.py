"""Real conda-forge records as a channel on disk; skipped where they are not at hand."""

from __future__ import annotations

from pathlib import Path

import pytest

HARVEST = (
    Path(__file__).resolve().parents[2] / "shared" / "data" / "repodata" / "conda-forge-harvest"
)


def harvest_channel(directory: Path, *subdirs: str) -> str:
    """Unpack the repodata of ``subdirs`` and noarch below ``directory``; return its file URL.

    There are records only, no packages: what is solved cannot be installed.
    """
    zstandard = pytest.importorskip("zstandard")
    if not HARVEST.is_dir():
        pytest.skip("the real repodata are not here")
    channel = directory / "conda-forge"
    for subdir in {*subdirs, "noarch"}:
        (channel / subdir).mkdir(parents=True, exist_ok=True)
        with (
            (HARVEST / subdir / "repodata.json.zst").open("rb") as packed,
            (channel / subdir / "repodata.json").open("wb") as plain,
        ):
            zstandard.ZstdDecompressor().copy_stream(packed, plain)
    return f"{channel.as_uri()}/"
