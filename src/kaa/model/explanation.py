"""Why a request has no answer, and which changes to it were tried and have one."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Sequence

LINES = 15
"""The most lines that an explanation has where nobody asked for more."""
_EVERYTHING = 1_000_000
_LEAST = 3
"""The lines that reasons keep, however much else there is to say."""


@dataclass(frozen=True, slots=True)
class Constraint:
    """One thing that was demanded: ``text`` as it was typed, ``origin`` who demanded it
    (``you asked``, ``pinned in FILE``, ``installed``, ``lock``)."""

    text: str
    origin: str

    def as_dict(self) -> dict[str, str]:
        """Return the fields that ``--json`` prints."""
        return {"text": self.text, "origin": self.origin}


@dataclass(frozen=True, slots=True)
class Change:
    """One change to a request.

    ``before`` is what the request says, ``after`` what it would say instead; None for nothing:
    without ``after`` something is left out, without ``before`` something is added. ``origin`` says
    where ``before`` is to be found, when it was not typed.
    """

    before: str | None
    after: str | None
    origin: str | None = None

    def __str__(self) -> str:
        if self.before is None:
            return f"add `{self.after}`"
        where = f" ({self.origin})" if self.origin else ""
        if self.after is None:
            return f"leave out `{self.before}`{where}"
        return f"`{self.after}` instead of `{self.before}`{where}"

    def as_dict(self) -> dict[str, str | None]:
        """Return the fields that ``--json`` prints."""
        return {"before": self.before, "after": self.after, "origin": self.origin}


@dataclass(frozen=True, slots=True)
class Fix:
    """Changes with which the whole request was solved, and what that answer has (``numpy 2.1``)."""

    changes: tuple[Change, ...]
    result: str | None = None

    def __str__(self) -> str:
        text = " and ".join(str(change) for change in self.changes)
        return f"{text} (gives {self.result})" if self.result else text

    def as_dict(self) -> dict[str, Any]:
        """Return the fields that ``--json`` prints."""
        return {"changes": [change.as_dict() for change in self.changes], "result": self.result}


@dataclass(frozen=True, slots=True)
class MissingName:
    """A package that no source of the request has.

    ``near`` are names that look alike and do exist; ``elsewhere`` says which source outside of
    the request has it, and what to type.
    """

    name: str
    near: tuple[str, ...] = ()
    elsewhere: str | None = None

    def as_dict(self) -> dict[str, Any]:
        """Return the fields that ``--json`` prints."""
        return {"name": self.name, "near": list(self.near), "elsewhere": self.elsewhere}


@dataclass(frozen=True, slots=True)
class MissingVirtualPackage:
    """Something of the system (``__cuda >=12``) that packages need and the target does not have.

    ``there`` is the version that the target has, None for none; ``override`` what to type to have
    kaa take the need for satisfied.
    """

    need: str
    there: str | None
    override: str

    def as_dict(self) -> dict[str, str | None]:
        """Return the fields that ``--json`` prints."""
        return {"need": self.need, "there": self.there, "override": self.override}


@dataclass(frozen=True, slots=True)
class Explanation:
    """Why there is no answer.

    ``conflict`` are the demands that cannot be satisfied together, ``minimal`` says that without
    any one of them the others can be; ``reasons`` tell in plain words how they meet; ``fixes`` were
    each tried on the whole request, the least intrusive first; ``tree`` is the solver's own
    account, complete.
    """

    conflict: tuple[Constraint, ...]
    minimal: bool = True
    reasons: tuple[str, ...] = ()
    fixes: tuple[Fix, ...] = ()
    missing: tuple[MissingName, ...] = ()
    missing_virtual: tuple[MissingVirtualPackage, ...] = ()
    tree: str = ""

    def as_dict(self) -> dict[str, Any]:
        """Return the fields that ``--json`` prints."""
        return {
            "conflict": [constraint.as_dict() for constraint in self.conflict],
            "minimal": self.minimal,
            "reasons": list(self.reasons),
            "fixes": [fix.as_dict() for fix in self.fixes],
            "missing": [name.as_dict() for name in self.missing],
            "missing_virtual": [need.as_dict() for need in self.missing_virtual],
            "tree": self.tree,
        }

    def fix_lines(self) -> list[str]:
        """Return what to type instead, one line for each fix after a line that says so."""
        if not self.fixes:
            return []
        several = any(len(fix.changes) > 1 for fix in self.fixes)
        if len(self.fixes) > 1:
            head = "each of these was tried and solves it:"
        else:
            head = "these changes were tried and solve it:" if several else "tried, and solves it:"
        return [head, *(f"- {fix}" for fix in self.fixes)]

    def cause_lines(self, limit: int = LINES) -> list[str]:
        """Return who demanded what and how it meets, in at most ``limit`` lines."""
        typed = len(self.conflict) == 1 and self.conflict[0].origin == "you asked"
        demands = [] if typed and self.reasons else _demands(self.conflict)
        return shortened([*demands, *self.reasons], limit)

    def details(self) -> str:
        """Return what has no place in a few lines: all reasons, if there are many, and the tree."""
        reasons = self.cause_lines(_EVERYTHING)
        if len(reasons) <= LINES - _LEAST - len(self.fixes):
            return self.tree
        return "\n".join([*reasons, "", self.tree]).rstrip()

    def lines(self, limit: int = LINES) -> list[str]:
        """Return the whole explanation in at most ``limit`` lines."""
        fixes = self.fix_lines()[: max(limit - _LEAST, 0)]
        return [*self.cause_lines(limit - len(fixes)), *fixes]


def shortened(lines: Sequence[str], limit: int) -> list[str]:
    """Return ``lines``, or as many as leave room for a last one that counts the others."""
    if len(lines) <= limit:
        return list(lines)
    kept = max(limit - 1, 0)
    return [*lines[:kept], f"... and {len(lines) - kept} lines more (-v shows all)"][:limit]


def _demands(conflict: Sequence[Constraint]) -> list[str]:
    by_origin: dict[str, list[str]] = {}
    for constraint in conflict:
        by_origin.setdefault(constraint.origin, []).append(f"`{constraint.text}`")
    return [f"{origin}: {', '.join(texts)}" for origin, texts in by_origin.items()]
