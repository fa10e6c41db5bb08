"""A text as a YAML scalar (1.2) that every reader, of YAML 1.1 too, takes for the same text."""

from __future__ import annotations

import re

_PLAIN = re.compile(
    r"[A-Za-z_/.][\w./@%+=<>*~!,\[\]-]*(?:(?::|::|:/|:/+| )[\w./@%+=<>*~!,\[\]-]+)*\Z"
)
_WORDS = {"true", "false", "null", "yes", "no", "on", "off", "y", "n", "~", "nan", "inf"}
_NUMBER = re.compile(r"[-+]?\.?(?:\d|inf|nan)", re.IGNORECASE)


def yaml_scalar(text: str) -> str:
    """Return a text as it can stand behind ``key: `` or ``- ``, in quotes where it needs them."""
    plain = _PLAIN.match(text) and text.lower() not in _WORDS and not _NUMBER.match(text)
    if plain and text.isascii():
        return text
    if text.isprintable():
        return "'" + text.replace("'", "''") + "'"
    return '"' + "".join(map(_escaped, text)) + '"'


def _escaped(character: str) -> str:
    if character in '"\\':
        return f"\\{character}"
    if character == "\n":
        return "\\n"
    if character == "\t":
        return "\\t"
    code = ord(character)
    if character.isprintable():
        return character
    return (
        f"\\x{code:02x}"
        if code < 0x100
        else f"\\u{code:04x}"
        if code < 0x10000
        else f"\\U{code:08x}"
    )
