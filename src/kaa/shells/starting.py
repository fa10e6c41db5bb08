"""``kaa shell``: the user's shell, with the user's own settings, and an environment active in it.

The shell reads its start files first and activates then, because most of them set PATH and the
prompt. How that is asked for is different in each shell; nothing is left behind but files below
kaa's root that say the same for every start.
"""

from __future__ import annotations

import os
import shutil
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from kaa.model.errors import ProgramNotFoundError
from kaa.shells.dialects import posix_word, powershell_word
from kaa.shells.hooking import hook_file, hook_text, nushell_word
from kaa.shells.start_files import PROGRAMS

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from kaa.store.layout import Layout

_PREFIX, _DIRECTORY = "_KAA_PREFIX", "_KAA_ZDOTDIR"


@dataclass(frozen=True, slots=True)
class Start:
    """A command line, the variables that it needs, and files (by their names) that it reads."""

    arguments: tuple[str, ...]
    variables: Mapping[str, str]
    files: Mapping[str, str] = field(default_factory=dict)


def start(layout: Layout, shell: str, prefix: str, environ: Mapping[str, str]) -> Start:
    """Return how ``shell`` is started with ``prefix`` active, and write what it reads.

    Raises ProgramNotFoundError when the shell is not on this machine, and
    :class:`~kaa.model.errors.StoreError`.
    """
    from kaa.store.disk import replace_file, writing

    hook = hook_file(layout, shell)
    found = _STARTS[shell](_program(shell, environ), hook, prefix, environ)
    files = {hook.name: hook_text(shell), **found.files}
    for name, text in files.items():
        path = hook.parent / name
        content = text.encode("utf-8", "surrogateescape")
        with writing(path):
            if not path.exists() or path.read_bytes() != content:
                replace_file(path, content)
    return found


def _program(shell: str, environ: Mapping[str, str]) -> str:
    own = environ.get("SHELL", "")
    names = PROGRAMS.get(shell, (shell,))
    if Path(own).name in names and os.access(own, os.X_OK):
        return own
    for name in names:
        found = shutil.which(name, path=environ.get("PATH"))
        if found:
            return found
    raise ProgramNotFoundError(
        f"there is no {shell} on this machine", hint="choose another shell with --shell"
    )


def _bash(program: str, hook: Path, prefix: str, _environ: Mapping[str, str]) -> Start:
    name = "start.bash"
    text = (
        "# Written by kaa: what bash reads when `kaa shell` starts it.\n"
        f"if [ -f ~/.bashrc ]; then . ~/.bashrc; fi\n{_posix_activation(hook)}"
    )
    arguments = (program, "--rcfile", str(hook.parent / name), "-i")
    return Start(arguments, {_PREFIX: prefix}, {name: text})


def _zsh(program: str, hook: Path, prefix: str, environ: Mapping[str, str]) -> Start:
    # zsh has no option for another file, only a variable for another directory of all its files.
    folder = hook.parent / "zsh"
    own = posix_word(str(folder))
    users = f'"${{{_DIRECTORY}:-$HOME}}"'
    environment_file = (
        "# Written by kaa: what zsh reads when `kaa shell` starts it.\n"
        f"ZDOTDIR={users}\n"
        'if [[ -f "$ZDOTDIR/.zshenv" ]]; then . "$ZDOTDIR/.zshenv"; fi\n'
        f'[[ "$ZDOTDIR" == "$HOME" ]] || {_DIRECTORY}="$ZDOTDIR"\n'
        f"ZDOTDIR={own}\n"
    )
    start_file = (
        "# Written by kaa: what zsh reads when `kaa shell` starts it.\n"
        f'[[ "${{HISTFILE-}}" != {own}/* ]] || HISTFILE={users}/"${{HISTFILE:t}}"\n'
        f'if [[ -n "${{{_DIRECTORY}-}}" ]]; then ZDOTDIR="${_DIRECTORY}"; else unset ZDOTDIR; fi\n'
        'if [[ -f "${ZDOTDIR:-$HOME}/.zshrc" ]]; then . "${ZDOTDIR:-$HOME}/.zshrc"; fi\n'
        f"{_posix_activation(hook)}unset {_DIRECTORY}\n"
    )
    variables = {_PREFIX: prefix, "ZDOTDIR": str(folder)}
    if environ.get("ZDOTDIR"):
        variables[_DIRECTORY] = environ["ZDOTDIR"]
    files = {"zsh/.zshenv": environment_file, "zsh/.zshrc": start_file}
    return Start((program, "-i"), variables, files)


def _posix_activation(hook: Path) -> str:
    return f'. {posix_word(str(hook))}\nkaa activate "${_PREFIX}"\nunset {_PREFIX}\n'


def _fish(program: str, hook: Path, prefix: str, _environ: Mapping[str, str]) -> Start:
    from kaa.shells.dialects import fish_word

    command = f'source {fish_word(str(hook))}; kaa activate "${_PREFIX}"; set -e {_PREFIX}'
    return Start((program, "-i", "-C", command), {_PREFIX: prefix})


def _powershell(program: str, hook: Path, prefix: str, _environ: Mapping[str, str]) -> Start:
    command = f". {powershell_word(str(hook))}; kaa activate {powershell_word(prefix)}"
    return Start((program, "-NoExit", "-Command", command), {})


def _xonsh(program: str, hook: Path, prefix: str, environ: Mapping[str, str]) -> Start:
    from kaa.shells.start_files import this_home

    name = "start.xsh"
    text = (
        "# Written by kaa: what xonsh reads when `kaa shell` starts it.\n"
        f"source @({str(hook)!a})\nkaa activate @(__xonsh__.env.pop({_PREFIX!r}))\n"
    )
    home = this_home()
    own = (home.configuration / "xonsh" / "rc.xsh", home.directory / ".xonshrc")
    files = [str(file) for file in (Path("/etc/xonsh/xonshrc"), *own) if file.is_file()]
    arguments = (program, "-i", "--rc", *files, str(hook.parent / name))
    return Start(arguments, {_PREFIX: prefix}, {name: text})


def _nushell(program: str, hook: Path, prefix: str, _environ: Mapping[str, str]) -> Start:
    command = f"source {nushell_word(str(hook))}; kaa activate {nushell_word(prefix)}"
    return Start((program, "-e", command), {})


def _cmd(program: str, hook: Path, prefix: str, _environ: Mapping[str, str]) -> Start:
    command = f'call "{hook}" --hook & call "{hook}" activate "{prefix}"'
    return Start((program, "/K", command), {})


_STARTS: dict[str, Callable[[str, Path, str, Mapping[str, str]], Start]] = {
    "bash": _bash,
    "zsh": _zsh,
    "fish": _fish,
    "powershell": _powershell,
    "xonsh": _xonsh,
    "nushell": _nushell,
    "cmd": _cmd,
}
