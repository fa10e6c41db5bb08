"""Package specs as a person types them: requirements (PEP 508) and match specs, told apart.

A spec that is a requirement is read as one; ``name=1.2`` (one equals sign), ``name 1.2`` and the
forms in brackets are match specs. Both mean the same to the solver.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

from kaa.model.errors import InvalidSpecError, UnsupportedError
from kaa.model.package import PYPI
from kaa.sources.versions import is_pre_release, version_spec

if TYPE_CHECKING:
    from packaging.requirements import Requirement

_MATCH_SPEC = re.compile(
    r"""^(?P<name>[A-Za-z0-9](?:[A-Za-z0-9._-]*[A-Za-z0-9])?)
        (?:\s*\[(?P<extras>[A-Za-z0-9._,\s-]*)\])?
        (?:\s*=\s*(?P<fuzzy>[0-9][^=<>!~\s]*)|\s+(?P<spaced>[0-9*<>=!~].*))?$""",
    re.VERBOSE,
)
_EXAMPLES = "examples: `numpy`, `numpy>=2`, `numpy=2.1`, `requests[socks]>=2.32`"


@dataclass(frozen=True, slots=True)
class Spec:
    """One thing asked for.

    ``text`` is what was typed; ``name`` normalised (PEP 503); ``version`` a conda version spec,
    ``*`` for any; ``extras`` are normalised; ``pre_releases`` says that the spec names one, which
    allows them (PEP 440).
    """

    text: str
    name: str
    version: str
    extras: tuple[str, ...] = ()
    pre_releases: bool = False

    def match_spec(self) -> str:
        """Return the match spec for the solver."""
        parts = [] if self.version == "*" else [f'version="{self.version}"']
        if self.extras:
            parts.append(f"extras=[{','.join(self.extras)}]")
        return f"{self.name}[{', '.join(parts)}]" if parts else self.name


def parse_spec(text: str) -> Spec:
    """Return the spec that ``text`` says.

    Raises :class:`InvalidSpecError` for what is neither form and :class:`UnsupportedError` for
    URLs, paths and sources that kaa cannot take yet.
    """
    stripped = text.strip()
    source, separator, rest = stripped.partition("::")
    if separator:
        if source != PYPI:
            raise UnsupportedError(
                f"the spec {text!r} names the source {source!r}",
                cause="packages come from pypi only in this version of kaa",
                hint=f"ask for `{rest}` or `{PYPI}::{rest}`",
            )
        stripped = rest
    requirement = _requirement(stripped)
    if requirement is not None:
        return _from_requirement(text, requirement)
    spec = _from_match_spec(text, stripped)
    if spec is None:
        raise InvalidSpecError(
            f"{text!r} is not a package spec", cause=_reason(stripped), hint=_EXAMPLES
        )
    return spec


def _requirement(text: str) -> Requirement | None:
    from packaging.requirements import InvalidRequirement, Requirement

    try:
        return Requirement(text)
    except InvalidRequirement:
        return None


def _from_requirement(text: str, requirement: Requirement) -> Spec:
    from packaging.utils import canonicalize_name

    if requirement.url:
        raise UnsupportedError(
            f"{text!r} asks for a package by its URL",
            cause="kaa installs packages from an index only, for now",
            hint=f"ask for `{requirement.name}`, or install it with `kaa run -n ENV pip install`",
        )
    if requirement.marker is not None:
        raise InvalidSpecError(
            f"{text!r} has an environment marker",
            cause="on the command line there is one environment, so a marker says nothing",
            hint=f"leave out what comes after the semicolon: `{text.partition(';')[0].strip()}`",
        )
    return Spec(
        text,
        canonicalize_name(requirement.name),
        version_spec(requirement.specifier),
        tuple(sorted(canonicalize_name(extra) for extra in requirement.extras)),
        bool(requirement.specifier.prereleases),
    )


def _from_match_spec(text: str, stripped: str) -> Spec | None:
    from packaging.utils import canonicalize_name

    match = _MATCH_SPEC.match(stripped)
    if match is None:
        return None
    version = "*"
    if match["fuzzy"]:
        version = match["fuzzy"] if match["fuzzy"].endswith("*") else f"{match['fuzzy']}.*"
    elif match["spaced"]:
        version = match["spaced"].replace(" ", "")
    _check_version(text, version)
    extras = [extra.strip() for extra in (match["extras"] or "").split(",")]
    return Spec(
        text,
        canonicalize_name(match["name"]),
        version,
        tuple(sorted(canonicalize_name(extra) for extra in extras if extra)),
        is_pre_release(version),
    )


def _check_version(text: str, version: str) -> None:
    from rattler import VersionSpec
    from rattler.exceptions import InvalidVersionSpecError

    try:
        VersionSpec(version)
    except (InvalidVersionSpecError, ValueError) as error:
        raise InvalidSpecError(
            f"{text!r} is not a package spec", cause=str(error), hint=_EXAMPLES
        ) from None


def _reason(text: str) -> str | None:
    from packaging.requirements import InvalidRequirement, Requirement

    if re.match(r"^(\.|/|~|[A-Za-z]:\\|-e\b)", text) or text.endswith((".whl", ".tar.gz")):
        return "it looks like a path; kaa installs packages from an index only, for now"
    if re.match(r"^[a-z+]+://", text):
        return "it looks like a URL; kaa installs packages from an index only, for now"
    try:
        Requirement(text)
    except InvalidRequirement as error:
        return str(error)
    return None
