"""What was typed, told apart: package specs, and distributions by URL or path."""

from __future__ import annotations

import asyncio
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

from kaa.model.errors import RequestError
from kaa.model.package import PYPI
from kaa.solver.specs import YOU_ASKED, Spec, parse_spec
from kaa.sources.direct import parse_direct
from kaa.workflows.references import lasting_text

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from kaa.settings.configuration import Configuration
    from kaa.solver.request import Catalog
    from kaa.sources.direct import DirectReference
    from kaa.sources.direct_distribution import DirectDistribution


_NUMBER = re.compile(r"\d+\.\d+(?:\.\d+)?").findall


@dataclass(frozen=True, slots=True)
class Asked:
    """What a command line asks for: ``specs``, and ``references`` to be resolved."""

    specs: tuple[Spec, ...]
    references: tuple[DirectReference, ...] = ()


def read_asked(
    texts: Iterable[str], editable: Iterable[str] = (), origin: str = YOU_ASKED
) -> Asked:
    """Return what ``texts`` and the paths of ``-e`` say.

    Raises :class:`~kaa.model.errors.RequestError` for what is none of it.
    """
    specs, references = [], []
    for text in texts:
        reference = parse_direct(text)
        if reference is None:
            specs.append(parse_spec(text, origin))
        else:
            references.append(reference)
    for text in editable:
        reference = parse_direct(text, editable=True)
        assert reference is not None  # it raises what it has to say
        references.append(reference)
    return Asked(tuple(specs), tuple(references))


async def resolve_references(
    asked: Asked, catalog: Catalog
) -> tuple[tuple[Spec, ...], dict[str, DirectDistribution]]:
    """Return the specs, those of the references among them, and the distributions by project.

    Their metadata are read, which may run a project's build backend. Raises the errors of
    downloads and builds, and :class:`~kaa.model.errors.RequestError` for two of one project.
    """
    if not asked.references:
        return asked.specs, {}
    assert catalog.builder is not None
    from kaa.sources.direct_distribution import resolve_direct

    builder = catalog.builder()
    python = await _python(asked.specs, catalog)
    found = await asyncio.gather(
        *(resolve_direct(reference, builder, python) for reference in asked.references)
    )
    by_name: dict[str, DirectDistribution] = {}
    for one in found:
        other = by_name.setdefault(one.name, one)
        if other is not one:
            raise RequestError(
                f"{one.name} is asked for twice",
                cause=f"{other.reference.text} and {one.reference.text} are both of this project",
                hint="leave out one of them",
            )
    return (*asked.specs, *(direct_spec(one) for one in found)), by_name


def direct_spec(one: DirectDistribution) -> Spec:
    """Return the spec that a direct reference comes to, once its name is known."""
    reference = one.reference
    text = lasting_text(reference, one.name)
    return Spec(text, one.name, "*", reference.extras, pre_releases=True, source=PYPI, direct=True)


async def _python(specs: Sequence[Spec], catalog: Catalog) -> str:
    """Return the version of Python that a project is asked with what it needs."""
    from rattler import Version, VersionSpec

    wanted = [VersionSpec(spec.version) for spec in specs if spec.name == "python"]
    pythons = await catalog.pythons()
    for python in pythons:
        if all(spec.matches(Version(python.version)) for spec in wanted):
            return python.version
    # uv finds or fetches one of the first version that is named, or says that it cannot
    named = [number for spec in specs if spec.name == "python" for number in _NUMBER(spec.version)]
    return named[0] if named else "3.12"


def with_default_packages(
    specs: tuple[Spec, ...], configuration: Configuration
) -> tuple[Spec, ...]:
    """Return ``specs`` and the packages that the settings want in every new environment.

    One that is asked for already is not asked for twice.
    """
    asked = {spec.name for spec in specs}
    origin = f"in every environment, says {configuration.origin('default_packages')}"
    more = (parse_spec(text, origin) for text in configuration.default_packages)
    return (*specs, *(spec for spec in more if spec.name not in asked))
