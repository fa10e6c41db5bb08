"""URLs as settings give them: credentials split off, paths turned into file URLs."""

from __future__ import annotations

import re
from dataclasses import dataclass
from urllib.parse import unquote, urlsplit, urlunsplit

_DEFAULT_PORTS = {"http": 80, "https": 443}


@dataclass(frozen=True, slots=True)
class Credentials:
    """A user name and, where it is known, a password. Neither ever shows in ``repr``."""

    username: str
    password: str | None = None

    def __repr__(self) -> str:
        return "Credentials(***)"


def split_credentials(url: str) -> tuple[str, Credentials | None]:
    """Return ``url`` without its user information, and that information (RFC 3986, 3.2.1)."""
    if "@" not in url:
        return url, None
    parts = urlsplit(url)
    userinfo, separator, host = parts.netloc.rpartition("@")
    if not separator:
        return url, None
    username, has_password, password = userinfo.partition(":")
    credentials = Credentials(unquote(username), unquote(password) if has_password else None)
    bare = urlunsplit((parts.scheme, host, parts.path, parts.query, parts.fragment))
    return bare, credentials if username or password else None


_TOKEN = re.compile(
    r"(://[^/?#\s]+/(?:[^?#\s]*?/)?)t/[^/?#\s]+/(?![^/?#\s]+\.(?:whl|zip|tgz|tar\.|conda))"
)
"""The token in a channel's URL, as anaconda's servers have it: ``https://host/t/TOKEN/channel``.

Not what is before an archive, which many mirrors have in ``packages/source/t/toml/``."""
_USER_INFORMATION = re.compile(r"(?<=://)[^/?#\s]+@")
"""Up to the last @ before the path: a password may have one that nobody has escaped."""


def redact(url: str) -> str:
    """Return ``url`` fit for messages, records and logs: without user information or token.

    What is fetched is another thing: :func:`split_credentials` leaves a token where it is.
    """
    return _TOKEN.sub(r"\1", split_credentials(url)[0])


def redact_text(text: str) -> str:
    """Return a message fit to be shown, whatever URLs it has in it."""
    return _TOKEN.sub(r"\1", _USER_INFORMATION.sub("", text))


def origin(url: str) -> tuple[str, str, int | None]:
    """Return the scheme, host and port that a URL's credentials belong to (RFC 6454)."""
    parts = urlsplit(url)
    try:
        port = parts.port
    except ValueError:
        port = None
    return parts.scheme, parts.hostname or "", port or _DEFAULT_PORTS.get(parts.scheme)


def as_url(location: str) -> str:
    """Return ``location`` as a URL; a path of the file system becomes a ``file:`` URL."""
    if "://" in location or location.startswith("file:"):
        return location
    from pathlib import Path

    return Path(location).expanduser().absolute().as_uri()
