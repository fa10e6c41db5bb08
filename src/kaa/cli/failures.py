"""Whatever goes wrong, as one error that a person can act on."""

from __future__ import annotations

import errno
import os
from typing import TYPE_CHECKING

import click

from kaa.cli.text import printable, write_json, write_note
from kaa.model.errors import (
    AbortedError,
    DiskFullError,
    KaaError,
    NotWritableError,
    RequestError,
)

if TYPE_CHECKING:
    from kaa.cli.invocation import Invocation

_FULL = {errno.ENOSPC, errno.EDQUOT}
_FORBIDDEN = {errno.EACCES, errno.EPERM, errno.EROFS}


def as_kaa_error(error: BaseException) -> KaaError:
    """Return the error that tells a user best what has happened."""
    if isinstance(error, KaaError):
        return error
    if isinstance(error, KeyboardInterrupt | click.Abort):
        return AbortedError("interrupted; nothing was changed")
    if isinstance(error, click.UsageError):
        return _usage_error(error)
    if isinstance(error, click.ClickException):
        return KaaError(_sentence(error.format_message()), hint="'kaa --help' shows the commands")
    if isinstance(error, OSError) and error.errno is not None:
        return _system_error(error)
    return KaaError(
        f"internal error: {type(error).__name__}: {_first_line(str(error))}",
        hint="this is a mistake in kaa: run it again with -v to see where, and report it",
    )


def is_internal(error: BaseException) -> bool:
    """Whether only a developer can do something about it."""
    return as_kaa_error(error).message.startswith("internal error")


def show(error: KaaError, invocation: Invocation) -> None:
    """Write the error: lines on standard error, or the one JSON object on standard output."""
    if invocation.json:
        write_json({"success": False, **error.as_dict()})
        return
    if isinstance(error, AbortedError):
        write_note(printable(error.message))  # The user said so: no error of anybody's.
    else:
        write_note(click.style("error: ", fg="red", bold=True) + printable(error.message))
    _show_part("cause", error.cause)
    _show_part("hint", error.hint)
    if invocation.verbosity:
        _show_part("details", error.details)


def _show_part(label: str, text: str | None) -> None:
    if not text:
        return
    first, *others = printable(text).splitlines()
    write_note(f"  {click.style(label + ':', bold=True)} {first}")
    for line in others:
        write_note(" " * (len(label) + 4) + line)


def _usage_error(error: click.UsageError) -> KaaError:
    path = error.ctx.command_path if error.ctx else "kaa"
    near = error.possibilities if isinstance(error, click.NoSuchOption) else None
    if near:
        return RequestError(_sentence(error.message), hint=f"did you mean {' or '.join(near)}?")
    return RequestError(
        _sentence(error.format_message()), hint=f"'{path} --help' shows what it takes"
    )


def _system_error(error: OSError) -> KaaError:
    where = f": {os.fsdecode(error.filename)}" if isinstance(error.filename, str | bytes) else ""
    cause = error.strerror or str(error)
    if error.errno in _FULL:
        return DiskFullError(
            f"no space left{where}", cause=cause, hint="free some space, then run it again"
        )
    if error.errno in _FORBIDDEN:
        return NotWritableError(
            f"not permitted{where}",
            cause=cause,
            hint="check who owns it, or set KAA_ROOT to a directory of your own",
        )
    return KaaError(
        f"the system refused an operation{where}",
        cause=cause,
        hint="run it again with -v to see where",
    )


def _first_line(text: str) -> str:
    return text.splitlines()[0] if text else "(no message)"


def _sentence(text: str) -> str:
    """Return a message of click's in the form of kaa's: small first letter, no full stop."""
    text = text.strip().removesuffix(".")
    return text[:1].lower() + text[1:]
