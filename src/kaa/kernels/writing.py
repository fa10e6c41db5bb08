"""Writing the files of kernels, with the error that a failure is."""

from __future__ import annotations

from typing import TYPE_CHECKING

from kaa.model.errors import KernelError
from kaa.store.disk import replace_file

if TYPE_CHECKING:
    from pathlib import Path


def write_text(file: Path, text: str) -> None:
    """Replace ``file`` by ``text`` (UTF-8), whole. Raises KernelError when it cannot be written."""
    try:
        replace_file(file, text.encode())
    except OSError as error:
        raise cannot_write(file, error) from error


def cannot_write(path: Path, error: OSError) -> KernelError:
    """Return the error for a kernel file that could not be written or deleted."""
    return KernelError(
        f"cannot write {path}",
        cause=error.strerror or str(error),
        hint=f"make {path.parent} writable, or set JUPYTER_DATA_DIR (and KAA_ROOT) elsewhere",
    )
