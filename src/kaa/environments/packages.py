"""The packages of an environment, as its records in ``conda-meta`` tell."""

from __future__ import annotations

import re
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from kaa.environments.heads import read_head
from kaa.environments.prefix import read_manifest, record_names
from kaa.model.package import HOST, PYPI, Package, channel_of, project_name, source_of_channel

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path


_TYPED = re.compile(r"\s*(?:-e\s+)?(?:[^\s\[\]=<>!~]*::)?(?P<name>[A-Za-z0-9_][\w.-]*)")


def read_packages(generation: Path) -> list[Package]:
    """Return the packages that ``conda-meta`` records, in order of name.

    Raises ``PermissionError`` where they may not be read, which is not the same as none.
    """
    packages = sorted(_packages(generation), key=lambda package: package.name)
    if any(package.requested for package in packages):
        return packages
    # Records that conda has made say nothing of it.
    manifest = read_manifest(generation)
    asked = {_named(spec) for spec in manifest.specs} if manifest else set()
    return [replace(each, requested=project_name(each.name) in asked) for each in packages]


def _named(spec: str) -> str:
    match = _TYPED.match(spec)
    return project_name(match["name"]) if match else ""


def _packages(generation: Path) -> Iterator[Package]:
    for name in record_names(generation):
        try:
            yield package_of_record(read_head(generation / "conda-meta" / f"{name}.json"))
        except PermissionError:
            raise
        except (OSError, ValueError, LookupError, TypeError, AttributeError):
            continue  # `verify` is the command that looks for damage


def package_of_record(record: dict[str, Any]) -> Package:
    """Return the package that a record (JSON of ``conda-meta``) is about.

    Raises ``LookupError``, ``TypeError`` or ``AttributeError`` for what is no record.
    """
    source, url = source_of_channel(record.get("channel") or "unknown"), record.get("url", "")
    subdir = "" if source in (PYPI, HOST) else record.get("subdir", "")
    return Package(
        name=record["name"],
        version=record["version"],
        build=record.get("build", ""),
        source=source,
        url=url,
        sha256=record.get("sha256"),
        size=record.get("size"),
        requested=bool(record.get("requested_specs")),
        build_number=record.get("build_number") or 0,
        channel=channel_of(url, subdir),
        subdir=subdir,
        md5=record.get("md5"),
    )
