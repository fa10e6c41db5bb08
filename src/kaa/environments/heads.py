"""Records without their files: what a package is, of an environment with thousands of files."""

from __future__ import annotations

import json
import os
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path


def read_heads(generation: Path) -> Iterator[dict[str, Any]]:
    """Yield the records of a generation without their files; damaged ones are passed over."""
    folder = generation / "conda-meta"
    try:
        names = sorted(name for name in os.listdir(folder) if name.endswith(".json"))  # noqa: PTH208
    except OSError:
        return
    for name in names:
        try:
            text = (folder / name).read_text(encoding="utf-8")
            record = _head(text) or json.loads(text)
        except (OSError, ValueError):
            continue  # `verify` is the command that looks for damage
        if isinstance(record, dict):
            yield record


def _head(text: str) -> dict[str, Any] | None:
    """Return a record without its files, which are nine tenths of it and come last.

    None when another program than rattler has written it, in an order of its own. No text in
    JSON can have a line feed in it, so that the key cannot be anything else.
    """
    before, found, _ = text.partition('\n  "files": [')
    if not found:
        return None
    try:
        record = json.loads(before.rstrip().removesuffix(",") + "}")
    except ValueError:
        return None
    return record if "name" in record and "requested_specs" in record else None
