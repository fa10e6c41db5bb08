"""Which environments are active in a shell, one over the other, as its variables tell.

The variables are conda's: ``CONDA_SHLVL`` is how many there are, ``CONDA_PREFIX`` the topmost,
``CONDA_PREFIX_1`` the lowest, ``CONDA_STACKED_2`` says that the second one was put on top of the
first (``--stack``) instead of in its place. What a variable was at level 1 before level 2 changed
it is kept in ``__CONDA_SHLVL_1_NAME``; one that was not set has none. So what conda has activated
can be left by kaa, and the other way round. Which variables an environment set is only in kaa's
own ``__KAA_LEVELS``, because its files may change while it is active.
"""

from __future__ import annotations

from kaa.environments.activation import generation_of, own_variables

# A shell waits at its prompt for what is computed here: no dataclasses and no typing, whose imports
# take longer than everything else. Checkers take this name for typing's own.
TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

LEVELS = "__KAA_LEVELS"
_MOST = 500
"""More levels than this are not what activation has counted."""


class Level:
    """An active environment; ``number`` counts from 1, and ``own`` are the variables that it set.

    ``kept`` says that kaa has activated it, so that all that it changed is kept and ``own`` is
    what was set then; for conda's levels ``own`` is what the environment's files say now.
    """

    __slots__ = ("kept", "number", "own", "prefix", "stacked")

    def __init__(
        self, number: int, prefix: str, stacked: bool, own: Iterable[str], kept: bool
    ) -> None:
        self.number = number
        self.prefix = prefix
        self.stacked = stacked
        self.own = tuple(own)
        self.kept = kept


def read_levels(environ: Mapping[str, str]) -> tuple[Level, ...]:
    """Return the active environments, the lowest first; none if the variables make no sense."""
    count = environ.get("CONDA_SHLVL", "").strip()
    top = environ.get("CONDA_PREFIX")
    if not (count.isascii() and count.isdigit() and top and 0 < int(count[:9]) <= _MOST):
        return ()
    depth = int(count)
    prefixes = [environ.get(f"CONDA_PREFIX_{number}", "") for number in range(1, depth)]
    known = _own_of_levels(environ.get(LEVELS, ""))
    return tuple(
        Level(
            number,
            prefix,
            f"CONDA_STACKED_{number}" in environ,
            known[number] if number in known else own_variables(generation_of(prefix)),
            number in known,
        )
        for number, prefix in enumerate([*prefixes, top], 1)
    )


def levels_text(levels: Sequence[Level]) -> str | None:
    """Return what :data:`LEVELS` has to be, None for not at all."""
    return ";".join(f"{each.number}:{','.join(each.own)}" for each in levels if each.kept) or None


def saved_name(number: int, name: str) -> str:
    """Return the variable in which a value is kept that the level above ``number`` has changed."""
    return f"__CONDA_SHLVL_{number}_{name}"


def saved_at(environ: Iterable[str], number: int) -> list[str]:
    """Return all variables in which something is kept of level ``number``."""
    return [name for name in environ if name.startswith(saved_name(number, ""))]


def value_without(
    environ: Mapping[str, str], levels: Sequence[Level], number: int, name: str
) -> str | None:
    """Return what a variable that level ``number`` has set would be without that level.

    What is kept is what it was before, which an environment had set that this one took the place
    of: then that one's value is not meant either.
    """
    level = levels[number - 1]
    if level.kept and not level.stacked and number > 1 and name in levels[number - 2].own:
        return value_without(environ, levels, number - 1, name)
    return environ.get(saved_name(number - 1, name))


def visible(levels: Sequence[Level]) -> list[Level]:
    """Return the levels whose directories are on PATH, the lowest first."""
    seen: list[Level] = []
    for level in levels:
        if not level.stacked:
            del seen[-1:]
        seen.append(level)
    return seen


def _own_of_levels(text: str) -> dict[int, tuple[str, ...]]:
    found = {}
    for entry in text.split(";"):
        number, colon, names = entry.partition(":")
        if colon and number.isascii() and number.isdigit():
            found[int(number[:9])] = tuple(name for name in names.split(",") if name)
    return found
