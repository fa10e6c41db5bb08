"""Lines of pip's requirements files: in ``requirements.txt`` and in ``pip:`` sections.

The format is pip's (its documentation, "Requirements File Format"): a requirement (PEP 508), a URL
or a path, or options. Nothing is looked up or installed here.
"""

from __future__ import annotations

import argparse
import re
import shlex
from dataclasses import dataclass
from enum import Enum
from typing import TYPE_CHECKING, NoReturn

from kaa.formats.text_file import read_text_file
from kaa.model.errors import RequestError

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path


class LineKind(Enum):
    """What a line says; the value is pip's own word for it."""

    REQUIREMENT = "requirement"
    LOCATION = "URL or path"
    EDITABLE = "--editable"
    FILE = "--requirement"
    CONSTRAINTS = "--constraint"
    INDEX_URL = "--index-url"
    EXTRA_INDEX_URL = "--extra-index-url"
    FIND_LINKS = "--find-links"
    OPTION = "option"


@dataclass(frozen=True, slots=True)
class RequirementLine:
    """One thing that a line says.

    ``value`` is the requirement, URL, path or, for an option, the option with its value;
    ``hashes`` are ``algorithm:digest`` of the files allowed; ``line`` is counted from 1;
    ``selector`` is an environment file's platform selector.
    """

    kind: LineKind
    value: str
    line: int
    hashes: tuple[str, ...] = ()
    selector: str | None = None


_KINDS = {
    "editable": LineKind.EDITABLE,
    "requirement": LineKind.FILE,
    "constraint": LineKind.CONSTRAINTS,
    "index_url": LineKind.INDEX_URL,
    "extra_index_url": LineKind.EXTRA_INDEX_URL,
    "find_links": LineKind.FIND_LINKS,
}
_SHORT = {LineKind.EDITABLE: "-e", LineKind.FILE: "-r", LineKind.CONSTRAINTS: "-c"}
_FLAGS = ("--no-index", "--pre", "--prefer-binary", "--require-hashes")
_VALUES = ("--no-binary", "--only-binary", "--trusted-host", "--use-feature")
_COMMENT = re.compile(r"(^|\s+)#.*$")
_VARIABLE = re.compile(r"\$\{([A-Z0-9_]+)\}")
_PER_REQUIREMENT = re.compile(r"\s--?[A-Za-z]")
_LOCATION = re.compile(
    r"^(\.{0,2}[/\\]|\.{1,2}$|~|[A-Za-z]:[/\\]|[a-z+]+:)|\.(whl|zip|tar\.\w+|tgz)$"
)


def read_requirements(path: Path) -> tuple[RequirementLine, ...]:
    """Return what a requirements file says; files that it names are not followed.

    :raises RequestError: it cannot be read, or a line is not one that pip knows.
    """
    text = read_text_file(path, what="requirements file")
    return tuple(
        said
        for number, line in _joined(text.splitlines())
        for said in parse_requirement_line(line, number, path.name)
    )


def requirement_text(line: RequirementLine) -> str:
    """Return a line as a requirements file has it: what was read, in one of its spellings."""
    match line.kind:
        case LineKind.REQUIREMENT | LineKind.LOCATION:
            return " ".join([line.value, *(f"--hash={each}" for each in line.hashes)])
        case LineKind.OPTION:
            name, separator, value = line.value.partition("=")
            return f"{name}={shlex.quote(value)}" if separator else name
        case _:
            return f"{_SHORT.get(line.kind, line.kind.value)} {shlex.quote(line.value)}"


def parse_requirement_line(text: str, line: int, name: str) -> tuple[RequirementLine, ...]:
    """Return what one line says: nothing for a comment, several things for several options.

    ``line`` and ``name`` are for messages: the number of the line, and the file's name.

    :raises RequestError: it has an option that pip does not know, or nothing before one.
    """
    stripped = _COMMENT.sub("", text).strip()
    if not stripped:
        return ()
    if stripped.startswith("-"):
        return tuple(_options(stripped, line, name))
    match = _PER_REQUIREMENT.search(stripped)
    if match is None:
        return (_requirement(stripped, line),)
    hashes = _hashes(stripped[match.start() :], line, name)
    return (_requirement(stripped[: match.start()].strip(), line, hashes),)


def expand_variables(text: str, environ: dict[str, str]) -> str:
    """Replace ``${NAME}`` by its value, as pip does; what is not set stays as written."""
    return _VARIABLE.sub(lambda match: environ.get(match[1]) or match[0], text)


def _requirement(text: str, line: int, hashes: tuple[str, ...] = ()) -> RequirementLine:
    named = re.match(r"^[\w.-]+\s*(\[[^\]]*\])?\s*@", text)
    kind = LineKind.LOCATION if _LOCATION.search(text) and not named else LineKind.REQUIREMENT
    return RequirementLine(kind, text, line, hashes)


class _Parser(argparse.ArgumentParser):
    """argparse's extension point for what happens on an error is the subclass."""

    def error(self, message: str) -> NoReturn:
        raise ValueError(message)


def _parser() -> _Parser:
    parser = _Parser(add_help=False, allow_abbrev=False)
    parser.add_argument("-e", "--editable", action="append")
    parser.add_argument("-r", "--requirement", action="append")
    parser.add_argument("-c", "--constraint", action="append")
    parser.add_argument("-i", "--index-url", "--pypi-url", action="append")
    parser.add_argument("--extra-index-url", action="append")
    parser.add_argument("-f", "--find-links", action="append")
    for option in _FLAGS:
        parser.add_argument(option, action="append_const", const=option, dest="flags")
    for option in _VALUES:
        parser.add_argument(option, action="append")
    return parser


def _options(text: str, line: int, name: str) -> Iterator[RequirementLine]:
    found = vars(_parse(_parser(), text, line, name))
    for option, values in found.items():
        for value in values or ():
            if option == "flags":
                yield RequirementLine(LineKind.OPTION, value, line)
            elif option in _KINDS:
                yield RequirementLine(_KINDS[option], value, line)
            else:
                written = f"--{option.replace('_', '-')}={value}"
                yield RequirementLine(LineKind.OPTION, written, line)


def _hashes(text: str, line: int, name: str) -> tuple[str, ...]:
    parser = _Parser(add_help=False, allow_abbrev=False)
    parser.add_argument("--hash", action="append", default=[])
    hashes: list[str] = _parse(parser, text, line, name).hash
    for each in hashes:
        algorithm, _, digest = each.partition(":")
        if not re.fullmatch(r"sha(256|384|512)", algorithm) or not re.fullmatch(
            r"[0-9a-f]{64,128}", digest.lower()
        ):
            raise RequestError(
                f"{name}, line {line}: {each!r} is no hash",
                hint="write --hash=sha256:DIGEST, with the digest in hexadecimal",
            )
    return tuple(each.lower() for each in hashes)


def _parse(parser: _Parser, text: str, line: int, name: str) -> argparse.Namespace:
    try:
        return parser.parse_args(shlex.split(text))
    except ValueError as error:
        raise RequestError(
            f"{name}, line {line}: {text.strip()!r} is no line of a requirements file",
            cause=str(error),
            hint="pip's documentation of requirements files lists the options",
        ) from None


def _joined(lines: Sequence[str]) -> Iterator[tuple[int, str]]:
    """Yield lines with their numbers, those that end in a backslash joined to the next one."""
    waiting: list[str] = []
    first = 1
    for number, line in enumerate(lines, 1):
        if not waiting:
            first = number
        if line.endswith("\\") and not re.match(r"^\s*#", line):
            waiting.append(line[:-1])
            continue
        yield first, "".join([*waiting, line])
        waiting = []
    if waiting:
        yield first, "".join(waiting)
