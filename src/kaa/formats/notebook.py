"""Notebooks (nbformat 4): a change to the metadata leaves every other byte of the file as it was.

Programs write the same notebook with different indents and escapes; whichever a file has, it keeps.
"""

from __future__ import annotations

import json
from itertools import product
from typing import TYPE_CHECKING, Any

from kaa.model.errors import RequestError
from kaa.store.disk import rewrite_file

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

_INDENTS: tuple[int | str | None, ...] = (1, 2, 4, "\t", None)
"""nbformat's own first: it is what nearly all notebooks have."""


def read_notebook(path: Path) -> dict[str, Any]:
    """Return a notebook. Raises RequestError for what cannot be read, and what is none."""
    try:
        content = json.loads(path.read_bytes())
    except OSError as error:
        raise _refused(path, error.strerror or str(error)) from None
    except (ValueError, RecursionError):
        raise _refused(path, "it is not JSON") from None
    if not isinstance(content, dict) or "nbformat" not in content:
        raise _refused(path, "it has no nbformat")
    return content


def write_metadata(path: Path, key: str, value: Mapping[str, Any]) -> None:
    """Replace one key of a notebook's metadata, or put it where it belongs in order, at once.

    Raises RequestError for what cannot be read or written, and what is no notebook.
    """
    content = read_notebook(path)
    metadata = content.get("metadata")
    if not isinstance(metadata, dict):
        raise _refused(path, "it has no metadata")
    try:
        text = path.read_bytes().decode("utf-8-sig")
        style = _style_of(text, content)
        known = list(metadata)
        metadata[key] = dict(value)
        if known == sorted(known):
            content["metadata"] = dict(sorted(metadata.items()))
        end = text[len(text.rstrip()) :]
        rewrite_file(path, (json.dumps(content, **style) + end).encode())
    except OSError as error:
        raise _refused(path, error.strerror or str(error)) from None


def _style_of(text: str, content: Mapping[str, Any]) -> dict[str, Any]:
    """Return the options with which ``json`` writes a notebook as it is; else nbformat's."""
    for indent, ascii_only in product(_INDENTS, (False, True)):
        style = {"indent": indent, "ensure_ascii": ascii_only}
        if json.dumps(content, **style) == text.rstrip():  # type: ignore[arg-type]
            return style
    return {"indent": 1, "ensure_ascii": False}


def _refused(path: Path, reason: str) -> RequestError:
    return RequestError(
        f"the notebook {path} cannot be used",
        cause=reason,
        hint="check the path, and that the file is a notebook",
    )
