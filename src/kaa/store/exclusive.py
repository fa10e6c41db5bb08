"""One lock file: taken, waited for, let go of, with the facts of who holds it beside it.

The lock is the system's (``flock``; ``LockFileEx`` on Windows), which lets go of it when a process
ends, however it ends. Where a file system has no such locks, as some network file systems, a lease
stands in (:class:`filelock.SoftFileLease`): a file with the process in it, which its holder renews.
A dead holder is recognised by process id and start time on its own host; from another host, by a
lease that nobody has renewed for half a minute. All hosts that share such a directory have to
agree on whether it has locks, that is, mount it in the same way.
"""

from __future__ import annotations

import contextlib
import errno
import json
import logging
import os
import platform
import time
from contextlib import asynccontextmanager, contextmanager
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING

from kaa.model.errors import AbortedError
from kaa.store.disk import writing

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Iterator
    from pathlib import Path

    from filelock import LeaseCompromise, SoftFileLease

_PATIENCE = 1.0
"""Seconds after which a user is told what is being waited for."""
_PAUSES = (0.005, 0.1)
"""Seconds between two attempts: at first, and at most."""
_NO_LOCKS = {errno.ENOSYS, errno.ENOLCK, errno.EOPNOTSUPP, errno.ENOTSUP}
"""What a file system answers that has no locks."""
_SHARED = 0o066
"""The bits of a directory's mode that its lock files take over."""
LEASE = 30.0
"""Seconds without a sign of life after which another host's lease has run out."""
_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Holder:
    """Who holds a lock: ``since`` in seconds since the epoch, ``doing`` as for a sentence."""

    pid: int
    host: str
    since: float
    doing: str

    def __str__(self) -> str:
        """Return what a user is told who waits for it."""
        # Clocks of two hosts differ, and one may go backwards.
        seconds = max(0, round(time.time() - self.since))
        long = f"{seconds} s" if seconds < 120 else f"{seconds // 60} min"
        return f"process {self.pid} on {self.host}, which has been doing `{self.doing}` for {long}"


def never() -> bool:
    """Say that nobody has given up."""
    return False


@contextmanager
def held(path: Path, doing: str = "", *, halted: Callable[[], bool] = never) -> Iterator[None]:
    """Hold the lock file ``path`` for the block, alone, waiting for it as long as it takes.

    Directories on the way are made. After a second the user is told who is waited for; ``doing``
    is what others will be told of this process, in words that fit into ``doing `...```. The file
    goes with its last holder. ``halted`` is asked while waiting: whether to give up.

    Raises :class:`~kaa.model.errors.AbortedError` when halted, and
    :class:`~kaa.model.errors.StoreError` when the file cannot be written.
    """
    lock = _Lock(path)
    with writing(path.parent):
        for pause in _attempts(lock, quiet=False):
            if halted():
                raise AbortedError("interrupted; nothing was changed")
            time.sleep(pause)
    with _as_holder(lock, doing):
        yield


@asynccontextmanager
async def held_in_loop(path: Path, doing: str = "", *, quiet: bool = False) -> AsyncIterator[None]:
    """Do what :func:`held` does while the event loop goes on; cancelling ends the wait at once.

    It excludes other tasks of this process as well. ``quiet`` waits are not told.
    """
    import asyncio

    lock = _Lock(path)
    with writing(path.parent):
        for pause in _attempts(lock, quiet=quiet):
            await asyncio.sleep(pause)
    with _as_holder(lock, doing):
        yield


@contextmanager
def held_if_free(path: Path, doing: str = "") -> Iterator[bool]:
    """Hold the lock file ``path`` for the block if nobody else does; say whether it is so.

    Never waits. Raises :class:`~kaa.model.errors.StoreError` when the file cannot be written.
    """
    lock = _Lock(path)
    with writing(path.parent):
        taken = lock.take()
    if not taken:
        yield False
        return
    with _as_holder(lock, doing):
        yield True


def holder_of(path: Path) -> Holder | None:
    """Return who says to hold the lock file ``path``; whoever was killed may still say so."""
    try:
        said = json.loads(_facts(path).read_bytes())
        return Holder(int(said["pid"]), str(said["host"]), float(said["since"]), str(said["doing"]))
    except (OSError, ValueError, LookupError, TypeError):
        return None


@contextmanager
def _as_holder(lock: _Lock, doing: str) -> Iterator[None]:
    facts = _facts(lock.path)
    try:
        if doing:
            own = Holder(os.getpid(), platform.node(), time.time(), doing)
            # Nobody but who waits would miss them, and that one can do with half of them.
            with contextlib.suppress(OSError):
                facts.write_bytes(json.dumps(asdict(own)).encode())
        yield
    finally:
        with contextlib.suppress(OSError):
            facts.unlink(missing_ok=True)
        lock.let_go()


def _facts(path: Path) -> Path:
    return path.with_name(f"{path.name}.holder")


def _attempts(lock: _Lock, *, quiet: bool) -> Iterator[float]:
    """Yield the seconds to pause between attempts at the lock, until it is taken."""
    pause, longest = _PAUSES
    talk = time.monotonic() + _PATIENCE
    told: set[Holder | None] = set()
    while not lock.take():
        if not quiet and time.monotonic() >= talk:
            holder = holder_of(lock.path)
            if holder not in told:
                told.add(holder)
                _log.warning("waiting for %s", holder or f"another kaa, which holds {lock.path}")
            talk = time.monotonic() + _PATIENCE
        yield pause
        pause = min(pause * 1.5, longest)


class _Lock:
    """Attempts at one lock file. It belongs to who got ``True`` from :meth:`take`."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._descriptor: int | None = None
        self._lease: SoftFileLease | None = None  # kept: it has to see that nobody renews another

    def take(self) -> bool:
        """Take the lock unless somebody has it. Raises ``OSError``."""
        descriptor = self._open()
        if descriptor is None:
            return False
        taken = False
        try:
            taken = self._lock(descriptor)
        finally:
            if taken:
                self._descriptor = descriptor
            else:
                os.close(descriptor)
        return taken

    def let_go(self) -> None:
        """Remove the lock file, and let others have the lock."""
        assert self._descriptor is not None
        with contextlib.suppress(OSError):  # Windows removes nothing that is open
            self.path.unlink(missing_ok=True)
        if self._lease is not None and self._lease.is_locked:
            with contextlib.suppress(OSError):
                self._lease.release()
        with contextlib.suppress(OSError):
            os.close(self._descriptor)
        self._descriptor = None

    def _open(self) -> int | None:
        flags = getattr(os, "O_BINARY", 0)
        try:
            self.path.parent.mkdir(parents=True, exist_ok=True)
            # In a directory that several users write to, whatever their umask is.
            mode = 0o600 | (self.path.parent.stat().st_mode & _SHARED)
            try:
                descriptor = os.open(self.path, flags | os.O_RDWR | os.O_CREAT | os.O_EXCL, mode)
                if hasattr(os, "fchmod"):
                    os.fchmod(descriptor, mode)
            except FileExistsError:
                descriptor = os.open(self.path, flags | os.O_RDWR)
        except FileNotFoundError:
            return None  # it went with another holder, or its directory did
        return descriptor

    def _lock(self, descriptor: int) -> bool:
        from filelock import lock_descriptor

        try:
            if not lock_descriptor(descriptor, blocking=False):
                return False
        except OSError as error:
            if error.errno not in _NO_LOCKS:
                raise
            return self._take_lease()
        if not self._is_in_place(descriptor):
            return False  # its holder removed it before letting go
        return self._take_lease() if os.path.lexists(self._lease_path) else True

    def _is_in_place(self, descriptor: int) -> bool:
        try:
            return os.path.samestat(os.fstat(descriptor), self.path.stat())
        except FileNotFoundError:
            return False

    @property
    def _lease_path(self) -> Path:
        return self.path.with_name(f"{self.path.name}.lease")

    def _take_lease(self) -> bool:
        from filelock import SoftFileLease, Timeout

        if self._lease is None:
            self._lease = SoftFileLease(
                self._lease_path,
                lease_duration=LEASE,
                thread_local=False,
                on_compromise=_tell_of_loss,
            )
        try:
            self._lease.acquire(blocking=False)
        except Timeout:
            return False
        return True


def _tell_of_loss(loss: LeaseCompromise) -> None:
    _log.warning("the lock %s is not this process's any more (%s)", loss.lock_file, loss.reason)
