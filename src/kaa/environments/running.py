"""What the system tells of the processes that run on this machine.

Linux says it in ``/proc``, which is read directly: psutil takes ten times as long, and its import
alone longer than all that is done here. Elsewhere it is psutil that knows.
"""

# Paths are plain texts here: there are hundreds of processes, and each has several.
# ruff: noqa: PTH115, PTH123, PTH208

from __future__ import annotations

import os
import sys
from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from collections.abc import Iterator

    import psutil


class Facts(Protocol):
    """What is known of a process at once, and what takes longer.

    ``executable`` and ``directory`` (the current one) are empty where the system does not tell,
    as it does not of other users' processes.
    """

    @property
    def pid(self) -> int:
        """The process id."""
        ...

    @property
    def arguments(self) -> tuple[str, ...]:
        """The command line, the program's name first."""
        ...

    @property
    def executable(self) -> str:
        """The file that runs, links resolved."""
        ...

    @property
    def directory(self) -> str:
        """The current directory, links resolved."""
        ...

    def environment(self) -> dict[str, str]:
        """Return the variables that the process was started with; none where that is secret."""
        ...

    def opened(self) -> Iterator[str]:
        """Give the paths of the files that are open or mapped; none where that is secret."""
        ...


def running() -> Iterator[Facts]:
    """Give all processes of this machine, without those that end meanwhile."""
    return running_on_linux() if sys.platform == "linux" else running_elsewhere()


def own_line() -> frozenset[int]:
    """Return the ids of this process and of those that it was started by."""
    if sys.platform != "linux":
        import psutil

        return frozenset({os.getpid(), *(each.pid for each in psutil.Process().parents())})
    found: set[int] = set()
    pid = os.getpid()
    while pid > 0 and pid not in found:
        found.add(pid)
        try:
            # The second field is a name in brackets, which may have any character in it.
            pid = int(_read(f"/proc/{pid}/stat").rpartition(b")")[2].split()[1])
        except (OSError, ValueError, IndexError):
            break
    return frozenset(found)


@dataclass(frozen=True, slots=True)
class _OnLinux:
    pid: int
    arguments: tuple[str, ...]
    executable: str
    directory: str

    def environment(self) -> dict[str, str]:
        try:
            entries = _read(f"/proc/{self.pid}/environ").split(b"\0")
        except OSError:
            return {}
        pairs = (os.fsdecode(entry).partition("=") for entry in entries if b"=" in entry)
        return {name: value for name, _, value in pairs}

    def opened(self) -> Iterator[str]:
        try:
            for line in _read(f"/proc/{self.pid}/maps").splitlines():
                words = line.split(None, 5)
                if len(words) == 6:
                    yield os.fsdecode(words[5])
            for descriptor in os.listdir(f"/proc/{self.pid}/fd"):
                yield _link(f"/proc/{self.pid}/fd/{descriptor}")
        except OSError:
            return


def running_on_linux() -> Iterator[Facts]:
    """Give all processes, out of ``/proc`` (proc(5))."""
    for name in os.listdir("/proc"):
        if name.isdigit():
            try:
                line = os.fsdecode(_read(f"/proc/{name}/cmdline"))
            except OSError:
                continue  # it has ended
            if line:  # the kernel's own threads have none
                arguments = tuple(line.removesuffix("\0").split("\0"))
                executable, directory = _link(f"/proc/{name}/exe"), _link(f"/proc/{name}/cwd")
                yield _OnLinux(int(name), arguments, executable, directory)


def _read(path: str) -> bytes:
    with open(path, "rb") as stream:
        return stream.read()


def _link(path: str) -> str:
    try:
        return os.readlink(path)
    except OSError:
        return ""


@dataclass(frozen=True, slots=True)
class _Elsewhere:
    process: psutil.Process
    arguments: tuple[str, ...]
    executable: str
    directory: str

    @property
    def pid(self) -> int:
        return int(self.process.pid)

    def environment(self) -> dict[str, str]:
        import psutil

        try:
            return dict(self.process.environ())
        except (psutil.Error, OSError):
            return {}

    def opened(self) -> Iterator[str]:
        import psutil

        try:
            if hasattr(self.process, "memory_maps"):
                yield from (each.path for each in self.process.memory_maps())
            yield from (each.path for each in self.process.open_files())
        except (psutil.Error, OSError):
            return


def running_elsewhere() -> Iterator[Facts]:
    """Give all processes, as psutil knows them."""
    import psutil

    for process in psutil.process_iter():
        told: dict[str, str | list[str]] = {}
        for fact in ("cmdline", "exe", "cwd"):
            try:
                told[fact] = getattr(process, fact)() or ""
            except (psutil.Error, OSError):
                told[fact] = ""
        if told["cmdline"]:
            yield _Elsewhere(process, tuple(told["cmdline"]), str(told["exe"]), str(told["cwd"]))
