"""The environment that something was typed in, and the programs that can change it."""

from __future__ import annotations

import os
import shlex
import shutil
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from kaa.environments.facts import read_facts
from kaa.environments.prefix import Prefix, read_manifest
from kaa.kernels.imported import distributions_in
from kaa.model.errors import RequestError

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

SHIMS = "shims"
"""How the directory is called that has the programs under whose names this runs."""


@dataclass(frozen=True, slots=True)
class Step:
    """One program to run: ``kaa`` with these arguments if it is kaa's own, else a path first.

    ``told`` says that it is to be shown: something else was typed, and it changes something. What
    only asks is not, since its output may be what a notebook reads. ``as_pip`` says that uv stands
    in for pip, so that pip's settings hold as well.
    """

    argv: tuple[str, ...]
    own: bool = True
    told: bool = False
    as_pip: bool = False

    @property
    def text(self) -> str:
        """The command line as a shell reads it."""
        return shlex.join(("kaa", *self.argv) if self.own else self.argv)


@dataclass(frozen=True, slots=True)
class Place:
    """An environment, as far as it decides who can change it.

    ``ours`` says that it is kaa's, ``conda`` that it has conda's records; ``python`` is its
    interpreter and ``version`` that one's version, None where there is no Python; ``site`` is its
    site-packages directory.
    """

    prefix: str
    ours: bool
    conda: bool
    python: str | None
    version: str | None
    site: str | None

    @property
    def has_pip(self) -> bool:
        """Whether the environment has a pip of its own."""
        return self.site is not None and (Path(self.site) / "pip" / "__main__.py").is_file()

    def sources(self) -> dict[str, str]:
        """Return by normalised name where each package is from that kaa or conda has recorded."""
        from kaa.environments.packages import read_packages
        from kaa.model.package import project_name

        packages = read_packages(Prefix(Path(self.prefix)).current)
        return {project_name(package.name): package.source for package in packages}

    def distributions(self) -> set[str]:
        """Return the normalised names of all Python packages, whoever installed them."""
        return set(distributions_in(self.site)) if self.site else set()


def read_place(prefix: str) -> Place:
    """Return what the environment at ``prefix`` is.

    :raises RequestError: there is none any more.
    """
    facts = read_facts(prefix, None, windows=os.name == "nt")
    if facts is None:
        raise RequestError(
            f"the environment of this kernel is gone: {prefix}",
            hint="shut the kernel down, and choose another one",
        )
    own = Prefix(Path(prefix))
    ours = own.current_number is not None and read_manifest(own.current) is not None
    return Place(
        prefix=prefix,
        ours=ours,
        conda=(Path(prefix) / "conda-meta").is_dir(),
        python=facts.interpreter,
        version=facts.python,
        site=facts.packages_directory,
    )


def real_program(names: Iterable[str], environ: Mapping[str, str]) -> str | None:
    """Return the path of the first of these programs that is there, the shims aside."""
    variables = {"conda": "CONDA_EXE", "mamba": "MAMBA_EXE", "micromamba": "MAMBA_EXE"}
    path = search_path(environ)
    for name in names:
        found = shutil.which(name, path=path)
        named = environ.get(variables.get(name, ""), "")
        if found is None and Path(named).stem == name and os.access(named, os.X_OK):
            found = named
        if found is not None:
            return found
    return None


def search_path(environ: Mapping[str, str]) -> str:
    """Return PATH without the directory of shims."""
    folders = environ.get("PATH", os.defpath).split(os.pathsep)
    return os.pathsep.join(folder for folder in folders if not _has_shims(Path(folder)))


def _has_shims(folder: Path) -> bool:
    return folder.name == SHIMS and (folder.parent / "launcher.py").is_file()
