"""Take what pip installed by hand into the record: the same version, as a package of the solve.

Only what is the same is taken: each file of the wheel must be there as the wheel has it. What
somebody has edited or built otherwise stays as it is, and so does what is in no index.
"""

from __future__ import annotations

import asyncio
import base64
import csv
import hashlib
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING
from urllib.parse import urlsplit
from urllib.request import url2pathname

from kaa.environments.foreign import direct_url, foreign_package, read_foreign
from kaa.environments.graph import read_graph
from kaa.model.environment import Manifest, now
from kaa.model.errors import PackageNotInstalledError
from kaa.model.graph import Vertex
from kaa.model.package import PYPI, project_name
from kaa.model.plan import Plan
from kaa.network.locations import redact
from kaa.solver.request import Solution
from kaa.transaction.cached import entry_of
from kaa.workflows.bring import bring
from kaa.workflows.change import EnvironmentChange, prepare_install, read_current
from kaa.workflows.link_scripts import LinkScripts
from kaa.workflows.supply import open_supply

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Mapping, Sequence
    from pathlib import Path

    from kaa.environments.foreign import Foreign
    from kaa.model.progress import Progress
    from kaa.store.layout import Layout
    from kaa.workflows.change import ChangeRequest, Current
    from kaa.workflows.supply import Supply

_INSTALLERS_OWN = ("RECORD", "INSTALLER", "REQUESTED", "direct_url.json")
_SHOWN = 3


@dataclass(frozen=True, slots=True)
class _Candidate:
    """A distribution, and the spec for it; ``kept`` is what is asked for from then on."""

    foreign: Foreign
    installer: str
    spec: str = ""
    editable: str = ""
    kept: str = ""
    compared: bool = True
    reason: str = ""
    """Why it stays as it is, where it does."""

    @property
    def stays(self) -> str:
        return f"{self.foreign} (of {self.installer}) stays as it is: {self.reason}"


@asynccontextmanager
async def prepare_packages(
    request: ChangeRequest, layout: Layout, progress: Progress
) -> AsyncIterator[EnvironmentChange]:
    """Solve for what is there and what other programs installed, all in the same version.

    ``request.specs`` are names, none for all. What is compared with what is installed is fetched
    into the package cache, also for a dry run. The change is for
    :func:`~kaa.workflows.change.carry_out_change`. Raises what
    :func:`~kaa.workflows.change.prepare_install` does, and
    :class:`~kaa.model.errors.PackageNotInstalledError`.
    """
    current = read_current(layout, request.name, request.prefix)
    foreign = _chosen(current.generation, request.specs)
    options = replace(request.options, sources=current.sources)
    async with open_supply(layout, options, progress, prefix=current.generation) as supply:
        candidates = [await _candidate(current.generation, each, supply) for each in foreign]
        while True:
            taken = [each for each in candidates if not each.reason]
            if not taken:
                yield _nothing(current, candidates, request, supply)
                return
            async with prepare_install(_request(request, taken), layout, progress) as change:
                await bring(change.solution, layout, change.supply, progress, change.sources)
                reasons = await asyncio.to_thread(_altered, change, taken, layout)
                if not reasons:
                    yield _as_adopted(change, candidates)
                    return
            candidates = [
                replace(each, reason=reasons.get(each.foreign.name, each.reason))
                for each in candidates
            ]


def _chosen(generation: Path, names: Sequence[str]) -> list[Foreign]:
    found = {each.name: each for each in read_foreign(generation)}
    wanted = list(dict.fromkeys(project_name(name) for name in names))
    missing = [name for name in wanted if name not in found]
    if missing:
        raise PackageNotInstalledError(
            f"no other program has installed {', '.join(missing)} into this environment",
            hint="`kaa list` shows who has installed what",
        )
    return [found[name] for name in wanted] if wanted else list(found.values())


async def _candidate(generation: Path, foreign: Foreign, supply: Supply) -> _Candidate:
    candidate = _Candidate(foreign, foreign_package(generation, foreign).source)
    url = direct_url(generation, foreign)
    if url is not None:
        return _of_url(candidate, url)
    if not await _is_in_index(foreign, supply):
        return replace(candidate, reason="no index has this version of it")
    name = f"{PYPI}::{foreign.name}"
    return replace(candidate, spec=f"{name}=={foreign.version}", kept=name)


async def _is_in_index(foreign: Foreign, supply: Supply) -> bool:
    from packaging.version import InvalidVersion, Version

    try:
        version = str(Version(foreign.version))
    except InvalidVersion:
        return False
    releases = await supply.catalog.index.releases(foreign.name)
    return releases is not None and any(each.version == version for each in releases)


def _of_url(candidate: _Candidate, direct: Mapping[str, object]) -> _Candidate:
    """Return what is to be asked for where direct_url.json (PEP 610) says where it is from."""
    url, name = str(direct.get("url") or ""), candidate.foreign.name
    parts = urlsplit(url)
    if parts.scheme == "file" and not _path(url).exists():
        return replace(candidate, reason=f"it is from {redact(url)}, which is not there any more")
    below = direct.get("subdirectory")
    fragment = f"#subdirectory={below}" if below else ""
    repository, directory = direct.get("vcs_info"), direct.get("dir_info")
    if isinstance(repository, dict):
        place = f"{repository.get('vcs', 'git')}+{url}@{repository.get('commit_id', '')}{fragment}"
    elif isinstance(directory, dict) and directory.get("editable"):
        return replace(candidate, editable=str(_path(url)), compared=False)
    else:
        place = f"{url}{fragment}"
    spec = f"{name} @ {place}"
    return replace(candidate, spec=spec, kept=spec, compared=parts.path.endswith(".whl"))


def _path(url: str) -> Path:
    from pathlib import Path

    return Path(url2pathname(urlsplit(url).path))


def _request(request: ChangeRequest, taken: Sequence[_Candidate]) -> ChangeRequest:
    options = replace(
        request.options,
        frozen=True,
        editable=tuple(each.editable for each in taken if each.editable),
    )
    specs = tuple(each.spec for each in taken if each.spec)
    adopted = frozenset(each.foreign.name for each in taken)
    return replace(request, specs=specs, options=options, adopted=adopted)


def _altered(
    change: EnvironmentChange, taken: Sequence[_Candidate], layout: Layout
) -> dict[str, str]:
    """Say of which distributions the index has not what is installed, and why, by name."""
    records = {record.name.normalized: record for record in change.solution.records}
    found = {}
    for each in taken:
        name = change.solution.asked.get(each.spec, each.foreign.name)
        record = records.get(name)
        if each.compared and record is not None:
            package = layout.packages / entry_of(record)
            files = _differing(change.current.generation, each.foreign, package / "site-packages")
            if files:
                more = f" and {len(files) - _SHOWN} more" if len(files) > _SHOWN else ""
                found[each.foreign.name] = (
                    f"it is not what the index has, in {', '.join(files[:_SHOWN])}{more}"
                )
    return found


def _differing(generation: Path, foreign: Foreign, package: Path) -> list[str]:
    """Return the files that a wheel's RECORD has and that are otherwise, or not, installed."""
    site = generation / foreign.metadata.rpartition("/")[0]
    differing = []
    for record in package.glob("*.dist-info/RECORD"):
        for row in csv.reader(record.read_text(encoding="utf-8").splitlines()):
            path, digest = row[0], row[1] if len(row) > 1 else ""
            own = path.startswith(f"{record.parent.name}/") and path.endswith(_INSTALLERS_OWN)
            algorithm, _, expected = digest.partition("=")
            # Programs have another first line wherever they are installed.
            if own or path.startswith("../") or algorithm != "sha256":
                continue
            try:
                content = (site / path).read_bytes()
            except OSError:
                differing.append(path)
                continue
            found = base64.urlsafe_b64encode(hashlib.sha256(content).digest()).decode().rstrip("=")
            if found != expected.rstrip("="):
                differing.append(path)
    return differing


def _as_adopted(change: EnvironmentChange, candidates: Sequence[_Candidate]) -> EnvironmentChange:
    """Return the change with what is asked for from then on, and with the reasons in its plan."""
    taken = {each.spec: each for each in candidates if not each.reason and each.spec}
    needed = _needed(change.current.generation)
    asked, kept = [], []
    for text in change.manifest.specs:
        each = taken.get(text)
        if each is None:
            asked.append(text)
        elif each.foreign.name not in needed:
            asked.append(each.kept)
        else:
            kept.append(text)
    names = {
        change.solution.asked.get(each.spec, each.foreign.name): each for each in taken.values()
    }
    additions = tuple(
        replace(each, why=f"installed by {names[each.package.name].installer}, taken over")
        if each.package.name in names
        else each
        for each in change.plan.additions
    )
    plan = replace(
        change.plan,
        additions=additions,
        asked=tuple(text for text in asked if text not in change.current.specs),
        notes=(*(each.stays for each in candidates if each.reason), *change.plan.notes),
    )
    specs = tuple(spec for spec in change.specs if spec.text not in kept)
    manifest = replace(change.manifest, specs=tuple(asked))
    return replace(change, plan=plan, manifest=manifest, specs=specs)


def _needed(generation: Path) -> set[str]:
    """Return what nobody asked pip for and what another package needs."""
    graph = read_graph(generation, foreign=True)
    return {
        name
        for name, node in graph.nodes.items()
        if not node.asked and graph.needed_by(Vertex(name))
    }


def _nothing(
    current: Current, candidates: Sequence[_Candidate], request: ChangeRequest, supply: Supply
) -> EnvironmentChange:
    name = current.prefix.name
    notes = [each.stays for each in candidates]
    if not notes:
        notes = ["no other program has installed anything into this environment"]
    plan = Plan(
        name,
        current.prefix.path,
        (),
        unchanged=len(current.records),
        generation=current.number,
        notes=tuple(notes),
    )
    manifest = Manifest(name, current.specs, current.sources, request.command, now())
    solution, scripts = Solution((), {}, None, None), LinkScripts(False, (), (), ())
    return EnvironmentChange(plan, current, manifest, (), (), solution, supply, scripts)
