"""The kernel that opens in place of one that cannot start, and says in the notebook why.

Run as ``python -m kaa.jupyter.fallback --prefix PREFIX --reason TEXT -f CONNECTION_FILE``, in a
Python that has kaa and ipykernel. Whatever is run in it is answered with the reason and with what
mends it.
"""

from __future__ import annotations

import argparse
import sys
from typing import Any

from ipykernel.kernelapp import IPKernelApp
from ipykernel.kernelbase import Kernel

from kaa.jupyter.mending import how_to_mend


class FallbackKernel(Kernel):
    """Answers everything with :attr:`reason`; ipykernel's seam is a subclass."""

    implementation = "kaa"
    implementation_version = "1"
    banner = "This kernel only says why the one that was wanted cannot start."
    language_info = {"name": "text", "mimetype": "text/plain", "file_extension": ".txt"}  # noqa: RUF012

    prefix = ""
    reason = ""

    async def do_execute(
        self, code: str, silent: bool, *_arguments: Any, **_named: Any
    ) -> dict[str, Any]:
        """Say why nothing can be run (Jupyter's messaging protocol, "execute")."""
        lines = [f"The kernel of {self.prefix} cannot start: {self.reason}."]
        lines += [f"To mend it: {way}" for way in how_to_mend(self.prefix, self.reason)]
        lines.append("Then restart the kernel.")
        if not silent:
            error = {"ename": "KernelCannotStart", "evalue": self.reason, "traceback": lines}
            self.send_response(self.iopub_socket, "error", error)  # type: ignore[no-untyped-call]
        return {
            "status": "error",
            "execution_count": self.execution_count,
            "ename": "KernelCannotStart",
            "evalue": self.reason,
            "traceback": lines,
        }


def main(arguments: list[str]) -> None:
    """Start the kernel; returns when it was shut down."""
    parser = argparse.ArgumentParser(prog="python -m kaa.jupyter.fallback")
    parser.add_argument("--prefix", required=True)
    parser.add_argument("--reason", required=True)
    parser.add_argument("-f", dest="connection", required=True)
    options = parser.parse_args(arguments)
    FallbackKernel.prefix, FallbackKernel.reason = options.prefix, options.reason
    IPKernelApp.launch_instance(kernel_class=FallbackKernel, argv=["-f", options.connection])


if __name__ == "__main__":
    main(sys.argv[1:])
