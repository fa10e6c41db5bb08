"""``conda``, ``mamba`` and ``micromamba`` as typed in a notebook: in kaa's words, or theirs."""

from __future__ import annotations

import argparse
import os
import shlex
from pathlib import Path
from typing import TYPE_CHECKING, NoReturn

from kaa.jupyter.typed_place import Step, real_program
from kaa.model.errors import RequestError

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from kaa.jupyter.typed_place import Place

PROGRAMS = ("conda", "mamba", "micromamba")
_CHANGING = {
    "install": "install",
    "update": "update",
    "upgrade": "update",
    "remove": "remove",
    "uninstall": "remove",
}
"""The commands that change an environment, in kaa's words."""
_ASKING = ("list",)
"""Commands about one environment that change nothing, and whose options kaa takes as conda does."""
_NO_EFFECT = ("--solver", "--experimental-solver", "--repodata-fn")
_CHANNELS = ("-c", "--channel")
_PIXI = {"install": "add"}
_ADOPT = "`kaa adopt -p {prefix}` in a terminal makes it one of kaa's, which can undo its changes"


class _UntranslatableError(Exception):
    """An option that kaa has no word for."""


def conda_steps(
    program: str, words: Sequence[str], place: Place, environ: Mapping[str, str]
) -> list[Step]:
    """Return what ``conda WORDS`` is for the environment of the kernel.

    :raises RequestError: nobody can do that here.
    """
    command = next((word for word in words if not word.startswith("-")), None)
    about_it = command in _CHANGING or command in _ASKING
    if not about_it or command is None or _names_another(words, place):
        return [_as_typed(program, words, environ)]
    rest = [*words]
    rest.remove(command)
    if command in _ASKING and (place.ours or place.conda):
        return [Step((command, "-p", place.prefix, *_without_place(rest)))]
    if place.ours:
        return [Step(_translated(program, command, rest, place), told=True)]
    if not place.conda:
        raise RequestError(
            f"{place.prefix} is no environment of conda's",
            hint="`%kaa install NAME` and `%pip install NAME` install into it",
        )
    return [real_conda(program, command, rest, place, environ)]


def real_conda(
    program: str, command: str, rest: Sequence[str], place: Place, environ: Mapping[str, str]
) -> Step:
    """Return the step in which conda, or one of its like, changes the environment.

    :raises RequestError: there is none on this machine.
    """
    if (Path(place.prefix) / "conda-meta" / "pixi").exists():
        raise RequestError(
            f"{place.prefix} is pixi's, which takes out again what its workspace does not name",
            hint=f"in a terminal, in the workspace: pixi {_PIXI.get(command, command)} NAME",
        )
    found = real_program(dict.fromkeys((program, "mamba", "conda", "micromamba")), environ)
    if found is None:
        raise RequestError(
            f"{place.prefix} is conda's, and there is no conda, mamba or micromamba here",
            hint=_ADOPT.format(prefix=shlex.quote(place.prefix)),
        )
    yes = [] if {"-y", "--yes"} & set(rest) else ["-y"]
    return Step(
        (found, command, "-p", place.prefix, *yes, *_without_place(rest)), own=False, told=True
    )


def _as_typed(program: str, words: Sequence[str], environ: Mapping[str, str]) -> Step:
    found = real_program([program], environ)
    if found is not None:
        return Step((found, *words), own=False)
    if [*words[:2]] == ["env", "list"] or "--envs" in words:
        return Step(("env", "list"))
    if words[:1] and words[0] in ("search", "info"):
        return Step((*words,))
    raise RequestError(
        f"there is no {program} here, and kaa has no word for `{program} {' '.join(words)}`",
        hint="`%kaa --help` shows what kaa does",
    )


def _names_another(words: Sequence[str], place: Place) -> bool:
    """Say whether an environment is named that is not the kernel's own."""
    parser = _Parser(add_help=False, allow_abbrev=False)
    parser.add_argument("-n", "--name")
    parser.add_argument("-p", "--prefix")
    try:
        options, _ = parser.parse_known_args([*words])
    except _UntranslatableError:
        return True
    if options.prefix is not None:
        return os.path.realpath(str(options.prefix)) != os.path.realpath(place.prefix)
    name: str | None = options.name
    return name is not None and name != Path(place.prefix).name


def _without_place(words: Sequence[str]) -> list[str]:
    parser = _Parser(add_help=False, allow_abbrev=False)
    parser.add_argument("-n", "--name")
    parser.add_argument("-p", "--prefix")
    return parser.parse_known_args([*words])[1]


def _translated(program: str, command: str, words: Sequence[str], place: Place) -> tuple[str, ...]:
    try:
        options = _parser().parse_intermixed_args(_without_place(words))
    except _UntranslatableError as error:
        raise RequestError(
            f"kaa has no word for all of `{program} {command} {' '.join(words)}`",
            cause=str(error),
            hint=f"`%kaa {_CHANGING[command]} --help` shows the options that there are",
        ) from None
    specs = [*options.specs, *(spec for file in options.file for spec in _read(Path(file)))]
    if command in ("remove", "uninstall") and options.all:
        raise RequestError(
            "that would remove the environment that this kernel runs in",
            hint=f"in a terminal: kaa env remove -p {shlex.quote(str(place.prefix))}",
        )
    flags = ("override_channels", "no_deps", "only_deps", "freeze_installed", "offline", "all")
    given = [f"--{flag.replace('_', '-')}" for flag in flags if getattr(options, flag)]
    given += [word for channel in options.channel for word in ("-c", channel)]
    given += ["--dry-run"] if options.dry_run else []
    given += ["-q"] if options.quiet else []
    given += ["-v"] if options.verbose else []
    given += ["--json"] if options.json else []
    return (_CHANGING[command], "-p", place.prefix, "-y", *given, *specs)


def _read(file: Path) -> list[str]:
    """Return the specs in a file of ``--file``: one a line (conda's documentation, "install")."""
    try:
        lines = file.read_text(encoding="utf-8").splitlines()
    except (OSError, UnicodeDecodeError) as error:
        raise RequestError(
            f"{file} cannot be read", cause=str(error), hint="check the path"
        ) from None
    return [text for line in lines if (text := line.partition("#")[0].strip())]


class _Parser(argparse.ArgumentParser):
    """argparse's extension point for what happens on an error is the subclass."""

    def error(self, message: str) -> NoReturn:
        raise _UntranslatableError(message)


def _parser() -> _Parser:
    parser = _Parser(add_help=False, allow_abbrev=False)
    parser.add_argument("specs", nargs="*")
    parser.add_argument(*_CHANNELS, action="append", default=[])
    parser.add_argument("--file", action="append", default=[])
    for option in _NO_EFFECT:
        parser.add_argument(option)
    for names in (
        ("-y", "--yes"),
        ("-d", "--dry-run"),
        ("-q", "--quiet"),
        ("--json",),
        ("--all",),
        ("--offline",),
        ("--override-channels",),
        ("--no-deps",),
        ("--only-deps",),
        ("--freeze-installed", "--no-update-deps"),
    ):
        parser.add_argument(*names, action="store_true")
    parser.add_argument("-v", "--verbose", action="count", default=0)
    return parser
