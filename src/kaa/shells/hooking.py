"""The hooks: what each shell reads when it starts, so that ``kaa activate`` can change it.

A hook is static text. It defines a function ``kaa`` and runs nothing, so that a shell with it
starts as fast as one without.
"""

from __future__ import annotations

import os
import shlex
import shutil
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from kaa.shells.dialects import fish_word, powershell_word

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from kaa.store.layout import Layout

_TEXTS = Path(__file__).parent / "hooks"


@dataclass(frozen=True, slots=True)
class Hook:
    """What makes one shell's hook: the ``files`` of text, and how a command is written in them."""

    files: tuple[str, ...]
    command: Callable[[Sequence[str]], str]


def _fish_command(words: Sequence[str]) -> str:
    return " ".join(map(fish_word, words))


def _powershell_command(words: Sequence[str]) -> str:
    return " ".join(map(powershell_word, words))


def _nushell_command(words: Sequence[str]) -> str:
    return " ".join(nushell_word(word) for word in words)


def nushell_word(text: str) -> str:
    """Return ``text`` as one word of Nushell, in its quotes with JSON's escapes."""
    import json

    return json.dumps(text, ensure_ascii=False)


def _cmd_command(words: Sequence[str]) -> str:
    return " ".join(f'"{word.replace("%", "%%")}"' for word in words)


def _python_words(words: Sequence[str]) -> str:
    return ", ".join(map(ascii, words))


HOOKS = {
    "bash": Hook(("kaa.sh", "kaa.bash"), shlex.join),
    "zsh": Hook(("kaa.sh", "kaa.zsh"), shlex.join),
    "sh": Hook(("kaa.sh",), shlex.join),
    "fish": Hook(("kaa.fish",), _fish_command),
    "powershell": Hook(("kaa.ps1",), _powershell_command),
    "xonsh": Hook(("kaa.xsh",), _python_words),
    "nushell": Hook(("kaa.nu",), _nushell_command),
    "cmd": Hook(("kaa.bat",), _cmd_command),
}


def hook_text(shell: str, program: Sequence[str] | None = None) -> str:
    """Return the hook of ``shell``; ``program`` is the command that runs kaa, if not this one."""
    hook = HOOKS[shell]
    text = "".join((_TEXTS / name).read_text(encoding="utf-8") for name in hook.files)
    command = hook.command(program or this_program())
    text = text.replace("@PROGRAM@", command).replace("@WORDS@", command).replace("@SHELL@", shell)
    return text.replace("\n", "\r\n") if shell == "cmd" else text


def hook_file(layout: Layout, shell: str) -> Path:
    """Return where the hook of ``shell`` is kept: below kaa's root, so that it survives kaa."""
    return layout.root / "shell" / HOOKS[shell].files[-1]


def this_program() -> tuple[str, ...]:
    """Return the command that runs this kaa, whatever PATH is: environments may have another."""
    started = Path(sys.argv[0])
    if started.stem == "kaa" and os.path.isfile(started):  # noqa: PTH113 - never raises
        return (os.path.abspath(started),)  # noqa: PTH100 - links are kept
    beside = shutil.which("kaa", path=str(Path(sys.executable).parent))
    return (beside,) if beside else (sys.executable, "-m", "kaa")
