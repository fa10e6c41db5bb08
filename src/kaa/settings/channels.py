"""The sources that are configured, for who wants to know nothing else of the settings."""

from __future__ import annotations

from typing import TYPE_CHECKING

from kaa.settings.search import has_files

if TYPE_CHECKING:
    from collections.abc import Mapping

PYPI = "pypi"
DEFAULT_CHANNELS = ("conda-forge", PYPI)
"""Where packages come from when nothing is configured at all."""


def configured_channels(environ: Mapping[str, str]) -> tuple[str, ...]:
    """Return the sources in order of priority, as written.

    Raises what :func:`~kaa.settings.configuration.load_configuration` raises.
    """
    if not environ.get("KAA_CHANNELS") and not has_files(environ):
        return DEFAULT_CHANNELS  # without the class of all settings, which takes a while to make
    from kaa.settings.configuration import load_configuration

    return load_configuration(environ).channels
