"""Run a program in an environment."""

from __future__ import annotations

import os
from dataclasses import dataclass
from typing import TYPE_CHECKING

from kaa.environments.activation import ACTIVATION, activated
from kaa.environments.launch import execute, program_arguments
from kaa.environments.prefix import carried_path, read_manifest
from kaa.model.errors import ProgramNotFoundError
from kaa.workflows.inspect import check_there, find_environment

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from kaa.environments.prefix import Prefix
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
    start = _prepared(layout, name, prefix, arguments)
    try:
        return execute(start.command, start.environ, cwd)
    except ProgramNotFoundError as error:
        before = carried_path(start.prefix, read_manifest(start.generation))
        if before != start.prefix.path:
            error.hint = (
                f"the environment was moved here by hand from {before}, which its programs name: "
                "move it back, or make a copy that works with `kaa clone`"
            )
        raise


def start_program(
    layout: Layout,
    name: str | None,
    prefix: Path | None,
    arguments: Sequence[str],
    *,
    cwd: Path | None = None,
) -> int:
    """Start a program as :func:`run_program` does, in the background; return its process id.

    It reads nothing, outlives the terminal, and what it prints is dropped, so that nobody waits for
    the end of it.
    """
    import subprocess

    start = _prepared(layout, name, prefix, arguments)
    try:
        process = subprocess.Popen(
            start.command,
            env=start.environ,
            cwd=cwd,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            start_new_session=True,
        )
    except OSError as error:
        raise ProgramNotFoundError(
            f"{start.command[0]} cannot be started",
            cause=error.strerror,
            hint="try it without --detach",
        ) from error
    return process.pid


@dataclass(frozen=True, slots=True)
class _Start:
    prefix: Prefix
    generation: Path
    command: list[str]
    environ: dict[str, str]


def _prepared(
    layout: Layout, name: str | None, prefix: Path | None, arguments: Sequence[str]
) -> _Start:
    found = find_environment(layout, name, prefix)
    check_there(found)
    generation = found.current
    cache = os.fspath(layout.metadata / ACTIVATION)
    environ = activated(found.path, generation, os.environ, cache=cache)
    command = program_arguments(list(arguments), found.path, generation, environ)
    return _Start(found, generation, command, environ)
