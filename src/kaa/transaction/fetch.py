"""Everything a plan needs is brought into the package cache, checked, before anything is built."""

from __future__ import annotations

from typing import TYPE_CHECKING

from kaa.store.disk import writing
from kaa.store.host_python import ensure_host_python
from kaa.transaction.cached import is_cached
from kaa.transaction.fetch_conda import conda_jobs
from kaa.transaction.fetch_queue import run_jobs
from kaa.transaction.fetch_wheels import Builds, wheel_jobs

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    import rattler
    from rattler import RepoDataRecord

    from kaa.model.distribution import IndexFile
    from kaa.model.progress import Progress
    from kaa.network.client import Client
    from kaa.sources.metadata import MetadataReader
    from kaa.store.host_python import HostPython
    from kaa.store.layout import Layout

__all__ = ["Builds", "fetch_packages", "is_cached", "provide_host_python"]


async def fetch_packages(
    wheels: Sequence[tuple[RepoDataRecord, IndexFile]],
    conda_records: Sequence[RepoDataRecord],
    layout: Layout,
    client: Client,
    rattler_client: rattler.Client | None,
    metadata: MetadataReader,
    progress: Progress,
    address: Callable[[str], str] = str,
    *,
    builds: Builds | None = None,
) -> None:
    """Bring the wheels and conda packages that the package cache lacks into it, side by side.

    ``rattler_client`` is the one that the channels were read with: it knows tokens, mirrors and
    what else rattler knows; None without conda records. ``address`` gives the URL to ask for a
    conda record's (see :func:`kaa.sources.channels.private_url`). ``builds`` is for what is no
    wheel yet.

    Raises the errors of the network and the store; what was finished by then stays in the cache,
    of the rest nothing does.
    """
    jobs = wheel_jobs(wheels, layout, client, metadata, progress, builds)
    if conda_records:
        assert rattler_client is not None
        jobs += conda_jobs(
            conda_records,
            layout,
            rattler_client,
            progress,
            address,
            offline=client.settings.offline,
        )
    await run_jobs(jobs, progress)


def provide_host_python(layout: Layout, python: HostPython) -> None:
    """Put the package of an interpreter into the package cache, unless it is there."""
    with writing(layout.packages):
        ensure_host_python(layout, python)
