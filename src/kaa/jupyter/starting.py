"""A kernelspec's command that is made anew at each start of a kernel.

Whoever starts a kernel adds arguments to its kernelspec's ``argv``, the first time and at each
restart: that is where jupyter_client asks for the command, and the only place. So the list that a
kernelspec of kaa's manager has is the launcher's command, which everybody can read, change, write
down or run, and the sum of it and of arguments is what the launcher would do, done without it.
"""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Any

from kaa.environments.looking import look_in_time
from kaa.kernels.direct import command_now, launched_prefix

if TYPE_CHECKING:
    from collections.abc import Iterable

    from kaa.store.layout import Layout

_PATIENCE = 0.5
"""Seconds that a start waits for the environment's files; then the launcher waits in its place."""


class LauncherCommand(list[str]):
    """The launcher's command; what is made by adding arguments to it is the kernel's own.

    A list, because a kernelspec's ``argv`` has to be one.
    """

    def __init__(self, argv: Iterable[str], layout: Layout) -> None:
        super().__init__(argv)
        self._layout = layout

    def __add__(self, arguments: Any) -> Any:
        """Return the command that starts the kernel as everything is now, with the arguments."""
        return [*(self._now() or self), *arguments]

    def _now(self) -> list[str] | None:
        prefix = launched_prefix(self, self._layout)
        if prefix is None:
            return None
        found: list[list[str] | None] = []

        def look() -> Iterable[Any]:
            found.append(command_now(self, self._layout, os.environ))
            return ()

        # In a thread: a server's event loop must not wait for a file system that is not there.
        look_in_time([(prefix, look)], _PATIENCE)
        return found[0] if found else None


def made_at_each_start(argv: list[str], layout: Layout) -> list[str]:
    """Return a command that leads to the launcher such that a start does without it."""
    return argv if launched_prefix(argv, layout) is None else LauncherCommand(argv, layout)
