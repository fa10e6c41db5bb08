"""Programs called ``pip``, ``conda``, ``uv``: what a notebook's ``!pip install`` runs.

They are first on PATH for a command that is typed with ``!`` in a kernel, and for nothing else
(:mod:`kaa.kernels.notebook`). Each hands over to kaa's own Python; if that is gone, to the program
that PATH has behind them.
"""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from kaa.environments.activation import PREFIX_VARIABLE
from kaa.kernels.notebook import ENTRY, PYTHON_VARIABLE, TYPED
from kaa.kernels.writing import cannot_write
from kaa.store.disk import replace_file

if TYPE_CHECKING:
    from pathlib import Path

_NAMES = {"kaa": "kaa", "pip3": "pip", **{name: name for name in TYPED}}
_POSIX = """\
#!/bin/sh
# Written by kaa: "!{name}" in a notebook acts on the environment that its kernel runs in.
if [ -n "${prefix}" ] && "${python}" -c "import kaa" 2>/dev/null; then
    exec "${python}" -c '{entry}' {program} "$@"
fi
here=$(dirname "$0")
rest=
IFS=:
for folder in $PATH; do
    [ "$folder" = "$here" ] || rest=$rest${{rest:+:}}$folder
done
unset IFS
PATH=$rest
export PATH
exec {name} "$@"
"""
_WINDOWS = """\
@echo off
rem Written by kaa: "!{name}" in a notebook acts on the environment that its kernel runs in.
"%{python}%" -m kaa.jupyter.typed {program} %*
"""


def write_shims(folder: Path) -> None:
    """Write the programs, where they are not there as they should be.

    Raises KernelError when one cannot be written.
    """
    windows = os.name == "nt"
    for name, program in _NAMES.items():
        text = (_WINDOWS if windows else _POSIX).format(
            name=name, program=program, entry=ENTRY, prefix=PREFIX_VARIABLE, python=PYTHON_VARIABLE
        )
        file = folder / (f"{name}.cmd" if windows else name)
        try:
            if not file.is_file() or file.read_bytes() != text.encode():
                replace_file(file, text.encode(), mode=0o755)
        except OSError as error:
            raise cannot_write(file, error) from error
