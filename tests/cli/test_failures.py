from __future__ import annotations

import errno
import subprocess
import sys
from typing import TYPE_CHECKING

import click
import pytest

from kaa.cli.failures import as_kaa_error, show
from kaa.cli.invocation import Invocation
from kaa.model.errors import (
    AbortedError,
    DiskFullError,
    KaaError,
    NotWritableError,
    RequestError,
    UnknownPackageError,
)

if TYPE_CHECKING:
    from collections.abc import Callable

    from cli.answer import Answer


def test_message_cause_and_hint_are_lines_on_standard_error(
    capfd: pytest.CaptureFixture[str],
) -> None:
    show(
        UnknownPackageError("no package 'numpyy'", cause="looked in pypi\nand host", hint="numpy?"),
        Invocation(),
    )
    out, err = capfd.readouterr()
    assert out == ""
    assert err.splitlines() == [
        "error: no package 'numpyy'",
        "  cause: looked in pypi",
        "         and host",
        "  hint: numpy?",
    ]


def test_what_an_index_says_cannot_steer_the_terminal(capfd: pytest.CaptureFixture[str]) -> None:
    show(KaaError("a\x1b[2Jb\rc", cause="d\x07e"), Invocation())
    assert capfd.readouterr().err == "error: a\\x1b[2Jb\\x0dc\n  cause: d\\x07e\n"


def test_an_abort_is_no_error(capfd: pytest.CaptureFixture[str]) -> None:
    show(AbortedError("interrupted; nothing was changed"), Invocation())
    assert capfd.readouterr().err == "interrupted; nothing was changed\n"


@pytest.mark.parametrize(
    ("error", "expected", "code"),
    [
        (KeyboardInterrupt(), AbortedError, 130),
        (click.Abort(), AbortedError, 130),
        (click.UsageError("Bad."), RequestError, 2),
        (OSError(errno.ENOSPC, "No space left on device", "/x"), DiskFullError, 6),
        (PermissionError(errno.EACCES, "Permission denied", "/x"), NotWritableError, 6),
        (OSError(errno.EROFS, "Read-only file system", b"/x"), NotWritableError, 6),
        (OSError(errno.EIO, "Input/output error"), KaaError, 1),
        (ZeroDivisionError("division by zero"), KaaError, 1),
    ],
)
def test_every_exception_has_its_error(
    error: BaseException, expected: type[KaaError], code: int
) -> None:
    failure = as_kaa_error(error)
    assert type(failure) is expected
    assert failure.exit_code == code
    assert failure.hint or isinstance(failure, AbortedError)


def test_the_path_of_a_system_error_is_said() -> None:
    failure = as_kaa_error(PermissionError(errno.EACCES, "Permission denied", "/data/envs"))
    assert failure.message == "not permitted: /data/envs"
    assert failure.cause == "Permission denied"


@pytest.mark.parametrize(
    ("arguments", "message", "hint"),
    [
        (["creat"], "no such command 'creat'", "did you mean 'kaa create' or 'kaa clean'?"),
        (["env", "lst"], "no such command 'lst'", "did you mean 'kaa env list'?"),
        (["whoneeds", "x"], "no such command 'whoneeds'", "did you mean 'kaa repoquery whoneeds'?"),
        (["zzzzzz"], "no such command 'zzzzzz'", "'kaa --help' lists them"),
        (["create", "--prefx", "x"], "no such option '--prefx'", "did you mean --prefix?"),
        (["env", "lits"], "no such command 'lits'", "did you mean 'kaa env list'?"),
        (["whoneed"], "no such command 'whoneed'", "did you mean 'kaa repoquery whoneeds'?"),
        (["create", "-n", "x", "-y"], "nothing was asked for", "at least one package"),
        (["create", "numpy"], "which environment?", "-n NAME"),
        (["create", "-n", "x", "-p", "y", "numpy"], "name two environments", "one of them"),
        (["list"], "which environment?", "-n NAME"),
        (["run", "-n", "x"], "missing argument 'PROGRAM'", "'kaa run --help'"),
        (["run", "python"], "which environment?", "-n NAME"),
        (["run", "--no-such", "python"], "no such option '--no-such'", "'kaa run --help'"),
        (["completion", "tcsh"], "'tcsh' is not one of", "'kaa completion --help'"),
    ],
)
def test_a_mistake_on_the_command_line(
    kaa: Callable[..., Answer], arguments: list[str], message: str, hint: str
) -> None:
    answer = kaa(*arguments)
    assert answer.code == 2
    assert answer.out == ""
    first, last = answer.err.splitlines()
    assert first.startswith("error: ") and message in first
    assert last.startswith("  hint: ") and hint in last


def test_a_mistake_is_answered_in_json_where_json_was_asked_for(
    kaa: Callable[..., Answer],
) -> None:
    answer = kaa("create", "--zzz", "--json")
    assert (answer.code, answer.err) == (2, "")
    assert answer.json == {
        "success": False,
        "error": "RequestError",
        "message": "no such option '--zzz'",
        "cause": None,
        "hint": "'kaa create --help' shows what it takes",
        "exit_code": 2,
    }


def test_the_programs_own_json_option_is_not_ours(kaa: Callable[..., Answer]) -> None:
    answer = kaa("run", "python", "--json")
    assert answer.err.startswith("error: which environment?")


_BROKEN = """
import sys
import kaa.cli.app
from kaa.cli.lazy import Entry
kaa.cli.app.app.entries["list"] = Entry("broken:command", "")
sys.modules["broken"] = sys.modules[__name__]
import click
from kaa.cli.options import verbose_option
@click.command()
@verbose_option
def command():
    {statement}
from kaa.cli.main import run
run()
"""


def run_broken(statement: str, *arguments: str) -> subprocess.CompletedProcess[str]:
    script = _BROKEN.format(statement=statement)
    return subprocess.run(
        [sys.executable, "-c", script, "list", *arguments],
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )


def test_no_traceback_reaches_a_user() -> None:
    done = run_broken("{}['key']")
    assert done.returncode == 1
    assert done.stderr.splitlines()[0] == "error: internal error: KeyError: 'key'"
    assert "Traceback" not in done.stderr and "-v" in done.stderr


def test_verbose_shows_the_traceback_to_whoever_wants_it() -> None:
    done = run_broken("{}['key']", "-v")
    assert done.returncode == 1
    assert "Traceback" in done.stderr and "internal error" in done.stderr


def test_a_panic_of_native_code_is_an_internal_error() -> None:
    done = run_broken("raise type('PanicException', (BaseException,), {})('index out of range')")
    assert done.returncode == 1
    assert "internal error: PanicException: index out of range" in done.stderr
    assert "Traceback" not in done.stderr


def test_a_reader_that_goes_away_is_no_error() -> None:
    done = run_broken("import os; os.close(1); os.dup2(os.pipe()[1], 1); os.closerange(3, 20)")
    assert done.returncode == 0
    done = run_broken(
        "import os; r, w = os.pipe(); os.close(r); os.dup2(w, 1); click.echo('x' * 100000)"
    )
    assert (done.returncode, done.stderr) == (141, "")


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="needs /dev/full")
def test_output_that_cannot_be_written_is_an_error() -> None:
    with open("/dev/full", "w") as full:  # noqa: PTH123
        done = subprocess.run(
            [sys.executable, "-m", "kaa", "--version"],
            stdout=full,
            stderr=subprocess.PIPE,
            text=True,
            check=False,
        )
    assert done.returncode == 6
    assert done.stderr.startswith("error: no space left\n")
