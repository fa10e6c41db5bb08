"""The peer of a solve: the least that a program has to do to solve with rattler.

python bench/bare_solve.py [--list] CHANNEL CACHE SPEC...

Prints the seconds that ``rattler.solve`` took, in all and of CPU time; with ``--list`` name,
version and build of each package, too.
"""

import asyncio
import os
import sys
import time
from pathlib import Path

import rattler


async def main(channel: str, cache: str, *specs: str) -> list[rattler.RepoDataRecord]:
    gateway = rattler.Gateway(cache_dir=Path(cache))
    began, cpu = time.perf_counter(), time.process_time()
    records = await rattler.solve(
        [rattler.Channel(channel)],
        specs,
        gateway=gateway,
        platforms=["linux-64", "noarch"],
        virtual_packages=rattler.VirtualPackage.detect(),
    )
    print(time.perf_counter() - began, time.process_time() - cpu)
    return records


listed = sys.argv[1] == "--list"
answer = asyncio.run(main(*sys.argv[1 + listed :]))
if listed:
    for record in answer:
        print(record.name.normalized, record.version, record.build)
sys.stdout.flush()
os._exit(0)  # one in a hundred processes that used rattler 0.28 dies at its exit
