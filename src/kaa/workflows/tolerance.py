"""What may fail once an environment has changed: it is said, and the change stands."""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING

from kaa.model.errors import KaaError
from kaa.store.disk import writing

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path


@contextmanager
def tolerated(consequence: str, path: Path) -> Iterator[None]:
    """Turn a failure of the block into a warning that begins with its ``consequence``.

    ``path`` is what was being written, for errors of the system.
    """
    try:
        with writing(path):
            yield
    except KaaError as error:
        parts = [f"{consequence}: {error.message}"]
        parts += [f"{label}: {text}" for label, text in _reasons(error) if text]
        import logging

        logging.getLogger(__name__).warning("%s", "\n  ".join(parts))


def _reasons(error: KaaError) -> tuple[tuple[str, str | None], ...]:
    return ("cause", error.cause), ("hint", error.hint)
