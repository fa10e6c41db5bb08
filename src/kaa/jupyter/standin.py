"""A kernel that stands in for another: Jupyter's messaging protocol, and no language.

It is written on jupyter_client and pyzmq only, which kaa depends on, so that it is there where
nobody has installed ipykernel (kaa may be in a Python of its own). Protocol: "Messaging in
Jupyter", version 5.3; transports ``tcp`` and ``ipc``; connections are encrypted (CurveZMQ) where
the connection file says so.
"""

from __future__ import annotations

import contextlib
import json
import os
import signal
import socket
import threading
import time
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import zmq
from jupyter_client.session import Session

from kaa import __version__

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping
    from pathlib import Path

REQUESTS = ("shell", "control")
"""The channels on which clients ask."""
_KINDS = {"shell": zmq.ROUTER, "control": zmq.ROUTER, "stdin": zmq.ROUTER, "hb": zmq.ROUTER}
_KINDS["iopub"] = zmq.PUB
CHANNELS = tuple(_KINDS)
DELIMITER = b"<IDS|MSG>"
_LINGER = 1000
"""Milliseconds that a closed socket still tries to send, as with ipykernel."""
_PROTOCOL = "5.3"


@dataclass(frozen=True, slots=True)
class Connection:
    """What a connection file says; ``curve`` are the public and secret key of CurveZMQ."""

    transport: str
    ip: str
    ports: Mapping[str, int]
    key: bytes
    scheme: str
    curve: tuple[bytes, bytes] | None = None

    def address(self, channel: str) -> str:
        """Return a channel's address for ZeroMQ."""
        between = "-" if self.transport == "ipc" else ":"
        return f"{self.transport}://{self.ip}{between}{self.ports[channel]}"


def read_connection(file: Path) -> Connection:
    """Return what a connection file says.

    Raises OSError, ValueError and LookupError for what is none.
    """
    content = json.loads(file.read_text(encoding="utf-8"))
    public, secret = content.get("curve_publickey"), content.get("curve_secretkey")
    return Connection(
        content.get("transport", "tcp"),
        content.get("ip", "127.0.0.1"),
        {channel: int(content[f"{channel}_port"]) for channel in CHANNELS},
        content.get("key", "").encode(),
        content.get("signature_scheme") or "hmac-sha256",
        (public.encode(), secret.encode()) if public and secret else None,
    )


@dataclass(frozen=True, slots=True)
class Request:
    """A message as it came: its ``frames`` with those of routing, and what is in it."""

    channel: str
    frames: list[bytes]
    message: dict[str, Any]

    @property
    def kind(self) -> str:
        """The message's type, such as ``execute_request``."""
        return str(self.message["header"]["msg_type"])

    @property
    def content(self) -> dict[str, Any]:
        """The message's content."""
        content: dict[str, Any] = self.message["content"]
        return content

    @property
    def identities(self) -> list[bytes]:
        """The frames that lead back to who asked."""
        return self.frames[: self.frames.index(DELIMITER)]


@dataclass(frozen=True, slots=True)
class Introduction:
    """What a kernel says of itself: its language, as Jupyter's ``language_info`` has it."""

    language: Mapping[str, Any]
    banner: str


def as_python(version: str, banner: str) -> Introduction:
    """Return what ipykernel says of itself with a Python of this version."""
    language = {
        "name": "python",
        "version": version,
        "mimetype": "text/x-python",
        "codemirror_mode": {"name": "ipython", "version": 3},
        "pygments_lexer": "ipython3",
        "nbconvert_exporter": "python",
        "file_extension": ".py",
    }
    return Introduction(language, banner)


_EMPTY: Mapping[str, Callable[[Mapping[str, Any]], dict[str, Any]]] = {
    "complete_request": lambda asked: {
        "matches": [],
        "cursor_start": asked.get("cursor_pos", 0),
        "cursor_end": asked.get("cursor_pos", 0),
        "metadata": {},
    },
    "inspect_request": lambda _: {"found": False, "data": {}, "metadata": {}},
    "history_request": lambda _: {"history": []},
    "comm_info_request": lambda _: {"comms": {}},
    "is_complete_request": lambda _: {"status": "unknown"},
    "interrupt_request": lambda _: {},
}
"""What is said to requests by who has no language."""


class StandIn:
    """The sockets of a kernel, and the answers that any kernel gives.

    Raises zmq.ZMQError when the addresses of the connection cannot be had.
    """

    def __init__(self, connection: Connection, introduction: Introduction) -> None:
        self.connection = connection
        self.context = zmq.Context()
        self.session = Session(key=connection.key, signature_scheme=connection.scheme)
        self._introduction = introduction
        self._count = 0
        self.ended = False
        """Whether somebody has asked it to shut down."""
        self.sockets = {channel: self._bind(channel) for channel in CHANNELS}

    def _bind(self, channel: str) -> zmq.Socket[bytes]:
        made = self.context.socket(_KINDS[channel])
        made.linger = _LINGER
        if _KINDS[channel] == zmq.ROUTER:
            made.router_handover = 1  # a client that comes back has the name that it had
        made.sndhwm = made.rcvhwm = 0
        if self.connection.curve is not None:
            made.curve_publickey, made.curve_secretkey = self.connection.curve
            made.curve_server = True
        made.bind(self.connection.address(channel))
        return made

    def close(self) -> None:
        """Send what is to be sent, and close the sockets."""
        self.context.destroy(linger=_LINGER)

    def beat(self) -> None:
        """Answer who listens to the heart."""
        pulse = self.sockets["hb"]
        pulse.send_multipart(pulse.recv_multipart())

    def receive(self, channel: str) -> Request | None:
        """Return the next message of a channel; None for one that nobody has signed."""
        frames = self.sockets[channel].recv_multipart()
        try:
            rest = frames[frames.index(DELIMITER) + 1 :]
            return Request(channel, frames, self.session.deserialize(rest))
        except (ValueError, TypeError, LookupError):
            return None

    def publish(self, kind: str, content: Mapping[str, Any], parent: Request | None) -> None:
        """Tell all clients something, in answer to ``parent``."""
        header = parent.message if parent is not None else None
        topic = f"kernel.{self.session.session}.{kind}".encode()
        self.session.send(self.sockets["iopub"], kind, dict(content), header, topic)

    def reply(self, request: Request, content: Mapping[str, Any]) -> None:
        """Answer a request; a content without status says that it went well."""
        self.session.send(
            self.sockets[request.channel],
            request.kind.replace("_request", "_reply"),
            {"status": "ok", **content},
            request.message,
            request.identities,
        )

    @contextlib.contextmanager
    def busy(self, request: Request) -> Iterator[None]:
        """Be busy with a request for the block, and say so."""
        self.publish("status", {"execution_state": "busy"}, request)
        yield
        self.publish("status", {"execution_state": "idle"}, request)

    def answer(self, request: Request) -> bool:
        """Answer what any kernel knows an answer to; say whether this was it.

        What is to be executed is not, nor what is unknown.
        """
        answers = {
            "kernel_info_request": self._introduce,
            "shutdown_request": self._end,
            "connect_request": lambda _: {f"{k}_port": v for k, v in self.connection.ports.items()},
            **_EMPTY,
        }
        answer = answers.get(request.kind)
        if answer is None:
            return False
        with self.busy(request):
            self.reply(request, answer(request.content))
        return True

    def _introduce(self, _: Mapping[str, Any]) -> dict[str, Any]:
        return {
            "protocol_version": _PROTOCOL,
            "implementation": "kaa",
            "implementation_version": __version__,
            "language_info": dict(self._introduction.language),
            "banner": self._introduction.banner,
            "help_links": [],
        }

    def _end(self, asked: Mapping[str, Any]) -> dict[str, Any]:
        self.ended = True
        return {"restart": bool(asked.get("restart"))}

    def fail(self, request: Request, name: str, value: str, lines: list[str]) -> None:
        """Answer what is to be executed by an error, as an exception of its code would be."""
        error = {"ename": name, "evalue": value, "traceback": lines}
        silent = bool(request.content.get("silent"))
        with self.busy(request):
            if not silent:
                self._count += 1 if request.content.get("store_history", True) else 0
                code = str(request.content.get("code", ""))
                count = {"execution_count": self._count}
                self.publish("execute_input", {"code": code, **count}, request)
                self.publish("error", error, request)
            self.reply(request, {"status": "error", "execution_count": self._count, **error})

    def refuse(self, request: Request, name: str, value: str) -> None:
        """Answer any other request by an error."""
        error = {"ename": name, "evalue": value, "traceback": []}
        with self.busy(request):
            self.reply(request, {"status": "error", **error})

    def abort(self, request: Request) -> None:
        """Answer a request that nothing will become of."""
        with self.busy(request):
            self.reply(request, {"status": "aborted"})


@dataclass
class Signals:
    """The signals that this process gets, noted, and a socket that can be read when one came."""

    caught: list[int] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.wake, self._alarm = socket.socketpair()
        self.wake.setblocking(False)
        self._alarm.setblocking(False)
        signal.set_wakeup_fd(self._alarm.fileno(), warn_on_full_buffer=False)
        for name in ("SIGINT", "SIGTERM", "SIGHUP"):
            if hasattr(signal, name):
                signal.signal(getattr(signal, name), self._note)

    def _note(self, number: int, _: object) -> None:
        self.caught.append(number)

    def notify(self) -> None:
        """Make :attr:`wake` readable, from any thread."""
        with contextlib.suppress(BlockingIOError):  # it is, more than enough
            self._alarm.send(b"\0")

    def take(self) -> list[int]:
        """Return what came since the last time."""
        with contextlib.suppress(BlockingIOError):
            while self.wake.recv(4096):
                continue
        taken, self.caught[:] = self.caught[:], []
        return taken


def end_with_parent(before: Callable[[], object] = lambda: None) -> None:
    """End this process when the one that started it is gone, as ipykernel does.

    jupyter_client says in ``JPY_PARENT_PID`` who that is: a process id, on Windows a handle.
    ``before`` is called first.
    """
    said = os.environ.get("JPY_PARENT_PID", "")
    if not said.isdecimal():
        return
    watch = _await_handle if os.name == "nt" else _await_orphaned

    def until_then() -> None:
        watch(int(said))
        before()
        os._exit(1)

    threading.Thread(target=until_then, daemon=True, name="parent").start()


def _await_orphaned(parent: int) -> None:
    first = os.getppid()  # not the one that was named, where something is in between
    if first == 1 != parent:
        return
    while os.getppid() == first:
        time.sleep(1)


def _await_handle(handle: int) -> None:
    import ctypes

    kernel32: Any = ctypes.__dict__["windll"].kernel32
    kernel32.WaitForSingleObject(ctypes.c_void_p(handle), 0xFFFFFFFF)
