"""An environment on disk: a link, and behind it numbered generations.

``<parent>/<name>`` links to ``.kaa/<name>/<number>`` beside it, wherever the environment is. What
the user asked for is kept in each generation, in a directory of its own below ``conda-meta``
(conda and rattler read the ``*.json`` files directly in there as packages).
"""

from __future__ import annotations

import json
import os
import re
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from kaa.model.environment import EnvironmentInfo, Manifest, Step
from kaa.model.package import HOST, PYPI, Package, channel_of, project_name, source_of_channel

if TYPE_CHECKING:
    from collections.abc import Iterator

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

_TYPED = re.compile(r"\s*(?:-e\s+)?(?:[^\s\[\]=<>!~]*::)?(?P<name>[A-Za-z0-9_][\w.-]*)")


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
        current = self.current
        if current.parent != self.generations or not current.name.isdigit():
            return None
        return int(current.name)

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
        content = json.loads(file.read_text(encoding="utf-8"))
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


def read_packages(generation: Path) -> list[Package]:
    """Return the packages that ``conda-meta`` records, in order of name.

    Raises ``PermissionError`` where they may not be read, which is not the same as none.
    """
    packages = sorted(_packages(generation), key=lambda package: package.name)
    if any(package.requested for package in packages):
        return packages
    # Records that conda has made say nothing of it.
    manifest = read_manifest(generation)
    asked = {_named(spec) for spec in manifest.specs} if manifest else set()
    return [replace(each, requested=project_name(each.name) in asked) for each in packages]


def _named(spec: str) -> str:
    match = _TYPED.match(spec)
    return project_name(match["name"]) if match else ""


def read_info(prefix: Prefix) -> EnvironmentInfo:
    """Return what an environment is, as far as its own files tell without reading each record."""
    generation = prefix.current
    try:
        records = _record_names(generation)
    except PermissionError:
        records = []
    pythons = [name for name in records if name.startswith("python-") and name.count("-") == 2]
    manifest = read_manifest(generation)
    return EnvironmentInfo(
        name=prefix.name,
        prefix=prefix.path,
        generation=prefix.current_number,
        generation_prefix=generation,
        python=pythons[0].split("-")[1] if pythons else None,
        packages=len(records),
        manifest=manifest,
        problem=_problem(prefix, generation, manifest, has_python=bool(pythons)),
    )


def _problem(
    prefix: Prefix, generation: Path, manifest: Manifest | None, *, has_python: bool
) -> str | None:
    try:
        os.listdir(generation / "conda-meta")  # noqa: PTH208 - Path.exists may not tell
    except PermissionError:
        return f"its generation {generation} is closed to you"
    except OSError:
        if not generation.is_dir():
            return f"its generation {generation} is missing"
    if manifest is None:
        return "what was asked for is not recorded (made by another program, or damaged)"
    carried = carried_path(prefix, manifest)
    if carried != prefix.path:
        return f"it was moved here by hand from {carried}, which its programs still name"
    if has_python and not any((generation / name).exists() for name in _INTERPRETERS):
        return "its interpreter is missing"
    return None


def _record_names(generation: Path) -> list[str]:
    try:
        names = sorted(os.listdir(generation / "conda-meta"))  # noqa: PTH208 - names, not paths
    except PermissionError:
        raise
    except OSError:
        return []
    return [name[: -len(".json")] for name in names if name.endswith(".json")]


def _packages(generation: Path) -> Iterator[Package]:
    for name in _record_names(generation):
        try:
            text = (generation / "conda-meta" / f"{name}.json").read_text(encoding="utf-8")
            yield package_of_record(json.loads(text))
        except PermissionError:
            raise
        except (OSError, ValueError, LookupError, TypeError, AttributeError):
            continue  # `verify` is the command that looks for damage


def package_of_record(record: dict[str, Any]) -> Package:
    """Return the package that a record (JSON of ``conda-meta``) is about.

    Raises ``LookupError``, ``TypeError`` or ``AttributeError`` for what is no record.
    """
    source, url = source_of_channel(record.get("channel") or "unknown"), record.get("url", "")
    subdir = "" if source in (PYPI, HOST) else record.get("subdir", "")
    return Package(
        name=record["name"],
        version=record["version"],
        build=record.get("build", ""),
        source=source,
        url=url,
        sha256=record.get("sha256"),
        size=record.get("size"),
        requested=bool(record.get("requested_specs")),
        build_number=record.get("build_number") or 0,
        channel=channel_of(url, subdir),
        subdir=subdir,
        md5=record.get("md5"),
    )
