"""Directories and pages of archives beside the indexes, or instead of them."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

import pytest

from kaa.model.errors import SourceAnswerError, SourceUnreachableError
from kaa.network.client import Client
from kaa.network.explicit_indexes import with_indexes
from kaa.network.locations import Credentials
from kaa.network.settings import Index, NetworkSettings, make_index
from kaa.sources.find_links import FindLinks
from kaa.sources.index import ProjectIndex
from local_index import Fault, LocalIndex
from wheels import build_wheel

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path


def files_of(
    name: str,
    locations: Sequence[str],
    cache: Path,
    *,
    indexes: Sequence[str] = (),
    merge: bool = False,
) -> list[tuple[str, list[str]]]:
    """Return the versions of a project, newest first, with the URLs of their files."""
    settings = NetworkSettings(
        indexes=tuple(Index(url) for url in indexes), merge_indexes=merge, retries=0, timeout=60
    )

    async def main() -> list[tuple[str, list[str]]]:
        async with Client(settings, backoff=0.01) as client:
            index = ProjectIndex(client, settings, cache, find_links=FindLinks(client, locations))
            releases = await index.releases(name)
            return [(r.version, [file.url for file in r.files]) for r in releases or ()]

    return asyncio.run(main())


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    place = tmp_path / "my links"
    place.mkdir()
    for version in ("1.0", "1.10", "1.9"):
        build_wheel(place, "Some_Thing", version)
    build_wheel(place, "other", "3.0")
    (place / "some-thing-2.0.tar.gz").touch()
    (place / "notes.txt").touch()
    (place / "some_thing-9.whl").touch()
    return place


def test_a_directory_offers_its_archives(folder: Path, tmp_path: Path) -> None:
    found = files_of("some.thing", [str(folder)], tmp_path)
    assert [version for version, _ in found] == ["2.0", "1.10", "1.9", "1.0"]
    assert found[0][1] == [(folder / "some-thing-2.0.tar.gz").as_uri()]
    assert files_of("nothing", [folder.as_uri()], tmp_path) == []


def test_sizes_are_known_without_opening_anything(folder: Path) -> None:
    async def main() -> int | None:
        async with Client(NetworkSettings(indexes=())) as client:
            (releases,) = await FindLinks(client, [str(folder)]).releases("other")
            return next(iter(releases)).files[0].size

    assert asyncio.run(main()) == (folder / "other-3.0-py3-none-any.whl").stat().st_size


def test_a_page_offers_what_it_links_to(
    folder: Path, local_index: LocalIndex, tmp_path: Path
) -> None:
    page = (
        "<html><body><h1>ours</h1>"
        '<a href="wheels/some_thing-4.0%2Bcpu-py3-none-any.whl#sha256=' + "a" * 64 + '">x</a>'
        '<a href="https://example.org/some_thing-5.0.zip">y</a><a href="about.html">z</a>'
        '<a href="file:///etc/some_thing-6.0.zip">not from the network</a></body></html>'
    )
    local_index.fail("/links/all.html", Fault(body=page.encode()))
    root = f"http://{local_index.host}/links"
    found = files_of("some-thing", [f"{root}/all.html"], tmp_path)
    assert found == [
        ("5.0", ["https://example.org/some_thing-5.0.zip"]),
        ("4.0+cpu", [f"{root}/wheels/some_thing-4.0%2Bcpu-py3-none-any.whl"]),
    ]
    (folder / "page.html").write_text('<a href="other-3.0-py3-none-any.whl">x</a>')
    local = files_of("other", [str(folder / "page.html")], tmp_path)
    assert local == [("3.0", [(folder / "other-3.0-py3-none-any.whl").as_uri()])]


def test_each_location_is_read_once(local_index: LocalIndex) -> None:
    local_index.fail("/links", Fault(body=b"<html><body></body></html>"))

    async def main() -> None:
        async with Client(NetworkSettings(indexes=(), retries=0)) as client:
            links = FindLinks(client, [f"http://{local_index.host}/links"])
            await asyncio.gather(*(links.releases(name) for name in ("a", "b", "c")))

    asyncio.run(main())
    assert [request.path for request in local_index.requests] == ["/links"]


@pytest.mark.parametrize("merge", [False, True])
def test_links_and_indexes_are_one(
    folder: Path, local_index: LocalIndex, tmp_path: Path, merge: bool
) -> None:
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    for version in ("1.9", "3.0"):
        local_index.add(build_wheel(elsewhere, "some_thing", version))
    found = dict(
        files_of("some-thing", [str(folder)], tmp_path, indexes=[local_index.url], merge=merge)
    )
    assert list(found) == ["3.0", "2.0", "1.10", "1.9", "1.0"]
    assert found["1.9"] == [(folder / "some_thing-1.9-py3-none-any.whl").as_uri()]
    assert found["3.0"][0].startswith(local_index.url.removesuffix("/simple/"))


def test_of_two_locations_the_earlier_counts(folder: Path, tmp_path: Path) -> None:
    twin = tmp_path / "twin"
    twin.mkdir()
    for version in ("1.0", "4.0"):
        build_wheel(twin, "some_thing", version)
    found = dict(files_of("some-thing", [str(twin), str(folder)], tmp_path))
    assert list(found) == ["4.0", "2.0", "1.10", "1.9", "1.0"]
    assert found["1.0"] == [(twin / "some_thing-1.0-py3-none-any.whl").as_uri()]


def test_a_location_that_is_not_there_is_an_error(tmp_path: Path, local_index: LocalIndex) -> None:
    for location in (str(tmp_path / "nowhere"), f"http://{local_index.host}/nowhere"):
        with pytest.raises(SourceUnreachableError, match="is not there") as caught:
            files_of("demo", [location], tmp_path)
        assert "find-links" in str(caught.value.hint)


def test_a_page_of_something_else_is_an_error(tmp_path: Path, local_index: LocalIndex) -> None:
    local_index.fail("/login", Fault(body=b"<html><form action=x><input></form></html>"))
    with pytest.raises(SourceAnswerError, match="no page with links"):
        files_of("demo", [f"http://{local_index.host}/login"], tmp_path)


def test_a_password_of_a_location_is_used_and_not_shown(
    tmp_path: Path, local_index: LocalIndex
) -> None:
    local_index.auth = ("me", "secret")
    local_index.add(build_wheel(tmp_path, "demo"))
    location = local_index.url.replace("://", "://me:secret@") + "demo/"
    found = files_of("demo", [location], tmp_path)
    assert [version for version, _ in found] == ["1.0"]
    assert "secret" not in str(found)
    with pytest.raises(SourceUnreachableError) as caught:
        files_of("demo", [location.replace("/demo/", "/nowhere/")], tmp_path)
    assert "secret" not in f"{caught.value.message} {caught.value.cause}"


def test_indexes_named_on_the_command_line_come_first_and_in_order() -> None:
    known = Index("https://known.example/simple/")
    settings = NetworkSettings(indexes=(known, Index()), merge_indexes=True, timeout=3)
    found = with_indexes(
        settings, ["https://me:pw@b.example/simple", "mine=https://a.example/simple/"]
    )
    assert [index.location for index in found.indexes] == [
        "https://b.example/simple/",
        "https://a.example/simple/",
        "https://known.example/simple/",
        "",
    ]
    assert found.indexes[0].credentials == Credentials("me", "pw")
    assert found.indexes[1].name == "mine"
    assert (found.merge_indexes, found.timeout) == (False, 3)


def test_a_default_index_takes_the_place_of_the_default() -> None:
    known = Index("https://known.example/simple/")
    settings = NetworkSettings(indexes=(known, Index()), merge_indexes=True)
    found = with_indexes(settings, [], default="https://d.example/simple")
    assert [index.location for index in found.indexes] == [
        "https://known.example/simple/",
        "https://d.example/simple/",
    ]
    assert found.merge_indexes
    again = with_indexes(settings, ["https://known.example/simple"])
    assert [index.location for index in again.indexes] == ["https://known.example/simple/", ""]
    assert with_indexes(settings, []) == settings


def test_an_index_that_is_named_again_keeps_its_password() -> None:
    known = make_index("https://me:pw@known.example/simple")
    settings = NetworkSettings(indexes=(Index("https://other.example/"), known))
    found = with_indexes(settings, ["https://known.example/simple"]).indexes
    assert found == (known, Index("https://other.example/"))
    other = with_indexes(settings, ["https://you:new@known.example/simple"]).indexes
    assert other[0].credentials == Credentials("you", "new")
    assert len(other) == 2


def test_no_index_leaves_the_links_alone() -> None:
    settings = NetworkSettings(indexes=(Index(),))
    assert with_indexes(settings, [], no_index=True).indexes == ()
    assert [
        i.location for i in with_indexes(settings, ["https://a.example/"], no_index=True).indexes
    ] == ["https://a.example/"]
