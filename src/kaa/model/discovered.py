"""An environment of this machine, whoever made it, as far as its files tell."""

from __future__ import annotations

from dataclasses import asdict, dataclass, field
from enum import Enum
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Mapping


class Maker(Enum):
    """Which program an environment is of; the value is what listings and ``--json`` call it."""

    KAA = "kaa"
    CONDA = "conda"
    PIXI = "pixi"
    UV = "uv"
    UV_TOOL = "uv tool"
    VENV = "venv"
    VIRTUALENV = "virtualenv"
    VIRTUALENVWRAPPER = "virtualenvwrapper"
    POETRY = "poetry"
    PIPENV = "pipenv"
    HATCH = "hatch"
    PDM = "pdm"
    PIPX = "pipx"
    PYENV = "pyenv"
    SYSTEM = "system"


@dataclass(frozen=True, slots=True)
class InnerKernel:
    """A kernelspec inside an environment: ``directory`` is its folder's path.

    ``name`` is the folder's name; ``language``, ``argv``, ``metadata``, ``interrupt_mode`` and
    ``env`` (variables that the kernel gets) are as ``kernel.json`` has them.
    """

    name: str
    directory: str
    display_name: str
    language: str
    argv: tuple[str, ...]
    metadata: Mapping[str, Any] = field(default_factory=dict)
    interrupt_mode: str = "signal"
    env: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Facts:
    """What an environment's own files say.

    ``python`` is the full version, None without a Python; ``interpreter`` its path, whether it is
    there or not; ``packages_directory`` where its Python
    looks for packages, an absolute path; ``languages`` are in lower case; ``last_used`` is in
    seconds since the epoch, as far as the file system keeps it; ``problem`` says why no kernel of
    it can run.
    """

    python: str | None = None
    interpreter: str | None = None
    packages_directory: str | None = None
    own_ipykernel: bool = False
    languages: tuple[str, ...] = ()
    kernels: tuple[InnerKernel, ...] = ()
    maker: str | None = None
    last_used: float | None = None
    problem: str | None = None

    @property
    def minor(self) -> str | None:
        """Python's minor version (``3.12``), with a ``t`` for a free-threaded build."""
        if self.python is None:
            return None
        minor = ".".join(self.python.split(".")[:2])
        parts = (self.packages_directory or "").replace("\\", "/").split("/")
        return f"{minor}t" if f"python{minor}t" in parts else minor


@dataclass(frozen=True, slots=True)
class Discovered:
    """An environment that was found.

    ``name`` is what its program calls it, ``label`` the same made distinct among all that were
    found; ``prefix`` is an absolute path.
    """

    prefix: str
    maker: Maker
    name: str
    label: str
    facts: Facts = field(default_factory=Facts)

    @property
    def runnable(self) -> bool:
        """Whether a kernel of it can be started."""
        return self.facts.problem is None

    def as_dict(self) -> dict[str, Any]:
        """Return the fields that ``--json`` prints."""
        facts = asdict(self.facts)
        del facts["maker"]
        return {
            "name": self.name,
            "label": self.label,
            "prefix": self.prefix,
            "kind": self.maker.value,
            "runnable": self.runnable,
            **facts,
        }
