"""The generations of an environment, and the lock that each of them keeps.

The lock is the list of the records of all packages, from whatever source, as channels have them:
with it a generation can be installed again when it is no longer on the disk. Ordered by number and
never by time, because clocks can be set back.
"""

from __future__ import annotations

import json
import shlex
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from kaa.environments.heads import read_heads
from kaa.environments.packages import package_of_record
from kaa.environments.prefix import MANIFEST, OWN, PAST, Prefix, read_manifest_file
from kaa.model.errors import EnvironmentStateError, GenerationNotFoundError
from kaa.network.locations import redact

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence
    from pathlib import Path

    from kaa.model.environment import Manifest, Step
    from kaa.model.package import Package

LOCK = OWN / "lock.json"
_LEFT_OUT = frozenset(
    {"files", "paths_data", "link", "extracted_package_dir", "package_tarball_full_path"}
)
"""What a record says of this machine and this environment, and not of the package."""
_URLS = ("url", "channel")


@dataclass(frozen=True, slots=True)
class Generation:
    """One state of an environment.

    ``path`` is the generation while it is on the disk, and what was kept of it afterwards;
    ``manifest`` is None where it cannot be read.
    """

    number: int
    path: Path
    manifest: Manifest | None = None

    @property
    def on_disk(self) -> bool:
        """Whether the generation can be gone back to by changing the link."""
        return not self.path.name.startswith(PAST)

    @property
    def _own(self) -> Path:
        return self.path / OWN if self.on_disk else self.path

    def packages(self) -> list[Package]:
        """Return its packages in order of name. Raises :class:`EnvironmentStateError`."""
        try:
            found = [package_of_record(record) for record in self.records()]
        except (LookupError, TypeError, AttributeError) as error:
            raise self._unreadable(f"a record in it is none: {error!r}") from error
        return sorted(found, key=lambda package: package.name)

    def records(self) -> list[dict[str, Any]]:
        """Return its lock: the records of all packages, without their files.

        Raises :class:`EnvironmentStateError` when it cannot be read.
        """
        try:
            content = json.loads((self._own / LOCK.name).read_text(encoding="utf-8"))
            return [record for record in content if isinstance(record["name"], str)]
        except FileNotFoundError:
            if self.on_disk:  # made by conda, and taken over
                return lock_of(self.path)
            reason = "its lock is missing"
        except (OSError, ValueError, LookupError, TypeError) as error:
            if self.on_disk:
                return lock_of(self.path)
            reason = str(error)
        raise self._unreadable(reason)

    def _unreadable(self, reason: str) -> EnvironmentStateError:
        return EnvironmentStateError(
            f"what generation {self.number} had cannot be read",
            cause=f"{reason} ({self._own / LOCK.name})",
            hint="`kaa history` shows the other generations",
        )


def read_history(prefix: Prefix) -> tuple[Generation, ...]:
    """Return the generations of an environment, in order of their numbers."""
    return tuple(_generation(number, path) for number, path in prefix.numbers())


def find_generation(prefix: Prefix, number: int) -> Generation:
    """Return one generation. Raises :class:`GenerationNotFoundError`."""
    found = dict(prefix.numbers())
    if number in found:
        return _generation(number, found[number])
    there = ", ".join(map(str, found)) or "none"
    raise GenerationNotFoundError(
        f"{prefix.name} has no generation {number}",
        cause=f"there are: {there}",
        hint=f"`kaa history -p {shlex.quote(str(prefix.path))}` shows what each of them was",
    )


def parent_of(generation: Generation, generations: Sequence[Generation]) -> int | None:
    """Return the number of the generation that one was made from, None where there is none."""
    manifest = generation.manifest
    if manifest is not None and (manifest.parent is not None or manifest.prefix is not None):
        return manifest.parent
    # Damaged, or of a time when nobody wrote that down.
    earlier = [each.number for each in generations if each.number < generation.number]
    return max(earlier, default=None)


def steps_from(
    before: Generation | None, after: Generation, generations: Sequence[Generation]
) -> list[Step]:
    """Return what has to become of variables on the way from one generation to another.

    That is what commands did to them on the way back to what both were made from, taken back, and
    then what they did on the way from there. None is before the first one.
    """
    old = _line(before, generations) if before is not None else []
    new = _line(after, generations)
    shared = {each.number for each in old} & {each.number for each in new}
    back = (each.manifest for each in old if each.number not in shared)
    forth = (each.manifest for each in reversed(new) if each.number not in shared)
    steps = [step.back() for each in back if each for step in reversed(each.variables)]
    return steps + [step for each in forth if each for step in each.variables]


def _line(generation: Generation, generations: Sequence[Generation]) -> list[Generation]:
    """Return a generation, what it was made from, and so on."""
    by_number = {each.number: each for each in generations}
    line: list[Generation] = []
    found: Generation | None = generation
    while found is not None and found not in line:
        line.append(found)
        found = by_number.get(parent_of(found, generations) or 0)
    return line


def write_lock(generation: Path) -> None:
    """Write the lock of a generation, from its records, into it. Raises ``OSError``."""
    file = generation / LOCK
    file.parent.mkdir(parents=True, exist_ok=True)
    write_lock_file(file, lock_of(generation))


def write_lock_file(file: Path, records: Sequence[Mapping[str, Any]]) -> None:
    """Write a lock. Raises ``OSError``."""
    file.write_text(json.dumps(records, indent=1) + "\n", encoding="utf-8")


def lock_of(generation: Path) -> list[dict[str, Any]]:
    """Return the records of a prefix, as channels have them and without credentials."""
    return sorted(map(_public, read_heads(generation)), key=lambda record: str(record.get("name")))


def _public(record: dict[str, Any]) -> dict[str, Any]:
    kept = {key: value for key, value in record.items() if key not in _LEFT_OUT}
    kept.update({key: redact(kept[key]) for key in _URLS if isinstance(kept.get(key), str)})
    return kept


def _generation(number: int, path: Path) -> Generation:
    own = path if path.name.startswith(PAST) else path / OWN
    return Generation(number, path, read_manifest_file(own / MANIFEST.name))


def changed(
    before: Iterable[Package], after: Iterable[Package]
) -> list[tuple[Package | None, Package | None]]:
    """Return the packages that two generations have not in common, in order of name.

    Each as it was before and after; None where it was or is not there.
    """
    old = {package.name: package for package in before}
    new = {package.name: package for package in after}
    names = sorted(old.keys() | new.keys())
    pairs = ((old.get(name), new.get(name)) for name in names)
    return [(was, now) for was, now in pairs if _identity(was) != _identity(now)]


def _identity(package: Package | None) -> tuple[str, ...] | None:
    if package is None:
        return None
    return (package.version, package.build, package.sha256 or package.url)
