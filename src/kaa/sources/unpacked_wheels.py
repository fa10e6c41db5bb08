"""What wheels say of themselves that the package cache has: so that a lock needs nothing but that.

The cache of metadata may have been cleared, or be another machine's; what is unpacked has the same
text, and its lock file says of which wheel.
"""

from __future__ import annotations

import contextlib
import os
from typing import TYPE_CHECKING

from kaa.sources.identity import promised_sha256
from kaa.sources.records import wheel_build
from kaa.store.package_cache import lock_sha256

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path

    from kaa.model.distribution import IndexFile


class UnpackedWheels:
    """The wheels in package caches, whose ``directories`` are listed when the first is wanted."""

    def __init__(self, directories: Iterable[Path]) -> None:
        self._directories = tuple(directories)
        self._by_build: dict[str, list[Path]] | None = None

    def metadata(self, file: IndexFile) -> bytes | None:
        """Return the METADATA of the wheel with the hash that ``file`` has; None without one."""
        sha256 = promised_sha256(file)
        if sha256 is None or not file.filename.endswith(".whl"):
            return None
        if self._by_build is None:
            self._by_build = self._listed()
        for entry in self._by_build.get(wheel_build(file, sha256), ()):
            if lock_sha256(entry.with_name(f"{entry.name}.lock")) == sha256:
                for path in entry.glob("site-packages/*.dist-info/METADATA"):
                    with contextlib.suppress(OSError):
                        return path.read_bytes()
        return None

    def _listed(self) -> dict[str, list[Path]]:
        found: dict[str, list[Path]] = {}
        for directory in self._directories:
            with contextlib.suppress(OSError):
                for name in os.listdir(directory):  # noqa: PTH208 - names, not paths
                    found.setdefault(name.rpartition("-")[2], []).append(directory / name)
        return found
