"""The package cache: a directory of extracted packages, shared with rattler's linker.

An entry is the directory ``<name>-<version>-<build>`` and, beside it, a lock file of the same
name with the archive's sha256. rattler uses an entry only when the lock file has the hash that
the record asks for; the same rule is kept here, so an entry whose writing was interrupted (no
lock file yet) simply does not count and is replaced.
"""

from __future__ import annotations

import contextlib
import os
import shutil
import stat
import struct
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from kaa.store.disk import make_directory
from kaa.store.locks import at_work, locked
from kaa.store.run_token import temporary_name
from kaa.store.seal import seal_package

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from kaa.store.layout import Layout

_LOCK = struct.Struct(">Q32s")
_REVISION = 1
_READ = 0o055
_RUN = 0o011
"""The bits of a mode by which group and others read (a directory: enter), and run."""
_ORIGIN = Path("info", "repodata_record.json")
STAGING = ".kaa-"
"""How the names of packages that are being written begin."""


def entry_name(name: str, version: str, build: str) -> str:
    """Return the directory name of a package in the cache."""
    return f"{name}-{version}-{build}"


def has_entry(layout: Layout, entry: str, sha256: str | None, md5: str | None = None) -> bool:
    """Say whether the cache, or one beneath it, holds ``entry`` as :func:`find_entry` finds it."""
    return find_entry(layout, entry, sha256, md5) is not None


def find_entry(
    layout: Layout, entry: str, sha256: str | None, md5: str | None = None
) -> Path | None:
    """Return where ``entry`` is, complete and made of the archive with this hash; None if nowhere.

    One's own cache comes first, then those beneath it. Old channels give only the ``md5``; it
    counts where there is no ``sha256``. Both hexadecimal.
    """
    for packages in layout.all_packages:
        if _holds(packages, entry, sha256, md5):
            return packages / entry
    return None


def _holds(packages: Path, entry: str, sha256: str | None, md5: str | None = None) -> bool:
    directory = packages / entry
    try:
        lock = (packages / f"{entry}.lock").read_bytes()
        if len(lock) != _LOCK.size:
            return False
        if sha256 is not None:
            same = _LOCK.unpack(lock)[1] == bytes.fromhex(sha256)
        else:
            # rattler would take any archive of this name, version and build
            same = md5 is not None and read_origin(directory).get("md5") == md5
        return same and (directory / "info" / "index.json").is_file()
    except (OSError, ValueError):
        return False


def is_whole_lock(lock: Path) -> bool:
    """Say whether a lock file is there and is as it is written here."""
    try:
        content = lock.read_bytes()
    except OSError:
        return False
    return len(content) == _LOCK.size and _LOCK.unpack(content)[0] == _REVISION


def lock_sha256(lock: Path) -> str | None:
    """Return the hash (hexadecimal) of the archive that a lock file is of; None without one."""
    try:
        digest: bytes = _LOCK.unpack(lock.read_bytes())[1]
    except (OSError, struct.error):
        return None
    return digest.hex()


def is_whole(layout: Layout, entry: str) -> bool:
    """Say whether the cache holds ``entry`` complete, of whatever archive."""
    try:
        lock = (layout.packages / f"{entry}.lock").stat()
    except OSError:
        return False
    return lock.st_size == _LOCK.size and (layout.packages / entry / "info/index.json").is_file()


def write_origin(package: Path, origin: Mapping[str, Any]) -> None:
    """Write down where an extracted package came from, as conda does it in its own caches."""
    import json

    content = json.dumps(dict(origin), indent=2)
    (package / _ORIGIN).write_text(content, encoding="utf-8")


def read_origin(package: Path) -> Mapping[str, Any]:
    """Return what :func:`write_origin` wrote. Raises ``OSError`` or ``ValueError``."""
    import json

    content = json.loads((package / _ORIGIN).read_text(encoding="utf-8"))
    if not isinstance(content, dict):
        raise ValueError(f"{package / _ORIGIN} holds no record")
    return content


@contextmanager
def new_entry(layout: Layout, entry: str, sha256: str) -> Iterator[Path]:
    """Give a directory to write a package into; it becomes ``entry`` when the block succeeds.

    When another process finished the same entry in the meantime, its work is kept. When the block
    fails nothing stays. ``sha256`` is the archive's, hexadecimal.
    """
    make_directory(layout.packages)
    with at_work(layout):
        staging, old = _temporary(layout), None
        try:
            yield staging
            seal_package(staging, sha256)
            _let_others_read(staging)
            with locked(layout, "packages"):
                if not _holds(layout.packages, entry, sha256):
                    old = _put_in_place(layout, staging, entry, sha256)
        finally:
            if old is not None:  # not under the lock, since it may take long
                shutil.rmtree(old, ignore_errors=True)
            if staging.exists():
                shutil.rmtree(staging, ignore_errors=True)


def _temporary(layout: Layout) -> Path:
    path = layout.packages / temporary_name(STAGING)
    path.mkdir()
    return path


def _let_others_read(package: Path) -> None:
    """Let a package be read by all who may read the cache, whatever the umask is."""
    wanted = package.parent.stat().st_mode & _READ
    if package.stat().st_mode & wanted == wanted:
        return  # as nearly always: the umask takes nothing away
    for folder, _, names in os.walk(package):
        for path in (Path(folder), *(Path(folder, name) for name in names)):
            if not path.is_symlink():
                mode = stat.S_IMODE(path.stat().st_mode)
                path.chmod(mode | (wanted if mode & stat.S_IXUSR else wanted & ~_RUN))


def _put_in_place(layout: Layout, staging: Path, entry: str, sha256: str) -> Path | None:
    """Make ``staging`` the entry, and return where the one before is now, for removal."""
    final = layout.packages / entry
    lock = layout.packages / f"{entry}.lock"
    old = None
    if final.exists():  # left by an interrupted write, damaged, or of another archive
        lock.unlink(missing_ok=True)
        old = _temporary(layout)
        final.replace(old)
    staging.replace(final)
    # Last, because an entry counts from here on. Not replaced but written: rattler may hold it.
    try:
        lock.write_bytes(_LOCK.pack(_REVISION, bytes.fromhex(sha256)))
    except OSError:
        _remove_entry(final, lock)
        raise
    allowed = layout.packages.stat().st_mode & _READ & ~_RUN
    mode = stat.S_IMODE(lock.stat().st_mode)
    if mode & allowed != allowed:
        lock.chmod(mode | allowed)
    return old


def remove_halves(layout: Layout) -> None:
    """Remove entries without a whole lock file, which a killed process has left, and the reverse.

    Only for a cache that is kaa's own: other programs keep packages without such files. Raises
    :class:`~kaa.model.errors.StoreError` when the cache cannot be locked.
    """
    with locked(layout, "packages"):
        for path in layout.packages.glob("[!.]*"):
            entry = path.name.removesuffix(".lock")
            final, lock = layout.packages / entry, layout.packages / f"{entry}.lock"
            if (path == lock and not final.is_dir()) or (path == final and not is_whole_lock(lock)):
                _remove_entry(final, lock)


def _remove_entry(final: Path, lock: Path) -> None:
    with contextlib.suppress(OSError):
        lock.unlink(missing_ok=True)
    shutil.rmtree(final, ignore_errors=True)
