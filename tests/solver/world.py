"""Conda channels on disk and a package index in memory, for one solve over both."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

from rattler import Gateway

from conda_channel import CondaChannel
from kaa.model.source import Kind, Source
from kaa.solver.request import Solution, SolveRequest
from kaa.solver.solve import solve
from kaa.solver.specs import parse_spec
from solver.universe import Universe

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

    from kaa.solver.request import Catalog

VIRTUAL_PACKAGES = ("__glibc=2.36=0", "__linux=6.1=0", "__unix=0=0")


@dataclass
class World:
    """A channel ``conda-forge`` with three Pythons in it, an index, and more channels on demand.

    ``mapping`` says which projects conda names stand for; ``asked`` are the projects whose page
    the solve wanted to see.
    """

    directory: Path
    universe: Universe = field(default_factory=Universe)
    mapping: Mapping[str, list[str] | None] | None = None
    asked: list[str] = field(default_factory=list)
    channels: dict[str, CondaChannel] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.channel("conda-forge")
        for minor in ("3.10", "3.11", "3.12"):
            self.add_python(f"{minor}.4")

    def channel(self, name: str) -> CondaChannel:
        """Return the channel of this name, an empty one at first."""
        if name not in self.channels:
            self.channels[name] = CondaChannel(self.directory / name, zst=False)
        return self.channels[name]

    def add(self, name: str, version: str = "1.0", *depends: str, **fields: Any) -> None:
        """Put a record into conda-forge."""
        self.channel("conda-forge").add_record(name, version, depends=depends, **fields)

    def add_python(self, version: str, build: str = "0_cpython", abi: str = "") -> None:
        major, minor = version.split(".")[:2]
        abi = abi or f"cp{major}{minor}"
        self.add("python", version, f"python_abi {major}.{minor}.* *_{abi}", build=build)
        self.add("python_abi", f"{major}.{minor}", build=f"8_{abi}")

    def sources(self, *names: str) -> tuple[Source, ...]:
        return tuple(
            Source("pypi", Kind.PYPI)
            if name == "pypi"
            else Source("host", Kind.HOST)
            if name == "host"
            else Source(name, Kind.CONDA, (self.channel(name).file_url,))
            for name in names
        )

    def request(
        self, *specs: str, sources: Sequence[str] = ("conda-forge", "pypi"), **fields: Any
    ) -> SolveRequest:
        fields.setdefault("virtual_packages", VIRTUAL_PACKAGES)
        parsed = tuple(parse_spec(spec) for spec in specs)
        return SolveRequest(parsed, self.sources(*sources), "linux-64", **fields)

    def catalog(self, hosts: Sequence[str] = ("3.13.1",)) -> Catalog:
        async def mapping() -> Mapping[str, list[str] | None] | None:
            return self.mapping

        catalog = self.universe.catalog(hosts)
        index: Any = _Watched(self.universe, self.asked)
        return replace(catalog, gateway=Gateway(), index=index, mapping=mapping)

    def solve(self, request: SolveRequest, hosts: Sequence[str] = ("3.13.1",)) -> Solution:
        return asyncio.run(solve(request, self.catalog(hosts)))

    def answer(
        self, *specs: str, sources: Sequence[str] = ("conda-forge", "pypi"), **fields: Any
    ) -> dict[str, tuple[str, str]]:
        """Return version and source of each package of the answer."""
        solution = self.solve(self.request(*specs, sources=sources, **fields))
        return {
            record.name.normalized: (
                str(record.version),
                "pypi" if record.url in solution.files else (record.channel or "").split("/")[-2],
            )
            for record in solution.records
        }


@dataclass
class _Watched:
    universe: Universe
    asked: list[str]

    async def releases(self, name: str) -> Any:
        self.asked.append(name)
        return await self.universe.releases(name)
