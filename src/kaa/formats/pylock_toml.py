"""pylock.toml (PEP 751): what of PyPI's packages is installed, with the hashes of all files.

``packaging.pylock`` reads, checks and writes the format. Python itself is not in it, nor is any
conda package.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any
from urllib.parse import urljoin, urlsplit

from kaa.formats.toml_text import read_toml
from kaa.model.errors import RequestError, UnsupportedError

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

    from packaging.pylock import Package, PackageSdist, PackageWheel

CREATED_BY = "kaa"


@dataclass(frozen=True, slots=True)
class PylockFile:
    """One file of a package: ``url`` is absolute, ``hashes`` are hexadecimal by algorithm."""

    filename: str
    url: str
    hashes: Mapping[str, str]
    size: int | None = None


@dataclass(frozen=True, slots=True)
class PylockPackage:
    """A package with all of its files, wheels first.

    ``marker`` says on which platforms and Pythons it is installed (PEP 508), None for all.
    """

    name: str
    version: str | None
    files: tuple[PylockFile, ...]
    marker: str | None = None
    requires_python: str | None = None
    index: str | None = None


@dataclass(frozen=True, slots=True)
class PythonLock:
    """A lock: packages in order of name; ``requires_python`` is a specifier (PEP 440)."""

    packages: tuple[PylockPackage, ...]
    requires_python: str | None = None
    environments: tuple[str, ...] = ()
    extras: tuple[str, ...] = ()
    dependency_groups: tuple[str, ...] = ()
    default_groups: tuple[str, ...] = ()
    created_by: str = CREATED_BY


def read_pylock(path: Path) -> PythonLock:
    """Return what a pylock.toml says.

    :raises RequestError: it cannot be read, or is no such lock; the line is named where it can be.
    :raises UnsupportedError: it has packages that no file is named of (directories, VCS).
    """
    from packaging.pylock import Pylock, PylockValidationError

    source = read_toml(path)
    try:
        lock = Pylock.from_dict(source.data)
    except PylockValidationError as error:
        raise RequestError(
            f"{path.name} is no pylock.toml that can be read",
            cause=str(error),
            hint="make it anew, with the program that wrote it",
        ) from None
    return PythonLock(
        tuple(_package(each, path) for each in lock.packages),
        str(lock.requires_python) if lock.requires_python is not None else None,
        tuple(map(str, lock.environments or ())),
        tuple(lock.extras or ()),
        tuple(lock.dependency_groups or ()),
        tuple(lock.default_groups or ()),
        lock.created_by,
    )


def render_pylock(lock: PythonLock) -> str:
    """Return the content of a pylock.toml, which ``packaging.pylock`` accepts.

    :raises RequestError: it does not: a name or version that is none, say.
    """
    import tomlkit
    from packaging.pylock import Pylock, PylockValidationError

    content: dict[str, Any] = {"lock-version": "1.0", "created-by": lock.created_by}
    content |= {"requires-python": lock.requires_python} if lock.requires_python else {}
    for key, values in (
        ("environments", lock.environments),
        ("extras", lock.extras),
        ("dependency-groups", lock.dependency_groups),
        ("default-groups", lock.default_groups),
    ):
        content |= {key: list(values)} if values else {}
    content["packages"] = [_entry(each) for each in lock.packages]
    try:
        Pylock.from_dict(content)
    except PylockValidationError as error:
        raise RequestError(
            "what is installed cannot be said in a pylock.toml",
            cause=str(error),
            hint="choose another format, such as pixi-lock",
        ) from None
    return tomlkit.dumps(content)


def _entry(package: PylockPackage) -> dict[str, Any]:
    entry: dict[str, Any] = {"name": package.name}
    for key, value in (
        ("version", package.version),
        ("marker", package.marker),
        ("requires-python", package.requires_python),
        ("index", package.index),
    ):
        entry |= {key: value} if value else {}
    wheels = [_file(each) for each in package.files if each.filename.endswith(".whl")]
    sdists = [_file(each) for each in package.files if not each.filename.endswith(".whl")]
    entry |= {"sdist": sdists[0]} if sdists else {}
    entry |= {"wheels": wheels} if wheels else {}
    return entry


def _file(file: PylockFile) -> dict[str, Any]:
    size = {"size": file.size} if file.size is not None else {}
    return {"name": file.filename, "url": file.url, **size, "hashes": dict(file.hashes)}


def _package(package: Package, path: Path) -> PylockPackage:
    files = [_read_file(each, path) for each in package.wheels or ()]
    if package.sdist is not None:
        files.append(_read_file(package.sdist, path))
    if package.archive is not None:
        archive = package.archive
        url = archive.url or _url_of(archive.path or "", path)
        name = urlsplit(url).path.rpartition("/")[2]
        files.append(PylockFile(name, url, dict(archive.hashes), archive.size))
    if not files:
        what = "a directory" if package.directory is not None else "a repository"
        raise UnsupportedError(
            f"{path.name} has {package.name} as {what}, which has no hash",
            hint="install it beside the rest: `kaa install -e PATH`",
        )
    return PylockPackage(
        package.name,
        str(package.version) if package.version is not None else None,
        tuple(files),
        str(package.marker) if package.marker is not None else None,
        str(package.requires_python) if package.requires_python is not None else None,
        package.index,
    )


def _read_file(file: PackageWheel | PackageSdist, path: Path) -> PylockFile:
    url = file.url or _url_of(file.path or "", path)
    return PylockFile(file.filename, url, dict(file.hashes), file.size)


def _url_of(place: str, path: Path) -> str:
    return urljoin(path.absolute().as_uri(), place)


def names(packages: Sequence[PylockPackage]) -> list[str]:
    """Return the names of packages, each once, in order."""
    return list(dict.fromkeys(each.name for each in packages))
