"""Fetching: one client for a whole run, which retries, authenticates and never half-writes."""

from __future__ import annotations

import random
import sys
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, TypeVar
from urllib.parse import urljoin

from kaa.model.errors import (
    HashMismatchError,
    SourceAnswerError,
    SourceUnreachableError,
    TruncatedDownloadError,
)
from kaa.network.failures import SWITCHED_OFF, is_final, refusal, unreachable
from kaa.network.local_files import is_local, local_path, read_page, read_part
from kaa.network.locations import origin, redact, split_credentials

if TYPE_CHECKING:
    import asyncio
    from collections.abc import Awaitable, Callable, Mapping
    from pathlib import Path
    from types import TracebackType

    import httpx

    from kaa.network.downloads import PartialFile
    from kaa.network.settings import NetworkSettings

T = TypeVar("T")

CONCURRENCY = 50
_RETRIED = {408, 425, 429, 500, 502, 503, 504}
_REDIRECTS = {301, 302, 303, 307, 308}
_RETURNED = frozenset({304, 404, 410, 416})
_LONGEST_WAIT = 10.0
_BLOCK = 1 << 20


@dataclass(frozen=True, slots=True)
class Answer:
    """What a server said. Header names are in lower case; ``url`` is where it was in the end."""

    status: int
    headers: Mapping[str, str]
    content: bytes
    url: str


class Client:
    """Fetches URLs (``http:``, ``https:``, ``file:``); use it with ``async with``, in one loop.

    Nothing is imported or opened before the first request, so that a run which finds everything
    in the cache pays for nothing. ``backoff`` is the first pause between two attempts, in
    seconds; each further one is twice as long.
    """

    def __init__(
        self,
        settings: NetworkSettings,
        *,
        concurrency: int = CONCURRENCY,
        backoff: float = 0.25,
    ) -> None:
        self.settings = settings
        self._concurrency = concurrency
        self._backoff = backoff
        self._http: httpx.AsyncClient | None = None
        self._slots: asyncio.Semaphore | None = None
        self._busy: set[asyncio.Task[Any]] = set()

    async def __aenter__(self) -> Client:
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        await self.aclose()

    async def aclose(self) -> None:
        """Cancel what is still being fetched, and close the connections.

        When one of many requests fails, the others are still under way; closed under their
        hands, each of them would fail, too, where nobody listens any more.
        """
        import asyncio

        busy = self._busy - {asyncio.current_task()}
        for task in busy:
            task.cancel()
        if busy:
            await asyncio.wait(busy)
        http, self._http, self._slots = self._http, None, None
        if http is not None:
            await http.aclose()

    async def get(
        self,
        url: str,
        headers: Mapping[str, str] | None = None,
        *,
        returned: frozenset[int] = _RETURNED,
    ) -> Answer:
        """Fetch ``url`` whole. Statuses 2xx and those in ``returned`` are answers, not errors.

        Raises :class:`~kaa.model.errors.SourceUnreachableError` when nobody answers and
        :class:`~kaa.model.errors.SourceAnswerError` for any other status.
        """
        if is_local(url):
            content = read_page(url)
            kind = {"content-type": "text/html"}
            return Answer(404 if content is None else 200, kind, content or b"", url)

        async def read(response: httpx.Response) -> Answer:
            return _answer(response, await response.aread())

        wanted = {"accept-encoding": "gzip, deflate", **(headers or {})}
        return await self._fetch(url, wanted, returned, read)

    async def get_range(self, url: str, start: int, stop: int | None = None) -> Answer:
        """Fetch bytes ``start`` to ``stop`` (exclusive) of a file (RFC 9110, 14).

        A negative ``start`` asks for that many bytes of the end. The answer's status is 206 when
        the server did so; for any other status ``content`` is empty, so that a server without
        ranges never sends a whole file into memory.
        """
        if is_local(url):
            part = read_part(url, start, stop)
            if part is None:
                return Answer(404, {}, b"", url)
            content, first, size = part
            span = f"bytes {first}-{first + len(content) - 1}/{size}"
            return Answer(206, {"content-range": span}, content, url)

        async def read(response: httpx.Response) -> Answer:
            return _answer(response, await response.aread() if response.status_code == 206 else b"")

        span = (
            f"bytes={start}" if start < 0 else f"bytes={start}-{'' if stop is None else stop - 1}"
        )
        # Compressed, the range would be one of the compressed file.
        wanted = {"range": span, "accept-encoding": "identity"}
        return await self._fetch(url, wanted, _RETURNED, read)

    async def download(
        self,
        url: str,
        destination: Path,
        *,
        hashes: Mapping[str, str] | None = None,
        size: int | None = None,
        advance: Callable[[int], None] | None = None,
    ) -> str:
        """Fetch ``url`` into the file ``destination`` and return its sha256.

        The file appears complete and checked (the strongest of ``hashes``, and ``size`` in bytes)
        or not at all. ``advance`` is told the bytes that came, and a negative
        number when an attempt starts over.

        Raises what :meth:`get` raises, :class:`~kaa.model.errors.TruncatedDownloadError`,
        :class:`~kaa.model.errors.HashMismatchError` and, for the disk,
        :class:`~kaa.model.errors.DiskFullError` or :class:`~kaa.model.errors.NotWritableError`.
        """
        from kaa.network.downloads import PartialFile, expected_hashes

        partial = PartialFile(destination, expected_hashes(hashes))
        report = advance or (lambda amount: None)

        began = False

        async def read(response: httpx.Response) -> None:
            nonlocal began
            began = True
            report(-partial.restart())
            await _receive(response, partial, size, report)

        try:
            if is_local(url):
                await _in_thread(_copy, local_path(url), partial, report)
            else:
                await self._fetch(url, {"accept-encoding": "identity"}, frozenset(), read)
            return await _in_thread(partial.commit)
        except SourceUnreachableError as error:
            import httpx

            # pyreqwest reads the beginning of the body before it hands the answer over.
            if not began and not isinstance(error.__cause__, httpx.DecodingError):
                raise
            raise TruncatedDownloadError(
                f"the download of {destination.name} ended before the file did",
                cause=error.cause,
                hint="try again; what is complete is kept and not downloaded twice",
            ) from error
        finally:
            partial.discard()

    async def _fetch(
        self,
        url: str,
        headers: Mapping[str, str],
        returned: frozenset[int],
        read: Callable[[httpx.Response], Awaitable[T]],
    ) -> T:
        import asyncio

        task = asyncio.current_task()
        # A task fetches one thing at a time, so it is never in the set already.
        self._busy.update({task} if task else ())
        try:
            result = await self._attempts(url, headers, returned, read)
            _heed_cancellation()
            return result
        finally:
            self._busy.difference_update({task})

    async def _attempts(
        self,
        url: str,
        headers: Mapping[str, str],
        returned: frozenset[int],
        read: Callable[[httpx.Response], Awaitable[T]],
    ) -> T:
        import asyncio

        if self.settings.offline:
            raise SourceUnreachableError(
                f"{redact(url)} is not in the cache, and the network is switched off",
                hint=SWITCHED_OFF,
            )
        http, slots = self._open()
        from kaa.network.transport import TRANSIENT

        failures: tuple[type[Exception], ...] = (
            *TRANSIENT,
            asyncio.TimeoutError,
            _TruncatedError,
        )
        async with slots:
            started = time.monotonic()
            for attempt in range(self.settings.retries + 1):
                last = attempt == self.settings.retries
                try:
                    response = await self._follow(http, url, headers)
                    try:
                        status = response.status_code
                        if 200 <= status < 300 or status in returned:
                            return await read(response)
                        if last or status not in _RETRIED:
                            raise refusal(url, response)
                        pause = self._pause(attempt, response.headers.get("retry-after"))
                    finally:
                        await response.aclose()
                except failures as error:
                    _heed_cancellation()
                    waited = time.monotonic() - started
                    if last or waited >= self.settings.timeout * 0.8 or is_final(error):
                        raise unreachable(url, error, waited) from error
                    pause = self._pause(attempt, None)
                await asyncio.sleep(pause)
        raise AssertionError("unreachable")  # pragma: no cover

    def _open(self) -> tuple[httpx.AsyncClient, asyncio.Semaphore]:
        if self._http is None or self._slots is None:
            import asyncio

            from kaa.network.credentials import CredentialStore
            from kaa.network.transport import open_client

            self._http = open_client(self.settings)
            self._slots = asyncio.Semaphore(self._concurrency)
            self._credentials = CredentialStore(self.settings)
        return self._http, self._slots

    async def _follow(
        self, http: httpx.AsyncClient, url: str, headers: Mapping[str, str]
    ) -> httpx.Response:
        """Send the request and follow redirects here, where credentials stay with their host."""
        from kaa.network.transport import deadline

        place = url
        for _ in range(10):
            authorization = await self._credentials.authorization(place)
            request = http.build_request(
                "GET",
                split_credentials(place)[0],
                headers={**headers, "authorization": authorization} if authorization else headers,
            )
            async with deadline(self.settings.timeout):
                response = await http.send(request, stream=True)
            if response.status_code not in _REDIRECTS or "location" not in response.headers:
                return response
            await response.aclose()
            target = urljoin(place, response.headers["location"])
            if origin(target)[0] not in {"http", "https"}:
                break
            place = target
        raise SourceAnswerError(
            f"{redact(url)} redirects without end or to a place that is no web address",
            hint="check the index's URL in pip's or uv's settings",
        )

    def _pause(self, attempt: int, retry_after: str | None) -> float:
        """Return the seconds to wait: what the server asks for, within reason, else doubling."""
        if retry_after and retry_after.strip().isdigit():
            return min(float(retry_after), _LONGEST_WAIT)
        # Not for secrets: it only keeps many clients from coming back at the same moment.
        return self._backoff * 2.0**attempt * random.uniform(0.5, 1.5)  # noqa: S311


class _TruncatedError(Exception):
    """The body was shorter than announced."""


def _heed_cancellation() -> None:
    """Raise ``CancelledError`` if the task was cancelled and the transport did not say so.

    pyreqwest gives the result of an operation that ended at the moment of its cancellation.
    Where it runs, Python has :meth:`asyncio.Task.cancelling`; httpx's own transport loses none.
    """
    import asyncio

    task = asyncio.current_task()
    if sys.version_info >= (3, 11) and task and task.cancelling():
        raise asyncio.CancelledError


async def _receive(
    response: httpx.Response, partial: PartialFile, size: int | None, report: Callable[[int], None]
) -> None:
    """Write the body into ``partial``, a block at a time and off the event loop."""
    from kaa.network.transport import raw_body

    encoded = "content-encoding" in response.headers
    announced = None if encoded else response.headers.get("content-length")
    wanted = int(announced) if announced else size
    buffer: list[bytes] = []
    buffered = 0
    async for chunk in response.aiter_bytes() if encoded else raw_body(response, _BLOCK):
        _heed_cancellation()
        buffer.append(chunk)
        buffered += len(chunk)
        if size is not None and partial.received + buffered > size:
            break  # said below; the rest is of no use
        if buffered >= _BLOCK:
            await _in_thread(partial.write, buffer)
            report(buffered)
            buffer, buffered = [], 0
    if buffer:
        await _in_thread(partial.write, buffer)
        report(buffered)
    for expected in (wanted, size):
        if expected is not None and partial.received < expected:
            raise _TruncatedError(f"{partial.received} of {expected} bytes came")
    if size is not None and partial.received > size:
        raise HashMismatchError(
            f"{redact(str(response.url))} is not the file that the index promised",
            cause=f"it has {partial.received} bytes, not {size}",
            hint="try again; if it stays so, the index or a proxy on the way altered the file",
        )


def _copy(source: Path, partial: PartialFile, report: Callable[[int], None]) -> None:
    try:
        with source.open("rb") as file:
            while block := file.read(_BLOCK):
                partial.write([block])
                report(len(block))
    except OSError as error:
        raise SourceAnswerError(
            f"{source} cannot be read",
            cause=error.strerror,
            hint="check the index that names this file",
        ) from error


async def _in_thread(function: Callable[..., T], *arguments: object) -> T:
    """Call ``function`` in a thread; when cancelled, wait for it, since its file is ours."""
    import asyncio

    future = asyncio.get_running_loop().run_in_executor(None, function, *arguments)
    try:
        return await asyncio.shield(future)
    except asyncio.CancelledError:
        await asyncio.wait([future])
        if not future.cancelled():
            future.exception()
        raise


def _answer(response: httpx.Response, content: bytes) -> Answer:
    headers = {name.lower(): value for name, value in response.headers.items()}
    return Answer(response.status_code, headers, content, str(response.url))
