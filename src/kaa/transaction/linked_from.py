"""Where the linker takes packages from: one's own cache, its bytecode, and caches beneath.

rattler 0.28 opens the lock file of every package that it links for writing, and one of the whole
cache, which where others have a part in a cache is not allowed, or not wanted. Then it gets a view
of the packages: a directory with links to them and with lock files of its own.
"""

from __future__ import annotations

import shutil
from contextlib import contextmanager
from dataclasses import replace
from typing import TYPE_CHECKING

from kaa.store.bytecode import is_compiled, layer_of, settled_layer
from kaa.store.disk import make_directory, writing
from kaa.store.package_cache import STAGING
from kaa.store.run_token import temporary_name
from kaa.transaction.cached import cached_package, entry_of, python_version

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path

    from rattler import RepoDataRecord

    from kaa.store.layout import Layout


@contextmanager
def linked_from(layout: Layout, records: Sequence[RepoDataRecord]) -> Iterator[list[Path]]:
    """Give the directories of packages that ``records`` are linked from, the first one first.

    Raises :class:`~kaa.model.errors.StoreError` when one's own cache cannot be written to.
    """
    version = python_version(records)
    layer = settled_layer(layout, version, map(entry_of, records)) if version else None
    if layout.package_locks == layout.locks and not layout.shared_packages:
        yield [layout.packages] if layer is None else [layer, layout.packages]
        return
    view = layout.packages / temporary_name(STAGING)
    try:
        with writing(view):
            make_directory(layout.packages)
            view.mkdir()
            for package in _packages(layout, records, version):
                lock = package.with_name(f"{package.name}.lock")
                (view / package.name).symlink_to(package, target_is_directory=True)
                (view / lock.name).write_bytes(lock.read_bytes())
        yield [view]
    finally:
        shutil.rmtree(view, ignore_errors=True)


def _packages(
    layout: Layout, records: Sequence[RepoDataRecord], version: str | None
) -> Iterator[Path]:
    """Give what the records stand for, with its bytecode where there is any for this Python."""
    for record in records:
        package = cached_package(layout, record)
        if package is None:
            continue  # the linker is who complains
        cache = replace(layout, package_directory=package.parent, shared_packages=())
        layer = layer_of(cache, version) if version is not None else None
        if layer is not None and is_compiled(cache, layer, package.name):
            package = layer / package.name
        yield package
