"""Builds small real conda packages (``.conda`` and ``.tar.bz2``) for tests.

build_conda_package(tmp_path, "demo", "1.0", depends=["python"], noarch="python",
                    files=python_project("demo", "1.0"), entry_points=["demo = demo:main"])

A text file with :data:`PLACEHOLDER` in it gets the environment's prefix when it is linked, a
binary one (``bytes``) gets it padded with NUL, as compiled programs need it. Link scripts are
files: ``bin/.demo-post-link.sh``. The same arguments give the same bytes. A whole Python as a
package: :func:`packed_interpreter.pack_interpreter`.
"""

from __future__ import annotations

import bz2
import hashlib
import io
import json
import tarfile
import zipfile
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

import zstandard

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping
    from pathlib import Path

PLACEHOLDER = ("/opt/build_artifacts/feedstock_root/_h_env" + "_placehold" * 25)[:255]
"""A prefix of 255 characters, as conda-build's: no shorter one could be replaced in binaries."""
_WHEN = (2020, 1, 1, 0, 0, 0)
_SECONDS = 1577836800


@dataclass(frozen=True)
class Link:
    """A symbolic link in a package; ``target`` is what it says."""

    target: str


Content = str | bytes | Link
Member = tuple[tarfile.TarInfo, bytes]


def build_conda_package(
    directory: Path,
    name: str,
    version: str = "1.0",
    build: str = "0",
    *,
    build_number: int = 0,
    depends: Iterable[str] = (),
    constrains: Iterable[str] = (),
    noarch: Literal["python", "generic"] | None = None,
    subdir: str | None = None,
    files: Mapping[str, Content] | None = None,
    entry_points: Iterable[str] = (),
    executable: Iterable[str] = (),
    no_link: Iterable[str] = (),
    track_features: str | None = None,
    license: str | None = None,  # noqa: A002 - the field's name in index.json
    timestamp: int | None = None,
    archive: Literal["conda", "tar.bz2"] = "conda",
    index: Mapping[str, Any] | None = None,
    info: Mapping[str, str | bytes] | None = None,
    members: Iterable[Member] = (),
    info_members: Iterable[Member] = (),
) -> Path:
    """Write a package into ``directory`` and return its path.

    Without ``files`` it has one, ``share/<name>.txt``. ``executable`` files get the mode 755, as
    do those in ``bin`` and ``python-scripts``. ``entry_points`` are as ``demo = demo:main``;
    ``timestamp`` is in milliseconds. For packages that are wrong: ``index`` overrides fields of
    ``info/index.json`` (None removes one), ``info`` replaces files of ``info/`` or adds some, and
    ``members`` and ``info_members`` are put into the archive as they are, after everything else.
    """
    platform = subdir or ("noarch" if noarch else "linux-64")
    contents = dict(files if files is not None else {f"share/{name}.txt": f"{name} {version}\n"})
    about = {"license": license, "summary": f"{name}, for a test"}
    record = {
        "arch": None if noarch else platform.partition("-")[2],
        "build": build,
        "build_number": build_number,
        "constrains": list(constrains),
        "depends": list(depends),
        "license": license,
        "name": name,
        "noarch": noarch,
        "platform": None if noarch else platform.partition("-")[0],
        "subdir": platform,
        "timestamp": timestamp,
        "track_features": track_features,
        "version": version,
        **(index or {}),
    }
    information: dict[str, str | bytes] = {
        "index.json": _json({key: value for key, value in record.items() if value is not None}),
        "about.json": _json(about),
        "files": "".join(f"{path}\n" for path in contents),
        "paths.json": _json(_paths(contents, set(no_link))),
    }
    if noarch == "python":
        link = {"noarch": {"type": "python", "entry_points": list(entry_points)}}
        information["link.json"] = _json({**link, "package_metadata_version": 1})
    information.update(info or {})
    executables = set(executable) | {
        path for path in contents if path.startswith(("bin/", "python-scripts/", "Scripts/"))
    }
    payload = [_member(path, content, path in executables) for path, content in contents.items()]
    head = [_member(f"info/{path}", content, False) for path, content in information.items()]
    directory.mkdir(parents=True, exist_ok=True)
    path = directory / f"{name}-{version}-{build}.{archive}"
    if archive == "conda":
        _write_conda(path, [*head, *info_members], [*payload, *members])
    else:
        path.write_bytes(_tar([*head, *info_members, *payload, *members], "bz2"))
    return path


def python_project(
    name: str,
    version: str = "1.0",
    *,
    requires: Iterable[str] = (),
    commands: Iterable[str] = (),
    site_packages: str = "site-packages",
) -> dict[str, Content]:
    """Return the files of a Python project: a module with ``main`` and its ``dist-info``.

    ``requires`` are PEP 508 requirements, ``commands`` entry points as ``demo = demo:main``;
    ``site_packages`` is ``lib/python3.12/site-packages`` for packages that are not noarch.
    """
    module = name.replace("-", "_")
    metadata = ["Metadata-Version: 2.1", f"Name: {name}", f"Version: {version}"]
    metadata += [f"Requires-Dist: {requirement}" for requirement in requires]
    points = "".join(f"{command}\n" for command in commands)
    info = f"{site_packages}/{module}-{version}.dist-info"
    content = f"__version__ = {version!r}\n\n\ndef main():\n    print(__name__, __version__)\n"
    files: dict[str, Content] = {
        f"{site_packages}/{module}/__init__.py": content,
        f"{info}/METADATA": "\n".join([*metadata, "", ""]),
        f"{info}/WHEEL": "Wheel-Version: 1.0\nGenerator: tests\nTag: py3-none-any\n",
        f"{info}/INSTALLER": "conda\n",
        f"{info}/RECORD": f"{module}/__init__.py,,\n{module}-{version}.dist-info/METADATA,,\n",
    }
    if points:
        files[f"{info}/entry_points.txt"] = f"[console_scripts]\n{points}"
    return files


def read_index_json(path: Path) -> dict[str, Any]:
    """Return ``info/index.json`` of a package."""
    if path.name.endswith(".tar.bz2"):
        content = bz2.decompress(path.read_bytes())
    else:
        with zipfile.ZipFile(path) as archive:
            inner = next(name for name in archive.namelist() if name.startswith("info-"))
            content = zstandard.ZstdDecompressor().decompressobj().decompress(archive.read(inner))
    with tarfile.open(fileobj=io.BytesIO(content)) as tar:
        file = tar.extractfile("info/index.json")
        assert file is not None
        index: dict[str, Any] = json.loads(file.read())
        return index


def raw_member(
    path: str,
    content: bytes = b"",
    *,
    kind: bytes = tarfile.REGTYPE,
    target: str = "",
    mode: int = 0o644,
) -> Member:
    """Return a tar member as it is, however evil. ``kind`` is one of tarfile's types."""
    entry = tarfile.TarInfo(path)
    entry.type, entry.linkname, entry.mode, entry.mtime = kind, target, mode, _SECONDS
    entry.size = len(content)
    return entry, content


def _member(path: str, content: Content, executable: bool) -> Member:
    if isinstance(content, Link):
        return raw_member(path, kind=tarfile.SYMTYPE, target=content.target, mode=0o777)
    encoded = content.encode() if isinstance(content, str) else content
    return raw_member(path, encoded, mode=0o755 if executable else 0o644)


def _paths(contents: Mapping[str, Content], no_link: set[str]) -> dict[str, Any]:
    return {
        "paths": [_path(path, content, no_link) for path, content in contents.items()],
        "paths_version": 1,
    }


def _path(path: str, content: Content, no_link: set[str]) -> dict[str, Any]:
    # A link's hash is that of what it points to; no reader looks at it where there is no file.
    data = content.target if isinstance(content, Link) else content
    encoded = data.encode() if isinstance(data, str) else data
    entry: dict[str, Any] = {
        "_path": path,
        "path_type": "softlink" if isinstance(content, Link) else "hardlink",
        "sha256": hashlib.sha256(encoded).hexdigest(),
        "size_in_bytes": len(encoded),
    }
    if path in no_link:
        entry["no_link"] = True
    if PLACEHOLDER.encode() in encoded and not isinstance(content, Link):
        entry["prefix_placeholder"] = PLACEHOLDER
        entry["file_mode"] = "text" if isinstance(content, str) else "binary"
    return entry


def _write_conda(path: Path, info: Iterable[Member], payload: Iterable[Member]) -> None:
    stem = path.name.removesuffix(".conda")
    compressor = zstandard.ZstdCompressor(level=3)
    parts = {
        "metadata.json": b'{"conda_pkg_format_version": 2}',
        f"pkg-{stem}.tar.zst": compressor.compress(_tar(payload)),
        f"info-{stem}.tar.zst": compressor.compress(_tar(info)),
    }
    with zipfile.ZipFile(path, "w", zipfile.ZIP_STORED) as archive:
        for inner, content in parts.items():
            archive.writestr(zipfile.ZipInfo(inner, _WHEN), content)


def _tar(members: Iterable[Member], compression: Literal["", "bz2"] = "") -> bytes:
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode=f"w:{compression}", format=tarfile.GNU_FORMAT) as tar:  # type: ignore[call-overload]
        for entry, content in members:
            tar.addfile(entry, io.BytesIO(content))
    return buffer.getvalue()


def _json(content: Mapping[str, Any]) -> str:
    return json.dumps(content, indent=2)
