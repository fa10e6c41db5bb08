"""Ask the channels what they want their users to know."""

from __future__ import annotations

from typing import TYPE_CHECKING

from kaa.model.errors import RequestError
from kaa.sources.notices import Notice, fetch_notices
from kaa.workflows.supply import open_supply

if TYPE_CHECKING:
    from kaa.model.options import SolveOptions
    from kaa.model.progress import Progress
    from kaa.store.layout import Layout


async def notices(
    options: SolveOptions, layout: Layout, progress: Progress
) -> tuple[tuple[Notice, ...], tuple[str, ...]]:
    """Return the notices of the channels, the gravest first, and which could not be asked, and why.

    Raises :class:`RequestError` when the network may not be used, and for channels that make no
    sense.
    """
    async with open_supply(layout, options, progress) as supply:
        if supply.settings.offline:
            raise RequestError(
                "notices are on the network", hint="leave out --offline (or the setting `offline`)"
            )
        return await fetch_notices(supply.chosen, supply.client)
