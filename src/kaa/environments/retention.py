"""Which generations of an environment are kept, and which may be cleared away.

Clocks cannot be trusted: they are set back, and forward. A generation is taken to be no older than
those that were made before it, and one that is from the future is new. So a wrong clock keeps
generations for longer, as long as it is right when somebody cleans.
"""

from __future__ import annotations

import itertools
from datetime import datetime, timedelta, timezone
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Sequence

    from kaa.environments.history import Generation
    from kaa.model.cleaning import Keep

_BEGINNING = datetime.min.replace(tzinfo=timezone.utc)


def superfluous(
    history: Sequence[Generation],
    current: int | None,
    keep: Keep,
    now: datetime,
    *,
    switched: datetime | None = None,
    in_use: Collection[int] = (),
) -> list[Generation]:
    """Return the generations that are on the disk and need not be, in order of number.

    ``history`` is in order of number. Kept are the ``current`` one and what it was made from (so
    that undoing takes no time), those that ``keep`` means, those ``in_use`` by running programs,
    and those of which nobody knows what they are. ``switched`` is when the current one became it.
    An environment without a current generation is damaged: all are kept.
    """
    on_disk = [each for each in history if each.on_disk]
    numbers = [each.number for each in on_disk]
    if current not in numbers:
        return []
    needed = {current, *in_use, *_before(on_disk, current)}
    newest = numbers[max(0, len(numbers) - keep.generations) :] if keep.generations > 0 else []
    since = last_used(history, now, switched)
    oldest = now - timedelta(days=keep.days)
    return [
        each
        for each in on_disk
        if each.number not in needed
        and each.number not in newest
        and each.manifest is not None
        and since[each.number] < oldest
    ]


def _before(on_disk: Iterable[Generation], current: int) -> set[int]:
    """Return the generation that the current one was made from, and what an undo can lead to."""
    parents = {
        each.number: each.manifest.parent if each.manifest is not None else None for each in on_disk
    }
    parent = parents[current]
    if parent is not None:
        return {parent}
    return {max((number for number in parents if number < current), default=current)}


def last_used(
    history: Sequence[Generation], now: datetime, switched: datetime | None = None
) -> dict[int, datetime]:
    """Return by number until when each generation was the current one, as far as is known.

    That is when the next one was made, or the last one that was made from it.
    """
    made: dict[int, datetime] = {}
    latest = _BEGINNING
    for each in history:
        latest = max(latest, _created(each) or latest)
        made[each.number] = latest
    until = dict(made)
    for before, after in itertools.pairwise(history):
        until[before.number] = made[after.number]
    for each in history:
        parent = each.manifest.parent if each.manifest is not None else None
        if parent in until:
            until[parent] = max(until[parent], made[each.number])
    if history and switched is not None:
        newest = history[-1].number
        until[newest] = max(until[newest], switched)
    until.update({each.number: now for each in history if _created(each) is None})
    return until


def _created(generation: Generation) -> datetime | None:
    """Return when a generation was made; None if nobody knows."""
    if generation.manifest is None:
        return None
    try:
        found = datetime.fromisoformat(generation.manifest.created)
    except ValueError:
        return None
    return found if found.tzinfo else found.replace(tzinfo=timezone.utc)
