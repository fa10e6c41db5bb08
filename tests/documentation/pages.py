"""What a page of the documentation says to type, and what it says will be shown.

```console
$ kaa list -n demo numpy
numpy ...
$ kaa activate nothing  # exit code 1
error: ...
```

Lines that begin with ``$ `` are typed, those with ``> `` go on with them. What stands below must be
in the output, in this order, be columns as wide as they may; ``...`` is any text, also on a line of
its own. The command must end
with exit code 0, unless its comment says another. A block with ``title="FILE"`` is the content of
that file, and ``<!-- another machine -->`` before a block has it typed on a machine with nothing on
it but the files of the working directory.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator

PROJECT = Path(__file__).resolve().parent.parent.parent
DOCS = PROJECT / "docs"
PAGES = sorted([PROJECT / "README.md", *DOCS.rglob("*.md")])

_FENCE = re.compile(r"^```(?P<kind>[\w-]*)(?P<rest>.*)$")
_TITLE = re.compile(r'title="([^"]+)"')
_CODE = re.compile(r"#.*\bexit code (\d+)")
_ANYTHING = re.compile(r"(\\ )?\\\.\\\.\\\.")
_ANOTHER_MACHINE = "<!-- another machine -->"


@dataclass(frozen=True, slots=True)
class Typed:
    """A command and what is to come of it; ``line`` is where it stands in the page."""

    line: int
    command: str
    shown: tuple[str, ...]
    code: int


@dataclass(frozen=True, slots=True)
class Written:
    """A file that the reader is asked to write."""

    name: str
    content: str


@dataclass(frozen=True, slots=True)
class AnotherMachine:
    """What follows is typed somewhere else."""


Step = Typed | Written | AnotherMachine


@dataclass(frozen=True, slots=True)
class Block:
    """A fenced block; ``line`` is that of its first line of content, counted from 1."""

    line: int
    kind: str
    title: str
    lines: tuple[str, ...]
    elsewhere: bool


def blocks(text: str) -> Iterator[Block]:
    """Give the fenced blocks of a page."""
    lines = iter(enumerate(text.splitlines(), 1))
    elsewhere = False
    for number, line in lines:
        opening = _FENCE.match(line)
        if opening is None:
            elsewhere = line == _ANOTHER_MACHINE or (elsewhere and not line.strip())
            continue
        content = []
        for _, inner in lines:
            if inner == "```":
                break
            content.append(inner)
        else:
            raise AssertionError(f"the block in line {number} has no end")
        title = _TITLE.search(opening["rest"])
        yield Block(
            number + 1, opening["kind"], title[1] if title else "", tuple(content), elsewhere
        )
        elsewhere = False


def steps(text: str) -> Iterator[Step]:
    """Give what a reader of the page does, in order."""
    for block in blocks(text):
        if block.elsewhere:
            yield AnotherMachine()
        if block.title:
            yield Written(block.title, "".join(f"{line}\n" for line in block.lines))
        elif block.kind == "console":
            yield from _typed(block)


def _typed(block: Block) -> Iterator[Typed]:
    begins = [index for index, line in enumerate(block.lines) if line.startswith("$ ")]
    assert begins[:1] == [0], f"line {block.line}: a console block begins with a command"
    for begin, end in zip(begins, [*begins[1:], len(block.lines)], strict=True):
        first, *rest = block.lines[begin:end]
        command = [first.removeprefix("$ ")]
        while rest and rest[0].startswith("> "):
            command.append(rest.pop(0).removeprefix("> "))
        code = _CODE.search(command[-1])
        yield Typed(
            block.line + begin, "\n".join(command), tuple(rest), int(code[1]) if code else 0
        )


def missing(shown: tuple[str, ...], output: str) -> str | None:
    """Return the first line that is said to be shown and is not in the output after the others."""
    found = [" ".join(line.split()) for line in output.splitlines()]
    at = 0
    for line in shown:
        if line.strip() in {"", "..."}:
            continue
        pattern = re.compile(_ANYTHING.sub(".*", re.escape(" ".join(line.split()))))
        while at < len(found) and not pattern.fullmatch(found[at]):
            at += 1
        if at == len(found):
            return line
        at += 1
    return None
