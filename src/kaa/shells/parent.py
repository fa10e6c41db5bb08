"""Which shell this process was started from."""

from __future__ import annotations

import os
import sys
from pathlib import Path

from kaa.shells.dialects import ALIASES, DIALECTS


def this_shell() -> str:
    """Return the shell that this process was started from, the user's own if that is none."""
    for name in (_parent(), Path(os.environ.get("SHELL", "")).name):
        shell = _known(name)
        if shell is not None:
            return shell
    return "powershell" if os.name == "nt" else "bash"


def _known(program: str) -> str | None:
    # A login shell's name begins with "-".
    name = program.lstrip("-").removesuffix(".exe").lower()
    name = ALIASES.get(name, name)
    return name if name in DIALECTS and name != "sh" else None


def _parent() -> str:
    platform: str = sys.platform
    if platform == "linux":
        try:
            return Path(f"/proc/{os.getppid()}/comm").read_text(encoding="utf-8").strip()
        except (OSError, ValueError):
            return ""
    import psutil

    try:
        return str(psutil.Process(os.getppid()).name())
    except psutil.Error:
        return ""
