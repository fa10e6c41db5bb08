"""Commands as somebody whom the modes of files concern, even when the tests run as root."""

from __future__ import annotations

import os
import shutil
import subprocess
from pathlib import Path

import pytest


def unprivileged() -> tuple[str, ...]:
    """Return what to put before a command so that it may not override the modes of files."""
    if os.geteuid() != 0:
        return ()
    drop = ("setpriv", "--bounding-set=-all", "--inh-caps=-all", "--")
    if shutil.which("setpriv") is None or subprocess.run([*drop, "true"], check=False).returncode:
        pytest.skip("root can only be kept from writing with setpriv")
    return drop


def close_to_writing(directory: Path) -> None:
    """Take from everybody the right to write to a directory and all that is in it."""
    for path in (directory, *directory.rglob("*")):
        if not path.is_symlink():
            path.chmod(path.stat().st_mode & ~0o222)


def open_to_writing(directory: Path) -> None:
    """Give it back to its owner, so that it can be removed."""
    directory.chmod(0o755)
    for folder, directories, _ in os.walk(directory):
        for name in directories:
            Path(folder, name).chmod(0o755)
