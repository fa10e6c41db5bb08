"""Records without their files: what a package is, of an environment with thousands of files."""

from __future__ import annotations

import json
import os
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

_MOST = 16 * 1024
"""Bytes in which nearly every head ends."""


def read_heads(generation: Path) -> Iterator[dict[str, Any]]:
    """Yield the records of a generation without their files; damaged ones are passed over."""
    folder = generation / "conda-meta"
    try:
        names = sorted(name for name in os.listdir(folder) if name.endswith(".json"))  # noqa: PTH208
    except OSError:
        return
    for name in names:
        try:
            record = read_head(folder / name)
        except (OSError, ValueError):
            continue  # `verify` is the command that looks for damage
        if isinstance(record, dict):
            yield record


def read_head(file: Path) -> Any:
    """Return a record without its files, if it is one that rattler wrote, and else all of it.

    The files are nine tenths of it and come last there. Raises ``OSError``, and ``ValueError`` for
    what is no JSON.
    """
    with file.open("rb") as stream:
        start = stream.read(_MOST)
        record = head_in(start)
        return json.loads(start + stream.read()) if record is None else record


def head_in(start: bytes) -> dict[str, Any] | None:
    """Return the head of the record that begins so; None where its end is not to be seen.

    Other programs have an order of their own. No text in JSON can have a line feed in it, so that
    the key cannot be anything else.
    """
    before, found, _ = start.partition(b'\n  "files": [')
    if not found:
        return None
    try:
        record = json.loads(before.rstrip().removesuffix(b",") + b"}")
    except ValueError:
        return None
    return record if "name" in record and "requested_specs" in record else None
