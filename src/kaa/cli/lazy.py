"""A group whose commands are imported when they are run, not when they are listed."""

from __future__ import annotations

from dataclasses import dataclass
from importlib import import_module

import click

from kaa.model.errors import RequestError


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

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        """Find the command that ``args`` begin with.

        :raises RequestError: there is none; click's own near names know only loaded commands.
        """
        name = args[0]
        if name in self.entries or name.startswith("-") or ctx.resilient_parsing:
            return super().resolve_command(ctx, args)
        near = self._near(name)
        found = " or ".join(f"'{ctx.command_path} {other}'" for other in near)
        raise RequestError(
            f"no such command '{name}'",
            hint=f"did you mean {found}?" if found else f"'{ctx.command_path} --help' lists them",
        )

    def _near(self, name: str) -> list[str]:
        """Return commands of nearly this name; ``env remove`` for ``remove``, if need be."""
        from difflib import get_close_matches

        groups = {group: self.get_command(click.Context(self), group) for group in self.entries}
        below = {
            f"{name_of_group} {other}": other
            for name_of_group, group in groups.items()
            if isinstance(group, LazyGroup)
            for other in group.entries
        }
        # Exactly this name in a group is nearer than a command that only looks like it.
        exact = [full for full, other in below.items() if other == name]
        if exact or (near := get_close_matches(name, self.entries)):
            return exact or near
        matches = get_close_matches(name, below.values(), cutoff=0.8)
        return [full for full, other in below.items() if other in matches]

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """Write the table's lines, without importing what they are about."""
        with formatter.section("Commands"):
            formatter.write_dl([(name, entry.summary) for name, entry in self.entries.items()])


def lazy_group(name: str, entries: dict[str, Entry], summary: str) -> LazyGroup:
    """Return the group ``name`` over a table of commands; ``summary`` is its help text."""
    group = LazyGroup(name, help=summary)
    group.entries = entries
    return group
