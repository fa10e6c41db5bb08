"""A wheel and its core metadata said as the package record of a solve."""

from __future__ import annotations

import re
from datetime import datetime, timezone
from functools import lru_cache
from typing import TYPE_CHECKING, NamedTuple

from kaa.model.errors import MetadataError
from kaa.model.package import BUILT, PYPI, channel_url
from kaa.network.locations import redact_text
from kaa.sources.markers import ALWAYS, python_condition
from kaa.sources.part import split_extra_name
from kaa.sources.versions import NO_VERSION, conda_version, version_spec

if TYPE_CHECKING:
    from collections.abc import Callable, Container, Iterable, Sequence

    from packaging.markers import Marker
    from packaging.requirements import Requirement
    from rattler import RepoDataRecord

    from kaa.model.distribution import CoreMetadata, IndexFile
    from kaa.sources.target import Target

_LONG_AGO = datetime(1970, 1, 2, tzinfo=timezone.utc)
_NOT_IN_BUILD = re.compile(r"[^A-Za-z0-9_]")


_LITERAL = re.compile(r"""["']([^"']*)["']""")


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


def dependencies(
    metadata: CoreMetadata,
    target: Target,
    named: Callable[[str], str] = str,
    direct: Container[str] = (),
) -> list[Dependency]:
    """Return what a distribution needs on the target, extras included.

    ``named`` gives the solver's name of a project (PEP 503); ``direct`` are names that the user
    gave a URL or path for, which then stands for whatever URL a requirement has.

    Nothing is fetched from a URL that only metadata name. A requirement with one that counts only
    sometimes is said with a version that no package has, so that the solver avoids it.

    Raises :class:`~kaa.model.errors.MetadataError` for a line that is no requirement (PEP 508),
    and for a URL that is needed always.
    """
    found: list[Dependency] = []
    for text in metadata.requires_dist:
        requirement = _parsed(text)
        name = named(_canonical(requirement.name))
        version = version_spec(requirement.specifier)
        if requirement.url and name not in direct:
            version = NO_VERSION
        extras = tuple(sorted(_canonical(extra) for extra in requirement.extras))
        for extra, condition in _conditions(requirement, metadata.extras, target):
            if version == NO_VERSION and requirement.url and (extra, condition) == ("", ALWAYS):
                raise _needs_url(requirement)
            pre_releases = bool(requirement.specifier.prereleases)
            found.append(Dependency(name, version, extras, condition, extra, pre_releases))
    return list(dict.fromkeys(found))


def _conditions(
    requirement: Requirement, extras: Sequence[str], target: Target
) -> Iterable[tuple[str, str]]:
    """Return the extras under which a requirement counts, "" for always, with their conditions."""
    marker = requirement.marker
    if marker is None:
        return [("", ALWAYS)]
    always = _condition(marker, target, "")
    conditions = [] if always is None else [("", always)]
    text = str(marker)
    if always == ALWAYS or "extra" not in text:
        return conditions
    # Under an extra that a marker does not name it is as under none; some projects have hundreds.
    named = {_canonical(literal) for literal in _LITERAL.findall(text)}
    for extra in (extra for extra in extras if extra in named):
        condition = _condition(marker, target, extra)
        if condition is not None and condition != always:
            conditions.append((extra, condition))
    return conditions


def _condition(marker: Marker, target: Target, extra: str) -> str | None:
    from packaging.markers import UndefinedComparison, UndefinedEnvironmentName

    try:
        condition = python_condition(marker, target.marker_environment, extra)
    except (UndefinedComparison, UndefinedEnvironmentName, LookupError, TypeError) as error:
        raise _no_requirement(str(marker), f"{type(error).__name__}: {error}") from None
    return None if condition is None else _decided(condition, target.pythons)


@lru_cache(maxsize=4096)
def _decided(condition: str, pythons: tuple[str, ...]) -> str | None:
    """Return the condition, or what it comes to when it is the same for all Pythons there are.

    What is decided here the solver has not to: it is faster and explains itself better.
    """
    if condition == ALWAYS:
        return ALWAYS
    from rattler import Version, VersionSpec

    spec = VersionSpec(condition)
    matches = {spec.matches(Version(python)) for python in pythons}
    if len(matches) > 1:
        return condition
    return ALWAYS if matches == {True} else None


@lru_cache(maxsize=16384)
def _parsed(text: str) -> Requirement:
    from packaging.requirements import InvalidRequirement, Requirement

    try:
        return Requirement(text)
    except InvalidRequirement as error:
        raise _no_requirement(text, str(error).partition("\n")[0]) from None


def _no_requirement(text: str, why: str) -> MetadataError:
    return MetadataError(
        f"{text!r} in its metadata is no requirement",
        cause=why,
        hint="choose another version, and tell the project's authors",
    )


def _needs_url(requirement: Requirement) -> MetadataError:
    asked = redact_text(f"{requirement.name} @ {requirement.url}")
    return MetadataError(
        f"it needs `{asked}`, and from a URL only what is asked for is fetched",
        hint=f"ask for it, too: `{asked}`",
    )


@lru_cache(maxsize=16384)
def _canonical(name: str) -> str:
    from packaging.utils import canonicalize_name

    return canonicalize_name(name)


def wheel_build(file: IndexFile, sha256: str) -> str:
    """Return the build string of a wheel's package: its first Python tag and its identity."""
    if not file.filename.endswith(".whl"):
        return f"{BUILT}{sha256[:8]}"
    python_tag = file.filename.split("-")[-3].split(".")[-1]
    # It becomes part of a directory's name, and it comes from the network.
    return f"{_NOT_IN_BUILD.sub('', python_tag)}_{sha256[:8]}"


def wheel_record(
    name: str,
    version: str,
    file: IndexFile,
    sha256: str,
    needed: Sequence[Dependency],
    python: Sequence[str],
    *,
    constrains: Sequence[str] = (),
    ageless: bool = False,
) -> RepoDataRecord:
    """Return the record of a wheel.

    ``name`` is the solver's, ``version`` normalised (PEP 440); ``sha256`` identifies the wheel;
    ``python`` are the specs that Requires-Python and the wheel's tags put on ``python``;
    ``constrains`` what must not be beside it; ``ageless`` says that it was asked for by where it
    is, so that it is not too young for anything (without a time it would be).
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
        constrains=list(constrains),
        extra_depends=extra_depends,
        sha256=bytes.fromhex(sha256),
        size=file.size,
    )
    record.timestamp = _LONG_AGO if ageless else upload_time(file)
    filename = file.filename
    if not filename.endswith(".whl"):  # rattler knows the names of packages only
        filename = f"{name}-{conda_version(version)}-{wheel_build(file, sha256)}.conda"
    return RepoDataRecord(record, filename, file.url, channel_url(PYPI))


def extra_record(name: str, version: str, needed: Sequence[Dependency]) -> RepoDataRecord:
    """Return the record that says what an extra of a conda package needs.

    ``name`` is that of :func:`~kaa.sources.part.extra_name`; ``needed`` counts under the extra.
    """
    from rattler import PackageRecord, RepoDataRecord
    from rattler.package import BuildString

    package = split_extra_name(name)
    assert package is not None
    said = conda_version(version)
    depends = [f'{package[0]}[version="=={said}"]']
    depends += [dependency.match_spec() for dependency in needed]
    record = PackageRecord(
        name, said, BuildString("0"), 0, "noarch", noarch="generic", depends=depends
    )
    record.timestamp = _LONG_AGO
    file = f"{name}-{version}-0.conda"
    return RepoDataRecord(record, file, f"{channel_url(PYPI)}{file}", channel_url(PYPI))


def blocking_record(name: str) -> RepoDataRecord:
    """Return a record that can never be installed: a name is taken, though nothing of it fits."""
    from rattler import PackageRecord, RepoDataRecord
    from rattler.package import BuildString

    depends = [f"{name} {NO_VERSION}"]
    record = PackageRecord(
        name, "0", BuildString("nothing_fits"), 0, "noarch", noarch="generic", depends=depends
    )
    record.timestamp = _LONG_AGO
    file = f"{name}-0-nothing_fits.conda"
    return RepoDataRecord(record, file, f"{channel_url(PYPI)}{file}", channel_url(PYPI))


def upload_time(file: IndexFile) -> datetime | None:
    """Return when a file came to its index (PEP 700), None when the index does not say."""
    if not file.upload_time:
        return None
    try:
        time = datetime.fromisoformat(file.upload_time.replace("Z", "+00:00"))
    except ValueError:
        return None
    return time if time.tzinfo else time.replace(tzinfo=timezone.utc)
