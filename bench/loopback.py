"""A channel served over HTTP on loopback, as a web server would do it."""

from __future__ import annotations

import threading
from contextlib import contextmanager
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path


class _Handler(SimpleHTTPRequestHandler):
    """Answers with ``Last-Modified``, and 304 to whoever knows it."""

    protocol_version = "HTTP/1.1"

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002
        pass


class _Server(ThreadingHTTPServer):
    daemon_threads = True

    def handle_error(self, request: object, client_address: object) -> None:
        """Say nothing: a client that has what it wants may leave in the middle of an answer."""


@contextmanager
def served(directory: Path) -> Iterator[str]:
    """Give the URL of what is in ``directory``."""
    server = _Server(("127.0.0.1", 0), partial(_Handler, directory=str(directory)))
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield "http://{}:{}/".format(*server.server_address)
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
