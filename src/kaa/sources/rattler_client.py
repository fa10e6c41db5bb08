"""The HTTP client that rattler fetches repodata and packages of conda channels with.

It authenticates as rattler does everywhere: from the file that ``RATTLER_AUTH_FILE`` names,
``~/.rattler/credentials.json``, netrc and the system's keyring; its time-out is one for a whole
request, downloads included, so that whether a channel answers at all is found out here.
"""

from __future__ import annotations

import json
import logging
import os
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from kaa.model.errors import (
    RequestError,
    SourceAnswerError,
    SourceUnreachableError,
    UnsupportedError,
)
from kaa.network.settings import DEFAULT_TIMEOUT
from kaa.sources.channel_failures import unreachable
from kaa.sources.channels import mirrors, public_url

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from rattler import Client, Config

    from kaa.model.source import Source
    from kaa.network.client import Client as HttpClient
    from kaa.network.settings import NetworkSettings
    from kaa.settings.configuration import Configuration

_LOG = logging.getLogger(__name__)
_PROXIED = ("http", "https")


def channel_settings(configuration: Configuration, settings: NetworkSettings) -> NetworkSettings:
    """Return the network settings for conda channels: conda's own win over those of pip and uv.

    Proxies of the configuration win over ``HTTP_PROXY``, as conda has it; likewise its
    certificates, time-out and retries. Raises :class:`~kaa.model.errors.UnsupportedError` for a
    proxy for one host only.
    """
    alone = [name for name in configuration.proxies if name not in {*_PROXIED, "all"}]
    if alone:
        raise UnsupportedError(
            f"a proxy for {public_url(alone[0])} only is not supported",
            cause=f"it is set in {configuration.origin('proxies')}",
            hint="set proxies for http and https, and hosts to reach without in `no-proxy`",
        )
    verify = configuration.ssl_verify
    bundle, directory = settings.ca_bundle, settings.ca_directory
    if isinstance(verify, Path):
        bundle, directory = (None, verify) if verify.is_dir() else (verify, None)
    return replace(
        settings,
        indexes=(),
        proxies={
            scheme: url if "://" in url else f"http://{url}"
            for scheme, url in configuration.proxies.items()
            if url
        }
        or settings.proxies,
        no_proxy=tuple(dict.fromkeys((*settings.no_proxy, *configuration.no_proxy))),
        ca_bundle=bundle,
        ca_directory=directory,
        timeout=configuration.timeout or settings.timeout,
        retries=settings.retries if configuration.retries is None else configuration.retries,
        offline=settings.offline or configuration.offline,
    )


def rattler_config(configuration: Configuration, settings: NetworkSettings) -> Config:
    """Return rattler's configuration of proxies, certificates, mirrors and authentication.

    ``settings`` are those of :func:`~kaa.network.settings.load_settings`. Raises
    :class:`~kaa.model.errors.RequestError` for what rattler cannot do.
    """
    from rattler import Config

    own = channel_settings(configuration, settings)
    config = Config()
    if configuration.ssl_verify is False:
        config.set("tls-no-verify", "true")
    for scheme in _PROXIED:
        url = own.proxies.get(scheme) or own.proxies.get("all")
        if url:
            config.set(f"proxy-config.{scheme}", json.dumps(_checked_proxy(url, configuration)))
    if own.no_proxy:
        config.set("proxy-config.non-proxy-hosts", json.dumps(own.no_proxy))
    if configuration.authentication_file:
        config.set("authentication-override-file", str(configuration.authentication_file))
    replaced = mirrors(configuration)
    if replaced:
        config.set("mirrors", json.dumps(replaced))
    return config


def open_rattler_client(configuration: Configuration, settings: NetworkSettings) -> Client:
    """Return the client for :func:`~kaa.sources.conda.open_gateway` and for fetching packages.

    Raises what :func:`rattler_config` raises, and
    :class:`~kaa.model.errors.SourceUnreachableError` for certificates that cannot be read.
    """
    from rattler import Client

    if configuration.client_certificate:
        _LOG.warning(
            "%s is not used for conda channels: rattler knows no client certificates",
            configuration.client_certificate,
        )
    own = channel_settings(configuration, settings)
    config = rattler_config(configuration, settings)
    with _certificates(own):
        return Client.from_config(config, max_retries=own.retries, user_agent=_user_agent())


async def check_reachable(
    sources: Sequence[Source], configuration: Configuration, settings: NetworkSettings
) -> None:
    """Return as soon as every channel of ``sources`` has answered anything at all.

    To be run beside the gateway's work, which waits for 30 seconds to connect, and for ever when a
    server accepts a connection and says nothing. A refusal (401, 404) is an answer here: the
    gateway says more about it.

    Raises :class:`~kaa.model.errors.SourceUnreachableError` within the time-out of the settings,
    which is 10 seconds unless the user wants to wait longer.
    """
    import asyncio

    from kaa.network.client import Client as HttpClient

    own = channel_settings(configuration, settings)
    replaced = mirrors(configuration)
    places = {
        public_url(place): source
        for source in sources
        for url in source.urls
        for place in replaced.get(url, [url])[:1]
        if urlsplit(place).scheme in _PROXIED
    }
    if not places or own.offline:
        return
    hosts = tuple({urlsplit(place).netloc for place in places})
    limit = min(own.timeout, configuration.connect_timeout or DEFAULT_TIMEOUT)
    if configuration.timeout:
        limit = max(limit, configuration.timeout)
    trusted = hosts if configuration.ssl_verify is False else own.trusted_hosts
    probing = replace(own, timeout=limit, retries=0, trusted_hosts=trusted, netrc=None)
    async with HttpClient(probing) as client:
        await asyncio.gather(*(_probe(client, url, each, sources) for url, each in places.items()))


async def _probe(client: HttpClient, url: str, source: Source, sources: Sequence[Source]) -> None:
    try:
        await client.get_range(f"{url}noarch/repodata.json", 0, 1)
    except SourceAnswerError:
        return
    except SourceUnreachableError as error:
        raise unreachable(source, sources, error.cause) from error


def _checked_proxy(url: str, configuration: Configuration) -> str:
    try:
        parts = urlsplit(url)
        whole = bool(parts.hostname) and (parts.port or True)
    except ValueError:
        whole = False
    if not whole:
        raise RequestError(
            "a proxy is given that is no URL",
            cause=f"it is set in {configuration.origin('proxies') or 'the environment'}",
            hint="write it as http://host:port",
        )
    return url


@contextmanager
def _certificates(settings: NetworkSettings) -> Iterator[None]:
    """Let rattler, which has no setting for them, read certificates from where OpenSSL's are."""
    wanted = {"SSL_CERT_FILE": settings.ca_bundle, "SSL_CERT_DIR": settings.ca_directory}
    for path in wanted.values():
        if path is not None and not os.access(path, os.R_OK):
            raise SourceUnreachableError(
                f"the certificates {path} cannot be read",
                hint="correct `ssl_verify` in .condarc, `ssl-verify` in kaa's file, or "
                "SSL_CERT_FILE",
            )
    before = {name: os.environ.get(name) for name in wanted}
    if settings.ca_bundle is None and settings.ca_directory is None:
        yield
        return
    try:
        for name, path in wanted.items():
            _set(name, None if path is None else str(path))
        yield
    finally:
        for name, value in before.items():
            _set(name, value)


def _set(name: str, value: str | None) -> None:
    if value is None:
        os.environ.pop(name, None)
    else:
        os.environ[name] = value


def _user_agent() -> str:
    import kaa

    return f"kaa/{kaa.__version__}"
