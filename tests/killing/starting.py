"""Start kaa: with an interpreter of its own, or forked from one that has all of it loaded."""

from __future__ import annotations

import json
import os
import select
import signal
import subprocess
import sys
import tempfile
import time
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from types import TracebackType

    from killing.events import Watch

_PATIENCE = 600.0
_TESTS = Path(__file__).resolve().parent.parent
_WATCHED = """
import sys, json
sys.path.insert(0, sys.argv.pop(1))
from killing.events import Watch, install
install(Watch(**json.loads(sys.argv.pop(1))))
from kaa.cli.main import run
run()
"""


@dataclass(frozen=True, slots=True)
class Answer:
    """How a command ended; the code is that of the signal, negative, when it was killed."""

    code: int
    out: str
    err: str


class Running(Protocol):
    """A command at work."""

    def signal(self, number: signal.Signals) -> bool:
        """Signal the command and its children, also what it has left; say whether it lived."""
        ...

    def wait(self) -> Answer:
        """Wait for its end; one that does not come to it is killed, and says so."""
        ...


class Starter(Protocol):
    """Starts commands."""

    def start(
        self,
        arguments: Sequence[str],
        directory: Path,
        environ: Mapping[str, str],
        watch: Watch | None,
    ) -> Running: ...


@dataclass(frozen=True, slots=True)
class Fresh:
    """Starts each command as a user's shell does it."""

    def start(
        self,
        arguments: Sequence[str],
        directory: Path,
        environ: Mapping[str, str],
        watch: Watch | None,
    ) -> Running:
        how = ["-m", "kaa"]
        if watch is not None:
            how = ["-c", _WATCHED, str(_TESTS), json.dumps(asdict(watch))]
        process = subprocess.Popen(
            [sys.executable, *how, *arguments],
            cwd=directory,
            env=dict(environ),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            start_new_session=True,
            # Whoever runs the trials in the background may ignore it, and children inherit that.
            preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),
        )
        return _Process(process)


@dataclass(frozen=True, slots=True)
class _Process:
    process: subprocess.Popen[str]

    def signal(self, number: signal.Signals) -> bool:
        alive = self.process.poll() is None
        _signal(self.process.pid, number)
        return alive

    def wait(self) -> Answer:
        try:
            out, err = self.process.communicate(timeout=_PATIENCE)
        except subprocess.TimeoutExpired:
            _signal(self.process.pid, signal.SIGKILL)
            out, err = self.process.communicate()
            err = f"it did not end\n{err}"
        return Answer(self.process.returncode, out, err)


class Forked:
    """Starts commands by :mod:`killing.fork`, one at a time."""

    def __init__(self) -> None:
        self._directory = tempfile.TemporaryDirectory(prefix="kaa-fork-")
        self._server = subprocess.Popen(
            [sys.executable, str(_TESTS / "killing" / "fork.py")],
            env={**os.environ, "PYTHONPATH": os.pathsep.join([str(_TESTS), *sys.path])},
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        assert self._answer() == "ready"

    def __enter__(self) -> Forked:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        assert self._server.stdin is not None
        self._server.stdin.close()
        self._server.wait()
        self._directory.cleanup()

    def start(
        self,
        arguments: Sequence[str],
        directory: Path,
        environ: Mapping[str, str],
        watch: Watch | None,
    ) -> Running:
        streams = {name: Path(self._directory.name, name) for name in ("out", "err")}
        for path in streams.values():
            path.write_bytes(b"")
        task = {
            **{name: str(path) for name, path in streams.items()},
            "arguments": list(arguments),
            "directory": str(directory),
            "environ": dict(environ),
            "watch": None if watch is None else asdict(watch),
        }
        assert self._server.stdin is not None
        self._server.stdin.write(json.dumps(task) + "\n")
        self._server.stdin.flush()
        return _Child(int(self._answer()), self._server, streams)

    def _answer(self) -> str:
        assert self._server.stdout is not None
        return self._server.stdout.readline().strip()


@dataclass(frozen=True, slots=True)
class _Child:
    pid: int
    server: subprocess.Popen[str]
    streams: Mapping[str, Path]

    def signal(self, number: signal.Signals) -> bool:
        alive = not self._ended(0)
        _signal(self.pid, number)
        return alive

    def wait(self) -> Answer:
        late = not self._ended(_PATIENCE)
        if late:
            _signal(self.pid, signal.SIGKILL)
        assert self.server.stdout is not None
        code = int(self.server.stdout.readline())
        out, err = (self.streams[name].read_text("utf-8", "replace") for name in ("out", "err"))
        return Answer(code, out, f"it did not end\n{err}" if late else err)

    def _ended(self, patience: float) -> bool:
        assert self.server.stdout is not None
        return bool(select.select([self.server.stdout], [], [], patience)[0])


def _signal(process: int, number: signal.Signals) -> None:
    for attempt in (os.killpg, os.killpg, os.kill):
        try:
            attempt(process, number)
        except ProcessLookupError:
            time.sleep(0.001)  # it has no group of its own yet, or none any more
        else:
            return
