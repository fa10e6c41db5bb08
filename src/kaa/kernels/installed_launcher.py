"""The launcher as kernelspecs run it: files below kaa's root, independent of kaa itself.

What kernelspecs name is a stub of a few lines at a path that stays. It imports the launcher proper
from a directory of its own, so that Python keeps the bytecode: compiling it at every start would
take longer than running it. The directory's name is a hash of what is in it. Two versions of kaa
can therefore write at once, and a kernel that starts meanwhile finds one version's files, whole.
"""

from __future__ import annotations

import functools
import hashlib
import re
import time
from pathlib import Path
from typing import TYPE_CHECKING

from kaa.kernels.shims import write_shims
from kaa.kernels.writing import write_text

if TYPE_CHECKING:
    from types import ModuleType

    from kaa.store.layout import Layout

_STUB = """\
# Written by kaa; starts the kernels of its environments.
import os, sys
sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "{room}", "{version}"))
from kaa_launcher import main
del sys.path[0]
sys.exit(main(sys.argv[1:]))
"""
_FUTURE = "from __future__ import annotations"
_OWN_IMPORT = re.compile(r"^from kaa\.[\w.]+ import (?:\([^)]*\)|[^\n(]*)\n", re.MULTILINE)
_MAIN = re.compile(r"^if __name__ == .*\Z", re.MULTILINE | re.DOTALL)
_FORGOTTEN = 30 * 24 * 3600
"""Seconds after which another version's files go; a kernel may have begun to start from them."""


@functools.cache  # a hundred kernelspecs may be written by one process
def launcher_text() -> str:
    """Return the launcher as one file."""
    from kaa.environments import activation, activation_scripts
    from kaa.kernels import launcher, start_code

    return _joined("starts the kernels", activation_scripts, activation, start_code, launcher)


@functools.cache
def notebook_text() -> str:
    """Return what runs inside kernels as one file."""
    from kaa.environments import activation, activation_scripts
    from kaa.kernels import entering, imported, notebook, start_code

    below = (activation_scripts, activation, start_code, imported, notebook)
    return _joined("is in the kernels", *below, entering)


def install_launcher(layout: Layout) -> Path:
    """Write ``layout.launcher`` and what it imports, where they are not this version's already.

    Returns its path. Each file is replaced in one step, what is imported first: a kernel that
    starts meanwhile finds the old or the new one. Raises KernelError when one cannot be written.
    """
    modules = _modules()
    folder = startup_folder(layout)
    stub = _STUB.format(room=layout.startup.name, version=folder.name)
    changed = _differs(layout.launcher, stub)
    for name, text in modules.items():
        # Together with the stub they become new, so that nobody takes them for forgotten ones.
        if changed or _differs(folder / name, text):
            write_text(folder / name, text)
    if changed:
        write_text(layout.launcher, stub)
        _forget_others(folder)
    write_shims(layout.shims)
    return layout.launcher


def startup_folder(layout: Layout) -> Path:
    """Return the directory that this version's modules are in, whether it is there or not."""
    return layout.startup / _version()


@functools.cache
def _version() -> str:
    return hashlib.sha256("\0".join(_modules().values()).encode()).hexdigest()[:16]


def _modules() -> dict[str, str]:
    return {"kaa_launcher.py": launcher_text(), "kaa_notebook.py": notebook_text()}


def _joined(purpose: str, *modules: ModuleType) -> str:
    """Return modules as one, the lowest first.

    Their imports of each other are left out, since what they name stands above them.
    """
    parts = [f"# Written by kaa; {purpose} of its environments.", _FUTURE]
    for module in modules:
        text = Path(str(module.__file__)).read_text(encoding="utf-8")
        parts.append(_MAIN.sub("", _OWN_IMPORT.sub("", text.replace(f"{_FUTURE}\n", ""))))
    return "\n".join(parts)


def _differs(file: Path, text: str) -> bool:
    try:
        return file.read_text(encoding="utf-8") != text
    except (OSError, UnicodeDecodeError):
        return True


def _forget_others(kept: Path) -> None:
    """Delete what starts other versions' kernels, if it is old. That it stays does no harm."""
    import shutil

    for folder in kept.parent.iterdir():
        try:
            old = (folder / "kaa_launcher.py").stat().st_mtime < time.time() - _FORGOTTEN
        except OSError:
            continue
        if old and folder != kept:
            shutil.rmtree(folder, ignore_errors=True)
