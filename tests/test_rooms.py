"""The shape of the source: what may import what, how long, and what must not be in it."""

from __future__ import annotations

import ast
import subprocess
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from collections.abc import Iterator

PROJECT = Path(__file__).resolve().parent.parent
SOURCE = PROJECT / "src" / "kaa"
ROOMS = (
    "cli",
    "jupyter",
    "workflows",
    "doctor",
    "solver",
    "transaction",
    "kernels",
    "shells",
    "environments",
    "sources",
    "network",
    "settings",
    "formats",
    "store",
    "model",
)
"""From top to bottom: a room imports from those after it only."""

MODULES = sorted(SOURCE.rglob("*.py"))
MAXIMUM_LINES = 400
EMPTY_NAMES = {"utils", "util", "common", "helpers", "helper", "base", "core", "misc"}

# In two pieces, so that this file does not have in it what it forbids.
REGISTRIES = [
    name + "." + domain
    for name, domain in [
        ("pypi", "org"),
        ("pythonhosted", "org"),
        ("anaconda", "org"),
        ("anaconda", "com"),
        ("prefix", "dev"),
        ("npmjs", "org"),
    ]
]


def imported_modules(tree: ast.AST) -> Iterator[str]:
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, "imports are absolute, so that they can be read on their own"
            yield from (f"{node.module}.{alias.name}" for alias in node.names)


def rooms_imported(path: Path) -> set[str]:
    names = imported_modules(ast.parse(path.read_text(encoding="utf-8")))
    return {
        parts[1]
        for parts in (name.split(".") for name in names)
        if parts[0] == "kaa" and len(parts) > 1 and parts[1] in ROOMS
    }


def tracked_files() -> list[Path]:
    listing = subprocess.run(
        ["git", "ls-files", "-z"], cwd=PROJECT, capture_output=True, text=True, check=False
    )
    if listing.returncode:
        pytest.skip("not a git checkout")
    return [PROJECT / name for name in listing.stdout.split("\0") if name]


def test_every_directory_is_a_known_room() -> None:
    found = {path.parent.name for path in SOURCE.glob("*/__init__.py")}
    assert found == set(ROOMS)


@pytest.mark.parametrize("path", MODULES, ids=[str(path.relative_to(SOURCE)) for path in MODULES])
def test_a_room_imports_only_from_those_below(path: Path) -> None:
    relative = path.relative_to(SOURCE)
    if len(relative.parts) == 1:
        assert rooms_imported(path) <= {"cli"}, "the package itself only knows its entry point"
        return
    own = ROOMS.index(relative.parts[0])
    above = {room for room in rooms_imported(path) if ROOMS.index(room) < own}
    assert not above, f"{relative} imports from {sorted(above)}"


@pytest.mark.parametrize("path", MODULES, ids=[str(path.relative_to(SOURCE)) for path in MODULES])
def test_a_module_is_short_and_its_name_says_something(path: Path) -> None:
    assert len(path.read_text(encoding="utf-8").splitlines()) < MAXIMUM_LINES
    assert path.stem not in EMPTY_NAMES


def test_no_registry_is_named() -> None:
    named = []
    for path in tracked_files():
        try:
            text = path.read_text(encoding="utf-8").lower()
        except (UnicodeDecodeError, FileNotFoundError):
            continue
        named += [f"{path.relative_to(PROJECT)}: {host}" for host in REGISTRIES if host in text]
    assert not named
