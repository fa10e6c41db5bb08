"""The client against a real server that misbehaves."""

from __future__ import annotations

import asyncio
import errno
import gc
import hashlib
import os
import random
import signal
import socket
import subprocess
import sys
import time
from dataclasses import replace
from importlib.util import find_spec
from typing import TYPE_CHECKING, Any

import pytest

from kaa.model.errors import (
    DiskFullError,
    HashMismatchError,
    NotWritableError,
    SourceAnswerError,
    SourceUnreachableError,
    StoreError,
    TruncatedDownloadError,
)
from kaa.network import transport
from kaa.network.client import Answer, Client
from kaa.network.settings import NetworkSettings, make_index
from kaa.store.disk import disk_error
from local_index import Fault, LocalIndex
from wheels import build_wheel

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable
    from pathlib import Path

FAST = NetworkSettings(timeout=60)


@pytest.fixture(autouse=True, params=["rust", "python"] if find_spec("pyreqwest") else ["python"])
def each_transport(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> str:
    """Let every test run on both transports."""
    if request.param == "python":
        monkeypatch.setattr(transport, "_rust_transport", lambda *_: None)
    return str(request.param)


def run(
    work: Callable[[Client], Awaitable[Any]], settings: NetworkSettings = FAST, **options: Any
) -> Any:
    async def main() -> Any:
        async with Client(settings, backoff=0.01, **options) as client:
            return await work(client)

    return asyncio.run(main())


def wheel(index: LocalIndex, folder: Path, size: int = 0, **options: Any) -> tuple[str, bytes]:
    noise = random.Random(1).randbytes(size)
    path = build_wheel(folder, "demo", data={"data/noise": noise} if size else None)
    return index.add(path, **options), path.read_bytes()


def leftovers(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir()) if folder.exists() else []


def test_statuses_that_are_answers(local_index: LocalIndex, tmp_path: Path) -> None:
    wheel(local_index, tmp_path / "w")
    found = run(lambda client: client.get(f"{local_index.url}demo/"))
    absent = run(lambda client: client.get(f"{local_index.url}other/"))
    assert (found.status, found.headers["content-type"]) == (200, "text/html")
    assert b"demo-1.0-py3-none-any.whl" in found.content
    assert absent.status == 404


@pytest.mark.parametrize("status", [500, 503, 429])
def test_a_passing_fault_is_retried(local_index: LocalIndex, tmp_path: Path, status: int) -> None:
    url, content = wheel(local_index, tmp_path / "w")
    local_index.fail("/files/*", Fault(status=status, times=2))
    assert run(lambda client: client.get(url)).content == content
    assert len(local_index.requests) == 3


def test_a_reset_connection_is_retried(local_index: LocalIndex, tmp_path: Path) -> None:
    url, content = wheel(local_index, tmp_path / "w")
    local_index.fail("/files/*", Fault(reset=True, times=1))
    assert run(lambda client: client.get(url)).content == content


def test_a_lasting_fault_is_an_error_that_names_the_status(local_index: LocalIndex) -> None:
    local_index.fail("*", Fault(status=500))
    with pytest.raises(SourceAnswerError, match="answered 500") as caught:
        run(lambda client: client.get(f"{local_index.url}demo/"), replace(FAST, retries=1))
    assert caught.value.hint
    assert len(local_index.requests) == 2


def test_retry_after_is_honoured(local_index: LocalIndex, tmp_path: Path) -> None:
    url, _ = wheel(local_index, tmp_path / "w")
    local_index.fail("*", Fault(status=503, headers={"Retry-After": "1"}, times=1))
    started = time.monotonic()
    run(lambda client: client.get(url))
    assert time.monotonic() - started >= 1


def test_nobody_listens() -> None:
    with socket.socket() as silent:
        silent.bind(("127.0.0.1", 0))  # bound and not listening: connections are refused
        port = silent.getsockname()[1]
        with pytest.raises(
            SourceUnreachableError, match=r"127\.0\.0\.1 cannot be reached"
        ) as caught:
            run(lambda client: client.get(f"http://127.0.0.1:{port}/simple/demo/"))
    assert caught.value.cause
    assert caught.value.hint


def test_a_server_that_never_answers_is_given_up_in_time(local_index: LocalIndex) -> None:
    local_index.fail("*", Fault(hang=600))
    started = time.monotonic()
    with pytest.raises(SourceUnreachableError) as caught:
        run(lambda client: client.get(local_index.url), replace(FAST, timeout=0.5))
    assert time.monotonic() - started < 60
    assert caught.value.cause is not None
    assert "no answer" in caught.value.cause


def test_one_failure_among_many_requests_is_the_only_thing_said(
    local_index: LocalIndex, caplog: pytest.LogCaptureFixture
) -> None:
    local_index.fail("*", Fault(hang=600))

    async def work(client: Client) -> None:
        urls = [f"{local_index.url}demo-{number}/" for number in range(30)]
        await asyncio.gather(*(client.get(url) for url in urls))

    with pytest.raises(SourceUnreachableError):
        run(work, replace(FAST, timeout=0.5), concurrency=10)
    gc.collect()
    assert [record.getMessage() for record in caplog.records if record.levelname == "ERROR"] == []


def test_credentials_go_to_their_host_only(tmp_path: Path) -> None:
    with LocalIndex(auth=("me", "secret")) as private, LocalIndex() as other:
        url, content = wheel(private, tmp_path / "w")
        wheel(other, tmp_path / "w")
        with_user = private.url.replace("http://", "http://me:secret@")
        settings = replace(FAST, indexes=(make_index(with_user),))
        assert run(lambda client: client.get(url), settings).content == content
        private.fail("/files/*", Fault(redirect=other.file_url("demo-1.0-py3-none-any.whl")))
        assert run(lambda client: client.get(url), settings).content == content
        assert "authorization" not in other.requests[-1].headers
        assert "secret" not in repr(settings)


def test_credentials_in_the_url_are_sent_and_never_shown(tmp_path: Path) -> None:
    with LocalIndex(auth=("me", "secret")) as private:
        private.fail("*/broken/", Fault(status=400))
        url = private.url.replace("http://", "http://me:secret@")
        assert run(lambda client: client.get(f"{url}demo/")).status == 404
        with pytest.raises(SourceAnswerError) as caught:
            run(lambda client: client.get(f"{url}broken/"))
        assert "secret" not in str(caught.value.as_dict())
        with pytest.raises(SourceAnswerError, match="answered 401") as refused:
            run(lambda client: client.get(f"{private.url}demo/"))
        assert "netrc" in str(refused.value.hint)


def test_netrc(tmp_path: Path) -> None:
    netrc = tmp_path / "netrc"
    netrc.write_text("machine 127.0.0.1 login me password secret\n")
    with LocalIndex(auth=("me", "secret")) as private:
        url, content = wheel(private, tmp_path / "w")
        assert run(lambda client: client.get(url), replace(FAST, netrc=netrc)).content == content


def test_keyring_completes_a_user_name(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    program = tmp_path / "bin" / "keyring"
    program.parent.mkdir()
    program.write_text('#!/bin/sh\n[ "$1 $3" = "get me" ] && echo secret\n')
    program.chmod(0o755)
    monkeypatch.setenv("PATH", str(program.parent), prepend=":")
    with LocalIndex(auth=("me", "secret")) as private:
        url, content = wheel(private, tmp_path / "w")
        named = make_index(private.url.replace("http://", "http://me@"))
        settings = replace(FAST, indexes=(named,), keyring=True)
        assert run(lambda client: client.get(url), settings).content == content
        with pytest.raises(SourceAnswerError, match="401"):
            run(lambda client: client.get(url), replace(settings, keyring=False))


def test_redirects_without_end(local_index: LocalIndex) -> None:
    local_index.fail("*", Fault(redirect="/again/"))
    with pytest.raises(SourceAnswerError, match="redirects"):
        run(lambda client: client.get(local_index.url))


def test_ranges(local_index: LocalIndex, tmp_path: Path) -> None:
    url, content = wheel(local_index, tmp_path / "w")
    tail = run(lambda client: client.get_range(url, -10))
    middle = run(lambda client: client.get_range(url, 5, 9))
    assert (tail.status, tail.content) == (206, content[-10:])
    assert (middle.status, middle.content) == (206, content[5:9])
    local_index.ranges = False
    whole = run(lambda client: client.get_range(url, -10))
    assert (whole.status, whole.content) == (200, b"")


def test_download(local_index: LocalIndex, tmp_path: Path) -> None:
    url, content = wheel(local_index, tmp_path / "w", size=3_000_000)
    destination = tmp_path / "to" / "demo.whl"
    told: list[int] = []
    digest = hashlib.sha256(content).hexdigest()
    found = run(
        lambda client: client.download(
            url, destination, hashes={"sha256": digest}, size=len(content), advance=told.append
        )
    )
    assert found == digest
    assert destination.read_bytes() == content
    assert sum(told) == len(content)
    assert leftovers(destination.parent) == ["demo.whl"]


def test_a_truncated_download_is_tried_again(local_index: LocalIndex, tmp_path: Path) -> None:
    url, content = wheel(local_index, tmp_path / "w")
    local_index.fail("/files/*", Fault(truncate=100, times=1))
    told: list[int] = []
    run(lambda client: client.download(url, tmp_path / "to" / "x.whl", advance=told.append))
    assert (tmp_path / "to" / "x.whl").read_bytes() == content
    assert sum(told) == len(content)


def test_a_download_that_stays_truncated(local_index: LocalIndex, tmp_path: Path) -> None:
    url, content = wheel(local_index, tmp_path / "w")
    local_index.fail("/files/*", Fault(truncate=100))
    for size in (None, len(content)):
        with pytest.raises(TruncatedDownloadError):
            run(lambda client, size=size: client.download(url, tmp_path / "to" / "x", size=size))  # type: ignore[misc]
    assert leftovers(tmp_path / "to") == []


def test_a_file_shorter_than_promised(local_index: LocalIndex, tmp_path: Path) -> None:
    url, content = wheel(local_index, tmp_path / "w")
    with pytest.raises(TruncatedDownloadError):
        run(lambda client: client.download(url, tmp_path / "to" / "x", size=len(content) + 1))
    assert leftovers(tmp_path / "to") == []


@pytest.mark.parametrize(
    "promise", [{"hashes": {"sha256": "0" * 64}}, {"hashes": {"sha512": "0" * 128}}, {"size": 5}]
)
def test_another_file_than_promised(
    local_index: LocalIndex, tmp_path: Path, promise: dict[str, Any]
) -> None:
    url, _ = wheel(local_index, tmp_path / "w")
    with pytest.raises(HashMismatchError, match="promised"):
        run(lambda client: client.download(url, tmp_path / "to" / "x.whl", **promise))
    assert leftovers(tmp_path / "to") == []


@pytest.mark.parametrize(
    ("number", "kind"),
    [(errno.ENOSPC, DiskFullError), (errno.EROFS, NotWritableError), (errno.EIO, StoreError)],
)
def test_what_the_disk_says(tmp_path: Path, number: int, kind: type[StoreError]) -> None:
    error = disk_error(OSError(number, os.strerror(number)), tmp_path)
    assert type(error) is kind
    assert (error.cause, bool(error.hint)) == (os.strerror(number), True)


def test_a_full_disk(local_index: LocalIndex, tmp_path: Path) -> None:
    """A limit on the size of files makes the system refuse a write, as a full disk does."""
    resource = pytest.importorskip("resource")
    url, _ = wheel(local_index, tmp_path / "w", size=3_000_000)
    old = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (2_000_000, old[1]))
    try:
        with pytest.raises(StoreError, match="cannot be written"):
            run(lambda client: client.download(url, tmp_path / "to" / "x.whl"))
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, old)
    assert leftovers(tmp_path / "to") == []
    assert len(local_index.requests) == 1, "trying again does not make the disk larger"


def test_a_directory_that_cannot_be_made(local_index: LocalIndex, tmp_path: Path) -> None:
    url, _ = wheel(local_index, tmp_path / "w")
    (tmp_path / "file").write_text("")
    with pytest.raises(StoreError, match="cannot be written") as caught:
        run(lambda client: client.download(url, tmp_path / "file" / "x.whl"))
    assert caught.value.hint


def test_cancelling_leaves_nothing(local_index: LocalIndex, tmp_path: Path) -> None:
    url, _ = wheel(local_index, tmp_path / "w", size=3_000_000)
    local_index.fail("/files/*", Fault(truncate=1_500_000, hang=0.05))

    async def work(client: Client) -> None:
        downloads = [
            asyncio.ensure_future(client.download(url, tmp_path / "to" / f"{number}.whl"))
            for number in range(4)
        ]
        await asyncio.sleep(0.07)
        for download in downloads:
            download.cancel()
        results = await asyncio.gather(*downloads, return_exceptions=True)
        assert {type(result) for result in results} == {asyncio.CancelledError}

    run(work)
    assert leftovers(tmp_path / "to") == []


@pytest.mark.skipif(sys.platform == "win32", reason="SIGINT to another process")
def test_an_interrupt_is_clean(
    local_index: LocalIndex, tmp_path: Path, each_transport: str
) -> None:
    url, _ = wheel(local_index, tmp_path / "w", size=3_000_000)
    local_index.fail("/files/*", Fault(truncate=2_500_000, hang=0.2))
    program = f"""
import asyncio, pathlib
from kaa.network import transport
from kaa.network.client import Answer, Client
from kaa.store.disk import disk_error
from kaa.network.settings import NetworkSettings

if {each_transport!r} == "python":
    transport._rust_transport = lambda *_: None

async def main():
    async with Client(NetworkSettings(retries=1000), concurrency=4) as client:
        folder = pathlib.Path({str(tmp_path / "to")!r})
        print("started", flush=True)
        await asyncio.gather(
            *(client.download({url!r}, folder / str(number)) for number in range(20))
        )

try:
    asyncio.run(main())
except KeyboardInterrupt:
    print("interrupted")
"""
    process = subprocess.Popen(
        [sys.executable, "-W", "default", "-c", program],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    assert process.stdout is not None
    process.stdout.readline()
    deadline = time.monotonic() + 300
    while not local_index.requests:
        assert process.poll() is None and time.monotonic() < deadline
        time.sleep(0.01)
    time.sleep(0.1)
    process.send_signal(signal.SIGINT)
    output, errors = process.communicate(timeout=300)
    assert output == "interrupted\n"
    assert "never" not in errors
    assert "pending" not in errors
    assert "Traceback" not in errors
    assert leftovers(tmp_path / "to") == []


def test_many_at_once(local_index: LocalIndex, tmp_path: Path) -> None:
    url, content = wheel(local_index, tmp_path / "w")

    async def work(client: Client) -> list[Answer]:
        return await asyncio.gather(*(client.get(f"{url}?{number}") for number in range(120)))

    local_index.fail("*[?]*", Fault(body=content))
    answers = run(work, concurrency=10)
    assert [answer.content == content for answer in answers] == [True] * 120


def test_what_looks_like_a_token_is_fetched_as_it_is(
    local_index: LocalIndex, tmp_path: Path
) -> None:
    place = "/packages/source/t/toml/toml-0.10.2.tar.gz"
    local_index.fail(place, Fault(body=b"content"))
    url = f"http://{local_index.host}{place}"
    run(lambda client: client.download(url, tmp_path / "toml.tar.gz"))
    assert (tmp_path / "toml.tar.gz").read_bytes() == b"content"


def test_file_urls(tmp_path: Path) -> None:
    path = build_wheel(tmp_path / "simple" / "demo", "demo")
    base = (tmp_path / "simple").as_uri()
    page = run(lambda client: client.get(f"{base}/demo/"))
    assert b'href="demo-1.0-py3-none-any.whl"' in page.content
    (path.parent / "index.html").write_text("<p>mine</p>")
    assert run(lambda client: client.get(f"{base}/demo/")).content == b"<p>mine</p>"
    assert run(lambda client: client.get(f"{base}/other/")).status == 404
    content = path.read_bytes()
    tail = run(lambda client: client.get_range(path.as_uri(), -7))
    assert (tail.status, tail.content) == (206, content[-7:])
    run(lambda client: client.download(path.as_uri(), tmp_path / "to" / "x.whl"))
    assert (tmp_path / "to" / "x.whl").read_bytes() == content


def test_offline() -> None:
    with pytest.raises(SourceUnreachableError, match="switched off"):
        run(lambda client: client.get("http://example.org/"), replace(FAST, offline=True))


def test_a_proxy_gets_the_request_unless_the_host_is_exempt(
    local_index: LocalIndex, tmp_path: Path
) -> None:
    wheel(local_index, tmp_path / "w")
    with LocalIndex() as proxy:
        settings = replace(FAST, proxies={"http": f"http://{proxy.host}"})
        assert run(lambda client: client.get(f"{local_index.url}demo/"), settings).status == 404
        assert proxy.paths() == [f"{local_index.url}demo/"]
        exempt = replace(settings, no_proxy=("127.0.0.1",))
        assert run(lambda client: client.get(f"{local_index.url}demo/"), exempt).status == 200
        assert len(proxy.requests) == 1
