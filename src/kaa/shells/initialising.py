"""``kaa init`` and back: which files change and how, shown first and then done as a whole.

Every file is replaced in one step; if one of several cannot be, those before it become again what
they were.
"""

from __future__ import annotations

import contextlib
import os
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from kaa.model.errors import NotWritableError, UnsupportedError
from kaa.shells.autorun import PLACE, with_hook, without_hook
from kaa.shells.blocks import has_block, with_block, without_block
from kaa.shells.hooking import hook_file, hook_text
from kaa.shells.start_files import block_lines, start_files

if TYPE_CHECKING:
    from collections.abc import Sequence

    from kaa.shells.autorun import AutoRun
    from kaa.shells.start_files import Home
    from kaa.store.layout import Layout


@dataclass(frozen=True, slots=True)
class Edit:
    """One file before and after, None where it is not there. ``shell`` is whose it is.

    Without ``path`` it is cmd's value in the registry. ``own`` says that all of it is kaa's.
    """

    shell: str
    path: Path | None
    before: bytes | None
    after: bytes | None
    own: bool = False

    @property
    def place(self) -> str:
        """What is edited, for a user."""
        return PLACE if self.path is None else str(self.path)

    @property
    def action(self) -> str:
        """``create``, ``change``, ``remove`` or ``none``."""
        if self.before == self.after:
            return "none"
        if self.before is None:
            return "create"
        return "remove" if self.after is None else "change"

    def diff(self) -> str:
        """Return what changes, as a unified diff."""
        import difflib

        before, after = (_lines(content) for content in (self.before, self.after))
        old, new = (self.place if lines else os.devnull for lines in (before, after))
        return "".join(
            line if line.endswith("\n") else f"{line}\n\\ No newline at end of file\n"
            for line in difflib.unified_diff(before, after, old, new)
        )


def plan_init(
    layout: Layout, shells: Sequence[str], home: Home, registry: AutoRun | None
) -> list[Edit]:
    """Return what initialising these shells changes: the hooks, then the start files.

    Raises :class:`~kaa.model.errors.EnvironmentStateError` for a block that is not whole,
    NotWritableError, and UnsupportedError for cmd where there is none.
    """
    edits = []
    for shell in shells:
        hook = hook_file(layout, shell)
        text = hook_text(shell).encode("utf-8", "surrogateescape")
        edits.append(Edit(shell, hook, _read(hook), text, own=True))
    for shell in shells:
        hook = hook_file(layout, shell)
        if shell == "cmd":
            edits.append(_registry_edit(registry, hook))
        for path in start_files(shell, home):
            before = _read(path)
            after = with_block(before, block_lines(shell, hook), path)
            edits.append(Edit(shell, path, before, after))
    return edits


def plan_deinit(
    layout: Layout, shells: Sequence[str], home: Home, registry: AutoRun | None
) -> list[Edit]:
    """Return what takes all that back, which is nothing for shells never initialised."""
    edits = []
    for shell in shells:
        for path in start_files(shell, home):
            before = _read(path)
            if before is not None and has_block(before):
                edits.append(Edit(shell, path, before, without_block(before, path)))
        hook = hook_file(layout, shell)
        if shell == "cmd" and registry is not None:
            value = registry.read()
            left = without_hook(value, hook)
            if left != value:
                edits.append(Edit(shell, None, _bytes(value), _bytes(left)))
        text = _read(hook)
        if text is not None:
            edits.append(Edit(shell, hook, text, None, own=True))
    return edits


def apply(edits: Sequence[Edit], registry: AutoRun | None) -> None:
    """Do what was planned. Raises StoreErrors (NotWritableError); then nothing has changed."""
    edits = [edit for edit in edits if edit.action != "none"]
    for edit in edits:
        if edit.path is not None:
            _check_writable(edit.path, edit)
    done: list[Edit] = []
    try:
        for edit in edits:
            _put(edit, edit.after, registry)
            done.append(edit)
    except BaseException:
        for edit in reversed(done):
            with contextlib.suppress(OSError, NotWritableError):
                _put(edit, edit.before, registry)
        raise


def _registry_edit(registry: AutoRun | None, hook: Path) -> Edit:
    if registry is None:
        raise UnsupportedError("there is no cmd on this machine", hint="leave it out")
    value = registry.read()
    return Edit("cmd", None, _bytes(value), _bytes(with_hook(value, hook)))


def _put(edit: Edit, content: bytes | None, registry: AutoRun | None) -> None:
    from kaa.store.disk import rewrite_file, writing

    if edit.path is None:
        assert registry is not None
        registry.write(None if content is None else content.decode("utf-8", "surrogateescape"))
        return
    target = Path(os.path.realpath(edit.path))
    with writing(target):
        if content is None:
            target.unlink(missing_ok=True)
            if edit.own:
                with contextlib.suppress(OSError):
                    target.parent.rmdir()
            return
        rewrite_file(target, content)


def _read(path: Path) -> bytes | None:
    try:
        return path.read_bytes()
    except (FileNotFoundError, NotADirectoryError):
        return None
    except OSError as error:
        raise NotWritableError(
            f"{path} cannot be read",
            cause=error.strerror,
            hint="make it a file that you may read and write, or name other shells",
        ) from error


def _check_writable(path: Path, edit: Edit) -> None:
    """Raise NotWritableError if a file must not be replaced.

    Permissions bind root, too: who made a start file read-only meant it.
    """
    from kaa.store.disk import check_writable

    target = Path(os.path.realpath(path))
    if target.exists():
        mode = target.stat().st_mode
        if not (os.access(target, os.W_OK) and mode & 0o222):
            raise _read_only(path, target, "it is read-only", edit)
    try:
        check_writable(target.parent)
    except NotWritableError as error:
        raise _read_only(path, target, error.cause or error.message, edit) from error


def _read_only(path: Path, target: Path, cause: str, edit: Edit) -> NotWritableError:
    there = cause if target == path else f"it is a link to {target}: {cause}"
    hint = "make it writable, or use kaa in one shell only: `kaa hook --help` shows how"
    if edit.after is not None and not edit.own:
        hint = f"make it writable, or have these lines in it some other way:\n{_own_lines(edit)}"
    return NotWritableError(f"{path} cannot be changed", cause=there, hint=hint)


def _own_lines(edit: Edit) -> str:
    added = (line for line in edit.diff().splitlines() if line.startswith("+"))
    return "\n".join(line[1:] for line in added if not line.startswith("+++"))


def _lines(content: bytes | None) -> list[str]:
    if content is None:
        return []
    encoding = "utf-16" if content.startswith((b"\xff\xfe", b"\xfe\xff")) else "utf-8"
    return content.decode(encoding, "replace").splitlines(keepends=True)


def _bytes(value: str | None) -> bytes | None:
    return None if value is None else value.encode("utf-8", "surrogateescape")
