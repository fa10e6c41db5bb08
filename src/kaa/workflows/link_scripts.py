"""Which link scripts a change comes with, whether they may run, and what is said of them."""

from __future__ import annotations

import shlex
from dataclasses import dataclass
from typing import TYPE_CHECKING

from kaa.transaction.cached import cached_package, entry_of
from kaa.transaction.scripts import Kind, Script, find_scripts, run_scripts
from kaa.workflows.difference import same

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from rattler import RepoDataRecord

    from kaa.environments.prefix import Prefix
    from kaa.model.progress import Progress
    from kaa.store.layout import Layout

OPTION = "--allow-link-scripts"


@dataclass(frozen=True, slots=True)
class LinkScripts:
    """The link scripts of one change.

    ``leaving`` are those of packages that go or become others, ``coming`` the packages that may
    have some, and ``planned`` what the package cache knows of theirs before they are fetched.
    """

    allowed: bool
    leaving: tuple[Script, ...]
    coming: tuple[RepoDataRecord, ...]
    planned: tuple[Script, ...]

    def notes(self) -> tuple[str, ...]:
        """Return what the plan says."""
        known = (*self.leaving, *self.planned)
        if not known:
            return ()
        if self.allowed:
            return (f"link scripts are going to run: {_listed(known)}",)
        return (f"link scripts are not going to run without {OPTION}: {_listed(known)}",)

    async def run(
        self,
        records: Sequence[RepoDataRecord],
        staging: Path,
        prefix: Prefix,
        layout: Layout,
        progress: Progress,
    ) -> list[str]:
        """Run those that may run, in the staged generation, and return what to say afterwards.

        ``records`` are all packages of the generation, whose own files and those of nobody are in
        place. Raises what :func:`~kaa.transaction.scripts.run_scripts` does.
        """
        found = _of_cache(self.coming, layout)
        if self.allowed:
            scripts = (*self.leaving, *found)
            if not scripts:
                return []
            return await run_scripts(scripts, records, staging, prefix, layout, progress)
        unsaid = [script for script in found if script not in self.planned]
        if not unsaid:
            return []
        path = shlex.quote(str(prefix.path))
        if prefix.current_number is None:
            again = f"remove the environment (`kaa env remove -p {path}`) and create it again"
        else:
            again = f"undo this (`kaa undo -p {path}`) and repeat it"
        return [f"link scripts have not run: {_listed(unsaid)}; to run them, {again} with {OPTION}"]


def link_scripts(
    allowed: bool,
    before: Sequence[RepoDataRecord],
    after: Sequence[RepoDataRecord],
    old: Path | None,
    layout: Layout,
) -> LinkScripts:
    """Return the scripts of a change from one set of records to another.

    ``old`` is the generation that has ``before``, None where there is none.
    """
    was = {record.name.normalized: record for record in before}
    now = {record.name.normalized: record for record in after}
    stays = {name for name in was.keys() & now.keys() if same(was[name], now[name])}
    coming = tuple(record for record in after if record.name.normalized not in stays)
    leaving: tuple[Script, ...] = ()
    if old is not None:
        gone = [record for record in before if record.name.normalized not in stays]
        leaving = find_scripts(Kind.PRE_UNLINK, gone, lambda _: old)
    return LinkScripts(allowed, leaving, coming, _of_cache(coming, layout))


def _of_cache(records: Sequence[RepoDataRecord], layout: Layout) -> tuple[Script, ...]:
    def package(record: RepoDataRecord) -> Path:
        return cached_package(layout, record) or layout.packages / entry_of(record)

    return find_scripts(Kind.POST_LINK, records, package)


def _listed(scripts: Sequence[Script]) -> str:
    return ", ".join(map(str, scripts))
