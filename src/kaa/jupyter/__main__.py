"""``python -m kaa.jupyter list``: the kernels as a Jupyter server lists them."""

from __future__ import annotations

import sys

from jupyter_client.kernelspecapp import KernelSpecApp, ListKernelSpecs
from traitlets import Instance

from kaa.jupyter.manager import KaaKernelSpecManager


class ListKernels(ListKernelSpecs):
    """Lists the kernelspecs of kaa's manager; Jupyter's application is configured as ever."""

    kernel_spec_manager = Instance(KaaKernelSpecManager)

    def _kernel_spec_manager_default(self) -> KaaKernelSpecManager:
        return KaaKernelSpecManager(parent=self, data_dir=self.data_dir)


class KernelsApp(KernelSpecApp):
    """The application with its one subcommand."""

    name = "python -m kaa.jupyter"
    subcommands = {"list": (ListKernels, ListKernels.description.splitlines()[0])}  # noqa: RUF012


def main() -> None:
    """Run the application on this process's arguments."""
    KernelsApp.launch_instance(sys.argv[1:] or ["list"])


if __name__ == "__main__":
    main()
