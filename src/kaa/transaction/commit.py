"""A staged generation becomes the environment, in one rename; the one before it stays.

A process may be killed between any two of the steps here. What was being made is therefore marked
beside it (:data:`PENDING`) until the link leads to it, so that :func:`settle` never has to guess
which generation nobody ever saw and which is an old one that can be gone back to.
"""

from __future__ import annotations

import contextlib
import os
import shlex
import shutil
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from kaa.environments.conda_history import State, append_history
from kaa.environments.heads import read_heads
from kaa.environments.history import LOCK, write_lock, write_lock_file
from kaa.environments.prefix import (
    MANIFEST,
    PAST,
    Prefix,
    read_manifest,
    write_manifest,
    write_manifest_file,
)
from kaa.environments.sealed import seal_records
from kaa.environments.variables import read_variables, steps_between
from kaa.model.environment import now
from kaa.model.errors import EnvironmentExistsError, EnvironmentStateError
from kaa.store.disk import flush, writing
from kaa.store.run_token import random_text, token_of
from kaa.transaction.carry import PART

if TYPE_CHECKING:
    from collections.abc import Sequence

    from kaa.environments.history import Generation
    from kaa.model.environment import Manifest

REMOVED = ".old-"
"""How the names of removed environments' generations begin, until they are deleted."""
BESIDE = ".link-"
"""How the names of links begin that are not in place yet."""
PENDING = ".pending-"
"""What stands before a generation's number in the name of the mark that it is not linked yet."""
LEAVING = ".leaving"
"""The mark in a directory of generations whose environment is being removed."""
RENAMED = ".renamed"
"""The mark of an environment that is to go once another stands in for it: a token, and its path."""
STANDS_IN = ".stands-in-"
"""What stands before the token in the name of that other one's mark, which has the first's path."""
UNANNOUNCED = ".unannounced"
"""The mark of an environment of which Jupyter and conda do not know what it has become."""


def check_absent(prefix: Prefix) -> None:
    """Raise :class:`EnvironmentExistsError` unless an environment can be created at ``prefix``."""
    path = prefix.path
    for directory in (prefix.generations.parent, prefix.generations):
        if directory.is_symlink():  # what is removed in there would be somebody else's
            raise EnvironmentExistsError(
                f"the directory for generations is a link: {directory}",
                hint="choose another place for the environment, or remove the link",
            )
    if path.is_dir() and not path.is_symlink() and not any(path.iterdir()):
        return  # an empty directory, as made by hand or by a mount point
    if prefix.current_number is not None:
        remove = f"kaa env remove -p {shlex.quote(str(path))}"
        raise EnvironmentExistsError(
            f"the environment {prefix.name} exists already: {path}",
            hint=f"choose another name, or remove it first: `{remove}`",
        )
    if os.path.lexists(path):
        raise EnvironmentExistsError(
            f"there is already something at {path}",
            cause="it is no environment of kaa's, which would be a link",
            hint="choose another place, or move away what is there",
        )
    moved = _moved_link(prefix) if prefix.generations.is_dir() else None
    if moved is not None:
        back = f"mv {shlex.quote(str(moved))} {shlex.quote(str(path))}"
        raise EnvironmentExistsError(
            f"the environment {prefix.name} is there, but its link was moved by hand to {moved}",
            cause=f"the generations of both would be in {prefix.generations}",
            hint=f"move it back (`{back}`), then rename it with `kaa rename`",
        )


def _moved_link(prefix: Prefix) -> Path | None:
    """Return what else than the environment's own link leads to a generation of it, beside it."""
    with contextlib.suppress(OSError), os.scandir(prefix.path.parent) as entries:
        for entry in entries:
            if entry.is_symlink() and Prefix(Path(entry.path)).current.parent == prefix.generations:
                return Path(entry.path)
    return None


def commit_first_generation(
    prefix: Prefix, staging: Path, manifest: Manifest, copied: Path | None = None
) -> int:
    """Make ``staging`` the first generation of the new environment and return its number.

    ``copied`` is the generation that it is a copy of, if it is one. Everything is in place before
    the link appears. The caller is the environment's only writer. Raises
    :class:`EnvironmentExistsError` when there is one already.
    """
    with writing(prefix.path):
        check_absent(prefix)
        settle(prefix)
        _complete(prefix, staging, manifest, copied)
        return _commit(prefix, staging, prefix.next_number())


def commit_renamed(
    source: Prefix, prefix: Prefix, staging: Path, manifest: Manifest, past: Sequence[Generation]
) -> int:
    """Make ``staging`` an environment that stands in for ``source``, and return its number.

    ``past`` are the generations of ``source``: what they were is kept, and the numbers go on. Both
    are marked, with one token, so that whoever finds the two after a kill knows that ``source`` is
    to go. The caller is the only writer of both. Raises what :func:`commit_first_generation` does.
    """
    token = random_text(8)
    with writing(prefix.path):
        check_absent(prefix)
        settle(prefix)
        stands_in = prefix.generations / f"{STANDS_IN}{token}"
        renamed = source.generations / RENAMED
        try:
            stands_in.write_text(str(source.path), encoding="utf-8")
            for each in past:
                keep_past(each, prefix.generations)
            asked = replace(manifest, parent=source.current_number)
            _complete(prefix, staging, asked, source.current)
            renamed.write_text(f"{token} {prefix.path}", encoding="utf-8")
            return _commit(prefix, staging, prefix.next_number())
        except BaseException:
            if prefix.current_number is None:
                renamed.unlink(missing_ok=True)
                settle(prefix)
            raise


def commit_next_generation(prefix: Prefix, staging: Path, manifest: Manifest, expected: int) -> int:
    """Make ``staging`` the environment's next generation and return its number.

    The link leads from the old one to the new one in one rename; the old one stays. The caller
    is the environment's only writer. Raises :class:`EnvironmentStateError` when the environment is
    not at generation ``expected`` any more, which ``staging`` was made from.
    """
    with writing(prefix.path):
        check_current(prefix, expected)
        _complete(prefix, staging, replace(manifest, parent=expected), prefix.current)
        settle(prefix)
        return _commit(prefix, staging, prefix.next_number())


def commit_past_generation(
    prefix: Prefix, staging: Path, past: Generation, command: str, expected: int
) -> None:
    """Make ``staging`` the generation ``past`` once more, and the environment's current one.

    ``command`` is what conda's history says of it. Raises what :func:`commit_next_generation` does.
    """
    assert past.manifest is not None
    with writing(prefix.path):
        check_current(prefix, expected)
        _complete(prefix, staging, past.manifest, prefix.current, command)
        settle(prefix)
        _commit(prefix, staging, past.number)
        if not past.on_disk:
            shutil.rmtree(past.path, ignore_errors=True)  # the generation says it itself again


def switch_generation(prefix: Prefix, number: int, expected: int) -> None:
    """Make a generation that is on the disk the environment's current one, by one rename.

    The caller is the environment's only writer. Raises what :func:`commit_next_generation` does.
    """
    with writing(prefix.path):
        check_current(prefix, expected)
        settle(prefix)
        _point_to(prefix, prefix.generations / str(number))


def check_current(prefix: Prefix, expected: int) -> None:
    """Raise :class:`EnvironmentStateError` unless the environment is at this generation."""
    current = prefix.current_number
    if current == expected:
        return
    there = os.path.lexists(prefix.path)
    raise EnvironmentStateError(
        f"another process has {'changed' if there else 'removed'} {prefix.name} in the meantime",
        cause=f"the plan was made for its generation {expected}"
        + (f", and it is at {current} now" if current is not None else ""),
        hint="run the command again, to see what there is to do now" if there else None,
    )


def settle(prefix: Prefix) -> None:
    """Clear up after a process that was killed while it changed the link.

    A generation that is marked and that the link does not lead to was never seen by anybody; all
    others stay. To be called by whoever is going to change the link, and only while nobody else
    is: by the environment's only writer. Raises ``OSError``.
    """
    from kaa.transaction.adoption import settle_adoption  # which commits, too

    settle_adoption(prefix)
    for mark in prefix.generations.glob(f"{PENDING}*"):
        number = mark.name[len(PENDING) :]
        if number.isdigit() and number != str(prefix.current_number):
            _remove(prefix.generations / number)
        mark.unlink(missing_ok=True)
    beside = prefix.generations.glob("[0-9]*/conda-meta/.*")  # of the history, or of variables
    parts = [path for path in beside if token_of(path.name) is not None]
    for part in (*parts, *prefix.generations.glob(f"[0-9]*/{PART}")):  # on its way into one
        part.unlink(missing_ok=True)
    leaving = prefix.generations / LEAVING
    if leaving.exists():
        if not os.path.lexists(prefix.path):
            for generation in prefix.generations.iterdir():
                # Whose a number without a manifest is nobody knows.
                ours = generation.name.isdigit() and (generation / MANIFEST).is_file()
                if ours or generation.name.startswith(PAST):
                    shutil.rmtree(generation)
        leaving.unlink(missing_ok=True)
    if prefix.generations.is_dir() and not os.path.lexists(prefix.path):
        (prefix.generations / UNANNOUNCED).unlink(missing_ok=True)
        stands_alone(prefix)
        if not any(name.isdecimal() for name in os.listdir(prefix.generations)):  # noqa: PTH208
            for past in prefix.generations.glob(f"{PAST}*"):  # of a renaming that came to nothing
                shutil.rmtree(past)


def renamed_to(source: Prefix) -> Prefix | None:
    """Return the environment that stands in for ``source``, which is to go; None without one.

    Whatever else is at the path by now, the token tells.
    """
    try:
        token, _, path = (source.generations / RENAMED).read_text(encoding="utf-8").partition(" ")
    except (OSError, ValueError):
        return None
    target = Prefix(Path(path))
    there = (target.generations / f"{STANDS_IN}{token}").is_file()
    return target if there and target.current_number is not None else None


def stood_in_for(prefix: Prefix) -> list[Prefix]:
    """Return the environments that ``prefix`` stands in for, as far as they are still there."""
    found = []
    for mark in prefix.generations.glob(f"{STANDS_IN}*"):
        with contextlib.suppress(OSError, ValueError):
            source = Prefix(Path(mark.read_text(encoding="utf-8")))
            if renamed_to(source) == prefix:
                found.append(source)
    return found


def stands_alone(prefix: Prefix) -> None:
    """Take away the marks of :func:`stood_in_for`, now that nothing is. Raises ``OSError``."""
    for mark in prefix.generations.glob(f"{STANDS_IN}*"):
        mark.unlink(missing_ok=True)


def announced(prefix: Prefix) -> None:
    """Take away the mark that others have to be told of the environment. Raises ``OSError``."""
    (prefix.generations / UNANNOUNCED).unlink(missing_ok=True)


def keep_past(generation: Generation, directory: Path) -> None:
    """Keep in ``directory`` what a generation was: its manifest and its lock. Raises ``OSError``.

    Nothing happens when that has been done. A kill leaves a directory that begins with
    :data:`BESIDE`.
    """
    past = directory / f"{PAST}{generation.number}"
    if past.is_dir():
        return
    directory.mkdir(parents=True, exist_ok=True)
    beside = directory / f"{BESIDE}{random_text(4)}"
    beside.mkdir()
    if generation.manifest is not None:
        write_manifest_file(beside / MANIFEST.name, generation.manifest)
    with contextlib.suppress(EnvironmentStateError):  # nobody knows any more
        write_lock_file(beside / LOCK.name, generation.records())
    beside.replace(past)


def _complete(
    prefix: Prefix,
    staging: Path,
    manifest: Manifest,
    before: Path | None,
    command: str | None = None,
) -> None:
    """Write into ``staging`` what it is to be remembered by, what became of variables included.

    ``before`` is the generation that it was made from. What is made once more, by ``command``, is
    remembered by the command that made it first.
    """
    if command is None:
        was = read_variables(before) if before is not None and manifest.parent is not None else {}
        manifest = replace(manifest, variables=steps_between(was, read_variables(staging)))
    write_manifest(staging, replace(manifest, prefix=str(prefix.path)))
    write_lock(staging)
    append_history(
        staging,
        command or manifest.command,
        now() if command else manifest.created,
        _state(before) if before is not None else State(),
        _state(staging),
    )
    seal_records(staging)


def _state(generation: Path) -> State:
    manifest = read_manifest(generation)
    return State(tuple(read_heads(generation)), manifest.specs if manifest else ())


def _commit(prefix: Prefix, staging: Path, number: int) -> int:
    generation = prefix.generations / str(number)
    mark = prefix.generations / f"{PENDING}{number}"
    mark.touch()
    try:
        staging.replace(generation)
        _point_to(prefix, generation)
    except BaseException:
        if prefix.current_number != number:
            shutil.rmtree(generation, ignore_errors=True)
            mark.unlink(missing_ok=True)
        raise
    # Without it the generation is an old one as soon as the next one is linked; with it, settle
    # finds that it is the current one.
    with contextlib.suppress(OSError):
        mark.unlink()
    return number


def _point_to(prefix: Prefix, generation: Path) -> None:
    mark = prefix.generations / UNANNOUNCED
    mark.touch()
    try:
        flush(prefix.generations)
        _link(prefix, generation)
    except OSError:
        mark.unlink(missing_ok=True)
        raise


def _link(prefix: Prefix, generation: Path) -> None:
    if prefix.path.is_dir() and not prefix.path.is_symlink():
        prefix.path.rmdir()
    beside = prefix.generations / f"{BESIDE}{random_text(4)}"
    # Relative, so that a directory of environments can be moved or mounted elsewhere as a whole.
    beside.symlink_to(
        Path(os.path.relpath(generation, prefix.path.parent)), target_is_directory=True
    )
    try:
        beside.replace(prefix.path)
    except OSError:
        beside.unlink(missing_ok=True)
        raise


def _remove(generation: Path) -> None:
    with contextlib.suppress(FileNotFoundError):  # killed before it had its name
        shutil.rmtree(generation)


def detach(prefix: Prefix) -> Path:
    """Take an environment away, in two renames, and return where its generations are now.

    The link goes first, so that a kill in between leaves nothing that looks like an environment;
    the mark tells :func:`settle` that the generations were to go with it. The path that is
    returned is for :func:`delete` and need not exist.
    """
    doomed = prefix.generations.with_name(f"{REMOVED}{prefix.name}-{random_text(4)}")
    with writing(prefix.path):
        if prefix.generations.is_dir():
            (prefix.generations / LEAVING).touch()
        prefix.path.unlink(missing_ok=True)
        if prefix.generations.is_dir():
            prefix.generations.replace(doomed)
    return doomed


def delete(doomed: Path) -> None:
    """Delete the generations that :func:`detach` took away; it may take long."""
    with writing(doomed):
        if doomed.is_dir():
            shutil.rmtree(doomed)
