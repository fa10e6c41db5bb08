"""An environment on disk: a link, and behind it numbered generations.

``<parent>/<name>`` links to ``.kaa/<name>/<number>`` beside it, wherever the environment is. What
the user asked for is kept in each generation, in a directory of its own below ``conda-meta``
(conda and rattler read the ``*.json`` files directly in there as packages).
"""

from __future__ import annotations

import json
import os
from dataclasses import dataclass
from pathlib import Path

from kaa.model.environment import EnvironmentInfo, Manifest, Step

GENERATIONS = ".kaa"
OWN = Path("conda-meta", "kaa")
"""What kaa keeps of a generation, in the generation: what was asked for, and the lock."""
MANIFEST = OWN / "manifest.json"
PAST = ".past-"
"""What stands before a number in the name of the directory that a cleared generation leaves."""
ADOPTING = ".adopting-"
"""What stands before a number in the name of the mark that a directory becomes that generation."""
_INTERPRETERS = ("bin/python", "python.exe", "Scripts/python.exe")
"""Where an environment has Python: on POSIX; on Windows from a channel, and from this machine."""


@dataclass(frozen=True, slots=True)
class Prefix:
    """The stable path of an environment. Nothing needs to exist yet."""

    path: Path

    @property
    def name(self) -> str:
        """The last part of the path, which is the environment's name."""
        return self.path.name

    @property
    def generations(self) -> Path:
        """The directory that holds this environment's generations."""
        return self.path.parent / GENERATIONS / self.path.name

    @property
    def current(self) -> Path:
        """The generation that the link leads to, or the path itself when it is no link."""
        try:
            return self.path.parent / self.path.readlink()
        except OSError:
            return self.path

    @property
    def current_number(self) -> int | None:
        """The number of the current generation, None when it is not one of kaa's."""
        return self.number_of(self.current)

    def number_of(self, generation: Path) -> int | None:
        """Return the number of a generation, None when it is not one of this environment's."""
        if generation.parent != self.generations or not generation.name.isdigit():
            return None
        return int(generation.name)

    def next_number(self) -> int:
        """Return the number of the generation that is going to be built."""
        # The current one may be missing from the disk.
        known = [self.current_number or 0, *(number for number, _ in self.numbers())]
        return max(known) + 1

    def numbers(self) -> list[tuple[int, Path]]:
        """Return the generations that there were, in order: number and directory.

        The directory is the generation, or what is left to tell of one that was cleared away
        (its name begins with :data:`PAST`).
        """
        found: dict[int, Path] = {}
        try:
            names = os.listdir(self.generations)  # noqa: PTH208 - names, not paths
        except OSError:
            return []
        for name in sorted(names):  # what is on the disk comes after what is past, and counts
            number = name.removeprefix(PAST)
            if number.isdecimal():
                found[int(number)] = self.generations / name
        return sorted(found.items())


def moved_by_hand(prefix: Prefix) -> Prefix | None:
    """Return where an environment was whose link somebody has moved; None for all others."""
    current = prefix.current
    kept = current.parent
    if not current.name.isdecimal() or kept.parent.name != GENERATIONS:
        return None
    return Prefix(kept.parent.parent / kept.name) if kept != prefix.generations else None


def carried_path(prefix: Prefix, manifest: Manifest | None) -> Path:
    """Return the path that the files of a generation with this manifest name.

    It is the environment's own unless somebody has moved that, or the directory it is in.
    """
    text = manifest.prefix if manifest is not None else None
    if text is None or text == str(prefix.path):
        return prefix.path
    try:  # a directory may have several paths
        return prefix.path if prefix.path.samefile(text) else Path(text)
    except OSError:
        return Path(text)


def read_manifest(generation: Path) -> Manifest | None:
    """Return what was asked of a generation; None when kaa did not make it, or it is damaged."""
    return read_manifest_file(generation / MANIFEST)


def read_manifest_file(file: Path) -> Manifest | None:
    """Return what a manifest file says; None when it is missing or damaged."""
    try:
        content = json.loads(file.read_bytes().decode())
        manifest = Manifest(
            content["name"],
            tuple(content["specs"]),
            tuple(content["sources"]),
            content["command"],
            content["created"],
            content.get("parent"),
            content.get("prefix"),
            tuple(Step(*step) for step in content.get("variables", ())),
        )
    except (OSError, ValueError, LookupError, TypeError, AttributeError):
        return None
    return manifest if _is_sound(manifest) else None


def _is_sound(manifest: Manifest) -> bool:
    texts = (manifest.name, manifest.command, manifest.created, *manifest.specs, *manifest.sources)
    return (
        all(isinstance(text, str) for text in texts)
        and isinstance(manifest.parent, int | None)
        and isinstance(manifest.prefix, str | None)
        and all(isinstance(text, str | None) for step in manifest.variables for text in step)
    )


def write_manifest(generation: Path, manifest: Manifest) -> None:
    """Write what was asked of a generation into it."""
    path = generation / MANIFEST
    path.parent.mkdir(parents=True, exist_ok=True)
    write_manifest_file(path, manifest)


def write_manifest_file(file: Path, manifest: Manifest) -> None:
    """Write a manifest file. Raises ``OSError``."""
    file.write_text(json.dumps(manifest.as_dict(), indent=2) + "\n", encoding="utf-8")


def read_info(prefix: Prefix) -> EnvironmentInfo:
    """Return what an environment is, as far as its own files tell without reading each record."""
    generation = prefix.current
    unread: OSError | None = None
    try:
        records = _listed_records(generation)
    except OSError as error:
        records, unread = [], error
    pythons = [name for name in records if name.startswith("python-") and name.count("-") == 2]
    manifest = read_manifest(generation)
    return EnvironmentInfo(
        name=prefix.name,
        prefix=prefix.path,
        generation=prefix.number_of(generation),
        generation_prefix=generation,
        python=min(pythons).split("-")[1] if pythons else None,
        packages=len(records),
        manifest=manifest,
        problem=_no_generation(generation, unread)
        or _problem(prefix, generation, manifest, has_python=bool(pythons)),
    )


def _no_generation(generation: Path, unread: OSError | None) -> str | None:
    """Say what is wrong with a generation whose records cannot be listed."""
    if isinstance(unread, PermissionError):
        return f"its generation {generation} is closed to you"
    if unread is not None and not generation.is_dir():
        return f"its generation {generation} is missing"
    return None


def _problem(
    prefix: Prefix, generation: Path, manifest: Manifest | None, *, has_python: bool
) -> str | None:
    if manifest is None:
        return "what was asked for is not recorded (made by another program, or damaged)"
    carried = carried_path(prefix, manifest)
    if carried != prefix.path:
        return f"it was moved here by hand from {carried}, which its programs still name"
    if has_python and not any((generation / name).exists() for name in _INTERPRETERS):
        return "its interpreter is missing"
    return None


def record_names(generation: Path) -> list[str]:
    """Return the names of the records in ``conda-meta``, without ``.json`` and in order.

    Raises ``PermissionError`` where they may not be listed, which is not the same as none.
    """
    try:
        return sorted(_listed_records(generation))
    except PermissionError:
        raise
    except OSError:
        return []


def _listed_records(generation: Path) -> list[str]:
    names = os.listdir(generation / "conda-meta")  # noqa: PTH208 - names, not paths
    return [name[: -len(".json")] for name in names if name.endswith(".json")]
