"""What an environment's own activation scripts set: ``etc/conda/activate.d/*.sh``.

Only a shell knows what they do, so one runs them, once: the difference that they make is remembered
with the scripts' times and with what they were given, and is read from a file from then on.

This module becomes part of the kernel launcher, as :mod:`kaa.environments.activation` does, whose
rules hold here: the standard library, Python 3.7's syntax, imports that cost nothing.
"""

# Importing pathlib would double the time that the launcher takes.
# ruff: noqa: PTH103, PTH105, PTH116, PTH118, PTH120, PTH123, PTH208

from __future__ import annotations

import os
import sys

# `typing` is slow to import; checkers take this name for typing's own.
TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping

_VOLATILE = ("PWD", "OLDPWD", "SHLVL", "_", "COLUMNS", "LINES", "WINDOWID")
"""Variables that differ from one start to the next and that no script looks at."""
_VOLATILE_BEGINNINGS = ("JPY_", "KERNEL_")
_SHELLS_OWN = ("PWD", "OLDPWD", "SHLVL", "_", "PS1", "BASH_EXECUTION_STRING")
_PATIENCE = 20
"""Seconds that the scripts may take, all together."""
_RUN_ALL = 'for file in "$@"; do . "$file"; done; exec env -0'


def script_changes(
    generation: str, environ: Mapping[str, str], cache: str | None
) -> dict[str, str | None]:
    """Return the variables that the scripts of ``generation`` change; None is one to be unset.

    ``environ`` is that of the activated environment; ``cache`` a directory to remember the answer
    in, None not to. Scripts that fail are passed over, and said on standard error.
    """
    folder = os.path.join(generation, "etc", "conda", "activate.d")
    try:
        names = sorted(name for name in os.listdir(folder) if name.endswith(".sh"))
    except OSError:
        return {}
    if not names or os.name == "nt":
        return {}
    scripts = [os.path.join(folder, name) for name in names]
    key = _key(scripts, environ)
    file = os.path.join(cache, _file_name(generation)) if cache is not None else None
    known = _remembered(file, key)
    if known is not None:
        return known
    after = _run(scripts, environ)
    if after is None:
        return {}
    changes = _difference(environ, after)
    if file is not None:
        _remember(file, key, changes)
    return changes


def _key(scripts: list[str], environ: Mapping[str, str]) -> str:
    """Return what stands for the scripts and for what they are given, and tells no secret of it."""
    import hashlib

    digest = hashlib.sha256()
    for script in scripts:
        try:
            status = os.stat(script)
        except OSError:
            continue
        digest.update(repr((script, status.st_mtime_ns, status.st_size)).encode())
    for name in sorted(environ):
        if name not in _VOLATILE and not name.startswith(_VOLATILE_BEGINNINGS):
            digest.update(os.fsencode(name) + b"=" + os.fsencode(environ[name]) + b"\0")
    return digest.hexdigest()


def _file_name(generation: str) -> str:
    import hashlib

    return hashlib.sha256(os.fsencode(generation)).hexdigest()[:16] + ".json"


def _remembered(file: str | None, key: str) -> dict[str, str | None] | None:
    if file is None:
        return None
    import json

    try:
        with open(file, encoding="utf-8") as stream:
            content = json.load(stream)
        changes = content["changes"]
    except (OSError, ValueError, LookupError, TypeError):
        return None
    return changes if content["key"] == key and isinstance(changes, dict) else None


def _remember(file: str, key: str, changes: dict[str, str | None]) -> None:
    import json

    beside = f"{file}.{os.getpid()}"
    try:
        os.makedirs(os.path.dirname(file), exist_ok=True)
        # For this user alone: scripts may set what is secret.
        descriptor = os.open(beside, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
        with open(descriptor, "w", encoding="utf-8") as stream:
            json.dump({"key": key, "changes": changes}, stream)
        os.replace(beside, file)
    except (OSError, ValueError):
        pass  # then the scripts run once more the next time


def _run(scripts: list[str], environ: Mapping[str, str]) -> dict[str, str] | None:
    """Return the variables after the scripts, as the shell that conda's are written for has them.

    None when that cannot be found out.
    """
    import shutil
    import subprocess

    shell = shutil.which("bash", path=environ.get("PATH")) or shutil.which("bash")
    command = [shell, "--noprofile", "--norc"] if shell else ["/bin/sh"]
    try:
        done = subprocess.run(
            [*command, "-c", _RUN_ALL, "activate", *scripts],
            env=dict(environ),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            timeout=_PATIENCE,
            check=True,
        )
    except (OSError, subprocess.SubprocessError) as error:
        sys.stderr.write(f"kaa: the activation scripts beside {scripts[0]} failed: {error}\n")
        return None
    # What a script itself printed comes before, and has no NUL; the first variable follows it.
    pairs = (entry.partition(b"=") for entry in done.stdout.split(b"\0") if b"=" in entry)
    return {os.fsdecode(name.rpartition(b"\n")[2]): os.fsdecode(value) for name, _, value in pairs}


def _difference(before: Mapping[str, str], after: Mapping[str, str]) -> dict[str, str | None]:
    changes: dict[str, str | None] = {
        name: value
        for name, value in after.items()
        if before.get(name) != value and name not in _SHELLS_OWN
    }
    changes.update({name: None for name in before if name not in after and name != "_"})
    return changes
