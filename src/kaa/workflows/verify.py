"""Look for damage: in environments, and in the package cache that they are linked from."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from kaa.doctor.records import read_recorded
from kaa.doctor.verify import verify_environment
from kaa.environments.names import resolve_prefix
from kaa.environments.prefix import GENERATIONS, Prefix
from kaa.environments.registry import find_prefixes
from kaa.model.progress import Phase
from kaa.model.verification import Verification
from kaa.store.bytecode import layers_with
from kaa.store.digests import Digests
from kaa.store.integrity import entries_of, entry_reports
from kaa.workflows.inspect import find_environment

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path

    from kaa.model.progress import Progress
    from kaa.store.layout import Layout


def verify(
    layout: Layout, name: str | None, prefix: Path | None, progress: Progress
) -> Verification:
    """Compare an environment, and its packages in the package cache, with what was installed.

    Environments of conda, mamba, pixi and venv can be looked at, too. Nothing is changed. Raises
    :class:`~kaa.model.errors.EnvironmentNotFoundError`.
    """
    found = _find(layout, name, prefix)
    there = set(entries_of(layout.packages))
    records, _ = read_recorded(found.current)
    entries = (record.entry for record in records if record.entry in there)
    return _verify(layout, (found,), entries, progress)


def verify_all(layout: Layout, progress: Progress) -> Verification:
    """Compare all of kaa's environments and the whole package cache with what was written."""
    lent = [
        Prefix(path)
        for path in sorted(layout.overlays.glob("*"))
        if path.name != GENERATIONS and path.is_symlink()
    ]
    prefixes = (*find_prefixes(layout), *lent)
    return _verify(layout, prefixes, entries_of(layout.packages), progress)


def _verify(
    layout: Layout, prefixes: tuple[Prefix, ...], entries: Iterable[str], progress: Progress
) -> Verification:
    digests = Digests()
    names = sorted(set(entries))
    reports = tuple(verify_environment(prefix, digests, progress) for prefix in prefixes)
    damaged = [*entry_reports(layout.packages, names, digests, progress)]
    by_layer: dict[Path, list[str]] = {}
    for entry in names:
        for layer in layers_with(layout, entry):
            by_layer.setdefault(layer, []).append(entry)
    for layer, compiled in by_layer.items():
        found = entry_reports(layer, compiled, digests, progress)
        place = layer.relative_to(layout.packages).as_posix()
        damaged += [replace(each, layer=place) for each in found]
    progress.finish(Phase.CHECK)
    return Verification(reports, len(names), tuple(damaged))


def _find(layout: Layout, name: str | None, prefix: Path | None) -> Prefix:
    path = resolve_prefix(layout, name, prefix)
    if (path / "pyvenv.cfg").is_file() and not (path / "conda-meta").is_dir():
        return Prefix(path)  # a virtual environment
    return find_environment(layout, name, prefix)
