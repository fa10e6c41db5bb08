"""A wheel becomes an entry of the package cache: the layout of an extracted conda package.

The entry is ``noarch: python`` (files below ``site-packages/`` and ``python-scripts/``, entry
points in ``info/link.json``), so that rattler links, records and removes it like any other
package. It is written beside its final place and renamed, and counts only when the lock file
that rattler looks for is there too (see :mod:`kaa.store.package_cache`).
"""

from __future__ import annotations

import base64
import hashlib
import json
import mmap
import os
import struct
import zipfile
import zlib
from concurrent.futures import CancelledError
from typing import TYPE_CHECKING, Any

from kaa.model.errors import UnsafeArchiveError
from kaa.store.wheel import SCRIPTS, SITE_PACKAGES, Member, Wheel, read_wheel

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping
    from pathlib import Path
    from types import ModuleType

_inflate: ModuleType
try:  # the same interface as zlib, two to three times as fast
    from isal import isal_zlib as _inflate
except ImportError:  # pragma: no cover - machines for which isal has no wheel
    _inflate = zlib

_INFLATE_ERROR: type[Exception] = _inflate.error

PLACEHOLDER = "/opt/anaconda1anaconda2anaconda3"
"""The prefix that conda packages are built with; the linker replaces it."""
_LOCAL_HEADER = struct.Struct("<26xHH")
_INSTALLER = b"kaa\n"
_INSTALLERS_OWN = ("INSTALLER", "REQUESTED", "direct_url.json")
"""Files of ``*.dist-info`` that only an installer may write."""
_DAMAGES = (
    zipfile.BadZipFile,
    zlib.error,
    _INFLATE_ERROR,
    struct.error,
    EOFError,
    RuntimeError,  # zipfile's for encrypted members and unknown compression
    OverflowError,  # of sizes that no file has
)
_O_BINARY: int = getattr(os, "O_BINARY", 0)


def convert_wheel(
    wheel_path: Path,
    filename: str,
    target: Path,
    index: dict[str, Any],
    extra_dist_info: Mapping[str, bytes] | None = None,
    halted: Callable[[], bool] = lambda: False,
) -> None:
    """Unpack the wheel at ``wheel_path`` into the new directory ``target``.

    ``filename`` is the wheel's own name (the file may be called otherwise), ``index`` the content
    of ``info/index.json``; ``extra_dist_info`` are files to be added to ``*.dist-info``, such as
    ``direct_url.json`` (PEP 610). Between two files ``halted`` may say that the wheel is not wanted
    any more. Raises :class:`UnsafeArchiveError` for archives that are damaged or that would write
    elsewhere, and :class:`concurrent.futures.CancelledError` when halted; ``OSError`` is the
    caller's to explain.
    """
    try:
        with zipfile.ZipFile(wheel_path) as archive:
            wheel = read_wheel(archive, filename)
            with wheel_path.open("rb") as file, _mapped(file.fileno()) as data:
                entries = _write_members(wheel, data, target, filename, halted)
    except _DAMAGES as error:
        raise UnsafeArchiveError(
            f"the wheel {filename} is damaged",
            cause=str(error),
            hint="tell the project's authors; choose another version with `==` until it is mended",
        ) from error
    added = {**(extra_dist_info or {}), "INSTALLER": _INSTALLER}
    entries += _write_installation_records(wheel, entries, target, added)
    _write_info(wheel, entries, target, index)


def _mapped(descriptor: int) -> mmap.mmap:
    return mmap.mmap(descriptor, 0, access=mmap.ACCESS_READ)


def _write_members(
    wheel: Wheel, data: mmap.mmap, target: Path, filename: str, halted: Callable[[], bool]
) -> list[dict[str, Any]]:
    root = str(target)
    made: set[str] = set()
    entries = []
    for member in wheel.members:
        if halted():
            raise CancelledError
        content = _read(member, data, filename)
        entry: dict[str, Any] = {"_path": member.path, "path_type": "hardlink"}
        if member.script:
            content, placed = _with_placeholder(content)
            if placed:
                entry |= {"file_mode": "text", "prefix_placeholder": PLACEHOLDER}
        if member.path.startswith("etc/"):
            entry["no_link"] = True  # Jupyter and others edit these files in place
        directory = member.path.rpartition("/")[0]
        if directory not in made:
            os.makedirs(f"{root}/{directory}", exist_ok=True)  # noqa: PTH103 - called 10^4 times
            made.add(directory)
        _write(f"{root}/{member.path}", content, 0o755 if member.executable else 0o644)
        entry["sha256"] = hashlib.sha256(content).hexdigest()
        entry["size_in_bytes"] = len(content)
        entries.append(entry)
    return entries


def _read(member: Member, data: mmap.mmap, filename: str) -> bytes:
    """Return a member's bytes. Faster than ``ZipFile.read``, which goes through Python streams."""
    info = member.info
    name_length, extra_length = _LOCAL_HEADER.unpack_from(data, info.header_offset)
    start = info.header_offset + 30 + name_length + extra_length
    packed = data[start : start + info.compress_size]
    if info.flag_bits & 1 or info.compress_type not in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED):
        raise zipfile.BadZipFile(f"{info.filename!r} is encrypted or compressed in an unusual way")
    if info.compress_type == zipfile.ZIP_DEFLATED:
        # max_length stops an archive that unpacks to more than it declares
        content = _inflate.decompressobj(-15).decompress(packed, info.file_size + 1)
    else:
        content = packed
    if len(content) != info.file_size or _inflate.crc32(content) != info.CRC:
        raise zipfile.BadZipFile(f"{info.filename!r} does not have the size or checksum declared")
    return bytes(content)


def _with_placeholder(script: bytes) -> tuple[bytes, bool]:
    """Point a script's ``#!python`` line at the environment, as the wheel format asks."""
    if not script.startswith(b"#!python"):
        return script, False
    line, separator, rest = script.partition(b"\n")
    arguments = line.partition(b" ")[2].strip()
    shebang = f"#!{PLACEHOLDER}/bin/python".encode() + (b" " + arguments if arguments else b"")
    return shebang + separator + rest, True


def _write(path: str, content: bytes, mode: int) -> None:
    # O_EXCL: a link that somebody put there is not followed
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | _O_BINARY, mode)
    try:
        view = memoryview(content)
        while view:
            view = view[os.write(descriptor, view) :]
    finally:
        os.close(descriptor)


def _write_installation_records(
    wheel: Wheel, entries: list[dict[str, Any]], target: Path, added: Mapping[str, bytes]
) -> list[dict[str, Any]]:
    """Write RECORD and what is ``added`` beside it, as an installer must (PyPA: recording
    installed projects). What a wheel brings of it is not the installer's word and goes."""
    folder = f"{SITE_PACKAGES}/{wheel.dist_info}"
    contents = {f"{folder}/{name}": content for name, content in added.items()}
    foreign = {f"{folder}/{name}" for name in _INSTALLERS_OWN} | contents.keys()
    kept = [entry for entry in entries if entry["_path"] not in foreign]
    if len(kept) != len(entries):
        for entry in entries:
            if entry["_path"] in foreign:
                (target / entry["_path"]).unlink()
        entries[:] = kept
    for path, content in contents.items():
        _write(str(target / path), content, 0o644)
    written = [_entry(path, content) for path, content in contents.items()]
    record_path = f"{folder}/RECORD"
    lines = [*_record_lines([*entries, *written]), *_script_lines(wheel)]
    lines.append(f"{wheel.dist_info}/RECORD,,")
    record = ("\n".join(lines) + "\n").encode()
    _write(str(target / record_path), record, 0o644)
    return [*written, _entry(record_path, record)]


def _entry(path: str, content: bytes) -> dict[str, Any]:
    return {
        "_path": path,
        "path_type": "hardlink",
        "sha256": hashlib.sha256(content).hexdigest(),
        "size_in_bytes": len(content),
    }


def _record_lines(entries: list[dict[str, Any]]) -> Iterator[str]:
    for entry in entries:
        path: str = entry["_path"]
        if "prefix_placeholder" in entry:  # its content is the environment's, not the package's
            yield f"{_quoted(_from_site_packages(path))},,"
            continue
        digest = base64.urlsafe_b64encode(bytes.fromhex(entry["sha256"])).rstrip(b"=").decode()
        size = entry["size_in_bytes"]
        yield f"{_quoted(_from_site_packages(path))},sha256={digest},{size}"


def _script_lines(wheel: Wheel) -> Iterator[str]:
    for point in wheel.entry_points:
        name = point.partition(" = ")[0]
        if os.name == "nt":
            yield f"{_quoted(f'../../Scripts/{name}.exe')},,"
            yield f"{_quoted(f'../../Scripts/{name}-script.py')},,"
        else:
            yield f"{_quoted(f'../../../bin/{name}')},,"


def _from_site_packages(path: str) -> str:
    """Return where a package's file is, as seen from the environment's site-packages."""
    if path.startswith(f"{SITE_PACKAGES}/"):
        return path[len(SITE_PACKAGES) + 1 :]
    up = "../.." if os.name == "nt" else "../../.."
    if path.startswith(f"{SCRIPTS}/"):
        return f"{up}/{'Scripts' if os.name == 'nt' else 'bin'}/{path[len(SCRIPTS) + 1 :]}"
    return f"{up}/{path}"


def _quoted(path: str) -> str:
    special = any(character in path for character in ',"\r\n')
    return '"' + path.replace('"', '""') + '"' if special else path


def _write_info(
    wheel: Wheel, entries: list[dict[str, Any]], target: Path, index: dict[str, Any]
) -> None:
    info = target / "info"
    info.mkdir()
    files = {
        "index.json": index,
        "paths.json": {"paths": entries, "paths_version": 1},
        "link.json": {
            "noarch": {"type": "python", "entry_points": list(wheel.entry_points)},
            "package_metadata_version": 1,
        },
        "about.json": {"description": f"made by kaa from the wheel of {index['name']}"},
    }
    for name, content in files.items():
        _write(str(info / name), json.dumps(content).encode(), 0o644)
