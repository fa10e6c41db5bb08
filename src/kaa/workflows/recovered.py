"""What an environment consists of, found out although some of it is damaged.

In this order: the records that are as they were written; the lock that the generation keeps
(:mod:`kaa.environments.history`); the record or the lock of another generation that had the very
same package.
"""

from __future__ import annotations

import shlex
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from kaa.environments.history import LOCK, read_history
from kaa.environments.prefix import read_manifest
from kaa.environments.sealed import SEAL
from kaa.model.environment import Manifest
from kaa.model.errors import EnvironmentNotFoundError, EnvironmentStateError
from kaa.model.verification import Kind
from kaa.store.seal import broken_seal
from kaa.workflows.installed import records_of_lock

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping
    from pathlib import Path

    from rattler import RepoDataRecord

    from kaa.environments.history import Generation
    from kaa.environments.prefix import Prefix
    from kaa.model.verification import Finding


@dataclass(frozen=True, slots=True)
class Recovered:
    """What a generation is to be again.

    ``records`` are those of all its packages, ``requested`` the match specs of what was asked
    for; ``rebuilt`` are the names of packages whose records were not to be had from ``conda-meta``;
    ``number`` and ``path`` are the generation's that it was found out from, ``path`` None when
    nothing but its lock is left.
    """

    records: tuple[RepoDataRecord, ...]
    requested: tuple[str, ...]
    manifest: Manifest
    rebuilt: tuple[str, ...]
    number: int
    path: Path | None


def recover_current(prefix: Prefix, findings: Iterable[Finding]) -> Recovered:
    """Return what the current generation is to be again.

    ``findings`` are what is wrong with it. Where the generation is missing, the newest one that is
    left is returned. Raises :class:`EnvironmentStateError` for a record that nothing is known of.
    """
    number = prefix.current_number
    assert number is not None  # the caller has seen to it that it is one of kaa's
    history = {each.number: each for each in read_history(prefix)}
    findings = tuple(findings)
    if any(each.kind is Kind.GENERATION for each in findings):
        return _newest(prefix, history, but=number)
    damaged = {each.path.rpartition("/")[2] for each in findings if each.kind is Kind.RECORD}
    twice = {each.package for each in findings if each.kind is Kind.DUPLICATE and not each.foreign}
    generation = prefix.current
    lock = _lock_of(generation)
    heads = _readable(generation, damaged)
    known = {_file_name(head): head for head in heads}
    found = {name: head for name, head in known.items() if head["name"] not in twice}
    wanted: dict[str, dict[str, Any] | None]
    if lock is not None:
        wanted = {_file_name(head): head for head in lock}
    else:
        wanted = {name: known.get(name) for name in damaged}
        wanted |= _latest(generation, [head for head in heads if head["name"] in twice])
    for name, head in wanted.items():
        if name not in found:
            found[name] = known.get(name) or head or _elsewhere(name, history, number)
    rebuilt = sorted(str(head["name"]) for name, head in found.items() if name not in known)
    manifest = read_manifest(generation) or _manifest_of(prefix, history, number, found.values())
    return _recovered(found.values(), manifest, tuple(rebuilt), number, generation)


def _newest(prefix: Prefix, history: Mapping[int, Generation], but: int) -> Recovered:
    left = [each for each in history.values() if each.number != but and each.manifest]
    left.sort(key=lambda each: (each.on_disk, each.number))
    if not left:
        raise EnvironmentNotFoundError(
            f"nothing is left of {prefix.name}",
            cause=f"its generation {but} is missing, and there is no other",
            hint=f"remove it (`kaa env remove -p {shlex.quote(str(prefix.path))}`) "
            "and create it again",
        )
    chosen = left[-1]
    assert chosen.manifest is not None
    path = chosen.path if chosen.on_disk else None
    return _recovered(chosen.records(), chosen.manifest, (), chosen.number, path)


def _recovered(
    heads: Iterable[Mapping[str, Any]],
    manifest: Manifest,
    rebuilt: tuple[str, ...],
    number: int,
    path: Path | None,
) -> Recovered:
    heads = list(heads)
    requested = tuple(spec for head in heads for spec in head.get("requested_specs") or ())
    return Recovered(records_of_lock(heads), requested, manifest, rebuilt, number, path)


def _readable(generation: Path, damaged: set[str]) -> list[dict[str, Any]]:
    """Return the records that can be read and are as they were written, without their files."""
    import json

    heads = []
    for path in sorted((generation / "conda-meta").glob("*.json")):
        if path.name not in damaged:
            head = json.loads(path.read_bytes())  # what cannot be read is among the damaged
            heads.append({**head, "file": path.name})
    return heads


def _lock_of(generation: Path) -> list[dict[str, Any]] | None:
    """Return the generation's own lock, None where it is missing or not what was written."""
    import json

    if any(name in (LOCK.as_posix(), SEAL) for name, _ in broken_seal(generation, SEAL)):
        return None
    try:
        lock = json.loads((generation / LOCK).read_bytes())
        return [head for head in lock if _file_name(head)]
    except (OSError, ValueError, LookupError, TypeError):
        return None


def _file_name(head: Mapping[str, Any]) -> str:
    said = head.get("file")
    return str(said) if said else f"{head['name']}-{head['version']}-{head['build']}.json"


def _latest(generation: Path, heads: list[dict[str, Any]]) -> dict[str, dict[str, Any] | None]:
    """Return, of several records of a package, the one that was written last."""
    folder = generation / "conda-meta"
    heads.sort(key=lambda head: (folder / head["file"]).stat().st_mtime)
    latest = {head["name"]: head for head in heads}
    return {head["file"]: head for head in latest.values()}


def _elsewhere(name: str, history: Mapping[int, Generation], but: int) -> dict[str, Any]:
    """Return a package's record as another generation has it."""
    for each in sorted(history.values(), key=lambda one: -one.number):
        if each.number == but:
            continue
        try:
            for head in each.records():
                if _file_name(head) == name:
                    return head
        except EnvironmentStateError:
            continue
    raise EnvironmentStateError(
        f"the record {name} cannot be rebuilt",
        cause="no lock and no other generation has this package",
        hint="create the environment anew; `kaa info` shows what was asked for",
    )


def _manifest_of(
    prefix: Prefix,
    history: Mapping[int, Generation],
    number: int,
    heads: Iterable[Mapping[str, Any]],
) -> Manifest:
    """Return what was asked for, where the generation does not say: as another one has it."""
    others = [each for each in history.values() if each.manifest and each.number != number]
    if others:
        nearest = min(others, key=lambda each: (abs(each.number - number), each.number)).manifest
        assert nearest is not None
        return nearest
    specs = tuple(spec for head in heads for spec in head.get("requested_specs") or ())
    return Manifest(prefix.name, specs, (), "", "")


def renewed(manifest: Manifest, prefix: Prefix, command: str, created: str) -> Manifest:
    """Return what is asked of the generation that is mended."""
    return replace(manifest, name=prefix.name, command=command, created=created)
