"""A wheel and its core metadata said as the package record of a solve."""

from __future__ import annotations

import hashlib
from functools import lru_cache
from typing import TYPE_CHECKING, NamedTuple

from kaa.model.package import PYPI, channel_url
from kaa.sources.markers import ALWAYS, python_condition
from kaa.sources.versions import conda_version, version_spec

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from packaging.requirements import Requirement
    from rattler import RepoDataRecord

    from kaa.model.distribution import CoreMetadata, IndexFile
    from kaa.sources.target import Target


class Dependency(NamedTuple):
    """One line of Requires-Dist that matters on the target.

    ``version`` and ``condition`` (on Python) are conda version specs; ``extra`` is the extra of
    the *depending* package under which it counts, empty for always; ``pre_releases`` says that
    the requirement names a pre-release.
    """

    name: str
    version: str
    extras: tuple[str, ...]
    condition: str
    extra: str
    pre_releases: bool

    def match_spec(self) -> str:
        """Return the match spec, in the bracket form (CEP 29 and rattler's extras)."""
        parts = []
        if self.version != "*":
            parts.append(f'version="{self.version}"')
        if self.extras:
            parts.append(f"extras=[{','.join(self.extras)}]")
        if self.condition != ALWAYS:
            parts.append(f'when="python {self.condition}"')
        return f"{self.name}[{', '.join(parts)}]" if parts else self.name


def dependencies(metadata: CoreMetadata, target: Target) -> list[Dependency]:
    """Return what a distribution needs on the target, extras included.

    Requirements with a URL cannot be part of a solve and are said with a version that no package
    has, so that the solver avoids the distribution.
    """
    found: list[Dependency] = []
    for text in metadata.requires_dist:
        requirement = _parsed(text)
        name = _canonical(requirement.name)
        version = "==0+url" if requirement.url else version_spec(requirement.specifier)
        extras = tuple(sorted(_canonical(extra) for extra in requirement.extras))
        for extra, condition in _conditions(requirement, metadata.extras, target):
            pre_releases = bool(requirement.specifier.prereleases)
            found.append(Dependency(name, version, extras, condition, extra, pre_releases))
    return list(dict.fromkeys(found))


def _conditions(
    requirement: Requirement, extras: Sequence[str], target: Target
) -> Iterable[tuple[str, str]]:
    marker = requirement.marker
    if marker is None:
        return [("", ALWAYS)]
    condition = python_condition(marker, target.marker_environment)
    if condition is not None:
        return [("", condition)]
    if "extra" not in str(marker):
        return []
    return [
        (extra, condition)
        for extra in extras
        if (condition := python_condition(marker, target.marker_environment, extra)) is not None
    ]


@lru_cache(maxsize=16384)
def _parsed(text: str) -> Requirement:
    from packaging.requirements import Requirement

    return Requirement(text)


@lru_cache(maxsize=16384)
def _canonical(name: str) -> str:
    from packaging.utils import canonicalize_name

    return canonicalize_name(name)


def wheel_identity(file: IndexFile) -> str:
    """Return what identifies a wheel in the package cache, a hexadecimal sha256.

    It is the wheel's own hash; where the index gives none it is the hash of the wheel's URL, and
    nothing can be checked.
    """
    return file.hashes.get("sha256") or hashlib.sha256(file.url.encode()).hexdigest()


def wheel_build(file: IndexFile, sha256: str) -> str:
    """Return the build string of a wheel's package: its first Python tag and its identity."""
    python_tag = file.filename.split("-")[-3].split(".")[-1]
    return f"{python_tag}_{sha256[:8]}"


def wheel_record(
    name: str,
    version: str,
    file: IndexFile,
    sha256: str,
    needed: Sequence[Dependency],
    python: Sequence[str],
) -> RepoDataRecord:
    """Return the record of a wheel.

    ``name`` and ``version`` are normalised (PEP 503, PEP 440); ``sha256`` identifies the wheel;
    ``python`` are the specs that Requires-Python and the wheel's tags put on ``python``.
    """
    from rattler import PackageRecord, RepoDataRecord
    from rattler.package import BuildString

    depends = [f"python {spec}" for spec in python] or ["python"]
    extra_depends: dict[str, list[str]] = {}
    for dependency in needed:
        if dependency.extra:
            extra_depends.setdefault(dependency.extra, []).append(dependency.match_spec())
        else:
            depends.append(dependency.match_spec())
    record = PackageRecord(
        name,
        conda_version(version),
        BuildString(wheel_build(file, sha256)),
        0,
        "noarch",
        noarch="python",
        depends=depends,
        extra_depends=extra_depends,
        sha256=bytes.fromhex(sha256),
        size=file.size,
    )
    return RepoDataRecord(record, file.filename, file.url, channel_url(PYPI))
