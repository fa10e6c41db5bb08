"""uv's settings: environment variables ``UV_*`` and the user's and the system's ``uv.toml``.

As uv documents them ("Configuration files", "Environment variables", "Package indexes"). A
project's own ``uv.toml`` or ``[tool.uv]`` is not read: kaa's environments belong to no project.
"""

from __future__ import annotations

import os
import re
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

from kaa.model.errors import RequestError
from kaa.network.locations import Credentials, as_url
from kaa.network.settings import make_index

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence

    from kaa.network.settings import Index

_TRUE = {"1", "true", "t", "yes", "y", "on"}
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]*\Z")


def read_uv_settings(
    environ: Mapping[str, str], files: Sequence[Path] | None = None
) -> dict[str, Any]:
    """Return what uv is told, by the keys that :func:`~kaa.network.settings.load_settings` reads.

    Raises :class:`~kaa.model.errors.RequestError` for a file that cannot be parsed or a number
    that is none.
    """
    files = list(_find_files(environ)) if files is None else files
    tables = [_load(path) for path in files]
    try:
        indexes, default = _indexes(environ, tables)
        find_links = _find_links(environ, zip(files, tables, strict=True))
    except (AttributeError, TypeError) as error:
        raise RequestError(
            "uv's configuration has indexes or find-links that are not what uv expects",
            cause=str(error),
            hint="write them as uv documents it: [[index]] with a url, find-links = [...]",
        ) from error
    settings: dict[str, Any] = {
        "indexes": indexes,
        "default": default,
        "find-links": find_links,
        "index-strategy": environ.get("UV_INDEX_STRATEGY") or _option(tables, "index-strategy"),
        "no-index": bool(_option(tables, "no-index")),
        "trusted-hosts": (
            *environ.get("UV_INSECURE_HOST", "").replace(",", " ").split(),
            *(host for table in tables for host in table.get("allow-insecure-host", ())),
        ),
    }
    offline = environ.get("UV_OFFLINE")
    settings["offline"] = offline.lower() in _TRUE if offline else bool(_option(tables, "offline"))
    provider = environ.get("UV_KEYRING_PROVIDER") or _option(tables, "keyring-provider")
    if provider:
        settings["keyring"] = provider == "subprocess"
    for key, names, number in (
        ("timeout", ("UV_HTTP_TIMEOUT", "UV_REQUEST_TIMEOUT", "HTTP_TIMEOUT"), float),
        ("retries", ("UV_HTTP_RETRIES",), int),
    ):
        name = next((name for name in names if environ.get(name)), None)
        if name is not None:
            settings[key] = _number(name, environ[name], number)
    return settings


def _number(name: str, text: str, number: type[int] | type[float]) -> float:
    try:
        return number(text)
    except ValueError:
        raise RequestError(
            f"the environment variable {name} is not a number: {text!r}",
            hint=f"unset it, or set it to a number: export {name}=30",
        ) from None


def _indexes(
    environ: Mapping[str, str], tables: Sequence[Mapping[str, Any]]
) -> tuple[list[Index], Index | None]:
    """Return the indexes that are not the default, by priority, and the default if one is named."""
    extra = [_from_text(environ, text) for text in environ.get("UV_INDEX", "").split()]
    extra += [_from_text(environ, text) for text in environ.get("UV_EXTRA_INDEX_URL", "").split()]
    default = environ.get("UV_DEFAULT_INDEX") or environ.get("UV_INDEX_URL")
    defaults = [_from_text(environ, default)] if default else []
    for table in tables:
        for entry in table.get("index", ()):
            # An explicit index serves only packages that a project pins to it.
            if "url" in entry and not entry.get("explicit"):
                index = _from_table(environ, entry)
                (defaults if entry.get("default") else extra).append(index)
        extra += [make_index(url) for url in table.get("extra-index-url", ())]
        if "index-url" in table:
            defaults.append(make_index(table["index-url"]))
    return extra, defaults[0] if defaults else None


def _find_links(
    environ: Mapping[str, str], tables: Iterable[tuple[Path, Mapping[str, Any]]]
) -> tuple[str, ...]:
    """Return directories and pages of archives; a file's paths are relative to its directory."""
    given = [place.strip() for place in environ.get("UV_FIND_LINKS", "").split(",")]
    found = [as_url(place) for place in given if place]
    for file, table in tables:
        for place in table.get("find-links", ()):
            is_url = "://" in place or place.startswith("file:")
            found.append(place if is_url else as_url(str(file.parent / place)))
    return tuple(found)


def _from_text(environ: Mapping[str, str], text: str) -> Index:
    name, separator, url = text.partition("=")
    if separator and _NAME.match(name):
        return make_index(url, name, _credentials(environ, name))
    return make_index(text)


def _from_table(environ: Mapping[str, str], entry: Mapping[str, Any]) -> Index:
    name = entry.get("name")
    credentials = _credentials(environ, name) if name else None
    return make_index(entry["url"], name, credentials, entry.get("ignore-error-codes", ()))


def _credentials(environ: Mapping[str, str], name: str) -> Credentials | None:
    variable = "UV_INDEX_" + re.sub(r"[^A-Za-z0-9]", "_", name).upper()
    username = environ.get(f"{variable}_USERNAME")
    password = environ.get(f"{variable}_PASSWORD")
    if username is None and password is None:
        return None
    return Credentials(username or "", password)


def _option(tables: Sequence[Mapping[str, Any]], key: str) -> Any:
    return next((table[key] for table in tables if key in table), None)


def _load(path: Path) -> dict[str, Any]:
    if sys.version_info >= (3, 11):
        import tomllib
    else:
        import tomli as tomllib
    try:
        with path.open("rb") as file:
            table: dict[str, Any] = tomllib.load(file)
            return table
    except OSError:
        return {}
    except ValueError as error:
        raise RequestError(
            f"uv's configuration file {path} cannot be read",
            cause=str(error),
            hint="correct the file, or set UV_NO_CONFIG=1 to leave it out",
        ) from error


def _find_files(environ: Mapping[str, str]) -> Iterator[Path]:
    """Yield the user's file, then the system's: the earlier one wins."""
    if environ.get("UV_CONFIG_FILE"):
        yield Path(environ["UV_CONFIG_FILE"])
        return
    if environ.get("UV_NO_CONFIG", "").lower() in _TRUE:
        return
    home = environ.get("HOME") or environ.get("USERPROFILE") or str(Path.home())
    if sys.platform == "win32":
        roaming = environ.get("APPDATA") or str(Path(home, "AppData", "Roaming"))
        folders = [roaming, environ.get("PROGRAMDATA", "C:\\ProgramData")]
    else:
        system = environ.get("XDG_CONFIG_DIRS") or "/etc/xdg"
        folders = [
            environ.get("XDG_CONFIG_HOME") or str(Path(home, ".config")),
            *system.split(os.pathsep),
            "/etc",
        ]
    for folder in folders:
        path = Path(folder, "uv", "uv.toml")
        if path.is_file():
            yield path
