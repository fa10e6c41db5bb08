"""A conda package archive (``.conda`` or ``.tar.bz2``) becomes a directory, as the linker takes it.

Unpacked here and not by rattler, whose ``extract`` holds Python's lock from its beginning to its
end: nothing else would move meanwhile, neither other downloads nor Ctrl-C. What an archive may do
is decided member by member; then what the package *says* of itself is checked, because rattler's
linker follows ``info/paths.json`` wherever that leads (out of the environment with ``..``, and to
the end of the process with an absolute path).
"""

from __future__ import annotations

import os
import sys
import tarfile
import zipfile
import zlib
from concurrent.futures import CancelledError
from contextlib import ExitStack
from pathlib import Path, PurePosixPath
from typing import IO, TYPE_CHECKING

from kaa.model.errors import UnsafeArchiveError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

_BLOCK = 1 << 20
_O_BINARY: int = getattr(os, "O_BINARY", 0)
_DAMAGES = (
    tarfile.TarError,
    zipfile.BadZipFile,
    zlib.error,
    EOFError,
    NotImplementedError,  # zipfile's for compression that it does not know
    RuntimeError,  # zipfile's for encrypted members
    ValueError,
)


def extract_package(
    archive: Path, target: Path, halted: Callable[[], bool] = lambda: False
) -> None:
    """Extract ``archive`` into the empty directory ``target``.

    Files get the mode 755 or 644, because environments share them, and keep their time of
    modification, by which bytecode is valid. Now and then ``halted`` may say that the package is
    not wanted any more.

    Raises :class:`UnsafeArchiveError` for an archive that is damaged, that lacks a file which it
    lists, or that would put something outside of the environment, and
    :class:`concurrent.futures.CancelledError` when halted; ``OSError`` is the caller's to explain.
    """
    unpacking = _Unpacking(target, archive.name, halted)
    try:
        with ExitStack() as stack:
            for stream in _tars(archive, stack):
                with tarfile.open(fileobj=stream, mode="r|", bufsize=_BLOCK) as tar:
                    for member in tar:
                        unpacking.add(tar, member)
    except (*_DAMAGES, _zstd_error()) as error:
        raise _damaged(archive.name, str(error) or type(error).__name__) from error
    except OSError as error:
        if error.errno is None:  # bz2's for what is no such stream
            raise _damaged(archive.name, str(error)) from error
        raise
    for link in unpacking.links:
        _check_link(link, target, archive.name)
    _check_paths(target, unpacking, archive.name)


def _tars(archive: Path, stack: ExitStack) -> Iterator[IO[bytes]]:
    """Yield the tar streams of a package: one of ``.tar.bz2``, two of ``.conda`` (CEP 35)."""
    if archive.name.endswith(".tar.bz2"):
        import bz2

        yield stack.enter_context(bz2.BZ2File(archive))
        return
    try:
        package = stack.enter_context(zipfile.ZipFile(archive))
        members = [stack.enter_context(package.open(name)) for name in _members(package)]
    except OSError as error:  # zipfile's for places that are before the file's beginning
        raise zipfile.BadZipFile(str(error)) from error
    for member in members:
        yield _unzst(member, stack)


def _members(package: zipfile.ZipFile) -> Iterator[str]:
    names = [name for name in package.namelist() if name.endswith(".tar.zst")]
    for part in ("info-", "pkg-"):
        found = [name for name in names if name.startswith(part)]
        if len(found) != 1:
            raise zipfile.BadZipFile(f"it has {len(found)} members {part}*.tar.zst")
        yield found[0]


def _unzst(stream: IO[bytes], stack: ExitStack) -> IO[bytes]:
    if sys.version_info >= (3, 14):
        from compression import zstd

        return stack.enter_context(zstd.ZstdFile(stream))
    import zstandard

    reader = zstandard.ZstdDecompressor().stream_reader(stream, read_across_frames=True)
    return stack.enter_context(reader)


def _zstd_error() -> type[Exception]:
    if sys.version_info >= (3, 14):
        from compression import zstd

        return zstd.ZstdError
    import zstandard

    return zstandard.ZstdError


class _Unpacking:
    """What was unpacked so far. No member is written through another one's link.

    ``files`` has links, too; all paths are relative to the package, with slashes.
    """

    def __init__(self, target: Path, name: str, halted: Callable[[], bool]) -> None:
        self.files: set[str] = set()
        self.links: set[str] = set()
        self.directories: set[str] = {""}
        self._root = str(target)
        self._name = name
        self._halted = halted

    def add(self, tar: tarfile.TarFile, member: tarfile.TarInfo) -> None:
        """Write a member. Raises what :func:`extract_package` does."""
        self._go_on()
        path = self._path(member.name)
        if member.isdir():
            self._make(path)
            return
        if not path or path in self.directories:
            raise _unsafe(self._name, f"it has both a directory and a file {member.name!r}")
        self._make(path.rpartition("/")[0])
        self._make_room(path, member)
        if member.issym():
            os.symlink(member.linkname, self._place(path))  # noqa: PTH211 - as it is written
            self.links.add(path)
        elif member.islnk():
            self._link(path, self._path(member.linkname))
        elif member.isreg():
            self._write(tar, member, path)
        else:
            raise _unsafe(self._name, f"{path} is neither a file nor a link nor a directory")
        self.files.add(path)

    def _go_on(self) -> None:
        if self._halted():
            raise CancelledError

    def _path(self, name: str) -> str:
        parts = [part for part in name.split("/") if part not in {"", "."}]
        outside = name.startswith("/") or ".." in parts or "\0" in name
        if outside or (os.name == "nt" and ("\\" in name or ":" in name)):
            raise _unsafe(self._name, f"it would put a file at {name!r}")
        return "/".join(parts)

    def _place(self, path: str) -> str:
        return f"{self._root}/{path}"

    def _make(self, directory: str) -> None:
        if directory in self.directories:
            return
        if directory in self.links:
            raise _unsafe(self._name, f"it would put files below the link {directory}")
        if directory in self.files:
            raise _unsafe(self._name, f"it has both a directory and a file {directory!r}")
        self._make(directory.rpartition("/")[0])
        os.mkdir(self._place(directory), 0o755)  # noqa: PTH102 - called 10^4 times
        self.directories.add(directory)

    def _make_room(self, path: str, member: tarfile.TarInfo) -> None:
        """Take away an earlier file of the same name, as tar does; never one of another kind."""
        if path not in self.files:
            return
        if path in self.links or member.issym():
            raise _unsafe(self._name, f"it has {path} twice")
        Path(self._place(path)).unlink()

    def _link(self, path: str, source: str) -> None:
        if source not in self.files or source in self.links:
            raise _unsafe(self._name, f"{path} is a hard link to {source}, which is no file of it")
        os.link(self._place(source), self._place(path))

    def _write(self, tar: tarfile.TarFile, member: tarfile.TarInfo, path: str) -> None:
        content = tar.extractfile(member)
        assert content is not None  # of a regular file it never is
        place = self._place(path)
        mode = 0o755 if member.mode & 0o111 else 0o644
        # O_EXCL: a link that somebody put there is not followed
        flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | _O_BINARY
        descriptor = os.open(place, flags, mode)
        try:
            while block := content.read(_BLOCK):
                self._go_on()
                view = memoryview(block)
                while view:
                    view = view[os.write(descriptor, view) :]
        finally:
            os.close(descriptor)
        os.utime(place, (member.mtime, member.mtime))


def _check_link(path: str, target: Path, name: str) -> None:
    """Refuse a link that leads out of the package and through which others could write.

    conda-build lets packages have links to files of the system; those lead to no directory.
    """
    link = target / path
    destination = os.readlink(link)  # noqa: PTH115 - as it is written, not as Path tidies it
    if Path(destination).is_absolute():
        if link.is_dir():
            raise _unsafe(name, f"its link {path} leads to the directory {destination}")
        return
    written = Path(os.path.normpath(f"{PurePosixPath(path).parent}/{destination}"))
    real = Path(os.path.realpath(link))
    if written.parts[:1] == ("..",) or not real.is_relative_to(os.path.realpath(target)):
        raise _unsafe(name, f"its link {path} leads out of the environment, to {destination}")


def _check_paths(target: Path, unpacking: _Unpacking, name: str) -> None:
    """Check what the linker is told to link: ``info/paths.json``, or what came before it."""
    from rattler import PathsJson

    try:
        listed = PathsJson.from_package_directory_with_deprecated_fallback(target).paths
        paths = [entry.relative_path for entry in listed]
    except Exception as error:  # rattler's, for files that are missing or not what they should be
        raise _damaged(name, f"its list of files cannot be read: {error}") from error
    for path in paths:
        if path.is_absolute() or path.drive or ".." in path.parts or not path.parts:
            raise _unsafe(name, f"it would put a file at {path}")
    for directory in {directory for path in paths for directory in path.parents}:
        if directory.as_posix() in unpacking.links:
            raise _unsafe(name, f"it would put files below the link {directory}")
    there = unpacking.files | unpacking.directories
    for path in paths:
        if path.as_posix() not in there:
            raise _damaged(name, f"it lists {path}, which is not in it")


def _unsafe(name: str, why: str) -> UnsafeArchiveError:
    return UnsafeArchiveError(
        f"the package {name} was refused",
        cause=why,
        hint="tell the channel's owners; choose another version or build until it is mended",
    )


def _damaged(name: str, why: str) -> UnsafeArchiveError:
    return UnsafeArchiveError(
        f"the package {name} is damaged",
        cause=why,
        hint="tell the channel's owners; choose another version or build until it is mended",
    )
