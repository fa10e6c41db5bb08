"""Run a program in an environment."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from kaa.environments.activation import ACTIVATION, activated
from kaa.environments.launch import execute, program_arguments
from kaa.environments.prefix import carried_path, read_manifest
from kaa.model.errors import ProgramNotFoundError
from kaa.workflows.inspect import check_there, find_environment

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from kaa.store.layout import Layout


def run_program(
    layout: Layout,
    name: str | None,
    prefix: Path | None,
    arguments: Sequence[str],
    *,
    cwd: Path | None = None,
) -> int:
    """Run a program in an activated environment, in place of this process where that exists.

    On Windows it returns the exit code. The program runs from the current generation, which
    stays as it is while the environment changes. Raises
    :class:`~kaa.model.errors.EnvironmentNotFoundError` and
    :class:`~kaa.model.errors.ProgramNotFoundError`.
    """
    found = find_environment(layout, name, prefix)
    check_there(found)
    generation = found.current
    cache = os.fspath(layout.metadata / ACTIVATION)
    environ = activated(found.path, generation, os.environ, cache=cache)
    command = program_arguments(list(arguments), found.path, generation, environ)
    try:
        return execute(command, environ, cwd)
    except ProgramNotFoundError as error:
        before = carried_path(found, read_manifest(generation))
        if before != found.path:
            error.hint = (
                f"the environment was moved here by hand from {before}, which its programs name: "
                "move it back, or make a copy that works with `kaa clone`"
            )
        raise
