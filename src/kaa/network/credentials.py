"""Who one is to which host: URLs and settings, netrc, and the ``keyring`` program."""

from __future__ import annotations

import base64
from typing import TYPE_CHECKING

from kaa.network.locations import Credentials, origin, split_credentials

if TYPE_CHECKING:
    from pathlib import Path

    from kaa.network.settings import NetworkSettings

_KEYRING_SECONDS = 10


class CredentialStore:
    """Finds the credentials for a URL; those of one host are never given for another."""

    def __init__(self, settings: NetworkSettings) -> None:
        self._settings = settings
        self._by_place: dict[str, Credentials] = {
            index.url: index.credentials
            for index in settings.indexes
            if index.location and index.credentials
        }
        for bare, credentials in map(split_credentials, settings.find_links):
            if credentials:
                self._by_place.setdefault(bare, credentials)
        self._netrc: dict[str, tuple[str, str | None, str | None]] | None = None
        self._asked: dict[tuple[str, str], str | None] = {}

    async def authorization(self, url: str) -> str | None:
        """Return the value of the ``Authorization`` header (RFC 7617) for ``url``, or None.

        Looked up in the order: the URL itself, the settings of the index or of the find-links
        that it belongs to, netrc;
        a user name without a password is completed by the ``keyring`` program where uv or pip
        is configured to use it.
        """
        if "@" not in url and not self._by_place and not self._settings.netrc:
            return None
        bare, given = split_credentials(url)
        credentials = given or self._of_index(bare)
        if credentials is None or credentials.password is None:
            credentials = self._of_netrc(bare, credentials) or credentials
        if credentials is None:
            return None
        password = credentials.password
        if password is None and self._settings.keyring and credentials.username:
            password = await self._of_keyring(bare, credentials.username)
        pair = f"{credentials.username}:{password or ''}"
        return "Basic " + base64.b64encode(pair.encode()).decode()

    def _of_index(self, url: str) -> Credentials | None:
        same_host = {
            place: credentials
            for place, credentials in self._by_place.items()
            if origin(place) == origin(url)
        }
        # Of two indexes on one host the one whose URL this is below; files lie beside the index.
        within = [place for place in same_host if url.startswith(place)]
        best = max(within, key=len, default=next(iter(same_host), None))
        return same_host[best] if best else None

    def _of_netrc(self, url: str, known: Credentials | None) -> Credentials | None:
        if self._settings.netrc is None:
            return None
        if self._netrc is None:
            self._netrc = _read_netrc(self._settings.netrc)
        scheme, host, _port = origin(url)
        found = self._netrc.get(host) or self._netrc.get("default")
        if found is None or scheme not in {"http", "https"}:
            return None
        username, _account, password = found
        if known and known.username != username:
            return None
        return Credentials(username, password)

    async def _of_keyring(self, url: str, username: str) -> str | None:
        """Ask for the URL first and then for the host, as uv does; remember the answer."""
        scheme, host, port = origin(url)
        default_port = port == (443 if scheme == "https" else 80)
        service = host if default_port else f"{host}:{port}"
        place = max((p for p in self._by_place if url.startswith(p)), key=len, default=None)
        for question in filter(None, (place, service)):
            key = (question, username)
            if key not in self._asked:
                self._asked[key] = await _ask_keyring(question, username)
            if self._asked[key] is not None:
                return self._asked[key]
        return None


def _read_netrc(path: Path) -> dict[str, tuple[str, str | None, str | None]]:
    import netrc

    try:
        return dict(netrc.netrc(str(path)).hosts)
    except (OSError, netrc.NetrcParseError, UnicodeDecodeError):
        # As pip and curl: a netrc that cannot be read is one that says nothing.
        return {}


async def _ask_keyring(service: str, username: str) -> str | None:
    import asyncio

    try:
        process = await asyncio.create_subprocess_exec(
            "keyring",
            "get",
            service,
            username,
            stdin=asyncio.subprocess.DEVNULL,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.DEVNULL,
        )
    except OSError:
        return None
    try:
        output, _ = await asyncio.wait_for(process.communicate(), _KEYRING_SECONDS)
    except asyncio.TimeoutError:
        return None
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()
    return output.decode().strip() or None if process.returncode == 0 else None
