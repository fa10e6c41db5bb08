"""The command by which a kernel of any environment is started: through the launcher, activated."""

from __future__ import annotations

import os
import sys
from typing import TYPE_CHECKING

from kaa.environments.facts import interpreter

if TYPE_CHECKING:
    from collections.abc import Mapping
    from typing import Any

    from kaa.kernels.offers import Offer
    from kaa.store.layout import Layout

_LAUNCHER = (3, 7)
"""The oldest Python that can read the launcher."""


def launch_command(offer: Offer, layout: Layout) -> list[str]:
    """Return the ``argv`` of a kernelspec (with ``{connection_file}`` in it) for an offer.

    The launcher runs in the environment's own Python where that can read it, so that the kernel
    starts although kaa's installation is gone; else in the one that runs this.
    """
    environment, kernel = offer.environment, offer.kernel
    facts = environment.facts
    own = facts.python is not None and facts.problem is None and reads_launcher(facts.python)
    python = sys.executable
    if own:
        python = facts.interpreter or interpreter(environment.prefix, windows=os.name == "nt")
    start = [python, "-I", "-S", str(layout.launcher)]
    options = ["--prefix", environment.prefix, "--overlays", str(layout.overlays)]
    if facts.problem is not None:
        told = ["--prefix", environment.prefix, "--reason", facts.problem]
        told += ["--kernel", offer.kernel_name]
        return [sys.executable, "-m", "kaa.jupyter.fallback", *told, "-f", "{connection_file}"]
    options += ["--fallback", sys.executable]
    if not own and facts.python is not None:
        options += ["--minor", str(facts.minor)]
    if kernel is None or offer.native:
        return [*start, *options, "--", "-f", "{connection_file}"]
    # A kernel's own command has the connection file wherever it likes to; R's has no -f before it.
    options += ["--connection", "{connection_file}"]
    return [*start, *options, "--run", "kernel", "--", *kernel.argv]


def through_this_python(argv: list[str], offer: Offer, layout: Layout) -> list[str]:
    """Return a command of kaa's in which the launcher runs in the Python that runs this.

    A server keeps the command of a kernel that it has started: this one still says in the notebook
    what is wrong when the environment is gone at a restart. Other commands are left as they are.
    """
    minor = offer.environment.facts.minor
    if argv[1:4] != ["-I", "-S", str(layout.launcher)] or minor is None:
        return argv
    own = argv[4 : argv.index("--")]
    more = [] if "--minor" in own else ["--minor", minor]
    more += [] if "--fallback" in own else ["--fallback", sys.executable]
    return [sys.executable, *argv[1:4], *more, *argv[4:]]


def kernelspec_content(offer: Offer, layout: Layout) -> dict[str, Any]:
    """Return what ``kernel.json`` says of an offer (Jupyter's kernelspec format)."""
    kernel = offer.kernel
    runs = offer.reason is None  # else it is kaa's own kernel that starts
    content: dict[str, Any] = {
        "argv": launch_command(offer, layout),
        "display_name": offer.display_name,
        "language": offer.language,
        "interrupt_mode": kernel.interrupt_mode if kernel is not None and runs else "signal",
        "metadata": dict(offer.metadata),
    }
    if kernel is not None and kernel.env:
        content["env"] = dict(kernel.env)
    return content


def mended_command(
    prefix: str, kernel: str, layout: Layout
) -> tuple[list[str], Mapping[str, str]] | None:
    """Return how a kernel is started that could not be when its kernelspec was read.

    It is called ``kernel`` in the environment at ``prefix``; the command has ``{connection_file}``
    in it, and the variables are those that the kernelspec inside sets. None where it still cannot.
    """
    from kaa.environments.discovery import architecture
    from kaa.environments.facts import read_facts
    from kaa.kernels.offers import KernelOptions, all_offers
    from kaa.model.discovered import Discovered, Maker

    facts = read_facts(prefix, architecture(), windows=os.name == "nt")
    if facts is None or facts.problem is not None:
        return None
    name = os.path.basename(prefix)  # noqa: PTH119 - as all paths here
    offers = all_offers([Discovered(prefix, Maker.VENV, name, name, facts)], KernelOptions())
    offer = next((each for each in offers if each.kernel_name == kernel), None)
    if offer is None:
        return None
    return launch_command(offer, layout), offer.kernel.env if offer.kernel is not None else {}


def reads_launcher(python: str) -> bool:
    """Say whether a Python of this version can run the launcher."""
    numbers = [int(part) for part in python.split(".")[:2] if part.isdigit()]
    return tuple(numbers) >= _LAUNCHER
