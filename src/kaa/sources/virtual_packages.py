"""What a machine itself brings: kernel, C library, driver, processor (CEP 30).

A virtual package is said as ``name=version=build``, as conda's and rattler's own output has it.
For this machine rattler finds out; for another platform there are defaults, which are promises
about machines nobody has asked, so they are the least that a supported machine of the kind has.
"""

from __future__ import annotations

import os
import re
from typing import TYPE_CHECKING

from kaa.model.errors import InvalidSpecError, RequestError
from kaa.sources.target import host_subdir, known_subdir

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence
    from pathlib import Path

    from rattler import GenericVirtualPackage

NAMES = ("__archspec", "__cuda", "__glibc", "__linux", "__musl", "__osx", "__unix", "__win")
"""What conda and rattler know; others are allowed, but only under their full name."""

_NAME = re.compile(r"__[a-z0-9][a-z0-9_.-]*\Z")
_BUILD = re.compile(r"[A-Za-z0-9_.]+\Z")

# The GNU C library and the kernel of RHEL 8 and its kin, the oldest that conda-forge's builds and
# PyPI's manylinux_2_28 wheels want; pixi assumes the same. No CUDA: a wrong promise about a driver
# is an environment that cannot start.
_LINUX = {"__unix": "0=0", "__linux": "4.18=0", "__glibc": "2.28=0"}
# The oldest macOS with support when conda-forge went to 11.0 as the oldest to run on; pixi's, too.
_OSX = {"__unix": "0=0", "__osx": "13.0=0"}
# The oldest Windows that a supported Python runs on.
_WIN = {"__win": "10.0=0"}
_DEFAULTS = {"linux": _LINUX, "osx": _OSX, "win": _WIN}
_MICROARCHITECTURES = {
    "32": "x86",
    "64": "x86_64",
    "arm64": "aarch64",
    "aarch64": "aarch64",
    "armv7l": "armv7l",
    "ppc64le": "ppc64le",
    "s390x": "s390x",
}
# Which variable of conda speaks of which package, and on which systems it is heard: a laptop's
# profile that says CONDA_OVERRIDE_OSX is not to turn a Linux machine into a Macintosh.
_VARIABLES = {
    "CONDA_OVERRIDE_ARCHSPEC": ("__archspec", ("linux", "osx", "win")),
    "CONDA_OVERRIDE_CUDA": ("__cuda", ("linux", "osx", "win")),
    "CONDA_OVERRIDE_GLIBC": ("__glibc", ("linux",)),
    "CONDA_OVERRIDE_LINUX": ("__linux", ("linux",)),
    "CONDA_OVERRIDE_OSX": ("__osx", ("osx",)),
    "CONDA_OVERRIDE_WIN": ("__win", ("win",)),
}


def virtual_packages(
    subdir: str,
    overrides: Mapping[str, str] | None = None,
    *,
    environ: Mapping[str, str] | None = None,
    cache_dir: Path | None = None,
) -> tuple[str, ...]:
    """Return the virtual packages of a machine of ``subdir``, sorted, as ``name=version=build``.

    For this machine's subdir they are detected, for others assumed (see the module). Conda's
    ``CONDA_OVERRIDE_*`` variables in ``environ`` (default: the process's) change them, and
    ``overrides`` (name to version, as :func:`parse_override` gives them) win over those. An empty
    version takes the package away. ``__archspec`` is overridden by its microarchitecture, not by
    its version, as conda has it. CUDA's detection, which starts the driver, is kept in
    ``cache_dir`` until the next boot.

    Raises :class:`~kaa.model.errors.RequestError` for a subdir that is none, and
    :class:`~kaa.model.errors.InvalidSpecError` for an override that makes no sense.
    """
    system = known_subdir(subdir).system
    environ = os.environ if environ is None else environ
    wanted = {**_of_variables(environ, system), **_checked(overrides or {})}
    if subdir == host_subdir():
        packages = _detected(cache_dir, ask_cuda="__cuda" not in wanted)
    else:
        packages = assumed(subdir)
    for name, value in wanted.items():
        if value:
            packages[name] = _said(name, value)
        else:
            packages.pop(name, None)
    return tuple(f"{name}={packages[name]}" for name in sorted(packages))


def assumed(subdir: str) -> dict[str, str]:
    """Return what is assumed of a machine of ``subdir``: ``version=build`` by name.

    It depends on nothing but the subdir, so that what is solved for it is the same everywhere.
    Raises :class:`~kaa.model.errors.RequestError` for a subdir that is none.
    """
    system = known_subdir(subdir).system
    architecture = subdir.partition("-")[2]
    microarchitecture = "m1" if subdir == "osx-arm64" else _MICROARCHITECTURES[architecture]
    return {**_DEFAULTS[system], "__archspec": f"1={microarchitecture}"}


def parse_override(text: str) -> tuple[str, str]:
    """Return name and version of an override as typed: ``__cuda=12.4``, ``cuda=12.4``, ``cuda=``.

    The version may be followed by ``=build``; it is empty when the package is to be taken away.
    Raises :class:`~kaa.model.errors.InvalidSpecError` for anything else.
    """
    typed, equals, value = text.strip().partition("=")
    name = typed.strip().lower()
    if not name.startswith("__") and f"__{name}" in NAMES:
        name = f"__{name}"
    if not equals:
        raise _nonsense(text, "it has no '='")
    return next(iter(_checked({name: value.removeprefix("=").strip()}, text).items()))


def to_rattler(texts: Iterable[str]) -> list[GenericVirtualPackage]:
    """Return what ``rattler.solve`` takes for virtual packages said as ``name=version=build``."""
    from rattler import GenericVirtualPackage, PackageName, Version
    from rattler.package import BuildString

    packages = []
    for text in texts:
        name, version, build = split(text)
        packages.append(
            GenericVirtualPackage(PackageName(name), Version(version), BuildString(build))
        )
    return packages


def split(text: str) -> tuple[str, str, str]:
    """Return name, version and build of a virtual package said as ``name=version=build``."""
    name, _, rest = text.partition("=")
    version, _, build = rest.partition("=")
    return name, version or "0", build or "0"


def version_of(name: str, texts: Sequence[str]) -> str | None:
    """Return the version that the virtual package ``name`` has among ``texts``, None if absent."""
    for text in texts:
        found, version, _ = split(text)
        if found == name:
            return version
    return None


def _of_variables(environ: Mapping[str, str], system: str) -> dict[str, str]:
    found: dict[str, str] = {}
    for variable, (name, systems) in _VARIABLES.items():
        if variable in environ and system in systems:
            value = environ[variable].strip()
            found |= _checked({name: value}, f"{variable}={value}")
    return found


def _checked(overrides: Mapping[str, str], typed: str | None = None) -> dict[str, str]:
    for name, value in overrides.items():
        text = typed or f"{name}={value}"
        if not _NAME.match(name):
            raise _nonsense(text, f"{name!r} is no virtual package")
        version, equals, build = value.partition("=")
        if name == "__archspec" and not equals:
            version, build = "1", version or "0"
        if value and not _is_version(version):
            raise _nonsense(text, f"{version!r} is no version")
        if (equals or build) and not _BUILD.match(build):
            raise _nonsense(text, f"{build!r} is no build string")
    return dict(overrides)


def _is_version(text: str) -> bool:
    from rattler import Version
    from rattler.exceptions import InvalidVersionError

    try:
        Version(text)
    except InvalidVersionError:
        return False
    return text[:1].isdigit() and text.isascii()


def _said(name: str, value: str) -> str:
    if "=" in value:
        return value
    return f"1={value}" if name == "__archspec" else f"{value}=0"


def _detected(cache_dir: Path | None, *, ask_cuda: bool) -> dict[str, str]:
    from rattler import VirtualPackage, VirtualPackageOverrides
    from rattler.exceptions import DetectVirtualPackageError
    from rattler.virtual_package.virtual_package import Override

    overrides = VirtualPackageOverrides()
    if not ask_cuda:
        overrides.cuda = Override.string("0")
    try:
        found = [str(one.into_generic()) for one in VirtualPackage.detect(overrides, cache_dir)]
    except DetectVirtualPackageError as error:
        raise RequestError(
            "what this machine is cannot be found out",
            cause=str(error),
            hint="say it with --override, as in --override __glibc=2.28",
        ) from error
    return {name: f"{version}={build}" for name, version, build in map(split, found)}


def _nonsense(text: str, why: str) -> InvalidSpecError:
    return InvalidSpecError(
        f"{text!r} overrides no virtual package",
        cause=why,
        hint="write name=version, as in __cuda=12.4, or name= to take one away; "
        f"known are {', '.join(NAMES)}",
    )
