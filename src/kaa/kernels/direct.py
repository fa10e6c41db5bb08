"""The command of a kernel that starts now, without the launcher before it.

The launcher needs an interpreter of its own, whose start takes longer than all that it does. Where
somebody can do that at the moment of the start, as a Jupyter server can, it is done without. The
launcher remains for whatever is not as it should be: it opens another kernel then, which says so.
"""

# Paths are plain texts, as in the launcher.
# ruff: noqa: PTH112

from __future__ import annotations

import os
import platform
from pathlib import Path
from typing import TYPE_CHECKING

from kaa.environments.activation import WINDOWS, activation, generation_of, interpreter
from kaa.environments.binaries import can_be_executed
from kaa.kernels.entering import is_early
from kaa.kernels.installed_launcher import startup_folder
from kaa.kernels.launcher import TOO_OLD, MissingOverlayError, kernel_command, site_packages
from kaa.kernels.overlay import python_minor

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from kaa.store.layout import Layout


def launched_prefix(argv: Sequence[str], layout: Layout) -> str | None:
    """Return the environment whose Python a command starts as a kernel through the launcher.

    None for other commands; the launcher's are those of :mod:`kaa.kernels.command`.
    """
    if list(argv[1:4]) != ["-I", "-S", str(layout.launcher)] or "--" not in argv:
        return None
    options = _options(argv)
    return None if "--run" in options else options.get("--prefix")


def command_now(
    argv: Sequence[str], layout: Layout, environ: Mapping[str, str]
) -> list[str] | None:
    """Return the command that does at once what a launcher's ``argv`` leads to now.

    The kernel is then activated by itself (:mod:`kaa.kernels.entering`). ``environ`` has the
    variables that it will be started with. Returns None where the launcher is needed: to say why
    there is no kernel, to have an overlay built, or to set what has to be set before Python starts.
    """
    if WINDOWS:
        return None  # where another PATH is another set of libraries, from the beginning
    options = _options(argv)
    prefix, minor = options["--prefix"], options.get("--minor")
    generation = generation_of(prefix)
    if not can_be_executed(interpreter(generation), platform.machine().lower()):
        return None
    if minor is None or not os.path.isdir(site_packages(generation, minor)):
        minor = python_minor(Path(generation))  # it may be another one since
    folder = startup_folder(layout)
    if minor is None or minor in TOO_OLD or not (folder / "kaa_notebook.py").is_file():
        return None
    changes = activation(prefix, generation, environ)
    if is_early(name for name, value in changes.items() if environ.get(name) != value):
        return None
    try:
        start = kernel_command(
            *(prefix, generation, options["--overlays"], minor, options.get("--fallback", "")),
            folder=str(folder),
            function="enter_and_start",
        )
    except MissingOverlayError:
        return None
    return [*start, *argv[argv.index("--") + 1 :]]


def _options(argv: Sequence[str]) -> dict[str, str]:
    own = argv[4 : argv.index("--")]
    return dict(zip(own[::2], own[1::2], strict=False))
