"""What the machine is: its environments as trees, and whatever is left lying about."""

from __future__ import annotations

import json
import os
import re
import struct
import subprocess
from dataclasses import dataclass
from typing import TYPE_CHECKING

from killing.trees import Tree, differences, read_tree

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from killing.place import Place

_UNFINISHED = re.compile(
    r"^\.(new|link|pending|old|kaa|work)-|^\.leaving$|\.(part|tmp)$|\.kaa-part$"
    r"|^\.tmp|^tmp[a-z0-9_]{8}$|^\..+\.[0-9a-f]{8}$|^run-.*\.lock$"
)
_LOCK = struct.Struct(">Q32s")
_GENERATION = re.compile(r"\.kaa/[^/]+/(\.past-)?\d+(/|$)")
_PROGRAM = """
import importlib, importlib.metadata, sys
names = {d.metadata["Name"]: d.version for d in importlib.metadata.distributions()}
for name in sorted(names):
    assert importlib.import_module(name).__file__.startswith(sys.prefix), name
print(len(names))
"""


@dataclass(frozen=True, slots=True)
class State:
    """The environments, by path: what each link leads to, whole, and which number that has."""

    environments: dict[str, Tree]
    generations: dict[str, dict[int, Tree]]


def read_state(place: Place) -> State:
    """Read all that has to be exactly the old or the new."""
    environments = {str(path): read_tree(os.path.realpath(path)) for path in prefixes(place)}
    generations = {
        str(path): {
            int(number.name): read_tree(number)
            for number in (path.parent / ".kaa" / path.name).glob("*")
            if number.name.isdigit()
        }
        for path in prefixes(place)
    }
    return State(environments, generations)


def prefixes(place: Place) -> list[Path]:
    """Return the paths of all environments, overlays left out."""
    parents = (place.root / "envs", place.projects)
    found = [path for parent in parents for path in parent.glob("*")]
    return sorted(path for path in found if not path.name.startswith("."))


def compare(found: State, expected: State) -> list[str]:
    """Say in what the environments differ; nothing when they are exactly as expected."""
    lines = []
    for path in sorted({*found.environments, *expected.environments}):
        if path not in found.environments or path not in expected.environments:
            lines.append(f"{path} is {'missing' if path not in found.environments else 'there'}")
            continue
        differing = differences(found.environments[path], expected.environments[path])
        lines += [f"{path}: {line}" for line in differing[:6]]
    return lines


def both(old: State, new: State) -> State:
    """Return what there is when the new environment is there and the old one has still to go."""
    return State({**old.environments, **new.environments}, {})


def compare_generations(found: State, before: State, into: int | None) -> list[str]:
    """Say which of the generations that were there before are not what they were.

    ``into`` is one that may have got more.
    """
    lines = []
    for path, generations in before.generations.items():
        for number, tree in generations.items():
            now = found.generations.get(path, {}).get(number)
            if path in found.environments and number != into and now not in (None, tree):
                assert now is not None
                lines += [f"{path} {number}: {line}" for line in differences(now, tree)[:3]]
    return lines


def check_programs(place: Place) -> list[str]:
    """Run the programs of every environment; say which of them do not do what they should."""
    environ = {"PATH": os.environ["PATH"], "PYTHONDONTWRITEBYTECODE": "1"}
    lines = []
    for path in prefixes(place):
        commands = [[str(path / "bin" / "python"), "-I", "-B", "-c", _PROGRAM]]
        programs = (path / "bin" / name for name in ("growl", "howl", "flow"))
        commands += [[str(program)] for program in programs if os.path.lexists(program)]
        for command in commands:
            try:
                done = subprocess.run(
                    command, env=environ, capture_output=True, text=True, timeout=300, check=False
                )
            except OSError as error:
                lines.append(f"{command[0]}: {error}")
                continue
            if done.returncode or not done.stdout.strip():
                lines.append(f"{command[0]}: {done.returncode} {done.stderr.strip()[-300:]}")
    return lines


def check_cache(place: Place) -> list[str]:
    """Say which packages in the cache are not whole; one without its lock file does not count."""
    lines = []
    for path in sorted((place.root / "pkgs").glob("[!.]*.lock")):
        entry = path.with_suffix("")
        if path.stat().st_size != _LOCK.size:
            continue  # was to be written when the process was killed
        if not (entry / "info" / "index.json").is_file():
            lines.append(f"{entry.name}: counts, and is not there")
            continue
        listed = json.loads((entry / "info" / "paths.json").read_text(encoding="utf-8"))
        for file in listed["paths"]:
            inner = entry / file["_path"]
            if not os.path.lexists(inner) or (
                not inner.is_symlink() and inner.stat().st_size != file["size_in_bytes"]
            ):
                lines.append(f"{entry.name}: {file['_path']} is not whole")
    return lines


def left_behind(place: Place, expected: frozenset[str]) -> list[str]:
    """Return what nobody needs, or nobody would ever miss: what is not among the paths that
    commands leave that were not stopped, and what looks like it."""
    found = paths(place)
    lines = sorted(found - expected)
    lines += sorted(p for p in found & expected if _UNFINISHED.search(p.rpartition("/")[2]))
    for prefix in prefixes(place):
        parts = (prefix.parent / ".kaa" / prefix.name).glob("[0-9]*/.kaa-*")
        lines += [str(path) for path in parts]
    packages = place.root / "pkgs"
    for entry in sorted(packages.glob("[!.]*")):
        if entry.is_dir():
            lock = packages / f"{entry.name}.lock"
            if not lock.is_file() or lock.stat().st_size != _LOCK.size:
                lines.append(f"package without its lock file: {entry.name}")
        elif entry.suffix == ".lock" and not entry.with_suffix("").is_dir():
            lines.append(f"lock file without its package: {entry.name}")
    return [*lines, *_not_in_step(place)]


def paths(place: Place) -> frozenset[str]:
    """Return the paths of everything there is but for what is inside of generations."""
    tree = read_names(place)
    return frozenset(_GENERATION.sub(".kaa/<n>", path) for path in tree)


def read_names(place: Place) -> Iterator[str]:
    """Give the paths of all there is; a generation's own is the last above what is in it."""
    for folder, directories, files in os.walk(place.directory):
        inner = os.path.relpath(folder, place.directory)
        if _GENERATION.search(f"{inner}/"):
            directories.clear()
            continue
        directories[:] = [name for name in directories if name != "lost+found"]
        for name in (*directories, *files):
            yield name if inner == "." else f"{inner}/{name}"


def _not_in_step(place: Place) -> Iterator[str]:
    """Compare kernelspecs and conda's list with the environments that are there."""
    there = {str(path) for path in prefixes(place)}
    specs: list[str] = []
    for directory in place.kernels.glob("*"):
        try:
            content = json.loads((directory / "kernel.json").read_text(encoding="utf-8"))
            specs.append(content["metadata"]["kaa"]["prefix"])
        except (OSError, ValueError, LookupError) as error:
            yield f"no kernelspec: {directory} ({error})"
    try:
        listed = (place.home / ".conda" / "environments.txt").read_text("utf-8").splitlines()
    except FileNotFoundError:
        listed = []
    for what, found in (("kernelspec", specs), ("line in environments.txt", listed)):
        yield from (f"{what} of an environment that is gone: {p}" for p in {*found} - there)
        yield from (f"{what} is missing: {path}" for path in there - {*found})
        if len(found) != len({*found}):
            yield f"{what} more than once: {found}"
