"""One trial: a command is stopped, the machine looked at, and again after another command."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from killing.scenes import NEXT, Stage
from killing.state import (
    State,
    both,
    check_cache,
    check_programs,
    compare,
    compare_generations,
    left_behind,
    read_state,
)

if TYPE_CHECKING:
    import random

    from killing.blows import Blow
    from killing.place import Place
    from killing.starting import Answer

AGAIN = "the same"


@dataclass(slots=True)
class Verdict:
    """What became of the environment, ``old`` or ``new``, and all that was not as it should be.

    ``half`` is neither old nor new; ``broken`` is what does not run or work any more, ``leftovers``
    what the next command did not clear up, ``rude`` an ending that no user should see.
    """

    moment: str = ""
    became: str = ""
    next: str = ""
    half: list[str] = field(default_factory=list)
    broken: list[str] = field(default_factory=list)
    leftovers: list[str] = field(default_factory=list)
    rude: list[str] = field(default_factory=list)

    @property
    def failed(self) -> bool:
        return bool(self.half or self.broken or self.leftovers or self.rude)


def try_once(
    place: Place, stage: Stage, blow: Blow, chance: random.Random, allowed: tuple[int, ...]
) -> Verdict:
    """Play a scene and stop it. ``allowed`` are exit codes that are no mistake."""
    verdict = Verdict()
    place.restore(stage.kept)
    ending = blow.strike(place, stage, chance)
    verdict.moment = ending.moment
    if not place.wait_for_nobody():
        verdict.rude.append("something was left running")
    _judge_ending(ending.answer, allowed, verdict)
    after = read_state(place)
    _judge_state(place, stage, after, verdict)
    _go_on(place, stage, after, chance, verdict)
    return verdict


def _judge_ending(answer: Answer, allowed: tuple[int, ...], verdict: Verdict) -> None:
    if answer.code not in (0, *allowed):
        verdict.rude.append(f"exit code {answer.code}: {answer.err[-1000:]}")
    elif "Traceback" in answer.err or "internal error" in answer.err:
        verdict.rude.append(answer.err[-3000:])


def _judge_state(place: Place, stage: Stage, after: State, verdict: Verdict) -> None:
    from_old, from_new = compare(after, stage.old), compare(after, stage.new)
    if not from_old:
        verdict.became = "old"
    elif not from_new:
        verdict.became = "new"
    elif stage.scene.moves and not compare(after, both(stage.old, stage.new)):
        verdict.became = "both"
    else:
        verdict.became = "half"
        verdict.half += from_old if len(from_old) < len(from_new) else from_new
    verdict.half += compare_generations(after, stage.old, stage.scene.into)
    verdict.broken += check_programs(place)
    verdict.broken += check_cache(place)


def _go_on(
    place: Place, stage: Stage, after: State, chance: random.Random, verdict: Verdict
) -> None:
    """Run another command, or the same again, and then the same again."""
    repeats = verdict.became == "old" or stage.scene.again
    verdict.next = chance.choice([*stage.scene.others, *[AGAIN] * repeats])
    if verdict.next != AGAIN:
        answer = place.kaa(*NEXT[verdict.next], "-y", "-q")
        if answer.code:
            verdict.broken.append(f"next command: {answer.code} {answer.err[-1000:]}")
        # Of two that are there the next command takes the old one away.
        expected = stage.new if verdict.became == "both" else after
        verdict.half += compare(_without(read_state(place)), _without(expected))
        verdict.leftovers += left_behind(place, stage.expected)
    if repeats:
        answer = place.kaa(*stage.command)
        if answer.code:
            verdict.broken.append(f"repeated: {answer.code} {answer.err[-1000:]}")
        done = read_state(place)
        verdict.broken += [
            f"repeated: {line}" for line in compare(_without(done), _without(stage.new))
        ]
        verdict.half += compare_generations(done, stage.old, stage.scene.into)
        verdict.broken += check_programs(place)
        verdict.leftovers += left_behind(place, stage.expected)


def _without(state: State) -> State:
    """Leave out what the next commands change."""
    kept = {
        path: tree
        for path, tree in state.environments.items()
        if path.rpartition("/")[2] not in ("other", "next")
    }
    return State(kept, state.generations)
