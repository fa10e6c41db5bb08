"""Kernelspecs under names that notebooks of other machines want: they lead to the nearest kernel.

They carry kaa's mark, and what was wanted in it, so that nobody takes them for the kernelspec of
the environment itself; they go with it.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from kaa.kernels.command import kernelspec_content
from kaa.kernels.installed_launcher import install_launcher
from kaa.kernels.logos import own_logos
from kaa.kernels.specs import check_replaceable, kernelspec_directory, put_kernelspec
from kaa.model.errors import KernelError

if TYPE_CHECKING:
    from kaa.kernels.nearest import Nearest
    from kaa.kernels.specs import Kernelspec
    from kaa.store.layout import Layout

_ALLOWED = re.compile(r"[a-z0-9_-][a-z0-9._-]*", re.IGNORECASE)
"""Names that Jupyter takes (jupyter_client's ``kernelspec``), hidden directories left out."""


def write_alias(wanted: str, found: Nearest, layout: Layout) -> Kernelspec:
    """Write the kernelspec of the nearest kernel under the name that is wanted.

    Raises KernelError for a name that Jupyter does not take, for one that another program or
    environment has, and where a file cannot be written.
    """
    if not _ALLOWED.fullmatch(wanted):
        raise KernelError(
            f"Jupyter takes no kernel of the name {wanted!r}",
            cause="names have letters of ASCII, digits, '.', '-' and '_'",
            hint="choose a kernel in the notebook, and save it",
        )
    install_launcher(layout)
    directory = kernelspec_directory() / wanted.lower()
    if (directory / "kernel.json").exists():
        check_replaceable(directory, found.offer)
    content = kernelspec_content(found.offer, layout)
    content["display_name"] += f", for {wanted}"
    told = {"wanted": wanted, "because": found.because.value}
    content["metadata"]["kaa"] = {**content["metadata"]["kaa"], **told}
    return put_kernelspec(directory, content, found.offer, own_logos(found.offer))
