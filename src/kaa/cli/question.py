"""The question before anything changes; never put to what is not a terminal."""

from __future__ import annotations

import os
import sys
from typing import TYPE_CHECKING

import click

from kaa.cli.interrupts import handled_by, raise_interrupt
from kaa.model.errors import AbortedError, KaaError, RequestError

if TYPE_CHECKING:
    from kaa.cli.invocation import Invocation


def require_answer(invocation: Invocation) -> None:
    """Make sure, before any work is done, that the question can be asked if it has to be.

    :raises RequestError: there is a question, and no terminal to ask it on.
    """
    if invocation.dry_run or _agreed(invocation):
        return
    if not (sys.stdin.isatty() and sys.stderr.isatty()):
        raise RequestError(
            "there is no terminal to ask on whether to proceed",
            hint="add -y to proceed without being asked, or --dry-run to see the plan",
        )


def confirm(invocation: Invocation, summary: str) -> None:
    """Ask "Proceed?"; where the plan was not shown, the question carries its ``summary``.

    :raises AbortedError: the answer is no, or the end of input.
    """
    if _agreed(invocation):
        return
    question = "Proceed? [Y/n] " if invocation.speaks else f"{summary}. Proceed? [Y/n] "
    # An event loop may be running, whose own handler only cancels what it awaits.
    with handled_by(raise_interrupt):
        while True:
            click.echo(question, err=True, nl=False)
            answer = sys.stdin.readline()
            if not answer:
                click.echo(err=True)
            if answer.strip().lower() in ("y", "yes") or answer == "\n":
                return
            if not answer or answer.strip().lower() in ("n", "no"):
                raise AbortedError("nothing was changed")
            click.echo("Please answer y or n.", err=True)


def _agreed(invocation: Invocation) -> bool:
    """Say whether the user has said yes beforehand: with ``-y``, or in the settings."""
    if invocation.yes:
        return True
    from kaa.settings.configuration import load_configuration

    try:
        return load_configuration(os.environ, only=("always_yes",)).always_yes
    except KaaError:
        return False  # settings that cannot be read agree to nothing; whoever mends them is asked
