"""Many small looks at file systems, some of which may never answer.

One thread takes them all as long as it gets on: threads that take turns at Python's one lock are
slower than one. Where it waits for a file system, others join it. A look that hangs keeps its
thread for as long as it does, and nobody begins the same look again meanwhile, so that threads do
not pile up; they are daemons, which keep no process from ending.
"""

from __future__ import annotations

import os
import threading
import time
from collections import deque
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    Look = tuple[str, Callable[[], "Iterable[Look]"]]

_STEP = 0.02
"""Seconds after which another thread joins, where few looks were done in them."""
_FEW = 20
_MOST = 8
"""Threads at work for one call."""
_LONGEST = 30.0
"""Seconds after which it is enough, whatever is still being answered."""
_MOST_HANGING = 32
"""Threads that hang, of all calls, beyond which nothing beside what hangs is looked at."""

_hanging: set[str] = set()
"""What the threads of earlier calls still wait for."""


def look_in_time(looks: Iterable[Look], patience: float) -> list[str]:
    """Take all looks, and those that they lead to, until none is answered for ``patience`` seconds.

    A look is what it is at, a path in most cases, and a function that returns more looks; what it
    finds out is for it to keep. An ``OSError`` means that what it was at is gone. Returns what was
    not answered in time: it hangs, or it has not been begun for the sake of the rest. A machine
    that is merely slow, or stands still for a while, is waited for (:data:`_LONGEST`).
    """
    shift = _Shift(looks)
    begun = before = time.monotonic()
    shift.join()
    done_before, silent = 0, 0.0
    step = min(_STEP, patience)
    while not shift.over.wait(step):
        now, done = time.monotonic(), shift.done
        # Where this thread had to wait for its turn, those that look had to wait for theirs.
        silent = 0.0 if done > done_before else silent + min(now - before, 2 * step)
        before = now
        if silent >= patience or now - begun >= _LONGEST:
            break
        if done - done_before < _FEW and shift.hands < _MOST:
            if done == done_before:
                shift.put_off()
            shift.join()
        done_before = done
    return shift.close()


class _Shift:
    """One call's looks and the threads that are at them."""

    def __init__(self, looks: Iterable[Look]) -> None:
        self.over = threading.Event()
        self.done = 0
        self.hands = 0
        self._waiting = deque(looks)
        self._at_work: dict[object, str] = {}
        self._left: list[str] = []
        self._closed = False
        self._lock = threading.Lock()

    def join(self) -> None:
        self.hands += 1
        threading.Thread(target=self._labour, daemon=True, name="kaa looks").start()

    def put_off(self) -> None:
        """Let what lies beside a look that takes long come last: it may hang as well."""
        with self._lock:
            slow = {os.path.dirname(path) for path in self._at_work.values()}  # noqa: PTH120
            last = [look for look in self._waiting if os.path.dirname(look[0]) in slow]  # noqa: PTH120
            first = [look for look in self._waiting if os.path.dirname(look[0]) not in slow]  # noqa: PTH120
            self._waiting = deque([*first, *last])

    def close(self) -> list[str]:
        """Begin nothing more; return what is not done."""
        with self._lock:
            self._closed = True
            hanging = list(self._at_work.values())
            _hanging.update(hanging)
            return [*self._left, *hanging, *(path for path, _ in self._waiting)]

    def _labour(self) -> None:
        mine = object()
        while (look := self._next(mine)) is not None:
            path, work = look
            more: Iterable[Look] = ()
            try:
                more = list(work())
            except OSError:
                pass  # gone while it was looked at
            finally:
                self._finish(mine, path, more)

    def _next(self, mine: object) -> Look | None:
        with self._lock:
            while self._waiting and not self._closed:
                look = self._waiting.popleft()
                if _is_out_of_reach(look[0]):
                    self._left.append(look[0])
                    continue
                self._at_work[mine] = look[0]
                return look
            if not self._at_work:
                self.over.set()
            return None

    def _finish(self, mine: object, path: str, more: Iterable[Look]) -> None:
        with self._lock:
            del self._at_work[mine]
            _hanging.discard(path)
            self._waiting.extend(more)
            self.done += 1


def _is_out_of_reach(path: str) -> bool:
    if not _hanging:
        return False
    if path in _hanging:
        return True
    if len(_hanging) < _MOST_HANGING:
        return False
    beside = os.path.dirname(path)  # noqa: PTH120
    return any(os.path.dirname(each) == beside for each in _hanging.copy())  # noqa: PTH120
