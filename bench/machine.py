"""What the figures were measured on, without the names of hosts or directories."""

from __future__ import annotations

import os
import platform
from pathlib import Path


def describe_machine(directory: Path) -> dict[str, str]:
    """Return the processor, its cores, the system and the file system that ``directory`` is on."""
    load = ", ".join(f"{value:.1f}" for value in os.getloadavg())
    return {
        "CPU": _processor(),
        "cores": str(_cores()),
        "system": f"{platform.system()} {platform.release()}",
        "file system": _file_system(directory),
        "load before": load,
    }


def _processor() -> str:
    try:
        text = Path("/proc/cpuinfo").read_text(encoding="utf-8")
    except OSError:
        return platform.processor() or platform.machine()
    names = [line.partition(":")[2] for line in text.splitlines() if line.startswith("model name")]
    return names[0].strip() if names else platform.machine()


def _cores() -> int:
    affinity = getattr(os, "sched_getaffinity", None)  # what this process may use; Linux only
    return len(affinity(0)) if affinity else os.cpu_count() or 1


def _file_system(directory: Path) -> str:
    """Return the type of the file system, from the longest mount point above ``directory``."""
    try:
        text = Path("/proc/self/mounts").read_text(encoding="utf-8")
    except OSError:
        return "unknown"
    where = directory.resolve()
    found = ("", "unknown")
    for line in text.splitlines():
        _, point, kind, *_ = line.split(" ")
        point = point.encode().decode("unicode_escape")  # blanks are written as \040
        if where.is_relative_to(point):
            found = max(found, (point, kind), key=lambda mount: len(mount[0]))
    return found[1]
