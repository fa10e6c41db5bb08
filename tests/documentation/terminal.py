"""A shell in which one command after the other is typed, and what each of them shows."""

from __future__ import annotations

import os
import subprocess
import sys
import threading
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping
    from types import TracebackType

LONGEST = 300.0
"""Seconds after which a command is taken for stuck."""


@dataclass(frozen=True, slots=True)
class Shown:
    """How a command ended, and what it wrote, errors among it."""

    code: int
    output: str


class Terminal:
    """A bash that lives from the first command to the last, so that variables and hooks stay.

    Every command is a file that bash reads, with nothing on standard input.
    """

    def __init__(self, directory: Path, scripts: Path, environ: Mapping[str, str]) -> None:
        self.directory = directory
        self._scripts = scripts
        self._count = 0
        scripts.mkdir()
        (scripts / "kaa").write_text(f'#!/bin/sh\nexec "{sys.executable}" -m kaa "$@"\n')
        (scripts / "kaa").chmod(0o755)
        programs = [str(scripts), str(Path(sys.executable).parent), environ["PATH"]]
        self._bash = subprocess.Popen(
            ["bash", "--noprofile", "--norc"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            cwd=directory,
            env={**environ, "PATH": os.pathsep.join(programs)},
            text=True,
        )

    def __enter__(self) -> Terminal:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self._bash.communicate("exit\n", timeout=LONGEST)

    def type(self, command: str) -> Shown:
        """Run a command and wait for it."""
        self._count += 1
        script, output = (self._scripts / f"{self._count}.{end}" for end in ("sh", "out"))
        script.write_text(f"{command}\n", encoding="utf-8")
        assert self._bash.stdin is not None
        assert self._bash.stdout is not None
        self._bash.stdin.write(f'. "{script}" </dev/null >"{output}" 2>&1; echo $?\n')
        self._bash.stdin.flush()
        stuck = threading.Timer(LONGEST, self._bash.kill)
        stuck.start()
        code = self._bash.stdout.readline()
        stuck.cancel()
        said = output.read_text(encoding="utf-8", errors="replace")
        assert code, f"the shell has ended: {said}"
        return Shown(int(code), said)
