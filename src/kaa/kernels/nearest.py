"""The kernel that is nearest to one that this machine does not have.

Notebooks name kernels of the machine that they were written on. Three rules, the first that finds
something counts: the same id in another spelling; an environment of the same name, whoever made
it; the environment that satisfies all that the notebook says it needs. A kernel of another language
is never taken, and where no rule finds any, none is: that would be a guess.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from enum import Enum
from typing import TYPE_CHECKING

from kaa.kernels.offers import kernel_id
from kaa.kernels.requirements import all_satisfied, needs
from kaa.model.discovered import Maker

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping

    from kaa.kernels.offers import Offer
    from kaa.kernels.wanted import Wanted

    Installed = Callable[[Offer], Mapping[str, str]]
    """Gives the versions of what is installed in an offer's environment, by normalised name."""

_FOLDERS = frozenset({"envs", "versions", "venvs", "virtualenvs", "env"})
_KERNEL_NAMES = {"python3": ("python3", "python", "python2"), "ir": ("ir",)}
_ENDINGS = {"py": "python", "python2": "python", "python3": "python", "r": "r", "ir": "r"}
_DISPLAYED = (
    re.compile(r"\[conda env:(?P<name>[^\]]+)\]"),  # nb_conda_kernels
    re.compile(r"^Python [\d.]+ \('(?P<name>[^']+)'"),  # VS Code: Python 3.11.4 ('forecast': venv)
    re.compile(r"^(?P<name>.+) \(Python [\d.]+\)$"),  # VS Code: forecast (Python 3.11.4)
    re.compile(r"^Python(?: [\d.]+)? [(\[](?P<name>[^)\]]+)[)\]]"),  # kaa, and a widespread habit
)
_NOBODYS = frozenset(
    {"ipykernel", "system", "venv", "-venv", "env", "python", "python3", "python-3", "r", "julia"}
)
"""What stands in names that kernels show and tells nothing of an environment."""
_HASHED = (
    re.compile(r"(?P<name>.+)-[\w-]{8}-py\d+\.\d+"),  # poetry: shop-aBcD1234-py3.12
    re.compile(r"(?P<name>.+)-(?=[\w-]*[A-Z0-9])[\w-]{8}"),  # pipenv: shop-aBcD1234
    re.compile(r"kaa-(?P<name>.+?)(?:-[0-9a-f]{8})?"),  # kaa, where a plain name is taken
)


class Because(Enum):
    """Which rule found a kernel; the value is what ``--json`` calls it."""

    SPELLING = "spelling"
    NAME = "name"
    REQUIREMENTS = "requirements"


@dataclass(frozen=True, slots=True)
class Nearest:
    """An offer, and why it is the nearest."""

    offer: Offer
    because: Because

    @property
    def reason(self) -> str:
        """Say why, after a colon: "forecast: ..."."""
        environment = self.offer.environment
        if self.because is Because.SPELLING:
            return "the same kernel under another name"
        if self.because is Because.NAME:
            return f"an environment of the same name ({environment.maker.value}'s)"
        return "it has all that the notebook needs"


def nearest(wanted: Wanted, offers: Iterable[Offer], installed: Installed) -> Nearest | None:
    """Return the nearest of the offers, None where none is near.

    Among those that a rule finds equally near, one that can run goes before one that cannot,
    kaa's before others, then the one that was used last.
    """
    language = _language(wanted)
    near = [offer for offer in offers if language in ("", offer.language.lower())]
    named = [found for offer in near if (found := _by_name(wanted, offer)) is not None]
    if named:
        return min(named, key=lambda found: _rank(found, wanted))
    able = [offer for offer in near if offer.reason is None and offer.native]
    needed = needs(wanted.requirements)
    # Python alone is no requirement: nearly every environment has one that will do.
    if all(need.name == "python" for need in needed):
        return None
    fit = [
        offer
        for offer in able
        if all_satisfied(
            needed,
            wanted.requires_python,
            installed(offer),
            offer.environment.facts.python or "0",
        )
    ]
    if not fit:
        return None
    best = min(fit, key=lambda offer: (_distance(wanted, offer), *_preference(offer)))
    return Nearest(best, Because.REQUIREMENTS)


def installed_in(offer: Offer) -> Mapping[str, str]:
    """Return the versions of what is installed in an offer's environment, by normalised name."""
    from kaa.environments.distributions import installed_versions

    environment = offer.environment
    return installed_versions(environment.prefix, environment.facts.packages_directory)


def _language(wanted: Wanted) -> str:
    """Return the language that is wanted, as far as it is said or an id's ending says it."""
    ending = wanted.name.lower().rpartition("-")[2] if _is_id(wanted.name) else ""
    return wanted.language or _ENDINGS.get(ending, "")


def _is_id(name: str) -> bool:
    """Say whether it is a name of the form that nb_conda_kernels gives."""
    return name.lower().startswith("conda-")


def _by_name(wanted: Wanted, offer: Offer) -> Nearest | None:
    name = _folded(wanted.name)
    environment = offer.environment
    if name in set(map(_folded, _ids(offer, [environment.label]))):
        return Nearest(offer, Because.SPELLING)
    if environment.maker is Maker.SYSTEM:
        return None  # "usr" and "local" are directories, and not what anybody called them
    called = list(_called(offer))
    if name in set(map(_folded, _ids(offer, called))):
        return Nearest(offer, Because.NAME)
    free = _free_names(wanted)
    # Which of an environment's kernels is meant, only an id or a language can say.
    meant = bool(_language(wanted)) or (offer.native and not _is_id(wanted.name))
    if free & set(map(_folded, called)) and meant:
        same = environment.maker is Maker.KAA and name in (
            _folded(environment.name),
            _folded(f"kaa-{environment.name}"),
        )
        return Nearest(offer, Because.SPELLING if same else Because.NAME)
    return None


def _ids(offer: Offer, names: Iterable[str]) -> Iterator[str]:
    """Give the ids that nb_conda_kernels, in any of its versions, has for a kernel."""
    kernel = offer.kernel.name if offer.kernel and not offer.native else "python3"
    spellings = {kernel_id("", each).removeprefix("conda-env--") for each in (kernel,)}
    spellings.update(_KERNEL_NAMES.get(kernel, (kernel,)))
    for name in names:
        for spelling in spellings:
            yield f"conda-env-{name}-{spelling}"
            yield f"conda-{name}-{spelling}"


def _called(offer: Offer) -> Iterator[str]:
    """Give the names that programs have for an offer's environment."""
    environment = offer.environment
    parts = environment.prefix.replace("\\", "/").rstrip("/").split("/")
    yield environment.name
    yield environment.label
    # Of a project's environment the folder's name (".venv") tells nothing; a project's name does.
    if not parts[-1].startswith(".") and _folded(parts[-1]) not in _NOBODYS | {"default"}:
        yield parts[-1]
    if environment.maker is Maker.CONDA:
        if environment.name == "base":
            yield "root"  # as it was called until 2017
        above = [part for part in parts[:-1] if part not in _FOLDERS]
        if above:
            yield f"{above[-1]}-{parts[-1]}"  # nb_conda_kernels, outside of conda's own directory


def _free_names(wanted: Wanted) -> set[str]:
    """Return what a name, or else what the kernel shows, may say the environment is called."""
    names = [] if _is_id(wanted.name) else [wanted.name]
    names += [m["name"] for form in _HASHED for each in names[:1] if (m := form.fullmatch(each))]
    shown = [m["name"] for form in _DISPLAYED if (m := form.search(wanted.display_name))]
    names += shown or [wanted.display_name]
    return {folded for name in names if (folded := _folded(name)) not in _NOBODYS} - {""}


def _folded(name: str) -> str:
    """Return a name with case and separators made equal, and accents dropped."""
    if not name.isascii():
        import unicodedata

        parts = unicodedata.normalize("NFKD", name)
        name = "".join(letter for letter in parts if not unicodedata.combining(letter))
    return re.sub(r"[^\w]+|_+", "-", name.lower()).rstrip("-")


def _rank(found: Nearest, wanted: Wanted) -> tuple[object, ...]:
    offer = found.offer
    unable = offer.reason is not None
    return (
        unable,
        found.because is not Because.SPELLING,
        *_preference(offer),
        not offer.native,
        _distance(wanted, offer),
    )


def _preference(offer: Offer) -> tuple[bool, float]:
    environment = offer.environment
    return environment.maker is not Maker.KAA, -(environment.facts.last_used or 0.0)


def _distance(wanted: Wanted, offer: Offer) -> tuple[int, int]:
    """Return how far an environment's Python is from the one that the notebook was run with."""
    there = _numbers(offer.environment.facts.python or "")
    here = _numbers(wanted.python)
    if not there or not here:
        return (0, 0)
    return abs(there[0] - here[0]), abs(there[1] - here[1])


def _numbers(version: str) -> tuple[int, int] | None:
    found = re.match(r"(\d+)\.(\d+)", version)
    return (int(found[1]), int(found[2])) if found else None
