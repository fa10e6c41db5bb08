"""What a pylock.toml (PEP 751) asks for: exactly these packages, from exactly these files.

The lock has no Python, so there is a solve yet: every package is pinned, and all that is known of
its project are the lock's own files, as a page of links. No index is asked.
"""

from __future__ import annotations

import hashlib
import html
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from kaa.formats.pylock_toml import read_pylock
from kaa.model.errors import RequestError
from kaa.model.package import PYPI
from kaa.solver.specs import parse_spec
from kaa.sources.markers import ALWAYS, python_condition
from kaa.sources.target import target_for
from kaa.store.disk import replace_file, writing

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from packaging.markers import Marker

    from kaa.formats.pylock_toml import PylockPackage, PythonLock
    from kaa.model.options import FileChoice
    from kaa.solver.specs import Spec
    from kaa.store.layout import Layout

_OF_LOCKS = ("extras", "dependency_groups")
"""Variables of markers that only locks have (PEP 751)."""


@dataclass(frozen=True, slots=True)
class PylockRequest:
    """What a lock asks for on one platform: specs, the page of its files, and their hashes."""

    specs: tuple[Spec, ...]
    page: str
    hashes: Mapping[str, tuple[str, ...]]


def request_from_pylock(
    path: Path, platform: str, layout: Layout, choice: FileChoice
) -> PylockRequest:
    """Return what the lock at ``path`` asks for on ``platform`` (a conda subdir).

    :raises RequestError: it cannot be read, or is for other platforms.
    """
    lock = read_pylock(path)
    markers = target_for(platform, (), ()).marker_environment
    _check_environments(lock, markers, path, platform)
    specs = [parse_spec(f"python{lock.requires_python or ''}", origin=path.name)]
    hashes: dict[str, tuple[str, ...]] = {}
    chosen = []
    for package in lock.packages:
        condition = _condition(package, lock, markers, choice)
        if condition is None:
            continue
        chosen.append(package)
        pin = f"=={package.version}" if package.version else ""
        spec = parse_spec(f"{PYPI}::{package.name}{pin}", origin=path.name)
        if condition != ALWAYS:
            spec = replace(spec, brackets=(*spec.brackets, ("when", f"python {condition}")))
        specs.append(spec)
        allowed = [f"sha256:{file.hashes.get('sha256')}" for file in package.files]
        hashes[package.name] = (*hashes.get(package.name, ()), *allowed)
    return PylockRequest(tuple(specs), _page(chosen, layout), hashes)


def _condition(
    package: PylockPackage, lock: PythonLock, markers: Mapping[str, str], choice: FileChoice
) -> str | None:
    """Return for which Pythons a package is wanted, None for none."""
    from packaging.markers import Marker

    if package.marker is None:
        return ALWAYS
    marker = Marker(package.marker)
    if any(name in package.marker for name in _OF_LOCKS):
        groups = set(choice.groups or lock.default_groups)
        values = {**markers, "extras": set(choice.extras), "dependency_groups": groups}
        return ALWAYS if marker.evaluate(values, context="lock_file") else None  # type: ignore[arg-type]
    return python_condition(marker, markers)


def _check_environments(
    lock: PythonLock, markers: Mapping[str, str], path: Path, platform: str
) -> None:
    from packaging.markers import Marker

    wanted: list[Marker] = [Marker(text) for text in lock.environments]
    if wanted and all(python_condition(each, markers) is None for each in wanted):
        raise RequestError(
            f"{path.name} is not locked for {platform}",
            cause=f"it is for {' or '.join(lock.environments)}",
            hint="lock it for this platform, too",
        )


def _page(packages: list[PylockPackage], layout: Layout) -> str:
    """Return the URL of a page (PEP 503) with a link to every file of the lock."""
    lines = ["<!DOCTYPE html>"]
    for package in packages:
        for file in package.files:
            algorithm = "sha256" if "sha256" in file.hashes else next(iter(file.hashes), "")
            digest = f"#{algorithm}={file.hashes[algorithm]}" if algorithm else ""
            needs = html.escape(package.requires_python or "")
            attribute = f' data-requires-python="{needs}"' if needs else ""
            lines.append(
                f'<a href="{html.escape(file.url)}{digest}"{attribute}>'
                f"{html.escape(file.filename)}</a>"
            )
    content = "\n".join(lines).encode()
    page = layout.metadata / "locks" / f"{hashlib.sha256(content).hexdigest()[:32]}.html"
    if not page.exists():
        with writing(layout.root):
            page.parent.mkdir(parents=True, exist_ok=True)
            replace_file(page, content)
    return page.as_uri()
