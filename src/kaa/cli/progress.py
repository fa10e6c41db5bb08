"""How far the work is: one display on a terminal, one line per finished phase elsewhere."""

from __future__ import annotations

import sys
import time
from dataclasses import dataclass, field
from threading import Lock
from typing import TYPE_CHECKING

from kaa.cli.text import printable
from kaa.model.progress import Phase, Silent

if TYPE_CHECKING:
    from contextlib import AbstractContextManager
    from types import TracebackType

    from rich.console import RenderableType
    from rich.live import Live

    from kaa.cli.invocation import Invocation
    from kaa.model.progress import Progress

_FRAMES_PER_SECOND = 8


@dataclass(slots=True)
class _Tally:
    total: int = 0
    done: int = 0
    item: str = ""
    began: float = field(default_factory=time.monotonic)


class Display:
    """A :class:`kaa.model.progress.Progress` on standard error.

    Counting and drawing are apart: :meth:`advance` may come from any thread, a hundred thousand
    times, and costs an addition; what is drawn is read from the counts, eight times a second.
    A phase that is expected again after it was finished begins again.
    """

    def __init__(self, *, live: bool, lines: bool, times: bool) -> None:
        self._draws = live
        self._lines = lines
        self._times = times
        self._phases: dict[Phase, _Tally] = {}
        self._lock = Lock()
        self._live: Live | None = None

    def __enter__(self) -> Display:
        """Begin; nothing is drawn before the first phase is expected."""
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        """Take the display away, whatever has happened."""
        if self._live is not None:
            self._live.stop()
            self._live = None

    def expect(self, phase: Phase, amount: int) -> None:
        """Add to a phase's total, and show the phase."""
        with self._lock:
            self._phases.setdefault(phase, _Tally()).total += amount
        if self._draws and self._live is None:
            self._live = self._start()

    def advance(self, phase: Phase, amount: int, item: str | None = None) -> None:
        """Add to what is done."""
        with self._lock:
            tally = self._phases.setdefault(phase, _Tally())
            tally.done += amount
            if item is not None:
                tally.item = item

    def finish(self, phase: Phase) -> None:
        """Take the phase off the display, or write its line."""
        with self._lock:
            tally = self._phases.pop(phase, None)
        if tally is None or not self._lines:
            return
        took = f" ({time.monotonic() - tally.began:.1f} s)" if self._times else ""
        sys.stderr.write(f"{phase.value}: {_amount(phase, tally.done)}{took}\n")
        sys.stderr.flush()

    def _start(self) -> Live:
        from rich.console import Console
        from rich.live import Live

        live = Live(
            get_renderable=self._picture,
            console=Console(stderr=True, highlight=False),
            refresh_per_second=_FRAMES_PER_SECOND,
            transient=True,
            redirect_stdout=False,
        )
        live.start()
        return live

    def _picture(self) -> RenderableType:
        from rich.progress_bar import ProgressBar
        from rich.table import Table
        from rich.text import Text

        with self._lock:
            rows = [(p, t.done, t.total, t.item) for p, t in self._phases.items()]
        grid = Table.grid(padding=(0, 2, 0, 0), expand=True)
        for width in (8, 24, 20):
            grid.add_column(no_wrap=True, width=width)
        # Only the name of what is being worked on gives way on a narrow terminal.
        grid.add_column(no_wrap=True, overflow="ellipsis", ratio=1)
        for phase, done, total, item in rows:
            share = f"{_amount(phase, done)} of {_amount(phase, total)}"
            bar = ProgressBar(total=max(total, 1), completed=done, width=24)
            grid.add_row(Text(phase.value), bar, Text(share), Text(printable(item), style="dim"))
        return grid


class _NoDisplay(Silent):
    """Shows nothing, as a context."""

    def __enter__(self) -> Progress:
        return self

    def __exit__(self, *_: object) -> None:
        return None


def display(invocation: Invocation) -> AbstractContextManager[Progress]:
    """Return the progress display that the invocation and standard error ask for."""
    if not invocation.speaks:
        return _NoDisplay()
    live = sys.stderr.isatty()
    verbose = invocation.verbosity > 0
    return Display(live=live, lines=verbose or not live, times=verbose)


def _amount(phase: Phase, number: int) -> str:
    if phase is not Phase.DOWNLOAD:
        return str(number)
    from rich.filesize import decimal

    return decimal(number)
