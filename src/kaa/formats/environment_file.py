"""What a file asks for, whatever its format: one object for all of them."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from kaa.formats.selectors import selects

if TYPE_CHECKING:
    from kaa.formats.requirements_txt import RequirementLine


@dataclass(frozen=True, slots=True)
class Dependency:
    """A match spec of the file; ``line`` is counted from 1, ``selector`` is of a platform."""

    text: str
    line: int
    selector: str | None = None


@dataclass(frozen=True, slots=True)
class SelectedVariable:
    """A variable that is set on some platforms only."""

    name: str
    value: str
    selector: str


@dataclass(frozen=True, slots=True)
class EnvironmentFile:
    """What a file asks for, in its order.

    ``channels`` are as written (variables in them are not expanded) and without ``nodefaults``,
    which ``only_these_channels`` stands for; ``dependencies`` are match specs, ``requirements`` the
    lines that are pip's, both for all platforms; ``platforms`` are conda subdirs, none
    where the file names none; ``remarks`` say what in the file was not taken into account.
    """

    name: str | None = None
    prefix: str | None = None
    channels: tuple[str, ...] = ()
    only_these_channels: bool = False
    dependencies: tuple[Dependency, ...] = ()
    requirements: tuple[RequirementLine, ...] = ()
    variables: tuple[tuple[str, str], ...] = ()
    platforms: tuple[str, ...] = ()
    category: str | None = None
    unknown: tuple[str, ...] = ()
    remarks: tuple[str, ...] = ()
    selected_variables: tuple[SelectedVariable, ...] = ()

    def on(self, subdir: str) -> EnvironmentFile:
        """Return the file without what its selectors leave out on a platform (``linux-64``)."""
        chosen = {
            each.name: each.value
            for each in self.selected_variables
            if selects(each.selector, subdir)
        }
        return replace(
            self,
            dependencies=tuple(each for each in self.dependencies if _is_on(each.selector, subdir)),
            requirements=tuple(each for each in self.requirements if _is_on(each.selector, subdir)),
            variables=tuple({**dict(self.variables), **chosen}.items()),
            selected_variables=(),
        )

    def meaning(self) -> EnvironmentFile:
        """Return the file without where things are in it: equal for files that mean the same.

        Two files mean the same when they have the same name, prefix, channels (in order of
        priority), platforms and category; the same match specs and pip's lines, each in their
        order and on the same platforms; and the same variables.
        """
        return replace(
            self,
            dependencies=tuple(replace(each, line=0) for each in self.dependencies),
            requirements=tuple(replace(each, line=0) for each in self.requirements),
            variables=tuple(sorted(self.variables)),
            selected_variables=tuple(sorted(self.selected_variables, key=lambda one: one.name)),
            unknown=(),
            remarks=(),
        )


def _is_on(selector: str | None, subdir: str) -> bool:
    return selector is None or selects(selector, subdir)
