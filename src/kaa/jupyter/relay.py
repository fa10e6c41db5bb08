"""A kernel behind a stand-in: started on a connection of its own, all messages passed both ways.

Messages are passed as they are, signatures and all (the key is the same), with the frames that say
who asked: what a ROUTER in front reads, a DEALER behind sends on, and the answers find back.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tempfile
import threading
import time
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import zmq
from jupyter_client.connect import write_connection_file

from kaa.jupyter.standin import CHANNELS, DELIMITER, read_connection

if TYPE_CHECKING:
    from collections.abc import Callable

    from kaa.jupyter.standin import Signals, StandIn

_DIALOGUES = ("shell", "control", "stdin", "hb")
_LONGEST = 90
"""Characters of a directory in which local sockets can be made (``sun_path`` has 104 or 108)."""
_AT_ONCE = 100
"""Messages of one direction that are passed before the others have their turn."""
_PATIENCE = 0.3
"""Seconds after which the kernel is asked again whether it is there."""
_LINUX_START = (
    "import ctypes, os, sys; ctypes.CDLL(None).prctl(1, 9); os.execv(sys.argv[1], sys.argv[1:])"
)
"""Starts a program that the system kills when its parent is gone (``PR_SET_PDEATHSIG``).

A kernel looks for its parent itself, but not while it is busy in a library.
"""


@dataclass
class Behind:
    """The kernel behind: its process, the ends of its channels, and where its files are."""

    process: subprocess.Popen[bytes]
    sockets: dict[str, zmq.Socket[bytes]]
    directory: Path
    answered: bool = False
    heard: bool = False
    asked: float = 0.0

    @property
    def ready(self) -> bool:
        """Whether it answers, and what it publishes arrives."""
        return self.answered and self.heard

    def forget_files(self) -> None:
        """Take its files away.

        Nobody else is to connect, and who is connected needs them no more. Later would be too
        late: a server may kill what it started, which then cannot clear up.
        """
        shutil.rmtree(self.directory, ignore_errors=True)


def start_behind(kernel: StandIn, signals: Signals, command: Callable[[str], list[str]]) -> Behind:
    """Start a kernel by a command (of its connection file) behind a stand-in.

    It is in a session of its own: a signal to the stand-in's process group must not reach it
    twice. ``signals`` wake when it ends. Raises OSError.
    """
    directory = Path(tempfile.mkdtemp(prefix="kaa-"))
    local = os.name != "nt" and len(str(directory)) < _LONGEST
    file, _ = write_connection_file(
        str(directory / "kernel.json"),
        transport="ipc" if local else "tcp",
        ip=str(directory / "k") if local else "127.0.0.1",
        key=kernel.connection.key,
        signature_scheme=kernel.connection.scheme,
    )
    environ = dict(os.environ)
    words = command(file)
    if os.name != "nt":
        environ["JPY_PARENT_PID"] = str(os.getpid())
    if sys.platform == "linux":
        words = [sys.executable, "-I", "-S", "-c", _LINUX_START, *words]
    try:
        process = subprocess.Popen(
            words,
            env=environ,
            stdin=subprocess.DEVNULL,
            start_new_session=os.name != "nt",
            close_fds=os.name != "nt",  # Jupyter's events are inherited handles
        )
    except OSError:
        shutil.rmtree(directory, ignore_errors=True)
        raise

    def until_the_end() -> None:
        process.wait()
        signals.notify()

    threading.Thread(target=until_the_end, daemon=True, name="behind").start()
    return Behind(process, _connect(kernel, Path(file)), directory)


def _connect(kernel: StandIn, file: Path) -> dict[str, zmq.Socket[bytes]]:
    connection = read_connection(file)
    made = {}
    for channel in CHANNELS:
        end = kernel.context.socket(zmq.SUB if channel == "iopub" else zmq.DEALER)
        end.linger = 0
        end.sndhwm = end.rcvhwm = 0  # to wait here would be to hold up the other channels
        if channel == "iopub":
            end.subscribe(b"")
        else:
            # The same on all: the kernel asks for input whom it was asked to run code by.
            end.identity = b"kaa-" + kernel.session.bsession
        end.connect(connection.address(channel))
        made[channel] = end
    return made


def look_for(behind: Behind, kernel: StandIn) -> None:
    """Ask a kernel that starts whether it is there, and note what it says."""
    if time.monotonic() > behind.asked + _PATIENCE:
        behind.asked = time.monotonic()
        kernel.session.send(behind.sockets["shell"], "kernel_info_request", {})
    behind.answered |= _drained(behind.sockets["shell"])
    behind.heard |= _drained(behind.sockets["iopub"])


def _drained(end: zmq.Socket[bytes]) -> bool:
    some = False
    while end.poll(0):
        end.recv_multipart()
        some = True
    return some


def relay(kernel: StandIn, behind: Behind, signals: Signals) -> int:
    """Pass all messages and signals on until the kernel behind ends; return its exit code."""
    ways = [(kernel.sockets[name], behind.sockets[name]) for name in _DIALOGUES]
    ways += [(behind.sockets[name], kernel.sockets[name]) for name in CHANNELS]
    poller = zmq.Poller()
    for source, _ in ways:
        poller.register(source, zmq.POLLIN)
    poller.register(signals.wake.fileno(), zmq.POLLIN)
    while True:
        readable = dict(poller.poll())
        for number in signals.take():
            behind.process.send_signal(number)
        ended = behind.process.poll()
        passed = [_pass(source, target) for source, target in ways if source in readable]
        if ended is not None and not any(passed):
            # What it said last may still be on its way.
            if not any(_pass(source, target) for source, target in ways if source.poll(50)):
                return ended
            signals.notify()


def _pass(source: zmq.Socket[bytes], target: zmq.Socket[bytes]) -> bool:
    for count in range(_AT_ONCE):
        try:
            frames = source.recv_multipart(zmq.NOBLOCK, copy=False)
        except zmq.Again:
            return count > 0
        if frames[0].bytes != DELIMITER:  # else an answer to the stand-in's own question
            target.send_multipart(frames, copy=False)
    return True
