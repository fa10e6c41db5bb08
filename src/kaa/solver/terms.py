"""What a request asks for, term by term, and requests with some of the terms only."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from kaa.model.explanation import Constraint
from kaa.solver.specs import YOU_ASKED

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable

    from kaa.solver.request import SolveRequest
    from kaa.solver.scene import Scene
    from kaa.solver.specs import Spec

FREEZE = "--freeze-installed"


@dataclass(frozen=True, slots=True)
class Term:
    """One term of a request: a spec, a pin, or (without ``spec``) that nothing installed moves.

    ``name`` is the solver's.
    """

    name: str
    spec: Spec | None
    pin: bool = False

    @property
    def constraint(self) -> Constraint:
        """What an explanation says of it."""
        if self.spec is None:
            return Constraint(FREEZE, YOU_ASKED)
        return Constraint(self.spec.text, self.spec.origin)

    @property
    def restricts(self) -> bool:
        """Whether it says more than a name."""
        spec = self.spec
        return spec is not None and bool(
            spec.version != "*" or spec.build or spec.brackets or spec.source
        )


def terms_of(scene: Scene) -> tuple[Term, ...]:
    """Return the terms of a request, in its order."""
    request = scene.request
    # A root's own spec may say more than what was typed: the source that was found to provide it.
    specs = [Term(root.name, s) for s, root in zip(request.specs, scene.roots, strict=True)]
    pins = [Term(root.name, s, pin=True) for s, root in zip(request.pins, scene.pins, strict=True)]
    frozen = [Term("", None)] if request.frozen and request.installed else []
    return tuple(dict.fromkeys([*specs, *pins, *frozen]))


def with_only(request: SolveRequest, terms: Collection[Term]) -> SolveRequest:
    """Return the request with nothing but ``terms``.

    What is installed only counts where nothing of it may move: else it decides no more than which
    Python is tried first, and the solver's account would be of that one.
    """
    specs = _specs(terms, pin=False)
    pins = _specs(terms, pin=True)
    frozen = any(term.spec is None for term in terms)
    return replace(
        request,
        specs=tuple(spec for spec in request.specs if spec in specs),
        pins=tuple(spec for spec in request.pins if spec in pins),
        frozen=frozen,
        installed=request.installed if frozen else (),
    )


def _specs(terms: Iterable[Term], *, pin: bool) -> set[Spec]:
    return {term.spec for term in terms if term.spec is not None and term.pin is pin}
