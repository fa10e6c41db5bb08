"""The argument that names installed packages, and what a shell completes it with."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import click
from click.shell_completion import CompletionItem

from kaa.cli.options import one_of_or_active

if TYPE_CHECKING:
    from collections.abc import Callable

    from click.decorators import FC


def installed_argument(metavar: str, **options: Any) -> Callable[[FC], FC]:
    """Add the argument of packages that the environment of ``-n`` or ``-p`` has.

    ``metavar`` is how help shows it; ``options`` are those of :func:`click.argument`.
    """
    return click.argument("packages", metavar=metavar, shell_complete=_complete_packages, **options)


def _complete_packages(
    context: click.Context, _parameter: click.Parameter, incomplete: str
) -> list[CompletionItem]:
    from kaa.environments.records import installed_names
    from kaa.settings.directories import this_layout
    from kaa.workflows.inspect import find_environment

    name, prefix = one_of_or_active(context.params.get("name"), context.params.get("prefix"))
    names = installed_names(find_environment(this_layout(), name, prefix).current)
    return [CompletionItem(each) for each in names if each.startswith(incomplete)]
