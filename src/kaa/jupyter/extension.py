"""The server extension: installing kaa beside Jupyter is all that it takes to see the kernels.

Jupyter Server links extensions before it makes its managers ("Extending Jupyter Server"): the
place to say which kernelspec manager it is to be, unless its configuration says so already, and
that notebooks are opened with kernels that are there.
"""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from jupyter_server.serverapp import ServerApp

_MANAGER = "kaa.jupyter.manager.KaaKernelSpecManager"
_NB_CONDA_KERNELS = "nb_conda_kernels."
"""How the names of its manager begin: installing it writes them into ``jupyter_config.json``."""


def _jupyter_server_extension_points() -> list[dict[str, Any]]:
    return [{"module": "kaa.jupyter.extension"}]


def _link_jupyter_server_extension(server: ServerApp) -> None:
    from traitlets.config import Config

    chosen = server.config.ServerApp.get("kernel_spec_manager_class")
    gateway = server.config.GatewayClient.get("url") or os.environ.get("JUPYTER_GATEWAY_URL")
    if gateway:
        return  # kernels run on another machine, whose environments are its own
    of_all = server.config.JupyterApp.get("kernel_spec_manager_class")
    if chosen is None and of_all is not None and not str(of_all).startswith(_NB_CONDA_KERNELS):
        chosen = of_all
    if chosen is None:
        if of_all is not None:
            server.log.info(
                "kaa lists the kernels of conda's environments, under the same names, in place of "
                "%s; to have that instead, set ServerApp.kernel_spec_manager_class to it",
                of_all,
            )
        server.update_config(Config({"ServerApp": {"kernel_spec_manager_class": _MANAGER}}))
    elif str(chosen) != _MANAGER:
        server.log.info(
            "kaa lists no kernels: kernel_spec_manager_class is %s, not %s",
            chosen,
            _MANAGER,
        )
        return
    _open_with_nearest_kernels(server)


def _open_with_nearest_kernels(server: ServerApp) -> None:
    """Put kaa's ``get`` over the contents manager, whichever it is.

    It goes into the configuration, too: a value that is only set is set back when another
    extension updates the configuration.
    """
    from traitlets.config import Config

    from kaa.jupyter.contents import opening_with_nearest_kernels

    matching = opening_with_nearest_kernels(server.contents_manager_class)
    server.update_config(Config({"ServerApp": {"contents_manager_class": matching}}))


def _load_jupyter_server_extension(server: ServerApp) -> None:
    """Tell browsers what was done; the managers are at work already."""
    from kaa.jupyter.opened import OpenedHandler

    address = server.base_url.rstrip("/") + "/api/kaa/opened"
    handlers = [(address, OpenedHandler)]
    server.web_app.add_handlers(".*$", handlers)  # type: ignore[no-untyped-call]
