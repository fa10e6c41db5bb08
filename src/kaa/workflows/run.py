"""Run a program in an environment."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from kaa.environments.activation import activated
from kaa.environments.launch import execute, program_arguments
from kaa.model.errors import EnvironmentNotFoundError
from kaa.workflows.inspect import find_environment

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
    generation = found.current
    if not generation.is_dir():
        raise EnvironmentNotFoundError(
            f"the environment {found.name!r} is broken",
            cause=f"its generation {generation} is missing",
            hint=f"remove it (`kaa env remove -p {found.path}`) and create it again",
        )
    environ = activated(found.path, generation, os.environ)
    command = program_arguments(list(arguments), found.path, generation, environ)
    return execute(command, environ, cwd)
