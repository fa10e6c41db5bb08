"""Indexes that are named for one command, beside those of pip's and uv's settings."""

from __future__ import annotations

import re
from dataclasses import replace
from typing import TYPE_CHECKING

from kaa.network.settings import make_index

if TYPE_CHECKING:
    from collections.abc import Sequence

    from kaa.network.settings import Index, NetworkSettings

_NAMED = re.compile(r"(?P<name>[A-Za-z0-9][A-Za-z0-9._-]*)=(?P<location>.+)\Z")


def with_indexes(
    settings: NetworkSettings,
    locations: Sequence[str],
    *,
    default: str | None = None,
    no_index: bool = False,
) -> NetworkSettings:
    """Return ``settings`` with the indexes at ``locations`` before all others, in this order.

    A location is a URL or a directory, with a name before it if need be (``name=URL``, as uv has
    it). ``default`` takes the place of the default index, which is the last one; with ``no_index``
    none of the settings' own is left. Indexes in an explicit order are never merged: the first
    that has a project provides it.
    """
    if not (locations or default or no_index):
        return settings
    own = () if no_index else settings.indexes
    if default is not None:
        own = (*own[:-1], _index(default))
    known = {index.location: index for index in own if index.credentials is not None}
    unique: dict[str, Index] = {}
    for index in (*map(_index, locations), *own):
        # Named again without its password, to come first: it is the same index.
        chosen = index if index.credentials is not None else known.get(index.location, index)
        unique.setdefault(index.location, chosen)
    merge = settings.merge_indexes and not locations
    return replace(settings, indexes=tuple(unique.values()), merge_indexes=merge)


def _index(text: str) -> Index:
    named = _NAMED.match(text)
    if named and "/" not in named["name"]:
        return make_index(named["location"], named["name"])
    return make_index(text)
