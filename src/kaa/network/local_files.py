"""``file:`` URLs, answered as a web server would: indexes may be plain trees of directories."""

from __future__ import annotations

import os
from pathlib import Path
from urllib.parse import quote, unquote, urlsplit

from kaa.model.errors import SourceUnreachableError


def is_local(url: str) -> bool:
    """Return whether ``url`` names a file of this machine."""
    return url[:5].lower() == "file:"


def local_path(url: str) -> Path:
    """Return the path that a ``file:`` URL (RFC 8089) names."""
    parts = urlsplit(url)
    host = f"//{parts.netloc}" if parts.netloc not in {"", "localhost"} else ""
    if os.name != "nt":
        return Path(unquote(host + parts.path))
    from urllib.request import url2pathname  # 7 ms, for what is one function call elsewhere

    return Path(url2pathname(host + parts.path))


def read_page(url: str) -> bytes | None:
    """Return a file's content, a directory's ``index.html`` or a list of its files (PEP 503).

    None when there is nothing at that place. Raises
    :class:`~kaa.model.errors.SourceUnreachableError` when it is there but cannot be read.
    """
    path = local_path(url)
    try:
        if path.is_dir():
            page = path / "index.html"
            return page.read_bytes() if page.is_file() else _listing(path)
        return path.read_bytes()
    except (FileNotFoundError, NotADirectoryError):
        return None
    except OSError as error:
        raise SourceUnreachableError(
            f"{path} cannot be read",
            cause=error.strerror,
            hint="make it readable, or remove the index from pip's or uv's settings",
        ) from error


def read_part(url: str, start: int, stop: int | None) -> tuple[bytes, int, int] | None:
    """Return bytes ``start`` to ``stop`` of a file, where they begin, and the file's size.

    A negative ``start`` counts from the end. None when there is no such file.
    """
    try:
        with local_path(url).open("rb") as file:
            size = file.seek(0, 2)
            first = max(size + start, 0) if start < 0 else min(start, size)
            last = size if stop is None else min(stop, size)
            file.seek(first)
            return file.read(max(last - first, 0)), first, size
    except OSError:
        return None


def _listing(folder: Path) -> bytes:
    names = sorted(entry.name for entry in folder.iterdir() if entry.is_file())
    links = "".join(f'<a href="{quote(name)}">{name}</a>\n' for name in names)
    return f"<!DOCTYPE html><html><body>\n{links}</body></html>\n".encode()
