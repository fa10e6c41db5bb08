"""A seal: the hashes of files that nothing else vouches for, in a file beside them.

A package's own list (``info/paths.json``) has the hashes of what is linked into environments, but
not its own, nor those of the other files in ``info/``; and nothing vouches for the records in an
environment's ``conda-meta``. Those are sealed when they have been written. A seal has exactly one
form, so that a change of any of its own bytes shows as well.
"""

from __future__ import annotations

import hashlib
import json
import os
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

INFO_SEAL = "info/kaa-seal.json"
"""The seal of a package in the cache."""
_ARCHIVE = "archive"
_FILES = "files"


def seal_package(package: Path, sha256: str) -> None:
    """Seal the ``info`` of an extracted package, made of the archive with this hash (hexadecimal).

    Raises ``OSError``.
    """
    seal = package / INFO_SEAL
    names = [name for name in _below(package, "info") if name != INFO_SEAL]
    if names:
        seal.write_bytes(_content(_hashes(package, names), sha256))


def broken_package_seal(package: Path, sha256: str | None) -> Iterator[tuple[str, str]]:
    """Give the files that are not as they were when the package was sealed, and what is wrong.

    Nothing where everything is as it was, and for a package that another program has put there,
    which has no seal. ``sha256`` is what the archive's hash is said to be elsewhere.
    """
    return _broken(package, INFO_SEAL, sha256)


def seal_files(directory: Path, names: list[str], seal: str) -> None:
    """Seal the files of these names below ``directory``. Raises ``OSError``."""
    (directory / seal).write_bytes(_content(_hashes(directory, names), None))


def broken_seal(directory: Path, seal: str) -> Iterator[tuple[str, str]]:
    """Give the files that are not as they were when they were sealed, and what is wrong with them.

    Nothing where everything is as it was, and where there is no seal.
    """
    return _broken(directory, seal, None)


def _broken(directory: Path, seal: str, sha256: str | None) -> Iterator[tuple[str, str]]:
    try:
        written = (directory / seal).read_bytes()
        content = json.loads(written)
        archive, hashes = content[_ARCHIVE], dict(content[_FILES])
    except FileNotFoundError:
        return
    except OSError as error:
        yield seal, error.strerror or str(error)
        return
    except (ValueError, LookupError, TypeError):
        yield seal, "it cannot be read"
        return
    if written != _content(hashes, archive):
        yield seal, "it is not as it was written"
    if sha256 is not None and archive != sha256:
        yield seal, "it is of another archive than the lock file"
    for name, expected in hashes.items():
        try:
            found = hashlib.sha256((directory / name).read_bytes()).hexdigest()
        except OSError as error:
            yield name, error.strerror or str(error)
            continue
        if found != expected:
            yield name, "its content is not what was written"


def _content(hashes: dict[str, str], archive: str | None) -> bytes:
    ordered = dict(sorted(hashes.items()))
    content = {_ARCHIVE: archive, _FILES: ordered}
    return json.dumps(content, separators=(",", ":")).encode() + b"\n"


def _hashes(directory: Path, names: list[str]) -> dict[str, str]:
    return {name: hashlib.sha256((directory / name).read_bytes()).hexdigest() for name in names}


def _below(package: Path, directory: str) -> Iterator[str]:
    """Give the regular files below a directory, relative to ``package``, with forward slashes."""
    try:
        entries = list(os.scandir(package / directory))
    except FileNotFoundError:
        return
    for entry in entries:
        name = f"{directory}/{entry.name}"
        if entry.is_dir(follow_symlinks=False):
            yield from _below(package, name)
        elif entry.is_file(follow_symlinks=False):
            yield name
