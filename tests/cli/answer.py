"""What a command line answered."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any


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
