"""Compile bytecode in the background: a process that nobody waits for, at the lowest priority.

:func:`start_compiling` starts it; this module is what it runs. It may be killed at any time.
"""

from __future__ import annotations

import contextlib
import json
import os
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from kaa.store.bytecode import compile_entries, compiling
from kaa.store.layout import Layout

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

_PROGRAM = Path(__file__).with_name("compile_files.py")
_AT_ONCE = 50
"""Files that a compiler is given at once; it goes on with them for a moment when we are killed."""


def start_compiling(layout: Layout, version: str, python: Path, entries: Sequence[str]) -> None:
    """Start a process that compiles ``entries`` of the package cache, and do not wait for it.

    ``python`` is an interpreter of that ``version``. Nothing is said when it cannot be started:
    bytecode is made by Python itself where there is none.
    """
    packages = str(layout.packages)
    command = [sys.executable, "-m", __name__, str(layout.root), packages, version, str(python)]
    with contextlib.suppress(OSError):
        subprocess.Popen(
            [*command, *entries],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            # Not where the user is: the directory could not be removed, and it is looked through
            # for modules.
            cwd=packages,
            start_new_session=True,
        )


class Interpreter:
    """An interpreter that compiles: a :class:`~kaa.store.bytecode.Compiler`."""

    def __init__(self, python: Path) -> None:
        command = [str(python), "-I", "-S", "-B", "-W", "ignore", str(_PROGRAM)]
        self._process = subprocess.Popen(
            command,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
        )

    def compile(self, sources: Sequence[tuple[str, str]]) -> list[str]:
        """Compile files; see the protocol. Raises ``OSError`` when the interpreter has ended."""
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        made: list[str] = []
        for start in range(0, len(sources), _AT_ONCE):
            line = json.dumps(list(sources[start : start + _AT_ONCE])) + "\n"
            self._process.stdin.write(line.encode())
            self._process.stdin.flush()
            answer = self._process.stdout.readline()
            if not answer:
                raise ChildProcessError("the interpreter that compiles has ended")
            made += json.loads(answer)
        return made

    def close(self) -> None:
        """Let the interpreter end, which is waited for."""
        with contextlib.suppress(OSError):
            self._process.communicate()


@contextlib.contextmanager
def interpreter(python: Path) -> Iterator[Interpreter]:
    """Give an interpreter that compiles, for the block. Raises ``OSError`` if it cannot start."""
    compiler = Interpreter(python)
    try:
        yield compiler
    finally:
        compiler.close()


def main(arguments: Sequence[str]) -> None:
    """Do what :func:`start_compiling` has asked for."""
    root, packages, version, python, *entries = arguments
    _give_way()
    layout = Layout(Path(root), package_directory=Path(packages))
    with (
        contextlib.suppress(OSError),
        compiling(layout, wait=True),
        interpreter(Path(python)) as compiler,
    ):
        compile_entries(layout, version, entries, compiler)


def _give_way() -> None:
    """Take only what of the processor nobody else wants."""
    # Not even less (SCHED_IDLE): it could be left waiting for ever while it holds a lock.
    if hasattr(os, "nice"):
        os.nice(19)


if __name__ == "__main__":
    main(sys.argv[1:])
