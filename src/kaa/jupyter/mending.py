"""What to type when a kernel cannot start."""

from __future__ import annotations

import shlex
from pathlib import Path

from kaa.environments.prefix import Prefix


def how_to_mend(prefix: str, reason: str) -> list[str]:
    """Return command lines, or sentences, that mend what keeps a kernel from starting."""
    quoted = shlex.quote(prefix)
    environment = Prefix(Path(prefix))
    ours = environment.current_number is not None
    if "ipykernel" in reason:
        if ours:
            return [f"kaa install -p {quoted} ipykernel"]
        python = shlex.quote(str(Path(prefix, "bin", "python")))
        return [f"{python} -m pip install ipykernel"]
    if not environment.path.exists():
        return ["choose another kernel: the environment is gone (`kaa kernels list` shows all)"]
    if ours:
        return [f"kaa repair -p {quoted}"]
    if (environment.path / "pyvenv.cfg").is_file():
        return [f"make the environment anew, with a Python that is there: python -m venv {quoted}"]
    return [f"mend it with the program that made it (`kaa verify -p {quoted}` says what is wrong)"]
