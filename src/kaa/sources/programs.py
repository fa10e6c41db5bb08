"""Programs that a piece of work runs, and which end with it: uv, git and build backends."""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
import subprocess
import sys
import time
from threading import Event, Lock, Timer
from typing import TYPE_CHECKING, TypeVar

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence
    from pathlib import Path
    from typing import IO

T = TypeVar("T")

_GRACE = 1.0
"""Seconds that a program has to end by itself."""


class StoppedError(Exception):
    """The work was stopped; whoever stopped it knows why."""


class Programs:
    """Runs programs one after the other in a thread; another thread may stop them at any time.

    Each is the leader of a process group of its own: Ctrl-C of the terminal is for kaa, which
    then ends the program together with everything that it started (compilers, for example).
    """

    def __init__(self) -> None:
        self._lock = Lock()
        self._running: subprocess.Popen[bytes] | None = None
        self._stop = Event()
        self._last_word: Timer | None = None

    def run(
        self,
        command: Sequence[str],
        *,
        directory: Path,
        environment: Mapping[str, str],
        output: IO[bytes],
        capture: bool = False,
    ) -> str:
        """Run ``command`` to its end; what it says goes to ``output``, where it adds up.

        With ``capture`` standard output is returned instead. Raises
        :class:`subprocess.CalledProcessError` when it fails, :class:`StoppedError` after
        :meth:`stop`, and ``OSError`` when it cannot be started.
        """
        with self._lock:
            if self._stop.is_set():
                raise StoppedError
            process = self._running = subprocess.Popen(
                command,
                cwd=directory,
                env=dict(environment),
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE if capture else output,
                stderr=output,
                start_new_session=True,
            )
        captured, _ = process.communicate()
        with self._lock:
            self._running = None
            if self._stop.is_set():
                if self._last_word is not None:
                    self._last_word.cancel()
                _end_group(process, politely=False)  # its children may have stayed
                _wait_for_group(process)
                raise StoppedError
        if process.returncode:
            raise subprocess.CalledProcessError(process.returncode, list(command))
        return (captured or b"").decode("utf-8", "replace")

    def stop(self) -> None:
        """End the program that runs, with all its children; none is started any more."""
        with self._lock:
            self._stop.set()
            process = self._running
            if process is not None and process.returncode is None:
                # Politely first: git removes its lock files then, which would be in its own way.
                _end_group(process, politely=True)
                arguments = {"process": process, "politely": False}
                self._last_word = Timer(_GRACE, _end_group, kwargs=arguments)
                self._last_word.daemon = True
                self._last_word.start()

    @property
    def stopped(self) -> bool:
        """Whether :meth:`stop` was called."""
        return self._stop.is_set()


def _end_group(process: subprocess.Popen[bytes], *, politely: bool) -> None:
    if sys.platform == "win32":  # there are no process groups to be ended as a whole
        command = ["taskkill", "/F", "/T", "/PID", str(process.pid)]
        subprocess.run(command, capture_output=True, check=False)
        return
    with contextlib.suppress(ProcessLookupError, PermissionError):
        os.killpg(process.pid, signal.SIGTERM if politely else signal.SIGKILL)


def _wait_for_group(process: subprocess.Popen[bytes]) -> None:
    """Wait until none is left of a group that was killed, since where it writes is removed next.

    That takes a moment; one that is dead and that nobody asks for is not waited for longer.
    """
    if sys.platform == "win32":
        return
    with contextlib.suppress(ProcessLookupError, PermissionError):
        for _ in range(100):
            os.killpg(process.pid, 0)
            time.sleep(0.01)


async def run_stoppable(work: Callable[[Programs], T]) -> T:
    """Call ``work`` in a thread. When cancelled, its programs are ended and it is waited for,
    since what it writes is its to clear away."""
    programs = Programs()
    future = asyncio.get_running_loop().run_in_executor(None, work, programs)
    try:
        return await asyncio.shield(future)
    except asyncio.CancelledError:
        programs.stop()
        await asyncio.wait([future])
        if not future.cancelled():
            future.exception()
        raise
