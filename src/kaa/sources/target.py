"""What wheels must fit: the platform, and the Pythons that may be chosen."""

from __future__ import annotations

import os
import platform
import re
import sys
from dataclasses import dataclass, field
from functools import cached_property
from typing import TYPE_CHECKING, NamedTuple

from kaa.model.errors import RequestError

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence


class KnownSubdir(NamedTuple):
    """A conda subdir: its operating system, and what the system itself calls the processor.

    ``machine`` is ``platform_machine`` (PEP 508); ``tag`` is how platform tags end (PEP 425).
    """

    system: str
    machine: str
    tag: str


SUBDIRS = {
    "linux-32": KnownSubdir("linux", "i686", "i686"),
    "linux-64": KnownSubdir("linux", "x86_64", "x86_64"),
    "linux-aarch64": KnownSubdir("linux", "aarch64", "aarch64"),
    "linux-armv7l": KnownSubdir("linux", "armv7l", "armv7l"),
    "linux-ppc64le": KnownSubdir("linux", "ppc64le", "ppc64le"),
    "linux-s390x": KnownSubdir("linux", "s390x", "s390x"),
    "osx-64": KnownSubdir("osx", "x86_64", "x86_64"),
    "osx-arm64": KnownSubdir("osx", "arm64", "arm64"),
    "win-32": KnownSubdir("win", "x86", "win32"),
    "win-64": KnownSubdir("win", "AMD64", "win_amd64"),
    "win-arm64": KnownSubdir("win", "ARM64", "win_arm64"),
}
"""The platforms that environments can be solved for."""

_MACHINES_OF_32_BITS = {"x86_64": "i686", "amd64": "x86", "aarch64": "armv7l", "armv8l": "armv7l"}
_SYSTEMS = {"linux": "linux", "darwin": "osx", "win32": "win"}
_MARKERS = {
    "linux": {"os_name": "posix", "platform_system": "Linux", "sys_platform": "linux"},
    "osx": {"os_name": "posix", "platform_system": "Darwin", "sys_platform": "darwin"},
    "win": {"os_name": "nt", "platform_system": "Windows", "sys_platform": "win32"},
}
_CPYTHON = {"implementation_name": "cpython", "platform_python_implementation": "CPython"}
# PEP 600: the names that manylinux had before it was called by glibc's version.
_LEGACY_MANYLINUX = {(2, 17): "manylinux2014", (2, 12): "manylinux2010", (2, 5): "manylinux1"}
_OLDEST_GLIBC_MINOR = {"x86_64": 5, "i686": 5}
"""PEP 513 knew two processors; for all others manylinux begins with 2014 and glibc 2.17."""


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

    return Target(pythons, tuple(platform_tags()), _host_environment())


def target_for(subdir: str, pythons: tuple[str, ...], virtual_packages: Sequence[str]) -> Target:
    """Return the target that is a machine of ``subdir`` with ``virtual_packages``.

    These (``name=version=build``) decide which binary wheels fit, as they decide it for conda's
    packages: ``__glibc`` up to which manylinux (PEP 600), ``__musl`` up to which musllinux
    (PEP 656), ``__osx`` up to which macOS. For this machine's own subdir and C library it is
    :func:`host_target`. Of another machine the kernel's release and version are not known, and
    markers compare with an empty text.

    Raises :class:`~kaa.model.errors.RequestError` for a subdir that is none, naming those that are.
    """
    known = known_subdir(subdir)
    versions = _versions(virtual_packages)
    own = subdir == host_subdir()
    if own and _is_of_this_machine(versions):
        return host_target(pythons)
    tags = tuple(dict.fromkeys(_platform_tags(known, versions)))
    return Target(pythons, tags, _host_environment() if own else _environment(known))


def known_subdir(subdir: str) -> KnownSubdir:
    """Return what is known of a conda subdir.

    Raises :class:`~kaa.model.errors.RequestError` for one that is none.
    """
    try:
        return SUBDIRS[subdir]
    except KeyError:
        raise RequestError(
            f"{subdir!r} is no platform",
            hint=f"choose one of {', '.join(SUBDIRS)}",
        ) from None


def host_subdir(system: str | None = None, machine: str | None = None) -> str:
    """Return the conda subdir of this machine, or of the ``sys.platform`` and machine given.

    Raises :class:`~kaa.model.errors.RequestError` for a machine that conda has no name for.
    """
    if system is None and machine is None:
        system, machine = _host()
    name = _SYSTEMS.get(system or "")
    same = re.sub(r"i[3-5]86", "i686", (machine or "").lower())
    for subdir, known in SUBDIRS.items():
        if known.system == name and known.machine.lower() == same:
            return subdir
    raise RequestError(
        f"conda has no name for this machine ({system}, {machine})",
        hint=f"say what to solve for: --platform, with one of {', '.join(SUBDIRS)}",
    )


def _host() -> tuple[str, str]:
    """Return ``sys.platform`` and the machine that this Python is built for."""
    machine = platform.machine()
    if sys.maxsize < 2**32:  # a Python of 32 bits says what its kernel is, which may be of 64
        machine = _MACHINES_OF_32_BITS.get(machine.lower(), machine)
    return sys.platform, machine


def _host_environment() -> dict[str, str]:
    return {
        **_CPYTHON,
        "os_name": os.name,
        "platform_machine": platform.machine(),
        "platform_release": platform.release(),
        "platform_system": platform.system(),
        "platform_version": platform.version(),
        "sys_platform": sys.platform,
    }


def _environment(known: KnownSubdir) -> dict[str, str]:
    return {
        **_CPYTHON,
        **_MARKERS[known.system],
        "platform_machine": known.machine,
        "platform_release": "",
        "platform_version": "",
    }


def _versions(virtual_packages: Sequence[str]) -> dict[str, tuple[int, int]]:
    """Return major and minor version of those virtual packages that decide which wheels fit."""
    found = {}
    for text in virtual_packages:
        name, _, rest = text.partition("=")
        if name in {"__glibc", "__musl", "__osx"}:
            # Three digits each, because every version below gets a tag of its own.
            numbers = re.match(r"0*(\d{1,3})(?:\.0*(\d{1,3}))?(?!\d)", rest)
            if numbers:
                found[name] = (int(numbers[1]), int(numbers[2] or 0))
    return found


def _is_of_this_machine(versions: Mapping[str, tuple[int, int]]) -> bool:
    """Return whether the versions are those that packaging would find on this machine."""
    if sys.platform == "darwin":
        # Before 11 a release was a minor version; since then only the major one says what runs.
        own = tuple(map(int, platform.mac_ver()[0].split(".")[:2]))
        said = versions.get("__osx", ())
        return said == own if own[0] == 10 else said[:1] == own[:1]
    if sys.platform != "linux":
        return True
    try:
        library = os.confstr("CS_GNU_LIBC_VERSION") or ""
    except (ValueError, OSError):  # musl has no such name
        library = ""
    numbers = re.findall(r"\d+", library)
    if not numbers:
        return "__glibc" not in versions
    return versions.get("__glibc") == tuple(map(int, numbers[:2])) and "__musl" not in versions


def _platform_tags(known: KnownSubdir, versions: Mapping[str, tuple[int, int]]) -> Iterator[str]:
    """Yield the platform tags that fit, best first, in the order that packaging has them."""
    if known.system == "win":
        yield known.tag
    elif known.system == "osx":
        from packaging.tags import mac_platforms

        yield from mac_platforms(versions.get("__osx", (0, 0)), known.tag)
    else:
        yield f"linux_{known.tag}"
        yield from _manylinux(known.tag, *versions.get("__glibc", (0, 0)))
        major, minor = versions.get("__musl", (0, -1))
        yield from (f"musllinux_{major}_{low}_{known.tag}" for low in range(minor, -1, -1))


def _manylinux(tag: str, major: int, minor: int) -> Iterator[str]:
    """Yield manylinux tags, newest first (PEP 600), each old name after the one it stands for."""
    if major != 2:  # there is no other yet, and what a third would run is not known
        return
    for low in range(minor, _OLDEST_GLIBC_MINOR.get(tag, 17) - 1, -1):
        yield f"manylinux_2_{low}_{tag}"
        if (2, low) in _LEGACY_MANYLINUX:
            yield f"{_LEGACY_MANYLINUX[2, low]}_{tag}"
