"""Bytecode of packages, compiled once in the package cache for each Python.

Python compiles a module when it is first imported, which for large packages takes longer than
the import itself. The linker makes hard links, so what is compiled once can be in every environment
at no cost: a *layer* of the cache, ``.compiled/<tag>`` with a tag such as ``cp312``, has entries of
the same names as the cache, each with a lock file beside it. The linker asks it first.

- An entry of a layer is a whole package: hard links of all files of its *base*, the entry of the
  same name in the cache, and beside them the ``__pycache__`` directories (PEP 3147), with all of
  it in ``info/paths.json``. Bytecode is therefore owned by its package, recorded and removed with
  it, like every other file.
- It counts only as long as its base is there, with the same lock file, and is the one that it was
  made of: the two share the inode of ``info/index.json``. Who removes a base or fetches it again
  (``kaa clean``, a repair) need not know of layers: :func:`settled_layer` and
  :func:`clear_orphans` drop what has lost its base; the space is free after the latter.
  What is wrong with an entry of a layer alone is put right by :func:`drop_compiled`.
- Bytecode is valid as long as time and size of its source are those that it names, which hard
  links share and the linker's copies keep. So sources in which the linker writes the prefix are
  left out. Directories of tests are, too: nobody's program imports them, and they are a third of
  all files.
- Python replaces bytecode, it never writes into it: a file that it made anew in an environment is
  no damage to the layer. Where a file is recorded with another hash, that is no damage either if
  it is bytecode: Python checks it by itself.

Who writes here holds the lock of :func:`compiling`; the names of what is unfinished begin as in
the cache itself.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import shutil
import tempfile
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

from kaa.store.locks import locked
from kaa.store.package_cache import STAGING, lock_sha256
from kaa.store.seal import INFO_SEAL, seal_package
from kaa.store.wheel import SITE_PACKAGES

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from kaa.store.layout import Layout

_LAYERS = ".compiled"
_PATHS = Path("info", "paths.json")
_SHARED = Path("info", "index.json")
_TESTS = ("/tests/", "/test/")
_PATIENCE = 1.0
"""Seconds between two looks whether the process that compiles is done."""


class Compiler(Protocol):
    """Compiles modules for one Python."""

    def compile(self, sources: Sequence[tuple[str, str]]) -> Iterable[str]:
        """Compile files and return the paths of the bytecode; what is no Python is passed over.

        A source is its path and the name that is in messages until it is imported.
        """


def layer_of(layout: Layout, version: str) -> Path:
    """Return the layer of the package cache for a version of Python, such as ``3.12.1``."""
    return layout.packages / _LAYERS / f"cp{''.join(version.split('.')[:2])}"


def is_compiled(layout: Layout, layer: Path, entry: str) -> bool:
    """Say whether a layer has an entry that counts."""
    try:
        lock = (layer / f"{entry}.lock").read_bytes()
        base = layout.packages / entry
        return lock == (layout.packages / f"{entry}.lock").read_bytes() and os.path.samestat(
            (layer / entry / _SHARED).stat(), (base / _SHARED).stat()
        )
    except OSError:
        return False


def settled_layer(layout: Layout, version: str, entries: Iterable[str]) -> Path | None:
    """Return the layer if it has any of ``entries``, such that whatever it has of them counts.

    The linker goes by lock files alone, so those of entries that do not count are removed here.
    Where that is not allowed there is no layer.
    """
    layer = layer_of(layout, version)
    if not layer.is_dir():
        return None
    found = False
    for entry in entries:
        lock = layer / f"{entry}.lock"
        if is_compiled(layout, layer, entry):
            found = True
        elif lock.exists():
            try:
                lock.unlink(missing_ok=True)
            except OSError:
                return None
    return layer if found else None


def layers_with(layout: Layout, entry: str) -> list[Path]:
    """Return the layers that have an entry of this name that counts."""
    layers = (layout.packages / _LAYERS).glob("cp*")
    return sorted(layer for layer in layers if is_compiled(layout, layer, entry))


def drop_compiled(layout: Layout, entry: str) -> None:
    """Let the entries of all layers that have this name count no longer. Raises ``OSError``."""
    for lock in (layout.packages / _LAYERS).glob(f"*/{entry}.lock"):
        lock.unlink(missing_ok=True)


@contextmanager
def compiling(layout: Layout, *, wait: bool) -> Iterator[bool]:
    """Say whether this process may write into layers, for the block; one at a time may.

    Without ``wait`` the answer is no while another one does. Raises ``OSError``.
    """
    import filelock

    directory = layout.packages / _LAYERS
    directory.mkdir(parents=True, exist_ok=True)
    lock = filelock.FileLock(directory / ".lock")
    try:
        lock.acquire(timeout=-1 if wait else 0, poll_interval=_PATIENCE)
    except filelock.Timeout:
        yield False
        return
    try:
        yield True
    finally:
        lock.release()


def clear_unfinished(layout: Layout) -> None:
    """Remove what a killed process has left in layers, unless one is at work there."""
    if not (layout.packages / _LAYERS).is_dir():
        return
    with contextlib.suppress(OSError), compiling(layout, wait=False) as alone:
        if alone:
            _clear_unfinished(layout)


def unfinished_in_layers(layout: Layout) -> list[Path]:
    """Return what a killed process has left in layers; none while one is at work there."""
    if not (layout.packages / _LAYERS).is_dir():
        return []
    with contextlib.suppress(OSError), compiling(layout, wait=False) as alone:
        if alone:
            return list((layout.packages / _LAYERS).glob(f"*/{STAGING}*"))
    return []


def clear_orphans(layout: Layout) -> None:
    """Remove the entries of layers that do not count any more, their base being gone or another.

    Nothing happens while another process writes into layers: it does the same. Raises ``OSError``.
    """
    if not (layout.packages / _LAYERS).is_dir():
        return
    with compiling(layout, wait=False) as alone:
        if alone:
            _clear_orphans(layout)


def compile_entries(
    layout: Layout, version: str, entries: Iterable[str], compiler: Compiler
) -> None:
    """Compile those of ``entries`` that the layer for ``version`` lacks.

    To be called within :func:`compiling`. An entry that cannot be compiled now, because its base
    has just been removed, say, is passed over.
    """
    _clear_unfinished(layout)
    _clear_orphans(layout)
    layer = layer_of(layout, version)
    layer.mkdir(parents=True, exist_ok=True)
    for entry in entries:
        if not is_compiled(layout, layer, entry):
            with contextlib.suppress(OSError, ValueError, LookupError, TypeError):
                _compile_entry(layout, layer, entry, compiler)


def _compile_entry(layout: Layout, layer: Path, entry: str, compiler: Compiler) -> None:
    base = layout.packages / entry
    lock = (layout.packages / f"{entry}.lock").read_bytes()
    staging = Path(tempfile.mkdtemp(prefix=STAGING, dir=layer))
    try:
        shutil.copytree(base, staging, symlinks=True, copy_function=os.link, dirs_exist_ok=True)
        staging.chmod(0o755)  # mkdtemp's is for the owner alone
        listing = json.loads((staging / _PATHS).read_bytes())
        sources = [
            (str(staging / path), path[len(SITE_PACKAGES) + 1 :])
            for path in _to_compile(listing["paths"])
        ]
        made = compiler.compile(sources)
        listing["paths"] += [_listed(Path(path), staging) for path in made]
        # The link to the base's own goes first: its content is the base's.
        for name in (_PATHS, Path(INFO_SEAL)):
            (staging / name).unlink(missing_ok=True)
        (staging / _PATHS).write_bytes(json.dumps(listing).encode())
        seal_package(staging, lock_sha256(layout.packages / f"{entry}.lock") or "")
        _put_in_place(layout, layer, entry, staging, lock)
    finally:
        if staging.exists():
            shutil.rmtree(staging, ignore_errors=True)


def _to_compile(paths: Iterable[dict[str, Any]]) -> Iterator[str]:
    known = {entry["_path"] for entry in paths}
    if any(path.endswith(".pyc") for path in known):
        return  # its builder has seen to it
    for entry in paths:
        path: str = entry["_path"]
        if (
            path.startswith(f"{SITE_PACKAGES}/")
            and path.endswith(".py")
            and entry.get("path_type") == "hardlink"
            and not entry.get("prefix_placeholder")
            and not any(tests in path for tests in _TESTS)
        ):
            yield path


def _listed(path: Path, root: Path) -> dict[str, Any]:
    content = path.read_bytes()
    return {
        "_path": path.relative_to(root).as_posix(),
        "path_type": "hardlink",
        "sha256": hashlib.sha256(content).hexdigest(),
        "size_in_bytes": len(content),
    }


def _put_in_place(layout: Layout, layer: Path, entry: str, staging: Path, lock: bytes) -> None:
    final, final_lock = layer / entry, layer / f"{entry}.lock"
    base = layout.packages / entry
    with locked(layout, "packages"):  # nobody exchanges the base meanwhile
        if lock != (layout.packages / f"{entry}.lock").read_bytes() or not os.path.samestat(
            (staging / _SHARED).stat(), (base / _SHARED).stat()
        ):
            return
        if final.exists():
            final_lock.unlink(missing_ok=True)
            _remove(final)
        staging.replace(final)
        final_lock.write_bytes(lock)  # last, because an entry counts from here on


def _clear_unfinished(layout: Layout) -> None:
    for path in (layout.packages / _LAYERS).glob(f"*/{STAGING}*"):
        shutil.rmtree(path, ignore_errors=True)


def _clear_orphans(layout: Layout) -> None:
    for layer in (layout.packages / _LAYERS).iterdir():
        if not layer.is_dir():
            continue
        for path in list(layer.iterdir()):
            entry = path.name if path.is_dir() else path.name[: -len(".lock")]
            if not entry.startswith(STAGING) and not is_compiled(layout, layer, entry):
                (layer / f"{entry}.lock").unlink(missing_ok=True)
                _remove(layer / entry)


def _remove(entry: Path) -> None:
    """Remove a directory, out of sight first: half of one must not have a package's name."""
    if entry.exists():
        doomed = Path(tempfile.mkdtemp(prefix=STAGING, dir=entry.parent))
        entry.replace(doomed)
        shutil.rmtree(doomed, ignore_errors=True)
