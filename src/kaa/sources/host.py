"""The interpreters of this machine, offered to the solver as ``python`` records.

findpython knows the places where interpreters are (PATH, pyenv, asdf, rye, uv, the Windows
registry, macOS frameworks). Each one is asked once what it is; the answer is kept until the file
changes.
"""

from __future__ import annotations

import ast
import contextlib
import json
import subprocess
import sys
import zlib
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime, timezone
from pathlib import Path
from typing import TYPE_CHECKING, Any

from kaa.model.package import HOST, channel_url
from kaa.store.disk import replace_file
from kaa.store.host_python import HostPython

if TYPE_CHECKING:
    from collections.abc import Sequence

    from rattler import PackageName, RepoDataRecord, Subdir

    from kaa.store.layout import Layout

OLDEST = (3, 8)
"""The oldest Python that environments are made with: the oldest that ipykernel still runs on."""
_QUESTION = """
import sys
print(ascii({
    "version": sys.version.split()[0],
    "implementation": sys.implementation.name,
    "free_threaded": "free-threading" in sys.version,
    "executable": getattr(sys, "_base_executable", None) or sys.executable,
    "prefix": sys.base_prefix,
}))
"""
# Of sys alone: what else is imported there takes as long as the interpreter itself.
_KEYS = frozenset({"version", "implementation", "free_threaded", "executable", "prefix"})
_NOT_NOW: dict[str, Any] = {}
"""The answer of an interpreter that did not come to give one: it is asked again next time."""
_TIMEOUT = 10.0
"""Seconds after which an interpreter that does not answer counts as broken."""


def find_host_pythons(layout: Layout) -> tuple[HostPython, ...]:
    """Return this machine's usable CPythons, newest first, one for each full version."""
    memory = layout.metadata / "interpreters.json"
    remembered = _remembered(memory)
    files = {str(path): _fingerprint(path) for path in _candidates()}
    unknown = [path for path, mark in files.items() if _mark(remembered.get(path)) != mark]
    if unknown:
        with ThreadPoolExecutor(4) as pool:
            answers = dict(zip(unknown, pool.map(_ask, unknown), strict=True))
        remembered = {path: remembered[path] for path in files if path not in answers} | {
            path: {"mark": files[path], "answer": answer} for path, answer in answers.items()
        }
        _remember(memory, remembered)
    found: dict[str, HostPython] = {}
    for path in files:  # in order of discovery: the first of a version is the one on PATH
        python = _usable(remembered[path]["answer"])
        if python is not None:
            found.setdefault(python.version, python)
    return tuple(sorted(found.values(), key=lambda python: _numbers(python.version), reverse=True))


def ask_host_python(python: Path) -> HostPython | None:
    """Ask one interpreter what it is, also one that is an environment's: it counts as its own base.

    None for one that no environment is made with: not CPython, free-threaded, or too old.
    """
    return _usable(_ask(str(python)))


def host_python(interpreter: Path) -> HostPython | None:
    """Return the interpreter that a program is, or that a virtual environment's is a copy of.

    None for what does not start, and for what environments cannot be made with (:data:`OLDEST`).
    """
    try:
        real = interpreter.resolve(strict=True)
        python = ask_host_python(real)
        if python is not None and (base := python.executable.resolve()) != real:
            python = ask_host_python(base)
    except (OSError, RuntimeError):
        return None
    return python


def _candidates() -> list[Path]:
    from findpython.providers import ALL_PROVIDERS

    paths = [Path(getattr(sys, "_base_executable", None) or sys.executable)]
    for kind in ALL_PROVIDERS.values():
        provider = kind.create()
        if provider is not None:
            paths += [version.executable for version in provider.find_pythons()]
    found: dict[Path, None] = {}
    for path in paths:
        try:
            real = path.resolve(strict=True)
            if not real.is_file():  # to open a pipe would wait for its other end
                continue
            with real.open("rb") as file:
                script = file.read(2) == b"#!"
        except (OSError, RuntimeError):  # the latter for links in a circle, before Python 3.13
            continue
        # A script answers for whatever it starts from where it stands (pyenv's shims do): what it
        # would start is found by its own path.
        if not script:
            found.setdefault(real)
    return list(found)


def _fingerprint(path: Path) -> list[int]:
    """Return what an answer is remembered for: this file, and the question that it was asked."""
    status = path.stat()
    return [status.st_mtime_ns, status.st_size, status.st_ino, zlib.crc32(_QUESTION.encode())]


def _ask(path: str) -> dict[str, Any] | None:
    try:
        process = subprocess.run(
            [path, "-I", "-S", "-c", _QUESTION],
            capture_output=True,
            timeout=_TIMEOUT,
            check=True,
            text=True,
            start_new_session=True,  # Ctrl-C is for kaa
        )
        answer = ast.literal_eval(process.stdout.strip())
    except (OSError, subprocess.TimeoutExpired):
        return _NOT_NOW
    except subprocess.CalledProcessError as error:
        return _NOT_NOW if error.returncode < 0 else None  # a signal's end is no answer
    except (ValueError, SyntaxError):
        return None
    return answer if isinstance(answer, dict) and answer.keys() >= _KEYS else None


def _mark(remembered: Any) -> list[int] | None:
    """Return the fingerprint in an entry of the memory file, None for what is no such entry."""
    if not isinstance(remembered, dict) or "answer" not in remembered:
        return None
    answer = remembered["answer"]
    known = answer is None or (isinstance(answer, dict) and answer.keys() >= _KEYS)
    return remembered.get("mark") if known else None


def _usable(answer: dict[str, Any] | None) -> HostPython | None:
    if not answer or answer["implementation"] != "cpython" or answer["free_threaded"]:
        return None
    version: str = answer["version"]
    if not version.replace(".", "").isdigit() or _numbers(version)[:2] < OLDEST:
        return None
    return HostPython(version, Path(answer["executable"]), Path(answer["prefix"]))


def _numbers(version: str) -> tuple[int, ...]:
    return tuple(int(part) for part in version.split("."))


def _remembered(memory: Path) -> dict[str, Any]:
    try:
        content = json.loads(memory.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}
    return content if isinstance(content, dict) else {}


def _remember(memory: Path, content: dict[str, Any]) -> None:
    with contextlib.suppress(OSError):  # a memory that cannot be written costs time, nothing else
        replace_file(memory, json.dumps(content).encode())


_ALWAYS = datetime(1970, 1, 2, tzinfo=timezone.utc)
"""An interpreter that is here is not too young for anything; without a time it would be."""


class HostSource:
    """The ``RepoDataSource`` of this machine's interpreters."""

    def __init__(self, pythons: Sequence[HostPython]) -> None:
        self._records = {python.version: host_record(python) for python in pythons}

    async def fetch_package_records(
        self, platform: Subdir, name: PackageName
    ) -> list[RepoDataRecord]:
        """Return the ``python`` records (rattler's protocol)."""
        if name.normalized != "python" or str(platform) != "noarch":
            return []
        return list(self._records.values())

    def package_names(self, platform: Subdir) -> list[str]:
        """Return ``python`` (rattler's protocol)."""
        return ["python"] if str(platform) == "noarch" else []


def host_record(python: HostPython) -> RepoDataRecord:
    """Return the ``python`` record of an interpreter of this machine."""
    from rattler import PackageRecord, RepoDataRecord
    from rattler.package import BuildString

    record = PackageRecord(
        "python",
        python.version,
        BuildString(python.build),
        0,
        "noarch",
        sha256=bytes.fromhex(python.sha256),
        size=0,
        python_site_packages_path=python.site_packages,
    )
    record.timestamp = _ALWAYS
    return RepoDataRecord(
        record,
        f"python-{python.version}-{python.build}.conda",
        python.executable.as_uri(),
        channel_url(HOST),
    )
