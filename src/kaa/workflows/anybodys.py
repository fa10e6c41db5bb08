"""Environments whoever has made them, virtual ones too, by their name or path."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING

from kaa.environments.discovery import discover
from kaa.environments.names import resolve_prefix
from kaa.environments.prefix import Prefix
from kaa.environments.virtual import is_virtual
from kaa.workflows.inspect import find_environment

if TYPE_CHECKING:
    from kaa.store.layout import Layout


def find_anybodys(layout: Layout, name: str | None, prefix: Path | None) -> Prefix:
    """Return the environment of this name or at this path, whoever has made it.

    A name that kaa has no environment of is looked for among those of other programs. Raises
    :class:`~kaa.model.errors.EnvironmentNotFoundError`.
    """
    found = Prefix(resolve_prefix(layout, name, prefix))
    if name is not None and not os.path.lexists(found.path):
        others = [each for each in discover(layout).environments if name in (each.name, each.label)]
        if len(others) != 1:
            return find_environment(layout, name, None)
        found = Prefix(Path(others[0].prefix))
    if found.current_number is None and is_virtual(found.path):
        return found
    return find_environment(layout, None, found.path)
