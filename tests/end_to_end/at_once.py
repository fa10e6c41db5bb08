"""Commands that are at work at the same time."""

from __future__ import annotations

import os
import signal
import subprocess
from typing import TYPE_CHECKING

from end_to_end.machine import KAA

if TYPE_CHECKING:
    from collections.abc import Sequence

_LONG = {"UV_HTTP_TIMEOUT": "600"}


def start(*arguments: str, **variables: str) -> subprocess.Popen[str]:
    """Start a command that heeds Ctrl-C, whoever runs the tests."""
    return subprocess.Popen(
        [*KAA, *arguments],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env={**os.environ, **_LONG, **variables},
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),
    )


def finish(processes: Sequence[subprocess.Popen[str]]) -> list[str]:
    """Wait for commands that have to succeed; return what each said on standard error."""
    said = []
    for process in processes:
        out, err = process.communicate(timeout=600)
        assert process.returncode == 0, out + err
        said.append(err)
    return said


def waiting(process: subprocess.Popen[str]) -> str:
    """Return the line in which a command says what it waits for."""
    assert process.stderr is not None
    line = process.stderr.readline()
    assert "waiting for" in line, line + process.stderr.read()
    return line
