"""A new generation is built beside the others; nobody sees it until it is committed."""

from __future__ import annotations

import shutil
import tempfile
import time
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

from kaa.model.errors import StoreError
from kaa.model.progress import Phase
from kaa.store.disk import disk_error_in, writing
from kaa.store.locks import at_work

if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine, Iterator, Sequence

    from rattler import RepoDataRecord

    from kaa.environments.prefix import Prefix
    from kaa.model.progress import Progress
    from kaa.store.layout import Layout

T = TypeVar("T")

STAGING = ".new-"
_COPIES = "allow-hard-links = false"
"""rattler's configuration for files that may be written into."""
_PATIENCE = 2.0
"""Seconds that the last of the pauses lasts at most, before the rest is left to the next run."""


@contextmanager
def staging_directory(prefix: Prefix, layout: Layout) -> Iterator[Path]:
    """Give an empty directory beside the generations; what is left of it afterwards is removed.

    The caller is the environment's only writer.
    """
    with at_work(layout):  # nobody takes packages out of the cache meanwhile
        with writing(prefix.generations):
            prefix.generations.mkdir(parents=True, exist_ok=True)
            staging = Path(tempfile.mkdtemp(prefix=STAGING, dir=prefix.generations))
            staging.chmod(0o755)  # mkdtemp's is for the owner alone
        try:
            yield staging
        finally:
            _remove_for_good(staging)
            _remove_empty(prefix)


async def link_packages(
    records: Sequence[RepoDataRecord],
    requested: Sequence[str],
    staging: Path,
    prefix: Prefix,
    layout: Layout,
    progress: Progress,
    *,
    apart: bool = False,
    copies: bool = False,
) -> None:
    """Link ``records`` from the package cache into the empty directory ``staging``.

    The files carry the environment's stable path. ``requested`` are the match specs of
    what the user asked for. Every package has to be in the cache. With ``apart`` the directory
    works where it is, and by itself: files carry its own path and share nothing with the cache;
    with ``copies`` the latter alone is so.
    """
    import rattler
    from rattler.exceptions import InstallerError

    from kaa.transaction.linked_from import linked_from

    progress.expect(Phase.LINK, len(records))
    with linked_from(layout, records) as directories:
        installing = rattler.install(
            list(records),
            staging,
            installed_packages=[],
            package_cache=rattler.PackageCache.new_layered(
                list(map(str, directories)), validation_mode=rattler.ValidationMode.skip()
            ),
            execute_link_scripts=False,
            reporter=_Reporter(progress),  # type: ignore[arg-type]  # the protocol, no subclass
            # rattler 0.28 passes these on as they are, so it is the inner object that it wants
            requested_specs=[rattler.MatchSpec(spec)._match_spec for spec in requested],
            alternative_target_prefix=staging if apart else prefix.path,
            config=rattler.Config.from_toml(_COPIES) if apart or copies else None,
        )
        try:
            await to_its_end(installing)
            _let_read(staging)
        except InstallerError as error:
            raise disk_error_in(str(error), prefix.generations) or StoreError(
                "the packages could not be linked",
                cause=str(error),
                hint="`kaa repair --all` looks for damage in the package cache, and mends it",
            ) from error
    progress.finish(Phase.LINK)


def _let_read(staging: Path) -> None:
    """Let everybody read the records, as conda does; rattler writes them for their owner alone."""
    for record in (staging / "conda-meta").glob("*.json"):
        record.chmod(0o644)


async def to_its_end(work: Coroutine[Any, Any, T], stop: Callable[[], None] | None = None) -> T:
    """Await ``work``; when cancelled, wait for its end before the cancellation goes on.

    Threads (rattler's, too) do not stop when their future is cancelled: they would write on into
    the staging directory while it is being removed. ``stop`` is called to tell them.
    """
    import asyncio

    task = asyncio.ensure_future(work)
    try:
        return await asyncio.shield(task)
    except asyncio.CancelledError:
        if stop is not None:
            stop()
        await asyncio.wait([task])
        if not task.cancelled():
            task.exception()  # whatever it was, the cancellation is what matters now
        raise


def _remove_for_good(staging: Path) -> None:
    """Remove what is left, until it stays away.

    When one package cannot be linked, rattler's threads go on with the others for a moment, and
    would make again what was removed under their hands.
    """
    pause = 0.02
    while staging.exists() and pause < _PATIENCE:
        shutil.rmtree(staging, ignore_errors=True)
        time.sleep(pause)
        pause *= 2


def _remove_empty(prefix: Prefix) -> None:
    for directory in (prefix.generations, prefix.generations.parent):
        try:
            directory.rmdir()
        except OSError:
            return  # something is in it


class _Reporter:
    """rattler's installer says how far it is (``rattler.install.InstallerReporter``)."""

    def __init__(self, progress: Progress) -> None:
        self._progress = progress

    def on_link_start(self, operation: int, package_name: str) -> int:
        self._progress.advance(Phase.LINK, 0, package_name)
        return operation

    def on_link_complete(self, index: int) -> None:
        self._progress.advance(Phase.LINK, 1)

    def __getattr__(self, name: str) -> object:
        return _nothing  # the other callbacks of the protocol


def _nothing(*_arguments: object, **_named: object) -> int:
    return 0
