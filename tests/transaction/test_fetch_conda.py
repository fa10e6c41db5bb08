"""Conda packages come into the cache whole, checked and linkable without a network, or not."""

from __future__ import annotations

import asyncio
import hashlib
import json
import os
import shutil
from typing import TYPE_CHECKING, Any

import pytest
import rattler

import kaa.transaction.fetch_conda as module
from conda_channel import CondaChannel, Fault
from conda_packages import build_conda_package, python_project
from kaa.model.distribution import IndexFile
from kaa.model.errors import (
    HashMismatchError,
    KaaError,
    MetadataError,
    SourceAnswerError,
    SourceUnreachableError,
    StoreError,
    TruncatedDownloadError,
    UnsafeArchiveError,
)
from kaa.model.progress import Phase, Silent
from kaa.network.client import Client
from kaa.network.settings import load_settings
from kaa.sources.metadata import MetadataReader
from kaa.store.layout import Layout
from kaa.transaction.fetch import fetch_packages, is_cached
from kaa.transaction.fetch_conda import conda_jobs
from kaa.transaction.fetch_queue import run_jobs
from wheels import build_wheel

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path

    from rattler import RepoDataRecord

    from kaa.model.progress import Progress
    from local_index import LocalIndex


@pytest.fixture
def channel(tmp_path: Path) -> Iterator[CondaChannel]:
    with CondaChannel(tmp_path / "forge") as channel:
        yield channel


@pytest.fixture
def layout(tmp_path: Path) -> Layout:
    return Layout(tmp_path / "root")


async def solve(url: str, cache: Path, *specs: str) -> list[RepoDataRecord]:
    gateway = rattler.Gateway(cache_dir=cache / "repodata")
    return list(
        await rattler.solve([url], specs, gateway=gateway, platforms=["linux-64", "noarch"])
    )


def records(channel: CondaChannel, *specs: str, url: str | None = None) -> list[RepoDataRecord]:
    place = channel.directory.parent / "solve"
    shutil.rmtree(place, ignore_errors=True)
    return asyncio.run(solve(url or channel.url, place, *specs))


def fetch(
    wanted: Sequence[RepoDataRecord], layout: Layout, progress: Progress | None = None, **more: Any
) -> None:
    client = rattler.Client.default_client(max_retries=2)
    progress = progress or Silent()

    async def run() -> None:
        await run_jobs(conda_jobs(wanted, layout, client, progress, **more), progress)

    asyncio.run(run())


def refused(wanted: Sequence[RepoDataRecord], layout: Layout, **more: Any) -> KaaError:
    """Fetch, which has to fail with a good error and to leave nothing."""
    with pytest.raises(KaaError) as caught:
        fetch(wanted, layout, **more)
    assert caught.value.hint, "what is to be done?"
    assert not any(is_cached(layout, record) for record in wanted)
    assert_no_leftovers(layout)
    return caught.value


def assert_no_leftovers(layout: Layout) -> None:
    assert not list((layout.metadata / "archives").glob("*"))
    assert not list(layout.packages.glob(".kaa-*"))


class Recorder(Silent):
    def __init__(self) -> None:
        self.total = self.done = 0
        self.finished = False

    def expect(self, phase: Phase, amount: int) -> None:
        assert phase is Phase.DOWNLOAD
        self.total += amount

    def advance(self, phase: Phase, amount: int, item: str | None = None) -> None:
        self.done += amount

    def finish(self, phase: Phase) -> None:
        self.finished = True


@pytest.mark.parametrize("archive", ["conda", "tar.bz2"])
@pytest.mark.parametrize("local", [False, True], ids=["http", "file"])
def test_packages_come_into_the_cache_and_are_linked_from_there(
    channel: CondaChannel, layout: Layout, tmp_path: Path, archive: Any, local: bool
) -> None:
    size = 0
    for name in ("bear", "panther"):
        files = {f"lib/{name}.bin": os.urandom(50_000)}
        package = build_conda_package(tmp_path / "made", name, archive=archive, files=files)
        channel.add(package)
        size += package.stat().st_size
    found = records(channel, "bear", "panther", url=channel.file_url if local else None)
    assert not any(is_cached(layout, record) for record in found)
    progress = Recorder()
    fetch(found, layout, progress)
    assert all(is_cached(layout, record) for record in found)
    assert (progress.total, progress.done, progress.finished) == (size, size, True)
    assert_no_leftovers(layout)
    origin = json.loads((layout.packages / "bear-1.0-0/info/repodata_record.json").read_text())
    assert origin["url"] == found[0].url or origin["url"] == found[1].url

    # From here on nothing is asked of the channel: not for fetching again, not for linking.
    asked = len(channel.requests)
    fetch(found, layout)
    cache = rattler.PackageCache.new_layered(
        [str(layout.packages)], validation_mode=rattler.ValidationMode.full()
    )
    prefix = tmp_path / "prefix"
    asyncio.run(rattler.install(found, prefix, package_cache=cache, installed_packages=[]))
    assert len(channel.requests) == asked
    assert (prefix / "lib/panther.bin").stat().st_size == 50_000
    assert len(list((prefix / "conda-meta").glob("*.json"))) == 2


def test_five_at_once_at_most(channel: CondaChannel, layout: Layout, tmp_path: Path) -> None:
    for number in range(12):
        channel.add(build_conda_package(tmp_path / "made", f"p{number}"))
    found = records(channel, *(f"p{number}" for number in range(12)))
    busy, most = 0, 0
    stream = module._stream
    enough = asyncio.Event()

    async def counted(url: str, receiver: Any, client: rattler.Client) -> None:
        nonlocal busy, most
        busy += 1
        most = max(most, busy)
        if most == 5:
            enough.set()
        try:
            await asyncio.wait_for(enough.wait(), 300)
            await asyncio.sleep(0.02)  # for a sixth
            await stream(url, receiver, client)
        finally:
            busy -= 1

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(module, "_stream", counted)
        fetch(found, layout)
    assert most == 5
    assert all(is_cached(layout, record) for record in found)


def test_wheels_and_conda_packages_side_by_side(
    channel: CondaChannel, layout: Layout, tmp_path: Path, local_index: LocalIndex
) -> None:
    channel.add(build_conda_package(tmp_path / "made", "bear"))
    wheel = build_wheel(tmp_path / "made", "panther")
    sha256 = hashlib.sha256(wheel.read_bytes()).hexdigest()
    file = IndexFile(wheel.name, local_index.add(wheel), {"sha256": sha256})
    build = rattler.package.BuildString("py3_0")
    record = rattler.RepoDataRecord(
        rattler.PackageRecord(
            "panther", "1.0", build, 0, "noarch", noarch="python", sha256=bytes.fromhex(sha256)
        ),
        "panther-1.0-py3_0.conda",
        file.url,
        "kaa://pypi",
    )
    found = records(channel, "bear")
    progress = Recorder()

    async def run() -> None:
        async with Client(load_settings(os.environ)) as client:
            reader = MetadataReader(client, layout.metadata)
            conda = rattler.Client.default_client()
            wheels = [(record, file)]
            await fetch_packages(wheels, found, layout, client, conda, reader, progress)

    asyncio.run(run())
    assert all(is_cached(layout, wanted) for wanted in (record, *found))
    assert (layout.packages / "panther-1.0-py3_0/site-packages/panther/__init__.py").is_file()
    assert progress.finished


def test_old_channels_give_md5_only(channel: CondaChannel, layout: Layout, tmp_path: Path) -> None:
    package = build_conda_package(tmp_path / "made", "bear", archive="tar.bz2")
    channel.add(package, sha256=None)
    found = records(channel, "bear")
    assert found[0].sha256 is None
    fetch(found, layout)
    assert is_cached(layout, found[0])

    # Another archive of the same name, version and build is another package.
    other = build_conda_package(tmp_path / "other", "bear", archive="tar.bz2", license="other")
    channel.add(other, sha256=None)
    changed = records(channel, "bear")
    assert not is_cached(layout, changed[0])
    fetch(changed, layout)
    assert is_cached(layout, changed[0]) and not is_cached(layout, found[0])

    channel.add(package, sha256=None, md5="00" * 16)
    wrong = records(channel, "bear")
    assert isinstance(refused(wrong, layout), HashMismatchError)


def test_without_any_hash_nothing_is_downloaded(
    channel: CondaChannel, layout: Layout, tmp_path: Path
) -> None:
    channel.add(build_conda_package(tmp_path / "made", "bear"), sha256=None, md5=None)
    channel.add(build_conda_package(tmp_path / "made", "panther"))
    found = records(channel, "bear", "panther")
    error = refused(found, layout)
    assert isinstance(error, StoreError)
    assert "bear-1.0-0" in error.message and channel.url in str(error.cause)
    assert not any(path.endswith(".conda") for path in channel.paths())


@pytest.mark.parametrize("build", ["../../evil", "/evil", "a\\..\\evil"])
def test_a_build_that_is_a_path_is_refused(
    channel: CondaChannel, layout: Layout, tmp_path: Path, build: str
) -> None:
    channel.add(build_conda_package(tmp_path / "made", "bear"), build=build)
    found = records(channel, "bear")
    assert str(found[0].build) == build, "rattler lets it through"
    with pytest.raises(MetadataError) as caught:
        fetch(found, layout)
    assert caught.value.hint and not layout.packages.exists()


@pytest.mark.parametrize(
    ("fields", "said"),
    [
        ({"sha256": "ab" * 32}, "its sha256 is"),
        ({"size": 10}, "more than 10"),
        ({"size": 10_000_000}, "not 10000000"),
    ],
    ids=["hash", "longer", "shorter"],
)
def test_what_is_not_the_promised_file_is_refused(
    channel: CondaChannel, layout: Layout, tmp_path: Path, fields: dict[str, Any], said: str
) -> None:
    channel.add(build_conda_package(tmp_path / "made", "bear"), **fields)
    error = refused(records(channel, "bear"), layout)
    assert isinstance(error, HashMismatchError)
    assert "bear-1.0-0.conda" in error.message and said in str(error.cause)


def test_a_channel_that_changed_meanwhile(
    channel: CondaChannel, layout: Layout, tmp_path: Path
) -> None:
    channel.add(build_conda_package(tmp_path / "made", "bear"))
    for url in (channel.url, channel.file_url):
        found = records(channel, "bear", url=url)
        channel.remove("bear-1.0-0.conda")
        error = refused(found, layout)
        assert isinstance(error, SourceAnswerError)
        assert "bear-1.0-0.conda" in error.message and "run it again" in str(error.hint)
        channel.add(build_conda_package(tmp_path / "made", "bear"))
    found = records(channel, "bear")
    channel.add(build_conda_package(tmp_path / "other", "bear", license="another"))
    assert isinstance(refused(found, layout), HashMismatchError)
    fetch(records(channel, "bear"), layout)


def test_streams_that_end_early_start_over(
    channel: CondaChannel, layout: Layout, tmp_path: Path
) -> None:
    files = {"lib/x": os.urandom(300_000)}
    channel.add(build_conda_package(tmp_path / "made", "bear", files=files))
    found = records(channel, "bear")
    channel.fail("*.conda", Fault(truncate=100_000, times=2))
    progress = Recorder()
    fetch(found, layout, progress)
    assert is_cached(layout, found[0])
    assert progress.done == progress.total
    assert [path for path in channel.paths() if path.endswith(".conda")] == [
        "linux-64/bear-1.0-0.conda"
    ] * 3

    shutil.rmtree(layout.root)
    channel.fail("*.conda", Fault(truncate=100_000))
    error = refused(found, layout)
    assert isinstance(error, TruncatedDownloadError)
    assert "bear-1.0-0.conda" in error.message and error.cause


def test_servers_out_of_order_are_asked_again(
    channel: CondaChannel, layout: Layout, tmp_path: Path
) -> None:
    channel.add(build_conda_package(tmp_path / "made", "bear"))
    found = records(channel, "bear")
    channel.fail("*.conda", Fault(status=503, times=1))
    fetch(found, layout)
    assert is_cached(layout, found[0])


@pytest.mark.parametrize(
    ("status", "hint"),
    [(401, "auth login"), (403, "auth login"), (404, "run it again"), (418, "later")],
)
def test_what_servers_refuse_is_said(
    channel: CondaChannel, layout: Layout, tmp_path: Path, status: int, hint: str
) -> None:
    channel.add(build_conda_package(tmp_path / "made", "bear"))
    found = records(channel, "bear")
    channel.fail("*.conda", Fault(status=status))
    error = refused(found, layout)
    assert isinstance(error, SourceAnswerError)
    assert str(status) in f"{error.message} {error.cause}"
    assert hint in str(error.hint)


def test_nobody_answers(channel: CondaChannel, layout: Layout, tmp_path: Path) -> None:
    channel.add(build_conda_package(tmp_path / "made", "bear"))
    found = records(channel, "bear")
    error = refused(found, layout, address=lambda url: "http://127.0.0.1:1/bear-1.0-0.conda")
    assert isinstance(error, SourceUnreachableError)
    assert "127.0.0.1" in error.message


def test_silence_ends(channel: CondaChannel, layout: Layout, tmp_path: Path) -> None:
    channel.add(build_conda_package(tmp_path / "made", "bear"))
    found = records(channel, "bear")
    channel.fail("*.conda", Fault(hang=600))
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(module, "_PATIENCE", 0.2)
        error = refused(found, layout)
    assert isinstance(error, SourceUnreachableError)
    assert "nothing came" in str(error.cause)


def test_credentials_are_used_and_never_shown(
    channel: CondaChannel, layout: Layout, tmp_path: Path
) -> None:
    channel.add(build_conda_package(tmp_path / "made", "bear"))
    found = records(channel, "bear")
    channel.auth = ("mowgli", "s3cret")

    def with_password(url: str) -> str:
        return url.replace("http://", "http://mowgli:s3cret@")

    fetch(found, layout, address=with_password)
    assert is_cached(layout, found[0])
    shutil.rmtree(layout.root)

    channel.auth, channel.token = None, "t0ken"

    def with_token(url: str) -> str:
        return url.replace("/forge/", "/t/t0ken/forge/")

    fetch(found, layout, address=with_token)
    assert is_cached(layout, found[0])
    shutil.rmtree(layout.root)

    channel.token = "changed"
    for address in (with_password, with_token):
        error = refused(found, layout, address=address)
        shown = json.dumps(error.as_dict())
        assert "s3cret" not in shown and "t0ken" not in shown and "403" in shown

    # Solved from a URL with credentials, the records have them; the cache has not.
    channel.token = "t0ken"
    found = records(channel, "bear", url=with_token(channel.url))
    fetch(found, layout)
    written = [path for path in layout.packages.rglob("*") if path.is_file()]
    assert written
    assert not [path for path in written if b"t0ken" in path.read_bytes()]


@pytest.mark.parametrize(
    ("index", "said"),
    [
        ({"name": "panther"}, "'panther'"),
        ({"version": "2.0"}, "'2.0'"),
        ({"build": "1"}, "'1'"),
        ({"name": None}, "cannot be read"),
        ({"version": 3}, "'3'"),
    ],
)
def test_a_package_that_contradicts_its_record(
    channel: CondaChannel, layout: Layout, tmp_path: Path, index: dict[str, Any], said: str
) -> None:
    package = build_conda_package(tmp_path / "made", "bear", index=index)
    channel.add(package, name="bear", version="1.0", build="0")
    error = refused(records(channel, "bear"), layout)
    assert isinstance(error, MetadataError)
    assert "bear-1.0-0.conda" in error.message and said in str(error.cause)


def test_an_unsafe_archive_leaves_nothing(
    channel: CondaChannel, layout: Layout, tmp_path: Path
) -> None:
    paths = [{"_path": "../../evil", "path_type": "hardlink", "sha256": "0" * 64}]
    info = {"paths.json": json.dumps({"paths": paths, "paths_version": 1})}
    channel.add(build_conda_package(tmp_path / "made", "bear", info=info))
    assert isinstance(refused(records(channel, "bear"), layout), UnsafeArchiveError)


def test_one_failure_does_not_undo_the_others(
    channel: CondaChannel, layout: Layout, tmp_path: Path
) -> None:
    channel.add(build_conda_package(tmp_path / "made", "bear"))
    channel.add(build_conda_package(tmp_path / "made", "panther"), sha256="ab" * 32)
    bear, panther = sorted(records(channel, "bear", "panther"), key=lambda record: str(record.name))
    fetch([bear], layout)
    with pytest.raises(HashMismatchError):
        fetch([bear, panther], layout)
    assert is_cached(layout, bear) and not is_cached(layout, panther)


def test_cancelled_nothing_is_left(channel: CondaChannel, layout: Layout, tmp_path: Path) -> None:
    for name in ("bear", "panther"):
        files = {"lib/x": os.urandom(2_000_000)}
        channel.add(build_conda_package(tmp_path / "made", name, files=files))
    found = records(channel, "bear", "panther")
    channel.fail("*panther*", Fault(hang=600))

    async def run() -> None:
        client = rattler.Client.default_client()
        jobs = conda_jobs(found, layout, client, Silent())
        task = asyncio.create_task(run_jobs(jobs, Silent()))
        while not list((layout.metadata / "archives").glob("*/.panther*")):
            await asyncio.sleep(0.005)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        assert_no_leftovers(layout)
        await asyncio.sleep(0.2)  # for whatever might still be writing

    asyncio.run(run())
    assert_no_leftovers(layout)
    channel.heal()
    fetch(found, layout)
    assert all(is_cached(layout, record) for record in found)


def test_many_packages_of_many_files(channel: CondaChannel, layout: Layout, tmp_path: Path) -> None:
    wanted = {}
    for number in range(20):
        files = python_project(f"p{number}") | {
            f"share/p{number}/{index}": f"{number} {index}" for index in range(50)
        }
        package = build_conda_package(tmp_path / "made", f"p{number}", noarch="python", files=files)
        channel.add(package)
        wanted[f"p{number}"] = hashlib.sha256(package.read_bytes()).digest()
    found = records(channel, *wanted)
    fetch(found, layout)
    for record in found:
        entry = layout.packages / f"{record.name.normalized}-1.0-0"
        assert len(list(entry.glob("share/*/*"))) == 50
        assert (
            entry.with_name(f"{entry.name}.lock").read_bytes()[8:] == wanted[record.name.normalized]
        )
