"""How long explanations take: requests that have no answer, refused and explained in turns.

    python bench/explain_refusals.py CHANNEL REPETITIONS [--show]

Prints a JSON object: for each request the seconds, in all and of CPU time, of each attempt to
solve it (``refused``) and of each whole explanation, that attempt included (``explained``).
With ``--show`` it prints the explanations instead.
"""

from __future__ import annotations

import asyncio
import json
import os
import sys
import time
from typing import TYPE_CHECKING

from kaa.model.errors import KaaError, SolveError
from kaa.model.options import SolveOptions
from kaa.model.progress import Silent
from kaa.solver.solve import Refusal, attempt, solve
from kaa.solver.specs import parse_spec
from kaa.store.layout import default_layout
from kaa.workflows.options import question
from kaa.workflows.supply import open_supply

if TYPE_CHECKING:
    from kaa.solver.request import Catalog, SolveRequest

PLATFORM = "linux-64"
MACHINE = ("__glibc=2.36", "__linux=6.1", "__unix=0", "__archspec=x86_64")
"""Virtual packages of an ordinary machine without a GPU."""
REQUESTS = {
    "two versions": (
        "python=3.12 numpy=1.26 pandas=2.2 scikit-learn numba=0.58 jupyterlab matplotlib scipy "
        "requests pyyaml"
    ),
    "python too new": (
        "python=3.14 numpy pandas=2.1 scikit-learn jupyterlab matplotlib scipy requests pyyaml tqdm"
    ),
    "python too old": (
        "python=3.8 numpy pandas=2.2 scikit-learn=1.5 jupyterlab matplotlib scipy requests pyyaml "
        "tqdm"
    ),
    "virtual package": (
        "python=3.12 numpy pandas scikit-learn jupyterlab matplotlib scipy requests cuda-version "
        "pytorch=*=cuda*"
    ),
    "deep": (
        "python=3.12 openssl=1.1 numpy pandas scikit-learn jupyterlab matplotlib scipy requests "
        "pyyaml"
    ),
    "no such version": (
        "python=3.12 numpy=9 pandas scikit-learn jupyterlab matplotlib scipy requests pyyaml tqdm"
    ),
    "two conflicts": (
        "python=3.12 jupyterlab=3 notebook=7 numpy=1.26 numba=0.58 pandas=2.2 scikit-learn "
        "matplotlib scipy requests"
    ),
}


async def main(channel: str, repetitions: int, *, show: bool) -> None:
    options = SolveOptions(sources=(channel,), platform=PLATFORM, overrides=MACHINE)
    found = {}
    async with open_supply(default_layout(), options, Silent()) as supply:
        for name, text in REQUESTS.items():
            specs = tuple(map(parse_spec, text.split()))
            asked = question(options, specs, supply.sources(specs))
            error = await _explained(asked, supply.catalog)  # the gateway knows the names now
            if show:
                print(f"{name}: {text}\n{error.message}\n{error.cause}\n{error.hint}\n")
                continue
            found[name] = await _timed(asked, supply.catalog, repetitions)
    if not show:
        print(json.dumps(found))


async def _timed(
    asked: SolveRequest, catalog: Catalog, repetitions: int
) -> dict[str, list[tuple[float, float]]]:
    refused, explained = [], []
    for _ in range(repetitions):
        began = _now()
        if not isinstance(await attempt(asked, catalog), Refusal):
            raise SystemExit("a request has an answer now, the times say nothing")
        refused.append(_since(began))
        began = _now()
        await _explained(asked, catalog)
        explained.append(_since(began))
    return {"refused": refused, "explained": explained}


async def _explained(asked: SolveRequest, catalog: Catalog) -> KaaError:
    try:
        await solve(asked, catalog)
    except SolveError as error:
        return error
    raise SystemExit("a request has an answer now, the times say nothing")


def _now() -> tuple[float, float]:
    return time.perf_counter(), time.process_time()


def _since(began: tuple[float, float]) -> tuple[float, float]:
    return time.perf_counter() - began[0], time.process_time() - began[1]


if __name__ == "__main__":
    asyncio.run(main(sys.argv[1], int(sys.argv[2]), show="--show" in sys.argv))
    sys.stdout.flush()
    os._exit(0)  # one in a hundred processes that used rattler 0.28 dies at its exit
