"""TOML (1.1) as tables, and where in the file a key is: for messages that point at it."""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, NoReturn

from kaa.formats.text_file import read_text_file
from kaa.model.errors import RequestError

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

_PLACE = re.compile(r"\(at (?:line (\d+), column (\d+)|end of document)\)$")
_HEADER = re.compile(r"\s*\[\[?(.+?)\]\]?\s*(?:#.*)?$")
_KEY = re.compile(
    r"""\s*((?:[\w-]+|"(?:[^"\\]|\\.)*"|'[^']*')(?:\s*\.\s*(?:[\w-]+|"[^"]*"|'[^']*'))*)\s*="""
)
_PART = re.compile(r"""[\w-]+|"(?:[^"\\]|\\.)*"|'[^']*'""")


@dataclass(frozen=True, slots=True)
class TomlText:
    """The content of a TOML file; ``name`` is what messages call the file."""

    data: dict[str, Any]
    text: str
    name: str

    def refuse(
        self,
        keys: tuple[str, ...],
        problem: str,
        *,
        cause: str | None = None,
        hint: str | None = None,
    ) -> NoReturn:
        """Raise :class:`RequestError` for a key, which is named by the tables that it is in."""
        raise RequestError(f"{self.where(keys)}: {problem}", cause=cause, hint=hint)

    def where(self, keys: tuple[str, ...]) -> str:
        """Return the file, line and column of a key, as far as they can be found."""
        found = self._position(keys)
        return f"{self.name}, line {found[0]}, column {found[1]}" if found else self.name

    def line(self, *keys: str) -> int:
        """Return the line of a key or of its table, counted from 1; 1 where it is not found."""
        found = self._position(keys)
        return found[0] if found else 1

    def table(self, *keys: str) -> dict[str, Any]:
        """Return a table; an empty one where it is absent.

        :raises RequestError: it is something else.
        """
        found: Any = self.data
        for number, key in enumerate(keys, 1):
            if key not in found:
                return {}
            found = found[key]
            if not isinstance(found, dict):
                self.refuse(keys[:number], f"`{key}` is {kind_of(found)}, not a table")
        return dict(found)

    def texts(self, *keys: str) -> list[str]:
        """Return a list of texts; an empty one where it is absent.

        :raises RequestError: it is something else.
        """
        found = self.table(*keys[:-1]).get(keys[-1])
        if found is None:
            return []
        if not isinstance(found, list):
            self.refuse(keys, f"`{keys[-1]}` is {kind_of(found)}, not a list")
        for each in found:
            if not isinstance(each, str):
                self.refuse(keys, f"an item of `{keys[-1]}` is {kind_of(each)}, not a text")
        return found

    def _position(self, keys: tuple[str, ...]) -> tuple[int, int] | None:
        best: tuple[int, int] | None = None
        length = 0
        for path, line, column in self._places():
            common = _common(path, keys)
            if common > length and common == min(len(path), len(keys)):
                best, length = (line, column), common
        return best

    def _places(self) -> Iterator[tuple[tuple[str, ...], int, int]]:
        table: tuple[str, ...] = ()
        for number, line in enumerate(self.text.splitlines(), 1):
            if match := _HEADER.match(line):
                table = _parts(match[1])
                yield table, number, len(line) - len(line.lstrip()) + 1
            elif match := _KEY.match(line):
                yield (*table, *_parts(match[1])), number, match.start(1) + 1


def read_toml(path: Path) -> TomlText:
    """Return what a TOML file says.

    :raises RequestError: it cannot be read, or is not TOML; the line and the column are named.
    """
    import tomli  # and not tomllib, which knows TOML 1.0 only: pixi's users write 1.1

    text = read_text_file(path)
    try:
        # TOML's own line ends are LF and CRLF; a lone CR is refused with its line
        return TomlText(tomli.loads(text), text, path.name)
    except tomli.TOMLDecodeError as error:
        reason = str(error)
        match = _PLACE.search(reason)
        where = path.name
        if match:
            lines = text.splitlines() or [""]
            line, column = match[1] or len(lines), match[2] or len(lines[-1]) + 1
            where = f"{path.name}, line {line}, column {column}"
            reason = reason[: match.start()].strip()
        template = "{{" in text or "{%" in text
        raise RequestError(
            f"{where}: this is not TOML",
            cause=reason,
            hint="render the template first" if template else "check quotes and brackets there",
        ) from None
    except RecursionError:
        raise RequestError(f"{path.name}: tables are too deep in each other") from None


def kind_of(value: object) -> str:
    """Return what TOML calls a value, with its article."""
    if isinstance(value, bool):
        return "a truth value"
    if isinstance(value, int | float):
        return "a number"
    kinds = ((str, "a text"), (list, "a list"), (dict, "a table"))
    return next((name for kind, name in kinds if isinstance(value, kind)), "a date")


def _parts(text: str) -> tuple[str, ...]:
    parts = []
    for part in _PART.findall(text):
        if part.startswith("'"):
            parts.append(part[1:-1])
        elif part.startswith('"'):
            try:
                parts.append(str(json.loads(part)))
            except ValueError:
                parts.append(part[1:-1])
        else:
            parts.append(part)
    return tuple(parts)


def _common(one: tuple[str, ...], other: tuple[str, ...]) -> int:
    count = 0
    for left, right in zip(one, other, strict=False):
        if left != right:
            break
        count += 1
    return count
