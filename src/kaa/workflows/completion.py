"""Records that a lock says little of, completed by what their packages say in the package cache.

A list of URLs has no dependencies, and conda-lock.yml neither noarch nor constraints; without them
a later change of the environment would not know what needs what.
"""

from __future__ import annotations

import json
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from kaa.transaction.cached import cached_package
from kaa.workflows.installed import records_of_lock

if TYPE_CHECKING:
    from rattler import RepoDataRecord

    from kaa.solver.request import Solution
    from kaa.store.layout import Layout


def complete(solution: Solution, layout: Layout) -> Solution:
    """Return the solution with the records of packages that are in the cache completed."""
    if not solution.incomplete:
        return solution
    done: dict[str, dict[str, Any]] = {}
    for record in solution.records:
        name = record.name.normalized
        if name in solution.incomplete:
            said = _said(record, layout)
            if said is not None:
                done[name] = said
    found = {record.name.normalized: record for record in records_of_lock(done.values())}
    return replace(
        solution,
        records=tuple(found.get(each.name.normalized, each) for each in solution.records),
        incomplete=solution.incomplete - found.keys(),
    )


def _said(record: RepoDataRecord, layout: Layout) -> dict[str, Any] | None:
    """Return a record as its package has it, where it comes from and its hashes as it was."""
    package = cached_package(layout, record)
    if package is None:
        return None
    try:
        index = json.loads((package / "info" / "index.json").read_bytes())
    except (OSError, ValueError):
        return None  # `verify` is the command that looks for damage
    own = json.loads(record.to_json())
    origin = {"fn": record.file_name, "url": record.url, "channel": record.channel}
    known = {key: own[key] for key in ("name", "version", "build", "md5", "sha256") if own.get(key)}
    try:
        archive = json.loads((package / "info" / "repodata_record.json").read_bytes())
        known |= {key: archive[key] for key in ("md5", "sha256", "size") if archive.get(key)}
    except (OSError, ValueError):
        pass
    return {"subdir": own.get("subdir", "noarch"), **index, **known, **origin}
