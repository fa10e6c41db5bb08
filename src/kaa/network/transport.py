"""The one seam to the libraries that speak HTTP.

pyreqwest does the work in Rust, at a quarter of the CPU time; it needs Python 3.11. Elsewhere
httpx's own transport does it. Both get the same proxies, certificates and time-outs, and which
host goes through which of them is decided in one place, by httpx's mounts.

Import this module only when something is to be fetched: httpx takes 90 ms.
"""

from __future__ import annotations

import asyncio
import ipaddress
import ssl
import sys
from contextlib import asynccontextmanager
from datetime import timedelta
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

import httpx

from kaa.model.errors import SourceUnreachableError

try:
    from pyreqwest.exceptions import PyreqwestError
except ImportError:  # Python 3.10, or a platform without a wheel of it
    TRANSIENT: tuple[type[Exception], ...] = (httpx.RequestError, TimeoutError)
else:
    TRANSIENT = (httpx.RequestError, TimeoutError, PyreqwestError)
"""What a transport raises when a request or the reading of its answer failed."""

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable
    from contextlib import AbstractAsyncContextManager
    from pathlib import Path

    from kaa.network.settings import NetworkSettings

CONNECT_TIMEOUT = 4.5
"""Seconds for one attempt to connect: two of them fit into the default time-out."""
READ_TIMEOUT = 30.0
"""Seconds between two parts of a body that has begun to arrive."""


def open_client(settings: NetworkSettings) -> httpx.AsyncClient:
    """Return a client that goes through the proxies, and trusts the hosts, of ``settings``.

    Raises :class:`~kaa.model.errors.SourceUnreachableError` when a certificate cannot be read.
    """
    direct = make_transport(settings)
    mounts: dict[str, httpx.AsyncBaseTransport | None] = {
        f"{scheme}://": make_transport(settings, proxy=proxy)
        for scheme, proxy in settings.proxies.items()
    }
    if mounts:
        mounts.update((pattern, direct) for pattern in _without_proxy(settings.no_proxy))
    https_proxy = settings.proxies.get("https") or settings.proxies.get("all")
    for host in settings.trusted_hosts:
        bypassed = "*" in settings.no_proxy or host in settings.no_proxy
        mounts[f"https://{host}"] = make_transport(
            settings, proxy=None if bypassed else https_proxy, verify=False
        )
    return httpx.AsyncClient(
        transport=direct,
        mounts=mounts,
        trust_env=False,
        timeout=None,  # noqa: S113 - each transport has its own
        follow_redirects=False,
    )


def deadline(seconds: float) -> AbstractAsyncContextManager[object]:
    """Raise ``TimeoutError`` inside the block after ``seconds``.

    ``asyncio.wait_for`` will not do: before Python 3.12 it loses a cancellation that arrives at
    the moment its work ends, and the request would be tried again by a task that was told to stop.
    """
    if sys.version_info >= (3, 11):
        return asyncio.timeout(seconds)
    return _deadline_of_anyio(seconds)


@asynccontextmanager
async def _deadline_of_anyio(seconds: float) -> AsyncIterator[None]:
    # Right for httpx's transport only: pyreqwest's cancellations are not recognised by anyio.
    import anyio

    with anyio.fail_after(seconds):
        yield


def make_transport(
    settings: NetworkSettings, *, proxy: str | None = None, verify: bool = True
) -> httpx.AsyncBaseTransport:
    """Return the best transport there is, through ``proxy`` if one is given."""
    # Whether pyreqwest can do SOCKS depends on how it was built; httpx can.
    if not (proxy and urlsplit(proxy).scheme.startswith("socks")):
        transport = _rust_transport(settings, proxy, verify)
        if transport is not None:
            return transport
    return _TimedTransport(settings, proxy, verify)


def _without_proxy(hosts: tuple[str, ...]) -> list[str]:
    """Return httpx's patterns for the entries of ``NO_PROXY``."""
    if "*" in hosts:
        return ["all://"]
    patterns = []
    for host in hosts:
        if "/" in host:
            # Networks (10.0.0.0/8) are more than httpx knows; what is no pattern says nothing.
            patterns += [host] if "://" in host else []
            continue
        try:
            address = ipaddress.ip_address(host.strip("[]"))
        except ValueError:
            exact = host.lower() == "localhost" or ":" in host
            patterns.append(f"all://{host}" if exact else f"all://*{host.lstrip('*')}")
        else:
            patterns.append(f"all://[{address}]" if address.version == 6 else f"all://{address}")
    return patterns


def _rust_transport(
    settings: NetworkSettings, proxy: str | None, verify: bool
) -> httpx.AsyncBaseTransport | None:
    try:
        from pyreqwest.client import ClientBuilder
        from pyreqwest.compatibility.httpx import HttpxTransport
        from pyreqwest.exceptions import BuilderError
        from pyreqwest.proxy import ProxyBuilder
    except ImportError:
        return None
    try:
        builder = (
            ClientBuilder()
            .http2(True)
            .http2_adaptive_window(True)
            .follow_redirects(False)
            .referer(False)
            .connect_timeout(timedelta(seconds=min(CONNECT_TIMEOUT, settings.timeout)))
            .read_timeout(timedelta(seconds=max(READ_TIMEOUT, settings.timeout)))
            .no_proxy()
        )
        if proxy:
            builder = builder.proxy(ProxyBuilder.all(proxy))
        for path in _certificate_files(settings):
            builder = builder.add_root_certificate_pem(_read(path, "certificate bundle"))
        if settings.client_certificate:
            builder = builder.identity_pem(_read(settings.client_certificate, "client certificate"))
        if not verify:
            builder = builder.danger_accept_invalid_certs(True)
        transport: httpx.AsyncBaseTransport = HttpxTransport(builder.build())
        return transport
    except BuilderError:
        # Among others: a container without any system certificates. httpx brings its own, and
        # says better what is wrong with a file.
        return None


async def raw_body(response: httpx.Response, block: int) -> AsyncIterator[bytes]:
    """Yield a body as it came, in parts of up to ``block`` bytes where the transport can.

    The fewer parts, the less often the event loop has to wait for threads that unpack wheels.
    """
    inner = response.extensions.get("pyreqwest_response")
    if inner is None:
        async for chunk in response.aiter_raw():
            yield chunk
        return
    while (part := await inner.body_reader.read(block)) is not None:
        yield bytes(part)


class _TimedTransport(httpx.AsyncHTTPTransport):
    """httpx's transport with its time-outs set here, where the other transport has them too."""

    def __init__(self, settings: NetworkSettings, proxy: str | None, verify: bool) -> None:
        super().__init__(
            verify=_ssl_context(settings, verify),
            http2=True,
            proxy=proxy,
            limits=httpx.Limits(max_connections=None, max_keepalive_connections=50),
        )
        self._timeout = httpx.Timeout(
            max(READ_TIMEOUT, settings.timeout),
            connect=min(CONNECT_TIMEOUT, settings.timeout),
            pool=None,
        ).as_dict()

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        request.extensions = {**request.extensions, "timeout": self._timeout}
        return await super().handle_async_request(request)


def _ssl_context(settings: NetworkSettings, verify: bool) -> ssl.SSLContext:
    context = ssl.create_default_context()
    if not context.get_ca_certs():
        import certifi

        context.load_verify_locations(certifi.where())
    for path in _certificate_files(settings):
        _load(path, "certificate bundle", context.load_verify_locations)
    if settings.client_certificate:
        _load(settings.client_certificate, "client certificate", context.load_cert_chain)
    if not verify:
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
    return context


def _certificate_files(settings: NetworkSettings) -> list[Path]:
    files = [settings.ca_bundle] if settings.ca_bundle else []
    if settings.ca_directory and not files and settings.ca_directory.is_dir():
        files += [path for path in settings.ca_directory.iterdir() if path.suffix == ".pem"]
    return files


def _load(path: Path, what: str, load: Callable[[str], object]) -> None:
    try:
        load(str(path))
    except OSError as error:  # SSLError, too
        raise _unreadable(path, what, error) from error


def _read(path: Path, what: str) -> bytes:
    try:
        return path.read_bytes()
    except OSError as error:
        raise _unreadable(path, what, error) from error


def _unreadable(path: Path, what: str, error: OSError) -> SourceUnreachableError:
    return SourceUnreachableError(
        f"the {what} {path} cannot be read",
        cause=error.strerror or str(error),
        hint="correct SSL_CERT_FILE, or pip's setting cert or client-cert, or unset it",
    )
