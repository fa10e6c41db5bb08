"""Core metadata on disk, by the key of what they are of."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

from kaa.model.distribution import CoreMetadata
from kaa.sources.page_cache import write_atomically

if TYPE_CHECKING:
    from pathlib import Path

_FORMAT = 1


class MetadataEntries:
    """A permanent cache below ``directory``; a key is what never changes: a hash, hexadecimal."""

    def __init__(self, directory: Path) -> None:
        self._directory = directory

    def get(self, key: str) -> CoreMetadata | None:
        """Return what is kept, None when there is nothing (that can be read)."""
        try:
            entry = json.loads(self._path(key).read_bytes())
            if entry["format"] != _FORMAT:
                return None
            return CoreMetadata(
                entry["name"],
                entry["version"],
                entry["requires_python"],
                tuple(entry["requires_dist"]),
                tuple(entry["extras"]),
            )
        except (OSError, ValueError, LookupError, TypeError):
            return None

    def put(self, key: str, metadata: CoreMetadata) -> None:
        """Keep ``metadata``; a cache that cannot be written costs time, nothing else."""
        entry = {
            "format": _FORMAT,
            "name": metadata.name,
            "version": metadata.version,
            "requires_python": metadata.requires_python,
            "requires_dist": metadata.requires_dist,
            "extras": metadata.extras,
        }
        write_atomically(self._path(key), json.dumps(entry).encode())

    def _path(self, key: str) -> Path:
        return self._directory / key[:2] / f"{key}.json"
