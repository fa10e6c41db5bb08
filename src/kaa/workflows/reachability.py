"""Work on channels that ends when one of them does not answer at all."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any, TypeVar

from kaa.sources.rattler_client import check_reachable

if TYPE_CHECKING:
    from collections.abc import Coroutine, Sequence

    from kaa.model.source import Source
    from kaa.workflows.supply import Supply

T = TypeVar("T")


async def while_reachable(
    work: Coroutine[Any, Any, T], channels: Sequence[Source], supply: Supply
) -> T:
    """Return the answer of ``work``, given up when a channel is found to be out of reach.

    rattler's gateway waits for 30 seconds for a host that is silent, and for ever for one that
    accepts a connection and then says nothing.

    Raises :class:`~kaa.model.errors.SourceUnreachableError`.
    """
    task = asyncio.ensure_future(work)
    probing = asyncio.ensure_future(
        check_reachable(channels, supply.configuration, supply.settings)
    )
    try:
        await asyncio.wait([task, probing], return_when=asyncio.FIRST_COMPLETED)
        if not task.done():
            await probing  # raises, if it is for that that it is over
        return await task
    finally:
        for each in (task, probing):
            each.cancel()
        await asyncio.gather(task, probing, return_exceptions=True)
