"""``pip`` and ``uv pip`` as typed in a notebook: what they are in kaa's words, or who does them."""

from __future__ import annotations

import argparse
import os
import re
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, NoReturn

from kaa.formats.requirements_txt import LineKind, expand_variables, read_requirements
from kaa.jupyter.typed_place import Step, real_program
from kaa.model.errors import RequestError
from kaa.model.package import PYPI, project_name

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from kaa.jupyter.typed_place import Place

_NO_EFFECT = (
    *("--user", "--break-system-packages", "--no-cache-dir", "--no-cache", "--no-color"),
    *("--disable-pip-version-check", "--no-input", "--yes", "--prefer-binary", "--no-progress"),
    *("--no-warn-script-location", "--no-warn-conflicts", "--compile", "--no-compile", "--system"),
    *("--require-virtualenv", "--use-pep517", "--compile-bytecode"),
)
"""Options about the way, which is kaa's own here."""
_NO_EFFECT_VALUES = (
    *("--progress-bar", "--root-user-action", "--upgrade-strategy", "--timeout", "--retries"),
    *("--cache-dir", "--log", "--default-timeout", "--link-mode"),
)
_UV_KNOWS = ("install", "uninstall", "list", "freeze", "show", "check", "tree", "compile", "sync")
_LOCATION = re.compile(r"^(\.{0,2}[/\\]|\.{1,2}$|~|[A-Za-z]:[/\\]|[a-z+]+:)|\.(whl|zip|tar\.\w+)$")


class _UntranslatableError(Exception):
    """An option that kaa has no word for."""


@dataclass(slots=True)
class _Wanted:
    """What an ``install`` asks for: requirements, paths and URLs, ``-e``, and kaa's options."""

    requirements: list[str] = field(default_factory=list)
    locations: list[str] = field(default_factory=list)
    editable: list[str] = field(default_factory=list)
    options: list[str] = field(default_factory=list)
    pre: bool = False
    upgrade: bool = False


def pip_steps(
    words: Sequence[str], place: Place, environ: Mapping[str, str], *, uv: bool = False
) -> list[Step]:
    """Return what ``pip WORDS`` (or ``uv pip WORDS``) is for an environment.

    What kaa has no word for is done by the environment's own pip, else by uv.

    :raises RequestError: nobody can, or a requirements file cannot be read.
    """
    if place.python is None:
        raise RequestError(
            f"there is no Python in {place.prefix}, so pip has nothing to work on",
            hint="`%kaa install NAME` installs packages of any language",
        )
    before, command, rest = _split(words)
    if place.ours and command in ("install", "uninstall", "remove"):
        try:
            translate = _installed if command == "install" else _uninstalled
            return translate([*before, *rest], place, environ)
        except _UntranslatableError:
            pass  # then as it was typed
    return [real_pip(words, place, environ, uv=uv)]


def real_pip(
    words: Sequence[str], place: Place, environ: Mapping[str, str], *, uv: bool = False
) -> Step:
    """Return the step in which pip, or uv in its place, acts on the environment.

    :raises RequestError: there is neither, or uv does not know the command.
    """
    _, command, rest = _split(words)
    assert place.python is not None
    changes = command in ("install", "uninstall", "sync")
    if place.has_pip and not uv:
        asked = command == "uninstall" and not {"-y", "--yes"} & set(rest)
        # Last, since pip takes options anywhere, and what was typed comes first.
        argv = (place.python, "-m", "pip", *words, *(["-y"] if asked else []))
        return Step(argv, own=False, told=changes)
    if command is None and not uv:
        if {"-V", "--version"} & set(words):
            return Step((find_uv_program(environ), "--version"), own=False)
        raise RequestError(
            "this environment has no pip of its own",
            cause="`pip install`, `pip list` and their like are done by kaa, or by uv",
            hint="to have pip itself: %kaa install pip",
        )
    if command is not None and command not in _UV_KNOWS:
        raise RequestError(
            f"this environment has no pip, and nothing else does `pip {command}`",
            hint="%kaa install pip",
        )
    chosen = {"-p", "--python", "--target", "--prefix"} & {word.partition("=")[0] for word in rest}
    here = [] if chosen or command is None else ["--python", place.python]
    # It says on standard error which Python it has found, which a notebook reads as output, too.
    quiet = ["-q"] if command in ("list", "freeze", "tree") and not uv else []
    argv = (find_uv_program(environ), "pip", *words, *quiet, *here)
    return Step(argv, own=False, told=changes, as_pip=not uv)


def find_uv_program(environ: Mapping[str, str]) -> str:
    """Return the path of uv: the user's, or the one that came with kaa.

    :raises BuildError: there is none.
    """
    from kaa.sources.uv_program import find_uv

    return real_program(["uv"], environ) or find_uv()


def _split(words: Sequence[str]) -> tuple[list[str], str | None, list[str]]:
    """Return pip's options, its command and what follows that."""
    for number, word in enumerate(words):
        if not word.startswith("-"):
            return [*words[:number]], word, [*words[number + 1 :]]
    return [*words], None, []


def _installed(words: Sequence[str], place: Place, environ: Mapping[str, str]) -> list[Step]:
    options = _parsed(_install_parser(), words)
    wanted = _Wanted(pre=options.pre, upgrade=options.upgrade, editable=options.editable)
    for word in options.specs:
        _sort_in(word, wanted)
    for file in options.requirement:
        _read_file(Path(file), wanted, environ)
    for url in [*options.index_url, *options.extra_index_url]:
        wanted.options += ["--index", url]
    for where in options.find_links:
        wanted.options += ["--find-links", where]
    wanted.options += ["--no-deps"] if options.no_deps else []
    if options.only_binary:
        if options.only_binary != [":all:"]:
            raise _UntranslatableError
        wanted.options.append("--no-build")
    wanted.options += _shared(options)
    return _install_steps(wanted, place)


def _install_steps(wanted: _Wanted, place: Place) -> list[Step]:
    sources = place.sources()
    fresh, present = [], []
    for text in wanted.requirements:
        one = _requirement(text, place, pre=wanted.pre)
        if one is None:
            continue
        name, spec = one
        source = sources.get(name)
        if source is None:
            fresh.append(f"{PYPI}::{spec}")
        elif wanted.upgrade:
            present.append(spec)
        else:
            # What is there from a channel satisfies pip as well, and stays from there.
            fresh.append(spec if source != PYPI else f"{PYPI}::{spec}")
    ends = ("-p", place.prefix, "-y", *wanted.options)
    editable = [word for path in wanted.editable for word in ("-e", path)]
    new = [*editable, *fresh, *wanted.locations]
    steps = [Step(("install", *ends, *new), told=True)] if new else []
    steps += [Step(("update", *ends, *present), told=True)] if present else []
    if not steps:
        raise RequestError(
            "nothing was named that this environment could need",
            hint="name a package: pip install NAME",
        )
    return steps


def _uninstalled(words: Sequence[str], place: Place, environ: Mapping[str, str]) -> list[Step]:
    parser = _parser("specs")
    parser.add_argument("-y", action="store_true")
    options = _parsed(parser, words)
    sources = place.sources()
    by_hand = place.distributions() - set(sources)
    names = [project_name(name) for name in options.specs]
    if not names:
        raise RequestError("nothing was named", hint="name a package: pip uninstall NAME")
    foreign = [name for name in names if name in by_hand]
    own = [name for name, key in zip(options.specs, names, strict=True) if key not in by_hand]
    steps = []
    if own:
        ends = ("-p", place.prefix, "-y", *_shared(options))
        steps.append(Step(("remove", *ends, *own), told=True))
    if foreign:
        steps.append(real_pip(["uninstall", *foreign], place, environ))
    return steps


def _sort_in(text: str, wanted: _Wanted, folder: Path | None = None) -> None:
    named = re.match(r"^[\w.-]+\s*(\[[^\]]*\])?\s*@", text)
    if named or _LOCATION.search(text) or (os.sep in text and Path(text).exists()):
        relative = folder is not None and not named and text.startswith(".")
        wanted.locations.append(str(folder / text) if relative and folder is not None else text)
    else:
        wanted.requirements.append(text)


def _read_file(file: Path, wanted: _Wanted, environ: Mapping[str, str]) -> None:
    for line in read_requirements(file):
        value = expand_variables(line.value, dict(environ))
        if line.hashes:
            raise _UntranslatableError
        if line.kind in (LineKind.REQUIREMENT, LineKind.LOCATION):
            _sort_in(value, wanted)
        elif line.kind is LineKind.EDITABLE:
            wanted.editable.append(value)
        elif line.kind is LineKind.FILE:
            _read_file(file.parent / value, wanted, environ)
        elif line.kind in (LineKind.INDEX_URL, LineKind.EXTRA_INDEX_URL):
            wanted.options += ["--index", value]
        elif line.kind is LineKind.FIND_LINKS:
            wanted.options += ["--find-links", value]
        elif value == "--pre":
            wanted.pre = True
        elif value != "--prefer-binary":
            raise _UntranslatableError


def _requirement(text: str, place: Place, *, pre: bool) -> tuple[str, str] | None:
    """Return the normalised name and the spec of a requirement; None where it does not apply.

    :raises RequestError: it is none.
    """
    from packaging.requirements import InvalidRequirement, Requirement

    try:
        requirement = Requirement(text)
    except InvalidRequirement:
        raise RequestError(
            f"{text!r} is no requirement", hint='examples: numpy, "numpy>=2", "requests[socks]"'
        ) from None
    if requirement.marker is not None:
        version = place.version or ""
        minor = ".".join(version.split(".")[:2])
        here = {"python_version": minor, "python_full_version": version, "extra": ""}
        if not requirement.marker.evaluate(here):
            return None
        requirement.marker = None
    if pre:
        requirement.specifier &= ">=0.dev0"
    return project_name(requirement.name), str(requirement)


class _Parser(argparse.ArgumentParser):
    """argparse's extension point for what happens on an error is the subclass."""

    def error(self, message: str) -> NoReturn:
        raise _UntranslatableError(message)


def _parsed(parser: _Parser, words: Sequence[str]) -> argparse.Namespace:
    return parser.parse_intermixed_args([*words])


def _parser(positional: str) -> _Parser:
    parser = _Parser(add_help=False, allow_abbrev=False)
    parser.add_argument(positional, nargs="*")
    for option in _NO_EFFECT:
        parser.add_argument(option, action="store_true")
    for option in _NO_EFFECT_VALUES:
        parser.add_argument(option)
    parser.add_argument("-q", "--quiet", action="count", default=0)
    parser.add_argument("-v", "--verbose", action="count", default=0)
    parser.add_argument("--dry-run", action="store_true")
    return parser


def _install_parser() -> _Parser:
    parser = _parser("specs")
    parser.add_argument("-U", "--upgrade", action="store_true")
    parser.add_argument("--pre", action="store_true")
    parser.add_argument("--no-deps", action="store_true")
    for names in (
        ("-e", "--editable"),
        ("-r", "--requirement", "--requirements"),
        ("-i", "--index-url", "--pypi-url", "--default-index"),
        ("--extra-index-url", "--index"),
        ("-f", "--find-links"),
        ("--only-binary",),
    ):
        parser.add_argument(*names, action="append", default=[])
    return parser


def _shared(options: argparse.Namespace) -> list[str]:
    return [
        *(["-q"] if options.quiet else []),
        *(["-v"] if options.verbose else []),
        *(["--dry-run"] if options.dry_run else []),
    ]
