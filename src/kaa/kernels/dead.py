"""Kernelspecs that cannot start anything any more, wherever Jupyter looks for kernelspecs."""

from __future__ import annotations

import json
import os
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from kaa.kernels.specs import (
    Kernelspec,
    find_aliases,
    find_kernelspecs,
    is_gone,
    kernelspec_directory,
)
from kaa.store.disk import read_file

if TYPE_CHECKING:
    from collections.abc import Iterator


@dataclass(frozen=True, slots=True)
class DeadKernelspec:
    """Another program's kernelspec, and what it needs that is gone: a program or an environment."""

    name: str
    directory: Path
    missing: str


def dead_kernelspecs() -> list[Kernelspec]:
    """Return kaa's kernelspecs whose environment is gone, in order of name."""
    return [
        spec
        for kernels in kernelspec_directories()
        for spec in (*find_kernelspecs(kernels), *find_aliases(kernels))
        if is_gone(spec.prefix)
    ]


def dead_foreign_kernelspecs() -> list[DeadKernelspec]:
    """Return other programs' kernelspecs whose program, or whose environment, is gone.

    Only a program that is named by its path can be known to be gone. An environment is named by
    those that nb_conda_kernels writes.
    """
    found = []
    for kernels in kernelspec_directories():
        marked = (*find_kernelspecs(kernels), *find_aliases(kernels))
        own = {spec.directory for spec in marked}
        for file in sorted(kernels.glob("*/kernel.json")):
            missing = None if file.parent in own else _missing(file)
            if missing is not None:
                found.append(DeadKernelspec(file.parent.name, file.parent, missing))
    return found


def kernelspec_directories() -> list[Path]:
    """Return where Jupyter looks: the user's directory, this Python's, the system's; each once."""
    from jupyter_core.paths import jupyter_path

    found: dict[str, Path] = {}
    for path in (kernelspec_directory(), *map(Path, jupyter_path("kernels"))):
        found.setdefault(os.path.realpath(path), path)
    return list(found.values())


def _missing(file: Path) -> str | None:
    try:
        content = json.loads(read_file(file))
        words = list(content["argv"])
    except (OSError, ValueError, LookupError, TypeError, RecursionError):
        return None
    return next((path for path in _paths(content, words) if is_gone(Path(path))), None)


def _paths(content: dict[str, Any], words: list[Any]) -> Iterator[str]:
    metadata = content.get("metadata")
    environment = metadata.get("conda_env_path") if isinstance(metadata, dict) else None
    for path in (words[0] if words else None, environment):
        if isinstance(path, str) and os.path.isabs(path):  # noqa: PTH117
            yield path
