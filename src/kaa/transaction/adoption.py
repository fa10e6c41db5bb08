"""A directory becomes the first generation of an environment, as it is, and a link takes its place.

Nothing is copied, and nothing in the directory is written to before it is where it belongs. What
is to be written then, lies ready in a directory beside it, whose name begins with
:data:`~kaa.environments.prefix.ADOPTING`. It is also the mark of the work: whoever finds it knows
by where the directory is whether to finish the work or to take it back. Where the system cannot
exchange two names, there is an instant between two renames in which the environment's path leads
nowhere; it is finished from there.
"""

from __future__ import annotations

import contextlib
import json
import os
import shutil
from pathlib import Path
from typing import TYPE_CHECKING, Any

from kaa.environments.conda_history import HISTORY, State, append_history
from kaa.environments.heads import read_heads
from kaa.environments.history import LOCK, lock_of, write_lock_file
from kaa.environments.prefix import ADOPTING, GENERATIONS, MANIFEST, OWN, write_manifest_file
from kaa.environments.sealed import SEAL, seal_records
from kaa.environments.virtual import is_virtual
from kaa.model.errors import UnsupportedError
from kaa.store.disk import check_writable, flush, writing
from kaa.store.exchange import exchange
from kaa.store.run_token import random_text
from kaa.transaction.commit import BESIDE, UNANNOUNCED

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from kaa.environments.prefix import Prefix
    from kaa.model.environment import Manifest

_LINK = "link"
_RECORDS = Path("conda-meta")
_BASE = ("condabin", "pkgs")
"""What is below the prefix of an installation of conda, beside its own packages."""


def check_adoptable(prefix: Prefix) -> None:
    """Raise an error unless the directory at ``prefix`` can become a generation where it is.

    That is :class:`UnsupportedError` for one that has to stay a directory, and
    :class:`~kaa.model.errors.NotWritableError`.
    """
    path = prefix.path
    reason = _reason(prefix)
    if reason is not None:
        raise UnsupportedError(
            f"{path} cannot be adopted",
            cause=reason,
            hint="make an environment of kaa's own with the same packages: `kaa create`",
        )
    check_writable(prefix.generations)
    for directory in (path.parent, path, path / _RECORDS):
        check_writable(directory)


def _reason(prefix: Prefix) -> str | None:
    path = prefix.path
    if prefix.current_number is not None:
        return "it is one of kaa's environments already"
    if path.is_symlink():
        return f"it is a link to {path.readlink()}; that is what can be adopted"
    if not (path / _RECORDS).is_dir() and not is_virtual(path):
        return "it has no conda-meta directory, so that nobody knows what is in it"
    if any((path / name).is_dir() for name in _BASE):
        return "conda, mamba or the like is installed in it and works from there"
    if path.is_mount():
        return "something is mounted there, and a mount point cannot be renamed"
    if GENERATIONS in (path.parent.name, path.parent.parent.name):
        return "it is in the directory of another environment's generations"
    if hasattr(os, "geteuid") and os.geteuid() not in (0, path.stat().st_uid):
        return "it belongs to another user"
    return None


def adopt_directory(
    prefix: Prefix, manifest: Manifest, records: Sequence[Mapping[str, Any]] = ()
) -> int:
    """Make the directory at ``prefix`` a generation, put the link in its place; return the number.

    ``records`` (JSON of ``conda-meta``) are those of the packages in a directory that has none. The
    caller is the environment's only writer. Raises what :func:`check_adoptable` does, and the
    errors of the disk; then the directory is where it was.
    """
    with writing(prefix.path):
        settle_adoption(prefix)
        check_adoptable(prefix)
        number = prefix.next_number()
        mark = prefix.generations / f"{ADOPTING}{number}"
        try:
            _prepare(prefix, mark, manifest, records, prefix.generations / str(number))
            flush(prefix.path.parent)
            _switch(prefix, mark, prefix.generations / str(number))
        finally:
            settle_adoption(prefix)
    return number


def settle_adoption(prefix: Prefix) -> None:
    """Finish or take back what was begun, going by where the directory is. Raises ``OSError``.

    To be called by the environment's only writer, or by somebody alone below the root.
    """
    for mark in prefix.generations.glob(f"{ADOPTING}*"):
        generation = prefix.generations / mark.name[len(ADOPTING) :]
        if generation.is_dir() and not generation.is_symlink():
            if not os.path.lexists(prefix.path):
                (mark / _LINK).rename(prefix.path)
            if prefix.path.is_symlink():
                _complete(mark, generation)
                (prefix.generations / UNANNOUNCED).touch()
        elif generation.is_symlink():
            generation.unlink()
        # Half a mark would be taken for the whole.
        doomed = prefix.generations / f"{BESIDE}{random_text(4)}"
        mark.rename(doomed)
        shutil.rmtree(doomed)


def was_interrupted(prefix: Prefix) -> bool:
    """Say whether there is something for :func:`settle_adoption` to do."""
    return any(prefix.generations.glob(f"{ADOPTING}*"))


def _prepare(
    prefix: Prefix,
    mark: Path,
    manifest: Manifest,
    records: Sequence[Mapping[str, Any]],
    generation: Path,
) -> None:
    mark.mkdir(parents=True)
    target = Path(os.path.relpath(generation, prefix.path.parent))
    (mark / _LINK).symlink_to(target, target_is_directory=True)
    write_manifest_file(mark / MANIFEST.name, manifest)
    history = mark / HISTORY
    history.parent.mkdir()
    for record in records:
        name = f"{record['name']}-{record['version']}-{record['build']}.json"
        (mark / _RECORDS / name).write_text(json.dumps(record, indent=2), encoding="utf-8")
    recorded = mark if records else prefix.path
    write_lock_file(mark / LOCK.name, lock_of(recorded))
    if (prefix.path / HISTORY).is_file():
        shutil.copyfile(prefix.path / HISTORY, history)
    heads = tuple(read_heads(recorded))
    before, after = State(heads), State(heads, manifest.specs)
    append_history(mark, manifest.command, manifest.created, before, after)


def _switch(prefix: Prefix, mark: Path, generation: Path) -> None:
    # The link leads to where the directory is going to be, wherever the link itself is.
    generation.symlink_to((mark / _LINK).readlink(), target_is_directory=True)
    if not exchange(prefix.path, generation):
        generation.unlink()
        prefix.path.rename(generation)
        (mark / _LINK).rename(prefix.path)


def _complete(mark: Path, generation: Path) -> None:
    """Put what lies ready where it belongs; what an interrupted run has moved is there."""
    (generation / OWN).mkdir(parents=True, exist_ok=True)
    for record in (mark / _RECORDS).glob("*.json"):
        record.replace(generation / _RECORDS / record.name)
    for name, place in ((MANIFEST.name, MANIFEST), (LOCK.name, LOCK), (HISTORY, HISTORY)):
        if (generation / place).is_dir():  # nobody's history, and in the way of one
            (generation / place).rename(generation / f"{place}.old")
        with contextlib.suppress(FileNotFoundError):
            (mark / name).replace(generation / place)
    (generation / SEAL).unlink(missing_ok=True)  # another copy of the directory may share it
    seal_records(generation)
