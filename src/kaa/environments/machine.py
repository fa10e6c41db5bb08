"""What finders of environments are told of a machine, and the places that they name."""

# Paths are plain texts here: there may be thousands of them, and pathlib takes ten times as long.
# ruff: noqa: PTH118, PTH119

from __future__ import annotations

import os
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from kaa.model.discovered import Maker


@dataclass(frozen=True, slots=True)
class Machine:
    """What finders go by: everything about the system that they are told, and may be faked.

    ``system`` is ``linux``, ``darwin`` or ``win32`` as ``sys.platform`` has it; ``directory`` is
    where the user is working, ``roots`` are directories to look for projects in.
    """

    home: str
    environ: Mapping[str, str]
    system: str
    directory: str = ""
    roots: tuple[str, ...] = ()

    @property
    def windows(self) -> bool:
        """Whether it is Windows."""
        return self.system == "win32"

    def variable(self, name: str) -> str | None:
        """Return a variable that is a path, ``~`` replaced; None where it is not set, or empty."""
        value = self.environ.get(name)
        if not value:
            return None
        return self.home + value[1:] if value.startswith("~") else value

    def at_home(self, *parts: str) -> str:
        """Return a path below the home directory."""
        return os.path.join(self.home, *parts)

    def data(self, name: str) -> str:
        """Return where programs keep a user's data (the XDG base directories, and their like)."""
        if self.windows:
            return os.path.join(self._local(), name)
        if self.system == "darwin":
            return self.at_home("Library", "Application Support", name)
        return os.path.join(self.variable("XDG_DATA_HOME") or self.at_home(".local", "share"), name)

    def unix_data(self, name: str) -> str:
        """Return the same for programs that do as on Linux on macOS, too."""
        if self.windows:
            return os.path.join(self.variable("APPDATA") or self._roaming(), name)
        return os.path.join(self.variable("XDG_DATA_HOME") or self.at_home(".local", "share"), name)

    def config(self, name: str) -> str:
        """Return where programs keep a user's settings."""
        if self.windows:
            return os.path.join(self.variable("APPDATA") or self._roaming(), name)
        if self.system == "darwin":
            return self.at_home("Library", "Application Support", name)
        return os.path.join(self.variable("XDG_CONFIG_HOME") or self.at_home(".config"), name)

    def cache(self, name: str) -> str:
        """Return where programs keep what can be made again."""
        if self.windows:
            return os.path.join(self._local(), name)
        if self.system == "darwin":
            return self.at_home("Library", "Caches", name)
        return os.path.join(self.variable("XDG_CACHE_HOME") or self.at_home(".cache"), name)

    def _local(self) -> str:
        return self.variable("LOCALAPPDATA") or self.at_home("AppData", "Local")

    def _roaming(self) -> str:
        return self.at_home("AppData", "Roaming")


@dataclass(frozen=True, slots=True)
class Place:
    """Where environments may be: ``path`` itself, or with ``below`` the directories in it.

    ``name`` is what the environment is called; empty for the last part of its path. ``trusted``
    says that whatever is in there is of ``maker``; else the environment's own files may know
    better. ``depth`` is how many levels down environments are. ``otherwise`` is whose they are
    whose names do not have the form that ``named`` knows, where somebody else's lie there, too.
    """

    path: str
    maker: Maker
    below: bool = False
    name: str = ""
    depth: int = 1
    named: Callable[[str], str] = field(default=os.path.basename)
    otherwise: Maker | None = None

    def made_by(self, path: str) -> Maker:
        """Return whose an environment in it is."""
        if self.otherwise is not None and self.named(path) == os.path.basename(path):
            return self.otherwise
        return self.maker
