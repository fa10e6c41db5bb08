"""Whole trees by hash: every file's bytes and mode, every link's target, every directory."""

from __future__ import annotations

import hashlib
import os
import re
import stat
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping
    from pathlib import Path

Tree = dict[str, str]
"""What is below a directory, by path: kind, mode, and the hash of the content or the target."""

_TIME = re.compile(rb"\d{4}-\d\d-\d\d[T ]\d\d:\d\d:\d\d(\.\d+)?(Z|[+-]\d\d:?\d\d)?")
_GENERATION = re.compile(rb"(\.kaa/[^/\"]+/)\d+")
_MEMORIES = ("conda-meta/kaa/records-seal.json", "conda-meta/kaa/compared.json")
"""What says when other files were last written."""
_MILLISECONDS = re.compile(rb'("(?:timestamp|installed_at|mtime\w*)": )[\d.]+')


def read_tree(directory: str | Path, leave_out: Callable[[str], bool] = lambda _: False) -> Tree:
    """Return what is below a directory, links not followed; {} when there is nothing.

    ``leave_out`` says which paths do not count. Times in records, and numbers of generations,
    are not looked at: they differ from one run to the next.
    """
    return {path: _mark(full, path) for full, path in _below(os.fspath(directory), leave_out)}


def differences(found: Mapping[str, str], expected: Mapping[str, str]) -> list[str]:
    """Return a line for each path in which two trees differ."""
    lines = []
    for path in sorted({*found, *expected}):
        if path not in found:
            lines.append(f"missing: {path}")
        elif path not in expected:
            lines.append(f"too much: {path}")
        elif found[path] != expected[path]:
            lines.append(f"differs: {path} ({found[path][:24]}, not {expected[path][:24]})")
    return lines


def _below(top: str, leave_out: Callable[[str], bool]) -> Iterator[tuple[str, str]]:
    for folder, directories, files in os.walk(top):
        inner = os.path.relpath(folder, top)
        for name in (*directories, *files):
            path = name if inner == "." else f"{inner}/{name}"
            if not leave_out(path):
                yield f"{folder}/{name}", path
        directories[:] = [
            name
            for name in directories
            if not leave_out(name if inner == "." else f"{inner}/{name}")
        ]


def _mark(full: str, path: str) -> str:
    status = os.lstat(full)
    mode = f"{stat.S_IMODE(status.st_mode):o}"
    if stat.S_ISLNK(status.st_mode):
        return f"link {os.readlink(full)}"  # noqa: PTH115 - texts, for speed
    if stat.S_ISDIR(status.st_mode):
        return f"directory {mode}"
    if not stat.S_ISREG(status.st_mode):
        return f"special {mode}"
    if path in _MEMORIES:
        return f"file {mode}"
    with open(full, "rb") as stream:  # noqa: PTH123 - texts, for speed
        content = stream.read()
    if "conda-meta" in path:
        content = _MILLISECONDS.sub(rb"\1<time>", content)
        content = _GENERATION.sub(rb"\1<number>", _TIME.sub(b"<time>", content))
    return f"file {mode} {hashlib.sha256(content).hexdigest()[:16]}"
