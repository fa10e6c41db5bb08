"""Builds small real wheels (binary distribution format 1.0) for tests."""

from __future__ import annotations

import base64
import hashlib
import re
import zipfile
from typing import TYPE_CHECKING, Literal

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping
    from pathlib import Path

_WHEN = (2020, 1, 1, 0, 0, 0)


def build_wheel(
    directory: Path,
    name: str,
    version: str = "1.0",
    *,
    requires: Iterable[str] = (),
    requires_python: str | None = None,
    extras: Mapping[str, Iterable[str]] | None = None,
    console_scripts: Mapping[str, str] | None = None,
    gui_scripts: Mapping[str, str] | None = None,
    data: Mapping[str, str | bytes] | None = None,
    files: Mapping[str, str | bytes] | None = None,
    tag: str = "py3-none-any",
    build: str | None = None,
    description: str = "",
    metadata: str | None = None,
    record: Literal["correct", "wrong", "missing"] = "correct",
    executable: Iterable[str] = (),
) -> Path:
    """Write a wheel into ``directory`` and return its path.

    ``extras`` maps an extra to its requirements; ``console_scripts`` maps a command to
    ``module:function``; ``data`` maps ``scheme/path`` (``scripts/tool``, ``headers/x.h``) to what
    goes into ``*.data``; ``files`` are added as they are, and without them the wheel has one
    module with ``__version__`` and a ``main`` function. ``metadata`` replaces the whole METADATA;
    ``executable`` names files that get the mode 755; a ``record`` that is wrong has a wrong hash
    for every file.
    """
    module = re.sub(r"[-_.]+", "_", name).lower()
    stem = f"{module}-{version}"
    contents: dict[str, str | bytes] = dict(
        files
        if files is not None
        else {f"{module}/__init__.py": f"__version__ = {version!r}\n\n\n{_MAIN}"}
    )
    contents.update({f"{stem}.data/{path}": text for path, text in (data or {}).items()})
    info = f"{stem}.dist-info"
    contents[f"{info}/WHEEL"] = _wheel_file(tag, build)
    points = _entry_points(console_scripts or {}, gui_scripts or {})
    if points:
        contents[f"{info}/entry_points.txt"] = points
    contents[f"{info}/METADATA"] = metadata or _metadata(
        name, version, requires, requires_python, extras or {}, description
    )
    encoded = {
        path: text.encode() if isinstance(text, str) else text for path, text in contents.items()
    }
    if record != "missing":
        encoded[f"{info}/RECORD"] = _record(encoded, f"{info}/RECORD", wrong=record == "wrong")
    path = directory / "-".join(filter(None, (stem, build, f"{tag}.whl")))
    directory.mkdir(parents=True, exist_ok=True)
    executables = set(executable)
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for inner, content in encoded.items():
            entry = zipfile.ZipInfo(inner, _WHEN)
            mode = 0o755 if inner in executables or ".data/scripts/" in inner else 0o644
            entry.external_attr = (0o100000 | mode) << 16
            entry.compress_type = zipfile.ZIP_DEFLATED
            archive.writestr(entry, content)
    return path


_MAIN = """def main():
    print(__name__, __version__)
"""


def _metadata(
    name: str,
    version: str,
    requires: Iterable[str],
    requires_python: str | None,
    extras: Mapping[str, Iterable[str]],
    description: str,
) -> str:
    lines = ["Metadata-Version: 2.1", f"Name: {name}", f"Version: {version}"]
    if requires_python:
        lines.append(f"Requires-Python: {requires_python}")
    lines += [f"Requires-Dist: {requirement}" for requirement in requires]
    for extra, requirements in extras.items():
        lines.append(f"Provides-Extra: {extra}")
        for requirement in requirements:
            # An extra's requirement may have a marker of its own.
            specifier, semicolon, marker = requirement.partition(";")
            condition = f"({marker.strip()}) and " if semicolon else ""
            lines.append(f"Requires-Dist: {specifier.strip()}; {condition}extra == '{extra}'")
    return "\n".join([*lines, "", description])


def _wheel_file(tag: str, build: str | None) -> str:
    interpreters, abis, platforms = tag.split("-")
    lines = ["Wheel-Version: 1.0", "Generator: tests", f"Root-Is-Purelib: {_is_pure(tag)}"]
    lines += [f"Build: {build}"] if build else []
    lines += [
        f"Tag: {interpreter}-{abi}-{platform}"
        for interpreter in interpreters.split(".")
        for abi in abis.split(".")
        for platform in platforms.split(".")
    ]
    return "\n".join([*lines, ""])


def _is_pure(tag: str) -> str:
    return "true" if tag.endswith("-none-any") else "false"


def _entry_points(console: Mapping[str, str], gui: Mapping[str, str]) -> str:
    sections = []
    for title, commands in (("console_scripts", console), ("gui_scripts", gui)):
        if commands:
            sections.append(f"[{title}]")
            sections += [f"{command} = {target}" for command, target in commands.items()]
    return "".join(f"{line}\n" for line in sections)


def _record(contents: Mapping[str, bytes], own: str, *, wrong: bool) -> bytes:
    lines = []
    for path, content in contents.items():
        digest = hashlib.sha256(content + (b"?" if wrong else b"")).digest()
        text = base64.urlsafe_b64encode(digest).rstrip(b"=").decode()
        quoted = f'"{path}"' if "," in path else path
        lines.append(f"{quoted},sha256={text},{len(content)}\n")
    return "".join([*lines, f"{own},,\n"]).encode()
