"""Which conda package and which PyPI project are the same, so that one name stands for both.

A solver that knows a project under two names installs it twice, and the one overwrites the
other's files. Therefore every project has one name in a solve, conda's where conda has it.

What is known comes, in this order, from the published mapping (which core metadata were found in
which conda package), from a short built-in table, and from equal names. The mapping's ``null``
says that a conda package holds no core metadata of any project. Of conda-forge's 13,254 nulls
1,466 have the name of a project. They are libraries (``tk``, ``snappy``), programs (``cmake``),
or packages of packages (``typing-extensions``, which needs ``typing_extensions``); of those in the
sampled repodata that nothing else carries, four of 160 need Python at all. A null is believed:
where the core metadata are not, ``importlib.metadata`` and ``pip check`` find no project, so the
conda package cannot stand in for it. If nothing else carries such a project it gets a name of its
own, ``pypi.<project>``: no project's name has a dot in its normal form (PEP 503).
"""

from __future__ import annotations

import re
from functools import cached_property
from typing import TYPE_CHECKING, Any
from urllib.parse import unquote

from kaa.sources.index import normalise
from kaa.sources.known_names import BARE, DIFFERENT, SAME_FILES, UNRELATED

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from collections.abc import Set as AbstractSet

_OWN = "pypi."
_CONDA_NAME = re.compile(r"[a-z0-9_][a-z0-9_.-]*\Z")
_PROJECT = re.compile(r"[a-z0-9]+(-[a-z0-9]+)*\Z")
_PYTHON = frozenset({"python-{}", "{}-python", "py-{}", "{}-py", "py{}"})
"""What conda calls a project where its own name is a library's or program's."""
_SAME = _PYTHON.union({"{}-base", "{}-core"})
"""What else a package with a project's own files is called; ``{}-all`` would only need them."""
_NAMELESS = "unknown"
"""What setuptools calls a project that has no name; several conda packages carry one."""


class ProjectNames:
    """The solver's names of PyPI projects, in a solve with conda channels.

    ``channel_names`` are the names that the channels have; ``mapping`` says which projects' core
    metadata a conda package holds, None for no project's
    (:func:`~kaa.sources.name_mapping.load_mapping`). Nothing is computed before it is asked for.
    Without a channel every project has its own name.
    """

    def __init__(
        self, channel_names: AbstractSet[str], mapping: Mapping[str, Any] | None = None
    ) -> None:
        self._channel = channel_names
        self._mapping = mapping or {}
        self._names: dict[str, str] = {}

    def conda_name(self, project: str) -> str:
        """Return the solver's name of a project, whose name is in its normal form (PEP 503).

        Of several conda packages that carry a project one that the channels have is chosen; then
        the one of equal name, which may need others that have the files, but always brings them.
        """
        name = self._names.get(project)
        if name is None:
            name = self._names[project] = self._find(project) if self._channel else project
        return name

    def project(self, conda_name: str) -> str | None:
        """Return the project that may stand in for a conda package, None if none can.

        It is the one whose name in the solve is ``conda_name``; of several the one that is most
        like it.
        """
        if conda_name == "python" or conda_name.startswith("__"):
            return None
        if not self._channel:
            return conda_name
        projects = [p for p in self._behind(conda_name) if self.conda_name(p) == conda_name]
        return projects[0] if projects else None

    def rivals(self, project: str) -> tuple[str, ...]:
        """Return the conda packages that have the same files as the project's own distribution.

        PyPI's distribution must not be side by side with them. They are what carries the same
        project under yet another name (``dask-core`` beside ``dask``) and programs and libraries
        that have no core metadata (``cmake``). A package of packages that only needs the one
        whose name the project took is none of them.
        """
        if not self._channel:
            return ()
        own = self.conda_name(project)
        alike = _SAME if _is_known(project, own) else _SAME | {"{}"}
        names = {form.format(project) for form in alike}
        found = [c for c in self._carriers(project) if normalise(c) in names]
        found += SAME_FILES.get(project, ())
        return tuple(sorted({c for c in found if c in self._channel and c != own}))

    def rival(self, project: str) -> str | None:
        """Return the first of :meth:`rivals`, None if there is none."""
        return next(iter(self.rivals(project)), None)

    def asked(self, name: str) -> str:
        """Return the solver's name for one that a user typed, who thinks of either world.

        It is the name of a conda package if a channel has it, however it is capitalised and
        whichever of ``-``, ``_`` and ``.`` it is written with; else it is a project's.
        """
        lower = name.strip().lower()
        if lower in self._channel:
            return lower
        project = normalise(lower)
        spellings = self._spellings(project)
        if len(spellings) == 1:
            return spellings[0]
        if not _PROJECT.match(project):
            return lower
        chosen = self.conda_name(project)
        return chosen if chosen in spellings or not spellings else spellings[0]

    # --- from a project to a name -----------------------------------------------------------

    def _find(self, project: str) -> str:
        bare = BARE.get(project, "")
        if bare in self._channel and self._may_carry(bare, project):
            return bare
        carriers = sorted(self._carriers(project), key=lambda c: self._preference(c, project))
        if carriers and carriers[0] in self._channel:
            return carriers[0]
        equal = [c for c in self._spellings(project) if self._may_carry(c, project)]
        if equal:
            return project if project in equal else equal[0]
        if carriers:
            return carriers[0]
        return project if self._may_carry(project, project) else self._own_name(project)

    def _carriers(self, project: str) -> list[str]:
        """Return the conda packages that are, as far as is known, the project's."""
        named = [*self._inverse.get(project, ())]
        if project not in named and project in _listed(self._mapping.get(project)):
            named.append(project)
        found = [c for c in named if _CONDA_NAME.match(c) and self._is_home(c, project)]
        known = DIFFERENT.get(project)
        if known is not None and known not in self._mapping:
            found.append(known)
        return found

    @cached_property
    def _inverse(self) -> dict[str, list[str]]:
        """Who carries a project, but for the many conda packages that have its very name."""
        inverse: dict[str, list[str]] = {}
        for name, projects in self._mapping.items():
            if projects and projects != [name]:
                for project in _listed(projects):
                    inverse.setdefault(project, []).append(name)
        inverse.pop(_NAMELESS, None)
        return inverse

    def _is_home(self, conda_name: str, project: str) -> bool:
        """Say whether a conda package that carries a project is it, and does not only bundle it.

        Old builds of ``bleach`` have ``six`` in them.
        """
        name = normalise(conda_name)
        if name == project or DIFFERENT.get(project) == conda_name or _is_like(name, project):
            return True
        others = [other for other in _listed(self._mapping[conda_name]) if other != project]
        # opencv-python-headless is another build of opencv-python, and conda's says it is both.
        return not others or any(
            DIFFERENT.get(other) == conda_name and project.startswith(f"{other}-")
            for other in others
        )

    def _preference(self, conda_name: str, project: str) -> tuple[object, ...]:
        """Sort first what the channels have; then what is known; then by how alike the names are.

        Where only the separators differ, the one is a package of packages that needs the other.
        Of late it is the one with the underscore; the table knows the exceptions.
        """
        name = normalise(conda_name)
        return (
            conda_name not in self._channel,
            DIFFERENT.get(project) != conda_name,
            name != project,
            name not in {form.format(project) for form in _PYTHON},
            not _is_like(name, project),
            name.endswith(("-base", "-core")),
            len(_listed(self._mapping.get(conda_name))),
            conda_name != project,
            conda_name,
        )

    def _may_carry(self, conda_name: str, project: str) -> bool:
        """Say whether a conda package may be the project; if nothing is known it may."""
        if conda_name in self._mapping:
            return project in _listed(self._mapping[conda_name])
        return conda_name not in UNRELATED

    def _own_name(self, project: str) -> str:
        name = _OWN + project
        while name in self._channel:
            name += "_"
        return name

    def _spellings(self, project: str) -> list[str]:
        """Return the channels' names that are the project's but for separators, its own first."""
        own = [project] if project in self._channel else []
        return own + self._unusual.get(project, [])

    @cached_property
    def _unusual(self) -> dict[str, list[str]]:
        """The channels' names that are not in a project's normal form, by that form."""
        found: dict[str, list[str]] = {}
        for name in sorted(c for c in self._channel if "_" in c or "." in c or "--" in c):
            form = name.replace("_", "-").replace(".", "-")
            found.setdefault(normalise(form) if "--" in form else form, []).append(name)
        return found

    # --- from a name to a project -----------------------------------------------------------

    def _behind(self, conda_name: str) -> list[str]:
        """Return the projects that a conda name may stand for, the likeliest first."""
        name = normalise(conda_name)
        if conda_name.startswith(_OWN):
            found = [conda_name.removeprefix(_OWN).rstrip("_")]
        elif conda_name in self._mapping:
            found = list(_listed(self._mapping[conda_name]))
        else:
            tables = (*DIFFERENT.items(), *BARE.items())
            found = [project for project, known in tables if known == conda_name]
            found.append(name)
        return sorted(
            filter(_PROJECT.match, found),
            key=lambda p: (not _is_known(p, conda_name), p != name, not _is_like(name, p)),
        )


def project_of_purls(purls: Sequence[str]) -> str | None:
    """Return the project that a record's package URLs name (``pkg:pypi/torch``), in normal form.

    Conda records carry them since CEP 21. None if there is no purl of PyPI.
    """
    for purl in purls:
        kind, _, rest = purl.partition("/")
        if kind.lower() == "pkg:pypi":
            project = normalise(unquote(re.split(r"[@?#]", rest, maxsplit=1)[0]))
            if _PROJECT.match(project):
                return project
    return None


def _listed(projects: object) -> Sequence[str]:
    """Return the projects of an entry of the mapping, which came from the network."""
    if isinstance(projects, str):
        return (projects,)
    if not isinstance(projects, list):
        return ()
    return [project for project in projects if isinstance(project, str)]


def _is_known(project: str, conda_name: str) -> bool:
    return conda_name in {BARE.get(project), DIFFERENT.get(project)}


def _is_like(name: str, project: str) -> bool:
    """Say whether a name is a project's with something before or behind it, as conda's often are.

    Both are in normal form: ``python-graphviz``, ``msgpack-python``, ``pytables``, ``ray-core``.
    """
    return name.startswith(f"{project}-") or name.endswith(f"-{project}") or name == f"py{project}"
