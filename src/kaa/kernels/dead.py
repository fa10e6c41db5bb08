"""Kernelspecs at user level that cannot start anything any more."""

from __future__ import annotations

import json
import os
from pathlib import Path

from kaa.kernels.specs import Kernelspec, find_kernelspecs, is_gone, kernelspec_directory


def dead_kernelspecs() -> list[Kernelspec]:
    """Return kaa's kernelspecs whose environment is gone, in order of name."""
    return [spec for spec in find_kernelspecs() if is_gone(spec.prefix)]


def dead_foreign_kernelspecs() -> list[tuple[Path, str]]:
    """Return other programs' kernelspecs whose program is gone: their directory, the program.

    Only a program that is named by its path can be known to be gone.
    """
    own = {spec.directory for spec in find_kernelspecs()}
    found = []
    for file in sorted(kernelspec_directory().glob("*/kernel.json")):
        if file.parent in own:
            continue
        try:
            program = json.loads(file.read_text(encoding="utf-8"))["argv"][0]
        except (OSError, ValueError, LookupError, TypeError):
            continue
        if isinstance(program, str) and os.path.isabs(program) and is_gone(Path(program)):  # noqa: PTH117
            found.append((file.parent, program))
    return found
