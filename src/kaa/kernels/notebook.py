"""How ipykernel is started in an environment: what runs inside the kernel's own process.

kaa writes this module beside the launcher (:mod:`kaa.kernels.installed_launcher`), whose rules hold
here, too: it runs in the environment's Python, knows nothing of kaa's installation, keeps to the
standard library and Python 3.7's syntax, and imports at the top what costs nothing.
"""

# ruff: noqa: PTH118

from __future__ import annotations

import os
import sys

# `typing` is slow to import; checkers take this name for typing's own.
TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any


def start(prefix: str, site: str, lent: bool) -> None:
    """Start the kernel of the environment at ``prefix`` with the ipykernel in ``site``.

    ``lent`` says that the directory is an overlay's. The arguments are this process's own. All else
    is as ``python -m ipykernel_launcher`` has it: the current directory goes from the module search
    path, so that no file beside the notebook shadows a module (IPython puts it back), ``sys.argv``
    names the program, and the application is the one instance that configuration is for.
    """
    if sys.path[0] == "":
        del sys.path[0]
    if lent:
        # Appending leaves the environment's own packages in front of the overlay's.
        sys.path.append(site)
    sys.argv[0] = os.path.join(site, "ipykernel_launcher.py")
    from ipykernel.kernelapp import IPKernelApp

    backend = os.environ.get("MPLBACKEND")
    app: Any = IPKernelApp.instance()
    app.initialize()
    if lent and not backend:
        # ipykernel chooses the inline backend by a variable: programs that the kernel starts must
        # not inherit it, since they have no overlay and matplotlib would fail in them.
        os.unsetenv("MPLBACKEND")
    app.start()
