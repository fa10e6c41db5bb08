"""The kernel of an environment without ipykernel, where the shared kernel is to be built first.

Run as ``python -m kaa.jupyter.preparing --prefix PREFIX --minor 3.12 -f CONNECTION_FILE --
COMMAND...``, in a Python that has kaa; the command starts the kernel when there is one. It answers
at once as a kernel does, holds what is to be run, and shows under the first cell how far it is.
Then the kernel runs behind it, and this process passes on what is said: the first cell gives its
result. If there can be no kernel, it is the fallback kernel from then on.
"""

from __future__ import annotations

import os
import sys

if sys.path and sys.path[0] in ("", os.getcwd()):  # noqa: PTH109
    del sys.path[0]  # no file beside the notebook shadows a module

import argparse
import json
import queue
import signal
import subprocess
import threading
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import zmq

from kaa.jupyter.fallback import Refusal, refuse
from kaa.jupyter.mending import how_to_mend
from kaa.jupyter.relay import look_for, relay, start_behind
from kaa.jupyter.standin import (
    REQUESTS,
    Signals,
    StandIn,
    as_python,
    end_with_parent,
    read_connection,
)

if TYPE_CHECKING:
    from collections.abc import Callable

    from kaa.jupyter.relay import Behind
    from kaa.jupyter.standin import Request

_TICK = 200
"""Milliseconds between two looks at what is being waited for."""
_PAUSES = (1.0, 5.0)
"""Seconds between two lines of progress: in the first ten seconds, and afterwards."""
_BANNER = "The shared kernel for this Python is being prepared."


@dataclass
class Show:
    """How far it is, under the first cell that is to be run: one line that is written anew."""

    title: str
    doing: str = ""
    _shown: str = ""
    _width: int = 0
    _began: float = field(default_factory=time.monotonic)
    _last: float = 0.0

    def draw(self, kernel: StandIn, request: Request) -> None:
        """Write the line, unless that has been done lately."""
        now = time.monotonic()
        pause = _PAUSES[0] if now - self._began < 10 else _PAUSES[1]
        if self.doing == self._shown or now < self._last + pause:
            return
        line = f"{self.title}: {self.doing}"
        text = ("\r" if self._width else "") + line.ljust(self._width)
        kernel.publish("stream", {"name": "stdout", "text": text}, request)
        self._shown, self._width, self._last = self.doing, len(line), now

    def wipe(self, kernel: StandIn, request: Request) -> None:
        """Take the line away, where one was written."""
        if self._width:
            kernel.publish("clear_output", {"wait": False}, request)
            self._width, self._shown = 0, ""


@dataclass
class Anteroom:
    """Where requests wait for a kernel: answered where anyone can, ``held`` where only it can."""

    kernel: StandIn
    signals: Signals
    show: Show
    held: list[Request] = field(default_factory=list)

    def serve(self, until: Callable[[], bool]) -> bool:
        """Serve clients until ``until`` says so; False when the kernel was ended meanwhile."""
        poller = zmq.Poller()
        for channel in (*REQUESTS, "hb"):
            poller.register(self.kernel.sockets[channel], zmq.POLLIN)
        poller.register(self.signals.wake.fileno(), zmq.POLLIN)
        while not until():
            readable = dict(poller.poll(_TICK))
            for number in self.signals.take():
                if number != signal.SIGINT:
                    return False
                self.interrupt()
            if self.kernel.sockets["hb"] in readable:
                self.kernel.beat()
            for channel in REQUESTS:
                if self.kernel.sockets[channel] in readable:
                    self._take(channel)
            if self.kernel.ended:
                return False
            if self.first is not None:
                self.show.draw(self.kernel, self.first)
        return True

    @property
    def first(self) -> Request | None:
        """The cell that is run first, None as long as there is none."""
        return next((each for each in self.held if _is_cell(each)), None)

    def _take(self, channel: str) -> None:
        request = self.kernel.receive(channel)
        if request is None:
            return
        if not self.kernel.answer(request):
            before = self.first
            self.held.append(request)
            if before is None and _is_cell(request):
                self.kernel.publish("status", {"execution_state": "busy"}, request)
        elif request.kind == "interrupt_request":
            self.interrupt()

    def interrupt(self) -> None:
        """Do to the cells that wait what an interrupt does; the preparation goes on."""
        self.wipe()
        cells = [each for each in self.held if each.kind == "execute_request"]
        self.held = [each for each in self.held if each.kind != "execute_request"]
        for each in cells:
            if each is cells[0]:
                lines = ["KeyboardInterrupt: the kernel is still being prepared"]
                self.kernel.fail(each, "KeyboardInterrupt", "", lines)
            else:
                self.kernel.abort(each)

    def wipe(self) -> None:
        """Take away what was shown."""
        if self.first is not None:
            self.show.wipe(self.kernel, self.first)


def _is_cell(request: Request) -> bool:
    return request.kind == "execute_request" and not request.content.get("silent")


class Build:
    """The process that builds the overlay (:mod:`kaa.jupyter.building`), and what it says."""

    def __init__(self, minor: str, prefix: str, signals: Signals) -> None:
        command = [sys.executable, "-m", "kaa.jupyter.building"]
        command += ["--minor", minor, "--prefix", prefix]
        self._process = subprocess.Popen(
            command,
            stdin=subprocess.PIPE,  # it ends when this does
            stdout=subprocess.PIPE,
            start_new_session=os.name != "nt",  # an interrupt is not for it
        )
        self._lines: queue.SimpleQueue[dict[str, Any]] = queue.SimpleQueue()
        self.error: dict[str, Any] = {}
        self._thread = threading.Thread(target=self._read, args=(signals,), daemon=True)
        self._thread.start()

    def _read(self, signals: Signals) -> None:
        assert self._process.stdout is not None
        for line in self._process.stdout:
            try:
                content = json.loads(line)
            except ValueError:
                continue  # a library has printed something
            if isinstance(content, dict):
                self._lines.put(content)
        self._process.wait()
        signals.notify()

    def over(self, show: Show) -> bool:
        """Say whether it is over, and bring ``show`` up to date."""
        alive = self._thread.is_alive()
        while not self._lines.empty():
            content = self._lines.get()
            show.doing = content.get("doing", show.doing)
            self.error = content.get("error", self.error)
        return not alive

    @property
    def reason(self) -> str | None:
        """Why there is no overlay, None if there is one."""
        code = self._process.returncode
        if code == 0:
            return None
        told = self.error.get("message") or f"what built it ended with exit code {code}"
        cause = self.error.get("cause")
        return f"{told} ({cause})" if cause else str(told)

    def stop(self) -> None:
        """End it."""
        if self._process.poll() is None:
            self._process.kill()
            self._process.wait()


def prepare(kernel: StandIn, signals: Signals, options: argparse.Namespace) -> int:
    """Be the kernel of an environment from before there is one; return the exit code."""
    show = Show(f"Preparing the shared kernel for Python {options.minor}", "starting")
    room = Anteroom(kernel, signals, show)
    build = Build(options.minor, options.prefix, signals)
    try:
        if not room.serve(lambda: build.over(show)):
            return 0
    finally:
        build.stop()
    if build.reason is not None:
        what = f"there is no ipykernel in it, and no shared one could be prepared: {build.reason}"
        hint = build.error.get("hint")
        ways = [f"{hint}; then `kaa kernels prepare {options.minor}`"] if hint else []
        return _give_up(room, options.prefix, what, ways)
    show.doing = "starting the kernel"
    return _with_kernel(room, options)


def _with_kernel(room: Anteroom, options: argparse.Namespace) -> int:
    def command(file: str) -> list[str]:
        return [file if word == str(options.connection) else word for word in options.command]

    try:
        behind = start_behind(room.kernel, room.signals, command)
    except OSError as error:
        return _give_up(room, options.prefix, str(error), [])
    _FILES.append(behind)
    try:
        if not room.serve(lambda: _decided(behind, room.kernel)):
            behind.process.kill()
            return 0
        if not behind.ready:
            reason = f"it ended at once, with exit code {behind.process.returncode}"
            return _give_up(room, options.prefix, reason, [])
        behind.forget_files()
        room.wipe()
        for request in room.held:
            behind.sockets[request.channel].send_multipart(request.frames)
        room.held.clear()
        return relay(room.kernel, behind, room.signals)
    finally:
        behind.forget_files()


_FILES: list[Behind] = []
"""What is to be cleared up where nothing runs to its end."""


def _clear_up() -> None:
    for behind in _FILES:
        behind.forget_files()


def _decided(behind: Behind, kernel: StandIn) -> bool:
    if behind.process.poll() is not None:
        return True
    look_for(behind, kernel)
    return behind.ready


def _give_up(room: Anteroom, prefix: str, reason: str, ways: list[str]) -> int:
    room.wipe()
    told = Refusal(prefix, reason, (*ways, *how_to_mend(prefix, reason)))
    refuse(room.kernel, told, room.signals, room.held)
    return 0


def main(arguments: list[str]) -> int:
    """Start the kernel; return the exit code when it was shut down."""
    parser = argparse.ArgumentParser(prog="python -m kaa.jupyter.preparing")
    parser.add_argument("--prefix", required=True)
    parser.add_argument("--minor", required=True)
    parser.add_argument("-f", dest="connection", required=True, type=Path)
    parser.add_argument("command", nargs="+")
    options = parser.parse_args(arguments)
    signals = Signals()
    end_with_parent(_clear_up)
    introduction = as_python(options.minor.rstrip("t"), _BANNER)
    kernel = StandIn(read_connection(options.connection), introduction)
    try:
        return prepare(kernel, signals, options)
    finally:
        kernel.close()


if __name__ == "__main__":
    code = main(sys.argv[1:])
    sys.exit(code if code >= 0 else 128 - code)
