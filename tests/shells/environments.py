"""Environments with variables and scripts, and the programs of shells, for the tests."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from collections.abc import Mapping

NASTY = {
    "quotes": 'it\'s "so" `called`',
    "dollars": "$HOME ${HOME} $(touch evil) %PATH% !x! \\$HOME",
    "lines": "one\ntwo\r\n\n three\n",
    "back": "C:\\dir\\ \\n \\' \\",
    "letters": "h\u00e9 \u4e16 \U0001f40d \u2018curly\u2019 \u201alow\u201b",
    "marks": "*?[a]{1,2} ~ # ; & | < > ( ) = , ^ @",
    "blanks": "  \t two  ",
    "empty": "",
    "control": "a\x01b\x7f\x1b[31m",
    "only quotes": "''''",
    "dash": "-n",
}
"""Values that a shell could take for something else."""


def environment(
    name: str,
    variables: Mapping[str, object] | None = None,
    scripts: Mapping[str, str] | None = None,
    *,
    virtual: bool = False,
) -> Path:
    """Make an environment below ``KAA_ROOT`` as a generation and a link to it; return the link."""
    directory = Path(os.environ["KAA_ROOT"], "envs")
    generation = directory / ".kaa" / name / "1"
    (generation / "bin").mkdir(parents=True)
    (generation / "conda-meta").mkdir()
    if virtual:
        (generation / "pyvenv.cfg").write_text("home = /usr/bin\n")
    link = directory / name
    link.symlink_to(Path(".kaa", name, "1"))
    furnish(link, variables, scripts)
    return link


def furnish(
    prefix: Path,
    variables: Mapping[str, object] | None = None,
    scripts: Mapping[str, str] | None = None,
) -> None:
    """Give an environment variables (``conda env config vars set``) and scripts (by path)."""
    state = prefix / "conda-meta" / "state"
    if variables is not None:
        state.parent.mkdir(exist_ok=True)
        state.write_text(json.dumps({"version": 1, "env_vars": variables}), encoding="utf-8")
    for path, text in (scripts or {}).items():
        file = prefix / "etc" / "conda" / path
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(text, encoding="utf-8")


def shell_program(shell: str) -> str:
    """Return the program of a shell; skip the test where it is not installed."""
    name = {"nushell": "nu", "sh": "dash", "powershell": "pwsh"}.get(shell, shell)
    # pip installs xonsh beside Python.
    found = shutil.which(name) or shutil.which(name, path=str(Path(sys.executable).parent))
    if found is None:
        pytest.skip(f"{name} is not installed")
    return found


OPTIONS = {"bash": ["--norc", "--noprofile"], "zsh": ["-f"], "fish": ["--no-config"]}
OPTIONS |= {"xonsh": ["--no-rc"], "nushell": ["-n"], "powershell": ["-NoProfile"]}


def run_script(
    shell: str, script: str, directory: Path, **environ: str | None
) -> subprocess.CompletedProcess[str]:
    """Run a script, with the hook before it, in a real shell that has no settings."""
    from kaa.shells.hooking import hook_text

    program = shell_program(shell)
    suffix = {"xonsh": ".xsh", "nushell": ".nu", "powershell": ".ps1"}.get(shell, "")
    hook, file = directory / f"hook{suffix}", directory / f"script{suffix}"
    hook.write_text(hook_text(shell, [sys.executable, "-m", "kaa"]), encoding="utf-8")
    source = "source" if shell in ("fish", "xonsh", "nushell") else "."
    file.write_text(f"{source} {hook}\n{script}", encoding="utf-8")
    variables = {**os.environ, **environ}
    return subprocess.run(
        [program, *OPTIONS.get(shell, []), str(file)],
        env={name: value for name, value in variables.items() if value is not None},
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        errors="surrogateescape",
        timeout=600,
        check=False,
    )


def snapshots(directory: Path) -> list[dict[str, str]]:
    """Return what ``env -0 > directory/<number>`` wrote, without what every shell changes."""
    files = sorted(directory.glob("[0-9]*"), key=lambda file: int(file.name))
    found = []
    for file in files:
        entries = file.read_bytes().rstrip(b"\0").split(b"\0")
        pairs = (os.fsdecode(entry).partition("=") for entry in entries)
        own = ("_", "SHLVL", "PWD", "OLDPWD", "LINES", "COLUMNS", "LAST_EXIT_CODE")
        found.append({name: value for name, _, value in pairs if name not in own})
    return found
