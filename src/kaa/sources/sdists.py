"""Archives of source distributions: read and unpacked so that nothing can be written elsewhere.

The format is PyPA's (source distribution format, "Archive features"): ``.tar.gz`` with one
directory in it; the older formats, which indexes still have, are read as well.
"""

from __future__ import annotations

import gzip
import lzma
import shutil
import stat
import tarfile
import zipfile
import zlib
from contextlib import contextmanager
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING

from kaa.model.errors import UnsafeArchiveError, UnsupportedError
from kaa.sources.static_metadata import load_pyproject, metadata_of_pkg_info, metadata_of_pyproject
from kaa.store.disk import writing

if TYPE_CHECKING:
    from collections.abc import Iterator

    from kaa.model.distribution import CoreMetadata

_LARGEST_TEXT = 8 << 20
"""Bytes of PKG-INFO or pyproject.toml that are read: far more than any honest one has."""
_ROOM = 1 << 30
_RATIO = 200
"""An archive may unpack to ``_ROOM`` bytes and this many times its own size, not to more."""
_ZIP_EPOCH = 315_619_200.0
"""The second of January 1980: files from before it, as reproducible archives may have them, cannot
be in a wheel."""
_DAMAGES = (
    tarfile.TarError,
    zipfile.BadZipFile,
    gzip.BadGzipFile,
    lzma.LZMAError,
    zlib.error,
    EOFError,
    RuntimeError,  # zipfile's for encrypted members
    NotImplementedError,
    UnicodeError,
)


def static_metadata(
    archive: Path, filename: str, name: str | None, version: str | None
) -> CoreMetadata | None:
    """Return what the sdist at ``archive`` says of itself; None if only a build can tell.

    ``name`` and ``version`` are those of the file name, None where it need not say them. Raises
    :class:`~kaa.model.errors.MetadataError` when it contradicts them, and
    :class:`~kaa.model.errors.UnsafeArchiveError` for an archive that cannot be read.
    """
    texts = _read_texts(archive, filename)
    if "PKG-INFO" in texts:
        metadata = metadata_of_pkg_info(texts["PKG-INFO"], name, version)
        if metadata is not None:
            return metadata
    if "pyproject.toml" in texts:
        table = load_pyproject(texts["pyproject.toml"], filename)
        return metadata_of_pyproject(table, name, version)
    return None


def unpack(archive: Path, filename: str, target: Path) -> Path:
    """Unpack into the new directory ``target``; return the directory of the project in it.

    Raises :class:`~kaa.model.errors.UnsafeArchiveError` for what is damaged, has links or paths
    that lead elsewhere, or devices; nothing is written then but inside of ``target``.
    """
    with _explained(filename), writing(target):
        target.mkdir(parents=True)
        if filename.endswith(".zip"):
            _unpack_zip(archive, filename, target)
        else:
            _unpack_tar(archive, filename, target)
        tops = list(target.iterdir())
    return tops[0] if len(tops) == 1 and tops[0].is_dir() else target


def _read_texts(archive: Path, filename: str) -> dict[str, bytes]:
    """Return the files of the archive's top directory that say what the project is."""
    found: dict[str, bytes] = {}
    wanted = {"PKG-INFO", "pyproject.toml"}
    with _explained(filename):
        if filename.endswith(".zip"):
            with zipfile.ZipFile(archive) as opened:
                for info in opened.infolist():
                    name = _top_name(info.filename)
                    if name in wanted:
                        with opened.open(info) as file:
                            found[name] = file.read(_LARGEST_TEXT)
            return found
        with tarfile.open(archive) as tar:
            for member in tar:
                name = _top_name(member.name)
                if name in wanted and member.isreg():
                    content = tar.extractfile(member)
                    assert content is not None  # of a regular file it never is
                    found[name] = content.read(_LARGEST_TEXT)
                    if found.keys() == wanted:
                        break
    return found


def _top_name(path: str) -> str | None:
    parts = PurePosixPath(path).parts
    return parts[1] if len(parts) == 2 else None


def _unpack_tar(archive: Path, filename: str, target: Path) -> None:
    if not hasattr(tarfile, "data_filter"):
        raise UnsupportedError(
            "this Python cannot unpack archives of source safely",
            cause="its tarfile has no filters (PEP 706)",
            hint="run kaa with Python 3.10.12, 3.11.4 or newer",
        )
    with tarfile.open(archive) as tar:
        members = tar.getmembers()
        _check_size(sum(member.size for member in members), archive, filename)
        for member in members:
            # Before Python's own filter, which has had holes where links follow links.
            if not (member.isreg() or member.isdir() or member.issym() or member.islnk()):
                raise _refused(filename, f"{member.name!r} is a device or a pipe")
            _check_path(member.name, filename)
            if member.issym():
                parent = PurePosixPath(member.name).parent
                _check_path(f"{parent}/{member.linkname}", filename, absolute=member.linkname)
            elif member.islnk():
                _check_path(member.linkname, filename)
            member.mtime = max(member.mtime, _ZIP_EPOCH)
        try:
            tar.extractall(target, members, filter="data")
        except tarfile.FilterError as error:
            raise _refused(filename, str(error)) from error


def _unpack_zip(archive: Path, filename: str, target: Path) -> None:
    with zipfile.ZipFile(archive) as opened:
        infos = opened.infolist()
        _check_size(sum(info.file_size for info in infos), archive, filename)
        for info in infos:
            mode = info.external_attr >> 16
            if stat.S_IFMT(mode) not in (0, stat.S_IFREG, stat.S_IFDIR):
                raise _refused(filename, f"{info.filename!r} is a link or a device")
            _check_path(info.filename, filename)
        if len({info.filename for info in infos}) != len(infos):
            raise _refused(filename, "two of its files have the same place")
        for info in infos:
            path = target / info.filename
            if info.is_dir():
                path.mkdir(parents=True, exist_ok=True)
                continue
            path.parent.mkdir(parents=True, exist_ok=True)
            with opened.open(info) as content, path.open("xb") as file:
                shutil.copyfileobj(content, file)
            if info.external_attr >> 16 & 0o111:
                path.chmod(0o755)


def _check_path(path: str, filename: str, absolute: str | None = None) -> None:
    """Refuse a path that leaves the archive; ``absolute`` is what must not begin at the root."""
    depth = 0
    for part in path.replace("\\", "/").split("/"):
        depth += {"": 0, ".": 0, "..": -1}.get(part, 1)
        if depth < 0:
            break
    drive = path[1:2] == ":"
    if depth < 0 or drive or (path if absolute is None else absolute).startswith(("/", "\\")):
        raise _refused(filename, f"{absolute or path!r} leads out of the archive")


def _check_size(size: int, archive: Path, filename: str) -> None:
    if size > _ROOM + _RATIO * archive.stat().st_size:
        raise _refused(filename, f"it would unpack to {size} bytes")


@contextmanager
def _explained(filename: str) -> Iterator[None]:
    try:
        yield
    except _DAMAGES as error:
        raise UnsafeArchiveError(
            f"the archive {filename} is damaged",
            cause=str(error) or type(error).__name__,
            hint="try again; if it stays so, choose another version, and tell the authors",
        ) from error


def _refused(filename: str, why: str) -> UnsafeArchiveError:
    return UnsafeArchiveError(
        f"the archive {filename} was refused",
        cause=why,
        hint="tell the project's authors; choose another version with `==` until it is mended",
    )
