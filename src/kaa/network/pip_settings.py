"""pip's settings: environment variables ``PIP_*`` and the files ``pip.conf`` or ``pip.ini``.

As pip documents them (user guide, "Configuration"): a variable wins over every file, ``[install]``
over ``[global]``, and the files override each other in the order global, user, site,
``PIP_CONFIG_FILE``.
"""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

from kaa.model.errors import RequestError
from kaa.network.locations import as_url
from kaa.network.settings import make_index

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

_VARIABLES = {
    "index-url": ("PIP_INDEX_URL",),
    "extra-index-url": ("PIP_EXTRA_INDEX_URL",),
    "find-links": ("PIP_FIND_LINKS",),
    "no-index": ("PIP_NO_INDEX",),
    "cert": ("PIP_CERT",),
    "client-cert": ("PIP_CLIENT_CERT",),
    "proxy": ("PIP_PROXY",),
    "timeout": ("PIP_TIMEOUT", "PIP_DEFAULT_TIMEOUT"),
    "retries": ("PIP_RETRIES",),
    "trusted-host": ("PIP_TRUSTED_HOST",),
    "keyring-provider": ("PIP_KEYRING_PROVIDER",),
}
_OPTIONS = {"default-timeout": "timeout", "pypi-url": "index-url"}
_FALSE = {"", "0", "n", "no", "f", "false", "off"}


def read_pip_settings(
    environ: Mapping[str, str], files: Sequence[Path] | None = None
) -> dict[str, Any]:
    """Return what pip is told, by the keys that :func:`~kaa.network.settings.load_settings` reads.

    Raises :class:`~kaa.model.errors.RequestError` for a file that cannot be parsed or a number
    that is none.
    """
    options = _from_files(list(_find_files(environ)) if files is None else files)
    for option, names in _VARIABLES.items():
        value = next((environ[name] for name in names if environ.get(name)), None)
        if value is not None:
            options[option] = value
    settings: dict[str, Any] = {
        "indexes": [make_index(url) for url in options.get("extra-index-url", "").split()],
        "find-links": tuple(map(as_url, options.get("find-links", "").split())),
        "trusted-hosts": tuple(options.get("trusted-host", "").split()),
        "no-index": options.get("no-index", "").lower() not in _FALSE,
    }
    if options.get("index-url"):
        settings["default"] = make_index(options["index-url"])
    for option in ("cert", "client-cert", "proxy"):
        settings[option] = options.get(option) or None
    for option, number in (("timeout", float), ("retries", int)):
        if option in options:
            settings[option] = _number(option, options[option], number)
    if "keyring-provider" in options:
        # "auto" means the keyring module inside pip's own environment, which kaa does not have.
        settings["keyring"] = options["keyring-provider"] == "subprocess"
    return settings


def _number(option: str, text: str, number: type[int] | type[float]) -> float:
    try:
        return number(text)
    except ValueError:
        raise RequestError(
            f"pip's setting {option} is not a number: {text!r}",
            hint=f"correct it with: pip config set global.{option} 15 (or the variable PIP_*)",
        ) from None


def _from_files(files: Sequence[Path]) -> dict[str, str]:
    import configparser

    options: dict[str, str] = {}
    for path in files:
        parser = configparser.RawConfigParser()
        try:
            parser.read(path, encoding="utf-8")
        except (configparser.Error, UnicodeDecodeError) as error:
            raise RequestError(
                f"pip's configuration file {path} cannot be read",
                cause=str(error).splitlines()[0],
                hint="correct the file, or set PIP_CONFIG_FILE to another one",
            ) from error
        found: dict[str, str] = {}
        for section in ("global", "install"):
            if parser.has_section(section):
                for key, value in parser.items(section):
                    option = key.replace("_", "-").lower()
                    found[_OPTIONS.get(option, option)] = value
        options.update(found)
    return options


def _find_files(environ: Mapping[str, str]) -> Iterator[Path]:
    explicit = environ.get("PIP_CONFIG_FILE")
    if explicit == os.devnull:
        return
    name = "pip.ini" if sys.platform == "win32" else "pip.conf"
    yield from (Path(folder, name) for folder in _global_folders(environ))
    # pip leaves out the user's own file when PIP_CONFIG_FILE names one that is there.
    if not (explicit and Path(explicit).exists()):
        yield from (Path(folder, name) for folder in _user_folders(environ))
    yield Path(environ.get("VIRTUAL_ENV") or sys.prefix, name)
    if explicit:
        yield Path(explicit)


def _global_folders(environ: Mapping[str, str]) -> list[str]:
    if sys.platform == "win32":
        return [str(Path(environ.get("PROGRAMDATA", "C:\\ProgramData"), "pip"))]
    if sys.platform == "darwin":
        return ["/Library/Application Support/pip"]
    folders = (environ.get("XDG_CONFIG_DIRS") or "/etc/xdg").split(os.pathsep)
    return [*(str(Path(folder, "pip")) for folder in reversed(folders) if folder), "/etc"]


def _user_folders(environ: Mapping[str, str]) -> list[str]:
    home = environ.get("HOME") or environ.get("USERPROFILE") or str(Path.home())
    if sys.platform == "win32":
        roaming = environ.get("APPDATA") or str(Path(home, "AppData", "Roaming"))
        return [str(Path(home, "pip")), str(Path(roaming, "pip"))]
    config = environ.get("XDG_CONFIG_HOME") or str(Path(home, ".config"))
    folders = [str(Path(home, ".pip")), str(Path(config, "pip"))]
    if sys.platform == "darwin":
        support = Path(home, "Library", "Application Support", "pip")
        folders[1:] = [str(support)] if support.is_dir() else [str(Path(home, ".config", "pip"))]
    return folders
