"""The argument that names shells."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import click
from click.shell_completion import CompletionItem

from kaa.model.errors import RequestError

if TYPE_CHECKING:
    from collections.abc import Callable

    from click.decorators import FC


def shell_argument(name: str, **options: Any) -> Callable[[FC], FC]:
    """Add an argument for one shell or, with ``nargs=-1``, several, called as kaa calls them."""
    metavar = "[SHELL]..." if options.get("nargs") == -1 else "[SHELL]"
    return click.argument(
        name, metavar=metavar, callback=_read, shell_complete=_complete, **options
    )


def _read(_context: click.Context, _parameter: click.Parameter, value: Any) -> Any:
    return (
        tuple(map(known_shell, value)) if isinstance(value, tuple) else value and known_shell(value)
    )


def known_shell(text: str) -> str:
    """Return what kaa calls a shell. Raises RequestError for one that it does not know."""
    from kaa.shells.dialects import ALIASES, DIALECTS

    name = ALIASES.get(text, text)
    if name not in DIALECTS:
        raise RequestError(
            f"kaa does not know the shell {text!r}", hint=f"it knows {', '.join(DIALECTS)}"
        )
    return name


def _complete(
    _context: click.Context, _parameter: click.Parameter, incomplete: str
) -> list[CompletionItem]:
    from kaa.shells.dialects import DIALECTS

    return [CompletionItem(name) for name in DIALECTS if name.startswith(incomplete)]
