"""What a running manager keeps an eye on: the user's settings, and the kernelspecs on disk."""

from __future__ import annotations

import os
import threading
from typing import TYPE_CHECKING

from kaa.kernels.in_step import Steps, Taken, find_steps, take_steps, write_into
from kaa.kernels.offers import KernelOptions, all_offers, listed
from kaa.kernels.options import configured_options
from kaa.kernels.specs import find_kernelspecs
from kaa.model.discovered import Maker
from kaa.model.errors import KaaError
from kaa.settings.search import find_own
from kaa.store.locks import locked

if TYPE_CHECKING:
    from collections.abc import Sequence
    from logging import Logger
    from pathlib import Path

    from kaa.environments.discovery import Discovery
    from kaa.kernels.offers import Offer
    from kaa.store.layout import Layout


class WatchedOptions:
    """The user's settings as they are now; those of before, where they make no sense now."""

    def __init__(self, log: Logger) -> None:
        self._log = log
        self._last = KernelOptions()
        self._complaint: str | None = None
        self._signature: object = None

    def current(self) -> KernelOptions:
        """Return the settings; what is wrong with them is said once. Raises nothing."""
        try:
            signature = _signature()
            if signature != self._signature:
                self._last = configured_options()
                self._signature = signature
            self._complaint = None
        except KaaError as error:
            if str(error) != self._complaint:
                self._complaint = str(error)
                self._log.warning("kaa's settings are those of before: %s", error)
        return self._last


class Keeper:
    """Brings kernelspecs on disk up to date, in a thread of its own, when there is something new.

    What cannot be written is said once. At user level the user's settings decide, as for every
    program; in a directory that this manager is told to write to, its own.
    """

    def __init__(self, layout: Layout, log: Logger) -> None:
        self._layout = layout
        self._log = log
        self._said: set[str] = set()
        self._kept: object = None
        self._lock = threading.Lock()
        self._working = threading.Lock()

    def keep(
        self,
        found: Discovery,
        configured: KernelOptions,
        options: KernelOptions,
        directory: Path | None,
    ) -> None:
        """Begin to bring the disk up to date, unless all is as it was; return at once.

        ``directory`` is where kernelspecs of all environments are wanted, None for nowhere.
        """
        # As programs without a manager see it: none of them runs in this Python.
        usual = all_offers(found.environments, configured)
        own = all_offers(found.environments, options) if directory else ()
        state = (_looks(usual), _looks(own), directory)
        with self._lock:
            if state == self._kept:
                return
            self._kept = state
        # No daemon: what has begun is finished before the process ends.
        work = (usual, own, found.silent, configured, directory)
        threading.Thread(target=self._work, args=work, name="kaa kernelspecs").start()

    def _work(
        self,
        usual: Sequence[Offer],
        own: Sequence[Offer],
        silent: Sequence[str],
        configured: KernelOptions,
        directory: Path | None,
    ) -> None:
        try:
            with self._working:
                steps = find_steps(usual, self._layout, silent)
                taken = Taken()
                if steps != Steps():
                    with locked(self._layout, "environments"):
                        taken = take_steps(steps, self._layout, configured)
                self._tell(taken)
                if directory is not None:
                    self._tell(self._written_into(directory, own, silent))
        except (KaaError, OSError) as error:
            self._warn(f"kernelspecs on disk may be out of date: {error}")
        except Exception:
            self._log.warning("kernelspecs on disk may be out of date", exc_info=True)

    def _written_into(self, directory: Path, own: Sequence[Offer], silent: Sequence[str]) -> Taken:
        specs = {s for s in find_kernelspecs() if s.maker == Maker.KAA.value}
        there = {(str(spec.prefix), spec.native or spec.kernel) for spec in specs}
        wanted = [
            offer
            for offer in listed(own)
            if offer.reason is None
            and (offer.environment.prefix, offer.native or offer.kernel_name) not in there
        ]
        kept = {s.name for s in find_kernelspecs(directory) if _stays(str(s.prefix), silent)}
        return write_into(
            directory, wanted, self._layout, frozenset(kept | {spec.name for spec in specs})
        )

    def _tell(self, taken: Taken) -> None:
        for name in taken.written:
            self._log.debug("kaa wrote the kernelspec %s", name)
        for name in taken.removed:
            self._log.info("kaa removed the kernelspec %s: what it led to is gone", name)
        for name, error in taken.failed:
            self._warn(f"the kernelspec {name} could not be written: {error.cause or error}")

    def _warn(self, message: str) -> None:
        # All that fail for one reason are one thing to say.
        reason = message.partition(": ")[2]
        if reason not in self._said:
            self._said.add(reason)
            self._log.warning("%s", message)


def _signature() -> tuple[tuple[str, int, int, int], ...]:
    """Return what changes when one of the files does, or when there is another one."""
    found = []
    for path in find_own(os.environ):
        try:
            status = path.stat()
        except OSError:
            continue  # gone just now
        found.append((str(path), status.st_ino, status.st_mtime_ns, status.st_size))
    return tuple(found)


def _stays(prefix: str, silent: Sequence[str]) -> bool:
    return any(prefix == place or prefix.startswith(f"{place}/") for place in silent)


def _looks(offered: Sequence[Offer]) -> tuple[tuple[object, ...], ...]:
    """Return all that a kernelspec says of offers, to be compared."""
    return tuple(
        (
            offer.id,
            offer.display_name,
            offer.icon,
            offer.left_out,
            offer.reason,
            offer.environment.prefix,
            offer.kernel and (offer.kernel.argv, offer.kernel.interrupt_mode),
            repr(offer.metadata),
        )
        for offer in offered
    )
