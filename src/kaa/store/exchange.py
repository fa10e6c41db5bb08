"""Two names of one directory change places in a moment, where the system can do that."""

from __future__ import annotations

import os
import sys
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pathlib import Path

_AT_FDCWD = -100
_RENAME_EXCHANGE = 2
_RENAME_SWAP = 2


def exchange(one: Path, other: Path) -> bool:
    """Exchange what two paths name, with nothing in between, and say whether that was done.

    Linux has renameat2(2) with ``RENAME_EXCHANGE``, macOS renamex_np(2) with ``RENAME_SWAP``. On
    file systems that cannot (overlay ones, among others) nothing has happened.
    """
    import ctypes

    platform: str = sys.platform  # so typed, because type checkers know of one only
    paths = os.fsencode(one), os.fsencode(other)
    try:
        library = ctypes.CDLL(None, use_errno=True)
        if platform == "linux":
            arguments = (_AT_FDCWD, paths[0], _AT_FDCWD, paths[1], _RENAME_EXCHANGE)
            return bool(library.renameat2(*arguments) == 0)
        if platform == "darwin":
            return bool(library.renamex_np(*paths, _RENAME_SWAP) == 0)
    except (AttributeError, OSError, TypeError):
        pass  # a C library without it, or none
    return False
