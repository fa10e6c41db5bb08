"""What activating, deactivating and refreshing change in a shell. Computes; touches nothing.

The rules are conda's ("Activating an environment", "Nested activation"), kept more exactly:
whatever level is left, every variable is again what it was, also if it was unset, empty, set by
the environment below, or if the environment's own files have changed meanwhile.
"""

from __future__ import annotations

import os

from kaa.environments.activation import (
    MISLEADING,
    WINDOWS,
    default_name,
    generation_of,
    own_variables,
    path_module,
    virtual_variables,
)
from kaa.shells.levels import (
    LEVELS,
    Level,
    levels_text,
    read_levels,
    saved_at,
    saved_name,
    value_without,
    visible,
)
from kaa.shells.search_path import exchanged

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence

    Scripts = Callable[[str, Mapping[str, str]], Mapping[str, str | None]]

_NAME, _MODIFIER = "CONDA_DEFAULT_ENV", "CONDA_PROMPT_MODIFIER"
_VIRTUAL = ("VIRTUAL_ENV", "VIRTUAL_ENV_PROMPT")
_TEMPLATE = "({default_env}) "
"""conda's default of ``env_prompt``."""
_AT_THE_BOTTOM = ("CONDA_PREFIX", "CONDA_SHLVL")
_MANAGED = frozenset({"PATH", _NAME, _MODIFIER, *_VIRTUAL, *_AT_THE_BOTTOM, *MISLEADING, LEVELS})


class Target:
    """The environment to activate: its stable path, the directory behind it, and its name."""

    __slots__ = ("generation", "name", "prefix")

    def __init__(self, prefix: str, generation: str, name: str) -> None:
        self.prefix = prefix
        self.generation = generation
        self.name = name


class PromptStyle:
    """conda's ``changeps1`` and ``env_prompt``."""

    __slots__ = ("shown", "template")

    def __init__(self, shown: bool = True, template: str = "") -> None:
        self.shown = shown
        self.template = template or _TEMPLATE


class Change:
    """What a shell has to do, in the order of the fields.

    ``search_path`` is the new PATH and comes first, so that scripts can still change it. None among
    ``variables`` stands for one to be unset. ``left`` and ``entered`` are prefixes whose
    ``deactivate.d`` and ``activate.d`` scripts are to run. ``prompt`` is what the prompt begins
    with, before and after.
    """

    __slots__ = ("entered", "left", "prompt", "search_path", "variables")

    def __init__(
        self,
        search_path: str | None,
        left: str | None,
        variables: Mapping[str, str | None],
        prompt: tuple[str, str] = ("", ""),
        entered: str | None = None,
    ) -> None:
        self.search_path = search_path
        self.left = left
        self.variables = variables
        self.prompt = prompt
        self.entered = entered


def activate(
    environ: Mapping[str, str],
    target: Target,
    *,
    stack: bool = False,
    style: PromptStyle | None = None,
    scripts: Scripts | None = None,
    windows: bool = WINDOWS,
) -> Change:
    """Return the change that makes ``target`` the active environment.

    In place of the one that is active, which the next :func:`deactivate` returns to, or with
    ``stack`` on top of it. The active one is refreshed, and the one that it was activated over is
    returned to. ``scripts`` computes what activation scripts set, for shells that cannot run them.
    """
    levels = read_levels(environ)
    if levels and _same(levels[-1].prefix, target.prefix, windows):
        return refresh(environ, again=True, scripts=scripts, windows=windows)
    if len(levels) > 1 and _same(levels[-2].prefix, target.prefix, windows):
        return left_level(environ, levels, windows=windows)
    top = levels[-1] if levels else None
    number = len(levels)
    stacked = stack and top is not None
    values: dict[str, str | None] = dict.fromkeys(MISLEADING)
    left = None
    if top is not None and not stacked:
        left = top.prefix
        values.update({name: value_without(environ, levels, number, name) for name in top.own})
    own = _own(target.generation)
    values.update(virtual_variables(target.prefix, target.generation, windows))
    values.update(own)
    path = exchanged(environ.get("PATH"), left, target.prefix, windows)
    new = Level(number + 1, target.prefix, stacked, own, True)
    values[_NAME] = target.name
    values[_MODIFIER] = _modifier([*levels, new], target, style or PromptStyle(), windows)
    if top is None:
        values.update(dict.fromkeys(_AT_THE_BOTTOM, ""))
    if scripts is not None:
        after = _merged(environ, {**values, "PATH": path, "CONDA_PREFIX": target.prefix})
        told = _settable(scripts(target.generation, after))
        path = told.pop("PATH", path) or path
        values.update({name: value for name, value in told.items() if name not in _MANAGED})
        new = Level(number + 1, target.prefix, stacked, {**own, **told}.keys() - _MANAGED, True)
    variables = {
        **dict.fromkeys(saved_at(environ, number)),
        **{saved_name(number, name): environ[name] for name in values if name in environ},
        **values,
        "CONDA_PREFIX": target.prefix,
        "CONDA_SHLVL": str(number + 1),
        f"CONDA_STACKED_{number + 1}": "true" if stacked else None,
        LEVELS: levels_text([*levels, new]),
    }
    if top is not None:
        variables[f"CONDA_PREFIX_{number}"] = top.prefix
    prompt = (environ.get(_MODIFIER, "") if levels else "", variables[_MODIFIER] or "")
    entered = target.prefix if scripts is None else None
    return Change(path, left, _effective(environ, variables), prompt, entered)


def deactivate(environ: Mapping[str, str], *, windows: bool = WINDOWS) -> Change | None:
    """Return the change that leaves the active environment, None when there is none."""
    levels = read_levels(environ)
    return left_level(environ, levels, windows=windows) if levels else None


def left_level(
    environ: Mapping[str, str], levels: Sequence[Level], *, windows: bool = WINDOWS
) -> Change:
    """Return the change that leaves the last of ``levels``, those of ``environ``."""
    top, below = levels[-1], levels[-2] if len(levels) > 1 else None
    number = len(levels) - 1
    replaced = below is not None and not top.stacked
    names = [*top.own, *MISLEADING, *_VIRTUAL, _NAME, _MODIFIER, *_AT_THE_BOTTOM]
    if below is not None and replaced and top.kept:
        names += below.own  # they were unset, or what they had been before
    variables: dict[str, str | None] = {}
    for name in names:
        value = environ.get(saved_name(number, name))
        if value is not None or not _is_the_users(name, environ, top):
            variables[name] = value
    if below is not None:
        variables.update({"CONDA_PREFIX": below.prefix, "CONDA_SHLVL": str(number)})
        name = variables[_NAME] or default_name(below.prefix, windows)
        variables[_NAME] = name
        if variables[_MODIFIER] is None:
            variables[_MODIFIER] = f"({name}) " if environ.get(_MODIFIER) else ""
    elif not top.kept:
        variables["CONDA_SHLVL"] = "0"  # which conda leaves
    variables.update(dict.fromkeys(saved_at(environ, number)))
    variables.update({f"CONDA_PREFIX_{number}": None, f"CONDA_STACKED_{number + 1}": None})
    variables[LEVELS] = levels_text(levels[:-1])
    after = below.prefix if below is not None and replaced else None
    path = exchanged(environ.get("PATH"), top.prefix, after, windows)
    prompt = (environ.get(_MODIFIER, ""), (variables[_MODIFIER] or "") if below else "")
    return Change(path, top.prefix, _effective(environ, variables), prompt, after)


def refresh(
    environ: Mapping[str, str],
    *,
    again: bool = False,
    scripts: Scripts | None = None,
    windows: bool = WINDOWS,
) -> Change:
    """Return the change for an active environment whose files may have changed.

    Its scripts run again, variables that its files no longer have are what they were before, and
    new ones are set. All others stay, because the user may have changed them, unless it is
    activated ``again``: then they and PATH are what the first activation would have made them.
    """
    levels = read_levels(environ)
    if not levels:
        return Change(None, None, {})
    top, number = levels[-1], len(levels) - 1
    own = _own(generation_of(top.prefix))
    gone = {
        name: value_without(environ, levels, number + 1, name)
        for name in top.own
        # What scripts set is in no file.
        if name not in own and scripts is None
    }
    new = {name: value for name, value in own.items() if again or name not in top.own}
    variables: dict[str, str | None] = {**gone, **new}
    hidden = levels[-2].own if len(levels) > 1 and not top.stacked else ()
    for name in new:
        kept = saved_name(number, name)
        if name in environ and name not in top.own and not (kept in environ and name in hidden):
            variables[kept] = environ[name]
    if top.kept:
        names = own if scripts is None else [*top.own, *new]
        now = Level(top.number, top.prefix, top.stacked, dict.fromkeys(names), True)
        variables[LEVELS] = levels_text([*levels[:-1], now])
    path = exchanged(environ.get("PATH"), top.prefix, top.prefix, windows) if again else None
    modifier = environ.get(_MODIFIER, "")
    prompt = (modifier, modifier) if again else ("", "")
    around = top.prefix if scripts is None else None
    return Change(path, around, _effective(environ, variables), prompt, around)


def _own(generation: str) -> dict[str, str]:
    """Return the variables that an environment sets, those that no shell can have left out."""
    found = _settable(own_variables(generation))
    return {name: value for name, value in found.items() if value is not None}


def _settable(variables: Mapping[str, str | None]) -> dict[str, str | None]:
    return {
        name: value
        for name, value in variables.items()
        if name.isidentifier() and name.isascii() and "\0" not in (value or "")
        if name == "PATH" or name not in _MANAGED
    }


def _is_the_users(name: str, environ: Mapping[str, str], top: Level) -> bool:
    """Whether a variable of which nothing was kept has been set since the activation."""
    if name in MISLEADING:
        return True
    return name in _VIRTUAL and environ.get("VIRTUAL_ENV") != top.prefix


def _modifier(levels: Sequence[Level], target: Target, style: PromptStyle, windows: bool) -> str:
    if not style.shown:
        return ""
    path = path_module(windows)
    names = [default_name(level.prefix, windows) for level in visible(levels)[:-1]]
    fields = {
        "default_env": target.name,
        "stacked_env": ",".join(reversed([*names, target.name])),
        "prefix": target.prefix,
        "name": path.basename(target.prefix),
    }
    try:
        return style.template.format(**fields)
    except (LookupError, ValueError, AttributeError, TypeError):
        return _TEMPLATE.format(**fields)


def _effective(
    environ: Mapping[str, str], variables: Mapping[str, str | None]
) -> dict[str, str | None]:
    """Leave out what is so already."""
    return {name: value for name, value in variables.items() if environ.get(name) != value}


def _merged(environ: Mapping[str, str], variables: Mapping[str, str | None]) -> dict[str, str]:
    merged = {**environ, **variables}
    return {name: value for name, value in merged.items() if value is not None}


def _same(one: str, other: str, windows: bool) -> bool:
    path = path_module(windows)
    return bool(path.normcase(path.normpath(one)) == path.normcase(path.normpath(other)))


def scripts_in(prefix: str, folder: str, suffixes: Iterable[str]) -> list[str]:
    """Return the scripts in ``etc/conda/<folder>`` of a prefix, in the order in which they run."""
    directory = os.path.join(prefix, "etc", "conda", folder)  # noqa: PTH118
    try:
        names = sorted(os.listdir(directory), reverse=folder == "deactivate.d")  # noqa: PTH208
    except OSError:
        return []
    return [os.path.join(directory, name) for name in names if name.endswith(tuple(suffixes))]  # noqa: PTH118
