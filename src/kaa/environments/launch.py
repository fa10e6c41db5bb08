"""Running a program in an environment: which file it is, and how it is started.

Programs start through the generation's own path, so that they keep their files while the
environment changes. Everything here is on the way of ``kaa run`` and has to cost next to nothing.
"""

from __future__ import annotations

import errno
import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from kaa.environments.activation import WINDOWS, become, bin_directories
from kaa.model.errors import ProgramNotFoundError, RequestError

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

_NOT_EXECUTABLE = 126
"""The exit code that shells have for a program that is there but cannot be run (POSIX 2.8.2)."""


def find_program(
    program: str, generation: Path, environ: Mapping[str, str], windows: bool = WINDOWS
) -> Path:
    """Return the file that ``program`` names: in the generation, else on ``environ``'s PATH.

    A name with a directory in it is a path, as in a shell. Raises ProgramNotFoundError: exit
    code 127 when there is no such program, 126 when there is one that may not be executed.
    """
    separators = "/\\" if windows else "/"
    if any(separator in program for separator in separators):
        directories = [""]
    else:
        path = environ.get("PATH", os.defpath)
        directories = [*bin_directories(generation, windows), *path.split(os.pathsep)]
    refused = None
    for directory in directories:
        for name in _file_names(program, environ, windows):
            file = Path(directory, name).absolute()
            if _runs(file):
                return file
            if refused is None and _is_file(file):
                refused = file
    if refused is not None:
        raise _not_executable(refused, f"make it executable (chmod +x {refused})")
    raise ProgramNotFoundError(
        f"there is no program {program!r} in the environment, nor on PATH",
        hint=_what_instead(program, generation, windows),
    )


def program_arguments(
    argv: Sequence[str],
    prefix: Path,
    generation: Path,
    environ: Mapping[str, str],
    windows: bool = WINDOWS,
) -> list[str]:
    """Return the command line that runs ``argv`` through the generation; its first is a path.

    The environment's scripts name their interpreter below ``prefix``, the stable link; such a
    script is handed to the same interpreter below ``generation``. Raises ProgramNotFoundError
    as :func:`find_program` does.
    """
    file = find_program(argv[0], generation, environ, windows)
    # The link's own path is as good a name for a script of the environment.
    if file.is_relative_to(prefix):
        file = generation / file.relative_to(prefix)
    through = file.is_relative_to(generation) and not windows
    interpreter = _interpreter_of(file, prefix, generation) if through else []
    return [*interpreter, str(file), *argv[1:]]


def execute(
    argv: list[str], environ: Mapping[str, str], cwd: str | os.PathLike[str] | None = None
) -> int:
    """Run ``argv`` (its first a path) in place of this process, in directory ``cwd``.

    Returns only on Windows, with the program's exit code. Raises ProgramNotFoundError (126) when
    the system refuses to start the program and RequestError when ``cwd`` cannot be entered.
    """
    if cwd is not None:
        try:
            os.chdir(cwd)
        except OSError as error:
            raise RequestError(
                f"cannot change to the directory {os.fspath(cwd)}",
                cause=error.strerror,
                hint="give a directory that exists and that you may enter",
            ) from error
    sys.stdout.flush()
    sys.stderr.flush()
    _restore_signals()
    try:
        return become(argv, environ)
    except OSError as error:
        # A script without a first line naming its interpreter is the shell's (POSIX execvp).
        if error.errno == errno.ENOEXEC and not WINDOWS and _is_text(argv[0]):
            return become(["/bin/sh", *argv], environ)
        raise _cannot_start(argv[0], error) from error


def _is_text(file: str) -> bool:
    try:
        with Path(file).open("rb") as stream:
            return b"\0" not in stream.read(4096)
    except OSError:
        return False


def _restore_signals() -> None:
    """Undo what Python changed for itself and a program would inherit: ``kaa run yes | head``."""
    import signal

    for name in ("SIGPIPE", "SIGXFSZ"):
        if hasattr(signal, name):
            signal.signal(getattr(signal, name), signal.SIG_DFL)


def _file_names(program: str, environ: Mapping[str, str], windows: bool) -> list[str]:
    if not windows:
        return [program]
    extensions = environ.get("PATHEXT", ".COM;.EXE;.BAT;.CMD").split(";")
    if any(program.lower().endswith(extension.lower()) for extension in extensions if extension):
        return [program]
    return [program + extension for extension in extensions]


def _interpreter_of(script: Path, prefix: Path, generation: Path) -> list[str]:
    """Return the interpreter below the generation that runs this script, with its arguments.

    Empty when the file is no script, or when its interpreter is not the environment's.
    """
    try:
        with script.open("rb") as stream:
            head = stream.read(4096)
    except OSError:
        return []  # a program that may be executed but not read
    if not head.startswith(b"#!"):
        return []
    first, _, following = head[2:].partition(b"\n")
    words = os.fsdecode(first).split(None, 1)
    if not words:
        return []
    if words == ["/bin/sh"] and following.startswith(b"'''exec' "):
        # For interpreters whose path is too long for the kernel or has spaces: the shell reads
        # the second line, Python takes it for a string.
        words = [os.fsdecode(following[9:].partition(b' "$0"')[0]).strip('"')]
    elif Path(words[0]).name == "env" and len(words) == 2:
        words = [str(prefix / "bin" / words[1].strip())]
    return _through_generation(words, prefix, generation)


def _through_generation(words: list[str], prefix: Path, generation: Path) -> list[str]:
    stable = str(prefix) + os.sep
    if not words[0].startswith(stable):
        return []
    interpreter = generation / words[0][len(stable) :]
    # The kernel passes everything behind the interpreter as one argument; so does this.
    if not _runs(interpreter):
        return []
    return [str(interpreter), *(word.strip() for word in words[1:])]


def _runs(file: Path) -> bool:
    return _is_file(file) and os.access(file, os.X_OK)


def _is_file(file: Path) -> bool:
    # Path.is_file raises when a directory on the way is closed to this user, as some on PATH are.
    return os.path.isfile(file)  # noqa: PTH113


def _not_executable(file: Path | str, hint: str, cause: str | None = None) -> ProgramNotFoundError:
    error = ProgramNotFoundError(f"{file} cannot be executed", cause=cause, hint=hint)
    error.exit_code = _NOT_EXECUTABLE
    return error


def _cannot_start(file: str, error: OSError) -> ProgramNotFoundError:
    if error.errno == errno.ENOENT:
        # The file was there a moment ago: what is missing is what its first line names.
        hint = f"look at the first line of {file}: the interpreter that it names is missing"
    elif error.errno == errno.E2BIG:
        hint = "pass fewer or shorter arguments, or set fewer variables"
    else:
        hint = "check the file's permissions, its architecture, and that its disk allows programs"
    return _not_executable(file, hint, error.strerror)


def _what_instead(program: str, generation: Path, windows: bool) -> str:
    import difflib

    near = difflib.get_close_matches(program, sorted(set(_programs(generation, windows))))
    if near:
        return f"did you mean {', '.join(near)}?"
    return "install the package that has it, or give the program's path"


def _programs(generation: Path, windows: bool) -> Iterator[str]:
    for directory in bin_directories(generation, windows):
        for file in Path(directory).glob("*"):
            if not windows:
                yield file.name
            elif file.suffix.lower() in (".exe", ".bat", ".cmd"):
                yield file.stem
