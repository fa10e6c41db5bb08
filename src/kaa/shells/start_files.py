"""Which file each shell reads at its start, and the lines in there that bring kaa's hook in."""

from __future__ import annotations

import os
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from kaa.shells.dialects import fish_word, posix_word, powershell_word
from kaa.shells.hooking import nushell_word

if TYPE_CHECKING:
    from collections.abc import Mapping


@dataclass(frozen=True, slots=True)
class Home:
    """Whose start files they are: a home directory, variables, and the platform's name."""

    directory: Path
    environ: Mapping[str, str]
    platform: str = sys.platform

    @property
    def configuration(self) -> Path:
        """Where programs keep their settings that follow the XDG specification."""
        told = self.environ.get("XDG_CONFIG_HOME")
        return Path(told) if told else self.directory / ".config"


def this_home() -> Home:
    """Return the home of the user who runs this process."""
    return Home(Path(os.path.expanduser("~")), os.environ)  # noqa: PTH111 - never raises


INITIALISED = ("bash", "zsh", "fish", "powershell", "xonsh", "nushell", "cmd")
"""The shells that ``kaa init`` knows; cmd has no start file, see ``kaa.shells.autorun``."""

PROGRAMS = {"powershell": ("pwsh", "powershell"), "nushell": ("nu",), "cmd": ("cmd",)}
"""What the programs of shells are called, where that is not the shell's name."""


def start_files(shell: str, home: Home) -> list[Path]:
    """Return the files of the user that ``shell`` reads at its start, to be edited."""
    return _FILES[shell](home)


def block_lines(shell: str, hook: Path) -> list[str]:
    """Return the lines that read ``hook``, and do nothing when it is not there."""
    text = str(hook)
    if shell == "fish":
        return [f"if test -f {fish_word(text)}", f"    source {fish_word(text)}", "end"]
    if shell == "powershell":
        word = powershell_word(text)
        return [f"if (Test-Path -LiteralPath {word}) {{ . {word} }}"]
    if shell == "xonsh":
        return [f"if __import__('os').path.isfile({text!a}):", f"    source @({text!a})"]
    if shell == "nushell":
        word = nushell_word(text)
        return [f"source (if ({word} | path exists) {{ {word} }} else {{ null }})"]
    word = posix_word(text)
    # ~/.profile is read by other shells, too.
    variable = "BASH_VERSION" if shell == "bash" else "ZSH_VERSION"
    return [f'if [ -n "${{{variable}-}}" ] && [ -f {word} ]; then', f"    . {word}", "fi"]


def _bash(home: Home) -> list[Path]:
    files = [home.directory / ".bashrc"]
    if home.platform == "darwin":
        # Terminals there start login shells, which read the first of these and no other.
        login = [home.directory / name for name in (".bash_profile", ".bash_login", ".profile")]
        files.append(next((file for file in login if os.path.lexists(file)), login[0]))
    return files


def _zsh(home: Home) -> list[Path]:
    directory = home.environ.get("ZDOTDIR")
    return [(Path(directory) if directory else home.directory) / ".zshrc"]


def _fish(home: Home) -> list[Path]:
    return [home.configuration / "fish" / "conf.d" / "kaa.fish"]


def _powershell(home: Home) -> list[Path]:
    if home.platform != "win32":
        return [home.configuration / "powershell" / "profile.ps1"]
    documents = home.directory / "Documents"
    cloud = home.environ.get("OneDrive")
    # Where documents are kept in the cloud, PowerShell looks for its profile there.
    if cloud and os.path.isdir(os.path.join(cloud, "Documents")):  # noqa: PTH112, PTH118
        documents = Path(cloud, "Documents")
    return [documents / name / "profile.ps1" for name in ("PowerShell", "WindowsPowerShell")]


def _xonsh(home: Home) -> list[Path]:
    return [home.directory / ".xonshrc"]


def _nushell(home: Home) -> list[Path]:
    if home.environ.get("XDG_CONFIG_HOME") or home.platform == "linux":
        directory = home.configuration
    elif home.platform == "darwin":
        directory = home.directory / "Library" / "Application Support"
    elif home.platform == "win32":
        directory = Path(home.environ.get("APPDATA") or home.directory / "AppData" / "Roaming")
    else:
        directory = home.configuration
    return [directory / "nushell" / "config.nu"]


def _cmd(_home: Home) -> list[Path]:
    return []


_FILES = {
    "bash": _bash,
    "zsh": _zsh,
    "fish": _fish,
    "powershell": _powershell,
    "xonsh": _xonsh,
    "nushell": _nushell,
    "cmd": _cmd,
}
