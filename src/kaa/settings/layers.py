"""Values on their way into the configuration, each with the place it came from."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from kaa.model.errors import RequestError
from kaa.settings.values import WrongValueError

if TYPE_CHECKING:
    from collections.abc import Mapping

    from kaa.settings.keys import Key
    from kaa.settings.values import Place

    Layer = Mapping[str, "Found"]
    """What one kind of file says, by the fields of the configuration."""


@dataclass(frozen=True, slots=True)
class Found:
    """A value as the configuration has it, and the files or the variable it is from."""

    value: Any
    origins: tuple[str, ...]


def read_value(key: Key, name: str, raw: Any, place: Place, origin: str, assignment: str) -> Any:
    """Return the value of ``key``, which is called ``name`` in ``origin``.

    ``assignment`` is what stands between a key and its value there, for the hint. Raises
    :class:`~kaa.model.errors.RequestError`, which never shows the value.
    """
    try:
        return key.read(raw, place)
    except WrongValueError as error:
        raise RequestError(
            f"{name} in {origin} has a value of the wrong kind",
            cause=f"it has to be {error.expected}, and it is {_kind(raw, error.expected)}",
            hint=f"write it as `{name}{assignment}{error.example}`",
        ) from None


def _kind(raw: Any, expected: str) -> str:
    kinds: tuple[tuple[type | tuple[type, ...], str], ...] = (
        (bool, "true or false"),
        ((int, float), "a number"),
        (str, "a text"),
        ((list, tuple), "a list"),
        (dict, "a table"),
    )
    words = next((words for kind, words in kinds if isinstance(raw, kind)), "something else")
    return f"{words} with something else in it" if expected.startswith(words) else words
