"""What the values of configuration files mean, whichever format they were written in.

A reader takes what YAML or TOML made of a value and returns what kaa works with, or raises
:class:`WrongValueError`. None of them shows the value: it may be a URL with a password.
"""

from __future__ import annotations

import os
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta, timezone
from pathlib import Path
from typing import TYPE_CHECKING, Any

from kaa.model.source import Priority

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    Reader = Callable[[Any, "Place"], Any]

_TRUE = {"1", "true", "yes", "on", "y", "t"}
_FALSE = {"0", "false", "no", "off", "n", "f"}


class WrongValueError(Exception):
    """A value of the wrong kind: ``expected`` says which one it has to be.

    ``example`` can be typed as it is in YAML, TOML and JSON.
    """

    def __init__(self, expected: str, example: str) -> None:
        super().__init__(expected)
        self.expected = expected
        self.example = example


@dataclass(frozen=True, slots=True)
class Place:
    """Where a value stands: relative paths begin in ``directory``, ``$NAME`` is in ``environ``.

    ``expands`` says that ``$NAME`` is replaced in it at all.
    """

    directory: Path
    environ: Mapping[str, str]
    expands: bool = False

    def expanded(self, text: str) -> str:
        """Return ``text`` with its variables; those that are not set stay as they are (conda)."""
        if not self.expands or "$" not in text:
            return text
        import re

        def value(match: re.Match[str]) -> str:
            name = match[1] or match[2]
            return self.environ.get(name, match[0])

        return re.sub(r"\$(?:(\w+)|\{([^}]*)\})", value, text)


def read_text(value: Any, place: Place) -> str:
    """Return a text that is not empty."""
    if not isinstance(value, str) or not value.strip():
        raise WrongValueError("a text", '"..."')
    return place.expanded(value.strip())


def read_raw_text(value: Any, place: Place) -> str:
    """Return a text with the white space that it begins and ends with."""
    if not isinstance(value, str):
        raise WrongValueError("a text", '"..."')
    return value


def read_depth(value: Any, place: Place) -> int:
    """Return a whole number; true and false are 1 and 0, as conda has it."""
    return int(value) if isinstance(value, bool) else read_count(value, place)


def read_texts(value: Any, place: Place) -> tuple[str, ...]:
    """Return a list of texts; entries without a value are left out."""
    error = WrongValueError("a list of texts", '["one", "two"]')
    if not isinstance(value, (list, tuple)):
        raise error
    if not all(each is None or isinstance(each, str) for each in value):
        raise error
    return tuple(place.expanded(each.strip()) for each in value if each and each.strip())


def read_flag(value: Any, place: Place) -> bool:
    """Return a truth value; YAML 1.2 no longer knows ``yes`` and ``on``, but conda does."""
    if isinstance(value, (str, int)):  # what is true or false is an int, too
        word = str(int(value)) if isinstance(value, int) else value.strip().lower()
        if word in _TRUE:
            return True
        if word in _FALSE:
            return False
    raise WrongValueError("true or false", "true")


def read_seconds(value: Any, place: Place) -> float:
    """Return a number of seconds greater than zero."""
    if isinstance(value, (int, float)) and not isinstance(value, bool) and 0 < value < 1e6:
        return float(value)
    raise WrongValueError("a number of seconds greater than 0", "10")


def read_count(value: Any, place: Place) -> int:
    """Return a whole number, zero or more."""
    if isinstance(value, int) and not isinstance(value, bool) and value >= 0:
        return value
    raise WrongValueError("a whole number, 0 or more", "3")


def read_path(value: Any, place: Place) -> Path:
    """Return an absolute path; a relative one begins at the file it is written in."""
    text = read_text(value, place)
    if text == "~" or text.startswith(("~/", "~\\")):
        home = place.environ.get("HOME") or place.environ.get("USERPROFILE")
        text = (home or os.path.expanduser("~")) + text[1:]  # noqa: PTH111 - never raises
    return Path(os.path.abspath(place.directory / text))  # noqa: PTH100 - links are kept


def read_paths(value: Any, place: Place) -> tuple[Path, ...]:
    """Return a list of absolute paths."""
    return tuple(read_path(text, place) for text in read_texts(value, place))


def read_environments(value: Any, place: Place) -> tuple[str, ...]:
    """Return a list of environments: names as they are, paths without ``~``."""
    return tuple(_environment(text, place) for text in read_texts(value, place))


def read_named_texts(value: Any, place: Place) -> dict[str, str]:
    """Return a table of texts by environments."""
    return {_environment(key, place): text for key, text in read_mapping(value, place).items()}


def read_named_paths(value: Any, place: Place) -> dict[str, Path]:
    """Return a table of paths by environments."""
    named = read_named_texts(value, place)
    return {key: read_path(text, place) for key, text in named.items() if text}


def _environment(text: str, place: Place) -> str:
    """Return what an environment is called, or where it is: that has a separator in it."""
    if text.startswith("~") or os.path.isabs(text):  # noqa: PTH117 - a text may be a name
        return str(read_path(text, place))
    return text


def read_expression(value: Any, place: Place) -> str:
    """Return a regular expression."""
    import re

    text = read_text(value, place)
    try:
        re.compile(text)
    except re.error:
        raise WrongValueError("a regular expression", '"envs/old-"') from None
    return text


NAME_FIELDS = ("language", "environment", "kernel", "display_name", "conda_kernel")
"""What may stand in braces in the form of kernels' names, beside ``0`` and ``1``."""


def read_name_format(value: Any, place: Place) -> str:
    """Return the form of kernels' names, nb_conda_kernels' ``name_format``."""
    text = read_text(value, place)
    try:
        text.format("", "", **dict.fromkeys(NAME_FIELDS, ""))
    except (LookupError, ValueError, AttributeError):
        example = '"{language} [{environment}]"'
        raise WrongValueError(
            f"a text with the fields {', '.join(f'{{{name}}}' for name in NAME_FIELDS)}", example
        ) from None
    return text


def read_mapping(value: Any, place: Place) -> dict[str, str]:
    """Return a table of texts; keys without a value are left out."""
    error = WrongValueError("a table of texts", '{"name": "value"}')
    if not isinstance(value, dict):
        raise error
    found = {}
    for key, text in value.items():
        if text is None:
            continue
        if not isinstance(key, str) or not isinstance(text, str):
            raise error
        found[place.expanded(key.strip())] = place.expanded(text.strip())
    return found


def read_lists(value: Any, place: Place) -> dict[str, tuple[str, ...]]:
    """Return a table whose values are lists of texts; a single text is a list of one."""
    error = WrongValueError("a table of lists", '{"name": ["one", "two"]}')
    if not isinstance(value, dict) or not all(isinstance(key, str) for key in value):
        raise error
    found = {}
    for key, entry in value.items():
        try:
            texts = read_texts([entry] if isinstance(entry, str) else entry, place)
        except WrongValueError:
            raise error from None
        found[place.expanded(key.strip())] = texts
    return found


def read_priority(value: Any, place: Place) -> Priority:
    """Return a channel priority; ``true`` is flexible and ``false`` disabled, as in old files."""
    if isinstance(value, str):
        try:
            return Priority(value.strip().lower())
        except ValueError:
            pass
    try:
        return Priority.FLEXIBLE if read_flag(value, place) else Priority.DISABLED
    except WrongValueError:
        raise WrongValueError("one of strict, flexible and disabled", '"strict"') from None


def read_permission(value: Any, place: Place) -> bool:
    """Return whether something may be done: ``allow`` or ``never``."""
    if value in ("allow", "never"):
        return bool(value == "allow")
    raise WrongValueError("one of never and allow", '"never"')


def read_verification(value: Any, place: Place) -> bool | Path:
    """Return whether certificates are verified, or the bundle or directory to do it with.

    ``truststore`` is the system's own store, which is what ``true`` means to kaa.
    """
    if isinstance(value, str) and value.strip().lower() == "truststore":
        return True
    try:
        return read_flag(value, place)
    except WrongValueError:
        if isinstance(value, str) and value.strip():
            return read_path(value, place)
    raise WrongValueError("true, false or the path of a certificate bundle", '"/certs/ca.pem"')


def read_moment(value: Any, place: Place) -> datetime:
    """Return a moment (RFC 3339); a date is the end of that day. No time zone means UTC."""
    if isinstance(value, str):
        value = _parse_moment(value.strip())
    if isinstance(value, datetime):
        return value if value.tzinfo else value.replace(tzinfo=timezone.utc)
    if isinstance(value, date):
        return datetime.combine(value, time(), timezone.utc) + timedelta(days=1)
    raise WrongValueError("a date or a time", '"2026-01-31"')


def _parse_moment(text: str) -> date | None:
    try:
        if len(text) == len("2026-01-31"):
            return date.fromisoformat(text)
        # Before Python 3.11 the letter Z is not understood.
        zulu = text.endswith(("Z", "z"))
        return datetime.fromisoformat(text[:-1] + "+00:00" if zulu else text)
    except ValueError:
        return None
