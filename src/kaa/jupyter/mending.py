"""What to type when a kernel cannot start."""

from __future__ import annotations

import os
import shlex
from contextlib import suppress
from pathlib import Path

from kaa.environments.prefix import Prefix
from kaa.jupyter.typed_conda import real_conda
from kaa.jupyter.typed_pip import find_uv_program, real_pip
from kaa.jupyter.typed_place import read_place
from kaa.model.errors import KaaError, RequestError

_OTHER_MACHINE = "interpreter is for"
"""In the reason where an interpreter, and so all that is compiled, is another machine's."""


def how_to_mend(prefix: str, reason: str) -> list[str]:
    """Return command lines, or sentences, that mend what keeps a kernel from starting."""
    quoted = shlex.quote(prefix)
    environment = Prefix(Path(prefix))
    ours = environment.current_number is not None
    if "ipykernel" in reason:
        if ours:
            return [f"kaa install -p {quoted} ipykernel"]
        with suppress(KaaError):
            return [_installing_ipykernel(prefix)]
        return ["install ipykernel with the program that made the environment"]
    if not environment.path.exists():
        others = "or choose another kernel (`kaa kernels list` shows all)"
        return [f"the environment is gone: make it again, {others}"]
    if ours:
        return [f"kaa repair -p {quoted}"]
    if (environment.path / "pyvenv.cfg").is_file():
        with suppress(KaaError):
            return [_with_another_python(prefix, keep=_OTHER_MACHINE not in reason)]
        return [f"make it anew, with a Python that is there: python -m venv --clear {quoted}"]
    return [f"mend it with the program that made it (`kaa verify -p {quoted}` says what is wrong)"]


def _installing_ipykernel(prefix: str) -> str:
    """Return a command of what is here: conda for its environments, their own pip, or uv."""
    place = read_place(prefix)
    if place.conda:
        with suppress(RequestError):
            return real_conda("conda", "install", ["ipykernel"], place, os.environ).text
    return real_pip(["install", "ipykernel"], place, os.environ).text


def _with_another_python(prefix: str, *, keep: bool) -> str:
    """Return the command that gives a virtual environment a Python of the same minor version.

    With ``keep`` its packages stay (``venv`` would fail at the link that leads nowhere); else they
    have to be installed again. Where no such Python is here, uv fetches one.
    """
    # Only here: it takes long to import, and each start of the stand-in comes by.
    from kaa.settings.directories import this_layout
    from kaa.sources.host import find_host_pythons

    minor = ".".join((read_place(prefix).version or "3").split(".")[:2])
    pythons = find_host_pythons(this_layout())
    found = next((str(each.executable) for each in pythons if each.minor == minor), minor)
    how = "--allow-existing" if keep else "--clear"
    return shlex.join([find_uv_program(os.environ), "venv", how, "--python", found, prefix])
