"""Stop a process where it touches the file system for the n-th time (audit events, PEP 578)."""

from __future__ import annotations

import os
import sys
from dataclasses import dataclass

_EVENTS = {
    "os.rename",
    "os.remove",
    "os.rmdir",
    "os.mkdir",
    "os.symlink",
    "os.link",
    "os.chmod",
    "os.truncate",
    "shutil.rmtree",
    "shutil.copyfile",
}
_RELATIVE = {"os.remove", "os.rmdir", "os.rename"}
"""What :mod:`shutil` does with a name in a directory that is open."""


@dataclass(frozen=True, slots=True)
class Watch:
    """Which event below ``directory`` to stop at, and by which signal.

    With a ``log`` nothing is stopped, and the events are written there.
    """

    directory: str
    instant: int = 0
    signal: int = 9
    log: str | None = None


def install(watch: Watch) -> None:
    """Watch this process from here on; each event comes before the system is asked to do it."""
    count = 0
    busy = False

    def hook(event: str, arguments: tuple[object, ...]) -> None:
        nonlocal count, busy
        if busy or not _writes(event, arguments):
            return
        paths = [os.fsdecode(p) for p in arguments[:2] if isinstance(p, str | bytes | os.PathLike)]
        inside = any(path.startswith(watch.directory) for path in paths)
        if not inside and not (event in _RELATIVE and not paths[0].startswith("/")):
            return
        if watch.log is not None:
            busy = True
            with open(watch.log, "a", encoding="utf-8") as stream:  # noqa: PTH123
                stream.write(f"{event} {' '.join(paths)}\n")
            busy = False
        elif count == watch.instant:
            os.kill(os.getpid(), watch.signal)
        count += 1

    sys.addaudithook(hook)


def _writes(event: str, arguments: tuple[object, ...]) -> bool:
    if event == "open":
        return isinstance(arguments[2], int) and bool(arguments[2] & (os.O_CREAT | os.O_TRUNC))
    return event in _EVENTS
