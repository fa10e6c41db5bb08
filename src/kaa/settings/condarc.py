"""conda's own settings: the files ``.condarc``, found and merged as conda documents it.

"Using the .condarc conda configuration file" and "The conda configuration engine for power
users" in conda's documentation. In short: all files of a search path count; for a single value
the last file wins, lists and tables are joined with those of later files first, and three
comments change that: ``#!final`` on a key (no later file changes it), ``#!top`` and ``#!bottom`` on
the entry of a list. Environment variables ``CONDA_*`` are conda's, not read here.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from kaa.model.errors import RequestError
from kaa.settings.keys import KEYS
from kaa.settings.layers import Found, read_value
from kaa.settings.values import Place

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator, Mapping, Sequence
    from pathlib import Path

    from kaa.settings.keys import Key
    from kaa.settings.layers import Layer


@dataclass(frozen=True, slots=True)
class _Setting:
    """What one file says of one key. ``marks`` has the marks of entries, by index or name."""

    origin: str
    value: Any
    final: bool
    marks: Mapping[int | str, str]

    def marked(self, mark: str) -> list[Any]:
        """Return the entries (of a list) or names (of a table) that have this mark."""
        names = self.value if isinstance(self.value, dict) else range(len(self.value))
        chosen = [name for name in names if self.marks.get(name) == mark]
        return chosen if isinstance(self.value, dict) else [self.value[n] for n in chosen]


def read_condarc(
    environ: Mapping[str, str],
    files: Sequence[Path],
    *,
    fields: Collection[str] | None = None,
) -> Layer:
    """Return what the files say, by the fields of the configuration.

    Of ``files`` the later ones win. With ``fields``, files that cannot say anything of those
    fields are not parsed: that costs 30 ms.

    Raises :class:`~kaa.model.errors.RequestError` for a file that is no YAML or cannot be read,
    and for values of the wrong kind; keys that kaa does not know are conda's own business.
    """
    wanted = [key for key in KEYS if key.conda and (fields is None or key.field in fields)]
    found: dict[str, list[_Setting]] = {}
    for path in files:
        text = _read(path)
        if not any(name in text for key in wanted for name in key.conda):
            continue
        for key, setting in _settings(path, _parse(path, text), wanted, environ):
            found.setdefault(key.field, []).append(setting)
    return {field: _merge(settings) for field, settings in found.items()}


def read_pinned(prefix: Path) -> tuple[str, ...]:
    """Return the match specs of ``conda-meta/pinned`` ("Preventing packages from updating").

    One a line; empty lines and comments are left out. Raises
    :class:`~kaa.model.errors.RequestError` for a file that is there and cannot be read.
    """
    try:
        text = _read(prefix / "conda-meta" / "pinned")
    except RequestError as error:
        if isinstance(error.__cause__, (FileNotFoundError, NotADirectoryError)):
            return ()
        raise
    lines = (line.split(" #")[0].strip() for line in text.splitlines())
    return tuple(line for line in lines if line and not line.startswith("#"))


def _read(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8-sig")
    except (OSError, UnicodeDecodeError) as error:
        reason = error.strerror if isinstance(error, OSError) else "it is not UTF-8"
        raise RequestError(
            f"{path} cannot be read",
            cause=reason,
            hint="make the file readable for you, or move it away",
        ) from error


def _parse(path: Path, text: str) -> dict[str, Any]:
    from ruamel.yaml import YAML
    from ruamel.yaml.error import MarkedYAMLError, YAMLError

    try:
        # With comments, because some of them mean something; creates no objects but plain ones.
        document = YAML().load(text)
    except (YAMLError, ValueError, RecursionError) as error:
        mark = error.problem_mark if isinstance(error, MarkedYAMLError) else None
        problem = error.problem if isinstance(error, MarkedYAMLError) else None
        place = f"line {mark.line + 1}, column {mark.column + 1}: " if mark else ""
        raise RequestError(
            f"{path} is not valid YAML",
            cause=f"{place}{problem or type(error).__name__}",
            hint="correct the file; `conda config --show-sources` reads it as well",
        ) from error
    if document is None:
        return {}
    if not isinstance(document, dict):
        raise RequestError(
            f"{path} is not a table of settings",
            hint="write one setting a line, such as `channel_priority: strict`",
        )
    return document


def _settings(
    path: Path, document: dict[str, Any], wanted: Sequence[Key], environ: Mapping[str, str]
) -> Iterator[tuple[Key, _Setting]]:
    for key in wanted:
        given = [name for name in key.conda if document.get(name) is not None]
        if not given:
            continue
        name = given[0]
        raw = document[name]
        place = Place(path.parent, environ, key.expands)
        value = read_value(key, name, raw, place, str(path), ": ")
        final = _mark(document, name, 2) == "final"
        yield key, _Setting(str(path), value, final, _marks(raw, value))


def _marks(raw: Any, value: Any) -> dict[int | str, str]:
    if isinstance(value, dict):
        return {name: _mark(raw, name, 2) for name in value}
    if isinstance(value, tuple):
        # Entries without a value are not in the value either.
        there = [index for index, entry in enumerate(raw) if entry and entry.strip()]
        return {n: _mark(raw, index, 0) for n, index in enumerate(there)}
    return {}


def _mark(node: Any, key: int | str, position: int) -> str:
    """Return the mark in the comment behind a key or an entry, empty if there is none."""
    comments = getattr(getattr(node, "ca", None), "items", {}).get(key)
    token = comments[position] if comments else None
    comment = str(getattr(token, "value", "")).partition("\n")[0].strip()
    return comment[2:].strip() if comment.startswith("#!") else ""


def _merge(settings: Sequence[_Setting]) -> Found:
    """Return one value for what several files say, the least important of them first."""
    last = next((n for n, setting in enumerate(settings) if setting.final), len(settings) - 1)
    heard = settings[: last + 1]
    value: Any = heard[-1].value
    origins = tuple(dict.fromkeys(setting.origin for setting in heard))
    if isinstance(value, tuple):
        return Found(_merge_lists(heard), origins)
    if isinstance(value, dict):
        joined: dict[str, Any] = {}
        for setting in heard:
            joined.update(setting.value)
        for setting in reversed(heard):
            joined.update({name: setting.value[name] for name in setting.marked("final")})
        return Found(joined, origins)
    return Found(value, origins[-1:])


def _merge_lists(settings: Sequence[_Setting]) -> tuple[Any, ...]:
    """Join lists, later files first but for marked entries, in which earlier files are stronger."""
    top = [entry for setting in settings for entry in setting.marked("top")]
    plain = [entry for setting in reversed(settings) for entry in setting.value]
    bottom = [entry for setting in reversed(settings) for entry in setting.marked("bottom")]
    at_end = tuple(dict.fromkeys(reversed(bottom)))
    first = [entry for entry in dict.fromkeys([*top, *plain]) if entry not in at_end]
    return (*first, *reversed(at_end))
