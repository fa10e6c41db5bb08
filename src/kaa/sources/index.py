"""What indexes have of a project: PEP 691 pages, or PEP 503 ones, as releases, newest first."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any
from urllib.parse import urldefrag, urljoin

from kaa.model.errors import SourceAnswerError, SourceUnreachableError
from kaa.model.progress import Phase
from kaa.network.local_files import is_local, local_path
from kaa.network.locations import split_credentials
from kaa.sources.page_cache import MergedReleases, confirm_page, encode, read_page, write_page

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path

    from packaging.version import Version

    from kaa.model.progress import Progress
    from kaa.network.client import Answer, Client
    from kaa.network.settings import Index, NetworkSettings
    from kaa.sources.find_links import FindLinks
    from kaa.sources.page_cache import RawFile, Releases

_ACCEPT = (
    "application/vnd.pypi.simple.v1+json, "
    "application/vnd.pypi.simple.v1+html;q=0.2, text/html;q=0.01"
)
_ABSENT = frozenset({304, 404, 410})
_UNUSUAL = re.compile(r"[#@\[]")
# File names become paths: nothing that could be part of one but a name may be in them.
_WHEEL = re.compile(
    r"(?P<name>[\w.]+)-(?P<version>[\w.!+]+)(-(?P<build>\d[\w.]*))?-[\w.]+-[\w.]+-[\w.]+\.whl\Z"
)
SDIST_ENDINGS = (".tar.gz", ".tgz", ".zip", ".tar.xz", ".tar.bz2")
"""How the names of sdists end; of two sdists of a version the one whose ending is first counts."""
_SDIST = re.compile(
    rf"(?P<name>[\w.-]+)-(?P<version>[\w.!+]+)({'|'.join(map(re.escape, SDIST_ENDINGS))})\Z"
)


class ProjectIndex:
    """The configured indexes as one: the first that has a project provides all of it.

    That is uv's "first-index" strategy. Nothing is merged, so that nobody can slip a newer
    version of a private project in through a public index (dependency confusion). Only where the
    settings are pip's, or say so in uv's words, are the indexes merged, as pip merges them. In
    both cases an index that fails is an error, never a reason to do without it. What
    ``find_links`` have is added to what the indexes have, as pip and uv do it.
    """

    def __init__(
        self,
        client: Client,
        settings: NetworkSettings,
        cache_dir: Path,
        progress: Progress | None = None,
        find_links: FindLinks | None = None,
    ) -> None:
        self._client = client
        self._find_links = find_links
        self._indexes = settings.indexes
        self._merge = settings.merge_indexes
        self._offline = settings.offline
        self._cache = cache_dir / "index"
        self._progress = progress
        self._known: dict[str, Releases | MergedReleases | None] = {}

    async def releases(self, name: str) -> Releases | MergedReleases | None:
        """Return the versions of the project ``name``, newest first, or None if no index has it.

        Raises :class:`~kaa.model.errors.SourceError` when an index cannot be reached or its
        answer makes no sense.
        """
        project = normalise(name)
        if project not in self._known:  # a solve with several Pythons asks more than once
            self._known[project] = await self._releases(project)
        return self._known[project]

    async def _releases(self, project: str) -> Releases | MergedReleases | None:
        if self._progress:
            self._progress.expect(Phase.METADATA, 1)
        found: list[Releases] = []
        if self._find_links is not None:
            found += await self._find_links.releases(project)
        for index in self._indexes:
            releases = await self._of_index(index, project)
            if releases is not None:
                found.append(releases)
                if not self._merge:
                    break
        if self._progress:
            self._progress.advance(Phase.METADATA, 1, project)
        return MergedReleases(found) if len(found) > 1 else next(iter(found), None)

    def _entry(self, index: Index, project: str) -> Path:
        return self._cache / index.key / f"{project}.jsonl"

    async def _of_index(self, index: Index, project: str) -> Releases | None:
        if is_local(index.location):
            answer = await self._client.get(f"{index.url}{project}/")
            if answer.status not in _ABSENT:
                return _parse(answer, project, index)
            if local_path(index.url).is_dir():
                return None
            # As with a server that does not answer: the next index must not stand in for it.
            raise SourceUnreachableError(
                f"the index {index.label} is not there",
                cause=f"there is no directory {local_path(index.url)}",
                hint="correct or remove it: `--index` takes a URL or a directory; others are in "
                "pip's and uv's settings",
            )
        entry = self._entry(index, project)
        page = read_page(entry)
        if page and (page.fresh or self._offline):
            return page.releases
        answer = await self._client.get(
            f"{index.url}{project}/",
            {"accept": _ACCEPT, **(page.conditions if page else {})},
            returned=_ABSENT.union(index.ignored_statuses),
        )
        if answer.status == 304 and page:
            confirm_page(entry)
            return page.releases
        present = 200 <= answer.status < 300
        releases = _parse(answer, project, index) if present else None
        write_page(entry, releases, answer.headers)
        return releases


def normalise(name: str) -> str:
    """Return the normal form of a project's name (PEP 503)."""
    return re.sub(r"[-_.]+", "-", name).lower()


def distribution_of(filename: str) -> tuple[str, str] | None:
    """Return the name and version in the file name of a wheel or sdist, None if it is neither."""
    match = (_WHEEL if filename.endswith(".whl") else _SDIST).match(filename)
    return (match["name"], match["version"]) if match else None


def _parse(answer: Answer, project: str, index: Index) -> Releases:
    try:
        return encode(releases_of(page_details(answer, project), answer.url, project))
    except (ValueError, LookupError, TypeError, AttributeError, RecursionError) as error:
        raise SourceAnswerError(
            f"the index {index.label} answered with something that is no project page",
            cause=f"{project}: {error}" if str(error) else project,
            hint="check the index's URL in pip's or uv's settings; it often ends in /simple",
        ) from error


def page_details(answer: Answer, project: str) -> dict[str, Any]:
    """Return a page in the form of PEP 691. Raises ``ValueError`` for what is no such page."""
    kind = answer.headers.get("content-type", "").partition(";")[0].strip().lower()
    content = answer.content
    if kind == "text/html" or kind.endswith("+html"):
        return _details_of_html(content.decode("utf-8", "replace"), project)
    if kind.endswith("json"):
        import orjson

        details: dict[str, Any] = orjson.loads(content)
        version = str(details["meta"]["api-version"])
        if version.partition(".")[0] != "1":
            raise ValueError(f"version {version} of the index API is not known")
        return details
    raise ValueError(f"its content type is {kind or 'missing'}")


def _details_of_html(text: str, project: str) -> dict[str, Any]:
    # A portal's login page is HTML, too. A real page has links, or says which API it speaks, or
    # has at least nothing but a heading in it.
    import warnings

    from mousebender.simple import UnsupportedAPIVersion, from_project_details_html

    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            # Fragments that are no hash, as #egg or an empty one, are more than the parser takes.
            cleaned = re.sub(r"(href\s*=\s*[\"'][^\"'#]*)#[^\"'=]*([\"'])", r"\1\2", text)
            details: Any = from_project_details_html(cleaned, project)
    except UnsupportedAPIVersion as error:
        raise ValueError(str(error)) from error
    if not details["files"] and re.search(r"<(form|script|input)\b", text, re.IGNORECASE):
        raise ValueError("it is a web page without any files")
    return dict(details)


def releases_of(
    details: dict[str, Any], base: str, project: str
) -> Iterable[tuple[str, list[RawFile]]]:
    """Group a page's files by version, newest first; what is no wheel or sdist is left out."""
    from packaging.version import InvalidVersion, Version

    # A page has thousands of files of few versions: everything that can be known of a version or
    # a name is found out once, and of a file only what is needed to keep it.
    versions: dict[str, Version | None] = {}
    names: dict[str, bool] = {}
    groups: dict[Version, list[RawFile]] = {}
    for entry in details["files"]:
        filename = entry["filename"]
        match = (_WHEEL if filename.endswith(".whl") else _SDIST).match(filename)
        if match is None:
            continue
        name, text = match["name"], match["version"]
        if name not in names:
            names[name] = normalise(name) == project
        if text not in versions:
            try:
                versions[text] = Version(text)
            except InvalidVersion:
                versions[text] = None
        version = versions[text]
        if version is not None and names[name]:
            file = _file(entry, filename, base)
            if file is not None:
                groups.setdefault(version, []).append(file)
    return ((str(version), groups[version]) for version in sorted(groups, reverse=True))


def _file(entry: dict[str, Any], filename: str, base: str) -> RawFile | None:
    """Return a file of a page; None for one of this machine that a page of the network names."""
    url: str = entry["url"]
    if not url.startswith("https://") or _UNUSUAL.search(url):
        url = split_credentials(urldefrag(urljoin(base, url)).url)[0]
        if is_local(url) and not is_local(base):
            return None
    get = entry.get
    return (
        filename,
        url,
        get("hashes"),
        get("size"),
        get("requires-python"),
        get("yanked"),
        get("core-metadata", get("dist-info-metadata")),
        get("upload-time"),
    )
