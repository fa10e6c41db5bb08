"""Random sequences of everything, compared with a model: of changes alone, and in shells."""

from __future__ import annotations

import os
import random
from typing import TYPE_CHECKING

import pytest

from kaa.shells.dialects import posix_word
from kaa.shells.switching import Target, activate, deactivate
from shells.environments import environment, run_script, snapshots
from shells.model import NAMES, Model, Step, follow, random_steps

if TYPE_CHECKING:
    from pathlib import Path

    from kaa.shells.switching import Change

pytestmark = pytest.mark.skipif(os.name == "nt", reason="shells of POSIX systems")
OWN = {
    "a": {"X": "a", "Y": "it's $a\n"},
    "b": {"X": "", "Z": "b"},
    "c": {},
    "d": {"Y": "d", "Z": "d", "W": "d"},
}


def environments() -> dict[str, Path]:
    return {name: environment(name, own, virtual=name in "bd") for name, own in OWN.items()}


def a_model(values: dict[str, str], path: str) -> Model:
    names = (*NAMES, "W")
    return Model({name: values.get(name) for name in names}, path.split(":"), OWN)


def check(model: Model, environ: dict[str, str], prefixes: dict[str, Path]) -> None:
    path = [f"{prefixes[each]}/bin" if each in prefixes else each for each in model.path]
    assert environ["PATH"].split(":") == path
    assert {name: environ.get(name) for name in model.values} == model.values
    top = model.active[-1].name if model.active else None
    assert environ.get("CONDA_DEFAULT_ENV") == top
    virtual = str(prefixes[top]) if top is not None and top in "bd" else None
    assert environ.get("VIRTUAL_ENV") == virtual
    assert environ.get("CONDA_SHLVL") == (str(len(model.active)) if model.active else None)


def applied(environ: dict[str, str], change: Change | None) -> dict[str, str]:
    if change is None:
        return environ
    merged = {**environ, **change.variables}
    if change.search_path is not None:
        merged["PATH"] = change.search_path
    return {name: value for name, value in merged.items() if value is not None}


@pytest.mark.parametrize("seed", range(60))
def test_as_changes(seed: int) -> None:
    chance = random.Random(seed)
    prefixes = environments()
    first = {"PATH": "/usr/bin::/bin", "X": "mine", "HOME": "/h"}
    environ, model = dict(first), a_model(first, first["PATH"])
    for number, step in enumerate(random_steps(chance, list(OWN), 40)):
        follow(model, step, number)
        environ = done(environ, step, number, prefixes)
        check(model, environ, prefixes)
    users = {name: value for name, value in model.values.items() if value is not None}
    assert environ == {"HOME": "/h", "PATH": ":".join(model.path), **users}


def done(
    environ: dict[str, str], step: Step, number: int, prefixes: dict[str, Path]
) -> dict[str, str]:
    if step.kind == "activate":
        prefix = str(prefixes[step.name])
        target = Target(prefix, os.path.realpath(prefix), step.name)
        return applied(environ, activate(environ, target, stack=step.stacked))
    if step.kind == "deactivate":
        return applied(environ, deactivate(environ))
    if step.kind == "set":
        return {**environ, step.name: step.value}
    if step.kind == "unset":
        return {name: value for name, value in environ.items() if name != step.name}
    path, new = environ["PATH"], f"/user{number}"
    return {**environ, "PATH": f"{path}:{new}" if step.stacked else f"{new}:{path}"}


def line(step: Step, number: int) -> str:
    if step.kind == "activate":
        return f"kaa activate {'--stack ' if step.stacked else ''}{step.name}"
    if step.kind == "deactivate":
        return "kaa deactivate"
    if step.kind == "path":
        path = f"$PATH:/user{number}" if step.stacked else f"/user{number}:$PATH"
        return f'export PATH="{path}"'
    return (
        f"export {step.name}={posix_word(step.value)}"
        if step.kind == "set"
        else f"unset {step.name}"
    )


@pytest.mark.parametrize("shell", ["bash", "zsh"])
@pytest.mark.parametrize("seed", [1, 2])
def test_in_a_shell(shell: str, seed: int, tmp_path: Path) -> None:
    steps = random_steps(random.Random(seed), list(OWN), 12)
    prefixes = environments()
    script = "".join(
        f"{line(step, number)}\nenv -0 > {tmp_path}/{number + 1}\n"
        for number, step in enumerate(steps)
    )
    finished = run_script(shell, f"env -0 > {tmp_path}/0\n{script}", tmp_path, X="mine")
    before, *after = snapshots(tmp_path)
    assert len(after) == len(steps), finished.stderr
    model = a_model(before, before["PATH"])
    for number, (step, environ) in enumerate(zip(steps, after, strict=True)):
        follow(model, step, number)
        check(model, environ, prefixes)
    users = {name: value for name, value in model.values.items() if value is not None}
    others = {name: value for name, value in before.items() if name not in model.values}
    assert after[-1] == {**others, "PATH": ":".join(model.path), **users}
