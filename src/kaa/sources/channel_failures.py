"""What a user reads when a conda channel cannot be read: which one, why, and how to do without."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from kaa.model.errors import SourceAnswerError, SourceError, SourceUnreachableError
from kaa.network.locations import redact_text
from kaa.sources.channels import public_url

if TYPE_CHECKING:
    from collections.abc import Sequence

    from kaa.model.source import Source

_WELL_KNOWN = (
    "bioconda",
    "conda-forge",
    "defaults",
    "intel",
    "main",
    "microsoft",
    "nodefaults",
    "nvidia",
    "pypi",
    "pytorch",
    "rapidsai",
    "robostack-staging",
    "xilinx",
)
"""Names that misspelt ones are compared with."""
_STATUS = re.compile(r"\((\d{3})([^)]*)\) for url")
_CAUSE = "\nCaused by: "
_NO_SUBDIR = "could not find subdir"
_NOT_THERE = ("404", "410", "os error 2", "os error 3")
_BAD_RECORD = "failed to extract repodata records"
_NOT_CACHED = "no usable repodata cache"
_NO_REPODATA = ("failed to decode", "failed to parse", "failed to download", "failed to read")
_CUT_SHORT = ("end of file", "EOF", "did not finish", "UnexpectedEof", "incomplete")


def is_missing_subdir(error: Exception) -> bool:
    """Say whether rattler failed because a subdir is not there (and not: cannot be had)."""
    said = str(error)
    return said.startswith(_NO_SUBDIR) and any(mark in said for mark in _NOT_THERE)


def is_bad_record(error: Exception) -> bool:
    """Say whether rattler failed because a record is not one (a field is missing, or wrong)."""
    return _BAD_RECORD in str(error)


def named_source(error: Exception, sources: Sequence[Source]) -> Source | None:
    """Return the source whose URL is in rattler's message; one source needs no URL."""
    if len(sources) == 1:
        return sources[0]
    said = _without_credentials(error)
    for source in sources:
        if any(_place(url) in said for url in source.urls):
            return source
    return None


def channel_failure(
    error: Exception,
    sources: Sequence[Source],
    failed: Source | None = None,
    package: str | None = None,
) -> SourceError:
    """Return the error that says which channel could not be read, why, and how to do without.

    ``sources`` are all channels asked, ``failed`` the one that is known to have failed, and
    ``package`` the name of the package whose records cannot be read.
    """
    failed = failed or named_source(error, sources)
    found = _channel_failure(error, sources, failed, package)
    return can_do_without(found, failed, sources) if failed else found


def _channel_failure(
    error: Exception, sources: Sequence[Source], failed: Source | None, package: str | None
) -> SourceError:
    who = f"the channel {failed.name}" if failed else "a channel"
    said = _without_credentials(error)
    lines = said.split(_CAUSE)
    without = without_channel(failed, sources)
    status = _STATUS.search(said)
    if _NO_SUBDIR in lines[0] and failed and is_missing_subdir(error):
        return _no_such_channel(failed, without)
    if status and status[1] in {"401", "403", "407"}:
        return SourceAnswerError(
            f"{who} wants to know who you are",
            cause=f"it answered {status[1]}{status[2]}",
            hint=f"{_login(failed)}; without it: {without}",
        )
    if status:
        return SourceAnswerError(
            f"{who} is out of order",
            cause=f"it answered {status[1]}{status[2]}",
            hint=f"try again later; without it: {without}",
        )
    if _NOT_CACHED in said:
        return SourceUnreachableError(
            f"{who} is not in the cache, and the network is switched off",
            hint=f"run it once with the network; without the channel: {without}",
        )
    if "error sending request" in said:
        if failed:
            return unreachable(failed, sources, lines[-1])
        return SourceUnreachableError(
            f"{who} cannot be reached",
            cause=lines[-1],
            hint=f"check the connection and the proxy; without it: {without}",
        )
    if _BAD_RECORD in said:
        return SourceAnswerError(
            f"{who} has a record{f' of {package}' if package else ''} that cannot be read",
            cause=lines[-1],
            hint=f"tell the channel's owners; without it: {without}",
        )
    if any(mark in said for mark in _NO_REPODATA):
        cut = any(mark in said for mark in _CUT_SHORT)
        return SourceAnswerError(
            f"the index of {who} {'ends before its end' if cut else 'is no repodata'}",
            cause=said.replace(_CAUSE, ": "),
            hint=f"try again; without it: {without}",
        )
    return SourceAnswerError(
        f"{who} cannot be read",
        cause=said.replace(_CAUSE, ": "),
        hint=f"check its URL; without it: {without}",
    )


def wrong_subdir(source: Source, sources: Sequence[Source], found: str, subdir: str) -> SourceError:
    """Return the error for records of another platform's, which would be installed else."""
    error = SourceAnswerError(
        f"the channel {source.name} gives packages for {found} as those for {subdir}",
        cause=f"its index of {subdir} has records of the subdir {found}",
        hint=f"tell the channel's owners; without it: {without_channel(source, sources)}",
    )
    return can_do_without(error, source, sources)


def unreachable(source: Source, sources: Sequence[Source], cause: str | None) -> SourceError:
    """Return the error for a channel that does not answer at all."""
    error = SourceUnreachableError(
        f"the channel {source.name} cannot be reached",
        cause=cause,
        hint="check the connection and the proxy; "
        f"without it: {without_channel(source, sources)}, or `--offline` for what the cache has",
    )
    return can_do_without(error, source, sources)


def _no_such_channel(source: Source, without: str) -> SourceAnswerError:
    import difflib

    near = difflib.get_close_matches(source.name.rpartition("/")[2], _WELL_KNOWN, 1, 0.7)
    meant = f"did you mean `-c {near[0]}`? " if near and near[0] != source.name else ""
    places = ", ".join(public_url(url) for url in source.urls)
    return SourceAnswerError(
        f"there is no channel {source.name}",
        cause=f"there is no repodata at {places}",
        hint=f"{meant}check its name; without it: {without}",
    )


def _login(source: Source | None) -> str:
    host = urlsplit(source.urls[0]).hostname if source and source.urls else None
    return (
        "put a user name and password or a token (`/t/TOKEN/`) into the channel's URL, "
        f"or log in with `rattler auth login {host or 'HOST'}`"
    )


def can_do_without(error: SourceError, failed: Source, sources: Sequence[Source]) -> SourceError:
    """Return the error, with what it is about noted in it."""
    error.channel, error.without = failed.name, without_channel(failed, sources)
    return error


def without_channel(failed: Source | None, sources: Sequence[Source]) -> str:
    """Return what to type to work without a channel, as far as only the sources are known."""
    others = [source for source in sources if source is not failed]
    return "`" + (" ".join(f"-c {source.name}" for source in others) or "-c pypi") + "`"


def _without_credentials(error: Exception) -> str:
    return redact_text(str(error))


def _place(url: str) -> str:
    """Return a channel's URL from its host on: as it is in messages, whatever the credentials."""
    return public_url(url).partition("://")[2]
