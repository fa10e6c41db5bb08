"""What an environment was made equal to last: so that a sync with nothing to do says so at once.

A sync that came to its end leaves a note in the cache: hashes of the file, of what that names, of
the settings and of the command's options, and which generation came of it, with its records. As
long as all of that is the same there is nothing to solve, and nothing to import for it.
"""

from __future__ import annotations

import hashlib
import json
import os
import re
from typing import TYPE_CHECKING, Any

from kaa import __version__
from kaa.environments.names import resolve_prefix
from kaa.environments.prefix import Prefix
from kaa.settings.search import find_condarc, find_own

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path

    from kaa.model.options import SolveOptions
    from kaa.store.layout import Layout
    from kaa.workflows.wish import Wish

_VARIABLE = re.compile(rb"\$\{?([A-Za-z_]\w*)")
_SETTINGS = ("KAA_", "CONDA_", "PIP_", "UV_")
_OF_SHELLS = re.compile(r"CONDA_(PREFIX|SHLVL|DEFAULT_ENV|PROMPT|EXE|PYTHON_EXE|STACKED|OLD)")


def still_synced(
    name: str | None, prefix: Path | None, file: Path, options: SolveOptions, layout: Layout
) -> Prefix | None:
    """Return the environment if it is what ``file`` says, as far as is known without a solve.

    None where that is not known. Raises nothing: who looks closer says what is wrong.
    """
    from kaa.model.errors import KaaError

    try:
        found = Prefix(resolve_prefix(layout, name, prefix))
        note = json.loads(_note(layout, found).read_bytes())
        files = [type(file)(each) for each in note["files"]]
        same = note["state"] == _state(file, files, options, found)
    except (OSError, ValueError, LookupError, TypeError, KaaError):
        return None
    return found if same and found.current_number is not None else None


def remember_sync(
    file: Path, wish: Wish, options: SolveOptions, layout: Layout, found: Prefix
) -> None:
    """Note that an environment is what ``file`` says. Nothing depends on it, so it may fail.

    What a file names by path, or in a repository, may have changed since: that is never noted.
    """
    from kaa.store.disk import replace_file

    if wish.asked.references:
        return
    try:
        note = _note(layout, found)
        note.parent.mkdir(parents=True, exist_ok=True)
        state = _state(file, wish.files, options, found)
        content = {"files": [str(each) for each in wish.files], "state": state}
        replace_file(note, json.dumps(content).encode())
    except OSError:
        return


def _note(layout: Layout, found: Prefix) -> Path:
    name = hashlib.sha256(str(found.path).encode()).hexdigest()[:32]
    return layout.metadata / "synced" / f"{name}.json"


def _state(
    file: Path, named: Iterable[Path], options: SolveOptions, found: Prefix
) -> dict[str, Any]:
    """Return hashes of all that an answer hangs on."""
    digest = hashlib.sha256(f"{__version__} {options!r}".encode())
    environ = os.environ
    for path in (file.absolute(), *named):
        content = path.read_bytes()
        digest.update(f"{path}\0{len(content)}\0".encode() + content)
        for variable in sorted(set(_VARIABLE.findall(content))):
            digest.update(environ.get(variable.decode(), "").encode() + b"\0")
    for path in (*find_own(environ), *find_condarc(environ, found.path)):
        digest.update(f"{path}\0".encode() + path.read_bytes())
    for name in sorted(environ):
        if name.startswith(_SETTINGS) and not _OF_SHELLS.match(name):
            digest.update(f"{name}={environ[name]}\0".encode())
    return {"asked": digest.hexdigest(), "has": _has(found)}


def _has(found: Prefix) -> list[Any]:
    """Return what tells one state of an environment from another."""
    generation = found.current
    records = generation / "conda-meta"
    names = sorted(os.listdir(records))  # noqa: PTH208 - names, not paths
    state = records / "state"
    variables = state.read_text(encoding="utf-8") if state.exists() else ""
    return [str(generation), names, records.stat().st_mtime_ns, variables]
