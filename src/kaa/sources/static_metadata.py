"""What a source distribution or a source tree says of itself without anything being run.

Trusted is PKG-INFO of Metadata-Version 2.2 or later for fields that it does not call dynamic
(PEP 643), and ``[project]`` of pyproject.toml for those that it does not call dynamic (PEP 621).
Everything else can only be known by asking the build backend.
"""

from __future__ import annotations

import re
import sys
from typing import TYPE_CHECKING, Any

from kaa.model.distribution import CoreMetadata
from kaa.model.errors import MetadataError
from kaa.sources.index import normalise
from kaa.sources.metadata import parse_metadata

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

_NEEDED = frozenset({"requires-dist", "requires-python", "provides-extra"})
_PYPROJECT_NEEDED = frozenset({"dependencies", "optional-dependencies", "requires-python"})
_FIELD = re.compile(
    rb"^(metadata-version|dynamic|name|version):[ \t]*(.*?)\s*$", re.IGNORECASE | re.MULTILINE
)


def metadata_of_pkg_info(
    text: bytes, name: str | None = None, version: str | None = None
) -> CoreMetadata | None:
    """Return what PKG-INFO says; None when it leaves something open that a solve needs.

    Raises :class:`~kaa.model.errors.MetadataError` when it is that of another project or version
    than ``name`` and ``version``, which the archive's file name gives (None where it does not).
    """
    fields = [(key.lower(), value.decode("utf-8", "replace")) for key, value in _own(text)]
    # Whatever it leaves open: it has to be of the project that the file name says it is.
    metadata = parse_own_metadata(text, name, version)
    versions = [value for key, value in fields if key == b"metadata-version"]
    dynamic = {value.strip().lower() for key, value in fields if key == b"dynamic"}
    if not versions or _numbers(versions[0]) < (2, 2) or dynamic & _NEEDED:
        return None
    return metadata


def parse_own_metadata(
    text: bytes, name: str | None = None, version: str | None = None
) -> CoreMetadata:
    """Return core metadata that are no wheel's, checked against what is known of them.

    Raises :class:`~kaa.model.errors.MetadataError`.
    """
    fields = {key.lower(): value.decode("utf-8", "replace") for key, value in _own(text)}
    return parse_metadata(
        text, stem(name or fields.get(b"name", ""), version or fields.get(b"version", ""))
    )


def metadata_of_pyproject(
    table: Mapping[str, Any], name: str | None = None, version: str | None = None
) -> CoreMetadata | None:
    """Return what ``[project]`` of a parsed pyproject.toml says; None when that is not enough.

    ``name`` and ``version``, where they are known, are what it has to be of; without a known
    version one that is dynamic is not enough. Raises
    :class:`~kaa.model.errors.MetadataError` for another name or version and for dependencies
    that are no requirements (PEP 508).
    """
    project = table.get("project")
    if not isinstance(project, dict) or not isinstance(project.get("name"), str):
        return None
    dynamic = {str(field).lower() for field in _list(project.get("dynamic"))}
    if dynamic & _PYPROJECT_NEEDED:
        return None
    own = project["name"]
    found = project.get("version", version)
    if not isinstance(found, str):
        return None
    if (name and normalise(own) != normalise(name)) or (version and not _same(found, version)):
        raise MetadataError(
            f"the metadata of {name} {version} cannot be used",
            cause=f"its pyproject.toml is that of {own} {found}",
            hint="choose another version, and tell the project's authors",
        )
    optional = project.get("optional-dependencies") or {}
    requires = [*_list(project.get("dependencies")), *_of_extras(optional)]
    return CoreMetadata(
        own,
        found,
        project.get("requires-python") or None,
        tuple(requires),
        tuple(normalise(extra) for extra in optional),
    )


def load_pyproject(content: bytes, label: str) -> dict[str, Any]:
    """Return a parsed pyproject.toml.

    Raises :class:`~kaa.model.errors.MetadataError`; ``label`` says whose it is.
    """
    if sys.version_info >= (3, 11):
        import tomllib
    else:
        import tomli as tomllib
    try:
        table: dict[str, Any] = tomllib.loads(content.decode("utf-8"))
    except ValueError as error:  # of the syntax as well as of the encoding
        raise MetadataError(
            f"the pyproject.toml of {label} cannot be read",
            cause=str(error),
            hint="correct the file, or tell the project's authors",
        ) from error
    return table


def stem(name: str, version: str) -> str:
    """Return ``name-version`` with a name that has no dash, as file names of today begin."""
    return f"{normalise(name).replace('-', '_')}-{version}"


def _own(text: bytes) -> list[tuple[bytes, bytes]]:
    """Return the header's fields that say whose it is and what it leaves open."""
    return _FIELD.findall(re.split(rb"\r?\n\r?\n", text, maxsplit=1)[0])


def _of_extras(optional: Mapping[str, Any]) -> Iterator[str]:
    """Yield the requirements of extras, said as Requires-Dist does: with a marker."""
    from packaging.requirements import InvalidRequirement, Requirement

    for extra, texts in optional.items():
        for text in _list(texts):
            try:
                requirement = Requirement(text)
            except InvalidRequirement as error:
                raise MetadataError(
                    f"{text!r} in a pyproject.toml is no requirement",
                    cause=str(error).partition("\n")[0],
                    hint="choose another version, and tell the project's authors",
                ) from None
            marker = f'extra == "{normalise(extra)}"'
            if requirement.marker is not None:
                marker = f"({requirement.marker}) and {marker}"
                requirement.marker = None
            yield f"{requirement} ; {marker}"


def _list(value: Any) -> Iterable[str]:
    return [str(item) for item in value] if isinstance(value, list) else []


def _numbers(version: str) -> tuple[int, ...]:
    return tuple(int(part) for part in re.findall(r"\d+", version))


def _same(found: str, expected: str) -> bool:
    from packaging.version import InvalidVersion, Version

    try:
        return Version(found) == Version(expected)
    except InvalidVersion:
        return found == expected
