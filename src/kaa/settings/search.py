"""Where configuration files are looked for: a few questions to the file system, and no parsing.

kaa's own file is where platformdirs has it; importing that would take longer than all of this.
"""

from __future__ import annotations

import os
import sys

# This is at the beginning of every command, `kaa activate` among them: neither pathlib nor typing,
# which together take longer than all questions. Checkers take this name for typing's own.
TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from pathlib import Path

FILE = "config.toml"
VARIABLE = "KAA_CONFIG"
SETTINGS = (
    "KAA_CHANNELS",
    "KAA_CHANNEL_PRIORITY",
    "KAA_COMPILE",
    "KAA_EXCLUDE_NEWER",
    "KAA_NAME_MAPPING",
    "KAA_OFFLINE",
)
"""The variables that are settings themselves."""

_NAMES = (".condarc", "condarc")
_SUFFIXES = (".yml", ".yaml")


def find_condarc(environ: Mapping[str, str], prefix: Path | None = None) -> Iterator[Path]:
    """Yield the files of conda's search path that are there, the least important first.

    ``prefix`` is the environment that is worked on; without, it is the active one.
    """
    for file in _condarc_files(environ, str(prefix) if prefix else environ.get("CONDA_PREFIX")):
        from pathlib import Path

        yield Path(file)


def _condarc_files(environ: Mapping[str, str], prefix: str | None) -> Iterator[str]:
    for folder in _conda_folders(environ):
        yield from _files_in(folder)
    home = _home(environ)
    if home and os.path.isfile(f"{home}/.condarc"):  # noqa: PTH113
        yield f"{home}/.condarc"
    if prefix:
        yield from _files_in(prefix)
    explicit = os.path.expanduser(environ.get("CONDARC", ""))  # noqa: PTH111
    if explicit and os.path.isfile(explicit):  # noqa: PTH113
        yield explicit


def has_files(environ: Mapping[str, str]) -> bool:
    """Say whether there is any configuration file. Raises what :func:`find_own` raises."""
    files = _own_files(environ), _condarc_files(environ, environ.get("CONDA_PREFIX"))
    return any(True for found in files for _ in found)


def _conda_folders(environ: Mapping[str, str]) -> Iterator[str]:
    """Yield the folders that come before ``~/.condarc``."""
    if sys.platform == "win32":
        yield environ.get("PROGRAMDATA", "C:/ProgramData") + "/conda"
    else:
        yield from ("/etc/conda", "/var/lib/conda")
    root = _root(environ)
    if root:
        yield root
    home = _home(environ)
    configuration = environ.get("XDG_CONFIG_HOME")
    if configuration:
        yield f"{configuration}/conda"
    if home:
        if configuration != f"{home}/.config":
            yield f"{home}/.config/conda"
        yield f"{home}/.conda"


def _root(environ: Mapping[str, str]) -> str | None:
    """Return the prefix of conda itself, or mamba's: conda knows its own, others have to ask."""
    for name in ("CONDA_ROOT", "MAMBA_ROOT_PREFIX"):
        if environ.get(name):
            return environ[name]
    program = environ.get("CONDA_EXE")
    # <root>/bin/conda, <root>\Scripts\conda.exe
    return os.path.dirname(os.path.dirname(program)) if program else None  # noqa: PTH120


def _home(environ: Mapping[str, str]) -> str | None:
    return environ.get("HOME") or environ.get("USERPROFILE")


def _files_in(folder: str) -> Iterator[str]:
    for name in _NAMES:
        if os.path.isfile(f"{folder}/{name}"):  # noqa: PTH113 - never raises, and is fast
            yield f"{folder}/{name}"
    below = f"{folder}/condarc.d"
    try:
        names = sorted(os.listdir(below))  # noqa: PTH208 - fails at once where there is none
    except OSError:
        return
    for name in names:
        if name in _NAMES or name.endswith(_SUFFIXES):
            yield f"{below}/{name}"


def find_own(environ: Mapping[str, str]) -> Iterator[Path]:
    """Yield kaa's files that are there: the user's, then the system's.

    Raises :class:`~kaa.model.errors.RequestError` if the one that ``KAA_CONFIG`` names is not.
    """
    for file in _own_files(environ):
        from pathlib import Path

        yield Path(file)


def _own_files(environ: Mapping[str, str]) -> Iterator[str]:
    explicit = environ.get(VARIABLE)
    if explicit:
        path = os.path.expanduser(explicit)  # noqa: PTH111
        if os.path.isfile(path):  # noqa: PTH113
            yield path
        elif explicit != os.devnull:
            from kaa.model.errors import RequestError

            raise RequestError(
                f"there is no configuration file {path}",
                hint=f"correct {VARIABLE}, or unset it",
            )
    for folder in _own_folders(environ)[1 if explicit else 0 :]:
        if os.path.isfile(f"{folder}/{FILE}"):  # noqa: PTH113 - never raises, and is fast
            yield f"{folder}/{FILE}"


def user_file(environ: Mapping[str, str]) -> Path:
    """Return where the user's own file is, or would be."""
    from pathlib import Path

    explicit = environ.get(VARIABLE)
    return Path(explicit).expanduser() if explicit else Path(_own_folders(environ)[0], FILE)


def system_file(environ: Mapping[str, str]) -> Path:
    """Return where the system's own file is, or would be: the first of its places."""
    from pathlib import Path

    folders = _own_folders(environ)[1:]
    there = (each for each in folders if os.path.isfile(f"{each}/{FILE}"))  # noqa: PTH113
    return Path(next(there, folders[-1]), FILE)


def _own_folders(environ: Mapping[str, str]) -> list[str]:
    """Return the user's folder and then the system's."""
    home = environ.get("HOME") or environ.get("USERPROFILE") or "~"
    if sys.platform == "win32":
        local = environ.get("LOCALAPPDATA") or f"{home}\\AppData\\Local"
        return [f"{local}\\kaa", environ.get("PROGRAMDATA", "C:\\ProgramData") + "\\kaa"]
    system = environ.get("XDG_CONFIG_DIRS")
    user = environ.get("XDG_CONFIG_HOME")
    if sys.platform == "darwin":
        folders = [user or f"{home}/Library/Application Support"]
        folders += system.split(os.pathsep) if system else ["/Library/Application Support"]
    else:
        folders = [user or f"{home}/.config", *(system or "/etc/xdg").split(os.pathsep), "/etc"]
    return [f"{folder}/kaa" for folder in folders if folder]
