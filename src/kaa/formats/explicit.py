"""@EXPLICIT lists: the URLs of conda packages, as ``conda list --explicit`` writes them.

Behind each URL may be its md5 or sha256. What an index gave is in comments, as conda-lock has
them: ``# pip NAME @ URL#sha256=DIGEST``.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

from kaa.formats.text_file import read_text_file
from kaa.model.errors import RequestError

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

MARK = "@EXPLICIT"
_PLATFORM = re.compile(r"^#\s*platform:\s*(\S+)\s*$")
_PIP = re.compile(
    r"^#\s*pip\s+(?P<name>[\w.-]+)\s*@\s*(?P<url>\S+?)(?:#sha256=(?P<sha256>\w+))?\s*$"
)
_FILE = re.compile(
    r"(?P<name>[^/\\]+)-(?P<version>[^-/\\]+)-(?P<build>[^-/\\]+)(?:\.conda|\.tar\.bz2)$"
)
_MD5, _SHA256 = re.compile(r"[0-9a-f]{32}"), re.compile(r"(?:sha256:)?([0-9a-f]{64})")


@dataclass(frozen=True, slots=True)
class ExplicitPackage:
    """One package: what its URL and the hash behind it say; hashes are hexadecimal."""

    url: str
    name: str
    version: str
    build: str
    md5: str | None = None
    sha256: str | None = None
    line: int = 0


@dataclass(frozen=True, slots=True)
class ExplicitDistribution:
    """A wheel or sdist that a comment names."""

    name: str
    url: str
    sha256: str | None


@dataclass(frozen=True, slots=True)
class ExplicitList:
    """A list, in its order; ``platform`` is a subdir where a comment says it."""

    packages: tuple[ExplicitPackage, ...]
    distributions: tuple[ExplicitDistribution, ...] = ()
    platform: str | None = None


def read_explicit(path: Path) -> ExplicitList:
    """Return what a list says.

    :raises RequestError: it cannot be read, a line is no URL of a conda package, or a package is
        there twice; the line is named.
    """
    text = read_text_file(path, what="list of packages")
    packages: dict[str, ExplicitPackage] = {}
    distributions: list[ExplicitDistribution] = []
    platform = None
    for number, line in enumerate(map(str.strip, text.splitlines()), 1):
        if line.startswith("#"):
            if match := _PLATFORM.match(line):
                platform = match[1]
            elif match := _PIP.match(line):
                distributions.append(
                    ExplicitDistribution(match["name"], match["url"], match["sha256"])
                )
        elif line and line != MARK:
            package = _package(line, number, path)
            other = packages.setdefault(package.name, package)
            if other.url != package.url:
                raise RequestError(
                    f"{path.name}, line {number}: {package.name} is there twice",
                    cause=f"line {other.line} has another file of it",
                    hint="leave out one of the two",
                )
    return ExplicitList(tuple(packages.values()), tuple(distributions), platform)


def render_explicit(
    packages: Sequence[ExplicitPackage],
    platform: str,
    distributions: Sequence[ExplicitDistribution] = (),
) -> str:
    """Return the content of a list, in the order given; sha256 is written where it is known."""
    lines = [
        "# This file may be used to create an environment using:",
        "# $ kaa create --name <env> --file <this file>",
        f"# platform: {platform}",
        MARK,
    ]
    for each in packages:
        digest = each.sha256 or each.md5
        lines.append(f"{each.url}#{digest}" if digest else each.url)
    lines += [
        f"# pip {one.name} @ {one.url}" + f"#sha256={one.sha256}" * bool(one.sha256)
        for one in distributions
    ]
    return "\n".join([*lines, ""])


def _package(line: str, number: int, path: Path) -> ExplicitPackage:
    url, _, digest = line.partition("#")
    if "://" not in url and not url.startswith("file:"):  # conda takes paths, too
        url = (path.absolute().parent / url).as_uri()
    match = _FILE.search(url)
    if match is None:
        raise RequestError(
            f"{path.name}, line {number}: {line!r} is no URL of a conda package",
            cause=f"every line after {MARK} is one, such as https://.../linux-64/name-1.0-0.conda",
            hint="remove the line, or write the package's URL",
        )
    sha256 = _SHA256.fullmatch(digest.lower())
    md5 = _MD5.fullmatch(digest.lower())
    if digest and not (sha256 or md5):
        raise RequestError(
            f"{path.name}, line {number}: {digest!r} is neither an md5 nor a sha256",
            hint="write the hash in hexadecimal, or leave it out with its #",
        )
    return ExplicitPackage(
        url,
        match["name"].lower(),
        match["version"],
        match["build"],
        md5[0] if md5 else None,
        sha256[1] if sha256 else None,
        number,
    )
