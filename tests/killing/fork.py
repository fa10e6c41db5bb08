"""Runs kaa's command line in processes that need not import anything any more.

Imports are most of what a small command does, and nothing of it can go wrong. The program is
started once; each line on its standard input is a command, and its two lines of answer are the
process and how it ended.
"""

from __future__ import annotations

import importlib
import json
import os
import pkgutil
import signal
import sys
import threading
from contextlib import suppress
from typing import Any

_ALSO = (
    "filelock",
    "h2.connection",
    "httpx",
    "jupyter_core.paths",
    "packaging.requirements",
    "rattler",
    "rattler.exceptions",
    "rich.progress",
    "rich.table",
)
_POLITE = {signal.SIGINT, signal.SIGTERM}


def serve() -> None:
    """Run the commands of standard input, one after the other, until it is closed."""
    import kaa

    for module in pkgutil.walk_packages(kaa.__path__, "kaa."):
        if not module.name.endswith("__main__"):
            importlib.import_module(module.name)
    for name in _ALSO:
        with suppress(ImportError):
            importlib.import_module(name)
    assert threading.active_count() == 1, "a process with threads cannot be forked"
    # A signal that comes while a process gets ready waits until it is one.
    signal.pthread_sigmask(signal.SIG_BLOCK, _POLITE)
    print("ready", flush=True)
    for line in sys.stdin:
        task = json.loads(line)
        process = os.fork()
        if process == 0:
            _run(task)
        print(process, flush=True)
        _, status = os.waitpid(process, 0)
        print(os.waitstatus_to_exitcode(status), flush=True)


def _run(task: dict[str, Any]) -> None:
    os.setsid()
    for number, (path, flags) in enumerate(
        [(os.devnull, os.O_RDONLY), (task["out"], os.O_WRONLY), (task["err"], os.O_WRONLY)]
    ):
        os.dup2(os.open(path, flags), number)
    sys.stdin = open(0, encoding="utf-8", closefd=False)  # noqa: SIM115
    os.chdir(task["directory"])
    os.environ.clear()
    os.environ.update(task["environ"])
    signal.signal(signal.SIGINT, signal.default_int_handler)
    sys.argv = ["kaa", *task["arguments"]]
    from kaa.cli.main import run

    if task["watch"] is not None:
        from killing.events import Watch, install

        install(Watch(**task["watch"]))
    signal.pthread_sigmask(signal.SIG_UNBLOCK, _POLITE)
    run()


if __name__ == "__main__":
    serve()
