"""What is or was installed, as if a solve had answered it: to be linked again as it is."""

from __future__ import annotations

import json
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Any

from kaa.environments.records import read_records, repodata_records
from kaa.model.errors import NoInterpreterError
from kaa.model.package import PYPI, source_of_channel
from kaa.solver.request import Solution
from kaa.sources.installed import installed_file
from kaa.workflows.supply import is_host_python

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from rattler import RepoDataRecord

    from kaa.store.host_python import HostPython
    from kaa.workflows.supply import Supply


async def solution_of(
    records: Sequence[RepoDataRecord], supply: Supply, asked: Mapping[str, str] | None = None
) -> Solution:
    """Return records that go together, since they did, as the answer of a solve.

    ``asked`` maps what was typed to the names of the records that it led to. Raises
    :class:`NoInterpreterError` when they need an interpreter that this machine has no more.
    """
    python = next((record for record in records if record.name.normalized == "python"), None)
    host = None
    if python is not None and is_host_python(python):
        host = await _host_python(python, supply)
    return Solution(
        records=tuple(sorted(records, key=lambda record: record.name.normalized)),
        files={record.url: installed_file(record) for record in records if _is_of_index(record)},
        python=str(python.version) if python is not None else None,
        host_python=host,
        asked=asked or {},
    )


def records_of_lock(lock: Iterable[Mapping[str, Any]]) -> tuple[RepoDataRecord, ...]:
    """Return the records of a generation's lock as the linker wants them.

    Raises :class:`~kaa.model.errors.EnvironmentStateError` for what is no record.
    """
    # rattler reads a record with all its fields from a file of conda-meta only.
    with tempfile.TemporaryDirectory(prefix="kaa-lock-") as directory:
        folder = Path(directory) / "conda-meta"
        folder.mkdir()
        for number, record in enumerate(lock):
            content = json.dumps({**record, "files": []})
            (folder / f"{number}.json").write_text(content, encoding="utf-8")
        return repodata_records(read_records(Path(directory)))


async def _host_python(record: RepoDataRecord, supply: Supply) -> HostPython:
    for python in await supply.catalog.pythons():
        if python.build == str(record.build):
            return python
    raise NoInterpreterError(
        f"Python {record.version}, which the environment was made with, is not there any more",
        cause="it was an interpreter of this machine, and was removed or replaced since",
        hint="install it again, or choose another: `kaa install -n NAME python=3.N`",
    )


def _is_of_index(record: RepoDataRecord) -> bool:
    return source_of_channel(record.channel or "") == PYPI
