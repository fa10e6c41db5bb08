"""What is locked, written in any of the formats of lock files."""

from __future__ import annotations

from typing import TYPE_CHECKING
from urllib.parse import unquote, urlsplit

from kaa.formats.conda_lock import CondaLock, CondaLockPackage, render_conda_lock
from kaa.formats.explicit import ExplicitDistribution, ExplicitPackage, render_explicit
from kaa.formats.lock_file import DEFAULT, render_lock
from kaa.formats.pylock_toml import PylockFile, PylockPackage, PythonLock, render_pylock
from kaa.formats.recognition import FileFormat
from kaa.formats.rendered import Rendered
from kaa.model.errors import RequestError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from rattler import RepoDataRecord

    from kaa.formats.lock_file import LockedDistribution, LockedEnvironment, LockedPlatform

_MARKERS = {
    "linux-64": "sys_platform == 'linux' and platform_machine == 'x86_64'",
    "linux-aarch64": "sys_platform == 'linux' and platform_machine == 'aarch64'",
    "linux-ppc64le": "sys_platform == 'linux' and platform_machine == 'ppc64le'",
    "linux-s390x": "sys_platform == 'linux' and platform_machine == 's390x'",
    "osx-64": "sys_platform == 'darwin' and platform_machine == 'x86_64'",
    "osx-arm64": "sys_platform == 'darwin' and platform_machine == 'arm64'",
    "win-64": "sys_platform == 'win32' and platform_machine == 'AMD64'",
    "win-arm64": "sys_platform == 'win32' and platform_machine == 'ARM64'",
    "win-32": "sys_platform == 'win32' and platform_machine == 'x86'",
}


def render_locked(
    environment: LockedEnvironment, format_: FileFormat, sources: Sequence[str] = ()
) -> Rendered:
    """Return the content of a lock file; ``sources`` are the files that it was made of.

    URLs are written as they are: whoever calls this has taken credentials out of them.

    :raises RequestError: the format is for one platform, and these are several.
    :raises StoreError: rattler does not accept what is to be written.
    """
    match format_:
        case FileFormat.CONDA_LOCK:
            return Rendered(render_conda_lock(_conda_lock(environment, sources)))
        case FileFormat.EXPLICIT:
            return _explicit(environment)
        case FileFormat.PYLOCK:
            return _pylock(environment)
        case _:
            return Rendered(render_lock({DEFAULT: environment}).decode())


def _conda_lock(environment: LockedEnvironment, sources: Sequence[str]) -> CondaLock:
    packages = []
    for locked in environment.platforms:
        packages += [_of_record(record, locked.subdir) for record in locked.records]
        packages += [_of_distribution(one, locked.subdir) for one in locked.distributions]
    return CondaLock(
        environment.channels,
        tuple(each.subdir for each in environment.platforms),
        tuple(packages),
        tuple(sources),
    )


def _of_record(record: RepoDataRecord, subdir: str) -> CondaLockPackage:
    needs: dict[str, str] = {}
    for text in record.depends:
        name, _, version = text.partition(" ")
        needs[name] = ",".join(filter(None, (needs.get(name), version)))
    return CondaLockPackage(
        name=record.name.normalized,
        version=str(record.version),
        manager="conda",
        platform=subdir,
        url=record.url,
        dependencies=tuple(needs.items()),
        md5=record.md5.hex() if record.md5 else None,
        sha256=record.sha256.hex() if record.sha256 else None,
    )


def _of_distribution(one: LockedDistribution, subdir: str) -> CondaLockPackage:
    from packaging.requirements import Requirement
    from packaging.utils import canonicalize_name

    needs: dict[str, str] = {}
    for text in one.requires_dist:
        requirement = Requirement(text)
        if requirement.marker is None:
            needs[canonicalize_name(requirement.name)] = str(requirement.specifier)
    return CondaLockPackage(
        name=canonicalize_name(one.name),
        version=one.version,
        manager="pip",
        platform=subdir,
        url=one.url,
        dependencies=tuple(needs.items()),
        sha256=one.sha256,
    )


def _explicit(environment: LockedEnvironment) -> Rendered:
    if len(environment.platforms) != 1:
        raise RequestError(
            f"a list of URLs is for one platform, and these are {len(environment.platforms)}",
            hint="choose pixi-lock or conda-lock, or one platform",
        )
    (locked,) = environment.platforms
    packages = [
        ExplicitPackage(
            record.url,
            record.name.normalized,
            str(record.version),
            str(record.build),
            record.md5.hex() if record.md5 else None,
            record.sha256.hex() if record.sha256 else None,
        )
        for record in locked.records
    ]
    distributions = [
        ExplicitDistribution(one.name, one.url, one.sha256) for one in locked.distributions
    ]
    return Rendered(render_explicit(packages, locked.subdir, distributions))


def _pylock(environment: LockedEnvironment) -> Rendered:
    everywhere = [each.subdir for each in environment.platforms]
    found: dict[tuple[str, str], dict[str, list[LockedDistribution]]] = {}
    lost = []
    for locked in environment.platforms:
        for one in locked.distributions:
            of_version = found.setdefault((one.name, one.version), {})
            of_version.setdefault(locked.subdir, []).append(one)
        conda = [r.name.normalized for r in locked.records if r.name.normalized != "python"]
        if conda:
            lost.append(f"pylock.toml has no conda packages: {', '.join(conda)}")
    packages = [
        _pylock_package(name, version, by_platform, everywhere)
        for (name, version), by_platform in sorted(found.items())
    ]
    lock = PythonLock(tuple(packages), _requires_python(environment.platforms))
    return Rendered(render_pylock(lock), tuple(dict.fromkeys(lost)))


def _pylock_package(
    name: str,
    version: str,
    by_platform: dict[str, list[LockedDistribution]],
    everywhere: Sequence[str],
) -> PylockPackage:
    from packaging.utils import canonicalize_name

    files = {}
    requires_python = None
    for ones in by_platform.values():
        for one in ones:
            filename = unquote(urlsplit(one.url).path).rpartition("/")[2]
            hashes = {"sha256": one.sha256} if one.sha256 else {}
            files[one.url] = PylockFile(filename, one.url, hashes)
            requires_python = one.requires_python
    markers = [_MARKERS[subdir] for subdir in by_platform if subdir in _MARKERS]
    marker = " or ".join(f"({each})" for each in markers)
    return PylockPackage(
        canonicalize_name(name),
        version or None,
        tuple(files.values()),
        None if set(by_platform) == set(everywhere) else marker,
        requires_python,
    )


def _requires_python(platforms: Sequence[LockedPlatform]) -> str | None:
    """Return the minor version of Python that wheels were chosen for; None for several."""
    minors = {
        ".".join(str(record.version).split(".")[:2])
        for locked in platforms
        for record in locked.records
        if record.name.normalized == "python"
    }
    return f"=={minors.pop()}.*" if len(minors) == 1 else None
