"""What to type when a kernel cannot start."""

from __future__ import annotations

import os
import shlex
from contextlib import suppress
from pathlib import Path

from kaa.environments.prefix import Prefix
from kaa.jupyter.typed_conda import real_conda
from kaa.jupyter.typed_pip import real_pip
from kaa.jupyter.typed_place import read_place
from kaa.model.errors import KaaError, RequestError


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
        return ["choose another kernel: the environment is gone (`kaa kernels list` shows all)"]
    if ours:
        return [f"kaa repair -p {quoted}"]
    if (environment.path / "pyvenv.cfg").is_file():
        return [f"make the environment anew, with a Python that is there: python -m venv {quoted}"]
    return [f"mend it with the program that made it (`kaa verify -p {quoted}` says what is wrong)"]


def _installing_ipykernel(prefix: str) -> str:
    """Return a command of what is here: conda for its environments, their own pip, or uv."""
    place = read_place(prefix)
    if place.conda:
        with suppress(RequestError):
            return real_conda("conda", "install", ["ipykernel"], place, os.environ).text
    return real_pip(["install", "ipykernel"], place, os.environ).text
