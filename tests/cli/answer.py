"""What a command line answered."""

from __future__ import annotations

import json
import sys
from dataclasses import dataclass
from typing import Any

PYTHON = f"python={sys.version_info.major}.{sys.version_info.minor}"
"""The spec of the Python that runs the tests, which a command finds on this machine."""


@dataclass(frozen=True, slots=True)
class Answer:
    code: int
    out: str
    err: str

    @property
    def json(self) -> Any:
        answer = json.loads(self.out)
        assert isinstance(answer, (dict, list))
        return answer
