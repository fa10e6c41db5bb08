"""Look at the settings and change those in kaa's own file."""

from __future__ import annotations

import difflib
import os
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from kaa.model.errors import RequestError
from kaa.network.locations import redact_text
from kaa.settings.configuration import Configuration, load_configuration
from kaa.settings.descriptions import DESCRIPTIONS
from kaa.settings.editing import edited, find_key
from kaa.settings.keys import KEYS
from kaa.settings.search import VARIABLE, find_condarc, find_own, system_file, user_file
from kaa.settings.values import read_permission

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from kaa.settings.editing import Edit
    from kaa.settings.keys import Key


@dataclass(frozen=True, slots=True)
class Setting:
    """One setting as it is in force: its key, its value, and what decided (none: a default).

    Values are plain (texts, numbers, lists, tables), and credentials are taken out of them.
    """

    key: Key
    value: Any
    origins: tuple[str, ...]

    @property
    def name(self) -> str:
        """What kaa's own file calls it, or else conda."""
        return self.key.own or self.key.conda[0]

    @property
    def conda_name(self) -> str:
        """What conda calls it, or else kaa, in conda's spelling."""
        return self.key.conda[0] if self.key.conda else self.key.own.replace("-", "_")


@dataclass(frozen=True, slots=True)
class FileChange:
    """What an edit of a file does: the lines of a unified diff, and what is to be said of it."""

    path: Path
    text: str
    difference: tuple[str, ...]
    notes: tuple[str, ...] = ()


def settings_in_force(names: Sequence[str], environ: Mapping[str, str]) -> list[Setting]:
    """Return the settings of these names, or all of them, in the order of the documentation.

    Raises :class:`RequestError` for unknown names and unreadable files.
    """
    wanted = [find_key(name)[0] for name in names] or KEYS
    configuration = load_configuration(environ)
    return [
        Setting(key, _value(key, configuration), tuple(configuration.origins.get(key.field, ())))
        for key in wanted
    ]


def _value(key: Key, configuration: Configuration) -> Any:
    value = getattr(configuration, key.field)
    if key.read is read_permission:
        return "allow" if value else "never"
    return plain(value)


def settings_by_file(environ: Mapping[str, str]) -> dict[str, list[Setting]]:
    """Return what each file and the variables say, by where they are: the strongest come first."""
    told: dict[str, list[Setting]] = {}
    variables = {key.variable: environ[key.variable] for key in KEYS if environ.get(key.variable)}
    parts: list[tuple[str, Configuration]] = []
    if variables:
        parts.append(("variables", load_configuration(variables, condarc_files=(), own_files=())))
    bare = {name: value for name, value in environ.items() if name not in variables}
    parts += [
        (str(path), load_configuration(bare, condarc_files=(), own_files=(path,)))
        for path in find_own(environ)
    ]
    parts += [
        (str(path), load_configuration(bare, condarc_files=(path,), own_files=()))
        for path in reversed(list(find_condarc(environ)))
    ]
    for place, configuration in parts:
        told[place] = [
            Setting(key, _value(key, configuration), (place,))
            for key in KEYS
            if key.field in configuration.origins
        ]
    return told


def describe(names: Sequence[str]) -> list[tuple[Key, str, Any]]:
    """Return each key with its meaning and default. Raises :class:`RequestError`."""
    wanted = [find_key(name)[0] for name in names] or KEYS
    defaults = Configuration()
    return [(key, DESCRIPTIONS[key.field], _value(key, defaults)) for key in wanted]


def prepare_edits(
    edits: Sequence[Edit], environ: Mapping[str, str], *, system: bool, file: Path | None
) -> FileChange:
    """Return what changing kaa's own file comes to, and change nothing.

    ``system`` means the system's file, ``file`` any. Raises :class:`RequestError`.
    """
    path = file or (system_file(environ) if system else user_file(environ))
    try:
        before = path.read_text(encoding="utf-8")
    except FileNotFoundError:
        before = ""
    except (OSError, UnicodeDecodeError) as error:
        reason = error.strerror if isinstance(error, OSError) else "it is not UTF-8"
        raise RequestError(f"{path} cannot be read", cause=reason, hint="correct it") from error
    # The file that KAA_CONFIG names may be one that is to be made only now.
    present = {n: v for n, v in environ.items() if n != VARIABLE or Path(v).expanduser().exists()}
    after, notes = edited(before, edits, path, environ, load_configuration(present))
    lines = difflib.unified_diff(
        before.splitlines(), after.splitlines(), str(path), str(path), lineterm="", n=1
    )
    return FileChange(path, after, tuple(map(redact_text, lines)), notes)


def write_edits(change: FileChange) -> None:
    """Write the file, whole; a link stays one, and the mode stays as it was.

    Raises :class:`RequestError` where it cannot be written.
    """
    from kaa.store.disk import rewrite_file

    if change.path.exists() and not os.access(change.path, os.W_OK):
        raise _cannot_write(change.path, "it is read-only")
    try:
        rewrite_file(change.path, change.text.encode())
    except OSError as error:
        raise _cannot_write(change.path, error.strerror or str(error)) from error


def _cannot_write(path: Path, reason: str) -> RequestError:
    return RequestError(
        f"{path} cannot be written",
        cause=reason,
        hint="make it writable, or name another file with --file (KAA_CONFIG names it for all)",
    )


def plain(value: Any) -> Any:
    """Return a value in texts, numbers, lists and tables, without credentials."""
    if isinstance(value, dict):
        return {name: plain(each) for name, each in value.items()}
    if isinstance(value, tuple):
        return [plain(each) for each in value]
    if value is None or isinstance(value, (bool, int, float)):
        return value
    if isinstance(value, str):
        return redact_text(value)
    return redact_text(str(getattr(value, "value", value)))
