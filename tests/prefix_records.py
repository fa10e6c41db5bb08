"""Records in ``conda-meta`` for tests, as rattler writes them."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from pathlib import Path


def write_record(generation: Path, name: str, version: str = "1.0", **fields: Any) -> Path:
    """Write a record as rattler does, with what it cannot do without."""
    folder = generation / "conda-meta"
    folder.mkdir(parents=True, exist_ok=True)
    files = fields.pop("files", [f"lib/{name}.txt"])
    record = {
        "name": name,
        "version": version,
        "build": "0",
        "build_number": 0,
        "depends": [],
        "subdir": "noarch",
        "fn": f"{name}-{version}-0.conda",
        "url": f"https://example.org/noarch/{name}-{version}-0.conda",
        "channel": "https://example.org/",
        "files": files,
        "paths_data": {
            "paths_version": 1,
            "paths": [{"_path": path, "path_type": "hardlink"} for path in files],
        },
        **fields,
    }
    path = folder / f"{name}-{version}-0.json"
    path.write_text(json.dumps(record))
    return path
