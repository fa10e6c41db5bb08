"""The kernel that opens in place of one that cannot start, and says in the notebook why.

Run as ``python -m kaa.jupyter.fallback --prefix PREFIX --reason TEXT -f CONNECTION_FILE``, in a
Python that has kaa. Whatever is run in it is answered with the reason and with what mends it.
With ``--kernel NAME`` the reason is what was so when the kernelspec was read, and a server keeps
that for as long as the notebook is open: if the kernel can start by now, it does, as this process.
"""

from __future__ import annotations

import os
import sys

if sys.path and sys.path[0] in ("", os.getcwd()):  # noqa: PTH109
    del sys.path[0]  # as in ipykernel_launcher: no file beside the notebook shadows a module

import argparse
import contextlib
import signal
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import zmq

from kaa.environments.activation import become
from kaa.jupyter.mending import how_to_mend
from kaa.jupyter.standin import (
    REQUESTS,
    Introduction,
    Signals,
    StandIn,
    end_with_parent,
    read_connection,
)
from kaa.kernels.command import mended_command
from kaa.kernels.installed_launcher import install_launcher
from kaa.model.errors import KaaError
from kaa.settings.directories import this_layout

if TYPE_CHECKING:
    from collections.abc import Iterable

    from kaa.jupyter.standin import Request

_NO_LANGUAGE = Introduction(
    {"name": "text", "mimetype": "text/plain", "file_extension": ".txt"},
    "This kernel only says why the one that was wanted cannot start.",
)
ERROR = "KernelCannotStart"
"""The name of the error that every cell ends in."""


@dataclass(frozen=True, slots=True)
class Refusal:
    """Why the kernel of an environment cannot start, and what to type or do about it."""

    prefix: str
    reason: str
    ways: tuple[str, ...]

    @property
    def lines(self) -> list[str]:
        """What the notebook shows."""
        reason = self.reason.rstrip(".")
        told = [f"The kernel of {self.prefix} cannot start: {reason}."]
        told += [f"To mend it: {way}" for way in self.ways]
        return [*told, "Then restart the kernel."]


def refuse(kernel: StandIn, refusal: Refusal, signals: Signals, held: Iterable[Request]) -> None:
    """Answer everything that is to be run with the refusal, that what is ``held`` first.

    Returns when the kernel has been shut down, or got SIGTERM or SIGHUP; an interrupt changes
    nothing.
    """
    for request in held:
        _refuse(kernel, request, refusal)
    poller = zmq.Poller()
    for channel in (*REQUESTS, "hb"):
        poller.register(kernel.sockets[channel], zmq.POLLIN)
    poller.register(signals.wake.fileno(), zmq.POLLIN)
    while not kernel.ended:
        readable = dict(poller.poll())
        if any(number != signal.SIGINT for number in signals.take()):
            return
        if kernel.sockets["hb"] in readable:
            kernel.beat()
        for channel in REQUESTS:
            if kernel.sockets[channel] in readable:
                asked = kernel.receive(channel)
                if asked is not None and not kernel.answer(asked):
                    _refuse(kernel, asked, refusal)


def _refuse(kernel: StandIn, request: Request, refusal: Refusal) -> None:
    if request.kind == "execute_request":
        kernel.fail(request, ERROR, refusal.reason, refusal.lines)
    elif request.kind.endswith("_request"):
        kernel.refuse(request, ERROR, refusal.reason)


def _start_mended(options: argparse.Namespace) -> None:
    """Start the kernel that was wanted, if it can start now; returns where it cannot."""
    layout = this_layout()
    mended = mended_command(options.prefix, options.kernel, layout)
    if mended is None:
        return
    command, variables = mended
    with contextlib.suppress(OSError, KaaError):
        install_launcher(layout)
        named = [word.replace("{connection_file}", str(options.connection)) for word in command]
        sys.exit(become(named, {**os.environ, **variables}))


def main(arguments: list[str]) -> None:
    """Start the kernel; returns when it was shut down."""
    parser = argparse.ArgumentParser(prog="python -m kaa.jupyter.fallback")
    parser.add_argument("--prefix", required=True)
    parser.add_argument("--reason", required=True)
    parser.add_argument("--kernel")
    parser.add_argument("-f", dest="connection", required=True, type=Path)
    options = parser.parse_args(arguments)
    if options.kernel is not None:
        _start_mended(options)
    signals = Signals()
    end_with_parent()
    ways = how_to_mend(options.prefix, options.reason)
    kernel = StandIn(read_connection(options.connection), _NO_LANGUAGE)
    refuse(kernel, Refusal(options.prefix, options.reason, tuple(ways)), signals, ())
    kernel.close()


if __name__ == "__main__":
    main(sys.argv[1:])
