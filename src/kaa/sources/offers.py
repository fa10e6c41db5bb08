"""What a source has of a package: its versions, and all that is said of them."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from kaa.model.found import FoundPackage, FoundVersion
from kaa.model.source import Kind
from kaa.network.locations import redact
from kaa.sources.channels import public_url
from kaa.sources.project import matching
from kaa.sources.versions import is_pre_release

if TYPE_CHECKING:
    from collections.abc import Iterable

    from rattler import RepoDataRecord

    from kaa.model.distribution import CoreMetadata, IndexFile, Release
    from kaa.model.source import Source
    from kaa.sources.project import Demand


def conda_offer(
    name: str,
    source: Source,
    records: Iterable[RepoDataRecord],
    match_spec: str,
    *,
    details: bool = False,
) -> FoundPackage:
    """Return the versions of a conda package that match a spec, newest first.

    With ``details`` each has the fields of its records, the build that would be chosen first.
    """
    from rattler import MatchSpec

    wanted = MatchSpec(match_spec)
    versions: dict[Any, list[RepoDataRecord]] = {}
    for record in records:
        if wanted.matches(record):
            versions.setdefault(record.version, []).append(record)
    found = []
    for version in sorted(versions, reverse=True):
        builds = sorted(versions[version], key=preference)
        published = [build.timestamp for build in builds if build.timestamp]
        found.append(
            FoundVersion(
                str(version),
                len(builds),
                max(published).isoformat(timespec="seconds") if published else None,
                records=tuple(record_fields(build) for build in builds) if details else (),
            )
        )
    return FoundPackage(name, name, source.name, Kind.CONDA, tuple(found))


def preference(record: RepoDataRecord) -> tuple[bool, int, float]:
    """Sort builds of one version as the solver prefers them, as far as they say themselves."""
    moment = record.timestamp.timestamp() if record.timestamp else 0.0
    return bool(record.track_features), -record.build_number, -moment


def record_fields(record: RepoDataRecord) -> dict[str, Any]:
    """Return all fields of a record, as repodata has them, without credentials in its URLs."""
    fields: dict[str, Any] = json.loads(record.to_json())
    for key in ("url", "channel"):
        if isinstance(fields.get(key), str):
            fields[key] = public_url(fields[key])
    return fields


def project_offer(
    name: str,
    project: str,
    source: Source,
    releases: Iterable[Release],
    demand: Demand,
    *,
    details: bool = False,
) -> FoundPackage:
    """Return the versions of a project that satisfy a demand, newest first.

    ``name`` is what it is called in a solve. With ``details`` each has what the index says of it.
    """
    found = [
        FoundVersion(
            release.version,
            len(release.files),
            max((file.upload_time for file in release.files if file.upload_time), default=None),
            yanked(release),
            is_pre_release(release.version),
            (release_fields(project, release),) if details else (),
        )
        for release in matching(releases, [demand])
    ]
    return FoundPackage(name, project, source.name, Kind.PYPI, tuple(found))


def yanked(release: Release) -> str | None:
    """Return why a release is yanked, an empty string without a reason, None if it is not."""
    reasons = [file.yanked for file in release.files]
    if not reasons or None in reasons:
        return None
    return next((reason for reason in reasons if reason), "")


def release_fields(project: str, release: Release) -> dict[str, Any]:
    """Return what an index says of a release."""
    pythons = dict.fromkeys(file.requires_python for file in release.files if file.requires_python)
    return {
        "name": project,
        "version": release.version,
        "requires_python": " or ".join(pythons) or None,
        "yanked": yanked(release),
        "files": [_file_fields(file) for file in release.files],
    }


def metadata_fields(metadata: CoreMetadata) -> dict[str, Any]:
    """Return what a distribution says of itself beyond what its index does."""
    return {"requires_dist": list(metadata.requires_dist), "extras": list(metadata.extras)}


def _file_fields(file: IndexFile) -> dict[str, Any]:
    return {
        "filename": file.filename,
        "size": file.size,
        "url": redact(file.url),
        "hashes": file.hashes,
        "requires_python": file.requires_python,
        "upload_time": file.upload_time,
        "yanked": file.yanked,
    }
