"""Which kernel a notebook wants, by what it says itself: its name, its language, its requirements.

The format is nbformat's, version 4 (``metadata.kernelspec``, ``metadata.language_info``); of a
notebook that says nonsense nothing is taken, and nothing is raised.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

_BLOCK = re.compile(r"(?m)^# /// script$\s(?P<content>(^#(| .*)$\s)+)^# ///$")
"""PEP 723's own expression, for blocks of the type ``script``."""


@dataclass(frozen=True, slots=True)
class Wanted:
    """The kernel that is wanted.

    ``language`` is in lower case, empty where it is not said; ``python`` the version that the
    notebook was run with; ``requirements`` are requirements (PEP 508) or match specs, as written;
    ``requires_python`` is a version specifier (PEP 440).
    """

    name: str
    display_name: str = ""
    language: str = ""
    python: str = ""
    requirements: tuple[str, ...] = ()
    requires_python: str = ""


def wanted_by(notebook: Mapping[str, Any]) -> Wanted | None:
    """Return what a notebook wants; None where it names no kernel."""
    metadata = _table(notebook.get("metadata"))
    spec, info = _table(metadata.get("kernelspec")), _table(metadata.get("language_info"))
    name = _text(spec.get("name"))
    if not name:
        return None
    language = (_text(spec.get("language")) or _text(info.get("name"))).lower()
    requirements, requires_python = _recorded(metadata)
    if not requirements and language in ("", "python"):
        requirements, requires_python = _in_a_block(notebook)
    return Wanted(
        name,
        _text(spec.get("display_name")),
        language,
        _text(info.get("version")) if language == "python" else "",
        requirements,
        requires_python,
    )


def _recorded(metadata: Mapping[str, Any]) -> tuple[tuple[str, ...], str]:
    """Return what ``kaa kernels record`` has written."""
    own = _table(metadata.get("kaa"))
    return _texts(own.get("requirements")), _text(own.get("requires-python"))


def _in_a_block(notebook: Mapping[str, Any]) -> tuple[tuple[str, ...], str]:
    """Return what the first cell with inline script metadata says (PEP 723)."""
    for source in _code(notebook):
        if "# /// script" in source and (found := _BLOCK.search(f"{source}\n")):
            lines = found["content"].splitlines()
            table = parsed_toml(
                "\n".join(line.removeprefix("#").removeprefix(" ") for line in lines)
            )
            return _texts(table.get("dependencies")), _text(table.get("requires-python"))
    return (), ""


def _code(notebook: Mapping[str, Any]) -> Iterator[str]:
    cells = notebook.get("cells")
    for cell in cells if isinstance(cells, list) else ():
        if isinstance(cell, dict) and cell.get("cell_type") == "code":
            source = cell.get("source")
            yield "".join(_texts(source)) if isinstance(source, list) else _text(source)


def parsed_toml(text: str) -> Mapping[str, Any]:
    """Return what a TOML document says; nothing for what is none."""
    import sys

    if sys.version_info >= (3, 11):
        import tomllib
    else:
        import tomli as tomllib
    try:
        table: dict[str, Any] = tomllib.loads(text)
    except ValueError:
        return {}
    return table


def _table(value: object) -> Mapping[str, Any]:
    return value if isinstance(value, dict) else {}


def _text(value: object) -> str:
    return value if isinstance(value, str) else ""


def _texts(value: object) -> tuple[str, ...]:
    if not isinstance(value, (list, tuple)):
        return ()
    return tuple(each for each in value if isinstance(each, str))
