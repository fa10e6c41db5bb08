"""A group whose commands are imported when they are run, not when they are listed."""

from __future__ import annotations

from dataclasses import dataclass
from importlib import import_module

import click


@dataclass(frozen=True, slots=True)
class Entry:
    """Where a command is (``module:attribute``) and the one line that ``--help`` says of it."""

    target: str
    summary: str


class LazyGroup(click.Group):
    """A click group over a table of :class:`Entry`.

    click's extension point is the subclass; the table makes that ``kaa --help`` imports no
    command at all.
    """

    entries: dict[str, Entry]

    def list_commands(self, ctx: click.Context) -> list[str]:
        """Return the names in the table's order, which is the order of first use."""
        return list(self.entries)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """Import a command by its name; None when the table has no such name."""
        entry = self.entries.get(cmd_name)
        if entry is None:
            return None
        module, _, attribute = entry.target.partition(":")
        command = getattr(import_module(module), attribute)
        assert isinstance(command, click.Command)
        return command

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """Write the table's lines, without importing what they are about."""
        with formatter.section("Commands"):
            formatter.write_dl([(name, entry.summary) for name, entry in self.entries.items()])


def lazy_group(name: str, entries: dict[str, Entry], summary: str) -> LazyGroup:
    """Return the group ``name`` over a table of commands; ``summary`` is its help text."""
    group = LazyGroup(name, help=summary)
    group.entries = entries
    return group
