"""Writing a file so that a reader sees the old one or the new one, whole."""

from __future__ import annotations

import contextlib
import os
from typing import TYPE_CHECKING

from kaa.model.errors import KernelError

if TYPE_CHECKING:
    from pathlib import Path


def replace_file(file: Path, text: str) -> None:
    """Write ``text`` (UTF-8) beside ``file`` and rename it over it; directories are made.

    Raises KernelError when the directory or the file cannot be written.
    """
    beside = file.with_name(f".{file.name}.{os.getpid()}")
    try:
        file.parent.mkdir(parents=True, exist_ok=True)
        beside.write_text(text, encoding="utf-8")
        beside.replace(file)
    except OSError as error:
        with contextlib.suppress(OSError):
            beside.unlink()
        raise cannot_write(file, error) from error


def cannot_write(path: Path, error: OSError) -> KernelError:
    """Return the error for a kernel file that could not be written or deleted."""
    return KernelError(
        f"cannot write {path}",
        cause=error.strerror or str(error),
        hint=f"make {path.parent} writable, or set JUPYTER_DATA_DIR (and KAA_ROOT) elsewhere",
    )
