"""YAML (1.2) as nodes that know their lines: for messages that point at them.

Scalars keep the text that was written (``3.10`` stays so, and is no number 3.1), and no object is
built from a tag, so nothing in a file is ever executed.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, NoReturn, TypeAlias

from kaa.formats.text_file import read_text_file
from kaa.model.errors import RequestError

if TYPE_CHECKING:
    from pathlib import Path

_TAG = "tag:yaml.org,2002:"
_KINDS = {
    "null": "nothing",
    "int": "a number",
    "float": "a number",
    "bool": "a truth value",
    "timestamp": "a date",
}


@dataclass(frozen=True, slots=True)
class Scalar:
    """One value: its text as written, without quotes; ``comment`` is what follows in its line.

    ``kind`` is what YAML takes it for where that is no text: ``a number``, ``nothing`` for null.
    Lines, here and below, are counted from 1.
    """

    text: str
    line: int
    kind: str | None
    comment: str

    @property
    def empty(self) -> bool:
        """Whether nothing is there (``key:``, ``~``, ``null``, ``""``)."""
        return self.kind == _KINDS["null"] or not self.text.strip()


@dataclass(frozen=True, slots=True)
class Items:
    """A list."""

    items: tuple[Node, ...]
    line: int
    kind: str = "a list"


@dataclass(frozen=True, slots=True)
class Mapping:
    """A mapping by the text of its keys, with the line of each; merge keys are followed."""

    pairs: dict[str, tuple[int, Node]]
    line: int
    kind: str = "a mapping"


Node: TypeAlias = "Scalar | Items | Mapping"


@dataclass(frozen=True, slots=True)
class YamlText:
    """The text of a YAML file; ``name`` is what messages call the file."""

    text: str
    name: str

    def refuse(
        self,
        line: int | None,
        problem: str,
        *,
        cause: str | None = None,
        hint: str | None = None,
        column: int | None = None,
    ) -> NoReturn:
        """Raise :class:`RequestError` for a line (None: for the whole file)."""
        where = f"{self.name}, line {line}" if line else self.name
        where += f", column {column}" if column else ""
        raise RequestError(f"{where}: {problem}", cause=cause, hint=hint)

    def line(self, number: int) -> str:
        """Return the text of a line."""
        lines = self.text.splitlines()
        return lines[number - 1] if 0 < number <= len(lines) else ""

    def check_template(self, line: int | None) -> None:
        """Raise :class:`RequestError` if a line has Jinja's marks: the file is to be rendered."""
        if line and any(mark in self.line(line).partition(" #")[0] for mark in ("{{", "{%")):
            self.refuse(
                line,
                "this is a Jinja template",
                cause="environment files are not rendered, by conda neither",
                hint="render it first (with conda-devenv, say), or write the value itself",
            )


def read_text(path: Path) -> YamlText:
    """Return a file's text, which is UTF-8 or, with a byte order mark, UTF-16 (YAML 1.2, 5.2).

    :raises RequestError: it is neither, or cannot be read.
    """
    return YamlText(read_text_file(path), path.name)


def compose(source: YamlText) -> Node | None:
    """Return the root of a file, None where the file is empty.

    :raises RequestError: the text is not YAML, or more than one document, or a key is there twice.
    """
    from ruamel.yaml import YAML
    from ruamel.yaml.error import MarkedYAMLError, YAMLError

    try:
        root = YAML(typ="safe", pure=True).compose(source.text)
        return None if root is None else _Conversion(source).convert(root)
    except MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        line = mark.line + 1 if mark else None
        source.check_template(line)
        because = " ".join(part for part in (error.context, error.problem) if part)
        source.refuse(
            line,
            "this is not YAML",
            cause=because,
            hint=_advice(source, line, because),
            column=mark.column + 1 if mark else None,
        )
    except YAMLError as error:
        reason = str(error).strip().partition("\n")[0]
        source.refuse(None, "this is not YAML", cause=reason, hint="look for control characters")
    except RecursionError:
        source.refuse(None, "lists and mappings are too deep in each other")


class _Conversion:
    """Turns the library's nodes into ours, each once, however many aliases lead to it."""

    def __init__(self, source: YamlText) -> None:
        self._source = source
        self._lines = source.text.splitlines()
        self._done: dict[int, Node] = {}
        self._open: set[int] = set()

    def convert(self, node: Any) -> Node:
        """Return our node for a node of the library."""
        key = id(node)
        if key in self._open:
            self._source.refuse(_line(node), "an alias is inside of what it names")
        if key not in self._done:
            self._open.add(key)
            self._done[key] = self._new(node)
            self._open.remove(key)
        return self._done[key]

    def _new(self, node: Any) -> Node:
        if node.id == "sequence":
            return Items(tuple(self.convert(each) for each in node.value), _line(node))
        if node.id == "mapping":
            return Mapping(self._pairs(node), _line(node))
        kind = str(node.tag).removeprefix(_TAG)
        named = None if kind == "str" else _KINDS.get(kind, f"tagged as {kind}")
        return Scalar(str(node.value), _line(node), named, self._comment(node))

    def _pairs(self, mapping: Any) -> dict[str, tuple[int, Node]]:
        own: dict[str, tuple[int, Node]] = {}
        merged: dict[str, tuple[int, Node]] = {}
        for key, value in mapping.value:
            line = _line(key)
            if key.id != "scalar":
                self._source.check_template(line)
                self._source.refuse(line, "a key is a list or a mapping, not a text")
            if str(key.tag) == _TAG + "merge":
                merged = {**self._merged(value, line), **merged}
                continue
            name = str(key.value).strip()
            if name in own:
                self._source.refuse(
                    line,
                    f"`{name}` is here a second time, first in line {own[name][0]}",
                    cause="YAML allows a key once (YAML 1.2, 3.2.1.3)",
                    hint="put both under one of them",
                )
            own[name] = (line, self.convert(value))
        return {**merged, **own}

    def _merged(self, value: Any, line: int) -> dict[str, tuple[int, Node]]:
        node = self.convert(value)
        pairs: dict[str, tuple[int, Node]] = {}
        for each in node.items if isinstance(node, Items) else (node,):
            if not isinstance(each, Mapping):
                self._source.refuse(line, "`<<` merges mappings only")
            pairs = {**each.pairs, **pairs}
        return pairs

    def _comment(self, node: Any) -> str:
        mark = node.end_mark
        rest = self._lines[mark.line][mark.column :] if mark.line < len(self._lines) else ""
        return rest.strip() if rest.lstrip().startswith("#") else ""


def _line(node: Any) -> int:
    line: int = node.start_mark.line + 1
    return line


def _advice(source: YamlText, line: int | None, because: str) -> str:
    text = source.line(line) if line else ""
    if "\t" in text[: len(text) - len(text.lstrip())] or "'\\t'" in because:
        return "indent with blanks: YAML allows no tabs there"
    if "mapping values are not allowed" in because:
        return "put quotes around a text with `: ` in it, and check the indentation"
    return "check the indentation, brackets and quotes of this line and the one before"
