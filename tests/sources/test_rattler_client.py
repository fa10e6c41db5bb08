"""rattler's client against real servers: proxies, certificates, mirrors, credentials, silence."""

from __future__ import annotations

import asyncio
import json
import os
import shutil
import socket
import subprocess
import time
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

import pytest

from conda_channel import CondaChannel
from kaa.model.errors import (
    RequestError,
    SourceError,
    SourceUnreachableError,
    UnsupportedError,
)
from kaa.network.settings import NetworkSettings, load_settings
from kaa.settings.configuration import Configuration, load_configuration
from kaa.sources.channels import resolve_sources
from kaa.sources.conda import CondaChannels, open_gateway
from kaa.sources.rattler_client import (
    channel_settings,
    check_reachable,
    open_rattler_client,
    rattler_config,
)
from local_server import Fault, LocalServer, Reply, Request, basic

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

ONCE = NetworkSettings(retries=0)


@pytest.fixture
def channel(tmp_path: Path) -> Iterator[CondaChannel]:
    with CondaChannel(tmp_path / "forge") as channel:
        channel.add_record("demo", "1.0", noarch="generic")
        yield channel


def versions(
    text: str,
    folder: Path,
    settings: NetworkSettings = ONCE,
    **configured: Any,
) -> list[str]:
    """Return the versions of ``demo`` in a channel, read with what was configured."""
    configuration = Configuration(**configured)

    async def main() -> list[str]:
        client = open_rattler_client(configuration, settings)
        gateway = open_gateway(folder / "cache", client)
        channels = CondaChannels(gateway, resolve_sources([text], configuration), "linux-64")
        return [str(record.version) for record in await channels.records("demo")]

    return asyncio.run(main())


def sent(server: CondaChannel | LocalServer) -> set[str | None]:
    return {request.headers.get("authorization") for request in server.requests}


def test_nothing_special(channel: CondaChannel, tmp_path: Path) -> None:
    assert versions(channel.url, tmp_path) == ["1.0"]
    assert {request.headers["user-agent"][:4] for request in channel.requests} == {"kaa/"}
    assert sent(channel) == {None}


# --- credentials


@pytest.mark.parametrize(
    ("entry", "wanted"),
    [
        ({"BasicHTTP": {"username": "me", "password": "pw"}}, {"auth": ("me", "pw")}),
        ({"CondaToken": "tk-1"}, {"token": "tk-1"}),
        ({"BearerToken": "bearer-1"}, {"token": "bearer-1"}),
    ],
)
@pytest.mark.parametrize("way", ["RATTLER_AUTH_FILE", "authentication-file"])
def test_credentials_from_rattlers_file(
    channel: CondaChannel,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    entry: dict[str, Any],
    wanted: dict[str, Any],
    way: str,
) -> None:
    for name, value in wanted.items():
        setattr(channel, name, value)
    with pytest.raises(SourceError):
        versions(channel.url, tmp_path)
    file = tmp_path / "auth.json"
    file.write_text(json.dumps({"127.0.0.1": entry}))
    settings: dict[str, Any] = {}
    if way == "RATTLER_AUTH_FILE":
        monkeypatch.setenv(way, str(file))
    else:
        settings["authentication_file"] = file
    assert versions(channel.url, tmp_path, **settings) == ["1.0"]


def test_credentials_from_netrc(
    channel: CondaChannel, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    channel.auth = ("me", "pw")
    (tmp_path / "netrc").write_text("machine 127.0.0.1 login me password pw\n")
    monkeypatch.setenv("NETRC", str(tmp_path / "netrc"))
    assert versions(channel.url, tmp_path) == ["1.0"]


def test_credentials_in_the_url(channel: CondaChannel, tmp_path: Path) -> None:
    channel.auth = ("me", "p@ss")
    with_user = channel.url.replace("://", "://me:p%40ss@")
    assert versions(with_user, tmp_path) == ["1.0"]
    channel.auth, channel.token = None, "tk-2"
    with_token = channel.url.replace(channel.host, f"{channel.host}/t/tk-2")
    assert versions(with_token, tmp_path / "other") == ["1.0"]


def test_a_refusal_shows_no_credentials(channel: CondaChannel, tmp_path: Path) -> None:
    channel.auth = ("me", "right")
    with pytest.raises(SourceError) as caught:
        versions(channel.url.replace("://", "://me:wrong@"), tmp_path)
    error = caught.value
    assert "wrong" not in f"{error.message}{error.cause}{error.hint}"


# --- proxies


@pytest.fixture
def proxy(channel: CondaChannel) -> Iterator[LocalServer]:
    """A proxy by which the channel is at any host."""

    def answer(request: Request) -> Reply:
        path = urlsplit(request.path).path
        return channel._answer(Request(path, request.headers, request.method))

    server = LocalServer(answer)
    server.start()
    yield server
    server.stop()


def test_a_proxy_of_the_configuration(proxy: LocalServer, tmp_path: Path) -> None:
    url = "http://channels.example.org/forge"
    for scheme, place in (("http", f"http://me:pw@{proxy.host}"), ("all", proxy.host)):
        proxy.requests.clear()
        assert versions(url, tmp_path / scheme, proxies={scheme: place}) == ["1.0"]
        assert {urlsplit(request.path).netloc for request in proxy.requests} == {
            "channels.example.org"
        }
    proxy.requests.clear()
    assert versions(url, tmp_path / "pip", NetworkSettings(proxies={"http": proxy.url}))
    assert proxy.requests


def test_proxies_of_the_configuration_win_over_the_environments(
    proxy: LocalServer, tmp_path: Path
) -> None:
    settings = NetworkSettings(proxies={"http": "http://127.0.0.1:9"}, retries=0)
    assert versions("http://c.example.org/forge", tmp_path, settings, proxies={"http": proxy.url})


def test_hosts_to_reach_without_a_proxy(
    channel: CondaChannel, proxy: LocalServer, tmp_path: Path
) -> None:
    assert versions(
        channel.url, tmp_path, proxies={"http": "http://127.0.0.1:9"}, no_proxy=("127.0.0.1",)
    )
    assert not proxy.requests


def test_proxies_that_cannot_be() -> None:
    for url in ("http://", "http://me:secret@", "http://host:port"):
        with pytest.raises(RequestError, match="no URL") as caught:
            rattler_config(Configuration(proxies={"http": url}), ONCE)
        assert "secret" not in f"{caught.value.message}{caught.value.cause}{caught.value.hint}"
    with pytest.raises(UnsupportedError, match="only is not supported"):
        rattler_config(Configuration(proxies={"http://me:pw@host.example.org": "http://p"}), ONCE)


# --- mirrors


def test_mirrors_are_asked_in_the_channels_place(channel: CondaChannel, tmp_path: Path) -> None:
    place = "http://127.0.0.1:9/forge"
    with pytest.raises(SourceUnreachableError):
        versions(place, tmp_path)
    assert versions(place, tmp_path, mirrors={place: (channel.url,)}) == ["1.0"]
    named = {"corp": ("http://127.0.0.1:9/x",)}
    assert versions(
        "corp", tmp_path / "b", channel_aliases=named, mirrors={"corp": (channel.url,)}
    ) == ["1.0"]


# --- certificates


@pytest.fixture(scope="module")
def authority(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A directory with an authority (``ca.pem``) and a server's certificate (``server.pem``)."""
    if not shutil.which("openssl"):
        pytest.skip("openssl makes certificates")
    folder = tmp_path_factory.mktemp("certificates")

    def openssl(*arguments: str) -> None:
        subprocess.run(["openssl", *arguments], cwd=folder, check=True, capture_output=True)

    key = ("-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes")
    openssl(
        *("req", "-x509", *key, "-keyout", "ca.key", "-out", "ca.pem", "-subj", "/CN=ca"),
        *("-days", "2", "-addext", "keyUsage=critical,keyCertSign"),
    )
    (folder / "extensions").write_text("subjectAltName=IP:127.0.0.1\nbasicConstraints=CA:FALSE\n")
    openssl("req", *key, "-keyout", "server.key", "-out", "server.csr", "-subj", "/CN=server")
    openssl(
        *("x509", "-req", "-in", "server.csr", "-CA", "ca.pem", "-CAkey", "ca.key"),
        *("-CAcreateserial", "-days", "2", "-extfile", "extensions", "-out", "server.crt"),
    )
    both = (folder / "server.crt").read_text() + (folder / "server.key").read_text()
    (folder / "server.pem").write_text(both)
    return folder


def test_certificates(authority: Path, tmp_path: Path) -> None:
    before = dict(os.environ)
    with CondaChannel(tmp_path / "forge", tls=authority / "server.pem") as channel:
        channel.add_record("demo", "1.0", noarch="generic")
        with pytest.raises(SourceError):
            versions(channel.url, tmp_path)
        ca = authority / "ca.pem"
        assert versions(channel.url, tmp_path / "a", ssl_verify=ca) == ["1.0"]
        assert versions(channel.url, tmp_path / "b", ssl_verify=False) == ["1.0"]
        settings = NetworkSettings(ca_bundle=ca, retries=0)
        assert versions(channel.url, tmp_path / "c", settings) == ["1.0"]
        with pytest.raises(SourceError):
            versions(channel.url, tmp_path / "d")
        assert dict(os.environ) == before
        asyncio.run(check(channel.url, ssl_verify=ca))
        asyncio.run(check(channel.url, ssl_verify=False))
        with pytest.raises(SourceUnreachableError):
            asyncio.run(check(channel.url))
    with pytest.raises(SourceUnreachableError, match="cannot be read"):
        open_rattler_client(Configuration(ssl_verify=tmp_path / "none.pem"), ONCE)


# --- who does not answer


async def check(text: str, settings: NetworkSettings = ONCE, **configured: Any) -> None:
    configuration = Configuration(**configured)
    await check_reachable(resolve_sources([text], configuration), configuration, settings)


def test_an_answer_of_any_kind_is_one(channel: CondaChannel) -> None:
    for status in (200, 401, 403, 404, 500):
        channel.heal()
        channel.fail("*", Fault(status=status))
        asyncio.run(check(channel.url))
    assert {request.path for request in channel.requests} == {"/forge/noarch/repodata.json"}


def test_channels_that_need_no_network_are_not_asked(channel: CondaChannel, tmp_path: Path) -> None:
    asyncio.run(check(str(tmp_path)))
    asyncio.run(check("http://127.0.0.1:9/x", offline=True))
    asyncio.run(check("http://127.0.0.1:9/x", mirrors={"http://127.0.0.1:9/x": (channel.url,)}))
    assert len(channel.requests) == 1


def test_a_server_that_says_nothing(channel: CondaChannel) -> None:
    channel.fail("*", Fault(hang=600))
    start = time.monotonic()
    with pytest.raises(SourceUnreachableError, match="the channel http://127") as caught:
        asyncio.run(check(channel.url.replace("://", "://me:secret@"), connect_timeout=1))
    assert time.monotonic() - start < 60
    assert "-c pypi" in str(caught.value.hint)
    assert "secret" not in f"{caught.value.message}{caught.value.cause}"


def test_a_host_that_does_not_answer() -> None:
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        listener.listen(0)
        waiting = [socket.socket() for _ in range(4)]
        for one in waiting:  # the queue is full: the next one gets no answer at all
            one.setblocking(False)
            one.connect_ex(listener.getsockname())
        start = time.monotonic()
        with pytest.raises(SourceUnreachableError):
            asyncio.run(check(f"http://127.0.0.1:{listener.getsockname()[1]}/c", connect_timeout=1))
        assert time.monotonic() - start < 60
        for one in waiting:
            one.close()


def test_a_closed_port() -> None:
    with pytest.raises(SourceUnreachableError) as caught:
        asyncio.run(check("http://127.0.0.1:9/c"))
    assert "refused" in str(caught.value.cause).lower()


# --- the settings of both worlds


def load(tmp_path: Path, condarc: str, **environ: str) -> tuple[Configuration, NetworkSettings]:
    (tmp_path / ".condarc").write_text(condarc)
    configuration = load_configuration(environ, condarc_files=[tmp_path / ".condarc"], own_files=[])
    return configuration, load_settings(
        environ, pip_files=[], uv_files=[], configuration=configuration
    )


def test_condas_settings_serve_indexes_where_pip_and_uv_say_nothing(tmp_path: Path) -> None:
    (tmp_path / "ca.pem").write_text("")
    condarc = (
        "proxy_servers: {https: 'http://me:secret@conda.example.org'}\nremote_max_retries: 7\n"
        "ssl_verify: ca.pem\nremote_read_timeout_secs: 33\noffline: true\nclient_ssl_cert: me.pem\n"
    )
    configuration, settings = load(tmp_path, condarc)
    assert settings.proxies == {"https": "http://me:secret@conda.example.org"}
    assert settings.ca_bundle == tmp_path / "ca.pem"
    assert settings.client_certificate == tmp_path / "me.pem"
    assert (settings.timeout, settings.retries, settings.offline) == (33, 7, True)
    assert "secret" not in repr(settings)
    configuration, settings = load(
        tmp_path,
        condarc,
        HTTPS_PROXY="http://env.example.org",
        UV_HTTP_TIMEOUT="5",
        UV_HTTP_RETRIES="1",
        SSL_CERT_FILE="/env.pem",
    )
    assert settings.proxies == {"https": "http://env.example.org"}
    assert str(settings.ca_bundle) == "/env.pem"
    assert (settings.timeout, settings.retries) == (5, 1)
    own = channel_settings(configuration, settings)
    assert own.proxies == {"https": "http://me:secret@conda.example.org"}
    assert own.ca_bundle == tmp_path / "ca.pem"
    assert (own.timeout, own.retries, own.indexes) == (33, 7, ())
    assert "secret" not in repr(own)


def test_conda_without_verification_says_nothing_of_indexes(tmp_path: Path) -> None:
    configuration, settings = load(
        tmp_path, "ssl_verify: false\nclient_ssl_cert: a\nclient_ssl_cert_key: b\n"
    )
    assert settings.trusted_hosts == ()
    assert settings.client_certificate is None
    assert rattler_config(configuration, settings).tls_no_verify is True
    (tmp_path / "certs").mkdir()
    _, settings = load(tmp_path, "ssl_verify: certs\n")
    assert (settings.ca_bundle, settings.ca_directory) == (None, tmp_path / "certs")


def test_basic_is_what_rattler_sends(channel: CondaChannel, tmp_path: Path) -> None:
    versions(channel.url.replace("://", "://me:pw@"), tmp_path)
    assert sent(channel) == {basic("me", "pw")}
