"""What a user reads when a server refuses or nobody answers."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from kaa.model.errors import SourceAnswerError, SourceUnreachableError
from kaa.network.locations import origin, redact, redact_text

if TYPE_CHECKING:
    import httpx

SWITCHED_OFF = (
    "leave out `--offline` to fetch it; it may also be in KAA_OFFLINE or UV_OFFLINE, or `offline` "
    "in a configuration file"
)
"""What to do when there is no network because nobody wants there to be."""


def refusal(url: str, response: httpx.Response) -> SourceAnswerError:
    """Return the error for a status that is neither an answer nor worth another attempt."""
    status = response.status_code
    hint = "try again later; if it stays so, check the index's URL in pip's or uv's settings"
    if status in {401, 403, 407}:
        hint = (
            "give a user name and password in the index's URL, in netrc, "
            "or as UV_INDEX_<NAME>_USERNAME and UV_INDEX_<NAME>_PASSWORD"
        )
    reason = f" {response.reason_phrase}" if response.reason_phrase else ""
    return SourceAnswerError(f"{redact(url)} answered {status}{reason}", hint=hint)


def is_final(error: Exception) -> bool:
    """Return whether trying again cannot help."""
    text = _explain(error).lower()
    return "certificate" in text or "unsupported protocol" in text


def _explain(error: BaseException) -> str:
    """Return the innermost reason that the libraries give."""
    details = getattr(error.__cause__ or error, "details", None)
    causes = details.get("causes") if isinstance(details, dict) else None
    if causes:
        return str(causes[-1].get("message", error))
    said = str(error) or type(error).__name__
    inner: BaseException | None = error
    while inner is not None:  # httpx wraps what the system said several times
        if isinstance(inner, ConnectionError) and inner.errno:
            return os.strerror(inner.errno)
        inner = inner.__cause__ or inner.__context__
    return said


def unreachable(url: str, error: Exception, waited: float) -> SourceUnreachableError:
    """Return the error for a request that failed after ``waited`` seconds of attempts."""
    scheme, host, _port = origin(url)
    reason = _explain(error)
    if isinstance(error, TimeoutError) or "imeout" in type(error).__name__:
        reason = f"no answer within {waited:.0f} seconds"
    hint = "check the connection, the index's URL and the proxy (HTTPS_PROXY, pip's setting proxy)"
    if scheme == "https" and "certificate" in reason.lower():
        hint = "set SSL_CERT_FILE (or pip's setting cert) to your certificate bundle"
    return SourceUnreachableError(f"{host} cannot be reached", cause=redact_text(reason), hint=hint)
