from __future__ import annotations

import os
import signal
import subprocess
import sys
import time

import pytest

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="POSIX's signals")

# Work that is cancelled, and cleans up; `stuck` cleans up for ever.
_SCRIPT = """
import asyncio, sys, time
import click
import kaa.cli.app
from kaa.cli.interrupts import run_cancellable
from kaa.cli.lazy import Entry
from kaa.cli.main import run

@click.command()
@click.argument("what")
def command(what):
    async def work():
        print("working", flush=True)
        try:
            await asyncio.sleep(600)
        finally:
            print("cleaning up", flush=True)
            if what == "stuck":
                await asyncio.sleep(600)
            print("cleaned up", flush=True)
    if what == "plain":
        print("working", flush=True)
        time.sleep(600)
    else:
        run_cancellable(work())

sys.modules["working"] = sys.modules[__name__]
kaa.cli.app.app.entries["list"] = Entry("working:command", "")
run()
"""


def start(what: str, **options: object) -> subprocess.Popen[str]:
    process = subprocess.Popen(
        [sys.executable, "-c", _SCRIPT, "list", what],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        **options,  # type: ignore[call-overload]
    )
    assert isinstance(process, subprocess.Popen)
    assert process.stdout is not None
    assert process.stdout.readline() == "working\n"
    return process


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
@pytest.mark.parametrize("what", ["plain", "loop"])
def test_one_line_and_130(what: str, number: signal.Signals) -> None:
    process = start(what)
    process.send_signal(number)
    out, err = process.communicate(timeout=300)
    assert process.returncode == 130
    assert err == "interrupted; nothing was changed\n"
    assert out == ("cleaning up\ncleaned up\n" if what == "loop" else "")


def test_the_second_signal_does_not_wait_for_the_clean_up() -> None:
    process = start("stuck")
    process.send_signal(signal.SIGINT)
    assert process.stdout is not None
    assert process.stdout.readline() == "cleaning up\n"
    process.send_signal(signal.SIGINT)
    _, err = process.communicate(timeout=300)
    assert process.returncode == 130
    assert err == "interrupted twice; left without cleaning up\n"


def test_a_signal_that_the_parent_ignores_stays_ignored() -> None:
    def ignore() -> None:
        signal.signal(signal.SIGINT, signal.SIG_IGN)

    process = start("loop", preexec_fn=ignore)
    process.send_signal(signal.SIGINT)
    time.sleep(0.2)
    assert process.poll() is None
    os.kill(process.pid, signal.SIGTERM)
    _, err = process.communicate(timeout=300)
    assert err == "interrupted; nothing was changed\n"
