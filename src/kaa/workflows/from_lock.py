"""What a lock file holds for a platform, as the answer of a solve that nobody has to ask again."""

from __future__ import annotations

import asyncio
import re
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import unquote, urlsplit

from kaa.formats.lock_file import DEFAULT
from kaa.formats.locked_file import read_locked
from kaa.model.distribution import CoreMetadata, IndexFile, Release
from kaa.model.errors import RequestError, UnsupportedError
from kaa.model.package import PYPI
from kaa.network.locations import redact
from kaa.solver.request import Solution
from kaa.sources.channels import public_url
from kaa.sources.identity import built_identity
from kaa.sources.index import SDIST_ENDINGS, normalise
from kaa.sources.project_names import ProjectNames
from kaa.sources.records import dependencies, wheel_record
from kaa.sources.target import target_for
from kaa.sources.versions import python_spec
from kaa.sources.wheels import FORBIDDEN, choose_wheels
from kaa.workflows.without_hash import with_hashes

if TYPE_CHECKING:
    from collections.abc import Container, Mapping, Sequence

    from rattler import RepoDataRecord

    from kaa.formats.lock_file import LockedDistribution, LockedEnvironment, LockedPlatform
    from kaa.sources.target import Target
    from kaa.workflows.supply import Supply

_EXTRA = re.compile(r"""extra\s*==\s*["']([^"']+)["']""")


def solution_from_lock(
    path: Path,
    platform: str,
    virtual_packages: Sequence[str],
    mapping: Mapping[str, Any] | None = None,
    environment: str = DEFAULT,
    *,
    build: bool = True,
    categories: Sequence[str] = (),
) -> Solution:
    """Return the packages that a lock file has for ``platform``, a conda subdir.

    ``virtual_packages`` are those of the machine (``__glibc=2.36=0``) and have to be enough for
    what is locked; ``mapping`` says which conda names projects have, as in a solve; ``build``
    allows source distributions, which are to be built. Every package has a hash, which whoever
    fetches it has to check.

    :raises RequestError: the file cannot be read, has nothing for the platform or the
        environment, or holds what cannot run on this machine.
    :raises UnsupportedError: it holds what kaa cannot build, or what has no hash.
    """
    locked = locked_platform(path, platform, environment, categories)
    return solution_of_locked(locked, path, virtual_packages, mapping, build=build)


async def described(locked: LockedPlatform, supply: Supply, path: Path) -> LockedPlatform:
    """Return the packages with what wheels and channels say, where the lock does not.

    Raises the errors of the sources.
    """
    python = next((str(r.version) for r in locked.records if r.name.normalized == "python"), None)

    async def complete(one: LockedDistribution) -> LockedDistribution:
        if one.described or one.sha256 is None or python is None:
            return one
        file = _index_file(one, path)
        if file.filename.endswith(".whl"):
            metadata = await supply.metadata.core_metadata(file)
        else:
            assert supply.catalog.builder is not None
            metadata = await supply.catalog.builder().core_metadata(file, python)
        return replace(
            one,
            version=metadata.version,
            requires_dist=metadata.requires_dist,
            requires_python=metadata.requires_python,
            described=True,
        )

    locked = await with_hashes(locked, supply)
    found = await asyncio.gather(*map(complete, locked.distributions))
    return replace(locked, distributions=tuple(found))


def solution_of_locked(
    locked: LockedPlatform,
    path: Path,
    virtual_packages: Sequence[str],
    mapping: Mapping[str, Any] | None = None,
    *,
    build: bool = True,
) -> Solution:
    """Return the packages of a platform as an answer, see :func:`solution_from_lock`."""
    platform = locked.subdir
    if locked.sources:
        raise UnsupportedError(
            f"{path.name} has packages that are to be built, such as {redact(locked.sources[0])}",
            cause="building conda packages is pixi's, and nothing that kaa does",
            hint="install it with pixi, or lock without these packages",
        )
    for record in locked.records:
        _check_record(record, virtual_packages, path)
    python = next((str(r.version) for r in locked.records if r.name.normalized == "python"), None)
    if python is None and locked.distributions:
        raise UnsupportedError(
            f"{path.name} has wheels for {platform}, and no Python",
            hint="lock Python with them: add `python` and a conda channel that has it",
        )
    names = ProjectNames({record.name.normalized for record in locked.records}, mapping)
    target = target_for(platform, (python,) if python else (), virtual_packages)
    # Whatever a requirement says of a URL, the lock says where everything comes from.
    direct = {record.name.normalized for record in locked.records}
    direct |= {names.conda_name(normalise(each.name)) for each in locked.distributions}
    wheels = [
        _wheel(each, target, names, direct, path, build=build) for each in locked.distributions
    ]
    records = [*locked.records, *(record for record, _ in wheels)]
    return Solution(
        records=tuple(sorted(records, key=lambda record: record.name.normalized)),
        files={file.url: file for _, file in wheels},
        python=python,
        host_python=None,
        incomplete=frozenset()
        if locked.complete
        else frozenset(record.name.normalized for record in locked.records),
    )


def locked_sources(locked: LockedEnvironment) -> tuple[str, ...]:
    """Return the sources that a lock was made from, in order of priority.

    The URLs of channels are without credentials.
    """
    of_index = any(platform.distributions for platform in locked.platforms)
    channels = map(public_url, locked.channels)
    return tuple(dict.fromkeys((*channels, *((PYPI,) if of_index else ()))))


def locked_environment(
    path: Path, platform: str, environment: str = DEFAULT, categories: Sequence[str] = ()
) -> LockedEnvironment:
    """Return an environment of a lock file. Raises what :func:`solution_from_lock` does."""
    environments = read_locked(path, platform, categories)
    found = environments.get(environment)
    if found is None:
        raise RequestError(
            f"{path.name} has no environment {environment}",
            cause=f"it has {', '.join(environments) or 'none'}",
            hint="name one of them with --environment"
            if environments
            else "make the lock anew, with something in it",
        )
    return found


def locked_platform(
    path: Path, platform: str, environment: str = DEFAULT, categories: Sequence[str] = ()
) -> LockedPlatform:
    """Return what a lock file has for a platform. Raises what :func:`solution_from_lock` does."""
    return on_platform(locked_environment(path, platform, environment, categories), platform, path)


def on_platform(found: LockedEnvironment, platform: str, path: Path) -> LockedPlatform:
    """Return what an environment of a lock has for a platform. Raises :class:`RequestError`."""
    locked = found.on(platform)
    if locked is None:
        there = ", ".join(each.subdir for each in found.platforms) or "none"
        raise RequestError(
            f"{path.name} is not locked for {platform}",
            cause=f"it is for {there}",
            hint=f"lock it for this platform, too: `kaa lock --platform {platform} ...`",
        )
    return locked


def _check_record(record: RepoDataRecord, virtual_packages: Sequence[str], path: Path) -> None:
    """Raise if a conda package has no hash, or wants more of the machine than it has."""
    if not record.sha256 and not record.md5:
        raise UnsupportedError(
            f"{path.name} has no hash of {record.name.normalized}, so it cannot be checked",
            hint="make the lock anew",
        )
    for need in record.depends:
        if need.startswith("__") and not _is_met(need, virtual_packages):
            name = need.split()[0]
            has = next((each for each in virtual_packages if each.startswith(f"{name}=")), None)
            raise RequestError(
                f"{record.name.normalized} of {path.name} needs {need}",
                cause=f"this machine has {has}" if has else f"this machine has no {name}",
                hint=f"say that it is there: --override {name}=VERSION; or lock for this machine",
            )


def _is_met(need: str, virtual_packages: Sequence[str]) -> bool:
    from rattler import MatchSpec, PackageRecord
    from rattler.package import BuildString

    spec = MatchSpec(need)
    for text in virtual_packages:
        name, version, build = text.split("=")
        record = PackageRecord(name, version, BuildString(build), 0, "noarch")
        if spec.matches(record):
            return True
    return False


def _wheel(
    locked: LockedDistribution,
    target: Target,
    names: ProjectNames,
    direct: Container[str],
    path: Path,
    *,
    build: bool,
) -> tuple[RepoDataRecord, IndexFile]:
    """Return the record of a locked wheel or sdist, and the file that it is made of."""
    file = _index_file(locked, path)
    filename, url = file.filename, file.url
    if "://" not in url or not filename.endswith((".whl", *SDIST_ENDINGS)):
        raise UnsupportedError(
            f"{path.name} has {locked.name} as {redact(locked.url)}, which is no wheel",
            cause="it is no source distribution either",
            hint="lock a version that has a wheel",
        )
    if locked.sha256 is None:
        raise UnsupportedError(
            f"{path.name} has no hash of {locked.name}, so it cannot be checked",
            hint="make the lock anew",
        )
    release = Release(locked.version, (file,))
    unbuildable = None if build else FORBIDDEN
    choices, reason = choose_wheels(release, target, yanked=True, unbuildable=unbuildable)
    if not choices:
        raise RequestError(
            f"{locked.name} {locked.version} of {path.name} does not fit this machine",
            cause=reason,
            hint="make the lock anew",
        )
    metadata = CoreMetadata(
        locked.name,
        locked.version,
        locked.requires_python,
        locked.requires_dist,
        tuple(sorted({extra for text in locked.requires_dist for extra in _EXTRA.findall(text)})),
    )
    needed = dependencies(metadata, target, names.conda_name, direct)
    name = names.conda_name(normalise(locked.name))
    choice = choices[0]
    sha256 = built_identity(locked.sha256, choice.python) if choice.built else locked.sha256
    python = [s for s in (python_spec(locked.requires_python), choice.python) if s != "*"]
    record = wheel_record(name, locked.version, file, sha256, needed, python)
    return record, file


def _index_file(locked: LockedDistribution, path: Path) -> IndexFile:
    url = locked.url
    if Path(url).is_absolute() and not url.endswith("/"):
        url = Path(url).as_uri()  # pixi's way to write a file of this machine
    elif url.startswith(("./", "../")) and not url.endswith("/"):
        url = (path.absolute().parent / url).resolve().as_uri()
    filename = unquote(urlsplit(url).path).rpartition("/")[2]
    hashes = {"sha256": locked.sha256} if locked.sha256 else {}
    return IndexFile(filename, url, hashes, requires_python=locked.requires_python)
