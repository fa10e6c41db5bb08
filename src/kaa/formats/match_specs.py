"""Lists of match specs, one a line: what ``conda list --export`` writes."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from kaa.formats.environment_file import Dependency
from kaa.formats.text_file import read_text_file

if TYPE_CHECKING:
    from pathlib import Path

_COMMENT = re.compile(r"(^|\s+)#.*$")


def read_match_specs(path: Path) -> tuple[Dependency, ...]:
    """Return the match specs of a list, with their lines.

    :raises RequestError: it cannot be read.
    """
    text = read_text_file(path, what="list of packages")
    lines = (_COMMENT.sub("", line).strip() for line in text.splitlines())
    return tuple(Dependency(line, number) for number, line in enumerate(lines, 1) if line)
