"""After a change: what a running kernel can import now, and which imported packages are others.

A kernel keeps the generation that it was started in. When the environment is changed from within,
the newest generation's packages take the place of the old ones on the module search path, so that
what was installed is there at once. What was imported before stays as it is, and is told.

This module becomes part of what runs inside kernels (:mod:`kaa.kernels.installed_launcher`), whose
rules hold here: the standard library, Python 3.7's syntax, imports that cost nothing.
"""

# Importing pathlib would double the time that this takes.
# ruff: noqa: PTH116, PTH118, PTH122, PTH123, PTH208

from __future__ import annotations

import os
import sys

# `typing` is slow to import; checkers take this name for typing's own.
TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

_METADATA = (".dist-info", ".egg-info")


def distributions_in(site: str) -> dict[str, tuple[str, str, object]]:
    """Return the distributions in a site-packages directory by their normalised names.

    Of each: its version, the name of its metadata directory (PEP 376), and what tells whether
    that is still the same one.
    """
    found: dict[str, tuple[str, str, object]] = {}
    try:
        entries = list(os.scandir(site))
    except OSError:
        return found
    for entry in entries:
        stem, kind = os.path.splitext(entry.name)
        if kind not in _METADATA:
            continue
        name, _, version = stem.partition("-")
        try:
            status = os.stat(os.path.join(entry.path, "METADATA"))
            stamp: object = (status.st_ino, status.st_mtime_ns)
        except OSError:
            stamp = None
        key = name.lower().replace("_", "-").replace(".", "-")
        found[key] = (version.partition("-")[0], entry.name, stamp)
    return found


def loaded_from(site: str) -> dict[str, tuple[str, object]]:
    """Return the files that were imported from a directory, relative to it.

    Of each: the module's name, and what tells whether the file is still the same one.
    """
    found: dict[str, tuple[str, object]] = {}
    beginning = site + os.sep
    for name, module in list(sys.modules.items()):
        # Some modules answer for every attribute, or fail: their dictionaries do not.
        file = getattr(module, "__dict__", {}).get("__file__")
        if isinstance(file, str) and file.startswith(beginning):
            found[file[len(beginning) :]] = (name, _stamp(file))
    return found


def other_imports(
    loaded: Mapping[str, tuple[str, object]],
    before: Mapping[str, tuple[str, str, object]],
    after: Mapping[str, tuple[str, str, object]],
    old: str,
    new: str,
) -> list[str]:
    """Return what was imported and is another now, each with its versions before and after.

    ``old`` and ``new`` are the site-packages directories, which may be the same one.
    """
    told = []
    explained: set[str] = set()
    for name in sorted(before):
        now = after.get(name)
        version, folder, _ = before[name]
        if now is not None and not _differs(before[name], now, old, new):
            continue
        files = _files_of(old, folder) or (_files_of(new, now[1]) if now else set())
        imported = files & set(loaded)
        if imported:
            explained |= imported
            told.append(name + " " + _step(version, now[0] if now else None))
    rest = set()
    for file in set(loaded) - explained:
        module, stamp = loaded[file]
        if _stamp(os.path.join(new, file)) != stamp and not _same_text(old, new, file):
            rest.add(module.partition(".")[0])
    gone = [top for top in sorted(rest) if not _is_there(new, top)]
    return (
        told
        + [top + " (removed)" for top in gone]
        + [top + " (its files have changed)" for top in sorted(rest - set(gone))]
    )


def use_instead(old: str, new: str, last: str | None = None) -> None:
    """Let what is imported from now on come from the directory ``new`` instead of from ``old``.

    ``.pth`` files that are new in there are read, as :mod:`site` reads them at the start.
    ``last`` is the entry that has to stay behind all others. Nothing changes but the module
    search path.
    """
    import importlib

    for number, entry in enumerate(sys.path):
        if entry == old or entry.startswith(old + os.sep):
            sys.path[number] = new + entry[len(old) :]
    _read_new_path_files(old, new)
    if last in sys.path:
        sys.path.remove(last)
        sys.path.append(last)
    importlib.invalidate_caches()


def move_interpreter(old: str, new: str) -> None:
    """Let ``sys.executable`` and its like name the generation ``new`` instead of ``old``.

    So that a program that is started with them has the packages that this process imports.
    """
    for name in (
        *("executable", "_base_executable", "prefix", "exec_prefix"),
        *("base_prefix", "base_exec_prefix"),
    ):
        value = getattr(sys, name, None)
        if isinstance(value, str) and (value == old or value.startswith(old + os.sep)):
            setattr(sys, name, new + value[len(old) :])


def python_of(prefix: str) -> tuple[str, ...]:
    """Return what stands for the Python of a prefix: its package's records, or its real path."""
    try:
        names = os.listdir(os.path.join(prefix, "conda-meta"))
    except OSError:
        names = []
    records = sorted(n for n in names if n.startswith("python-") and n[7:8].isdigit())
    if records:
        return tuple(records)
    return (os.path.realpath(os.path.join(prefix, "bin", "python")),)


def _step(before: str, after: str | None) -> str:
    if after is None:
        return before + " (removed)"
    return before + (" -> " + after if after != before else " (another build)")


def _stamp(file: str) -> object:
    try:
        status = os.stat(file)
    except OSError:
        return None
    return (status.st_dev, status.st_ino, status.st_mtime_ns, status.st_size)


def _differs(
    before: tuple[str, str, object], after: tuple[str, str, object], old: str, new: str
) -> bool:
    if before[:2] != after[:2]:
        return True
    if before[2] == after[2]:
        return False
    # Copied instead of linked, perhaps: what it was made of is told by the list of its files.
    return old == new or not _same_text(old, new, os.path.join(before[1], "RECORD"))


def _same_text(old: str, new: str, file: str) -> bool:
    if old == new:
        return False
    try:
        with open(os.path.join(old, file), "rb") as one, open(os.path.join(new, file), "rb") as two:
            return one.read() == two.read()
    except OSError:
        return False


def _is_there(site: str, top: str) -> bool:
    try:
        names = os.listdir(site)
    except OSError:
        return False
    return any(name == top or name.partition(".")[0] == top for name in names)


def _files_of(site: str, folder: str) -> set[str]:
    """Return the files of a distribution that its RECORD lists, relative to ``site``."""
    try:
        with open(os.path.join(site, folder, "RECORD"), encoding="utf-8", errors="replace") as file:
            return {os.path.normpath(_path_in(line)) for line in file}
    except OSError:
        return set()


def _path_in(line: str) -> str:
    """Return the path in a line of RECORD, which is in quotes where it has a comma in it."""
    if line.startswith('"'):
        return line[1:].partition('",')[0]
    return line.partition(",")[0]


def _read_new_path_files(old: str, new: str) -> None:
    import site

    known = {os.path.normcase(os.path.abspath(entry)) for entry in sys.path}  # noqa: PTH100
    for name in _path_files(new):
        if name not in _path_files(old) or not _same_text(old, new, name):
            try:
                site.addpackage(new, name, known)
            except Exception as error:
                # A line of it may be code, which may do anything.
                sys.stderr.write(f"kaa: {name} was not read: {error}\n")


def _path_files(site: str) -> Iterable[str]:
    try:
        return sorted(name for name in os.listdir(site) if name.endswith(".pth"))
    except OSError:
        return []
