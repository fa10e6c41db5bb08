"""The published mapping of conda's names to PyPI's: fetched now and then, and never needed.

parselmouth looks into every conda package of a channel for core metadata and publishes, hourly,
which projects' it found: ``{"pytorch": ["torch"], "tk": null, ...}``.
"""

from __future__ import annotations

import json
import logging
import os
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from kaa.model.errors import KaaError
from kaa.network.locations import redact
from kaa.sources.page_cache import confirm_page, write_atomically

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from kaa.network.client import Answer, Client

_log = logging.getLogger(__name__)

MAPPING_URL = (
    "https://raw.githubusercontent.com/prefix-dev/parselmouth/main"
    "/files/v0/{channel}/compressed_mapping.json"
)
"""Where the mapping of a channel is: conda-forge, bioconda, pytorch and tango-controls have one."""

FRESH_SECONDS = 7 * 86400
"""How long a mapping is used without asking whether it changed; names change slowly."""
FAILURE_SECONDS = 86400
"""How long a mapping that could not be had is not asked for again."""
PATIENCE_SECONDS = 3.0
"""How long a solve waits for what it can do without."""
_FORMAT = 1


@dataclass(frozen=True, slots=True)
class _Entry:
    """The mapping in the cache, not decoded yet, and how to ask whether it changed."""

    content: bytes
    age: float
    conditions: Mapping[str, str]


async def load_mapping(
    client: Client,
    cache_dir: Path,
    *,
    offline: bool = False,
    channel: str = "conda-forge",
    url: str = MAPPING_URL,
) -> dict[str, Any] | None:
    """Return which projects' core metadata the packages of ``channel`` hold, or None.

    The keys are conda names; the values lists of projects, None for no project's, or whatever
    else the network said: :class:`~kaa.sources.project_names.ProjectNames` reads them closely.
    ``url`` may have ``{channel}`` in it. What is in ``cache_dir`` serves for a week, and longer if
    nobody answers in three seconds or ``offline`` is set; whoever did not answer is not asked
    again for a day. Raises nothing: without a mapping there are still tables and equal names.
    """
    place = url.replace("{channel}", channel)
    path = cache_dir / "names" / f"{_key(place)}.json"
    entry = _read(path)
    fresh = entry is not None and 0 <= entry.age < FRESH_SECONDS
    if not fresh and not offline and not _failed_lately(path):
        answer = await _ask(client, place, entry)
        if answer is None:
            write_atomically(_failure(path), b"")
        elif answer.status == 304:
            confirm_page(path)
        else:
            mapping = _decoded(answer.content)
            if mapping is not None:
                _write(path, answer)
                return mapping
            _log.debug("%s answered with something that is no mapping of names", redact(place))
            write_atomically(_failure(path), b"")
    return None if entry is None else _decoded(entry.content)


async def _ask(client: Client, url: str, entry: _Entry | None) -> Answer | None:
    import asyncio

    conditions = {} if entry is None else entry.conditions
    expected = frozenset({304}) if conditions else frozenset[int]()
    try:
        request = client.get(url, conditions, returned=expected)
        return await asyncio.wait_for(request, PATIENCE_SECONDS)
    except asyncio.TimeoutError:  # not the builtin before Python 3.11
        _log.debug("%s took too long; going on without a mapping of names", redact(url))
    except KaaError as error:
        _log.debug("%s; going on without a mapping of names (%s)", error.message, error.cause)
    return None


def _decoded(content: bytes) -> dict[str, Any] | None:
    import orjson

    try:
        mapping = orjson.loads(content)
    except ValueError:
        return None
    return mapping if isinstance(mapping, dict) and mapping else None


def _read(path: Path) -> _Entry | None:
    try:
        with path.open("rb") as file:
            confirmed = os.fstat(file.fileno()).st_mtime
            first, _, content = file.read().partition(b"\n")
        header = json.loads(first)
        if header["format"] != _FORMAT or header["size"] != len(content):
            return None
        fields = (("if-none-match", header["etag"]), ("if-modified-since", header["modified"]))
        conditions = {name: value for name, value in fields if isinstance(value, str)}
        return _Entry(content, time.time() - confirmed, conditions)
    except (OSError, ValueError, KeyError, TypeError):
        return None


def _write(path: Path, answer: Answer) -> None:
    header = {
        "format": _FORMAT,
        "size": len(answer.content),
        "etag": answer.headers.get("etag"),
        "modified": answer.headers.get("last-modified"),
    }
    write_atomically(path, json.dumps(header).encode() + b"\n" + answer.content)


def _failure(path: Path) -> Path:
    return path.with_suffix(".failed")


def _failed_lately(path: Path) -> bool:
    try:
        return 0 <= time.time() - _failure(path).stat().st_mtime < FAILURE_SECONDS
    except OSError:
        return False


def _key(url: str) -> str:
    import hashlib

    return hashlib.sha256(url.encode()).hexdigest()[:16]
