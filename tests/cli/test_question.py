"""The question, asked on a real terminal: a pseudo-terminal with the process behind it."""

from __future__ import annotations

import codecs
import os
import select
import signal
import subprocess
import sys
import time
from typing import TYPE_CHECKING

import pytest

from kaa.cli.invocation import Invocation
from kaa.cli.question import require_answer
from kaa.model.errors import RequestError

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from cli.answer import Answer

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="pseudo-terminals are POSIX's")

# A command that asks, once outside an event loop and once inside: as env remove and create do.
_SCRIPT = """
import sys
import click
import kaa.cli.app
from kaa.cli.interrupts import run_cancellable
from kaa.cli.invocation import Invocation
from kaa.cli.lazy import Entry
from kaa.cli.main import run
from kaa.cli.options import pass_invocation, quiet_option, yes_option
from kaa.cli.question import confirm, require_answer

@click.command()
@quiet_option
@yes_option
@click.option("--loop", is_flag=True)
@pass_invocation
def command(invocation, loop):
    require_answer(invocation)
    async def ask():
        confirm(invocation, "Create demo: 3 packages")
    run_cancellable(ask()) if loop else confirm(invocation, "Remove demo")
    click.echo("proceeded")

sys.modules["asking"] = sys.modules[__name__]
kaa.cli.app.app.entries["list"] = Entry("asking:command", "")
run()
"""


class Dialogue:
    """A process on a pseudo-terminal of its own, in a process group of its own."""

    def __init__(self, *arguments: str) -> None:
        import pty

        self.ours, theirs = pty.openpty()
        self.process = subprocess.Popen(
            [sys.executable, "-c", _SCRIPT, "list", *arguments],
            stdin=theirs,
            stdout=theirs,
            stderr=theirs,
            start_new_session=True,
        )
        os.close(theirs)
        self.text = ""
        self._decoder = codecs.getincrementaldecoder("utf-8")()

    def __enter__(self) -> Dialogue:
        return self

    def __exit__(self, *_: object) -> None:
        self.process.kill()
        self.process.wait()
        os.close(self.ours)

    def read_until(self, wanted: str | None) -> str:
        """Read until ``wanted`` was written, or the end; return all that was written so far."""
        end = time.monotonic() + 300
        while wanted is None or wanted not in self.text:
            ready, _, _ = select.select([self.ours], [], [], max(0, end - time.monotonic()))
            assert ready, f"only this was written: {self.text!r}"
            try:
                piece = os.read(self.ours, 4096)
            except OSError:  # Linux says so when the other end is closed.
                piece = b""
            if not piece:
                assert wanted is None, f"only this was written: {self.text!r}"
                break
            self.text += self._decoder.decode(piece)  # a letter may be in two pieces
        return self.text

    def say(self, answer: str) -> None:
        os.write(self.ours, answer.encode())

    def code(self) -> int:
        self.read_until(None)
        return self.process.wait(300)


BOTH = pytest.mark.parametrize("where", [(), ("--loop",)], ids=["plain", "in a loop"])


@BOTH
@pytest.mark.parametrize("answer", ["\n", "y\n", "Yes\n"])
def test_yes(where: tuple[str, ...], answer: str) -> None:
    with Dialogue(*where) as dialogue:
        dialogue.read_until("Proceed? [Y/n] ")
        dialogue.say(answer)
        assert dialogue.code() == 0
        assert "proceeded" in dialogue.text


@BOTH
@pytest.mark.parametrize("answer", ["n\n", "NO\n", "\x04"])
def test_no_and_the_end_of_input(where: tuple[str, ...], answer: str) -> None:
    with Dialogue(*where) as dialogue:
        dialogue.read_until("Proceed? [Y/n] ")
        dialogue.say(answer)
        assert dialogue.code() == 130
        assert "proceeded" not in dialogue.text
        assert dialogue.text.rstrip().endswith("nothing was changed")


@BOTH
def test_anything_else_is_asked_again(where: tuple[str, ...]) -> None:
    with Dialogue(*where) as dialogue:
        dialogue.read_until("Proceed? [Y/n] ")
        dialogue.say("perhaps\n")
        assert dialogue.read_until("Please answer y or n.\r\nProceed? [Y/n] ")
        dialogue.say("n\n")
        assert dialogue.code() == 130


@BOTH
@pytest.mark.parametrize("how", ["key", "SIGTERM", "SIGINT"])
def test_interrupted_at_the_question(where: tuple[str, ...], how: str) -> None:
    with Dialogue(*where) as dialogue:
        dialogue.read_until("Proceed? [Y/n] ")
        if how == "key":
            # The terminal is not the process's controlling one, so the key's signal is sent.
            os.killpg(dialogue.process.pid, signal.SIGINT)
        else:
            dialogue.process.send_signal(getattr(signal, how))
        assert dialogue.code() == 130
        assert dialogue.text.rstrip().endswith("interrupted; nothing was changed")
        assert "Traceback" not in dialogue.text


def test_quiet_asks_with_what_it_is_about() -> None:
    with Dialogue("-q") as dialogue:
        dialogue.read_until("Remove demo. Proceed? [Y/n] ")
        dialogue.say("y\n")
        assert dialogue.code() == 0


def test_yes_option_asks_nothing() -> None:
    with Dialogue("-y") as dialogue:
        assert dialogue.code() == 0
        assert "Proceed?" not in dialogue.text


@pytest.mark.parametrize(
    "arguments", [["create", "-n", "x", "numpy"], ["env", "remove", "-n", "x"]]
)
@pytest.mark.parametrize("json", [[], ["--json"]])
def test_without_a_terminal_there_is_an_error_and_no_waiting(
    kaa_process: Callable[..., Answer], arguments: list[str], json: list[str]
) -> None:
    answer = kaa_process(*arguments, *json)
    assert answer.code == 2
    if json:
        assert answer.json["hint"].startswith("add -y")
    else:
        assert "no terminal to ask on" in answer.err and "hint: add -y" in answer.err


def test_no_terminal_is_needed_where_nothing_is_asked() -> None:
    require_answer(Invocation(yes=True))
    require_answer(Invocation(dry_run=True))
    with pytest.raises(RequestError):
        require_answer(Invocation(json=True))


@pytest.mark.parametrize("file", [".condarc", "config.toml"])
def test_settings_that_always_agree_agree(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, file: str
) -> None:
    text = "always_yes: true\n" if file == ".condarc" else "always-yes = true\n"
    (tmp_path / file).write_text(text, encoding="utf-8")
    monkeypatch.setenv("CONDARC" if file == ".condarc" else "KAA_CONFIG", str(tmp_path / file))
    require_answer(Invocation())
    with Dialogue() as dialogue:
        assert dialogue.code() == 0
        assert "Proceed?" not in dialogue.text


def test_settings_that_cannot_be_read_agree_to_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "config.toml").write_text("always-yes = \n", encoding="utf-8")
    monkeypatch.setenv("KAA_CONFIG", str(tmp_path / "config.toml"))
    with Dialogue() as dialogue:
        dialogue.read_until("Proceed? [Y/n] ")
        dialogue.say("y\n")
        assert dialogue.code() == 0
