"""The real default index, once: what the loopback servers of the other tests are modelled on."""

from __future__ import annotations

import asyncio
from itertools import islice
from typing import TYPE_CHECKING

import pytest

from kaa.network.client import Client
from kaa.network.settings import NetworkSettings
from kaa.sources.index import ProjectIndex
from kaa.sources.metadata import MetadataReader

if TYPE_CHECKING:
    from pathlib import Path


@pytest.mark.network
def test_a_project_of_the_default_index(tmp_path: Path) -> None:
    settings = NetworkSettings()

    async def main() -> None:
        async with Client(settings) as client:
            index = ProjectIndex(client, settings, tmp_path)
            assert await index.releases("a-project-that-nobody-has-made-kaa") is None
            releases = await index.releases("Debugpy")
            assert releases is not None
            newest = next(iter(islice(releases, 1)))
            wheel = next(file for file in newest.files if file.filename.endswith(".whl"))
            found = await MetadataReader(client, tmp_path).core_metadata(wheel)
            assert (found.name, found.version) == ("debugpy", newest.version)
            destination = tmp_path / wheel.filename
            digest = await client.download(wheel.url, destination, hashes=wheel.hashes)
            assert digest == wheel.hashes["sha256"]

    asyncio.run(main())
