"""What wheels must fit: the platform, and the Pythons that may be chosen."""

from __future__ import annotations

import os
import platform
import sys
from dataclasses import dataclass, field
from functools import cached_property
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping

GENERIC = "*"


@dataclass(frozen=True)
class Target:
    """The platform and, newest first, the full versions of the Pythons that may be chosen."""

    pythons: tuple[str, ...]
    platform_tags: tuple[str, ...] = field(repr=False)
    marker_environment: Mapping[str, str] = field(repr=False)

    @cached_property
    def minors(self) -> tuple[str, ...]:
        """The Pythons' minor versions, newest first, each once."""
        return tuple(dict.fromkeys(".".join(full.split(".")[:2]) for full in self.pythons))

    @cached_property
    def _ranks(self) -> dict[str, dict[str, int]]:
        """For each minor version, the wheel tags that fit and how well (0 is best)."""
        from packaging.tags import compatible_tags, cpython_tags

        ranks = {}
        for minor in self.minors:
            major, number = (int(part) for part in minor.split("."))
            version = (major, number)
            tags = [
                # the ABI is said, because packaging would take that of the Python kaa runs on
                *cpython_tags(version, [f"cp{major}{number}"], self.platform_tags),
                *compatible_tags(version, f"cp{major}{number}", self.platform_tags),
            ]
            ranks[minor] = {str(tag): rank for rank, tag in enumerate(tags)}
        return ranks

    def fit(self, wheel_filename: str) -> dict[str, int]:
        """Return the minor versions that a wheel fits, with the rank of its best tag (PEP 425)."""
        interpreters, abis, platforms = wheel_filename[: -len(".whl")].lower().split("-")[-3:]
        tags = [
            f"{interpreter}-{abi}-{name}"
            for interpreter in interpreters.split(".")
            for abi in abis.split(".")
            for name in platforms.split(".")
        ]
        fits = {}
        for minor, ranks in self._ranks.items():
            found = [ranks[tag] for tag in tags if tag in ranks]
            if found:
                fits[minor] = min(found)
        return fits


def host_target(pythons: tuple[str, ...]) -> Target:
    """Return the target that is this machine, with CPythons of the versions given (PEP 508)."""
    from packaging.tags import platform_tags

    environment = {
        "implementation_name": "cpython",
        "platform_python_implementation": "CPython",
        "os_name": os.name,
        "platform_machine": platform.machine(),
        "platform_release": platform.release(),
        "platform_system": platform.system(),
        "platform_version": platform.version(),
        "sys_platform": sys.platform,
    }
    return Target(pythons, tuple(platform_tags()), environment)
