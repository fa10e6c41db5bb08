"""An index on this machine from which the shared kernel can be built."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from installed_wheels import pack, with_needs
from local_index import LocalIndex

if TYPE_CHECKING:
    from collections.abc import Iterator


@pytest.fixture(scope="module")
def kernel_index(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LocalIndex]:
    """An index that has ipykernel and what it needs, as these tests run with them."""
    directory = tmp_path_factory.mktemp("wheels")
    with LocalIndex() as index:
        for distribution in with_needs("ipykernel"):
            index.add(pack(distribution, directory))
        yield index
