"""Directories and web pages of archives, which are no indexes (pip's and uv's ``find-links``)."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

from kaa.model.errors import SourceAnswerError, SourceUnreachableError
from kaa.network.local_files import is_local, local_path
from kaa.network.locations import as_url, redact, split_credentials
from kaa.sources.index import distribution_of, normalise, page_details, releases_of
from kaa.sources.page_cache import encode

if TYPE_CHECKING:
    from collections.abc import Sequence

    from kaa.network.client import Client
    from kaa.sources.page_cache import Releases


class FindLinks:
    """The archives at ``locations``: directories, HTML files and pages, by path or URL.

    Each is read once, when the first project is asked for. All that is found counts, whatever the
    indexes have; of two files of one name the one at the earlier location counts.
    """

    def __init__(self, client: Client, locations: Sequence[str]) -> None:
        self._client = client
        self._locations = tuple(dict.fromkeys(as_url(location) for location in locations))
        self._reading: asyncio.Task[list[_Place]] | None = None

    async def releases(self, name: str) -> list[Releases]:
        """Return the versions of the project ``name`` at each location that has any.

        Raises :class:`~kaa.model.errors.SourceError` when a location cannot be read.
        """
        if self._reading is None:
            self._reading = asyncio.ensure_future(self._read_all())
        project = normalise(name)
        # shielded: the one who asked first may be cancelled, and the others still want it
        places = await asyncio.shield(self._reading)
        return [
            encode(releases_of({"files": place.files[project]}, place.url, project))
            for place in places
            if project in place.files
        ]

    async def _read_all(self) -> list[_Place]:
        return list(await asyncio.gather(*(self._read(url) for url in self._locations)))

    async def _read(self, url: str) -> _Place:
        if is_local(url) and local_path(url).is_dir():
            return _Place(f"{url.rstrip('/')}/", await asyncio.to_thread(_listing, url))
        answer = await self._client.get(url)
        if not 200 <= answer.status < 300:
            raise SourceUnreachableError(
                f"the find-links location {redact(url)} is not there",
                hint="correct or remove it: --find-links, find-links in pip.conf or uv.toml, "
                "PIP_FIND_LINKS or UV_FIND_LINKS",
            )
        try:
            return _Place(split_credentials(answer.url)[0], page_details(answer, "")["files"])
        except (ValueError, LookupError, TypeError, AttributeError, RecursionError) as error:
            raise SourceAnswerError(
                f"the find-links location {redact(url)} is no page with links to archives",
                cause=str(error) or None,
                hint="check the address, or name a directory of archives",
            ) from error


class _Place:
    """What one location has, by project; ``url`` is what its links are relative to."""

    def __init__(self, url: str, entries: Sequence[dict[str, Any]]) -> None:
        self.url = url
        self.files: dict[str, list[dict[str, Any]]] = {}
        for entry in entries:
            found = distribution_of(entry["filename"])
            if found is not None:
                self.files.setdefault(normalise(found[0]), []).append(entry)


def _listing(url: str) -> list[dict[str, Any]]:
    """Return the files of a directory as entries of a project page (PEP 691)."""
    folder = local_path(url)
    try:
        return [
            {"filename": path.name, "url": path.as_uri(), "size": path.stat().st_size}
            for path in sorted(folder.iterdir())
            if distribution_of(path.name) and path.is_file()
        ]
    except OSError as error:
        raise SourceUnreachableError(
            f"the find-links directory {folder} cannot be read",
            cause=error.strerror,
            hint="make it readable, or remove it from pip's or uv's settings",
        ) from error
