"""What a file asks for on one platform, and how the lines that are pip's come to it."""

from __future__ import annotations

import re
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING

from kaa.formats.requirements_txt import LineKind, expand_variables, read_requirements
from kaa.model.errors import InvalidSpecError, RequestError, UnsupportedError
from kaa.model.package import PYPI
from kaa.network.locations import redact_text
from kaa.solver.specs import Spec, parse_spec
from kaa.sources.markers import ALWAYS, python_condition
from kaa.sources.target import target_for

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from packaging.requirements import Requirement

    from kaa.formats.requirements_txt import RequirementLine
    from kaa.model.options import SolveOptions

_HARMLESS = ("--prefer-binary", "--trusted-host", "--require-hashes", "--use-feature")


@dataclass(frozen=True, slots=True)
class FileRequest:
    """What a file asks for, on one platform.

    ``sources`` are channels and ``pypi`` in order of priority, their variables expanded (so they
    may have credentials in them); ``direct`` are distributions by URL or absolute path, ``name @
    URL`` where the file says the name, and ``editable`` those to be installed editable;
    ``index_url`` stands in for the default index, and ``no_index`` says that none of the settings'
    is to be asked; ``constraints`` hold for what is in the answer
    without asking for it; ``hashes`` are the files allowed (``sha256:digest``) by project in its
    normal form; ``remarks`` say what in the file was not taken into account; ``files`` are
    those that it names (``-r``, ``-c``).
    """

    name: str | None
    specs: tuple[Spec, ...]
    sources: tuple[str, ...]
    variables: tuple[tuple[str, str], ...] = ()
    platforms: tuple[str, ...] = ()
    direct: tuple[str, ...] = ()
    editable: tuple[str, ...] = ()
    index_url: str | None = None
    no_index: bool = False
    extra_index_urls: tuple[str, ...] = ()
    find_links: tuple[str, ...] = ()
    constraints: tuple[Spec, ...] = ()
    hashes: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    remarks: tuple[str, ...] = ()
    files: tuple[Path, ...] = ()

    def options(self, given: SolveOptions) -> SolveOptions:
        """Return the options of a command line with what the file says beside them."""
        return replace(
            given,
            sources=given.sources or self.sources,
            indexes=(*given.indexes, *self.extra_index_urls),
            find_links=(*given.find_links, *self.find_links),
            default_index=self.index_url or given.default_index,
            no_index=self.no_index or given.no_index,
        )


class Collection:
    """What requirement lines ask for, files that they name included."""

    def __init__(self, directory: Path, platform: str, environ: dict[str, str]) -> None:
        self.specs: list[Spec] = []
        self._base = directory.absolute()
        self._environ = environ
        self._markers = target_for(platform, (), ()).marker_environment
        self._direct: list[str] = []
        self._editable: list[str] = []
        self._index_url: str | None = None
        self._no_index = False
        self._extra: list[str] = []
        self._find_links: list[str] = []
        self._constraints: list[Spec] = []
        self._hashes: dict[str, tuple[str, ...]] = {}
        self._remarks: list[str] = []
        self._files: list[Path] = []

    @property
    def asks_pypi(self) -> bool:
        """Whether anything is asked for that an index has to give, or may have to."""
        return bool(self.specs or self._direct or self._editable)

    def request(
        self, name: str | None, specs: tuple[Spec, ...], sources: tuple[str, ...]
    ) -> FileRequest:
        """Return all that was collected, ``specs`` before it."""
        return FileRequest(
            name=name,
            specs=(*specs, *self.specs),
            sources=sources,
            direct=tuple(dict.fromkeys(self._direct)),
            editable=tuple(dict.fromkeys(self._editable)),
            index_url=self._index_url,
            no_index=self._no_index,
            extra_index_urls=tuple(dict.fromkeys(self._extra)),
            find_links=tuple(dict.fromkeys(self._find_links)),
            constraints=tuple(self._constraints),
            hashes=self._hashes,
            remarks=tuple(self._remarks),
            files=tuple(dict.fromkeys(self._files)),
        )

    def add_all(self, lines: Sequence[RequirementLine], path: Path) -> None:
        """Take every line of ``path``."""
        self._add(lines, path, (path.absolute(),))

    def _add(self, lines: Sequence[RequirementLine], path: Path, within: tuple[Path, ...]) -> None:
        for line in lines:
            value = expand_variables(line.value, self._environ)
            origin = f"{path.name}, line {line.line}"
            match line.kind:
                case LineKind.REQUIREMENT:
                    self._add_requirement(value, line, origin)
                case LineKind.LOCATION:
                    self._direct.append(_checked(self._located(value), line.hashes, origin))
                case LineKind.EDITABLE:
                    self._editable.append(self._located(value))
                case LineKind.FILE | LineKind.CONSTRAINTS:
                    self._follow(value, line.kind, path, within, origin)
                case LineKind.INDEX_URL:
                    self._index_url = value
                case LineKind.EXTRA_INDEX_URL:
                    self._extra.append(value)
                case LineKind.FIND_LINKS:
                    self._find_links.append(self._located(value))
                case LineKind.OPTION:
                    self._add_option(value, origin)

    def _add_requirement(self, text: str, line: RequirementLine, origin: str) -> None:
        requirement = _parsed(text, origin)
        condition = self._condition(requirement)
        if condition is None:
            return
        bare = text.partition(";")[0].strip() if requirement.marker else text
        if requirement.url:
            if condition != ALWAYS:
                raise UnsupportedError(
                    f"{origin}: a URL under the condition of a Python version",
                    hint="write the requirement without its marker",
                )
            where = text.rpartition(" ;")[0].strip() or text
            self._direct.append(_checked(where, line.hashes, origin))
            return
        self.specs.append(_conditional(parse_spec(f"{PYPI}::{bare}", origin=origin), condition))
        if line.hashes:
            self._add_hashes(requirement, line.hashes)

    def _condition(self, requirement: Requirement) -> str | None:
        """Return for which Pythons a requirement counts on the platform, None for none."""
        if requirement.marker is None:
            return ALWAYS
        return python_condition(requirement.marker, self._markers)

    def _add_hashes(self, requirement: Requirement, hashes: tuple[str, ...]) -> None:
        from packaging.utils import canonicalize_name

        name = canonicalize_name(requirement.name)
        self._hashes[name] = tuple(dict.fromkeys((*self._hashes.get(name, ()), *hashes)))

    def _follow(
        self, value: str, kind: LineKind, path: Path, within: tuple[Path, ...], origin: str
    ) -> None:
        if "://" in value:
            raise UnsupportedError(
                f"{origin}: {kind.value} names a URL, {redact_text(value)}",
                hint="fetch the file and name its path",
            )
        there = (path.absolute().parent / Path(value).expanduser()).resolve()
        if there in within:
            raise RequestError(
                f"{origin}: {value} is inside of itself", hint=f"leave out `{kind.value} {value}`"
            )
        if not there.is_file():
            raise RequestError(
                f"{origin}: there is no file {value}",
                cause=f"it is looked for beside {path.name}",
                hint="write a path relative to the file, or leave the line out",
            )
        lines = read_requirements(there)
        self._files.append(there)
        if kind is LineKind.FILE:
            self._add(lines, there, (*within, there))
            return
        for line in lines:
            self._add_constraint(line, f"{there.name}, line {line.line}")

    def _add_constraint(self, line: RequirementLine, origin: str) -> None:
        if line.kind is not LineKind.REQUIREMENT:
            raise UnsupportedError(
                f"{origin}: only requirements can be constraints, not {line.kind.value}",
                hint="write `name<2`, or move the line into the requirements file",
            )
        requirement = _parsed(expand_variables(line.value, self._environ), origin)
        if requirement.url or requirement.extras:
            raise UnsupportedError(
                f"{origin}: a constraint says a version, no URL and no extra",
                hint="write `name<2`, or move the line into the requirements file",
            )
        condition = self._condition(requirement)
        if condition is not None:
            spec = parse_spec(f"{requirement.name}{requirement.specifier}", origin=origin)
            self._constraints.append(_conditional(spec, condition))

    def _add_option(self, option: str, origin: str) -> None:
        if option == "--no-index":
            self._no_index = True
            return
        if option.startswith(_HARMLESS):
            self._remarks.append(f"{option} in {origin} is not needed here")
            return
        raise UnsupportedError(
            f"{origin}: pip's option {option} cannot be used here",
            hint="leave the line out",
        )

    def _located(self, value: str) -> str:
        """Return a URL as it is, and a path as an absolute one, from the first file's directory."""
        if re.match(r"^[a-z+]{2,}:", value):
            return value
        return str(self._base / Path(value).expanduser())


def _checked(place: str, hashes: tuple[str, ...], origin: str) -> str:
    """Return a direct reference that says the hash of what it leads to (PEP 440)."""
    if not hashes:
        return place
    if len(hashes) > 1:
        raise UnsupportedError(
            f"{origin}: {len(hashes)} hashes for one file",
            hint="leave only the --hash of the file that is meant",
        )
    where = place if ":/" in place else Path(place).as_uri()
    return f"{where}{'&' if '#' in where else '#'}{hashes[0].replace(':', '=', 1)}"


def _parsed(text: str, origin: str) -> Requirement:
    from packaging.requirements import InvalidRequirement, Requirement

    try:
        return Requirement(text)
    except InvalidRequirement as error:
        raise InvalidSpecError(
            f"{origin}: {redact_text(text)!r} is no requirement",
            cause=str(error).partition("\n")[0],
            hint="write it as pip does: `name==1.2`; a conda package belongs above `pip:`",
        ) from None


def _conditional(spec: Spec, condition: str) -> Spec:
    if condition == ALWAYS:
        return spec
    return replace(spec, brackets=(*spec.brackets, ("when", f"python {condition}")))
