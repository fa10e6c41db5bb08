"""Activating an environment without a shell: the variables that conda and venv would set.

This module becomes part of the kernel launcher, one file that runs at every kernel start under
the environment's own interpreter (see :mod:`kaa.kernels.installed_launcher`). It therefore keeps
to the standard library, to Python 3.7's syntax, and to imports that cost nothing.
"""

# Importing pathlib would double the time that the launcher takes.
# ruff: noqa: PTH110, PTH115, PTH118, PTH120, PTH123, PTH208

from __future__ import annotations

import os
import sys

from kaa.environments.activation_scripts import script_changes

# `typing` is slow to import; checkers take this name for typing's own.
TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping
    from types import ModuleType

WINDOWS = os.name == "nt"

ACTIVATION = "activation"
"""Where it is remembered what activation scripts set, below the layout's ``metadata``."""
MISLEADING = ("PYTHONHOME", "__PYVENV_LAUNCHER__")
"""Variables that would have an environment's Python look for its library elsewhere."""
PREFIX_VARIABLE = "KAA_TYPED_PREFIX"
"""Names the environment of a notebook, for the one command that was typed in there."""
_UNSET = "***unset***"
"""What ``conda env config vars unset`` writes into the state file instead of a value."""


def generation_of(prefix: str | os.PathLike[str]) -> str:
    """Return the directory behind an environment's link, or ``prefix`` when it is no link.

    Only the last component is resolved: the path stays below the one the user knows.
    """
    prefix = os.fspath(prefix)
    try:
        target = os.readlink(prefix)
    except OSError:
        return prefix
    return os.path.normpath(os.path.join(os.path.dirname(prefix), target))


def bin_directories(prefix: str | os.PathLike[str], windows: bool = WINDOWS) -> list[str]:
    """Return the directories that activation puts on PATH, first one first (they may not exist)."""
    prefix = os.fspath(prefix)
    path = path_module(windows)
    if not windows:
        return [path.join(prefix, "bin")]
    folders = ("", r"Library\mingw-w64\bin", r"Library\usr\bin", r"Library\bin", "Scripts", "bin")
    return [path.join(prefix, folder) if folder else prefix for folder in folders]


def interpreter(prefix: str | os.PathLike[str], windows: bool = WINDOWS) -> str:
    """Return the path of the environment's Python, whether it is there or not."""
    prefix = os.fspath(prefix)
    if not windows:
        parts = ["bin", "python"]
    elif os.path.exists(os.path.join(prefix, "pyvenv.cfg")):
        parts = ["Scripts", "python.exe"]
    else:
        parts = ["python.exe"]
    return str(path_module(windows).join(prefix, *parts))


def activation(
    prefix: str | os.PathLike[str],
    generation: str | os.PathLike[str],
    environ: Mapping[str, str],
    windows: bool = WINDOWS,
) -> dict[str, str | None]:
    """Return the variables that activating changes; None stands for one to be unset.

    ``prefix`` is the stable path, which the variables name; ``generation`` the directory behind
    it, whose files are read. An environment that is active in ``environ`` is left first, as
    ``conda activate`` and venv's scripts do: its directories leave PATH, its own variables go.
    """
    prefix, generation = os.fspath(prefix), os.fspath(generation)
    path = path_module(windows)
    active = [environ[name] for name in ("CONDA_PREFIX", "VIRTUAL_ENV") if environ.get(name)]

    changes: dict[str, str | None] = dict.fromkeys(MISLEADING)
    for left in active:
        changes.update(dict.fromkeys(own_variables(left)))
    # Nested activations are over as well; conda remembers each in a numbered variable.
    for name in environ:
        kind, _, number = name.rpartition("_")
        if kind in ("CONDA_PREFIX", "CONDA_STACKED") and number.isdigit():
            changes[name] = None

    changes["PATH"] = _search_path(
        bin_directories(prefix, windows),
        {
            path.normcase(path.normpath(directory))
            for left in (prefix, generation, *active)
            for directory in bin_directories(left, windows)
        },
        environ,
        windows,
    )
    name = default_name(prefix, windows)
    changes["CONDA_PREFIX"] = prefix
    changes["CONDA_DEFAULT_ENV"] = name
    changes["CONDA_PROMPT_MODIFIER"] = "(" + name + ") "
    changes["CONDA_SHLVL"] = "1"
    changes.update(virtual_variables(prefix, generation, windows))
    changes.update(own_variables(generation))
    return changes


def default_name(prefix: str, windows: bool = WINDOWS) -> str:
    """Return what ``CONDA_DEFAULT_ENV`` calls an environment, by conda's own rule."""
    path = path_module(windows)
    named = path.basename(path.dirname(prefix)) == "envs"
    return str(path.basename(prefix)) if named else prefix


def virtual_variables(
    prefix: str, generation: str, windows: bool = WINDOWS
) -> dict[str, str | None]:
    """Return the variables that venv's own scripts set, where the environment is one (PEP 405)."""
    path = path_module(windows)
    virtual = os.path.exists(os.path.join(generation, "pyvenv.cfg"))
    return {
        "VIRTUAL_ENV": prefix if virtual else None,
        "VIRTUAL_ENV_PROMPT": path.basename(prefix) if virtual else None,
    }


def activated(
    prefix: str | os.PathLike[str],
    generation: str | os.PathLike[str],
    environ: Mapping[str, str],
    windows: bool = WINDOWS,
    cache: str | None = None,
) -> dict[str, str]:
    """Return ``environ`` as it is when the environment is active (see :func:`activation`).

    Its activation scripts have run; what they set is remembered in the directory ``cache``.
    """
    merged = _merged(environ, activation(prefix, generation, environ, windows))
    return _merged(merged, script_changes(os.fspath(generation), merged, cache))


def path_module(windows: bool) -> ModuleType:
    """Return the rules of paths there, those of another system imported only when asked for."""
    if windows == WINDOWS:
        return os.path
    if windows:
        import ntpath

        return ntpath
    import posixpath

    return posixpath


def _merged(environ: Mapping[str, str], changes: Mapping[str, str | None]) -> dict[str, str]:
    merged = {**environ, **changes}
    return {name: value for name, value in merged.items() if value is not None}


def become(argv: list[str], environ: Mapping[str, str]) -> int:
    """Run a program, given by its path, in place of this one; it keeps the process id.

    Windows cannot do that: there the program runs as a child, and its exit code is returned.
    Raises OSError when the program cannot be started.
    """
    if not WINDOWS:
        os.execve(argv[0], argv, environ)
    import subprocess

    # Jupyter hands its interrupt event to the kernel as an inherited handle.
    with subprocess.Popen(argv, env=environ, close_fds=False) as process:
        while True:
            try:
                return process.wait()
            except KeyboardInterrupt:
                # Ctrl-C went to the child too; what becomes of it is the child's decision.
                continue


def _search_path(
    first: list[str], leave_out: set[str], environ: Mapping[str, str], windows: bool
) -> str:
    path = path_module(windows)
    # Without PATH, programs are still looked for in the system's default directories.
    present = environ.get("PATH", path.defpath)
    separator: str = path.pathsep
    entries = present.split(separator) if present else []
    kept = [entry for entry in entries if path.normcase(path.normpath(entry)) not in leave_out]
    return separator.join(first + kept)


def own_variables(prefix: str) -> dict[str, str]:
    """Return the variables that an environment sets: its packages' first, then its user's.

    The files are conda's: ``etc/conda/env_vars.d/*.json`` in the order of their names, and
    ``env_vars`` in ``conda-meta/state`` (``conda env config vars set``). PATH is not theirs.
    """
    folder = os.path.join(prefix, "etc", "conda", "env_vars.d")
    try:
        names = sorted(name for name in os.listdir(folder) if name.endswith(".json"))
    except OSError:
        names = []
    variables = {}
    for name in names:
        file = os.path.join(folder, name)
        variables.update(_settable(file, _json_object(file)))
    file = os.path.join(prefix, "conda-meta", "state")
    own = _json_object(file).get("env_vars")
    if isinstance(own, dict):
        variables.update(_settable(file, own))
    return {
        name: str(value)
        for name, value in variables.items()
        if value != _UNSET and name.upper() != "PATH"
    }


def _json_object(file: str) -> dict[str, object]:
    try:
        with open(file, encoding="utf-8") as stream:
            text = stream.read()
    except FileNotFoundError:
        return {}
    except (OSError, ValueError) as error:
        return _ignored(file, error)
    # Most environments have no such file, and then never pay for this import.
    import json

    try:
        content = json.loads(text)
    except ValueError as error:
        return _ignored(file, error)
    return content if isinstance(content, dict) else _ignored(file, "not a JSON object")


def _settable(file: str, variables: dict[str, object]) -> dict[str, object]:
    """Leave out, aloud, what no system takes for a variable."""
    wrong = [
        name
        for name, value in variables.items()
        if not name or "=" in name or "\0" in f"{name}{value}"
    ]
    if wrong:
        sys.stderr.write(f"kaa: no variables, and not set: {wrong} in {file}\n")
    return {name: value for name, value in variables.items() if name not in wrong}


def _ignored(file: str, reason: object) -> dict[str, object]:
    # One broken file must not keep the environment from being used, nor pass unseen.
    sys.stderr.write(f"kaa: the variables in {file} are not set: {reason}\n")
    return {}
