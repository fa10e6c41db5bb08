"""How a request is to be solved: what the command line and the settings say, made a question."""

from __future__ import annotations

import re
from datetime import datetime, timedelta, timezone
from typing import TYPE_CHECKING

from kaa.model.errors import RequestError
from kaa.model.source import Priority
from kaa.settings.configuration import Configuration
from kaa.solver.request import SolveRequest
from kaa.solver.specs import parse_spec
from kaa.sources.target import host_subdir, known_subdir
from kaa.sources.virtual_packages import parse_override, virtual_packages

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from rattler import RepoDataRecord

    from kaa.model.options import SolveOptions
    from kaa.model.source import Source
    from kaa.solver.specs import Spec
    from kaa.sources.direct_distribution import DirectDistribution

_AGE = re.compile(r"(\d+)\s*(h|d|w)\w*")
_EMULATED = {"osx-arm64": "osx-64", "win-arm64": "win-64"}
"""Which other platform's programs a platform runs as well."""
_UNITS = {"h": timedelta(hours=1), "d": timedelta(days=1), "w": timedelta(weeks=1)}


def question(
    options: SolveOptions,
    specs: tuple[Spec, ...],
    sources: tuple[Source, ...],
    *,
    configuration: Configuration | None = None,
    pins: tuple[Spec, ...] = (),
    installed: tuple[RepoDataRecord, ...] = (),
    direct: Mapping[str, DirectDistribution] | None = None,
    cache_dir: Path | None = None,
) -> SolveRequest:
    """Return the question to the solver.

    What the options leave open the ``configuration`` decides: channel priority, pinned packages
    (beside ``pins``), the platform, the youngest records that count. Raises
    :class:`RequestError` for options that make no sense.
    """
    configuration = configuration or Configuration()
    priority = configuration.channel_priority
    pinned = configuration.origin("pinned") or "the settings"
    pins += tuple(parse_spec(text, f"pinned in {pinned}") for text in configuration.pinned)
    pins = pins if options.pins else ()
    platform = platform_of(options, configuration)
    overrides = dict(parse_override(text) for text in options.overrides)
    return SolveRequest(
        specs,
        sources,
        platform,
        virtual_packages(platform, overrides, cache_dir=cache_dir),
        Priority(options.priority) if options.priority else priority,
        pins,
        installed,
        options.frozen,
        direct or {},
        _moment(options.exclude_newer) or configuration.exclude_newer,
        add_pip=configuration.add_pip,
    )


def platform_of(options: SolveOptions, configuration: Configuration) -> str:
    """Return the conda subdir that is asked for, in the settings if need be, or this machine's.

    Raises :class:`RequestError` for one that there is not.
    """
    platform = options.platform or configuration.subdir or host_subdir()
    known_subdir(platform)
    return platform


def is_foreign(platform: str) -> bool:
    """Say whether packages of a platform (a conda subdir) cannot be installed on this machine."""
    host = host_subdir()
    return platform not in (host, _EMULATED.get(host))


def _moment(text: str | None) -> datetime | None:
    """Return the moment that a date, a time or an age says."""
    if text is None:
        return None
    age = _AGE.fullmatch(text.strip())
    try:
        if age:
            return datetime.now(timezone.utc) - int(age[1]) * _UNITS[age[2]]
        moment = datetime.fromisoformat(text.strip().replace("Z", "+00:00"))
    except (ValueError, OverflowError):
        raise RequestError(
            f"{text!r} is neither a date nor an age",
            hint="examples: `--exclude-newer 2026-03-01`, `--exclude-newer 2026-03-01T12:00:00Z`, "
            "`--exclude-newer 7d`",
        ) from None
    return moment if moment.tzinfo else moment.replace(tzinfo=timezone.utc)
