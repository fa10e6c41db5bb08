"""A marked block of lines in a file that is somebody else's: put in, replaced, taken out.

What is outside of the block stays as it is, byte for byte, and without the block the file is what
it was.
"""

from __future__ import annotations

import codecs
import re
from typing import TYPE_CHECKING

from kaa.model.errors import EnvironmentStateError

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

_NEW, _UNFINISHED = "new file", "after an unfinished line"
_BEGIN = re.compile(
    rf"^# >>> kaa initialize(?: \((?P<note>{_NEW}|{_UNFINISHED})\))? >>>[ \t]*\r?$", re.MULTILINE
)
_END = re.compile(r"^# <<< kaa initialize <<<[ \t]*\r?(?:\n|\Z)", re.MULTILINE)


def has_block(content: bytes) -> bool:
    """Say whether there is a block, or the beginning of one."""
    return _BEGIN.search(_decoded(content)[0]) is not None


def with_block(content: bytes | None, lines: Sequence[str], path: Path) -> bytes:
    """Return a file's content with a block of these lines, in the place of an earlier one.

    ``content`` is None for a file that is not there. Raises :class:`EnvironmentStateError` for a
    block, in the file ``path``, without an end.
    """
    if content is None:
        return _block(lines, _NEW, "\n").encode("utf-8", "surrogateescape")
    text, encoding = _decoded(content)
    newline = "\r\n" if "\r\n" in text else "\n"
    found = _BEGIN.search(text)
    if found is None:
        unfinished = bool(text.lstrip("\ufeff")) and not text.endswith("\n")
        block = _block(lines, _UNFINISHED if unfinished else None, newline)
        return _encoded(text + (newline if unfinished else "") + block, encoding)
    end = _end_of(text, found, path)
    # Only the first of several: what another program has copied about is out of date.
    later = _without(text[end:], path)
    block = _block(lines, found["note"], newline)
    return _encoded(text[: found.start()] + block + later, encoding)


def without_block(content: bytes, path: Path) -> bytes | None:
    """Return a file's content without its blocks; None if the file was made for one.

    Raises :class:`EnvironmentStateError` for a block, in the file ``path``, without an end.
    """
    text, encoding = _decoded(content)
    found = _BEGIN.search(text)
    made = found is not None and found["note"] == _NEW
    rest = _without(text, path)
    return None if made and not rest else _encoded(rest, encoding)


def _without(text: str, path: Path) -> str:
    while found := _BEGIN.search(text):
        before, after = text[: found.start()], text[_end_of(text, found, path) :]
        if found["note"] == _UNFINISHED and not after:
            before = before.removesuffix("\n").removesuffix("\r")
        text = before + after
    return text


def _end_of(text: str, found: re.Match[str], path: Path) -> int:
    end = _END.search(text, found.end())
    if end is None:
        raise EnvironmentStateError(
            f"kaa's block in {path} has a beginning and no end",
            cause=f"line {text.count(chr(10), 0, found.start()) + 1}: {found[0].strip()}",
            hint="remove what is left of it by hand, and run the same command again",
        )
    return end.end()


def _block(lines: Sequence[str], note: str | None, newline: str) -> str:
    begin = f"# >>> kaa initialize ({note}) >>>" if note else "# >>> kaa initialize >>>"
    about = "# Written by `kaa init`; `kaa deinit` takes it out again."
    return "".join(line + newline for line in (begin, about, *lines, "# <<< kaa initialize <<<"))


def _decoded(content: bytes) -> tuple[str, str]:
    """Return the text, and the encoding that gives the same bytes again."""
    # PowerShell for Windows writes UTF-16 where nothing else is asked of it.
    for mark, encoding in ((codecs.BOM_UTF16_LE, "utf-16-le"), (codecs.BOM_UTF16_BE, "utf-16-be")):
        if content.startswith(mark) and len(content) % 2 == 0:
            return content.decode(encoding, "surrogatepass"), encoding
    return content.decode("utf-8", "surrogateescape"), "utf-8"


def _encoded(text: str, encoding: str) -> bytes:
    return text.encode(encoding, "surrogateescape" if encoding == "utf-8" else "surrogatepass")
