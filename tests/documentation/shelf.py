"""Small packages under the names that the documentation uses: real ones, with next to nothing in.

What is in them: a module that knows its version. What is true of them: names, and who needs whom.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from conda_packages import build_conda_package, python_project
from packed_interpreter import conda_subdir
from wheels import build_wheel

if TYPE_CHECKING:
    from pathlib import Path

CONDA_FORGE: dict[str, dict[str, list[str]]] = {
    "numpy": {"1.26.4": [], "2.1.3": [], "2.2.1": []},
    "python-dateutil": {"2.9.0": []},
    "pandas": {
        "2.2.2": ["numpy >=1.26", "python-dateutil"],
        "2.2.3": ["numpy >=1.26", "python-dateutil"],
    },
    "scipy": {"1.14.1": ["numpy >=1.23,<2.3"]},
    "scikit-learn": {"1.5.2": ["numpy >=1.26", "scipy"]},
    "matplotlib": {"3.9.2": ["numpy >=1.23"], "3.10.0": ["numpy >=1.23"]},
    "geopandas": {"1.0.1": ["gdal", "pandas >=1.4"]},
    "requests": {"2.31.0": ["urllib3"], "2.32.3": ["urllib3"]},
    "urllib3": {"2.2.3": []},
    "flask": {"3.0.3": []},
    "pytest": {"8.3.4": []},
    "pip": {"24.3.1": []},
}
"""Projects in Python: versions, and what each needs beside Python."""
PROGRAMS = {"gdal": "3.10.0", "nodejs": "22.12.0"}
"""Packages without Python; each has a program of its name."""
BIOCONDA = {"samtools": "1.21", "bwa": "0.7.18"}
PYPI: dict[str, dict[str, list[str]]] = {
    "numpy": {"1.26.4": [], "2.1.3": [], "2.2.1": []},
    "python-dateutil": {"2.9.0": []},
    "pandas": {"2.2.3": ["numpy>=1.26", "python-dateutil"]},
    "matplotlib": {"3.10.0": ["numpy>=1.23"]},
    "prophet": {"1.1.6": ["pandas>=1.0.4"]},
    "rich": {"13.9.3": ["pygments"], "13.9.4": ["pygments"]},
    "pygments": {"2.18.0": []},
    "polars": {"1.17.1": []},
    "httpx": {"0.28.1": ["idna"]},
    "h2": {"4.1.0": []},
    "idna": {"3.10": []},
    "requests": {"2.32.3": ["urllib3", "idna"]},
    "urllib3": {"2.2.3": []},
    "flask": {"3.0.3": []},
    "gunicorn": {"23.0.0": []},
    "tabulate": {"0.9.0": []},
    "some-pypi-only-package": {"1.0": []},
    "corp-models": {"2.0": []},
}
MADE = 1_735_689_600_000
"""When all of it was published, in milliseconds: the first day of 2025."""
_EXTRAS = {"httpx": {"http2": ["h2"]}}


def fill_conda_forge(directory: Path) -> list[Path]:
    """Build the packages of the first channel, which also has an interpreter."""
    made = [
        build_conda_package(
            directory,
            name,
            version,
            depends=["python >=3.10", *needs],
            noarch="python",
            timestamp=MADE,
            files=python_project(name, version, requires=[each.split()[0] for each in needs]),
        )
        for name, versions in CONDA_FORGE.items()
        for version, needs in versions.items()
    ]
    return [*made, *_programs(directory, PROGRAMS)]


def pytorch_records() -> list[dict[str, Any]]:
    """Return two builds to be solved for: for a machine that has CUDA, and for any."""
    return [
        {"version": "2.5.1", "build": "cuda126_0", "build_number": 1, "depends": ["__cuda >=12"]},
        {"version": "2.5.1", "build": "cpu_0", "depends": ["numpy >=1.26"]},
    ]


def fill_bioconda(directory: Path) -> list[Path]:
    """Build the packages of a second channel."""
    return _programs(directory, BIOCONDA)


def fill_pypi(directory: Path) -> list[Path]:
    """Build the wheels of the index, with something that passes for ipykernel."""
    kernel = {"ipykernel_launcher.py": "", "ipykernel/__init__.py": ""}
    made = [build_wheel(directory, "ipykernel", "6.29.5", files=kernel)]
    made += [
        build_wheel(directory, name, version, requires=needs, extras=_EXTRAS.get(name))
        for name, versions in PYPI.items()
        for version, needs in versions.items()
    ]
    return made


def _programs(directory: Path, programs: dict[str, str]) -> list[Path]:
    return [
        build_conda_package(
            directory,
            name,
            version,
            subdir=conda_subdir(),
            timestamp=MADE,
            files={f"bin/{name}": f"#!/bin/sh\necho {name} {version}\n"},
        )
        for name, version in programs.items()
    ]
