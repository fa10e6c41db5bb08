"""What a command line says of how its request is to be solved."""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum


class Dependencies(Enum):
    """Which part of an answer is wanted (conda's ``--no-deps`` and ``--only-deps``)."""

    ALL = "all"
    NONE = "none"
    ONLY = "only"


@dataclass(frozen=True, slots=True)
class FileChoice:
    """What of a file is meant.

    ``environment`` is one of a pixi.toml or a lock (None: the default one), ``extras`` and
    ``groups`` those of a pyproject.toml, ``categories`` those of a conda-lock.yml.
    """

    environment: str | None = None
    extras: tuple[str, ...] = ()
    groups: tuple[str, ...] = ()
    categories: tuple[str, ...] = ()


NO_CHOICE = FileChoice()


@dataclass(frozen=True, slots=True)
class SolveOptions:
    """The options that every command that solves shares, as typed; None leaves it to the settings.

    ``sources`` are those of ``-c``, in order; ``priority`` is ``strict``, ``flexible`` or
    ``disabled``; ``platform`` a conda subdir; ``overrides`` virtual packages (``__cuda=12.4``);
    ``exclude_newer`` a date (ISO 8601) or an age (``7d``); ``build`` allows to build from source;
    ``frozen`` keeps what is installed as it is; ``editable`` are paths of ``-e``; ``indexes`` and
    ``find_links`` go before those of the settings; ``default_index`` takes the place of the
    settings' last one, and ``no_index`` leaves none of the settings' own; ``override_channels``
    leaves out the sources that an environment was made from; ``link_scripts`` lets packages run
    theirs when they are linked and unlinked; ``pins`` are those of the settings and of the
    environment; ``verify`` is whether the certificates of channels are looked at; ``copies`` are
    files that share nothing with the package cache; ``choice`` says what of a file is meant.
    """

    sources: tuple[str, ...] = ()
    priority: str | None = None
    platform: str | None = None
    overrides: tuple[str, ...] = ()
    exclude_newer: str | None = None
    build: bool = True
    deps: Dependencies = Dependencies.ALL
    frozen: bool = False
    offline: bool = False
    editable: tuple[str, ...] = ()
    indexes: tuple[str, ...] = ()
    find_links: tuple[str, ...] = ()
    default_index: str | None = None
    no_index: bool = False
    override_channels: bool = False
    link_scripts: bool = False
    pins: bool = True
    verify: bool = True
    copies: bool = False
    choice: FileChoice = NO_CHOICE
