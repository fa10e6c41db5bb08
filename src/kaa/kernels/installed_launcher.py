"""The launcher as kernelspecs run it: one file below kaa's root, independent of kaa itself."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pathlib import Path

    from kaa.store.layout import Layout


def launcher_text() -> str:
    """Return the launcher as one file: the modules it is made of, the lowest first.

    Their imports of each other are left out, since what they name stands above them.
    """
    import inspect

    from kaa.environments import activation, activation_scripts
    from kaa.kernels import launcher

    parts = ["# Written by kaa; starts the kernels of its environments.", _FUTURE]
    for module in (activation_scripts, activation, launcher):
        source = inspect.getsource(module).replace(f"{_FUTURE}\n", "")
        parts.append(_OWN_IMPORT.sub("", source))
    return "\n".join(parts)


def install_launcher(layout: Layout) -> Path:
    """Write ``layout.launcher``, unless it is this version's already; return its path.

    The file is replaced in one step: a kernel that starts meanwhile finds the old or the new one.
    Raises KernelError when it cannot be written.
    """
    text = launcher_text()
    try:
        if layout.launcher.read_text(encoding="utf-8") == text:
            return layout.launcher
    except (OSError, UnicodeDecodeError):
        pass
    from kaa.kernels.writing import write_text

    write_text(layout.launcher, text)
    return layout.launcher


_FUTURE = "from __future__ import annotations"
_OWN_IMPORT = re.compile(r"^from kaa\.[\w.]+ import (?:\([^)]*\)|[^\n(]*)\n", re.MULTILINE)
