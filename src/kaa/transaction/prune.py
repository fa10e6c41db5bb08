"""A generation is taken off the disk; what it was is kept, so that it can be made again.

First what is kept is complete, then the generation goes out of sight in one rename, then it is
deleted. A process that is killed in between leaves a generation that is there, as it was, or one
that is cleared away, of which an undo knows all packages; the rest is what anybody may remove.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from kaa.model.errors import EnvironmentStateError
from kaa.store.disk import flush, writing
from kaa.store.run_token import random_text
from kaa.transaction.commit import REMOVED, keep_past, settle

if TYPE_CHECKING:
    from pathlib import Path

    from kaa.environments.history import Generation
    from kaa.environments.prefix import Prefix


def prune_generation(prefix: Prefix, generation: Generation) -> Path:
    """Take a generation out of sight and return where it is now, to be deleted.

    The caller is the environment's only writer. Raises
    :class:`~kaa.model.errors.EnvironmentStateError` for the current generation, and for one of
    which it cannot be read what it had; errors of the disk.
    """
    number = generation.number
    with writing(prefix.path):
        settle(prefix)
        if prefix.current_number in (None, number):
            raise EnvironmentStateError(
                f"generation {number} of {prefix.name} is the current one",
                hint="`kaa undo` or `kaa rollback` go to another one",
            )
        keep_past(generation, prefix.generations)
        flush(prefix.generations)
        doomed = prefix.generations / f"{REMOVED}{number}-{random_text(4)}"
        (prefix.generations / str(number)).replace(doomed)
    return doomed
