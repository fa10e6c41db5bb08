"""A package index in memory, for solves by the hundred: the same two methods as the real ones."""

from __future__ import annotations

import asyncio
from collections import defaultdict
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, cast

from packaging.utils import canonicalize_name
from packaging.version import Version
from rattler import Gateway

from kaa.model.distribution import CoreMetadata, IndexFile, Release
from kaa.model.source import Kind, Source
from kaa.solver.request import Catalog, Solution, SolveRequest
from kaa.solver.solve import solve
from kaa.solver.specs import parse_spec
from kaa.sources.target import host_subdir
from kaa.sources.virtual_packages import virtual_packages
from kaa.store.host_python import HostPython

if TYPE_CHECKING:
    from collections.abc import Sequence

    from kaa.sources.index import ProjectIndex
    from kaa.sources.metadata import MetadataReader


def host_python(version: str) -> HostPython:
    return HostPython(version, Path(f"/opt/python-{version}/bin/python3"), Path("/opt/python"))


@dataclass
class Universe:
    """Projects with wheels, added by :meth:`add`; ``reads`` lists the wheels whose metadata were
    asked for."""

    files: dict[str, dict[str, list[IndexFile]]] = field(
        default_factory=lambda: defaultdict(lambda: defaultdict(list))
    )
    metadata: dict[str, CoreMetadata | Exception] = field(default_factory=dict)
    reads: list[str] = field(default_factory=list)

    def add(
        self,
        name: str,
        version: str,
        *requires: str,
        extras: Sequence[str] = (),
        requires_python: str | None = None,
        tag: str = "py3-none-any",
        yanked: str | None = None,
    ) -> None:
        filename = f"{name.replace('-', '_')}-{version}-{tag}.whl"
        project = canonicalize_name(name)
        self.files[project][str(Version(version))].append(
            IndexFile(
                filename,
                f"https://example.org/{filename}",
                {},
                requires_python=requires_python,
                yanked=yanked,
            )
        )
        self.metadata[filename] = CoreMetadata(
            name, version, requires_python, requires, tuple(extras)
        )

    def add_sdist(self, name: str, version: str) -> None:
        filename = f"{name}-{version}.tar.gz"
        self.files[name][version].append(IndexFile(filename, f"https://example.org/{filename}", {}))

    async def releases(self, name: str) -> list[Release] | None:
        await asyncio.sleep(0)
        if name not in self.files:
            return None
        versions = sorted(self.files[name], key=Version, reverse=True)
        return [Release(version, tuple(self.files[name][version])) for version in versions]

    async def core_metadata(self, file: IndexFile, *, likely: bool = True) -> CoreMetadata:
        await asyncio.sleep(0)
        self.reads.append(file.filename)
        metadata = self.metadata[file.filename]
        if isinstance(metadata, Exception):
            raise metadata
        return metadata

    def solve(self, *specs: str, pythons: Sequence[str] = ("3.12.1",)) -> Solution:
        """Solve for the specs with these interpreters, newest first."""
        return asyncio.run(solve(self.request(*specs), self.catalog(pythons)))

    def request(self, *specs: str) -> SolveRequest:
        """Return the request for the specs, from the index alone."""
        return SolveRequest(
            tuple(parse_spec(spec) for spec in specs),
            (Source("pypi", Kind.PYPI),),
            host_subdir(),
            virtual_packages(host_subdir()),
        )

    def catalog(self, pythons: Sequence[str] = ("3.12.1",)) -> Catalog:
        """Return a catalog with this index and these interpreters."""

        async def find() -> tuple[HostPython, ...]:
            return tuple(host_python(version) for version in pythons)

        async def nothing() -> None:
            return None

        return Catalog(
            Gateway(),
            cast("ProjectIndex", self),
            cast("MetadataReader", self),
            find,
            nothing,
        )

    def answer(self, *specs: str, pythons: Sequence[str] = ("3.12.1",)) -> dict[str, str]:
        """Return the version of each package of the solution, python included."""
        records = self.solve(*specs, pythons=pythons).records
        return {record.name.normalized: str(record.version) for record in records}
