"""The part that package indexes have in a solve beside conda channels."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from collections.abc import Mapping
    from datetime import datetime

    from rattler import RepoDataRecord

    from kaa.sources.direct_distribution import DirectDistribution

_EXTRA = "extra."


class Names(Protocol):
    """What a project is called by the solver, where conda channels take part."""

    def conda_name(self, project: str) -> str:
        """Return the solver's name of a project."""

    def asked(self, name: str) -> str:
        """Return the solver's name of what a user calls ``name``, in conda's words or PyPI's."""

    def project(self, conda_name: str) -> str | None:
        """Return the project behind a solver's name, None when it is no Python project."""

    def rivals(self, project: str) -> tuple[str, ...]:
        """Return the conda packages whose files a project's would overwrite."""


class OwnNames:
    """:class:`Names` without conda channels: every project has its own name."""

    def conda_name(self, project: str) -> str:
        """Return the same name."""
        return project

    def asked(self, name: str) -> str:
        """Return the name in its normal form (PEP 503)."""
        from packaging.utils import canonicalize_name

        return canonicalize_name(name)

    def project(self, conda_name: str) -> str | None:
        """Return the same name."""
        return conda_name

    def rivals(self, project: str) -> tuple[str, ...]:
        """Return nothing."""
        return ()


@dataclass(frozen=True, slots=True)
class Part:
    """The part that package indexes have in a solve.

    ``elsewhere`` are the solver's names that other sources provide (strict channel priority);
    ``also`` are names that only conda packages need and that the indexes may provide
    nevertheless; ``installed`` are records of packages from an index by name:
    they are offered first, and nothing else as long as they will do; ``direct`` are distributions
    by name that no index is asked for; files that came later than ``exclude_newer`` do not count;
    ``before_others`` says that a source of lower priority must not provide what a project has
    nothing fitting of.
    """

    names: Names = field(default_factory=OwnNames)
    elsewhere: frozenset[str] = frozenset()
    also: frozenset[str] = frozenset()
    installed: Mapping[str, RepoDataRecord] = field(default_factory=dict)
    direct: Mapping[str, DirectDistribution] = field(default_factory=dict)
    exclude_newer: datetime | None = None
    before_others: bool = False

    def provides(self, name: str) -> bool:
        """Say whether the indexes may provide the solver's ``name`` at all."""
        if name == "python" or name.startswith("__"):
            return False
        return name in self.direct or name not in self.elsewhere


def extra_name(name: str, extra: str) -> str:
    """Return the solver's name of an extra of a package that a conda channel provides.

    conda packages have no extras. What one needs is said by a record of this name, made of the
    project's core metadata; it is part of the solve, and not of its answer.
    """
    return f"{_EXTRA}{name}.{extra}"


def split_extra_name(name: str) -> tuple[str, str] | None:
    """Return package and extra of a name made by :func:`extra_name`, None for any other name."""
    if not name.startswith(_EXTRA):
        return None
    package, _, extra = name[len(_EXTRA) :].rpartition(".")
    return (package, extra) if package else None
