"""The variables that an environment sets wherever it is active, and what generations did to them.

They are in a file of conda's (:data:`STATE`), which conda and the user may write to at any time. So
it is the user's like all files of nobody's, and comes along as it is now. What a *command* of kaa's
did to variables is kept in the manifest of the generation that it made, as steps; going back takes
those steps back, and no more. A step counts only where the variable still is what the step made of
it: what somebody has set by hand since stays.
"""

from __future__ import annotations

import json
import stat
from pathlib import Path
from typing import TYPE_CHECKING, Any

from kaa.model.environment import Step
from kaa.store.disk import replace_file

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

STATE = Path("conda-meta", "state")
UNSET = "***unset***"
"""conda's value for a variable that was set once, and is not to be any more."""


def read_variables(generation: Path) -> dict[str, str]:
    """Return the variables that activation sets, as conda keeps them; none where it cannot be read.

    What conda has marked as unset is left out.
    """
    found = _state(generation).get("env_vars", {})
    return {str(name): str(value) for name, value in found.items() if value != UNSET}


def change_variables(generation: Path, values: Iterable[tuple[str, str | None]]) -> None:
    """Set variables where conda keeps them, and with None set them no more; the others stay.

    The file is replaced as a whole; it goes where it has nothing to say. Raises ``OSError``.
    """
    state = _state(generation)
    variables: dict[str, Any] = dict(state.get("env_vars", {}))
    for name, value in values:
        if value is None:
            variables.pop(name, None)
        else:
            variables[name] = value
    state = {"version": 1, **state, "env_vars": variables}
    if not variables and state.keys() == {"version", "env_vars"}:
        (generation / STATE).unlink(missing_ok=True)
    else:
        path = generation / STATE
        mode = stat.S_IMODE(path.stat().st_mode) if path.exists() else None
        replace_file(path, f"{json.dumps(state)}\n".encode(), mode)


def steps_between(before: Mapping[str, str], after: Mapping[str, str]) -> tuple[Step, ...]:
    """Return what became of variables, in order of their names."""
    steps = (Step(name, before.get(name), after.get(name)) for name in sorted({*before, *after}))
    return tuple(step for step in steps if step.before != step.after)


def taken(variables: Mapping[str, str], steps: Iterable[Step]) -> dict[str, str]:
    """Return what variables are after these steps; one that finds another value does nothing."""
    found = dict(variables)
    for step in steps:
        if found.get(step.name) != step.before:
            continue
        if step.after is None:
            found.pop(step.name, None)
        else:
            found[step.name] = step.after
    return found


def _state(generation: Path) -> dict[str, Any]:
    try:
        state = json.loads((generation / STATE).read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}
    if not isinstance(state, dict) or not isinstance(state.get("env_vars", {}), dict):
        return {}
    return state
