"""A small file system of the trials' own, where this user may mount one."""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator


@contextmanager
def small_file_system(kind: str, size: int) -> Iterator[Path | None]:
    """Give a directory on a file system of ``size`` bytes, ``tmpfs`` or ``ext4``.

    None where it cannot be mounted.
    """
    with tempfile.TemporaryDirectory(prefix="kaa-full-") as scratch:
        point = Path(scratch).resolve() / "disk"
        point.mkdir()
        if not _mount(kind, size, point):
            yield None
            return
        try:
            yield point
        finally:
            subprocess.run(["umount", "--lazy", str(point)], check=True)


def _mount(kind: str, size: int, point: Path) -> bool:
    if sys.platform != "linux" or os.geteuid() != 0:
        return False
    if kind == "tmpfs":
        return _run("mount", "-t", "tmpfs", "-o", f"size={size}", "none", str(point))
    image = point.with_name("image")
    with image.open("wb") as stream:
        stream.truncate(size)
    made = _run("mkfs.ext4", "-q", "-m", "0", "-F", str(image))
    return made and _run("mount", "-o", "loop", str(image), str(point))


def _run(*command: str) -> bool:
    try:
        return subprocess.run(command, capture_output=True, check=False).returncode == 0
    except FileNotFoundError:
        return False
