"""A distribution that was installed by where it is (PEP 610), as a package that is from there.

Nothing is built and nothing fetched: a wheel is told by its hash, and an editable project is there
already. What was built on this machine cannot be told to be what would be built of it today.
"""

from __future__ import annotations

import hashlib
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from kaa.model.errors import InvalidSpecError, SourceError, UnsupportedError
from kaa.network.local_files import is_local
from kaa.network.locations import redact
from kaa.sources.direct import Kind, parse_direct
from kaa.sources.direct_distribution import (
    DIRECT_URL,
    project_as_installed,
    wheel_as_installed,
)
from kaa.sources.identity import built_identity
from kaa.sources.installed_wheel import same_tags
from kaa.sources.metadata import parse_metadata
from kaa.sources.records import dependencies, wheel_record
from kaa.sources.remote_zip import read_metadata
from kaa.sources.versions import python_spec
from kaa.store.repacked import repack
from kaa.transaction.fetch_wheels import keep_wheel
from kaa.workflows.references import lasting_text

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping, Sequence

    from rattler import RepoDataRecord

    from kaa.sources.direct import DirectReference
    from kaa.sources.direct_distribution import DirectDistribution
    from kaa.sources.installed_wheel import InstalledWheel
    from kaa.sources.target import Target
    from kaa.store.layout import Layout


@dataclass(frozen=True, slots=True)
class Repacking:
    """What an editable project has installed, to be put into the package cache for ``record``.

    ``metadata`` and ``paths`` are below the environment's prefix.
    """

    record: RepoDataRecord
    filename: str
    metadata: str
    paths: tuple[str, ...]
    direct_url: bytes

    def keep(self, prefix: Path, layout: Layout) -> None:
        """Put it there. Raises the errors of the store and the disk."""
        with tempfile.TemporaryDirectory() as folder:
            wheel = Path(folder, "installed.whl")
            repack(prefix, self.metadata, self.paths, wheel)
            extra = {DIRECT_URL: self.direct_url}
            keep_wheel(wheel, self.record, self.filename, layout, extra)


@dataclass(frozen=True, slots=True)
class FromOrigin:
    """The record of a distribution, and the spec that asks for it from where it is."""

    record: RepoDataRecord
    spec: str
    repacking: Repacking | None = None


def of_origin(
    wheel: InstalledWheel,
    origin: Mapping[str, Any],
    prefix: Path,
    metadata: str,
    paths: Sequence[str],
    target: Target,
    direct: Collection[str],
) -> FromOrigin | str:
    """Return what a distribution is by its ``direct_url.json`` (``origin``), or why it stays.

    ``metadata`` is its directory and ``paths`` are its files, below ``prefix``; ``target`` has the
    environment's Python alone; ``direct`` are the names of all distributions that are from
    somewhere. Raises ``OSError``.
    """
    url = str(origin.get("url") or "")
    built = _built(url, origin)
    if built is not None:
        return built
    editable = _part(origin, "dir_info").get("editable") is True
    try:
        reference = parse_direct(f"{wheel.name} @ {url}", editable=editable)
        if reference is None:
            return f"it is from {redact(url) or 'another place'}, which is no URL to fetch it from"
        core = parse_metadata(wheel.metadata, _filename(wheel, metadata))
        if editable:
            one = project_as_installed(reference, core)
        else:
            sha256 = _checked_sha256(wheel, reference, origin)
            if sha256 is None:
                return f"it is from {redact(url)}, and is not told to be what is there"
            size = reference.path.stat().st_size if is_local(reference.url) else None
            one = wheel_as_installed(reference, core, sha256, size)
        record = _record(one, target, direct)
    except InvalidSpecError:
        return f"it is from {redact(url)}, where there is nothing of it any more"
    except (SourceError, UnsupportedError) as error:
        return f"{error}{': ' * bool(error.cause)}{error.cause or ''}"
    spec = lasting_text(reference, one.name)
    if not editable:
        return FromOrigin(record, spec)
    return _as_editable(one, record, spec, wheel, prefix, metadata, paths)


def _built(url: str, origin: Mapping[str, Any]) -> str | None:
    """Say what a distribution was built from, None for wheels and editable projects."""
    shown = redact(url) or "another place"
    repository = _part(origin, "vcs_info")
    if repository:
        vcs, commit = repository.get("vcs", "git"), repository.get("commit_id", "")
        return f"it was built on this machine from {vcs}+{shown} at commit {commit}"
    if "dir_info" in origin:
        if _part(origin, "dir_info").get("editable") is True:
            return None
        return f"it was built on this machine from {shown}"
    if not url.partition("#")[0].lower().endswith(".whl"):
        sha256 = _said_sha256(origin)
        return f"it was built on this machine from {shown}{f' (sha256 {sha256})' * bool(sha256)}"
    return None


def _as_editable(
    one: DirectDistribution,
    record: RepoDataRecord,
    spec: str,
    wheel: InstalledWheel,
    prefix: Path,
    metadata: str,
    paths: Sequence[str],
) -> FromOrigin | str:
    filename = _filename(wheel, metadata)
    with tempfile.TemporaryDirectory() as folder:
        strange = repack(prefix, metadata, paths, Path(folder, filename))
    if strange is not None:
        return f"it is editable, and {strange} is nothing that can be told to be its own"
    repacking = Repacking(record, filename, metadata, tuple(paths), one.direct_url)
    return FromOrigin(record, spec, repacking)


def _filename(wheel: InstalledWheel, metadata: str) -> str:
    """Return a name that the wheel may have had."""
    stem = metadata.rpartition("/")[2].removesuffix(".dist-info")
    return f"{stem}-{min(wheel.tags, default='py3-none-any')}.whl"


def _checked_sha256(
    wheel: InstalledWheel, reference: DirectReference, origin: Mapping[str, Any]
) -> str | None:
    """Return the hash of the wheel that is installed, None where that is not certain."""
    if reference.kind is not Kind.WHEEL or not same_tags(wheel, reference.filename):
        return None
    said = _said_sha256(origin)
    if not is_local(reference.url):
        return said
    content = reference.path.read_bytes()
    sha256 = hashlib.sha256(content).hexdigest()
    if said is not None:
        return sha256 if sha256 == said else None
    same = read_metadata(reference.path, reference.filename) == wheel.metadata
    return sha256 if same else None


def _said_sha256(origin: Mapping[str, Any]) -> str | None:
    """Return the archive's sha256, in the newer or the older form of PEP 610."""
    info = _part(origin, "archive_info")
    hashes = info.get("hashes")
    said = hashes.get("sha256") if isinstance(hashes, dict) else None
    algorithm, _, digest = str(info.get("hash") or "").partition("=")
    if said is None and algorithm == "sha256":
        said = digest
    return str(said).lower() if said else None


def _part(origin: Mapping[str, Any], name: str) -> Mapping[str, Any]:
    part = origin.get(name)
    return part if isinstance(part, dict) else {}


def _record(one: DirectDistribution, target: Target, direct: Collection[str]) -> RepoDataRecord:
    needed = dependencies(one.metadata, target, direct=direct)
    requires = python_spec(one.metadata.requires_python)
    python = [requires] if requires != "*" else []
    sha256 = one.identity
    if one.source is not None:  # a wheel that is built counts for one Python
        python.append(f"{target.minors[0]}.*")
        sha256 = built_identity(sha256, python[-1])
    return wheel_record(one.name, one.version, one.file, sha256, needed, python, ageless=True)
