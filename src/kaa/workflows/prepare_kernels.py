"""The shared kernels are built beforehand, or brought up to date."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from kaa.environments.packages import read_packages
from kaa.environments.prefix import Prefix
from kaa.kernels.overlay import overlay_of, overlay_prefix, overlay_ready
from kaa.model.errors import KaaError, RequestError
from kaa.workflows.kernels import look_at_kernels

if TYPE_CHECKING:
    from collections.abc import Sequence

    from kaa.kernels.offers import KernelOptions
    from kaa.model.progress import Progress
    from kaa.store.layout import Layout


@dataclass(frozen=True, slots=True)
class SharedKernel:
    """The shared kernel for one Python: who needs it, and what is there.

    ``minor`` is Python's version (``3.12``), ``version`` the ipykernel that is there, None for
    none; ``needed_by`` are environments, ``example`` is the prefix of one of them. ``build`` says
    that it is to be built, or built anew.
    """

    minor: str
    version: str | None
    needed_by: tuple[str, ...]
    example: str | None
    build: bool

    def as_dict(self) -> dict[str, Any]:
        """Return the fields that ``--json`` prints."""
        return {
            "python": self.minor,
            "ipykernel": self.version,
            "needed_by": list(self.needed_by),
            "build": self.build,
        }


@dataclass(frozen=True, slots=True)
class Prepared:
    """What became of a plan: the shared kernels as they are now, and why some could not be."""

    kernels: tuple[SharedKernel, ...]
    failed: dict[str, KaaError] = field(default_factory=dict)


def plan_shared_kernels(
    layout: Layout, options: KernelOptions, pythons: Sequence[str] = (), *, update: bool = False
) -> tuple[SharedKernel, ...]:
    """Return the shared kernels for these Pythons, or for all that environments need one for.

    ``update`` builds those anew that are there. Raises
    :class:`~kaa.model.errors.RequestError` for what is no version of a Python, and for one that no
    shared kernel is made for.
    """
    from kaa.workflows.kernel import check_overlay

    users = _users(layout, options)
    minors = dict.fromkeys(map(_minor, pythons)) if pythons else users
    for minor in minors if pythons else ():
        check_overlay(minor)
    found = []
    for minor in sorted(minors, key=_in_order):
        environments = users.get(minor, {})
        there = overlay_ready(layout, minor)
        found.append(
            SharedKernel(
                minor,
                _ipykernel(layout, minor) if there else None,
                tuple(environments.values()),
                next(iter(environments), None),
                update or not there,
            )
        )
    return tuple(found)


def _users(layout: Layout, options: KernelOptions) -> dict[str, dict[str, str]]:
    """Return who needs a shared kernel, by Python: the labels of environments by prefix."""
    listing = look_at_kernels(layout, options)
    found: dict[str, dict[str, str]] = {}
    for offer in listing.everything:
        minor = overlay_of(offer.environment.facts)
        if offer.id in listing.lent and minor is not None:
            of_this = found.setdefault(minor, {})
            of_this[offer.environment.prefix] = offer.environment.label
    return found


def _minor(text: str) -> str:
    version = re.fullmatch(r"(?:python=*)?(\d+\.\d+)(?:\.\w+)*(t?)", text.strip().lower())
    if version is None:
        raise RequestError(
            f"{text!r} is no version of Python", hint="write it as in `kaa kernels prepare 3.12`"
        )
    return version[1] + version[2]


def _in_order(minor: str) -> tuple[int, ...]:
    return tuple(map(int, minor.rstrip("t").split(".")))


def _ipykernel(layout: Layout, minor: str) -> str | None:
    packages = read_packages(Prefix(overlay_prefix(layout, minor)).current)
    return next((each.version for each in packages if each.name == "ipykernel"), None)


async def prepare_shared_kernels(
    plan: Sequence[SharedKernel],
    layout: Layout,
    progress: Progress,
    *,
    offline: bool = False,
    update: bool = False,
) -> Prepared:
    """Build what the plan says; one that fails keeps no other from being built."""
    from dataclasses import replace

    from kaa.workflows.kernel import prepare_overlay

    now, failed = [], {}
    for each in plan:
        if each.build:
            prefix = Path(each.example) if each.example else None
            try:
                await prepare_overlay(
                    each.minor, layout, progress, prefix=prefix, offline=offline, update=update
                )
            except KaaError as error:
                failed[each.minor] = error
        there = overlay_ready(layout, each.minor)
        version = _ipykernel(layout, each.minor) if there else None
        now.append(replace(each, version=version, build=not there))
    return Prepared(tuple(now), failed)
