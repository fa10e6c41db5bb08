"""Which running processes use an environment, and which generation of it.

A program that was started through a generation's own path (``kaa run`` and kernels are) keeps all
of its files, whatever becomes of the environment. One that was started through the stable path
looks modules up through the link, and comes upon those of the newest generation. Which of the two
it is, is told by the program's own name on its command line: the executable's path is resolved by
the system, and is a generation's in both cases.
"""

from __future__ import annotations

import itertools
import os
import re
import shutil
from dataclasses import dataclass
from typing import TYPE_CHECKING

from kaa.environments.activation import PREFIX_VARIABLE
from kaa.environments.running import own_line, running
from kaa.model.process import Process, ProcessKind

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from kaa.environments.prefix import Prefix
from kaa.environments.running import Facts

_ACTIVE = ("CONDA_PREFIX", "VIRTUAL_ENV")
"""The variables by which a shell knows which environment is active in it."""
_SHELLS = re.compile(
    r"-?(ba|z|fi|da|k|mk|tc|c|xon|nu|elvi|a)?sh(\.exe)?|nu|(pwsh|powershell|cmd)(\.exe)?"
)
_CONNECTION_FILE = re.compile(r"(?:.*[/\\=])?kernel-[^/\\]*\.json")
"""How servers call the files that tell kernels where to listen; others have other names."""
_KERNELS = re.compile(r"ipykernel|kaa_notebook")
_TELLING = r"[\w.-]*(?:pass|token|secret|key|credential|auth)[\w.-]*"
_SECRET_VALUE = re.compile(rf"({_TELLING}=)[^\s&]+", re.IGNORECASE)
_SECRET_OPTION = re.compile(rf"-{{1,2}}{_TELLING}", re.IGNORECASE)
_LONGEST_WORD = 40
_LONGEST = 80


def users_of(prefix: Prefix, *, thorough: bool = False, own: bool = False) -> tuple[Process, ...]:
    """Return the processes that use an environment, in order of their ids.

    ``thorough`` looks at the files that each process has open or mapped, too, which takes ten
    times as long. This process and those that it was started by are left out unless ``own``, but
    for a kernel, in which somebody has typed the command (and that does not say itself what a
    change means to it, as kernels do that set :data:`PREFIX_VARIABLE`). What the system keeps
    secret of other users' processes counts as nothing.
    """
    line = frozenset() if own else own_line()
    typed = PREFIX_VARIABLE in os.environ
    found = (
        each
        for each in users_among(prefix, running(), thorough=thorough)
        if each.pid not in line or (each.kind is ProcessKind.KERNEL and not typed)
    )
    return tuple(sorted(found, key=lambda each: each.pid))


def users_among(
    prefix: Prefix, processes: Iterable[Facts], *, thorough: bool = False
) -> tuple[Process, ...]:
    """Return those of ``processes`` that use an environment (see :func:`users_of`)."""
    place = _place(prefix)
    found = (_user(place, facts, thorough=thorough) for facts in processes)
    return tuple(each for each in found if each is not None)


@dataclass(frozen=True, slots=True)
class _Place:
    """Where an environment is: by its path, and by the path that the system resolves that to."""

    in_words: re.Pattern[str]
    """Finds what is below the environment's path, or below a generation, whose number it tells."""
    in_paths: re.Pattern[str]

    def generation(self, path: str) -> int | None:
        """Return the generation that a resolved path is in."""
        match = self.in_paths.match(os.path.normcase(path))
        return int(match["number"]) if match and match["number"] else None

    def has(self, path: str) -> bool:
        """Say whether a path is in the environment at all, or the environment's own."""
        inside = os.path.join(path, ".")  # noqa: PTH118
        return self.in_paths.match(os.path.normcase(inside)) is not None


def _place(prefix: Prefix) -> _Place:
    path = os.fspath(prefix.path)
    parent = os.path.realpath(prefix.path.parent)
    links = {path, os.path.join(parent, prefix.name)}  # noqa: PTH118
    generations = {os.fspath(prefix.generations), os.path.realpath(prefix.generations)}
    separator = r"[/\\]" if os.name == "nt" else "/"

    def any_of(paths: Iterable[str]) -> str:
        return "|".join(re.escape(os.path.normcase(each)) for each in sorted(paths))

    pattern = (
        rf"(?:(?:{any_of(links)}){separator}(?=[^\0\s'\"/\\])"
        rf"|(?:{any_of(generations)}){separator}(?P<number>\d+)(?![^/\\\s'\",;:]))"
    )
    # In a word it may come after `--option=`, or in quotes.
    return _Place(re.compile(rf"(?<![^\0\s'\"=:,;(\[]){pattern}"), re.compile(pattern))


def _user(place: _Place, facts: Facts, *, thorough: bool) -> Process | None:
    arguments = facts.arguments
    name = _base_name(arguments[0] or facts.executable).removeprefix("-")
    shell = _SHELLS.fullmatch(name.lower()) is not None
    of_executable = place.generation(facts.executable)
    words = os.path.normcase("\0".join((_program(facts), *arguments[1:])))
    match = place.in_words.search(words)
    within = place.has(facts.directory)
    holds = {of_executable, place.generation(facts.directory)}
    if thorough:
        holds |= {place.generation(path) for path in facts.opened()}
    kept = frozenset(number for number in holds if number is not None)
    kind = ProcessKind.PROGRAM
    if match:
        number = int(match["number"]) if match["number"] else None
        kept |= {number} if number is not None else set()
        if _is_kernel(arguments):
            kind = ProcessKind.KERNEL
    elif kept or within or place.has(facts.executable):
        number = of_executable if of_executable is not None else max(kept, default=None)
    elif shell and _is_active(place, facts):
        number = None
    else:
        return None
    if shell and not place.in_words.search(os.path.normcase("\0".join(arguments[1:]))):
        kind, number = ProcessKind.SHELL, None
    return Process(facts.pid, name, _shown(place, arguments), number, kind, kept)


def _program(facts: Facts) -> str:
    """Return the program as it was called; one that was called by its name, as found on PATH."""
    called = facts.arguments[0]
    if os.sep in called or not _base_name(facts.executable).startswith(("python", "pypy")):
        return called
    search = facts.environment().get("PATH")
    return (shutil.which(called, path=search) if search else None) or called


def _is_active(place: _Place, facts: Facts) -> bool:
    environment = facts.environment()
    values = [environment[name] for name in _ACTIVE if environment.get(name)]
    return any(map(place.has, values))


def _is_kernel(arguments: Sequence[str]) -> bool:
    if any(map(_CONNECTION_FILE.fullmatch, arguments[1:])):
        return True
    pairs = list(itertools.pairwise(arguments))
    told = any(option == "-f" and value.endswith(".json") for option, value in pairs)
    named = any(option == "-m" and value.startswith("ipykernel") for option, value in pairs)
    return named or (told and any(_KERNELS.search(word) is not None for word in arguments[1:]))


def _base_name(path: str) -> str:
    return re.split(r"[/\\]" if os.name == "nt" else "/", path)[-1]


def _shown(place: _Place, arguments: Sequence[str]) -> str:
    """Return a command line that is short and has no secrets in it."""
    from kaa.network.locations import redact_text

    words = [_base_name(arguments[0])]
    secret = False
    for word in arguments[1:]:
        if secret:
            shown = "***"
        elif place.has(word):
            shown = _base_name(word)
        else:
            shown = _SECRET_VALUE.sub(r"\1***", redact_text(word))
        secret = _SECRET_OPTION.fullmatch(word) is not None
        words.append(shown if len(shown) <= _LONGEST_WORD and "\n" not in shown else "...")
    text = " ".join(word for word in words if word)
    return text if len(text) <= _LONGEST else f"{text[: _LONGEST - 3]}..."
