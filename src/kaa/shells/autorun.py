"""cmd's only way to run something at its start: the value ``AutoRun`` in the registry.

The value is one command line. kaa's part of it is joined to what is there, and taken out again.
"""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from pathlib import Path

KEY = r"Software\Microsoft\Command Processor"
PLACE = rf"HKEY_CURRENT_USER\{KEY}\AutoRun"
_JOIN = " & "


class AutoRun(Protocol):
    """The value, as it is kept."""

    def read(self) -> str | None:
        """Return it, None if there is none."""
        ...

    def write(self, value: str | None) -> None:
        """Set it, or with None remove it. Raises ``OSError``."""
        ...


def with_hook(value: str | None, hook: Path) -> str:
    """Return the value that runs what ``value`` runs, and then the hook."""
    rest = without_hook(value, hook)
    command = _command(hook)
    return f"{rest}{_JOIN}{command}" if rest else command


def without_hook(value: str | None, hook: Path) -> str | None:
    """Return the value without the hook, None if nothing is left."""
    command = _command(hook)
    if value is None or command not in value:
        return value
    for part in (_JOIN + command, command + _JOIN, command):
        value = value.replace(part, "")
    return value or None


def _command(hook: Path) -> str:
    return f'if exist "{hook}" call "{hook}" --hook'


if sys.platform == "win32":
    import winreg

    class Registry:
        """The current user's registry."""

        def read(self) -> str | None:
            """Return the value, None if there is none."""
            try:
                with winreg.OpenKey(winreg.HKEY_CURRENT_USER, KEY) as key:
                    return str(winreg.QueryValueEx(key, "AutoRun")[0])
            except FileNotFoundError:
                return None

        def write(self, value: str | None) -> None:
            """Set the value, or with None remove it. Raises ``OSError``."""
            with winreg.CreateKey(winreg.HKEY_CURRENT_USER, KEY) as key:
                if value is None:
                    winreg.DeleteValue(key, "AutoRun")
                else:
                    winreg.SetValueEx(key, "AutoRun", 0, winreg.REG_EXPAND_SZ, value)


def this_registry() -> AutoRun | None:
    """Return this machine's, None where there is no cmd."""
    if sys.platform == "win32":
        return Registry()
    return None
