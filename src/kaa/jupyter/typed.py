"""What is typed in a notebook about packages, done in the environment that its kernel runs in.

A kernel runs ``pip``, ``conda``, ``mamba``, ``micromamba``, ``uv`` and ``%kaa`` by this module's
:func:`main`, in kaa's own Python (:mod:`kaa.kernels.notebook`). In an environment of kaa's they
become commands of kaa's, which are shown; what kaa has no word for, and other programs'
environments, are left to the program that can.
"""

from __future__ import annotations

import os
import shlex
import subprocess
import sys
from typing import TYPE_CHECKING

from kaa.environments.activation import PREFIX_VARIABLE, become
from kaa.jupyter.typed_conda import PROGRAMS, conda_steps, real_conda
from kaa.jupyter.typed_pip import find_uv_program, pip_steps, real_pip
from kaa.jupyter.typed_place import Step, read_place, search_path
from kaa.kernels.notebook import PYTHON_VARIABLE
from kaa.model.errors import KaaError, RequestError

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from kaa.jupyter.typed_place import Place

CHANGING = (
    *("install", "update", "upgrade", "remove", "uninstall", "sync", "undo", "rollback"),
    *("repair", "adopt"),
)
"""kaa's commands that change the environment: nobody can be asked in a cell."""
ABOUT_ONE = (*CHANGING, "history", "diff", "list", "why", "tree", "verify", "info", "run")
"""kaa's commands that are about one environment, which is this one unless another is named."""
GROUPS = ("repoquery",)
"""Groups of such commands."""
_RUN_KAA = """\
import sys
sys.path[:] = [entry for entry in sys.path if entry]
from kaa.cli.main import run
run()
"""


def main(arguments: Sequence[str]) -> int:
    """Do what was typed: a program's name and its arguments; return the exit code.

    The environment is the one that :data:`PREFIX_VARIABLE` names.
    """
    program, *words = arguments
    try:
        prefix = os.environ.get(PREFIX_VARIABLE)
        if not prefix:
            raise RequestError(
                f"{PREFIX_VARIABLE} does not say which environment is meant",
                hint="this is run by kernels; in a terminal, `kaa install -n NAME ...`",
            )
        steps = understood(program, words, read_place(prefix), os.environ)
    except KaaError as error:
        return _tell(error)
    for step in steps[:-1]:
        if code := _run(step):
            return code
    return _become(steps[-1])


def understood(
    program: str, words: Sequence[str], place: Place, environ: Mapping[str, str]
) -> list[Step]:
    """Return the programs to run for what was typed, one after the other.

    :raises RequestError: it makes no sense in this environment.
    """
    if program in PROGRAMS:
        return conda_steps(program, words, place, environ)
    if program == "uv":
        return _uv_steps(words, place, environ)
    if program == "pip":
        return pip_steps(words, place, environ)
    return _kaa_steps(words, place, environ)


def _kaa_steps(words: Sequence[str], place: Place, environ: Mapping[str, str]) -> list[Step]:
    if not words or {"-h", "--help"} & set(words):
        return [Step((*words,) or ("--help",))]
    command, *rest = words
    if _names_one(rest) or command not in (*ABOUT_ONE, *GROUPS):
        return [Step((*words,))]
    if command in ("remove", "uninstall") and "--all" in rest:
        raise RequestError(
            "that would remove the environment that this kernel runs in",
            hint=f"in a terminal: kaa env remove -p {shlex.quote(str(place.prefix))}",
        )
    if not place.ours and command in ("install", "update", "upgrade", "remove", "uninstall"):
        return [by_its_own_program(command, rest, place, environ)]
    if command == "list" and not (place.ours or place.conda):
        return [real_pip(words, place, environ)]
    if command in GROUPS:
        command, rest = f"{command} {rest[0]}" if rest else command, rest[1:]
    yes = ["-y"] if command in CHANGING and not {"-y", "--yes"} & set(rest) else []
    return [Step((*command.split(), "-p", place.prefix, *yes, *rest))]


def by_its_own_program(
    command: str, rest: Sequence[str], place: Place, environ: Mapping[str, str]
) -> Step:
    """Return how an environment that is not kaa's is changed by what it was made with."""
    if place.conda:
        command = {"upgrade": "update", "uninstall": "remove"}.get(command, command)
        return real_conda("mamba", command, rest, place, environ)
    rest = [word for word in rest if word not in ("-y", "--yes")]
    if "--all" in rest and command in ("update", "upgrade"):
        rest = [*(word for word in rest if word != "--all"), *sorted(place.distributions())]
    if not rest:
        more = ", or add --all for all of them" if command in ("update", "upgrade") else ""
        raise RequestError("nothing was named", hint=f"name a package: %kaa {command} NAME{more}")
    words = {
        "install": ["install"],
        "update": ["install", "-U"],
        "upgrade": ["install", "-U"],
    }.get(command, ["uninstall"])
    return real_pip([*words, *rest], place, environ)


def _uv_steps(words: Sequence[str], place: Place, environ: Mapping[str, str]) -> list[Step]:
    command, *rest = words or [""]
    if command == "pip":
        return pip_steps(rest, place, environ, uv=True)
    if place.ours and command in ("add", "remove"):
        return pip_steps(["install" if command == "add" else "uninstall", *rest], place, environ)
    return [Step((find_uv_program(environ), *words), own=False)]


def _names_one(words: Sequence[str]) -> bool:
    return any(word.partition("=")[0] in ("-n", "--name", "-p", "--prefix") for word in words)


def _become(step: Step) -> int:
    try:
        argv, environ = _prepared(step)
    except KaaError as error:
        return _tell(error)
    try:
        return become(argv, environ)
    except OSError as error:
        return _tell(RequestError(f"{argv[0]} cannot be run", cause=str(error), hint="check it"))


def _run(step: Step) -> int:
    argv, environ = _prepared(step)
    return subprocess.run(argv, env=environ, check=False).returncode


def _prepared(step: Step) -> tuple[list[str], dict[str, str]]:
    """Return the command with its variables, when it was said what is going to be run."""
    if step.told:
        sys.stdout.write(f"-> {step.text}\n")
        sys.stdout.flush()
    # Colours are shown in a notebook, but nothing can be drawn over there.
    environ = {**os.environ, "TERM": "dumb"}
    if step.own:
        return [sys.executable, "-c", _RUN_KAA, *step.argv], environ
    for name in (PREFIX_VARIABLE, PYTHON_VARIABLE):
        environ.pop(name, None)
    if step.as_pip:
        from kaa.network.settings import load_settings
        from kaa.sources.uv_program import uv_environment

        environ = uv_environment(load_settings(os.environ), environ)
        environ.pop("NO_COLOR")
    if not step.told:
        # ipykernel asks programs for colours; what only asks may be read by a program, too.
        for name in ("FORCE_COLOR", "CLICOLOR_FORCE"):
            environ.pop(name, None)
        environ["NO_COLOR"] = "1"
    environ |= {"PATH": search_path(environ), "PIP_NO_INPUT": "1", "UV_NO_PROGRESS": "1"}
    return [*step.argv], environ


def _tell(error: KaaError) -> int:
    sys.stdout.flush()
    sys.stderr.write(f"error: {error.message}\n")
    for label, text in (("cause", error.cause), ("hint", error.hint)):
        if text:
            sys.stderr.write(f"  {label}: {text}\n")
    return error.exit_code
