"""Ports on 127.0.0.1 that nobody takes between their being chosen and their being bound.

A port that the system gives out (``bind`` to 0), and that is let go of again, may be given to who
asks next. With two processes that start kernels, of five ports each, that happens in one of some
hundred starts. These are outside of what the system gives out, and each process of the tests has a
range of its own.
"""

from __future__ import annotations

import itertools
import os
import re
import socket

_FIRST, _COUNT = 10_000, 22_000
"""Below what Linux (32768) and macOS (49152) give out themselves."""
_APART = 2_500
"""From one process of a run to the next; by the process id, runs begin in different places."""


def _all() -> itertools.cycle[int]:
    worker = int(re.sub(r"\D", "", os.environ.get("PYTEST_XDIST_WORKER", "")) or 0)
    begin = (worker * _APART + os.getppid() * 7) % _COUNT
    ports = range(_FIRST, _FIRST + _COUNT)
    return itertools.cycle([*ports[begin:], *ports[:begin]])


_PORTS = _all()


def own_port(host: str = "127.0.0.1") -> int:
    """Return a port that is free, another one each time."""
    for port in itertools.islice(_PORTS, _COUNT):
        with socket.socket() as tried:
            # As servers do it: what is left of a connection that ended keeps nobody out.
            tried.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, os.name != "nt")
            try:
                tried.bind((host, port))
            except OSError:
                continue
            return port
    raise OSError("there is no free port")
