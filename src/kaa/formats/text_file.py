"""The text of a file: what encodings there may be, and what is said where it has none of them."""

from __future__ import annotations

from typing import TYPE_CHECKING

from kaa.model.errors import RequestError

if TYPE_CHECKING:
    from pathlib import Path


def read_text_file(path: Path, *, what: str = "file") -> str:
    """Return a file's text: UTF-8 or, with a byte order mark, UTF-16; ``what`` names its kind.

    :raises RequestError: it is neither, or cannot be read.
    """
    try:
        content = path.read_bytes()
    except OSError as error:
        raise RequestError(
            f"the {what} {path} cannot be read",
            cause=error.strerror or str(error),
            hint="check the path and its rights",
        ) from None
    utf16 = content.startswith((b"\xff\xfe", b"\xfe\xff"))
    try:
        return content.decode("utf-16" if utf16 else "utf-8-sig")
    except UnicodeDecodeError as error:
        line = content[: error.start].count(b"\n") + 1
        raise RequestError(
            f"{path.name}, line {line}: this is no text in UTF-8",
            cause=f"byte {error.start} is 0x{content[error.start]:02x}",
            hint="save the file in UTF-8",
        ) from None
