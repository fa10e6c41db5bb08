"""What a solve is asked, and what it may ask."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from kaa.model.source import Kind, Priority, Source
from kaa.network.locations import redact

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Mapping
    from datetime import datetime

    from rattler import Gateway, RepoDataRecord

    from kaa.model.distribution import IndexFile
    from kaa.solver.specs import Spec
    from kaa.sources.builds import Builder
    from kaa.sources.direct_distribution import DirectDistribution
    from kaa.sources.index import ProjectIndex
    from kaa.sources.metadata import MetadataReader
    from kaa.store.host_python import HostPython


@dataclass(frozen=True, slots=True)
class SolveRequest:
    """One question to the solver; ``dataclasses.replace`` makes variants of it.

    ``sources`` are in order of priority, and among them is whatever a spec names; ``platform`` is
    a conda subdir; ``virtual_packages`` are texts (``__glibc=2.36=0``); ``pins`` hold for what is
    in the answer without asking for it; ``installed`` records stay where they can, with
    ``frozen`` in any case; ``direct`` are distributions of URLs and paths by project (PEP 503),
    which count as long as a spec asks for them; records that are younger than ``exclude_newer`` do
    not count; ``loosened`` are names that every source may provide, although the priority is
    strict; ``add_pip`` brings pip along with Python.
    """

    specs: tuple[Spec, ...]
    sources: tuple[Source, ...]
    platform: str
    virtual_packages: tuple[str, ...] = ()
    priority: Priority = Priority.STRICT
    pins: tuple[Spec, ...] = ()
    installed: tuple[RepoDataRecord, ...] = ()
    frozen: bool = False
    direct: Mapping[str, DirectDistribution] = field(default_factory=dict)
    exclude_newer: datetime | None = None
    loosened: frozenset[str] = frozenset()
    add_pip: bool = False

    @property
    def channels(self) -> tuple[Source, ...]:
        """The conda channels among the sources."""
        return tuple(source for source in self.sources if source.kind is Kind.CONDA)

    @property
    def asked_directly(self) -> Mapping[str, DirectDistribution]:
        """The distributions of URLs and paths that a spec asks for, by project."""
        asked = {spec.name for spec in self.specs if spec.direct}
        return {project: one for project, one in self.direct.items() if project in asked}

    @property
    def has_index(self) -> bool:
        """Whether package indexes are among the sources."""
        return any(source.kind is Kind.PYPI for source in self.sources)

    def source(self, text: str) -> Source | None:
        """Return the source that a spec's ``text::`` names, None when it is not among them."""
        public = redact(text).rstrip("/")
        for source in self.sources:
            if text == source.name or public in {redact(url).rstrip("/") for url in source.urls}:
                return source
        ends = f"/{text.strip('/')}/"
        return next((s for s in self.sources if any(url.endswith(ends) for url in s.urls)), None)


@dataclass(frozen=True, slots=True)
class Catalog:
    """Where a solve finds things.

    ``pythons`` finds this machine's interpreters, newest first, and ``mapping`` the PyPI projects
    of conda names, or None; both are called when they are needed only. ``builder`` makes what
    knows sources without a wheel, and ``builds`` says that solving may choose those of an index.
    """

    gateway: Gateway
    index: ProjectIndex
    metadata: MetadataReader
    pythons: Callable[[], Awaitable[tuple[HostPython, ...]]]
    mapping: Callable[[], Awaitable[Mapping[str, list[str] | None] | None]]
    builder: Callable[[], Builder] | None = None
    builds: bool = False


@dataclass(frozen=True, slots=True)
class Solution:
    """What the environment is going to have.

    ``records`` are in order of name; ``files`` maps the URL of each wheel's record to its file on
    the index; ``python`` is the version of the interpreter among the records, None when there is
    none, and ``host_python`` the interpreter of this machine that it is, if it is one; ``asked``
    maps what was typed to the name of the record that it led to; ``direct`` maps the URLs of
    records to the distributions that they were made of; ``incomplete`` are the names of records
    that a lock says little of: what the package itself says takes their place once it is there.
    """

    records: tuple[RepoDataRecord, ...]
    files: Mapping[str, IndexFile]
    python: str | None
    host_python: HostPython | None
    asked: Mapping[str, str] = field(default_factory=dict)
    direct: Mapping[str, DirectDistribution] = field(default_factory=dict)
    incomplete: frozenset[str] = frozenset()

    @property
    def python_minor(self) -> str | None:
        """Python's version without its last part (``3.12``)."""
        return ".".join(self.python.split(".")[:2]) if self.python else None
