"""The records of an environment, as far as they can be read, and what is wrong with the others.

Who changes an environment must know all records and stops at the first that is damaged
(:mod:`kaa.environments.records`); whoever looks for damage wants to know of all of it.
"""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from kaa.environments.sealed import SEAL
from kaa.model.verification import Finding, Kind
from kaa.store.seal import broken_seal

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence


@dataclass(frozen=True, slots=True)
class Recorded:
    """What the record in ``file`` (its name) says of a package.

    ``sha256`` is the archive's, hexadecimal; ``site_packages`` is in the record of ``python``
    only; ``source`` is the entry of the package cache that it was linked from; ``paths`` are the
    files as the record has them.
    """

    file: str
    name: str
    version: str
    build: str
    sha256: str | None
    url: str
    site_packages: str | None
    source: Path | None
    paths: tuple[Mapping[str, Any], ...]

    @property
    def entry(self) -> str:
        """The name of its entry in the package cache."""
        return f"{self.name}-{self.version}-{self.build}"


def read_recorded(generation: Path) -> tuple[list[Recorded], list[Finding]]:
    """Return the records in ``conda-meta`` that can be read, and what is wrong with the others.

    Of two records of one package the later one counts, and both are told.
    """
    found: dict[str, Recorded] = {}
    findings: list[Finding] = list(_broken_seal(generation))
    told = {each.path for each in findings}
    try:
        names = sorted(os.listdir(generation / "conda-meta"))  # noqa: PTH208 - names, not paths
    except FileNotFoundError:
        return [], findings
    except OSError as error:
        return [], [Finding(Kind.RECORD, "conda-meta", detail=error.strerror)]
    for name in names:
        if not name.endswith(".json"):
            continue
        path = f"conda-meta/{name}"
        recorded = _read(generation, name)
        if isinstance(recorded, str):
            if path not in told:
                package = name.rsplit("-", 2)[0]
                findings.append(Finding(Kind.RECORD, path, package, recorded))
            continue
        other = found.get(recorded.name)
        if other is not None:
            detail = f"there is also {other.file}"
            findings.append(Finding(Kind.DUPLICATE, path, recorded.name, detail))
        found[recorded.name] = recorded
    return [found[name] for name in sorted(found)], findings


def site_packages_of(records: Sequence[Recorded]) -> str | None:
    """Return where the environment's Python looks for packages, below the prefix; None without."""
    for record in records:
        if record.name == "python":
            if record.site_packages:
                return record.site_packages
            if os.name == "nt":
                return "Lib/site-packages"
            return f"lib/python{'.'.join(record.version.split('.')[:2])}/site-packages"
    return None


def _broken_seal(generation: Path) -> Iterator[Finding]:
    for path, detail in broken_seal(generation, SEAL):
        name = path.removeprefix("conda-meta/")
        if name.startswith("kaa/"):
            yield Finding(Kind.MANIFEST, path, detail=detail)
        else:
            yield Finding(Kind.RECORD, path, name.rsplit("-", 2)[0], detail)


def _read(generation: Path, name: str) -> Recorded | str:
    """Return what a record says, or why it cannot be read."""
    import orjson
    from rattler import PrefixRecord
    from rattler.exceptions import IoError

    file = generation / "conda-meta" / name
    try:
        # Not only what is needed here: those who change the environment read it like this.
        PrefixRecord.from_path(file)
        record = orjson.loads(file.read_bytes())
        paths = (record.get("paths_data") or {}).get("paths")
        if paths is None:
            paths = [{"_path": path} for path in record.get("files") or ()]
        source = record.get("extracted_package_dir") or (record.get("link") or {}).get("source")
        return Recorded(
            name,
            record["name"],
            record["version"],
            record.get("build") or "",
            record.get("sha256"),
            record.get("url") or "",
            record.get("python_site_packages_path"),
            Path(source) if source else None,
            tuple(each for each in paths if isinstance(each["_path"], str)),
        )
    except (OSError, IoError, ValueError, LookupError, TypeError, AttributeError) as error:
        return _one_line(error)


def _one_line(error: Exception) -> str:
    return " ".join(str(error).split()) or type(error).__name__
