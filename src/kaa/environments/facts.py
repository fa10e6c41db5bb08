"""What an environment's own files say of it. Nothing in it is run, nor imported.

The layouts are those of conda (``conda-meta``), PEP 405 (``pyvenv.cfg``) and of plain interpreters.
"""

# Paths are plain texts here, as in kaa.environments.finders and for its reason.
# ruff: noqa: PTH110, PTH112, PTH113, PTH116, PTH118, PTH119, PTH123, PTH208

from __future__ import annotations

import json
import os
import re
from typing import TYPE_CHECKING, Any

from kaa.environments.binaries import architecture_of
from kaa.model.discovered import Facts, InnerKernel, Maker

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

OLDEST = (3, 8)
"""The oldest Python that the shared kernel is made for."""
KERNELS = ("share", "jupyter", "kernels")
_BIN, _SCRIPTS = (f"{os.sep}{name}" for name in ("bin", "Scripts"))
_TELLING = tuple(os.sep + name for name in ("conda-meta", "pyvenv.cfg", os.path.join(*KERNELS)))
_PYTHON_RECORD = re.compile(r"python-(\d+\.\d+(?:\.\d+)?[^-]*)-[^-]+\.json")
_OTHER_RECORD = re.compile(r"(r-base|julia)-[^-]+-[^-]+\.json")
_LANGUAGES = {"r-base": "r", "julia": "julia"}
_MANIFEST = os.path.join("conda-meta", "kaa", "manifest.json")
_LARGEST = 1 << 20
"""Bytes of a ``kernel.json`` or ``pyvenv.cfg`` beyond which it is none."""


def read_facts(prefix: str, architecture: str | None, *, windows: bool = False) -> Facts | None:
    """Return what the files of a prefix say; None where it is no environment.

    ``architecture`` is this machine's, as ``platform.machine`` has it; None does not look.
    """
    records = _names(os.path.join(prefix, "conda-meta"))
    settings = virtual_settings(prefix)
    if records is None and settings is None and not _has_interpreter(prefix, windows):
        return _unreadable(prefix)
    python, folder = _python(prefix, records or [], settings, windows)
    packages = _packages_directory(prefix, folder, windows) if python else None
    kernels = tuple(_kernels(prefix))
    own = packages is not None and os.path.isfile(os.path.join(packages, "ipykernel_launcher.py"))
    others = [found[1] for name in records or [] if (found := _OTHER_RECORD.fullmatch(name))]
    languages = dict.fromkeys(
        [
            *(["python"] if python else []),
            *(_LANGUAGES[name] for name in others),
            *(kernel.language.lower() for kernel in kernels),
        ]
    )
    facts = Facts(
        python=python,
        interpreter=interpreter(prefix, windows=windows) if python else None,
        packages_directory=packages,
        own_ipykernel=own,
        languages=tuple(language for language in languages if language),
        kernels=kernels,
        maker=_maker(prefix, records, settings),
        last_used=_last_used(prefix, folder),
    )
    problem = _problem(prefix, facts, architecture, windows=windows)
    return facts if problem is None else _with_problem(facts, problem)


def marks(
    status: os.stat_result, prefix: str, facts: Facts | None, *, windows: bool = False
) -> tuple[int, ...]:
    """Return numbers that change when what :func:`read_facts` would say may have changed.

    They are times of modification, in nanoseconds, of the files and directories that ``facts``
    hang on; they hold as long as these do. ``status`` is that of the prefix.
    """
    if facts is None:
        # An environment is told by what is in the prefix itself, or by an interpreter.
        folder = _SCRIPTS if windows else _BIN
        return (status.st_mtime_ns, _modified(f"{prefix}{folder}"))
    paths = [f"{prefix}{name}" for name in _TELLING]
    if facts.python is not None:
        # What the link leads to
        paths.append(facts.interpreter or interpreter(prefix, windows=windows))
    if facts.packages_directory is not None:
        paths.append(facts.packages_directory)
    paths += [f"{kernel.directory}{os.sep}kernel.json" for kernel in facts.kernels]
    return (status.st_mtime_ns, *map(_modified, paths))


def _modified(path: str) -> int:
    try:
        return os.stat(path).st_mtime_ns
    except OSError:
        return 0


def _names(directory: str) -> list[str] | None:
    try:
        return os.listdir(directory)
    except OSError:
        return None


def virtual_settings(prefix: str) -> dict[str, str] | None:
    """Return what ``pyvenv.cfg`` (PEP 405) says, keys in lower case; None where there is none."""
    try:
        with open(os.path.join(prefix, "pyvenv.cfg"), encoding="utf-8", errors="replace") as stream:
            lines = stream.read(_LARGEST).splitlines()
    except OSError:
        return None
    pairs = (line.partition("=") for line in lines if "=" in line)
    return {name.strip().lower(): value.strip() for name, _, value in pairs}


def _has_interpreter(prefix: str, windows: bool) -> bool:
    return os.path.lexists(interpreter(prefix, windows=windows))


def interpreter(prefix: str, *, windows: bool = False) -> str:
    """Return the path of a prefix's Python, whether it is there or not."""
    if windows:
        for path in ("python.exe", os.path.join("Scripts", "python.exe")):
            if os.path.lexists(os.path.join(prefix, path)):
                return os.path.join(prefix, path)
        return os.path.join(prefix, "python.exe")
    for name in ("python", "python3"):
        if os.path.lexists(os.path.join(prefix, "bin", name)):
            return os.path.join(prefix, "bin", name)
    return os.path.join(prefix, "bin", "python")


def _unreadable(prefix: str) -> Facts | None:
    """Say of a directory that is shut to this user that nobody knows; None of all others."""
    if os.path.isdir(prefix) and not os.access(prefix, os.R_OK | os.X_OK):
        return Facts(problem="it cannot be read by this user")
    return None


def _python(
    prefix: str, records: Iterable[str], settings: Mapping[str, str] | None, windows: bool
) -> tuple[str | None, str]:
    """Return Python's full version and the name of its library directory (``python3.12``)."""
    version = next((m[1] for name in records if (m := _PYTHON_RECORD.fullmatch(name))), None)
    if version is None and settings is not None:
        version = settings.get("version") or settings.get("version_info") or ""
        version = next(iter(re.findall(r"\d+\.\d+(?:\.\d+)?", version)), None)
    folders = [
        name
        for name in _names(os.path.join(prefix, "lib")) or []
        if re.fullmatch(r"python\d+\.\d+t?", name)
    ]
    if version is None:
        version = _from_interpreter(prefix, folders, windows)
    if version is None:
        return None, ""
    minor = "python" + ".".join(version.split(".")[:2])
    return version, f"{minor}t" if f"{minor}t" in folders and minor not in folders else minor


def _from_interpreter(prefix: str, folders: list[str], windows: bool) -> str | None:
    """Return the version that an interpreter's name says, or else the newest library."""
    if not _has_interpreter(prefix, windows):
        return None
    name = os.path.basename(os.path.realpath(interpreter(prefix, windows=windows)))
    found = re.search(r"(\d+\.\d+)", name)
    if found:
        return found[1]
    if windows:
        names = _names(prefix) or []
        dll = [m for each in names if (m := re.fullmatch(r"python(\d)(\d+)\.dll", each.lower()))]
        return f"{dll[0][1]}.{dll[0][2]}" if dll else None
    minors = [folder[len("python") :].rstrip("t") for folder in folders]
    return max(minors, key=lambda minor: [int(part) for part in minor.split(".")], default=None)


def _packages_directory(prefix: str, folder: str, windows: bool) -> str:
    if windows:
        return os.path.join(prefix, "Lib", "site-packages")
    own = os.path.join(prefix, "lib", folder, "site-packages")
    debian = os.path.join(prefix, "lib", "python3", "dist-packages")
    return debian if not os.path.isdir(own) and os.path.isdir(debian) else own


def _kernels(prefix: str) -> Iterable[InnerKernel]:
    directory = os.path.join(prefix, *KERNELS)
    for name in sorted(_names(directory) or []):
        content = _kernel_json(os.path.join(directory, name, "kernel.json"))
        argv = content.get("argv")
        if isinstance(argv, list) and argv and all(isinstance(word, str) for word in argv):
            yield InnerKernel(
                name,
                os.path.join(directory, name),
                str(content.get("display_name") or name),
                str(content.get("language") or ""),
                tuple(argv),
                _table(content.get("metadata")),
                "message" if content.get("interrupt_mode") == "message" else "signal",
                {key: str(value) for key, value in _table(content.get("env")).items()},
            )


def _table(value: object) -> dict[str, Any]:
    return {str(key): each for key, each in value.items()} if isinstance(value, dict) else {}


def _kernel_json(file: str) -> dict[str, object]:
    """Return the content of a kernelspec; empty for what is none, which Jupyter ignores as well."""
    try:
        with open(file, encoding="utf-8") as stream:
            content = json.loads(stream.read(_LARGEST))
    except (OSError, ValueError, RecursionError):
        return {}
    return content if isinstance(content, dict) else {}


def _maker(
    prefix: str, records: list[str] | None, settings: Mapping[str, str] | None
) -> str | None:
    """Return who made it, where its own files say so."""
    if records is not None:
        if "kaa" in records and os.path.isfile(os.path.join(prefix, _MANIFEST)):
            return Maker.KAA.value
        return Maker.PIXI.value if "pixi" in records else Maker.CONDA.value
    if settings is None:
        return None
    if "uv" in settings:
        return Maker.UV.value
    if os.path.isfile(os.path.join(prefix, ".project")):
        return Maker.PIPENV.value
    return Maker.VIRTUALENV.value if "virtualenv" in settings else Maker.VENV.value


def _last_used(prefix: str, folder: str) -> float | None:
    """Return when Python was last started in it, as well as the file system remembers.

    Every start reads these files; most file systems note that once a day (relatime, mount(8)).
    """
    paths = ("pyvenv.cfg", os.path.join("lib", folder, "os.py"), "conda-meta/history")
    times = []
    for path in paths:
        try:
            status = os.stat(os.path.join(prefix, path))
        except OSError:
            continue
        times += [status.st_atime, status.st_mtime]
    return max(times, default=None)


def _problem(prefix: str, facts: Facts, architecture: str | None, *, windows: bool) -> str | None:
    """Return why no kernel of an environment can be started, None where one can."""
    if facts.python is None:
        if facts.kernels:
            return None
        return "there is neither a Python nor a kernel of another language in it"
    file = interpreter(prefix, windows=windows)
    if not os.path.exists(file):
        real = os.path.realpath(file)
        gone = f"{real}, which it is made with, is gone" if real != file else "it is missing"
        return f"its interpreter cannot run: {gone}"
    if not os.access(file, os.X_OK):
        return f"its interpreter {file} is not executable"
    found = architecture_of(file)
    if architecture and found and found != architecture.lower():
        return f"its interpreter is for {found}, and this machine is {architecture.lower()}"
    if facts.own_ipykernel or any(kernel.language.lower() == "python" for kernel in facts.kernels):
        return None
    version = tuple(int(part) for part in re.findall(r"\d+", facts.python)[:2])
    if version < OLDEST:
        oldest = ".".join(map(str, OLDEST))
        return (
            f"Python {facts.python} is older than {oldest}, the first that the shared kernel "
            "is for; install ipykernel into it"
        )
    return None


def _with_problem(facts: Facts, problem: str) -> Facts:
    from dataclasses import replace

    return replace(facts, problem=problem)
