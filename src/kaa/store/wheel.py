"""What is in a wheel and where each file belongs (the binary distribution format of PyPA's specs).

Nothing is written here: :func:`read_wheel` looks at an archive and says, for each member, its
place in the layout of an extracted ``noarch: python`` conda package. Whatever would leave that
layout (absolute paths, ``..``, links, reserved directories) is refused.
"""

from __future__ import annotations

import configparser
import re
import stat
from dataclasses import dataclass
from pathlib import PurePosixPath
from typing import TYPE_CHECKING

from kaa.model.errors import UnsafeArchiveError

if TYPE_CHECKING:
    import zipfile

SITE_PACKAGES = "site-packages"
SCRIPTS = "python-scripts"
_RESERVED = frozenset({"conda-meta", "info", "pyvenv.cfg", SITE_PACKAGES, SCRIPTS})
"""What the data scheme of a wheel must not write to: these belong to the environment itself."""
_SCHEMES = frozenset({"purelib", "platlib", "scripts", "data", "headers"})
_COMMAND = re.compile(r"[^\s/\\:=.][^/\\:=\n]*")
_OBJECT = re.compile(r"([\w.]+)\s*:\s*([\w.]+)")


@dataclass(frozen=True, slots=True)
class Member:
    """A file of the archive. ``path`` is its place in the package, with forward slashes."""

    info: zipfile.ZipInfo
    path: str
    executable: bool
    script: bool


@dataclass(frozen=True, slots=True)
class Wheel:
    """A wheel that has been looked through.

    ``dist_info`` is the name of its ``*.dist-info`` directory; ``entry_points`` are console and
    GUI scripts as ``name = module:function``.
    """

    dist_info: str
    members: tuple[Member, ...]
    entry_points: tuple[str, ...]


def read_wheel(archive: zipfile.ZipFile, filename: str) -> Wheel:
    """Return what ``archive`` holds and where it goes.

    ``filename`` is the wheel's own (``name-version-...whl``). Raises :class:`UnsafeArchiveError`
    for anything that is not a wheel of a known version or that would write outside its package.
    """
    name = filename.split("-")[0]
    dist_info = _find_dist_info(archive, filename, name)
    _check_wheel_version(archive, dist_info, filename)
    data_prefix = dist_info[: -len(".dist-info")] + ".data/"
    members = []
    skipped = {f"{dist_info}/RECORD", f"{dist_info}/RECORD.jws", f"{dist_info}/RECORD.p7s"}
    for info in archive.infolist():
        if info.is_dir() or info.filename in skipped:
            continue
        members.append(_place(info, data_prefix, name, filename))
    _check_places([member.path for member in members], filename)
    return Wheel(dist_info, tuple(members), _entry_points(archive, dist_info, filename))


def _place(info: zipfile.ZipInfo, data_prefix: str, name: str, filename: str) -> Member:
    path = info.filename
    mode = info.external_attr >> 16
    if stat.S_IFMT(mode) not in (0, stat.S_IFREG):
        raise _refused(filename, f"{path!r} is a link or a device, not a file")
    # zipfile has turned the separators of the archive's own system into slashes already
    parts = path.split("/")
    if path.startswith("/") or "\\" in path or ":" in parts[0] or {"", ".", ".."} & set(parts):
        raise _refused(filename, f"{path!r} would be written outside the package")
    executable = bool(mode & 0o111)
    if not path.startswith(data_prefix):
        return Member(info, f"{SITE_PACKAGES}/{path}", executable, script=False)
    scheme, _, rest = path[len(data_prefix) :].partition("/")
    if scheme not in _SCHEMES or not rest:
        raise _refused(filename, f"{path!r} belongs to no known scheme")
    if scheme == "scripts":
        if "/" in rest:
            raise _refused(filename, f"{path!r} is a script in a directory of its own")
        return Member(info, f"{SCRIPTS}/{rest}", executable=True, script=True)
    if scheme == "headers":
        return Member(info, f"include/site/{name}/{rest}", executable, script=False)
    if scheme == "data":
        if rest.split("/")[0].lower() in _RESERVED:
            raise _refused(filename, f"{path!r} would be written over the environment's own files")
        return Member(info, rest, executable, script=False)
    return Member(info, f"{SITE_PACKAGES}/{rest}", executable, script=False)


def _check_places(paths: list[str], filename: str) -> None:
    places = set(paths)
    if len(places) != len(paths):
        raise _refused(filename, "two of its files have the same place")
    directories = {path.rpartition("/")[0] for path in paths}
    for directory in directories:
        while directory:
            if directory in places:
                raise _refused(filename, f"{directory!r} is a file and a directory")
            directory = directory.rpartition("/")[0]


def _find_dist_info(archive: zipfile.ZipFile, filename: str, name: str) -> str:
    tops = {
        PurePosixPath(path).parts[0]
        for path in archive.namelist()
        if ".dist-info/" in path and not path.startswith("/")
    }
    found = [top for top in tops if top.endswith(".dist-info")]
    if len(found) != 1:
        raise _refused(filename, f"it has {len(found)} .dist-info directories instead of one")
    if _plain(found[0].split("-")[0]) != _plain(name):
        raise _refused(filename, f"its metadata are those of another project ({found[0]})")
    if f"{found[0]}/METADATA" not in archive.NameToInfo:
        raise _refused(filename, f"it has no {found[0]}/METADATA file")
    return found[0]


def _plain(name: str) -> str:
    return re.sub(r"[-_.]+", "_", name).lower()


def _check_wheel_version(archive: zipfile.ZipFile, dist_info: str, filename: str) -> None:
    try:
        text = archive.read(f"{dist_info}/WHEEL").decode("utf-8", "replace")
    except KeyError:
        raise _refused(filename, f"it has no {dist_info}/WHEEL file") from None
    for line in text.splitlines():
        key, _, value = line.partition(":")
        if key.strip().lower() == "wheel-version":
            if value.strip().split(".")[0] != "1":
                raise _refused(filename, f"its format version is {value.strip()}; kaa knows 1.x")
            return
    raise _refused(filename, "its WHEEL file names no format version")


def _entry_points(archive: zipfile.ZipFile, dist_info: str, filename: str) -> tuple[str, ...]:
    try:
        text = archive.read(f"{dist_info}/entry_points.txt").decode("utf-8")
    except UnicodeDecodeError:
        raise _refused(filename, "its entry_points.txt is not UTF-8") from None
    except KeyError:
        return ()
    parser = configparser.ConfigParser(delimiters=("=",), interpolation=None, strict=False)
    parser.optionxform = str  # type: ignore[assignment,method-assign]  # names are case-sensitive
    try:
        parser.read_string(text)
    except configparser.Error as error:
        raise _refused(filename, f"its entry_points.txt cannot be read ({error})") from None
    points = {}
    for group in ("console_scripts", "gui_scripts"):
        if not parser.has_section(group):
            continue
        for name, value in parser.items(group):
            found = _OBJECT.fullmatch(value.partition("[")[0].strip())  # pip ignores extras, too
            if not _COMMAND.fullmatch(name) or found is None:
                raise _refused(filename, f"its entry point {name!r} = {value!r} is not usable")
            points[name] = f"{name} = {found[1]}:{found[2]}"
    return tuple(points[name] for name in sorted(points))


def _refused(filename: str, why: str) -> UnsafeArchiveError:
    return UnsafeArchiveError(
        f"the wheel {filename} was refused",
        cause=why,
        hint="tell the project's authors; choose another version with `==` until it is mended",
    )
