"""A package as plans, listings and ``--json`` show it."""

from __future__ import annotations

import re
from dataclasses import dataclass

HOST = "host"
"""The source of this machine's interpreters."""
PYPI = "pypi"
"""The source of Python package indexes."""
BUILT = "built_"
"""How the build of a package begins that is made on this machine, from source."""

_SCHEME = "kaa://"
_SUBDIR = re.compile(r"(linux|osx|win|freebsd|emscripten|wasi|zos)-\w+")


def channel_url(source: str) -> str:
    """Return what records of a source that is no conda channel name as theirs.

    The solver wants a URL, and one for all records of a source: it takes those of a second
    channel for lower priority. Without the slash at its end no spec could ask for the channel.
    """
    return f"{_SCHEME}{source}/"


def is_subdir(text: str) -> bool:
    """Say whether this is how conda calls a platform, or what is for all of them."""
    return text == "noarch" or _SUBDIR.fullmatch(text) is not None


def source_of_channel(channel: str) -> str:
    """Return what users call a channel: ``pypi``, ``host``, or the last part of its URL."""
    if channel.startswith(_SCHEME):
        return channel[len(_SCHEME) :].rstrip("/")
    parts = [part for part in channel.rstrip("/").split("/") if part]
    if len(parts) > 1 and is_subdir(parts[-1]):
        parts.pop()  # conda's own records name the subdir, too
    if "label" in parts[-2:-1]:
        return "/".join(parts[-3:])
    return parts[-1] if parts else channel


def channel_of(url: str, subdir: str) -> str:
    """Return the channel that an archive at ``url`` is in; empty without ``subdir``."""
    return url.rpartition("/")[0].removesuffix(f"/{subdir}") if subdir else ""


def project_name(name: str) -> str:
    """Return the normal form of a project's name (PEP 503)."""
    return re.sub(r"[-_.]+", "-", name).lower()


@dataclass(frozen=True, slots=True)
class Package:
    """One package, planned or installed.

    ``source`` is ``pypi``, ``host`` or a channel's name; ``sha256`` is hexadecimal, ``size`` in
    bytes of the archive; ``requested`` says whether the user asked for it by name. ``foreign`` is a
    package without a record, which another program than kaa or conda has installed: then
    ``source`` is that program (``pip``). ``channel`` is the URL of a conda package's channel and
    ``subdir`` its platform there; both are empty for others.
    """

    name: str
    version: str
    build: str
    source: str
    url: str
    sha256: str | None = None
    size: int | None = None
    requested: bool = False
    foreign: bool = False
    build_number: int = 0
    channel: str = ""
    subdir: str = ""
    md5: str | None = None

    def as_dict(self) -> dict[str, str | int | bool | None]:
        """Return the fields that ``--json`` prints."""
        return {
            "name": self.name,
            "version": self.version,
            "build": self.build,
            "source": self.source,
            "url": self.url,
            "sha256": self.sha256,
            "size": self.size,
            "requested": self.requested,
            "foreign": self.foreign,
        }

    def as_conda_dict(self) -> dict[str, str | int | bool | None]:
        """Return the fields that ``conda list --json`` prints, and kaa's own beside them.

        conda calls what is not its own a package of the platform ``pypi`` with the build
        ``pypi_0``.
        """
        conda = bool(self.channel)
        build = self.build if conda else f"{PYPI}_0"
        return {
            **self.as_dict(),
            "base_url": self.channel if conda else PYPI,
            "build_number": self.build_number,
            "build_string": build,
            "channel": self.source if conda else PYPI,
            "dist_name": f"{self.name}-{self.version}-{build}",
            "platform": self.subdir if conda else PYPI,
        }
