"""The code by which an interpreter starts its kernel: it imports what kaa wrote for that.

It is part of the launcher and of what runs in kernels (:mod:`kaa.kernels.installed_launcher`), and
their rules hold here: the standard library, Python 3.7's syntax, imports that cost nothing.
"""

from __future__ import annotations

import os

# Paths as bytes in ASCII, since this process may have another encoding than the kernel's. Bytecode
# is kept beside what kaa wrote, also where it is not to be kept in environments
# (PYTHONDONTWRITEBYTECODE): compiling takes as long as starting an interpreter.
_CODE = """\
import sys; from os import fsdecode
sys.path.insert(0, fsdecode({folder}))
sys.dont_write_bytecode, kept = False, sys.dont_write_bytecode
from kaa_notebook import {function}
sys.dont_write_bytecode = kept
del sys.path[0]
{function}(*map(fsdecode, {paths}), lent={lent})
"""


def start_code(function: str, paths: tuple[str, ...], lent: bool) -> str:
    """Return code for ``python -c``; its arguments are the kernel's.

    ``paths`` are those that :func:`kaa.kernels.notebook.start` takes, the last one is the directory
    that ``kaa_notebook.py`` is in; ``function`` is that one, or another that takes the same.
    """
    return _CODE.format(
        folder=_literal(paths[-1]),
        function=function,
        paths="[" + ", ".join(_literal(path) for path in paths) + "]",
        lent=lent,
    )


def _literal(path: str) -> str:
    # Jupyter replaces what is in braces in a kernel's command.
    return repr(os.fsencode(path)).replace("{", "\\x7b")
