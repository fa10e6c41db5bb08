"""Which format a file has, by its name and its content."""

from __future__ import annotations

import re
from enum import Enum
from typing import TYPE_CHECKING

from kaa.formats.text_file import read_text_file
from kaa.model.errors import UnsupportedError

if TYPE_CHECKING:
    from pathlib import Path


class FileFormat(Enum):
    """A format; the value is what ``--format`` calls it."""

    ENVIRONMENT_YML = "environment-yml"
    REQUIREMENTS = "requirements"
    MATCH_SPECS = "match-specs"
    """One match spec a line, as ``conda list --export`` writes them; read only."""
    PYPROJECT = "pyproject"
    PIXI_TOML = "pixi-toml"
    EXPLICIT = "explicit"
    CONDA_LOCK = "conda-lock"
    PIXI_LOCK = "pixi-lock"
    PYLOCK = "pylock"

    @property
    def locked(self) -> bool:
        """Whether a file of the format has the whole answer, rather than a question."""
        return self in (FileFormat.EXPLICIT, FileFormat.CONDA_LOCK, FileFormat.PIXI_LOCK)


_BY_NAME = (
    (re.compile(r"pixi\.toml$"), FileFormat.PIXI_TOML),
    (re.compile(r"pyproject\.toml$"), FileFormat.PYPROJECT),
    (re.compile(r"^pylock(\.[^.]+)?\.toml$"), FileFormat.PYLOCK),
    (re.compile(r"pixi\.lock$"), FileFormat.PIXI_LOCK),
    (re.compile(r"conda-lock\.ya?ml$"), FileFormat.CONDA_LOCK),
)
_OF_OTHERS = {
    "poetry.lock": "poetry export",
    "uv.lock": "uv export --format pylock.toml",
    "pdm.lock": "pdm export",
    "Pipfile.lock": "pipenv requirements",
}
_EXPLICIT = re.compile(r"^\s*@EXPLICIT\s*$", re.MULTILINE)
_CONDA_LOCK = re.compile(r"^package:", re.MULTILINE)
_METADATA = re.compile(r"^metadata:", re.MULTILINE)
_PIXI_LOCK = re.compile(r"^version:\s*\d+\s*$", re.MULTILINE)
_ENVIRONMENTS = re.compile(r"^environments:", re.MULTILINE)
_MATCH_SPEC = re.compile(r"^\s*(?:[\w./:-]+::)?[\w.-]+\s*=\s*[\w.*]", re.MULTILINE)
_TABLE = re.compile(
    r"^\s*\[+\s*(workspace|project|dependency-groups|tool\.pixi[^\]]*)\s*\]", re.MULTILINE
)


def recognise(path: Path) -> FileFormat:
    """Return the format of a file.

    The name decides where it is one that a format reserves, else the content, and where that is
    none of any format, the ending.

    :raises RequestError: it cannot be read.
    :raises UnsupportedError: it is another program's, or none that is known.
    """
    name = path.name
    if name in _OF_OTHERS:
        raise UnsupportedError(
            f"{name} is a lock file that only its own program reads",
            hint=f"write it in another format: `{_OF_OTHERS[name]}`",
        )
    for pattern, kind in _BY_NAME:
        if pattern.search(name):
            return kind
    text = read_text_file(path, what=_what(path.suffix))
    if path.suffix == ".toml":
        return _of_toml(text, name)
    if _EXPLICIT.search(text):
        return FileFormat.EXPLICIT
    if path.suffix == ".txt":
        return FileFormat.MATCH_SPECS if _has_match_specs(text) else FileFormat.REQUIREMENTS
    if _CONDA_LOCK.search(text) and _METADATA.search(text):
        return FileFormat.CONDA_LOCK
    if path.suffix == ".lock" or (_PIXI_LOCK.search(text) and _ENVIRONMENTS.search(text)):
        return FileFormat.PIXI_LOCK
    return FileFormat.ENVIRONMENT_YML


def format_of_name(name: str) -> FileFormat | None:
    """Return the format that a file of this name is to be written in, None where none is meant."""
    for pattern, kind in _BY_NAME:
        if pattern.search(name):
            return kind
    endings = {
        ".yml": FileFormat.ENVIRONMENT_YML,
        ".yaml": FileFormat.ENVIRONMENT_YML,
        ".lock": FileFormat.PIXI_LOCK,
    }
    for ending, kind in endings.items():
        if name.endswith(ending):
            return kind
    if name.endswith(".txt"):
        return FileFormat.EXPLICIT if "explicit" in name else FileFormat.REQUIREMENTS
    return None


def _what(suffix: str) -> str:
    return {".txt": "requirements file", ".lock": "lock file"}.get(suffix, "file")


def _of_toml(text: str, name: str) -> FileFormat:
    if re.search(r"^lock-version\s*=", text, re.MULTILINE):
        return FileFormat.PYLOCK
    found = _TABLE.search(text)
    if found is None:
        raise UnsupportedError(
            f"{name} is no file that kaa knows",
            cause="it has neither [workspace] (pixi.toml) nor [project] (pyproject.toml)",
            hint="docs/files.md has the formats that there are",
        )
    if found[1] == "workspace" or re.search(r"^\s*\[\s*dependencies\s*\]", text, re.MULTILINE):
        return FileFormat.PIXI_TOML
    return FileFormat.PYPROJECT


def _has_match_specs(text: str) -> bool:
    """Say whether a list is of match specs: ``numpy=1.26``, which pip would not take."""
    return any(
        _MATCH_SPEC.match(line) and "==" not in line and "--" not in line
        for line in text.splitlines()
    )
