"""What activation means, said once more and in another way: to compare with what is done."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import random
    from collections.abc import Mapping

Values = dict[str, "str | None"]
NAMES = ("X", "Y", "Z")
VALUES = ("", "1", "it's", "two\nlines\n", '$X `x` \\ "', "h\u00e9 %n")


@dataclass
class Active:
    """An active environment: what it set, what there was, and what would be without it."""

    name: str
    own: Mapping[str, str]
    stacked: bool
    before: Values
    under: Values


@dataclass
class Model:
    """A shell: ``values`` of variables (None: not set), PATH's entries, active environments."""

    values: Values
    path: list[str]
    own: Mapping[str, Mapping[str, str]]
    active: list[Active] = field(default_factory=list)

    def activate(self, name: str, stacked: bool) -> None:
        top = self.active[-1] if self.active else None
        if top is not None and top.name == name:
            self.values.update(self.own[name])
            if name not in self.path:
                self.path.insert(0, name)
            return
        if len(self.active) > 1 and self.active[-2].name == name:
            self.deactivate()
            return
        stacked = stacked and top is not None
        before, under = dict(self.values), dict(self.values)
        if top is None or stacked:
            self.path.insert(0, name)
        else:
            under.update({each: top.under[each] for each in top.own})
            self.exchange(top.name, name)
        self.values = {**under, **self.own[name]}
        self.active.append(Active(name, self.own[name], stacked, before, under))

    def deactivate(self) -> None:
        if not self.active:
            return
        top = self.active.pop()
        changed = set(top.own)
        if self.active and not top.stacked:
            changed |= set(self.active[-1].own)
            self.exchange(top.name, self.active[-1].name)
        else:
            self.exchange(top.name, None)
        self.values.update({name: top.before[name] for name in changed})

    def exchange(self, old: str, new: str | None) -> None:
        place = self.path.index(old) if old in self.path else 0
        if old in self.path:
            del self.path[place]
        if new is not None:
            self.path.insert(place, new)


@dataclass(frozen=True)
class Step:
    """One thing that a user does: ``kind``, and what it is about."""

    kind: str
    name: str = ""
    value: str = ""
    stacked: bool = False


def random_steps(chance: random.Random, environments: list[str], count: int) -> list[Step]:
    steps = []
    for _ in range(count):
        kind = chance.choice(["activate"] * 4 + ["deactivate"] * 3 + ["set", "unset", "path"])
        step = Step(
            kind,
            chance.choice(environments if kind == "activate" else NAMES),
            chance.choice(VALUES),
            chance.random() < 0.4,
        )
        steps.append(step)
    return steps + [Step("deactivate")] * (count + 1)


def follow(model: Model, step: Step, number: int) -> None:
    """Do in the model what a user does in the shell."""
    if step.kind == "activate":
        model.activate(step.name, step.stacked)
    elif step.kind == "deactivate":
        model.deactivate()
    elif step.kind == "path":
        model.path.insert(len(model.path) if step.stacked else 0, f"/user{number}")
    else:
        model.values[step.name] = step.value if step.kind == "set" else None
