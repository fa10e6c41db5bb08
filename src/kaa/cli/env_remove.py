"""``kaa env remove``."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from kaa.cli.options import (
    changing_options,
    environment_options,
    one_of,
)
from kaa.model.errors import AbortedError

if TYPE_CHECKING:
    from pathlib import Path

    from kaa.cli.invocation import Invocation
    from kaa.model.environment import EnvironmentInfo


@click.command(short_help="Remove an environment and its kernel.")
@environment_options
@changing_options
def remove(invocation: Invocation, name: str | None, prefix: Path | None) -> None:
    """Remove an environment: its files, its generations and its Jupyter kernel."""
    remove_whole(invocation, *one_of(name, prefix))


def remove_whole(invocation: Invocation, name: str | None, prefix: Path | None) -> None:
    """Show what goes with an environment, ask, remove it, and answer."""
    from kaa.cli.question import confirm, require_answer
    from kaa.cli.text import write_json, write_line

    require_answer(invocation)

    from kaa.settings.directories import this_layout
    from kaa.workflows.inspect import environment_info

    layout = this_layout()
    environment = environment_info(layout, name, prefix)
    plan = removal_plan(environment)
    if invocation.speaks:
        for line in removal_text(plan):
            write_line(line)
    if not invocation.dry_run:
        confirm(invocation, f"Remove {environment.name} at {environment.prefix}")
        _remove(environment, invocation.command)
    if invocation.json:
        answer = {"plan": plan, "environment": environment.as_dict()}
        write_json({"success": True, "dry_run": invocation.dry_run, **answer})
    elif invocation.speaks:
        done = f"Removed {environment.name}."
        write_line("Dry run: nothing was changed." if invocation.dry_run else done)


def removal_plan(environment: EnvironmentInfo) -> dict[str, object]:
    """Return what is going to be removed, in the fields that ``--json`` prints."""
    from kaa.environments.prefix import Prefix
    from kaa.environments.processes import users_of
    from kaa.kernels.specs import find_kernelspecs

    return {
        "name": environment.name,
        "prefix": str(environment.prefix),
        "packages": environment.packages,
        "generation": environment.generation,
        "kernels": [
            {"name": spec.name, "display_name": spec.display_name}
            for spec in find_kernelspecs()
            if spec.prefix == environment.prefix
        ],
        "processes": [each.as_dict() for each in users_of(Prefix(environment.prefix))],
    }


def removal_text(plan: dict[str, object]) -> list[str]:
    """Return the lines that say what is going to be removed."""
    from kaa.cli.text import aligned, printable

    kernels = plan["kernels"]
    assert isinstance(kernels, list)
    names = ", ".join(f"{kernel['name']} ({kernel['display_name']})" for kernel in kernels)
    generation = plan["generation"]
    rows = [
        ("Environment", str(plan["name"])),
        ("Prefix", str(plan["prefix"])),
        ("Packages", str(plan["packages"])),
        ("Generations", "all" if generation is None else f"all, up to {generation}"),
        ("Kernel", names or "none"),
    ]
    processes = plan["processes"]
    assert isinstance(processes, list)
    # Shells have nothing to lose: they do not need the files of what is active in them.
    rows += [
        (f"Running {each['kind']}", f"{each['pid']} {each['command']} (its files go, too)")
        for each in processes
        if each["kind"] != "shell"
    ]
    return ["To be removed:", *(printable("  " + line) for line in aligned(rows))]


def _remove(environment: EnvironmentInfo, command: str) -> None:
    from kaa.settings.directories import this_layout
    from kaa.workflows.remove import remove_environment

    try:
        remove_environment(this_layout(), None, environment.prefix, command)
    except KeyboardInterrupt:
        if environment.prefix.is_symlink():  # it was being waited for
            raise AbortedError("interrupted; nothing was changed") from None
        raise AbortedError(
            "interrupted while the environment was being removed",
            hint="run the same command again to remove the rest, if there is any",
        ) from None
