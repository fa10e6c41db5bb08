"""The records of a generation are sealed when it is complete, since nothing else vouches for them.

What conda or a person writes into ``conda-meta`` afterwards shows: kaa makes a new generation for
every change, and never writes into one that is complete.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from kaa.environments.prefix import OWN
from kaa.store.seal import seal_files

if TYPE_CHECKING:
    from pathlib import Path

SEAL = (OWN / "records-seal.json").as_posix()


def seal_records(generation: Path) -> None:
    """Seal the records of a generation and what kaa keeps beside them. Raises ``OSError``."""
    found = [*generation.glob("conda-meta/*.json"), *(generation / OWN).glob("*.json")]
    names = [path.relative_to(generation).as_posix() for path in found]
    seal_files(generation, [name for name in names if name != SEAL], SEAL)
