"""uv.lock: which wheels of an index a project's environment is made of.

Only what says where an installed wheel is from is read: URL, size and sha256 of the wheels of
packages that an index has. uv documents the file as its own, so that whatever is not as expected
counts for nothing and is no error.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any
from urllib.parse import unquote, urlsplit

from kaa.formats.toml_text import read_toml
from kaa.model.distribution import IndexFile
from kaa.model.package import project_name

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

_FORMAT = 1


def read_uv_lock(path: Path) -> dict[tuple[str, str], tuple[IndexFile, ...]]:
    """Return the wheels of indexes by normalised name and version, as the file has it.

    Raises :class:`~kaa.model.errors.RequestError` for what cannot be read.
    """
    data = read_toml(path).data
    packages = data.get("package")
    if data.get("version") != _FORMAT or not isinstance(packages, list):
        return {}
    found = {}
    for package in packages:
        source = package.get("source") if isinstance(package, dict) else None
        if isinstance(source, dict) and "registry" in source:
            name, version = str(package.get("name")), str(package.get("version"))
            found[project_name(name), version] = tuple(_wheels(package.get("wheels")))
    return found


def _wheels(wheels: Any) -> Iterator[IndexFile]:
    for wheel in wheels if isinstance(wheels, list) else ():
        if not isinstance(wheel, dict):
            continue
        url, size, time = wheel.get("url"), wheel.get("size"), wheel.get("upload-time")
        algorithm, _, digest = str(wheel.get("hash")).partition(":")
        if isinstance(url, str) and "://" in url and algorithm == "sha256":
            filename = unquote(urlsplit(url).path.rpartition("/")[2])
            yield IndexFile(
                filename,
                url,
                {"sha256": digest},
                size if isinstance(size, int) else None,
                upload_time=None if time is None else str(time),
            )
