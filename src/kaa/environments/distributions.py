"""Which packages an environment has, by the names of files alone: fast, and nothing is run."""

# Paths are plain texts here, as in kaa.environments.finders and for its reason.
# ruff: noqa: PTH118, PTH208

from __future__ import annotations

import os
import re

_METADATA = re.compile(r"(?P<name>[^-]+)-(?P<version>[^-]+?)(-py[\d.]+)?\.(dist|egg)-info")
_RECORD = re.compile(r"(?P<name>.+)-(?P<version>[^-]+)-[^-]+\.json")


def installed_versions(prefix: str, packages_directory: str | None) -> dict[str, str]:
    """Return the versions of packages by normalised name (PEP 503).

    conda's records count (``conda-meta``) and what Python itself finds in ``packages_directory``
    (``*.dist-info``, ``*.egg-info``); where both have one, that is the same project by the name
    that Python knows.
    """
    found = _versions(os.path.join(prefix, "conda-meta"), _RECORD)
    if packages_directory is not None:
        found.update(_versions(packages_directory, _METADATA))
    return found


def _versions(directory: str, pattern: re.Pattern[str]) -> dict[str, str]:
    try:
        names = os.listdir(directory)
    except OSError:
        return {}
    matches = (pattern.fullmatch(name) for name in names)
    return {re.sub(r"[-_.]+", "-", m["name"]).lower(): m["version"] for m in matches if m}
