"""Changes of what kaa's own file says of single environments; all else in it stays as it is.

An environment may be on a list or in a table, under its path or one of its names.
"""

from __future__ import annotations

import os
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from kaa.model.errors import RequestError
from kaa.settings.search import VARIABLE, user_file

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence
    from pathlib import Path


@dataclass(frozen=True, slots=True)
class EnvironmentEdit:
    """What becomes of one key of a table: the entry of ``names`` goes, and ``value`` comes.

    ``names`` are all that the entry may be called. A ``value`` of None leaves nothing, True puts
    the first of them on a list, a text puts it into a table under the first of them.
    """

    key: str
    names: tuple[str, ...]
    value: str | bool | None


def edit_environments(
    environ: Mapping[str, str],
    table: str,
    edits: Sequence[EnvironmentEdit],
    normal: Callable[[str], str] = str,
) -> Path:
    """Carry out edits in one table of the user's file; return the file, made if there was none.

    Entries are compared as ``normal`` has them. The file is replaced in one step; where it is a
    link, it stays one. Raises :class:`~kaa.model.errors.RequestError` for a file that is no TOML
    and for one that is not to be written, and OSError.
    """
    import tomlkit

    from kaa.store.disk import rewrite_file

    path = user_file(environ)
    if str(path) == os.devnull:
        raise RequestError(
            f"settings are read from no file: {VARIABLE} is {path}",
            hint=f"unset {VARIABLE}, or let it name a file",
        )
    path = path.resolve()
    document = _document(path)
    before = tomlkit.dumps(document)
    for edit in edits:
        if not isinstance(document.get(table, {}), dict):
            raise _no_table(path, table)
        _carry_out(document, table, edit, normal)
    text = tomlkit.dumps(document)
    if text != before:
        rewrite_file(path, text.encode())
    return path


def _document(path: Path) -> Any:
    import tomlkit
    from tomlkit.exceptions import ParseError

    try:
        return tomlkit.parse(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        return tomlkit.document()
    except (ParseError, UnicodeDecodeError) as error:
        raise RequestError(
            f"kaa's configuration file {path} cannot be read",
            cause=str(error),
            hint=f"correct the file, or set {VARIABLE} to another one",
        ) from error


def _carry_out(
    document: Any, table: str, edit: EnvironmentEdit, normal: Callable[[str], str]
) -> None:
    import tomlkit

    if table not in document:
        if edit.value is None:
            return
        document.add(table, tomlkit.table())
    settings = document[table]
    if isinstance(edit.value, bool) or isinstance(settings.get(edit.key), list):
        _edit_list(settings, edit, normal)
    else:
        _edit_table(settings, edit, normal)


def _edit_list(settings: Any, edit: EnvironmentEdit, normal: Callable[[str], str]) -> None:
    entries = settings.get(edit.key)
    if entries is None:
        if edit.value:
            settings[edit.key] = [edit.names[0]]
        return
    meant = [n for n, each in enumerate(entries) if _named(each, edit.names, normal)]
    if edit.value:
        if not meant:
            entries.append(edit.names[0])
        return
    for number in reversed(meant):
        del entries[number]


def _edit_table(settings: Any, edit: EnvironmentEdit, normal: Callable[[str], str]) -> None:
    import tomlkit

    entries = settings.get(edit.key)
    if entries is None:
        if edit.value is None:
            return
        settings[edit.key] = tomlkit.table()
        entries = settings[edit.key]
    meant = [name for name in entries if _named(name, edit.names, normal)]
    if edit.value is not None:
        entries[meant[0] if meant else edit.names[0]] = edit.value
        meant = meant[1:]
    for name in meant:
        del entries[name]


def _named(entry: object, names: Sequence[str], normal: Callable[[str], str]) -> bool:
    return isinstance(entry, str) and normal(str(entry)) in {normal(name) for name in names}


def _no_table(path: Path, table: str) -> RequestError:
    return RequestError(
        f"{table} in {path} has a value of the wrong kind",
        cause="it has to be a table",
        hint=f"write it as `[{table}]`, and its keys below",
    )
