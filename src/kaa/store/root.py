"""Where kaa's root directory is when no configuration file says so.

`kaa activate` asks for no more than this, so it imports nothing that takes time.
"""

# ruff: noqa: PTH100, PTH111 - pathlib takes longer to import than all else that is done

from __future__ import annotations

import os
import sys


def default_root() -> str:
    """Return ``KAA_ROOT``, or else the directory ``kaa`` in the user's data directory."""
    override = os.environ.get("KAA_ROOT")
    if override:
        return os.path.abspath(os.path.expanduser(override))
    platform: str = sys.platform
    if platform == "linux":
        # What platformdirs says there, without the 20 ms that importing it takes.
        data = os.environ.get("XDG_DATA_HOME", "").strip()
        return os.path.join(data or os.path.expanduser("~/.local/share"), "kaa")  # noqa: PTH118
    import platformdirs

    return platformdirs.user_data_dir("kaa", appauthor=False)
