"""Ctrl-C and SIGTERM, with an event loop and without."""

from __future__ import annotations

import os
import signal
import sys
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, TypeVar

if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine, Iterator
    from types import FrameType

T = TypeVar("T")


def raise_interrupt(_signal: int, _frame: FrameType | None) -> None:
    """Treat a signal as Ctrl-C."""
    raise KeyboardInterrupt


@contextmanager
def handled_by(handler: Callable[[int, FrameType | None], None]) -> Iterator[None]:
    """Let ``handler`` have SIGINT and SIGTERM, except where the parent process ignores them."""
    before = {
        number: signal.getsignal(number)
        for number in (signal.SIGINT, signal.SIGTERM)
        if signal.getsignal(number) is not signal.SIG_IGN
    }
    for number in before:
        signal.signal(number, handler)
    try:
        yield
    finally:
        for number, previous in before.items():
            signal.signal(number, previous)


def run_cancellable(work: Coroutine[Any, Any, T]) -> T:
    """Run a coroutine in the process's one event loop; the first signal cancels it.

    The second signal ends the process at once, whatever the clean-up is waiting for: that is
    safe, because an environment only ever changes by one rename.

    :raises KeyboardInterrupt: it was cancelled.
    """
    import asyncio
    import warnings

    # A task of rattler's that an interrupt came before is no news to a user.
    warnings.filterwarnings("ignore", message="coroutine .* was never awaited")

    async def supervised() -> T:
        loop = asyncio.get_running_loop()
        task = asyncio.current_task()
        assert task is not None
        signals = 0

        def cancel(_signal: int, _frame: FrameType | None) -> None:
            nonlocal signals
            signals += 1
            if signals > 1:
                _leave_at_once()
            loop.call_soon_threadsafe(task.cancel)

        with handled_by(cancel):
            return await work

    try:
        return asyncio.run(supervised())
    except asyncio.CancelledError:
        raise KeyboardInterrupt from None


def _leave_at_once() -> None:
    if sys.stderr.isatty():
        # A progress display may have hidden the cursor; this is how to show it (DECTCEM).
        os.write(2, b"\x1b[?25h")
    os.write(2, b"interrupted twice; left without cleaning up\n")
    os._exit(130)
