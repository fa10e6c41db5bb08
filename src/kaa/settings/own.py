"""kaa's own settings: ``kaa/config.toml`` of the user and of the system, and variables ``KAA_*``.

The system's file decides what the user's, or the one that ``KAA_CONFIG`` names, says nothing of.
"""

from __future__ import annotations

import re
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

from kaa.model.errors import RequestError
from kaa.settings.keys import KEYS
from kaa.settings.layers import Found, read_value
from kaa.settings.search import VARIABLE
from kaa.settings.values import Place

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from kaa.settings.layers import Layer


def read_own(environ: Mapping[str, str], files: Sequence[Path]) -> Layer:
    """Return what kaa's files and variables say, by the fields of the configuration.

    Of ``files`` the first one that has a key decides it; a variable wins over all. Raises
    :class:`~kaa.model.errors.RequestError` for a file that is no TOML, for keys that kaa does not
    know and for values of the wrong kind.
    """
    found: dict[str, Found] = {}
    for path in files:
        for field, value in _from_file(path, environ).items():
            found.setdefault(field, value)
    return {**found, **_from_variables(environ)}


def _from_file(path: Path, environ: Mapping[str, str]) -> dict[str, Found]:
    document = _flat(_load(path), str(path))
    keys = {key.own: key for key in KEYS if key.own}
    unknown = next((name for name in document if name not in keys), None)
    if unknown is not None:
        raise RequestError(
            f"{path} has a key that kaa does not know: {unknown!r}", hint=_near(unknown, keys)
        )
    return {
        keys[name].field: Found(
            read_value(
                keys[name],
                name,
                raw,
                Place(path.parent, environ, keys[name].expands),
                str(path),
                " = ",
            ),
            (str(path),),
        )
        for name, raw in document.items()
    }


def _flat(document: dict[str, Any], origin: str) -> dict[str, Any]:
    """Return the document with the keys of the tables that keys are in: ``table.key``."""
    tables = {key.own.partition(".")[0] for key in KEYS if "." in key.own}
    flat = {name: value for name, value in document.items() if name not in tables}
    for table in sorted(tables & document.keys()):
        if not isinstance(document[table], dict):
            raise RequestError(
                f"{table} in {origin} has a value of the wrong kind",
                cause="it has to be a table",
                hint=f"write it as `[{table}]`, and its keys below",
            )
        flat.update({f"{table}.{name}": value for name, value in document[table].items()})
    return flat


def _near(unknown: str, keys: Mapping[str, object]) -> str:
    import difflib

    plain = unknown.lower().replace("_", "-")
    conda = {name.replace("_", "-"): key.own for key in KEYS if key.own for name in key.conda}
    near = difflib.get_close_matches(plain, [*keys, *conda], n=1, cutoff=0.6)
    if near:
        return f"did you mean `{conda.get(near[0], near[0])}`?"
    return f"the keys are: {', '.join(sorted(keys))}"


def _load(path: Path) -> dict[str, Any]:
    if sys.version_info >= (3, 11):
        import tomllib
    else:
        import tomli as tomllib
    try:
        with path.open("rb") as file:
            document: dict[str, Any] = tomllib.load(file)
            return document
    except (OSError, ValueError) as error:
        reason = error.strerror if isinstance(error, OSError) else str(error)
        raise RequestError(
            f"kaa's configuration file {path} cannot be read",
            cause=reason,
            hint=f"correct the file, or set {VARIABLE} to another one",
        ) from error


def _from_variables(environ: Mapping[str, str]) -> dict[str, Found]:
    found = {}
    for key in KEYS:
        text = environ.get(key.variable, "").strip() if key.variable else ""
        if not text:
            continue
        raw: Any = text
        if key.field == "channels":
            # Commas where there are any: paths have spaces.
            raw = text.split(",") if "," in text else re.split(r"\s+", text)
        place = Place(Path(), environ, key.expands)
        origin = "the environment"
        value = read_value(key, key.variable, raw, place, origin, "=")
        found[key.field] = Found(value, (key.variable,))
    return found
