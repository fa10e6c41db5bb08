"""Many commands on the same environments at the same time: each ends, and the result is whole."""

from __future__ import annotations

import random
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING

import pytest

from end_to_end.machine import PYTHON, kaa, kernels, listed, names, root, unfinished

if TYPE_CHECKING:
    from local_index import LocalIndex


@pytest.mark.parametrize("seed", [1, 2])
def test_creations_and_removals_at_random(index: LocalIndex, seed: int) -> None:
    chance = random.Random(seed)
    for _ in range(3):
        commands = [
            ("create", "-n", name, PYTHON, "bear", "-y")
            if chance.random() < 0.6
            else ("env", "remove", "-n", name, "-y")
            for name in chance.choices("abc", k=5)
        ]
        with ThreadPoolExecutor(len(commands)) as pool:
            answers = list(pool.map(lambda command: kaa(*command), commands))
        for answer in answers:
            # 3: it was there already, or not there (any more).
            assert answer.code in (0, 3), answer.err
            assert "Traceback" not in answer.err
        there = [name for name in names(root() / "envs") if name != ".kaa"] if _made() else []
        for name in there:
            assert kaa("run", "-n", name, "growl").out == "bear 1.0\n"
        assert kernels() == there
        assert sorted(listed()) == [str(root() / "envs" / name) for name in there]
        assert unfinished() == []


def _made() -> bool:
    return (root() / "envs").is_dir()
