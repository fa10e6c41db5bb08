"""An HTTP server on 127.0.0.1 for tests: what it answers is a function, what goes wrong a list."""

from __future__ import annotations

import base64
import fnmatch
import re
import socket
import ssl
import struct
import threading
import time
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import TYPE_CHECKING, Any

from ports import own_port

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from pathlib import Path


@dataclass
class Fault:
    """What goes wrong for a path. Give one of the fields; ``times`` limits how often it happens.

    ``status`` answers with that status, ``body`` with other content (status 200); ``truncate``
    announces the whole body, sends that many bytes and closes; ``hang`` waits that many seconds,
    or until the server is healed, before it answers; ``reset`` resets the connection; ``redirect``
    sends the client elsewhere. ``headers`` are added.
    """

    status: int | None = None
    body: bytes | None = None
    content_type: str = "text/html"
    truncate: int | None = None
    hang: float | None = None
    reset: bool = False
    redirect: str | None = None
    headers: Mapping[str, str] = field(default_factory=dict)
    times: int | None = None


@dataclass(frozen=True)
class Request:
    """A request that the server got. Header names are in lower case."""

    path: str
    headers: Mapping[str, str]
    method: str = "GET"


@dataclass(frozen=True)
class Reply:
    """What the server says."""

    status: int
    body: bytes = b""
    headers: Mapping[str, str] = field(default_factory=dict)


class LocalServer:
    """Answers GET and HEAD by calling ``answer``, in threads; ``requests`` is its log.

    ``tls`` is a PEM file with the server's certificate and key.
    """

    def __init__(self, answer: Callable[[Request], Reply], tls: Path | None = None) -> None:
        self.requests: list[Request] = []
        self.answer = answer
        self._faults: list[tuple[str, Fault]] = []
        self._go_on = threading.Event()
        self._server = _Server(("127.0.0.1", own_port()), _Handler)
        self._server.local = self
        self._scheme = "https" if tls else "http"
        if tls:
            context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
            context.load_cert_chain(tls)
            self._server.socket = context.wrap_socket(
                self._server.socket, server_side=True, do_handshake_on_connect=False
            )
        self._thread = threading.Thread(
            target=self._server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True
        )

    def start(self) -> None:
        """Begin to answer."""
        self._thread.start()

    def stop(self) -> None:
        """End, and close the port. Before :meth:`start`, only the latter."""
        self._go_on.set()
        if self._thread.is_alive():
            self._server.shutdown()
            self._thread.join()
        self._server.server_close()

    @property
    def host(self) -> str:
        """The server's address, as in ``127.0.0.1:12345``."""
        return f"127.0.0.1:{self._server.server_address[1]}"

    @property
    def url(self) -> str:
        """The server's URL, without a slash at its end."""
        return f"{self._scheme}://{self.host}"

    def fail(self, pattern: str, fault: Fault) -> None:
        """Let ``fault`` happen to requests whose path matches the shell-style ``pattern``."""
        self._faults.append((pattern, fault))

    def heal(self) -> None:
        """Take every fault away, and let go on what hangs."""
        self._faults.clear()
        self._go_on.set()
        self._go_on = threading.Event()

    def fault_for(self, path: str) -> Fault | None:
        """Return the fault that is due for ``path``, and count it."""
        for pattern, fault in self._faults:
            if fnmatch.fnmatch(path, pattern) and fault.times != 0:
                if fault.times is not None:
                    fault.times -= 1
                return fault
        return None

    @property
    def go_on(self) -> threading.Event:
        """What is set by the next :meth:`heal`, and at the end of the server."""
        return self._go_on


def ranged(content: bytes, headers: Mapping[str, str]) -> Reply:
    """Return the reply for a file, or for the part of it that ``range`` asks for (RFC 9110)."""
    span = re.fullmatch(r"bytes=(\d*)-(\d*)", headers.get("range", ""))
    if not span:
        return Reply(200, content, {"Accept-Ranges": "bytes"})
    size = len(content)
    start = int(span[1]) if span[1] else max(size - int(span[2]), 0)
    stop = min(int(span[2]) + 1, size) if span[1] and span[2] else size
    if start >= size:
        return Reply(416, b"", {"Content-Range": f"bytes */{size}"})
    return Reply(206, content[start:stop], {"Content-Range": f"bytes {start}-{stop - 1}/{size}"})


def basic(username: str, password: str) -> str:
    """Return the Authorization header of a user (RFC 7617)."""
    return "Basic " + base64.b64encode(f"{username}:{password}".encode()).decode()


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    block_on_close = False
    request_queue_size = 128
    local: LocalServer

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Say nothing: clients that go away are part of many tests."""


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server: _Server
    timeout = 30
    disable_nagle_algorithm = True

    def log_message(self, *arguments: Any) -> None:
        """Say nothing."""

    def do_HEAD(self) -> None:
        self.do_GET()

    def do_GET(self) -> None:
        local = self.server.local
        headers = {name.lower(): value for name, value in self.headers.items()}
        request = Request(self.path, headers, self.command)
        local.requests.append(request)
        go_on = local.go_on  # before the fault, so that no heal is missed
        fault = local.fault_for(self.path)
        if not (fault and self._fails(fault, go_on)):
            self._send(local.answer(request), fault.truncate if fault else None)

    def _fails(self, fault: Fault, go_on: threading.Event) -> bool:
        """Do what the fault says; return whether that was the whole answer."""
        if fault.hang is not None:
            go_on.wait(fault.hang)
        if fault.reset:
            linger = struct.pack("ii", 1, 0)
            self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, linger)
            self.close_connection = True
            self.connection.close()
        elif fault.redirect is not None:
            self._send(Reply(302, b"", {"Location": fault.redirect, **fault.headers}))
        elif fault.status is not None:
            self._send(Reply(fault.status, b"out of order", fault.headers))
        elif fault.body is not None:
            headers = {"Content-Type": fault.content_type, **fault.headers}
            self._send(Reply(200, fault.body, headers))
        else:
            return False
        return True

    def _send(self, reply: Reply, truncate: int | None = None) -> None:
        self.send_response(reply.status)
        for name, value in reply.headers.items():
            self.send_header(name, value)
        if reply.status != 304:
            self.send_header("Content-Length", str(len(reply.body)))
        self.end_headers()
        if self.command == "HEAD":
            return
        self.wfile.write(reply.body if truncate is None else reply.body[:truncate])
        if truncate is not None:
            self.wfile.flush()
            # Let the bytes arrive before the connection ends.
            time.sleep(0.01)
            self.close_connection = True
