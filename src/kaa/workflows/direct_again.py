"""Packages that came from a URL, a path or a repository, when they have to be brought again."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from kaa.model.errors import InvalidSpecError, StoreError
from kaa.sources.direct import parse_direct
from kaa.sources.identity import built_identity
from kaa.transaction.cached import entry_of, is_cached
from kaa.workflows.asked import Asked, resolve_references

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator, Sequence

    from rattler import RepoDataRecord

    from kaa.solver.request import Solution
    from kaa.sources.direct import DirectReference
    from kaa.sources.direct_distribution import DirectDistribution
    from kaa.store.layout import Layout
    from kaa.workflows.supply import Supply


async def with_direct(
    solution: Solution,
    specs: Sequence[str],
    again: Collection[str],
    layout: Layout,
    supply: Supply,
) -> Solution:
    """Return the solution with what it takes to bring packages that ``specs`` ask for by URL.

    Only those are looked for whose entries the package cache lacks or that are in ``again``. Raises
    the errors of downloads and builds, and :class:`StoreError` for what is something else by now.
    """
    urls = {
        record.url: record
        for record in solution.records
        if record.url in solution.files
        and record.url not in solution.direct
        and (entry_of(record) in again or not is_cached(layout, record))
    }
    if not urls:
        return solution
    references = [
        each
        for each in _that_are_there(specs)
        if any(each.url in url or url in each.url for url in urls)
    ]
    if not references:
        return solution
    _, direct = await resolve_references(Asked((), tuple(references)), supply.catalog)
    by_url = {one.file.url: one for one in direct.values()}
    for url, one in by_url.items():
        record = urls.get(url)
        if record is not None and not _is_same(record, one, solution.python_minor):
            raise StoreError(
                f"{one.name} cannot be brought again as it was",
                cause=f"{one.reference.text} is not what it was when it was installed",
                hint=f"install it as it is now: `kaa install -n NAME {one.reference.text}`",
            )
    files = {**solution.files, **{url: one.file for url, one in by_url.items()}}
    return replace(solution, files=files, direct={**solution.direct, **by_url})


def _that_are_there(specs: Sequence[str]) -> Iterator[DirectReference]:
    """Yield what direct references lead to; one to a file that is gone brings nothing again."""
    for text in specs:
        try:
            reference = parse_direct(text)
        except InvalidSpecError:
            continue
        if reference is not None:
            yield reference


def _is_same(record: RepoDataRecord, one: DirectDistribution, minor: str | None) -> bool:
    """Say whether a record is that of the distribution: of its wheel, or of one built of it."""
    said = record.sha256.hex() if record.sha256 else None
    built = (built_identity(one.identity, python) for python in ("*", f"{minor}.*"))
    return said in (one.identity, *built)
