"""Where things lie: one root directory, overridden by ``KAA_ROOT``.

Everything that is hard-linked together (the package cache and the environments) is below one
root, so that it is on one file system.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from kaa.store.root import default_root

WORK = ".work-"
"""How the names of directories begin in which something is being built."""


@dataclass(frozen=True, slots=True)
class Layout:
    """The directories below kaa's root. None of them need exist yet.

    ``environment_directories`` and ``package_directory`` are configured, and may be elsewhere:
    where they are on different file systems, files are copied instead of linked.
    ``shared_packages`` are package caches beneath one's own: read, and never written to.
    """

    root: Path
    environment_directories: tuple[Path, ...] = ()
    package_directory: Path | None = None
    shared_packages: tuple[Path, ...] = ()

    @property
    def environments(self) -> Path:
        """Where named environments are made: one link each, their generations in ``.kaa``."""
        return self.all_environments[0]

    @property
    def all_environments(self) -> tuple[Path, ...]:
        """Where named environments are looked for; the first is :attr:`environments`."""
        return self.environment_directories or (self.root / "envs",)

    @property
    def packages(self) -> Path:
        """The package cache: extracted packages, linked into environments."""
        return self.package_directory or self.root / "pkgs"

    @property
    def all_packages(self) -> tuple[Path, ...]:
        """The package caches in which packages are looked for; the first is one's own."""
        return (self.packages, *self.shared_packages)

    @property
    def metadata(self) -> Path:
        """Index pages and core metadata, safe to delete at any time."""
        return self.root / "cache"

    @property
    def overlays(self) -> Path:
        """The kernel overlays, an environment per Python minor version."""
        return self.root / "overlays"

    @property
    def launcher(self) -> Path:
        """The file that kernelspecs run; a copy, so that it outlives kaa's own installation."""
        return self.root / "launcher.py"

    @property
    def startup(self) -> Path:
        """The modules that start kernels, in a directory per version of them."""
        return self.root / "startup"

    @property
    def shims(self) -> Path:
        """Programs named ``pip``, ``conda`` and so on, which notebooks find first on PATH."""
        return self.root / "shims"

    @property
    def locks(self) -> Path:
        """Lock files."""
        return self.root / "locks"

    @property
    def package_locks(self) -> Path:
        """Lock files of the package cache: in it, where others with other roots may use it."""
        own = self.packages == self.root / "pkgs"
        return self.locks if own else self.packages / ".locks"


def default_layout() -> Layout:
    """Return the layout below ``KAA_ROOT``, or else below the user's data directory."""
    return Layout(Path(default_root()))
