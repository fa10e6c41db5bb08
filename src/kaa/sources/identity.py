"""What a file of an index is known by, in the caches of metadata and packages."""

from __future__ import annotations

import hashlib
import re
from typing import TYPE_CHECKING

from kaa.network.local_files import is_local, local_path

if TYPE_CHECKING:
    from kaa.model.distribution import IndexFile

# Digests become file names, and they come from the network.
_SHA256 = re.compile(r"[0-9a-f]{64}\Z")


def promised_sha256(file: IndexFile) -> str | None:
    """Return the sha256 that the index gives, None when it gives none that is one."""
    digest = file.hashes.get("sha256", "").lower()
    return digest if _SHA256.match(digest) else None


def known_sha256(file: IndexFile) -> str | None:
    """Return the file's sha256: as the index gives it or, for one of this machine, as it is now.

    None for a remote file without one, and for one that cannot be read.
    """
    promised = promised_sha256(file)
    if promised is None and is_local(file.url):
        try:
            return hashlib.sha256(local_path(file.url).read_bytes()).hexdigest()
        except OSError:
            pass  # whoever wants to read the file will say what is wrong with it
    return promised


def identity(file: IndexFile) -> str:
    """Return a sha256, hexadecimal, that stands for the file.

    It is the file's own where that is known (:func:`known_sha256`). Another is known by the sha256
    of its URL, and nothing can be checked.
    """
    return known_sha256(file) or hashlib.sha256(file.url.encode()).hexdigest()


def built_identity(sha256: str, python: str) -> str:
    """Return the sha256 that stands for the package of a wheel that is built for ``python``.

    ``sha256`` stands for the source, ``python`` is the record's spec on python. Before it is
    built nobody knows whether a wheel is the same for all Pythons.
    """
    return hashlib.sha256(f"{sha256} {python}".encode()).hexdigest()
