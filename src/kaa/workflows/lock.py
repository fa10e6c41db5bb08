"""Lock an environment for several platforms: one solve for each, one file for all.

What is locked must not depend on who locks it: the virtual packages are those that are assumed of
a platform, for this machine's own one, too; only ``--override`` changes them.
"""

from __future__ import annotations

import asyncio
import os
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

from kaa.formats.lock_file import (
    DEFAULT,
    LockedDistribution,
    LockedEnvironment,
    LockedPlatform,
    write_lock,
)
from kaa.formats.locked_text import render_locked
from kaa.formats.recognition import FileFormat
from kaa.model.errors import KaaError, RequestError, UnsupportedError
from kaa.model.options import Dependencies, SolveOptions
from kaa.model.package import PYPI, channel_url
from kaa.model.progress import Phase, Silent
from kaa.model.source import Kind
from kaa.network.locations import redact
from kaa.settings.configuration import load_configuration
from kaa.solver.specs import parse_spec
from kaa.sources.channels import public_url
from kaa.sources.identity import known_sha256
from kaa.sources.target import known_subdir
from kaa.sources.virtual_packages import assumed, parse_override, virtual_packages
from kaa.store.disk import replace_file, writing
from kaa.workflows.from_file import request_from_file
from kaa.workflows.options import platform_of, question
from kaa.workflows.supply import is_host_python, open_supply, solve_for
from kaa.workflows.wish import check_hashes

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from rattler import RepoDataRecord

    from kaa.model.distribution import IndexFile
    from kaa.model.progress import Progress
    from kaa.model.source import Source
    from kaa.settings.configuration import Configuration
    from kaa.solver.request import Solution, SolveRequest
    from kaa.solver.specs import Spec
    from kaa.store.layout import Layout
    from kaa.workflows.file_request import FileRequest
    from kaa.workflows.supply import Supply


@dataclass(frozen=True, slots=True)
class LockRequest:
    """What is to be locked.

    ``specs`` are as typed and ``file`` is an environment file or a requirements file; at least one
    of the two is given. No ``platforms`` means those of the file, or else this machine's.
    ``without_python`` says that the lock's format has no Python, so that it may be this machine's.
    """

    specs: tuple[str, ...]
    file: Path | None = None
    platforms: tuple[str, ...] = ()
    options: SolveOptions = field(default_factory=SolveOptions)
    without_python: bool = False


@dataclass(frozen=True, slots=True)
class PlatformSummary:
    """What a lock has for one platform; ``size`` is in bytes, of what is known of it."""

    platform: str
    conda: int
    pypi: int
    python: str | None
    size: int

    def as_dict(self) -> dict[str, str | int | None]:
        """Return the fields that ``--json`` prints."""
        return {
            "platform": self.platform,
            "packages": self.conda + self.pypi,
            "conda": self.conda,
            "pypi": self.pypi,
            "python": self.python,
            "size": self.size,
        }


@dataclass(frozen=True, slots=True)
class Lock:
    """What was solved for every platform; nothing is written yet."""

    environment: LockedEnvironment
    summaries: tuple[PlatformSummary, ...]
    remarks: tuple[str, ...] = ()

    def as_dict(self) -> dict[str, Any]:
        """Return the fields that ``--json`` prints."""
        return {
            "channels": list(self.environment.channels),
            "platforms": [summary.as_dict() for summary in self.summaries],
            "remarks": list(self.remarks),
        }

    def write(
        self,
        path: Path,
        format_: FileFormat = FileFormat.PIXI_LOCK,
        made_of: Sequence[str] = (),
    ) -> tuple[str, ...]:
        """Write the lock file, whole or not at all, and return what its format cannot say.

        :raises StoreError: it cannot be written.
        :raises RequestError: the format is for one platform, and these are several.
        """
        if format_ is FileFormat.PIXI_LOCK:
            write_lock(path, {DEFAULT: self.environment})
            return ()
        rendered = render_locked(self.environment, format_, made_of)
        with writing(path):
            if path.exists() and not path.is_file():
                path.write_text(rendered.text, encoding="utf-8")
            else:
                replace_file(path.resolve(), rendered.text.encode())
        return rendered.lost


@dataclass(frozen=True, slots=True)
class _Part:
    """One platform of a request: what its solve is asked."""

    platform: str
    asked: SolveRequest
    file: FileRequest | None


async def solve_lock(request: LockRequest, layout: Layout, progress: Progress) -> Lock:
    """Solve the request for each of its platforms.

    :raises RequestError: the request makes no sense, or is empty.
    :raises SolveError: there is no answer on a platform, which is named.
    :raises SourceError: a source cannot be read.
    """
    configuration = load_configuration(os.environ, only={"channels", "subdir"})
    platforms = _platforms(request, configuration)
    files = {platform: _read(request, platform, configuration) for platform in platforms}
    options = _options(request, files[platforms[0]])
    async with open_supply(layout, options, progress) as supply:
        parts = [
            _part(request, options, platform, files[platform], supply) for platform in platforms
        ]
        try:
            solutions = await _solve_all(parts, supply)
            locked = [
                await _locked(part, solution, supply, without_python=request.without_python)
                for part, solution in zip(parts, solutions, strict=True)
            ]
        finally:
            progress.finish(Phase.METADATA)
        indexes = [redact(index.url) for index in supply.settings.indexes]
    by_index = any(platform.distributions for platform in locked)
    environment = LockedEnvironment(
        channels=_channels([part.asked.sources for part in parts]),
        platforms=tuple(locked),
        # of several, rattler would say of every package that it is from the first
        indexes=tuple(indexes) if by_index and len(indexes) == 1 else (),
    )
    remarks = [remark for file in files.values() if file for remark in file.remarks]
    summaries = [_summary(each, solution) for each, solution in zip(locked, solutions, strict=True)]
    return Lock(environment, tuple(summaries), tuple(dict.fromkeys(remarks)))


def _platforms(request: LockRequest, configuration: Configuration) -> tuple[str, ...]:
    if not request.specs and request.file is None:
        raise RequestError(
            "nothing was asked for",
            hint="name packages, or a file: `kaa lock -f environment.yml`",
        )
    platforms = request.platforms
    usual = platform_of(request.options, configuration)
    if not platforms and request.file is not None:
        platforms = _from_file(request.file, usual, configuration, request.options).platforms
    platforms = tuple(sorted(set(platforms))) or (usual,)
    for platform in platforms:
        known_subdir(platform)
    return platforms


def _read(request: LockRequest, platform: str, configuration: Configuration) -> FileRequest | None:
    return (
        None
        if request.file is None
        else _from_file(request.file, platform, configuration, request.options)
    )


def _from_file(
    path: Path, platform: str, configuration: Configuration, options: SolveOptions
) -> FileRequest:
    file = request_from_file(path, platform, os.environ, configuration.channels, options.choice)
    if file.editable or file.direct:
        what = (*file.editable, *file.direct)[0]
        raise UnsupportedError(
            f"{path.name} asks for {redact(what)}, which no lock file can hold",
            cause="it is on this machine, or may change without a new version",
            hint="lock the rest, and install it beside it",
        )
    return file


def _options(request: LockRequest, file: FileRequest | None) -> SolveOptions:
    options = request.options
    if options.deps is not Dependencies.ALL or options.editable or options.frozen:
        raise RequestError(
            "a lock is of whole environments",
            hint="leave out --no-deps, --only-deps, --freeze-installed and -e",
        )
    return options if file is None else file.options(options)


def _part(
    request: LockRequest,
    options: SolveOptions,
    platform: str,
    file: FileRequest | None,
    supply: Supply,
) -> _Part:
    specs = tuple(parse_spec(text) for text in request.specs)
    pins: tuple[Spec, ...] = ()
    if file is not None:
        specs, pins = (*file.specs, *specs), file.constraints
    sources = supply.sources(specs)
    asked = question(
        replace(options, platform=platform),
        specs,
        sources,
        configuration=supply.configuration,
        pins=pins,
    )
    virtual = _virtual_packages(platform, options.overrides)
    return _Part(platform, replace(asked, virtual_packages=virtual), file)


def _virtual_packages(platform: str, overrides: Sequence[str]) -> tuple[str, ...]:
    """Return what is assumed of a platform, whatever this machine is and its variables say."""
    given = {**assumed(platform), "__cuda": "", **dict(map(parse_override, overrides))}
    return virtual_packages(platform, given, environ={})


async def _solve_all(parts: Sequence[_Part], supply: Supply) -> list[Solution]:
    """Return the answers, in order; platforms without one are named, all of them."""
    # the progress is over when all are
    tasks = [asyncio.ensure_future(solve_for(part.asked, supply, Silent())) for part in parts]
    try:
        answers = await asyncio.gather(*tasks, return_exceptions=True)
    finally:
        for task in tasks:
            task.cancel()
    solutions: list[Solution] = []
    failures: list[tuple[str, KaaError]] = []
    for part, answer in zip(parts, answers, strict=True):
        if isinstance(answer, KaaError):
            failures.append((part.platform, answer))
        elif isinstance(answer, BaseException):
            raise answer
        else:
            solutions.append(answer)
    if failures:
        raise _failure(failures)
    return solutions


def _failure(failures: Sequence[tuple[str, KaaError]]) -> KaaError:
    """Return the first failure, which then says its platform and where else there was one."""
    platform, error = failures[0]
    error.message = f"for {platform}: {error.message}"
    error.args = (error.message,)
    for other, also in failures[1:]:
        error.cause = "\n".join(filter(None, [error.cause, f"and for {other}: {also.message}"]))
    return error


async def _locked(
    part: _Part, solution: Solution, supply: Supply, *, without_python: bool
) -> LockedPlatform:
    if solution.host_python is not None and not without_python:
        raise UnsupportedError(
            f"for {part.platform}: Python would be this machine's own, which no lock can hold",
            hint="take Python from a conda channel: add `-c conda-forge` before `-c pypi`; or "
            "write a pylock.toml, which has no Python",
        )
    ours = channel_url(PYPI).rstrip("/")
    of_index = [r for r in solution.records if (r.channel or "").rstrip("/") == ours]
    files = [solution.files[record.url] for record in of_index]
    distributions = [await _distribution(file, solution, supply) for file in files]
    hashes = part.file.hashes if part.file else {}
    locked = ((each.name, each.version, each.sha256) for each in distributions)
    check_hashes(locked, hashes, f"for {part.platform}: ")
    return LockedPlatform(
        part.platform,
        tuple(_public(record) for record in solution.records if record not in of_index),
        tuple(sorted(distributions, key=lambda each: each.name)),
        part.asked.virtual_packages,
    )


def _public(record: RepoDataRecord) -> RepoDataRecord:
    """Return the record without the credentials that its channel was asked with."""
    from rattler import RepoDataRecord

    url, channel = public_url(record.url), public_url(record.channel or "")
    if (url, channel) == (record.url, record.channel):
        return record
    return RepoDataRecord(record, record.file_name, url, channel)


async def _distribution(file: IndexFile, solution: Solution, supply: Supply) -> LockedDistribution:
    """Return what is locked of a file of an index; the solve has read its metadata already."""
    if file.filename.endswith(".whl"):
        metadata = await supply.metadata.core_metadata(file)
    else:
        assert supply.catalog.builder is not None
        assert solution.python is not None
        metadata = await supply.catalog.builder().core_metadata(file, solution.python)
    return LockedDistribution(
        metadata.name,
        metadata.version,
        redact(file.url),
        known_sha256(file),
        metadata.requires_dist,
        metadata.requires_python,
    )


def _channels(sources: Sequence[Sequence[Source]]) -> tuple[str, ...]:
    urls = [
        url
        for each in sources
        for source in each
        if source.kind is Kind.CONDA
        for url in source.urls
    ]
    return tuple(dict.fromkeys(map(public_url, urls)))


def _summary(locked: LockedPlatform, solution: Solution) -> PlatformSummary:
    return PlatformSummary(
        locked.subdir,
        sum(not is_host_python(record) for record in locked.records),
        len(locked.distributions),
        solution.python,
        sum(record.size or 0 for record in solution.records),
    )
