"""Conda channels as the solve sees them: real ones on loopback, in every state they can be in."""

from __future__ import annotations

import asyncio
import bz2
import json
import re
import stat
from typing import TYPE_CHECKING, Any

import pytest
import rattler
import zstandard

from conda_channel import CondaChannel, Fault
from conda_packages import build_conda_package
from harvest import HARVEST
from kaa.model.errors import (
    SourceAnswerError,
    SourceError,
    SourceUnreachableError,
)
from kaa.model.source import Kind, Source
from kaa.sources.channels import private_url
from kaa.sources.conda import CondaChannels, open_gateway

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from rattler import RepoDataRecord

PLATFORM = "linux-64"
CLOSED = "http://127.0.0.1:1/shut/"


@pytest.fixture
def channel(tmp_path: Path) -> Iterator[CondaChannel]:
    with CondaChannel(tmp_path / "forge") as channel:
        channel.add_record("bear", "1.0", depends=["honey"])
        channel.add_record("honey", "2.0", noarch="generic")
        yield channel


def source(url: str, name: str | None = None, *more: str) -> Source:
    return Source(name or url.rstrip("/").rpartition("/")[2], Kind.CONDA, (url, *more))


def opened(tmp_path: Path, *sources: Source | str, offline: bool = False) -> CondaChannels:
    client = rattler.Client.default_client(max_retries=0)
    gateway = open_gateway(tmp_path / "cache", client, offline=offline)
    known = [source(each) if isinstance(each, str) else each for each in sources]
    return CondaChannels(gateway, known, PLATFORM)


async def solved(channels: CondaChannels, *specs: str) -> list[RepoDataRecord]:
    await channels.names()  # as every solve begins
    sources: list[Any] = [channels.rattler_source(each) for each in channels.sources]
    found = await rattler.solve(
        sources, specs, gateway=channels.gateway, platforms=channels.subdirs
    )
    return sorted(found, key=lambda record: record.name.normalized)


def names(tmp_path: Path, *sources: Source | str) -> set[str]:
    return set(asyncio.run(opened(tmp_path, *sources).names()))


def refused(tmp_path: Path, *sources: Source | str, offline: bool = False) -> SourceError:
    """Ask for the names, which has to fail with an error that says what to type."""
    with pytest.raises(SourceError) as caught:
        asyncio.run(opened(tmp_path, *sources, offline=offline).names())
    assert caught.value.hint and "`-c " in caught.value.hint
    return caught.value


# --- channels as they should be ------------------------------------------------------------


@pytest.mark.parametrize(
    "options",
    [{}, {"zst": False}, {"json": False}, {"etags": False, "ranges": False}],
    ids=["all", "json", "zst", "plain"],
)
def test_names_records_and_solve(tmp_path: Path, options: dict[str, Any]) -> None:
    with CondaChannel(tmp_path / "forge", **options) as channel:
        channel.add_record("bear", "1.0", depends=["honey"])
        channel.add_record("bear", "2.0", archive="tar.bz2")
        channel.add_record("honey", noarch="generic")
        channels = opened(tmp_path, channel.url)

        async def run() -> None:
            assert await channels.names() == {"bear", "honey"}
            versions = [str(record.version) for record in await channels.records("bear <2")]
            assert versions == ["1.0"]
            found = await solved(channels, "bear <2")
            assert [record.name.normalized for record in found] == ["bear", "honey"]
            assert found[0].channel == channel.url
            assert channels.accepted(found) == found

        asyncio.run(run())


def test_sharded_repodata(tmp_path: Path) -> None:
    with CondaChannel(tmp_path / "forge", shards=True) as channel:
        channel.add(build_conda_package(tmp_path / "made", "bear", depends=["honey"]))
        channel.add(build_conda_package(tmp_path / "made", "honey", noarch="generic"))
        found = asyncio.run(solved(opened(tmp_path, channel.url), "bear"))
        assert len(found) == 2
        asked = channel.paths()
        assert any("/shards/" in path for path in asked)
        assert not any("repodata.json" in path for path in asked)
        url = channel.url
    # and once more from the cache, the server gone
    found = asyncio.run(solved(opened(tmp_path, url, offline=True), "bear"))
    assert len(found) == 2


def test_what_is_in_the_cache_is_asked_for_once(tmp_path: Path, channel: CondaChannel) -> None:
    channel.headers["Cache-Control"] = "max-age=1200"
    assert names(tmp_path, channel.url) == {"bear", "honey"}
    first = len(channel.requests)
    assert names(tmp_path, channel.url) == {"bear", "honey"}
    assert not [path for path in channel.paths()[first:] if "repodata.json" in path]
    channel.headers.clear()


def test_a_changed_index_is_seen(tmp_path: Path, channel: CondaChannel) -> None:
    assert names(tmp_path, channel.url) == {"bear", "honey"}
    channel.add_record("panther")
    assert names(tmp_path, channel.url) == {"bear", "honey", "panther"}


def test_offline_the_cache_answers_and_what_it_lacks_is_an_error(
    tmp_path: Path, channel: CondaChannel
) -> None:
    url = channel.url
    error = refused(tmp_path, url, offline=True)
    assert isinstance(error, SourceUnreachableError) and "forge" in error.message
    assert not channel.requests
    names(tmp_path, url)
    asked = len(channel.requests)
    found = asyncio.run(opened(tmp_path, url, offline=True).names())
    assert found == {"bear", "honey"} and len(channel.requests) == asked


def test_a_multichannel_is_one_source(tmp_path: Path, channel: CondaChannel) -> None:
    with CondaChannel(tmp_path / "second") as second:
        second.add_record("wolf")
        both = source(channel.url, "defaults", second.url)
        assert names(tmp_path, both) == {"bear", "honey", "wolf"}
        found = asyncio.run(solved(opened(tmp_path, both), "wolf", "bear"))
        assert len(found) == 3


# --- subdirs that are not there -------------------------------------------------------------


@pytest.mark.parametrize("local", [False, True], ids=["http", "file"])
def test_a_channel_for_one_platform_needs_no_noarch(tmp_path: Path, local: bool) -> None:
    with CondaChannel(tmp_path / "lab", subdirs=[PLATFORM]) as channel:
        channel.add_record("bear", depends=["cub"])
        channel.add_record("cub")
        url = channel.file_url if local else channel.url
        channels = opened(tmp_path, url)
        assert asyncio.run(channels.names()) == {"bear", "cub"}
        found = asyncio.run(solved(opened(tmp_path, url), "bear"))
        assert [record.channel for record in found] == [url, url]

        # What was found out holds for whoever asks the same gateway.
        again = CondaChannels(channels.gateway, [source(url)], PLATFORM)
        assert len(asyncio.run(again.records("cub"))) == 1


@pytest.mark.parametrize("local", [False, True], ids=["http", "file"])
def test_a_channel_of_noarch_alone_is_one(tmp_path: Path, local: bool) -> None:
    with CondaChannel(tmp_path / "lab", subdirs=["noarch"]) as channel:
        channel.add_record("bear", noarch="python")
        assert names(tmp_path, channel.file_url if local else channel.url) == {"bear"}


@pytest.mark.parametrize("local", [False, True], ids=["http", "file"])
def test_a_multichannel_of_which_one_has_no_noarch(
    tmp_path: Path, channel: CondaChannel, local: bool
) -> None:
    with CondaChannel(tmp_path / "lab", subdirs=[PLATFORM]) as lab:
        lab.add_record("wolf")
        both = [lab.file_url, channel.file_url] if local else [lab.url, channel.url]
        one = source(both[0], "defaults", both[1])
        assert names(tmp_path, one) == {"bear", "honey", "wolf"}
        assert len(asyncio.run(solved(opened(tmp_path, one), "wolf", "bear"))) == 3


def test_without_either_subdir_it_is_no_channel(tmp_path: Path, channel: CondaChannel) -> None:
    misspelt = channel.url.replace("/forge/", "/conda-forg/")
    missing = (tmp_path / "conda-forg").as_uri() + "/"
    with CondaChannel(tmp_path / "mac", subdirs=["osx-64"]) as mac:
        mac.add_record("bear", subdir="osx-64")
        for url in (misspelt, missing, mac.url, mac.file_url):
            error = refused(tmp_path, channel.url, url)
            assert isinstance(error, SourceAnswerError)
            assert error.message == f"there is no channel {source(url).name}"
            assert url in str(error.cause)
            assert "`-c forge`" in str(error.hint), "what to type to work without it"
    assert "did you mean `-c conda-forge`?" in str(refused(tmp_path, misspelt).hint)


def test_a_missing_noarch_is_not_one_that_cannot_be_had(
    tmp_path: Path, channel: CondaChannel
) -> None:
    for status in (403, 500):
        channel.fail("*/noarch/*", Fault(status=status))
        error = refused(tmp_path, channel.url)
        assert str(status) in str(error.cause)
        channel.heal()


# --- servers out of order -------------------------------------------------------------------


@pytest.mark.parametrize("status", [401, 403, 407])
def test_who_are_you(tmp_path: Path, channel: CondaChannel, status: int) -> None:
    channel.fail("*", Fault(status=status))
    error = refused(tmp_path, channel.url)
    assert isinstance(error, SourceAnswerError)
    assert "forge" in error.message and str(status) in str(error.cause)
    assert "auth login 127.0.0.1" in str(error.hint)


@pytest.mark.parametrize("status", [418, 500, 503])
def test_statuses_are_said(tmp_path: Path, channel: CondaChannel, status: int) -> None:
    channel.fail("*", Fault(status=status))
    error = refused(tmp_path, channel.url)
    assert isinstance(error, SourceAnswerError)
    assert "forge" in error.message and str(status) in str(error.cause)


@pytest.mark.parametrize(
    ("url", "why"),
    [
        (CLOSED, "Connection refused"),
        # Who resolves names says it in their own words, and without a network in others.
        ("http://no-such-host.invalid/shut/", "Name or service|name resolution|nodename|lookup"),
    ],
)
def test_a_channel_that_cannot_be_reached_is_named(
    tmp_path: Path, channel: CondaChannel, url: str, why: str
) -> None:
    error = refused(tmp_path, channel.url, url)
    assert isinstance(error, SourceUnreachableError)
    assert error.message == "the channel shut cannot be reached"
    assert re.search(why, str(error.cause))
    assert "`-c forge`" in str(error.hint) and "--offline" in str(error.hint)


def test_a_connection_that_is_reset(tmp_path: Path, channel: CondaChannel) -> None:
    channel.fail("*", Fault(reset=True))
    assert isinstance(refused(tmp_path, channel.url), SourceUnreachableError)


PAGE = b"<html>please log in</html>"
CUT = b'{"info": {"subdir": "linux-64"}, "packages": {"a-1-0.conda": {"name": '


@pytest.mark.parametrize(
    ("pattern", "content"),
    [
        ("*shards*", PAGE),
        ("*.zst", PAGE),
        ("*repodata.json.zst", zstandard.compress(CUT)),
        ("*repodata.json.zst", zstandard.compress(b"[]")),
        ("*repodata.json.zst", zstandard.compress(b'{"packages": 3}')),
    ],
    ids=["page as shards", "page as zst", "cut JSON", "list", "number"],
)
def test_what_is_no_repodata_is_refused(
    tmp_path: Path, channel: CondaChannel, pattern: str, content: bytes
) -> None:
    channel.fail(pattern, Fault(body=content))
    error = refused(tmp_path, channel.url)
    assert isinstance(error, SourceAnswerError)
    assert "forge" in error.message and "index" in error.message and error.cause


@pytest.mark.slow
def test_repodata_that_ends_before_its_end(tmp_path: Path, channel: CondaChannel) -> None:
    for number in range(50):
        channel.add_record(f"p{number}")
    channel.fail("*repodata.json.zst", Fault(truncate=100))
    error = refused(tmp_path, channel.url)
    assert isinstance(error, SourceAnswerError)
    assert "forge" in error.message and "ends before its end" in error.message


def test_no_credentials_in_messages(tmp_path: Path, channel: CondaChannel) -> None:
    channel.auth, channel.token = ("mowgli", "right"), "right"
    for prefix, place in (("mowgli:s3cret@", "/forge/"), ("", "/t/s3cret/forge/")):
        url = channel.url.replace("http://", f"http://{prefix}").replace("/forge/", place)
        error = refused(tmp_path, source(url, "forge"), CLOSED.replace("//", "//a:s3cret@"))
        assert "s3cret" not in json.dumps(error.as_dict())


@pytest.mark.parametrize("kind", ["password", "token"])
def test_no_credentials_in_records(tmp_path: Path, channel: CondaChannel, kind: str) -> None:
    public = channel.url
    url = public.replace("/forge/", "/t/s3cret/forge/")
    channel.token = "s3cret"
    if kind == "password":
        channel.auth, channel.token = ("mowgli", "s3cret"), None
        url = public.replace("http://", "http://mowgli:s3cret@")
    forge = source(url, "forge")
    channels = opened(tmp_path, forge)
    found = channels.accepted(asyncio.run(solved(channels, "bear")))
    assert [record.url for record in found] == [
        f"{public}linux-64/bear-1.0-0.conda",
        f"{public}noarch/honey-2.0-0.conda",
    ]
    assert {record.channel for record in found} == {public}
    assert [private_url(record.url, [forge]).startswith(url) for record in found] == [True, True]
    # rattler's cache knows the URL; nobody else gets to see it.
    assert stat.S_IMODE((tmp_path / "cache" / "repodata").stat().st_mode) == 0o700

    channel._records[PLATFORM]["bear-1.0-0.conda"]["subdir"] = "win-64"
    channel._changed()
    with pytest.raises(SourceAnswerError) as caught:
        again = opened(tmp_path, forge)
        again.accepted(asyncio.run(solved(again, "bear")))
    assert "forge" in caught.value.message
    assert "s3cret" not in json.dumps(caught.value.as_dict())


# --- records that are not as they should be ---------------------------------------------------


def test_another_platforms_records_are_refused(tmp_path: Path, channel: CondaChannel) -> None:
    channel.add_record("wolf", subdir=PLATFORM)
    channel._records[PLATFORM]["wolf-1.0-0.conda"]["subdir"] = "win-64"
    channel.info = {"subdir": "win-64"}
    channels = opened(tmp_path, channel.url)
    found = asyncio.run(solved(channels, "wolf"))
    with pytest.raises(SourceAnswerError) as caught:
        channels.accepted(found)
    assert "forge" in caught.value.message and "win-64" in caught.value.message
    assert PLATFORM in caught.value.message and caught.value.hint


BAD_FIELDS: dict[str, dict[str, Any]] = {
    "no name": {"name": None},
    "no version": {"version": None},
    "no build": {"build": None},
    "version of words": {"version": "not a version!"},
    "version is a number": {"version": 3},
    "depends is text": {"depends": "honey"},
    "hash is no hash": {"sha256": "zz"},
    "size is text": {"size": "large"},
    "size is negative": {"size": -1},
    "timestamp is text": {"timestamp": "yesterday"},
    "noarch of another kind": {"noarch": "ruby"},
}


@pytest.mark.parametrize("name", BAD_FIELDS)
def test_a_bad_record_is_found_and_named(tmp_path: Path, channel: CondaChannel, name: str) -> None:
    for number in range(40):
        channel.add_record(f"p{number}")
    channel.add_record("wolf", "0.9")
    channel.add_record("wolf", "1.0")
    record = channel._records[PLATFORM]["wolf-1.0-0.conda"]
    for key, value in BAD_FIELDS[name].items():
        if value is None:
            record.pop(key)
        else:
            record[key] = value
    channels = opened(tmp_path, channel.url)

    async def run() -> SourceError:
        # Who does not need it does not notice.
        assert len(await solved(channels, "bear")) == 2
        assert "wolf" in await channels.names()
        with pytest.raises(rattler.exceptions.GatewayError) as caught:
            await solved(channels, "wolf")
        with pytest.raises(SourceError) as again:
            await channels.records("wolf")
        failure = await channels.failure(caught.value)
        assert failure.as_dict() == again.value.as_dict()
        return failure

    error = asyncio.run(run())
    assert isinstance(error, SourceAnswerError)
    assert "forge" in error.message and "wolf" in error.message
    assert error.cause and error.hint


@pytest.mark.parametrize("spec", ["=== ???", "python >=", ""])
def test_a_dependency_that_cannot_be_read_is_no_candidate(
    tmp_path: Path, channel: CondaChannel, spec: str
) -> None:
    channel.add_record("wolf", "0.9")
    channel.add_record("wolf", "1.0", depends=[spec])
    found = asyncio.run(solved(opened(tmp_path, channel.url), "wolf"))
    assert [str(record.version) for record in found] == ["0.9"]


def test_the_failing_one_of_several_channels_is_found(
    tmp_path: Path, channel: CondaChannel
) -> None:
    with CondaChannel(tmp_path / "second") as second:
        second.add_record("wolf", size="large")
        second.add_record("panther")
        channels = opened(tmp_path, channel.url, second.url)

        async def run() -> SourceError:
            with pytest.raises(rattler.exceptions.GatewayError) as caught:
                await solved(channels, "wolf")
            return await channels.failure(caught.value)

        error = asyncio.run(run())
        assert "second" in error.message and "wolf" in error.message
        assert "`-c forge`" in str(error.hint)


# --- channels on disk -------------------------------------------------------------------------


def packed(tmp_path: Path, how: str) -> CondaChannel:
    """Return a channel on disk of which only compressed repodata are there."""
    channel = CondaChannel(tmp_path / "disk", zst=False)
    channel.add_record("bear", depends=["honey"])
    channel.add_record("honey", noarch="generic")
    channel.write()
    pack(channel, how)
    return channel


def pack(channel: CondaChannel, how: str) -> None:
    for file in channel.directory.glob("*/repodata.json"):
        content = file.read_bytes()
        packed = bz2.compress(content) if how == "bz2" else zstandard.compress(content)
        file.with_name(f"{file.name}.{how}").write_bytes(packed)
        file.unlink()


@pytest.mark.parametrize("how", ["zst", "bz2"])
def test_compressed_repodata_on_disk(tmp_path: Path, how: str) -> None:
    channel = packed(tmp_path, how)
    url = f"{channel.directory.as_uri()}/"
    found = asyncio.run(solved(opened(tmp_path, url), "bear"))
    assert [record.url for record in found] == [
        f"{url}linux-64/bear-1.0-0.conda",
        f"{url}noarch/honey-1.0-0.conda",
    ]
    assert {record.channel for record in found} == {url}
    unpacked = list((tmp_path / "cache/unpacked").rglob("repodata.json"))
    assert len(unpacked) == 2
    before = [path.stat().st_mtime_ns for path in unpacked]
    assert names(tmp_path, url) == {"bear", "honey"}
    assert [path.stat().st_mtime_ns for path in unpacked] == before, "unpacked once"

    channel.add_record("wolf")
    for file in channel.directory.glob("*/repodata.json.*"):
        file.unlink()
    channel._write_index()
    pack(channel, how)
    assert names(tmp_path, url) == {"bear", "honey", "wolf"}
    assert len(list((tmp_path / "cache/unpacked").rglob("repodata.json"))) == 2, "no heap"


def test_one_subdir_compressed_the_other_not(tmp_path: Path) -> None:
    channel = packed(tmp_path, "zst")
    plain = channel.directory / "noarch" / "repodata.json"
    compressed = plain.with_name("repodata.json.zst")
    plain.write_bytes(zstandard.decompress(compressed.read_bytes()))
    compressed.unlink()
    assert names(tmp_path, f"{channel.directory.as_uri()}/") == {"bear", "honey"}


@pytest.mark.parametrize("content", [b"", b"<html>", zstandard.compress(bytes(1000))[:-3]])
def test_what_cannot_be_unpacked_is_an_error(tmp_path: Path, content: bytes) -> None:
    channel = packed(tmp_path, "zst")
    (channel.directory / "linux-64" / "repodata.json.zst").write_bytes(content)
    with pytest.raises(SourceAnswerError) as caught:
        names(tmp_path, f"{channel.directory.as_uri()}/")
    assert "linux-64" in caught.value.message and caught.value.cause and caught.value.hint


@pytest.mark.parametrize("content", [b"", CUT, PAGE, b"[]"])
def test_repodata_on_disk_that_are_none(tmp_path: Path, content: bytes) -> None:
    with CondaChannel(tmp_path / "forge") as channel:
        url = channel.file_url
    (tmp_path / "forge/linux-64/repodata.json").write_bytes(content)
    error = refused(tmp_path, url)
    assert isinstance(error, SourceAnswerError) and "forge" in error.message


def test_real_records_as_they_are_packed(tmp_path: Path) -> None:
    if not HARVEST.is_dir():
        pytest.skip("the real repodata are not here")
    url = f"{HARVEST.as_uri()}/"
    found = asyncio.run(solved(opened(tmp_path, url), "python=3.12", "numpy", "pandas"))
    assert {"python", "numpy", "pandas"} <= {record.name.normalized for record in found}
    assert all(record.url.startswith("http") or record.url.startswith(url) for record in found)


def test_whatever_a_server_answers_the_error_is_kaas(tmp_path: Path, channel: CondaChannel) -> None:
    for status in (204, 206, 301, 304, 400, 408, 410, 429, 451):
        channel.fail("*", Fault(status=status))
        with pytest.raises(SourceError) as caught:
            asyncio.run(opened(tmp_path / str(status), channel.url).names())
        assert caught.value.hint
        channel.heal()
