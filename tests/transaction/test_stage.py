"""Linking that is cancelled: rattler's threads have to be done before anything is removed."""

from __future__ import annotations

import asyncio
import os
import time
from typing import TYPE_CHECKING

import pytest

from end_to_end.machine import has_begun
from kaa.model.errors import StoreError
from kaa.model.progress import Silent
from kaa.store.layout import Layout
from kaa.workflows.create import CreateRequest, carry_out_create, prepare_create
from wheels import build_wheel

if TYPE_CHECKING:
    from pathlib import Path

    from kaa.model.environment import EnvironmentInfo
    from local_index import LocalIndex

_FILES = 4000
"""Enough to be at it for a while."""


@pytest.fixture
def layout(
    request: pytest.FixtureRequest,
    local_index: LocalIndex,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> Layout:
    """A root whose package cache has a package of files (10, or the parameter's number) that are
    copied, not linked."""
    files = getattr(request, "param", 10)
    data = {f"data/etc/slow/{number}.txt": "x" for number in range(files)}
    local_index.add(build_wheel(tmp_path / "wheels", "slow", data=data))
    # With an ipykernel of its own there is no overlay to be built.
    local_index.add(build_wheel(tmp_path / "wheels", "ipykernel"))
    monkeypatch.setenv("PIP_INDEX_URL", local_index.url)
    monkeypatch.setenv("JUPYTER_DATA_DIR", str(tmp_path / "jupyter"))
    layout = Layout(tmp_path / "kaa")
    assert asyncio.run(create(layout, "first")).problem is None
    return layout


async def create(layout: Layout, name: str) -> EnvironmentInfo:
    request = CreateRequest(name, None, ("slow", "ipykernel"), "a test")
    async with prepare_create(request, layout, Silent()) as creation:
        return await carry_out_create(creation, layout, Silent())


@pytest.mark.parametrize("layout", [_FILES], indirect=True)
def test_removal_waits_for_the_threads(layout: Layout) -> None:
    generations = layout.environments / ".kaa" / "demo"

    async def cancel_while_linking() -> None:
        task = asyncio.create_task(create(layout, "demo"))
        while not has_begun(generations, ".new-*", "etc/slow"):
            assert not task.done()
            await asyncio.sleep(0.001)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task

    asyncio.run(cancel_while_linking())
    assert not generations.exists()
    time.sleep(0.2)  # for whatever might still be writing
    assert not generations.exists()
    assert not (layout.environments / "demo").is_symlink()

    again = asyncio.run(create(layout, "demo"))
    assert again.problem is None
    assert len(list((again.prefix / "etc" / "slow").iterdir())) == _FILES


def test_a_package_that_is_not_whole_is_an_error_with_a_hint(layout: Layout) -> None:
    link = next(layout.packages.glob("slow-1.0-*/info/link.json"))
    times = link.stat()
    link.write_text("{")
    os.utime(link, ns=(times.st_atime_ns, times.st_mtime_ns))  # as a disk forgets
    with pytest.raises(StoreError) as caught:
        asyncio.run(create(layout, "demo"))
    assert caught.value.cause and caught.value.hint
    assert not (layout.environments / ".kaa" / "demo").exists()


@pytest.mark.parametrize("name", ["info/paths.json", "info/link.json", "etc/slow/0.txt"])
def test_a_package_that_is_damaged_is_fetched_again(layout: Layout, name: str) -> None:
    file = next(layout.packages.glob(f"slow-1.0-*/{name}"))
    good = file.read_bytes()
    file.write_bytes(b"{")
    asyncio.run(create(layout, "demo"))
    assert next(layout.packages.glob(f"slow-1.0-*/{name}")).read_bytes() == good
