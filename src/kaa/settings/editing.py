"""Changing kaa's own file: comments, order and layout stay, and what is written can be read.

The words are conda's ("conda config" in its command reference): a single value is *set*, a list is
*appended* and *prepended* to, and a key of a table is written with a dot (``proxies.https``).
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from kaa.model.errors import RequestError
from kaa.settings.configuration import Configuration
from kaa.settings.keys import KEYS
from kaa.settings.layers import read_value
from kaa.settings.values import Place, WrongValueError

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from tomlkit import TOMLDocument

    from kaa.settings.keys import Key

_DEFAULTS = Configuration()
_TABLES = frozenset(key.own.partition(".")[0] for key in KEYS if "." in key.own)


@dataclass(frozen=True, slots=True)
class Edit:
    """One change of the file.

    ``what`` is ``set``, ``append``, ``prepend``, ``remove`` or ``unset``. ``name`` is a key as
    typed, in kaa's spelling or conda's, with the name of an entry behind a dot where it is a
    table; ``value`` is a text as typed (none for ``unset``).
    """

    what: str
    name: str
    value: str = ""


def find_key(name: str) -> tuple[Key, str | None]:
    """Return the key that is called ``name`` in either kind of file, and the entry behind a dot.

    Raises :class:`RequestError` for what is no key.
    """
    # A key that is in a table itself has a dot in its name.
    table, _, rest = name.partition(".")
    second, _, below = rest.partition(".")
    first = f"{table}.{second}" if table in _TABLES and second else table
    entry = below if first != table else rest
    plain = first.replace("_", "-").lower()
    for key in KEYS:
        names = (key.own, key.field, *key.conda)
        if plain in {each.replace("_", "-") for each in names if each}:
            return key, entry or None
    import difflib

    known = [each for key in KEYS for each in (key.own, *key.conda) if each]
    near = difflib.get_close_matches(first, known, n=1, cutoff=0.6)
    hint = f"did you mean `{near[0]}`?" if near else "`kaa config --describe` shows all keys"
    raise RequestError(f"kaa has no setting {first!r}", hint=hint)


def is_list(key: Key) -> bool:
    """Say whether the values of a key are lists."""
    return isinstance(getattr(_DEFAULTS, key.field), tuple)


def is_table(key: Key) -> bool:
    """Say whether the values of a key are tables."""
    return isinstance(getattr(_DEFAULTS, key.field), dict)


def edited(
    text: str,
    edits: Sequence[Edit],
    path: Path,
    environ: Mapping[str, str],
    now: Configuration,
) -> tuple[str, tuple[str, ...]]:
    """Return the file's new text and what is to be said of it, for a file that has ``text``.

    ``now`` is the configuration as it is: a list that the file does not have yet begins as what is
    in force, as it does for conda. Raises :class:`RequestError` for unknown keys, for values of the
    wrong kind and for text that is no TOML.
    """
    import tomlkit
    from tomlkit.exceptions import ParseError

    try:
        document = tomlkit.parse(text)
    except ParseError as error:
        raise RequestError(
            f"{path} is not valid TOML", cause=str(error), hint="correct the file first"
        ) from error
    notes: list[str] = []
    for edit in edits:
        key, entry = find_key(edit.name)
        if not key.own:
            raise RequestError(
                f"kaa's own file has no key for {edit.name}",
                cause=f"{key.conda[0]} is conda's way to say it",
                hint=f"write it into ~/.condarc, which counts for kaa; {_instead(key)}",
            )
        notes += _apply(document, edit, key, entry, now)
        if environ.get(key.variable or ""):
            notes.append(f"the variable {key.variable} is set, and decides instead of the file")
        table, name = _table_of(document.unwrap(), key)
        if name in table:
            place = Place(path.parent, environ, key.expands)
            # Not written before it is known that it can be read.
            read_value(key, key.own, table[name], place, str(path), " = ")
    return tomlkit.dumps(document), tuple(notes)


def _table_of(document: Any, key: Key) -> tuple[Any, str]:
    """Return the table that a key is in, which is made where there is none, and its name there."""
    table, dot, name = key.own.partition(".")
    if not dot:
        return document, key.own
    if not isinstance(document.setdefault(table, {}), dict):
        raise RequestError(f"{table} is no table in the file", hint="correct the file first")
    return document[table], name


def _instead(key: Key) -> str:
    return (
        "kaa's own way to name channels is channel-aliases"
        if "channel" in key.field
        else "`kaa config --describe` shows the keys of kaa's own file"
    )


def _apply(
    document: TOMLDocument, edit: Edit, key: Key, entry: str | None, now: Configuration
) -> list[str]:
    if entry is not None and not is_table(key):
        raise RequestError(f"{key.own} is no table", hint=f"leave out `.{entry}`")
    if edit.what == "set":
        return _set(document, edit, key, entry)
    if edit.what == "unset":
        return _unset(document, edit, key, entry)
    return _list_edit(document, edit, key, entry, now)


def _set(document: TOMLDocument, edit: Edit, key: Key, entry: str | None) -> list[str]:
    if is_list(key):
        raise RequestError(
            f"{edit.name} is a list",
            hint=f"add to it: kaa config --append {edit.name} {edit.value or 'VALUE'}",
        )
    if is_table(key):
        if entry is None:
            raise RequestError(
                f"{edit.name} is a table", hint=f"name an entry: --set {edit.name}.NAME VALUE"
            )
        table, name = _table_of(document, key)
        table.setdefault(name, {})[entry] = edit.value
        return []
    table, name = _table_of(document, key)
    table[name] = _typed(key, edit)
    return []


def _typed(key: Key, edit: Edit) -> Any:
    """Return a value as TOML has it: the first kind of value that the key takes."""
    place = Place(Path("/"), {}, expands=False)
    expected: WrongValueError | None = None
    for candidate in _candidates(edit.value):
        try:
            key.read(candidate, place)
        except WrongValueError as error:
            expected = error
        else:
            return candidate
    assert expected is not None
    raise RequestError(
        f"{edit.name} cannot be {edit.value!r}",
        cause=f"it has to be {expected.expected}",
        hint=f"for example: kaa config --set {edit.name} {expected.example}",
    )


def _candidates(text: str) -> list[Any]:
    plain = text.strip().lower()
    found: list[Any] = []
    if plain in ("true", "false", "yes", "no", "on", "off"):
        found.append(plain in ("true", "yes", "on"))
    for number in (int, float):
        try:
            found.append(number(text))
        except ValueError:
            continue
    return [*found, text]


def _unset(document: TOMLDocument, edit: Edit, key: Key, entry: str | None) -> list[str]:
    table, name = _table_of(document, key)
    if entry is not None:
        table, name = table.get(name, {}), entry
    if name not in table:
        raise RequestError(
            f"{edit.name} is not in the file", hint="`kaa config --show-sources` says what is"
        )
    del table[name]
    return []


def _list_edit(
    document: TOMLDocument, edit: Edit, key: Key, entry: str | None, now: Configuration
) -> list[str]:
    is_table_of_lists = is_table(key) and entry is not None
    if not (is_list(key) or is_table_of_lists):
        hint = f"kaa config --set {edit.name} VALUE"
        raise RequestError(f"{edit.name} is no list", hint=hint)
    if is_table_of_lists:
        table, name = _table_of(document, key)
        table, name = table.setdefault(name, {}), str(entry)
        there = table.get(name, [])
        values = [there] if isinstance(there, str) else list(there)
    else:
        table, name = _table_of(document, key)
        values = list(table.get(name, map(str, getattr(now, key.field))))
    notes = []
    if edit.what == "remove":
        if edit.value not in values:
            raise RequestError(
                f"{edit.value!r} is not in {edit.name}",
                hint=f"it has: {', '.join(values) or 'nothing'}",
            )
        values.remove(edit.value)
    else:
        if edit.value in values:
            where = "the bottom" if edit.what == "append" else "the top"
            notes.append(f"{edit.value!r} was in {edit.name} already, and moves to {where}")
            values.remove(edit.value)
        values.insert(len(values) if edit.what == "append" else 0, edit.value)
    table[name] = values
    return notes
