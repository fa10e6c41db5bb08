"""What an environment was made equal to last: so that a sync with nothing to do says so at once.

A sync that came to its end leaves a note in the cache, and so does what makes a new environment of
a file: hashes of the file, of what that names, of the settings and of the command's options, and
which generation came of it, with its records. As long as all of that is the same there is nothing
to solve, and nothing to import for it.

A note has to be true of the file that was *read*, and of the environment that came of it, whatever
became of the two while somebody solved. So the file is looked at before it is read (:func:`look`)
and again when all is done, and the environment is compared with the answer.
"""

from __future__ import annotations

import hashlib
import json
import os
import re
import sys
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from kaa import __version__
from kaa.environments.names import resolve_prefix
from kaa.environments.prefix import Prefix, record_names
from kaa.environments.variables import STATE, read_variables
from kaa.settings.search import find_condarc, find_own

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator
    from pathlib import Path

    from rattler import RepoDataRecord

    from kaa.model.options import SolveOptions
    from kaa.store.layout import Layout
    from kaa.workflows.wish import Wish

_VARIABLE = re.compile(rb"\$\{?([A-Za-z_]\w*)")
_SETTINGS = ("KAA_", "CONDA_", "PIP_", "UV_")
_OF_SHELLS = re.compile(r"CONDA_(PREFIX|SHLVL|DEFAULT_ENV|PROMPT|EXE|PYTHON_EXE|STACKED|OLD)")
_DISTRIBUTIONS = (".dist-info", ".egg-info", ".egg-link", ".pth")


@dataclass(frozen=True, slots=True)
class Look:
    """A file and the settings, as they were before the file was read.

    ``asked`` and ``named`` are hashes: of all that an answer hangs on, and of the files that the
    file names; None where nothing is to be noted.
    """

    file: Path
    options: SolveOptions
    asked: str | None
    named: str | None = None


def look(file: Path, options: SolveOptions, prefix: Path) -> Look:
    """Look at a file that is going to be read for the environment at ``prefix``."""
    try:
        return Look(file, options, _asked(file, options, prefix))
    except (OSError, ValueError):
        return Look(file, options, None)


def looked(before: Look, wish: Wish, read: Callable[[], Wish]) -> Look:
    """Look at the files that a file names, now that it has been read, too; ``read`` does it again.

    Which they are is known by now only. So what names others is read twice, and does not count
    where that comes to something else.
    """
    try:
        named = _content(wish.files)
        return replace(before, named=named if not wish.files or read() == wish else None)
    except OSError:
        return before


def still_synced(
    name: str | None, prefix: Path | None, file: Path, options: SolveOptions, layout: Layout
) -> Prefix | None:
    """Return the environment if it is what ``file`` says, as far as is known without a solve.

    Without ``name`` and ``prefix`` it is the one that the file names: to read that takes longer
    than all the rest, so that is noted, too. None where it is not known. Raises nothing: who looks
    closer says what is wrong.
    """
    from kaa.model.errors import KaaError

    try:
        if name is None and prefix is None:
            name = _naming(layout, file).read_text(encoding="utf-8")
        found = Prefix(resolve_prefix(layout, name, prefix))
        note = json.loads(_note(layout, found).read_bytes())
        same = (
            note["asked"] == _asked(file, options, found.path)
            and note["named"] == _content(type(file)(each) for each in note["files"])
            and note["has"] == _has(found)
        )
    except (OSError, ValueError, LookupError, TypeError, KaaError):
        return None
    return found if same and found.current_number is not None else None


def remember_sync(
    before: Look, wish: Wish, records: Iterable[RepoDataRecord], layout: Layout, found: Prefix
) -> None:
    """Note that an environment is what a file says, if it is: it has these records, and no others.

    The caller is the environment's only writer. Nothing depends on the note, so it may fail. What a
    file names by path, or in a repository, may have changed since: that is never noted.
    """
    from kaa.model.errors import KaaError
    from kaa.store.disk import replace_file

    if wish.asked.references or None in (before.asked, before.named):
        return
    try:
        if found.current_number is None or not _is_wished(found, wish, records):
            return
        note = {
            "files": [str(each) for each in wish.files],
            "asked": _asked(before.file, before.options, found.path),
            "named": _content(wish.files),
            "has": _has(found),
        }
        if (note["asked"], note["named"]) == (before.asked, before.named):
            replace_file(_note(layout, found), json.dumps(note).encode())
            if wish.name is not None and resolve_prefix(layout, wish.name, None) == found.path:
                replace_file(_naming(layout, before.file), wish.name.encode())
    except (OSError, ValueError, KaaError):
        return


def _is_wished(found: Prefix, wish: Wish, records: Iterable[RepoDataRecord]) -> bool:
    """Say whether an environment is what was answered; another program may have changed it."""
    wanted = {f"{each.name.normalized}-{each.version}-{each.build}" for each in records}
    if set(record_names(found.current)) != wanted:
        return False
    follows = wish.lock is not None or wish.locked  # and says nothing of variables
    return follows or read_variables(found.current) == dict(wish.variables)


def _note(layout: Layout, found: Prefix) -> Path:
    name = hashlib.sha256(str(found.path).encode()).hexdigest()[:32]
    return layout.metadata / "synced" / f"{name}.json"


def _naming(layout: Layout, file: Path) -> Path:
    """Return where it is noted which environment a file with this content names."""
    return layout.metadata / "synced" / f"{_content((file.absolute(),))[:32]}.name"


def _asked(file: Path, options: SolveOptions, prefix: Path) -> str:
    """Return a hash of all that an answer hangs on, but for what the file names."""
    machine = os.uname().machine if hasattr(os, "uname") else ""
    digest = hashlib.sha256(f"{__version__} {sys.platform} {machine} {options!r}".encode())
    environ = os.environ
    digest.update(_content((file.absolute(),)).encode())
    for path in (*find_own(environ), *find_condarc(environ, prefix)):
        digest.update(f"{path}\0".encode() + path.read_bytes())
    for name in sorted(environ):
        if name.startswith(_SETTINGS) and not _OF_SHELLS.match(name):
            digest.update(f"{name}={environ[name]}\0".encode())
    return digest.hexdigest()


def _content(files: Iterable[Path]) -> str:
    """Return a hash of what files say, with the values of the variables that they name."""
    digest = hashlib.sha256()
    for path in files:
        content = path.read_bytes()
        digest.update(f"{path}\0{len(content)}\0".encode() + content)
        for variable in sorted(set(_VARIABLE.findall(content))):
            digest.update(os.environ.get(variable.decode(), "").encode() + b"\0")
    return digest.hexdigest()


def _has(found: Prefix) -> list[Any]:
    """Return what tells one state of an environment from another, whoever changes it."""
    generation = found.current
    state = generation / STATE
    return [
        str(generation),
        record_names(generation),
        (generation / "conda-meta").stat().st_mtime_ns,
        state.read_text(encoding="utf-8") if state.exists() else "",
        sorted(_distributions(generation)),
    ]


def _distributions(generation: Path) -> Iterator[list[Any]]:
    """Yield the names and times of what pip and others know as installed, without reading any."""
    for place in (*generation.glob("lib/python3*/site-packages"), generation / "Lib/site-packages"):
        if not place.is_dir():
            continue
        with os.scandir(place) as entries:
            for entry in entries:
                if entry.name.endswith(_DISTRIBUTIONS):
                    yield [entry.name, entry.stat(follow_symlinks=False).st_mtime_ns]
