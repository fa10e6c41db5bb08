"""The edge of the program: the one place where errors become output and an exit code."""

from __future__ import annotations

import os
import sys
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence

    from kaa.cli.invocation import Invocation

_BROKEN_PIPE = 141  # what a shell says of a program that SIGPIPE ended


def run() -> None:
    """Run the command line of this process, and leave the process.

    It leaves without the interpreter's own clean-up, because about one process in a hundred that
    has used rattler's linker dies in there (0.28); there is nothing to clean up but the streams.
    """
    try:
        import signal

        from kaa.cli.interrupts import raise_interrupt

        if signal.getsignal(signal.SIGTERM) is signal.SIG_DFL:
            signal.signal(signal.SIGTERM, raise_interrupt)
        _open_closed_streams()
        _tolerate_any_name()
        code = execute(sys.argv[1:])
    except KeyboardInterrupt:
        # So early or so late that nothing of kaa's own was under way.
        os.write(2, b"interrupted; nothing was changed\n")
        code = 130
    os._exit(code)


def execute(arguments: Sequence[str]) -> int:
    """Run one command and return its exit code; whatever goes wrong has then been said."""
    from kaa.cli.invocation import read_invocation

    invocation = read_invocation(tuple(arguments))
    try:
        try:
            code = _invoke(invocation)
        except BrokenPipeError:
            raise
        except BaseException as error:  # rattler's panics are no Exception
            code = _fail(error, invocation)
        sys.stdout.flush()
        sys.stderr.flush()
    except BrokenPipeError:
        return _BROKEN_PIPE
    except OSError as error:
        # Standard output is on a full disk, say: what is wrong with it cannot be said there.
        invocation.json = False
        return _fail(error, invocation)
    return code


def _invoke(invocation: Invocation) -> int:
    # At a shell's prompt nobody wants to wait for click's import.
    if invocation.arguments[:1] in (("activate",), ("deactivate",), ("reactivate",)):
        from kaa.cli.hooked import answer_hook, is_asked

        if is_asked(invocation.arguments):
            return answer_hook(invocation.arguments)
    import click

    from kaa.cli.app import app

    instruction = os.environ.get("_KAA_COMPLETE")
    if instruction:
        from kaa.cli.completion import complete

        return complete(instruction)
    try:
        # Not click's own main: it writes errors and ends the process in its own way.
        with app.make_context("kaa", list(invocation.arguments), obj=invocation) as context:
            app.invoke(context)
    except click.exceptions.Exit as leaving:
        return leaving.exit_code
    except click.exceptions.NoArgsIsHelpError as error:
        click.echo(error.format_message(), err=True)
        return error.exit_code
    return 0


def _fail(error: BaseException, invocation: Invocation) -> int:
    from kaa.cli.failures import as_kaa_error, is_internal, show

    if (invocation.verbosity and is_internal(error)) or os.environ.get("KAA_TRACEBACK"):
        import traceback

        traceback.print_exception(error)
    failure = as_kaa_error(error)
    show(failure, invocation)
    return failure.exit_code


def _open_closed_streams() -> None:
    """Give a process that was started without standard streams (``>&-``) some that lead nowhere."""
    for name in ("stdout", "stderr"):
        if getattr(sys, name) is None:
            setattr(sys, name, open(os.devnull, "w", encoding="utf-8"))  # noqa: PTH123, SIM115


def _tolerate_any_name() -> None:
    """Let a path that is no valid text be printed, escaped, instead of failing."""
    import io

    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")
