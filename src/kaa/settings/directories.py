"""Where things lie on this machine, once the configuration has been asked."""

from __future__ import annotations

import os
from dataclasses import replace
from typing import TYPE_CHECKING

from kaa.settings.search import has_files
from kaa.store.layout import Layout, default_layout

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

    from kaa.settings.configuration import Configuration

NEEDED = ("root", "environment_directories", "package_directories")


def this_layout() -> Layout:
    """Return the layout of this process: :func:`configured_layout` of its environment."""
    return configured_layout(os.environ)


def configured_layout(
    environ: Mapping[str, str], configuration: Configuration | None = None
) -> Layout:
    """Return the layout that ``configuration`` (read from ``environ`` if not given) asks for.

    ``KAA_ROOT`` wins over a configured root. Named environments are made in the first of the
    configured directories that can be written to, and found in all of them; the package cache is
    the directory ``kaa`` in the first package directory that can be written to, because what
    conda keeps there is not laid out as rattler expects it. The ``kaa`` in each of the others
    lies beneath it: packages are taken from there, and nothing is written there.

    Raises what :func:`~kaa.settings.configuration.load_configuration` raises.
    """
    if configuration is None and not has_files(environ):
        return default_layout()  # no variable says where things lie but KAA_ROOT
    # This is at the beginning of every command, and most people have configured nothing.
    from kaa.settings.configuration import load_configuration

    found = configuration or load_configuration(environ, only=NEEDED)
    layout = default_layout()
    if found.root and not environ.get("KAA_ROOT"):
        layout = Layout(found.root)
    places = found.environment_directories
    first = _writable(places)
    if first is not None:
        ordered = (first, *(place for place in places if place != first))
        layout = replace(layout, environment_directories=ordered)
    elif places:
        # Nothing is made in them, and everything is found in them.
        layout = replace(layout, environment_directories=(layout.environments, *places))
    packages = _writable(found.package_directories)
    shared = tuple(each / "kaa" for each in found.package_directories if each != packages)
    return replace(
        layout,
        package_directory=None if packages is None else packages / "kaa",
        shared_packages=shared,
    )


def _writable(directories: Sequence[Path]) -> Path | None:
    """Return the first directory that can be written to, or can be made."""
    for directory in directories:
        there = directory
        while not os.path.lexists(there) and there != there.parent:
            there = there.parent
        if os.path.isdir(there) and os.access(there, os.W_OK | os.X_OK):  # noqa: PTH112
            return directory
    return None
