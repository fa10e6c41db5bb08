"""What a kernelspec runs: starts an environment's kernel, activated, as this very process.

Called as ``<prefix>/bin/python -I -S launcher.py --prefix <prefix> --overlays <directory> --
<the kernel's arguments>``. With ``--run kernel`` what follows is a whole command; ``--minor`` says
which Python the environment has, where this one is another; ``--fallback`` is a Python with kaa in
it, to show why a kernel cannot start, and to do what is typed in a notebook about packages;
``--connection`` is the connection file, where the command does not have it after ``-f``. kaa
writes this module and those of :mod:`kaa.environments` that it imports into one file outside of its
own installation, and :mod:`kaa.kernels.notebook` beside it (:mod:`kaa.kernels.installed_launcher`).
So the rules there hold here too: standard library, Python 3.7, cheap imports, and each import of
kaa's own in a line.
"""

# Importing pathlib would double the time that this takes.
# ruff: noqa: PTH100, PTH110, PTH112, PTH118, PTH120

from __future__ import annotations

import os
import sys

from kaa.environments.activation import (
    ACTIVATION,
    WINDOWS,
    activated,
    become,
    bin_directories,
    generation_of,
    interpreter,
)
from kaa.kernels.start_code import start_code

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping


TOO_OLD = ("2.7", "3.3", "3.4", "3.5", "3.6")
"""Pythons that cannot read what kaa writes for kernels: these start without ``%kaa``."""


class MissingOverlayError(LookupError):
    """There is no ipykernel to start, neither the environment's own nor one that is lent."""


def site_packages(prefix: str, minor: str) -> str:
    """Return the site-packages directory of a prefix for Python ``minor`` (``3.12``, ``3.13t``)."""
    if WINDOWS:
        return os.path.join(prefix, "Lib", "site-packages")
    return os.path.join(prefix, "lib", "python" + minor, "site-packages")


def overlay_prefix(overlays: str, minor: str) -> str:
    """Return the prefix (a link) of the kernel overlay for Python ``minor``."""
    return os.path.join(overlays, "cp" + minor.replace(".", ""))


def has_ipykernel(directory: str) -> bool:
    """Say whether ipykernel is installed in a site-packages directory, without importing it."""
    return os.path.exists(os.path.join(directory, "ipykernel_launcher.py"))


def kernel_command(
    prefix: str,
    generation: str,
    overlays: str,
    minor: str,
    kaa: str = "",
    folder: str = "",
    function: str = "start",
) -> list[str]:
    """Return the command that starts the kernel, to be followed by the kernel's arguments.

    ``kaa`` is a Python with kaa in it, for what is typed in a notebook about packages; ``folder``
    has what runs in kernels, this file's directory if none is given, and ``function`` is what is
    called in there. Raises MissingOverlayError, with a message for the user, when there is no
    ipykernel to start.
    """
    own = site = site_packages(generation, minor)
    lent = not has_ipykernel(site)
    if lent:
        link = overlay_prefix(overlays, minor)
        site = site_packages(generation_of(link), minor)
        if not has_ipykernel(site):
            raise MissingOverlayError(
                "the environment has no ipykernel, and there is no kernel overlay "
                f"for Python {minor} at {link}; install ipykernel into the environment"
            )
    if minor in TOO_OLD:
        return [interpreter(generation), "-m", "ipykernel_launcher"]
    folder = folder or os.path.dirname(os.path.abspath(__file__))
    code = start_code(function, (prefix, generation, own, site, kaa, folder), lent)
    return [interpreter(generation), "-c", code]


def main(argv: list[str]) -> int:
    """Start the kernel; returns only on failure (and on Windows, with the kernel's exit code)."""
    own, rest = argv[: argv.index("--")], argv[argv.index("--") + 1 :]
    options = dict(zip(own[::2], own[1::2]))  # noqa: B905 (Python 3.10's)
    prefix = options["--prefix"]
    generation = generation_of(prefix)
    root = os.path.dirname(options["--overlays"])
    environ = activated(
        prefix, generation, os.environ, cache=os.path.join(root, "cache", ACTIVATION)
    )
    try:
        if not os.path.isdir(generation):
            raise LookupError("the environment is gone")
        if "--run" in options:
            command = _inside(rest, prefix, generation, environ)
        else:
            minor = options.get("--minor") or _own_minor()
            kaa = options.get("--fallback", "")
            start = kernel_command(prefix, generation, options["--overlays"], minor, kaa)
            command = start + rest
        return become(command, environ)
    except MissingOverlayError as error:
        if "--prepared" not in options and _can_stand_in(options, rest):
            sys.stderr.write(
                f"kaa: preparing the shared kernel for Python {minor}, since {prefix} has no "
                "ipykernel; the first cell waits for it\n"
            )
            return _prepare(own, prefix, minor, rest)
        sys.stderr.write(f"kaa: no kernel for {prefix}: {error}\n")
        return _fall_back(options, prefix, str(error), rest)
    except (LookupError, OSError) as error:
        sys.stderr.write(f"kaa: no kernel for {prefix}: {error}\n")
        return _fall_back(options, prefix, str(error), rest)


def _own_minor() -> str:
    """Return which overlay this Python takes, and which library directory it has.

    ``3.12``, ``3.13t`` for a free-threaded build; ``pypy3.10`` for another implementation, which
    no overlay is made for.
    """
    free_threaded = "t" in getattr(sys, "abiflags", "")
    if sys.implementation.name != "cpython":
        return f"{sys.implementation.name}{sys.version_info[0]}.{sys.version_info[1]}"
    return f"{sys.version_info[0]}.{sys.version_info[1]}" + ("t" if free_threaded else "")


def _inside(
    command: list[str], prefix: str, generation: str, environ: Mapping[str, str]
) -> list[str]:
    """Return a kernel's own command, its program a path: the generation's, where it has it.

    Raises LookupError when there is no such program.
    """
    program = command[0]
    if program.startswith(prefix + os.sep):
        program = generation + program[len(prefix) :]
    elif os.path.dirname(program) == "":
        folders = bin_directories(generation) + environ.get("PATH", os.defpath).split(os.pathsep)
        names = (os.path.join(folder, program) for folder in folders)
        program = next((name for name in names if os.access(name, os.X_OK)), "")
    if not program or not os.access(program, os.X_OK):
        raise LookupError(f"its program {command[0]} is not there")
    return [program] + command[1:]  # noqa: RUF005 (the file is joined for old Pythons, too)


def _can_stand_in(options: Mapping[str, str], arguments: list[str]) -> bool:
    """Say whether another kernel can open in place of this one, in kaa's own Python."""
    there = "-f" in arguments or "--connection" in options
    return os.access(options.get("--fallback", ""), os.X_OK) and there


def _prepare(own: list[str], prefix: str, minor: str, arguments: list[str]) -> int:
    """Open a kernel that has the overlay built, and then starts this launcher once more."""
    python = own[own.index("--fallback") + 1]
    told = ["--prefix", prefix, "--minor", minor]
    connection = arguments[arguments.index("-f") : arguments.index("-f") + 2]
    again = [sys.executable, "-I", "-S", os.path.abspath(sys.argv[0]), *own, "--prepared", "yes"]
    try:
        command = [python, "-m", "kaa.jupyter.preparing", *told, *connection]
        command += ["--", *again, "--", *arguments]
        return become(command, dict(os.environ))
    except OSError:
        return 1


def _fall_back(options: Mapping[str, str], prefix: str, reason: str, arguments: list[str]) -> int:
    """Open a kernel that shows the reason, in the Python that kaa is installed in."""
    if not _can_stand_in(options, arguments):
        return 1
    python = options["--fallback"]
    told = ["--prefix", prefix, "--reason", reason]
    connection = ["-f", options.get("--connection") or arguments[arguments.index("-f") + 1]]
    try:
        command = [python, "-m", "kaa.jupyter.fallback"]
        return become(command + told + connection, dict(os.environ))
    except OSError:
        return 1


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
