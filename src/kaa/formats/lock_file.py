"""Lock files in pixi.lock's format: what was solved, for every platform, in one file.

rattler reads, checks and writes the format (version 7 today). What its Python API cannot be told
of a PyPI package (hash, requirements, Python) is put into the draft that it writes, which it then
reads and writes once more: so the file is always one that rattler, and with it pixi, accepts.
"""

from __future__ import annotations

import json
import re
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from kaa.model.errors import RequestError, StoreError
from kaa.store.disk import replace_file, writing

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from rattler import LockFile, LockPlatform, RepoDataRecord
    from rattler.lock import Environment, PypiLockedPackage

DEFAULT = "default"
"""The name of the environment that is meant when none is named, as pixi has it."""
_NO_VERSION = "0"
_DYNAMIC = "<dynamic>"
"""rattler's words for the version of a source tree that says none."""
_PYPI_LINE = re.compile(r"^- pypi: (.*)$")
_ENVIRONMENT_LINE = re.compile(r"^  (\S.*):$")


@dataclass(frozen=True, slots=True)
class LockedDistribution:
    """A PyPI package of a lock.

    ``version`` is empty where it is found out by building only; ``url`` may be a relative path;
    ``sha256`` is hexadecimal; ``requires_dist`` are PEP 508 strings; ``described`` is False where
    the lock says nothing of what it requires.
    """

    name: str
    version: str
    url: str
    sha256: str | None = None
    requires_dist: tuple[str, ...] = ()
    requires_python: str | None = None
    described: bool = True


@dataclass(frozen=True, slots=True)
class LockedPlatform:
    """The packages of one environment on one platform, in order of name.

    ``virtual_packages`` are what the solve took for given (``__glibc=2.28=0``); ``sources`` are
    the locations of conda packages that have to be built, which pixi knows and kaa does not;
    ``complete`` is False where the records have no more than the lock says: the packages
    themselves say what else belongs to them.
    """

    subdir: str
    records: tuple[RepoDataRecord, ...]
    distributions: tuple[LockedDistribution, ...] = ()
    virtual_packages: tuple[str, ...] = ()
    sources: tuple[str, ...] = ()
    complete: bool = True


@dataclass(frozen=True, slots=True)
class LockedEnvironment:
    """One environment of a lock: the URLs of its channels and indexes, in order of priority."""

    channels: tuple[str, ...]
    platforms: tuple[LockedPlatform, ...]
    indexes: tuple[str, ...] = ()

    def on(self, subdir: str) -> LockedPlatform | None:
        """Return the packages on a platform, None where the lock has none for it."""
        return next((each for each in self.platforms if each.subdir == subdir), None)


def render_lock(environments: Mapping[str, LockedEnvironment]) -> bytes:
    """Return the content of a lock file; the same environments give the same bytes.

    URLs are written as they are: whoever calls this has taken credentials out of them.

    :raises StoreError: rattler does not accept it (requirements of a package that are none, say).
    """
    with tempfile.TemporaryDirectory(prefix="kaa-lock-") as directory:
        path = Path(directory) / "kaa.lock"
        try:
            _draft(environments).to_path(path)
            text = _completed(path.read_text(encoding="utf-8"), environments)
            path.write_text(text, encoding="utf-8")
            _load(path).to_path(path)
        except Exception as error:
            # one of the two cannot be imported from rattler
            if type(error).__name__ not in {"LockFileError", "ParseCondaLockError"}:
                raise
            raise StoreError(
                "what was solved cannot be said in a lock file",
                cause=str(error),
                hint="leave out, or choose another version of, the package that the cause names",
            ) from None
        return path.read_bytes()


def write_lock(path: Path, environments: Mapping[str, LockedEnvironment]) -> bytes:
    """Write a lock file, whole or not at all, and return its content.

    A link stays one, and what is no file (``/dev/stdout``) is written into.

    :raises StoreError: see :func:`render_lock`, or it cannot be written.
    """
    content = render_lock(environments)
    with writing(path):
        if path.exists() and not path.is_file():
            path.write_bytes(content)
        else:
            replace_file(path.resolve(), content)
    return content


def read_lock(path: Path) -> dict[str, LockedEnvironment]:
    """Return the environments of a lock file by name.

    :raises RequestError: it cannot be read, or is no lock file that rattler knows.
    """
    from rattler.exceptions import ParseCondaLockError

    try:
        # rattler's own words for a missing file say less
        path.open("rb").close()
        lock = _load(path)
        found = {name: _environment(each) for name, each in sorted(lock.environments())}
    except OSError as error:
        reason = error.strerror or str(error)
        raise RequestError(
            f"the lock file {path} cannot be read",
            cause=reason,
            hint="check the path and its rights",
        ) from None
    except ParseCondaLockError as error:
        raise RequestError(
            f"{path.name} is no lock file that can be read",
            cause=str(error),
            hint="make it anew, with `kaa lock` or pixi, from what it was made of",
        ) from None
    return found


def _load(path: Path) -> LockFile:
    from rattler import LockFile

    return LockFile.from_path(path)


def _draft(environments: Mapping[str, LockedEnvironment]) -> LockFile:
    from rattler import LockFile
    from rattler.lock import LockChannel

    platforms = _platforms(environments)
    lock = LockFile([platforms[subdir] for subdir in sorted(platforms)])
    for name, environment in sorted(environments.items()):
        lock.set_channels(name, [LockChannel(url) for url in environment.channels])
        for locked in environment.platforms:
            platform = platforms[locked.subdir]
            for record in sorted(locked.records, key=lambda record: record.url):
                lock.add_conda_package(name, platform, record)
            for each in sorted(locked.distributions, key=lambda each: each.url):
                lock.add_pypi_package(
                    name, platform, each.name, each.version or _NO_VERSION, each.url
                )
    return lock


def _platforms(environments: Mapping[str, LockedEnvironment]) -> dict[str, LockPlatform]:
    from rattler import LockPlatform

    virtual: dict[str, tuple[str, ...]] = {}
    for _, environment in sorted(environments.items()):
        for locked in environment.platforms:
            virtual.setdefault(locked.subdir, locked.virtual_packages)
    return {
        subdir: LockPlatform(subdir, virtual_packages=list(packages))
        for subdir, packages in virtual.items()
    }


def _completed(draft: str, environments: Mapping[str, LockedEnvironment]) -> str:
    """Put into rattler's draft what it could not be told: indexes, and what wheels say."""
    distributions = {
        each.url: each
        for environment in environments.values()
        for locked in environment.platforms
        for each in locked.distributions
    }
    lines: list[str] = []
    indexes: Sequence[str] = ()
    top = pending = ""
    for line in draft.splitlines():
        if line and not line.startswith((" ", "-")):
            top = line
        if top == "environments:" and (match := _ENVIRONMENT_LINE.match(line)):
            indexes = environments[_scalar(match[1])].indexes
        if top == "environments:" and line == "    packages:" and indexes:
            lines += ["    indexes:", *(f"    - {json.dumps(url)}" for url in indexes)]
        if top == "packages:" and pending and line.startswith("  version:"):
            lines += [line] if distributions[pending].version else []
            lines += _said(distributions[pending])
            pending = ""
            continue
        lines.append(line)
        if top == "packages:" and (match := _PYPI_LINE.match(line)):
            pending = _scalar(match[1])
    return "\n".join([*lines, ""])


def _said(distribution: LockedDistribution) -> Iterable[str]:
    # JSON's texts and lists are YAML's, too.
    if distribution.sha256:
        yield f"  sha256: {json.dumps(distribution.sha256)}"
    if distribution.requires_dist:
        yield f"  requires_dist: {json.dumps(list(distribution.requires_dist))}"
    if distribution.requires_python:
        yield f"  requires_python: {json.dumps(distribution.requires_python)}"


def _scalar(text: str) -> str:
    """Return the value of a YAML scalar that fits in a line."""
    if text.startswith("'"):
        return text.strip("'").replace("''", "'")
    return str(json.loads(text)) if text.startswith('"') else text


def _environment(environment: Environment) -> LockedEnvironment:
    platforms = sorted(environment.platforms(), key=lambda platform: platform.name)
    return LockedEnvironment(
        channels=tuple(str(channel) for channel in environment.channels()),
        platforms=tuple(_platform(environment, platform) for platform in platforms),
    )


def _platform(environment: Environment, platform: LockPlatform) -> LockedPlatform:
    from rattler.lock import CondaLockedSourcePackage

    packages = environment.packages(platform) or []
    distributions = environment.pypi_packages_for_platform(platform) or []
    return LockedPlatform(
        subdir=str(platform.subdir),
        records=tuple(environment.conda_repodata_records_for_platform(platform) or ()),
        distributions=tuple(map(_distribution, distributions)),
        virtual_packages=tuple(platform.virtual_packages),
        sources=tuple(
            package.location
            for package in packages
            if isinstance(package, CondaLockedSourcePackage)
        ),
    )


def _distribution(package: PypiLockedPackage) -> LockedDistribution:
    hashes: Any = package._package.hashes  # None where there are none, which the property forgets
    version = package.version
    return LockedDistribution(
        name=package.name,
        version="" if version == _DYNAMIC else version,
        url=package.location,
        sha256=hashes.sha256.hex() if hashes is not None and hashes.sha256 else None,
        requires_dist=tuple(package.requires_dist),
        requires_python=package.requires_python,
    )
