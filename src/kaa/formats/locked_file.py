"""Lock files of every format as the same thing: environments with the records of their packages."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING
from urllib.parse import unquote, urlsplit

from kaa.formats.conda_lock import read_conda_lock
from kaa.formats.explicit import read_explicit
from kaa.formats.lock_file import (
    DEFAULT,
    LockedDistribution,
    LockedEnvironment,
    LockedPlatform,
    read_lock,
)
from kaa.formats.recognition import FileFormat, recognise
from kaa.model.errors import RequestError
from kaa.model.package import is_subdir

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence
    from pathlib import Path

    from rattler import RepoDataRecord

    from kaa.formats.conda_lock import CondaLockPackage

_NUMBER = re.compile(r"(?:^|_)(\d+)$")
_VERSION = re.compile(r"^.+?-(?P<version>[^-]+)(?:-.*\.whl|\.(?:tar\.\w+|zip|tgz))$")
_ENDINGS = re.compile(r"(\.conda|\.tar\.bz2)$")


def read_locked(
    path: Path, platform: str, categories: Sequence[str] = ()
) -> dict[str, LockedEnvironment]:
    """Return the environments of a lock file by name; most formats have one, ``default``.

    ``platform`` is what a list of URLs is taken to be for that does not say it; ``categories`` are
    those of a conda-lock.yml that count beside the main one.

    :raises RequestError: it cannot be read, or is no lock file.
    """
    match recognise(path):
        case FileFormat.CONDA_LOCK:
            return {DEFAULT: _of_conda_lock(path, categories)}
        case FileFormat.EXPLICIT:
            return {DEFAULT: _of_explicit(path, platform)}
        case _:
            return read_lock(path)


def _of_conda_lock(path: Path, categories: Sequence[str]) -> LockedEnvironment:
    lock = read_conda_lock(path)
    there = {each.category for each in lock.packages}
    for category in categories:
        if category not in there:
            raise RequestError(
                f"{path.name} has no category {category}",
                cause=f"it has {', '.join(sorted(there)) or 'none'}",
                hint="name one of them with --category, or none",
            )
    chosen = lock.chosen(categories)
    platforms = dict.fromkeys((*lock.platforms, *(each.platform for each in chosen)))
    return LockedEnvironment(
        lock.channels,
        tuple(
            _platform_of_conda_lock(subdir, [one for one in chosen if one.platform == subdir], path)
            for subdir in platforms
        ),
    )


def _platform_of_conda_lock(
    subdir: str, packages: Iterable[CondaLockPackage], path: Path
) -> LockedPlatform:
    records, distributions = [], []
    for each in packages:
        if each.manager == "pip":
            distributions.append(
                LockedDistribution(each.name, each.version, each.url, each.sha256, described=False)
            )
            continue
        needs = [f"{name} {version}".strip() for name, version in each.dependencies]
        records.append(
            locked_record(each.name, each.version, each.url, each.md5, each.sha256, path, needs)
        )
    return LockedPlatform(subdir, tuple(records), tuple(distributions), complete=False)


def _of_explicit(path: Path, platform: str) -> LockedEnvironment:
    listed = read_explicit(path)
    records = tuple(
        locked_record(each.name, each.version, each.url, each.md5, each.sha256, path)
        for each in listed.packages
    )
    subdirs = {str(record.subdir) for record in records} - {"noarch"}
    if len(subdirs) > 1:
        raise RequestError(
            f"{path.name} has packages for {' and '.join(sorted(subdirs))}",
            cause="a list of URLs is for one platform",
            hint="make a list for each platform",
        )
    subdir = listed.platform or next(iter(subdirs), platform)
    distributions = tuple(
        LockedDistribution(each.name, _version(each.url), each.url, each.sha256, described=False)
        for each in listed.distributions
    )
    channels = dict.fromkeys(record.channel or "" for record in records)
    locked = LockedPlatform(subdir, records, distributions, complete=False)
    return LockedEnvironment(tuple(filter(None, channels)), (locked,))


def locked_record(
    name: str,
    version: str,
    url: str,
    md5: str | None,
    sha256: str | None,
    path: Path,
    needs: Sequence[str] = (),
) -> RepoDataRecord:
    """Return the record of a conda package of which a lock says no more than this.

    :raises RequestError: its URL is none of a conda package.
    """
    from rattler import PackageRecord, RepoDataRecord
    from rattler.package import BuildString

    folder, _, encoded = url.rpartition("/")
    file_name = unquote(encoded)
    stem = _ENDINGS.sub("", file_name)
    channel, _, subdir = folder.rpartition("/")
    if stem == file_name or stem.count("-") < 2:
        raise RequestError(
            f"{path.name} has {name} as {file_name}, which is no conda package",
            hint="make the lock anew",
        )
    build = stem.rpartition("-")[2]
    number = _NUMBER.search(build)
    try:
        record = PackageRecord(
            name,
            version,
            BuildString(build),
            int(number[1]) if number else 0,
            subdir if is_subdir(subdir) else "noarch",
            noarch="generic" if subdir == "noarch" else None,
            depends=list(needs),
            sha256=bytes.fromhex(sha256) if sha256 else None,
            md5=bytes.fromhex(md5) if md5 else None,
        )
    except (ValueError, RuntimeError) as error:
        raise RequestError(
            f"{path.name} has {name} {version}, which is no package",
            cause=str(error),
            hint="make the lock anew",
        ) from None
    return RepoDataRecord(record, file_name, url, f"{channel if is_subdir(subdir) else folder}/")


def _version(url: str) -> str:
    match = _VERSION.match(unquote(urlsplit(url).path).rpartition("/")[2])
    return match["version"] if match else ""
