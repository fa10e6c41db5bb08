"""Builds a kernel overlay for a kernel that waits for it, and tells that one how far it is.

Run as ``python -m kaa.jupyter.building --minor 3.12 --prefix PREFIX``. Each line on standard output
is a JSON object: ``{"doing": TEXT}``, and at the end ``{"error": {...}}`` (the fields of
:meth:`kaa.model.errors.KaaError.as_dict`) if it failed. It is a process of its own, because a
kernel lives long and this takes memory; it ends when its standard input does.
"""

from __future__ import annotations

import os
import sys

if sys.path and sys.path[0] in ("", os.getcwd()):  # noqa: PTH109
    del sys.path[0]  # no file beside the notebook shadows a module

import argparse
import asyncio
import json
import logging
import threading
import time
from pathlib import Path
from typing import Any

from kaa.model.errors import KaaError
from kaa.model.progress import Phase
from kaa.settings.directories import this_layout
from kaa.workflows.kernel import prepare_overlay

_WORDS = {
    Phase.METADATA: "looking for packages",
    Phase.BUILD: "building packages",
    Phase.DOWNLOAD: "downloading",
    Phase.LINK: "linking packages",
    Phase.DISK: "writing to the disk",
}
_PAUSE = 0.5
"""Seconds between two lines about the same phase."""


def _tell(**fields: Any) -> None:
    sys.stdout.write(json.dumps(fields) + "\n")
    sys.stdout.flush()


class Told:
    """A :class:`kaa.model.progress.Progress` that is told in lines, two a second at most."""

    def __init__(self) -> None:
        self._counts: dict[Phase, list[int]] = {}
        self._last: tuple[Phase | None, float] = (None, 0.0)
        self._lock = threading.Lock()

    def expect(self, phase: Phase, amount: int) -> None:
        """Count it."""
        self._add(phase, 0, amount)

    def advance(self, phase: Phase, amount: int, item: str | None = None) -> None:
        """Count it, and say how far the phase is."""
        self._add(phase, amount, 0)

    def finish(self, phase: Phase) -> None:
        """Forget the phase."""
        with self._lock:
            self._counts.pop(phase, None)

    def _add(self, phase: Phase, done: int, total: int) -> None:
        with self._lock:
            counts = self._counts.setdefault(phase, [0, 0])
            counts[0] += done
            counts[1] += total
            now = time.monotonic()
            if phase not in _WORDS or (phase == self._last[0] and now < self._last[1] + _PAUSE):
                return
            self._last = (phase, now)
            _tell(doing=_WORDS[phase] + _share(phase, *counts))


def _share(phase: Phase, done: int, total: int) -> str:
    if phase is Phase.DOWNLOAD:
        return f" {done / 1e6:.1f} of {total / 1e6:.1f} MB"
    return f" {done} of {total}" if phase is Phase.LINK and total else ""


class _Warnings(logging.Handler):
    """What is logged (whom one waits for) is told, too; logging's seam is a subclass."""

    def emit(self, record: logging.LogRecord) -> None:
        _tell(doing=record.getMessage())


def _end_with_input() -> None:
    sys.stdin.buffer.read()
    os._exit(1)


def main(arguments: list[str]) -> int:
    """Build the overlay, unless it is there; return the exit code."""
    parser = argparse.ArgumentParser(prog="python -m kaa.jupyter.building")
    parser.add_argument("--minor", required=True)
    parser.add_argument("--prefix", required=True, type=Path)
    options = parser.parse_args(arguments)
    threading.Thread(target=_end_with_input, daemon=True).start()
    logging.getLogger("kaa").addHandler(_Warnings(logging.WARNING))
    try:
        layout = this_layout()
        work = prepare_overlay(options.minor, layout, Told(), prefix=options.prefix)
        asyncio.run(work)
    except KaaError as error:
        _tell(error=error.as_dict())
        return error.exit_code
    return 0


if __name__ == "__main__":
    code = main(sys.argv[1:])
    sys.stdout.flush()
    os._exit(code)  # rattler's threads may crash a process that ends in the usual way
