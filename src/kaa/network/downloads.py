"""A file on its way in: written beside its destination, hashed as it comes, renamed when right."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from kaa.model.errors import HashMismatchError
from kaa.store.disk import disk_error
from kaa.store.run_token import temporary_name

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping
    from pathlib import Path

_STRONGEST_FIRST = ("sha512", "sha384", "blake2b", "sha256", "sha224", "blake2s", "sha1", "md5")


def expected_hashes(hashes: Mapping[str, str] | None) -> dict[str, str]:
    """Return the hash to check, by algorithm: sha256 where it is given, else the strongest one."""
    given = {name.lower(): digest.lower() for name, digest in (hashes or {}).items()}
    if "sha256" in given:
        return {"sha256": given["sha256"]}
    return next(({name: given[name]} for name in _STRONGEST_FIRST if name in given), {})


def check_content(content: bytes, what: str, hashes: Mapping[str, str]) -> None:
    """Raise :class:`~kaa.model.errors.HashMismatchError` unless ``content`` has these hashes."""
    import hashlib

    for algorithm, wanted in expected_hashes(hashes).items():
        _compare(what, algorithm, wanted, hashlib.new(algorithm, content).hexdigest())


class PartialFile:
    """A download that is not complete. Every method may block and raises :class:`StoreError`."""

    def __init__(self, destination: Path, expected: Mapping[str, str]) -> None:
        self._destination = destination
        self._expected = expected
        self._path = destination.with_name(temporary_name(f".{destination.name}.", ".part"))
        self.received = 0
        try:
            destination.parent.mkdir(parents=True, exist_ok=True)
            # Not tempfile's: the umask decides who may read the file, as for any other file.
            flags = os.O_RDWR | os.O_CREAT | os.O_EXCL | getattr(os, "O_BINARY", 0)
            self._file = os.fdopen(os.open(self._path, flags, 0o666), "wb", buffering=0)
        except OSError as error:
            raise disk_error(error, destination) from error
        self.restart()

    def restart(self) -> int:
        """Forget what was received; return how many bytes that were."""
        import hashlib

        forgotten, self.received = self.received, 0
        self._file.seek(0)
        self._file.truncate()
        self._sums = {name: hashlib.new(name) for name in {"sha256", *self._expected}}
        return forgotten

    def write(self, chunks: Iterable[bytes]) -> None:
        """Append ``chunks``."""
        block = b"".join(chunks)
        for checksum in self._sums.values():
            checksum.update(block)
        try:
            view = memoryview(block)
            while view:
                view = view[self._file.write(view) :]
        except OSError as error:
            raise disk_error(error, self._destination) from error
        self.received += len(block)

    def commit(self) -> str:
        """Check the hashes and give the file its name; return its sha256."""
        for algorithm, wanted in self._expected.items():
            _compare(self._destination.name, algorithm, wanted, self._sums[algorithm].hexdigest())
        try:
            self._file.close()
            self._path.replace(self._destination)
        except OSError as error:
            raise disk_error(error, self._destination) from error
        return self._sums["sha256"].hexdigest()

    def discard(self) -> None:
        """Remove the file unless it was committed."""
        import contextlib

        # Closing can be the moment at which a full network disk says so; nobody needs to know.
        with contextlib.suppress(OSError):
            self._file.close()
        with contextlib.suppress(OSError):
            self._path.unlink(missing_ok=True)


def _compare(what: str, algorithm: str, wanted: str, found: str) -> None:
    if wanted != found:
        raise HashMismatchError(
            f"{what} is not the file that the index promised",
            cause=f"its {algorithm} is {found}, not {wanted}",
            hint="try again; if it stays so, the index or a proxy on the way altered the file",
        )
