"""Where packages come from: conda channels, package indexes, this machine's interpreters."""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum


class Kind(Enum):
    """What a source is; the value is what ``--json`` calls it."""

    CONDA = "conda"
    PYPI = "pypi"
    HOST = "host"


class Priority(Enum):
    """Who provides a package that several sources have (conda's ``channel_priority``).

    ``STRICT``: the first source that has the name, whatever its versions. ``FLEXIBLE``: the same,
    and if that has no answer, all of them. ``DISABLED``: whoever has the best version.
    """

    STRICT = "strict"
    FLEXIBLE = "flexible"
    DISABLED = "disabled"


@dataclass(frozen=True, slots=True)
class Source:
    """A source in the user's words and, for conda channels, where it is.

    ``name`` is what users say (``conda-forge``, ``pypi``, ``defaults``, a URL without
    credentials). ``urls`` are the channel's base URLs, each ending in a slash; more than one for a
    multichannel such as ``defaults``, none for what is no conda channel. Credentials in them are
    kept: whatever prints them redacts them.
    """

    name: str
    kind: Kind
    urls: tuple[str, ...] = ()
