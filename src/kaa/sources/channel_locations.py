"""Channels that are directories of this machine."""

from __future__ import annotations

import os
import re
from pathlib import Path, PureWindowsPath

from kaa.model.errors import RequestError

_DRIVE = re.compile(r"[A-Za-z]:[\\/]")


def looks_like_path(text: str) -> bool:
    """Return whether a channel is given as a path: absolute, or beginning with ``.`` or ``~``."""
    return (
        text in {".", "..", "~"}
        or text.startswith(("./", "../", "~/", "/", ".\\", "..\\", "~\\", "\\\\"))
        or _DRIVE.match(text) is not None
    )


def path_url(text: str) -> str:
    """Return the ``file:`` URL of a directory, with a slash at its end (RFC 8089).

    Raises :class:`~kaa.model.errors.RequestError` if there is no such directory: a channel that
    is mistyped is told at once, and not when its records are missing.
    """
    path = re.sub(r"\A/(?=[A-Za-z]:[\\/])", "", text)  # file:///C:/channel
    if os.name != "nt" and _DRIVE.match(path):
        url = PureWindowsPath(path).as_uri()  # said of another machine, in a lock or a file
        return url if url.endswith("/") else f"{url}/"
    absolute = Path(os.path.abspath(os.path.expanduser(path)))  # noqa: PTH100, PTH111 - never raises
    if not absolute.is_dir():
        raise RequestError(
            f"there is no directory {absolute} to be a channel",
            hint="a channel is a directory with subdirs such as noarch/repodata.json",
        )
    return f"{absolute.as_uri()}/" if absolute != Path(absolute.anchor) else absolute.as_uri()
