"""Activation by the kernel itself, where no launcher goes before it.

A second interpreter's start takes longer than all that is done in it. Where a kernel's command is
made at the moment of its start (:mod:`kaa.kernels.direct`), the kernel's own process sets the
variables before it imports anything. Only for what must be set before Python begins, Python is
started once more in the same process.

kaa writes this module beside the launcher (:mod:`kaa.kernels.installed_launcher`), whose rules hold
here: the standard library, Python 3.7's syntax, imports that cost nothing.
"""

# ruff: noqa: PTH118, PTH120

from __future__ import annotations

import os
import sys

from kaa.environments.activation import ACTIVATION, activated, become, interpreter
from kaa.kernels.notebook import start
from kaa.kernels.start_code import start_code

# `typing` is slow to import; checkers take this name for typing's own.
TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

_EARLY = (
    *("PYTHON", "__PYVENV", "LD_", "DYLD_", "GLIBC_", "GCONV_", "MALLOC_"),
    *("LC_", "LANG", "TZ", "OPENSSL_", "COVERAGE_", "COV_"),
)
"""How variables begin that are read before a program's code can set them: by Python, by the loader,
by libraries that are loaded by then, and by the ``.pth`` files of the tools that have one."""


def is_early(names: Iterable[str]) -> bool:
    """Say whether one of these variables has to be set before an interpreter starts."""
    return any(name.startswith(_EARLY) for name in names)


def changed(before: Mapping[str, str], after: Mapping[str, str]) -> set[str]:
    """Return the names of the variables that are not the same in both."""
    return {name for name in {*before, *after} if before.get(name) != after.get(name)}


def enter_and_start(
    prefix: str, generation: str, own: str, site: str, python: str, folder: str, lent: bool
) -> None:
    """Activate the environment at ``prefix`` in this process, and start its kernel.

    The parameters are those of :func:`kaa.kernels.notebook.start`.
    """
    root = os.path.dirname(os.path.dirname(folder))
    environ = activated(
        prefix, generation, os.environ, cache=os.path.join(root, "cache", ACTIVATION)
    )
    names = changed(os.environ, environ)
    if is_early(names):
        paths = (prefix, generation, own, site, python, folder)
        command = [interpreter(generation), "-c", start_code("start", paths, lent)]
        sys.exit(become(command + sys.argv[1:], environ))
    for name in names:
        if name in environ:
            os.environ[name] = environ[name]
        else:
            del os.environ[name]
    start(prefix, generation, own, site, python, folder, lent)
