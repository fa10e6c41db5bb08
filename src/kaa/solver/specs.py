"""Package specs as a person types them: requirements (PEP 508) and match specs, told apart.

What is a requirement is read as one, everything else as conda reads it: ``name=1.2``,
``name 1.2 build*``, ``name[build_number=">=2"]``. ``source::`` in front of either says where the
package has to come from.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

from kaa.model.errors import InvalidSpecError
from kaa.model.package import PYPI
from kaa.network.locations import redact_text
from kaa.sources.versions import is_pre_release, version_spec

if TYPE_CHECKING:
    from packaging.requirements import Requirement
    from packaging.specifiers import SpecifierSet

YOU_ASKED = "you asked"
"""The origin of what was typed on the command line."""
_EXTRAS = re.compile(r"^(?P<name>[\w.-]+)\s*\[(?P<extras>[A-Za-z0-9._,\s-]*)\](?P<rest>.*)$")
_EXAMPLES = (
    "examples: `numpy`, `numpy>=2`, `numpy=2.1`, `requests[socks]>=2.32`, `conda-forge::gdal`"
)


@dataclass(frozen=True, slots=True)
class Spec:
    """One thing asked for.

    ``text`` is what was typed, without credentials; ``name`` in small letters, as typed;
    ``version`` a conda version spec, ``*`` for any, as PEP 440 means what was typed where it is a
    requirement, and ``conda_version`` the same as conda means it; ``extras`` are normalised;
    ``build`` is a build string, glob or regular expression; ``brackets`` are other fields of a
    match spec, as typed; ``source`` is whom it has to come from, as typed, None for whoever has
    it; ``pre_releases`` says that the spec names one, which allows them (PEP 440); ``origin`` says
    who wants it; ``direct`` that it is the distribution of a URL or path that the request has.
    """

    text: str
    name: str
    version: str
    extras: tuple[str, ...] = ()
    pre_releases: bool = False
    conda_version: str = "*"
    build: str | None = None
    brackets: tuple[tuple[str, str], ...] = ()
    source: str | None = None
    origin: str = YOU_ASKED
    direct: bool = False

    def match_spec(
        self, name: str | None = None, *, conda: bool = False, channel: str | None = None
    ) -> str:
        """Return the match spec for the solver, in the bracket form (CEP 29).

        ``name`` is the solver's name where that is another; ``conda`` chooses the meaning that
        the version has for conda packages; ``channel`` is the URL that it has to come from.
        """
        version = self.conda_version if conda else self.version
        fields = [] if version == "*" else [("version", version)]
        fields += [("build", self.build)] if self.build else []
        fields += [("channel", channel)] if channel else []
        parts = [f'{key}="{value}"' for key, value in (*fields, *self.brackets)]
        if self.extras and not conda:
            parts.append(f"extras=[{','.join(self.extras)}]")
        name = name or self.name
        return f"{name}[{', '.join(parts)}]" if parts else name


def parse_spec(text: str, origin: str = YOU_ASKED) -> Spec:
    """Return the spec that ``text`` says, asked for by ``origin``.

    Raises :class:`InvalidSpecError` for what is neither form; it says the origin.
    """
    source, rest = _split_source(text.strip())
    text = redact_text(text)  # it is written down and shown; the source keeps what it needs
    requirement = _requirement(rest)
    if requirement is not None:
        return _from_requirement(text, requirement, source, origin)
    if source == PYPI:
        spec = _from_match_spec(text, rest, source, origin)
        if spec.build or spec.brackets:
            raise _invalid(
                origin,
                f"{text!r} names a build, and packages of {PYPI} have none",
                hint=f"ask for `{PYPI}::{spec.name}`, with a version if you want one",
            )
        return spec
    return _from_match_spec(text, rest, source, origin)


def _split_source(text: str) -> tuple[str | None, str]:
    # Of a URL with a port or an IPv6 address the last pair of colons is the separator.
    source, separator, rest = text.rpartition("::")
    if not separator or "[" in source.rpartition("://")[2]:
        return None, text
    return source.strip() or None, rest.strip()


def _requirement(text: str) -> Requirement | None:
    from packaging.requirements import InvalidRequirement, Requirement

    try:
        return Requirement(text)
    except InvalidRequirement:
        return None


def _from_requirement(text: str, requirement: Requirement, source: str | None, origin: str) -> Spec:
    from packaging.utils import canonicalize_name

    if requirement.url:
        raise _invalid(
            origin,
            f"{text!r} asks for a package by its URL, which is not possible here",
            hint=f"ask for `{requirement.name}`",
        )
    if requirement.marker is not None:
        raise _invalid(
            origin,
            f"{text!r} has an environment marker",
            cause="on the command line there is one environment, so a marker says nothing",
            hint=f"leave out what comes after the semicolon: `{text.partition(';')[0].strip()}`",
        )
    return Spec(
        text,
        requirement.name.lower(),
        version_spec(requirement.specifier),
        tuple(sorted(canonicalize_name(extra) for extra in requirement.extras)),
        bool(requirement.specifier.prereleases),
        _as_conda_reads(requirement.specifier),
        source=source,
        origin=origin,
    )


def _as_conda_reads(specifiers: SpecifierSet) -> str:
    """Return what the specifiers say of a conda package: `1.1.1a` is a letter there, no alpha."""
    terms = []
    for specifier in sorted(specifiers, key=str):
        version, operator = specifier.version, specifier.operator
        if operator == "==" and version.endswith(".*"):
            terms.append(version)
        else:
            terms.append(f"{'==' if operator == '===' else operator}{version}")
    return ",".join(terms) or "*"


def _from_match_spec(text: str, stripped: str, source: str | None, origin: str) -> Spec:
    from packaging.utils import canonicalize_name
    from rattler import MatchSpec
    from rattler.exceptions import InvalidMatchSpecError, InvalidVersionSpecError

    extras: tuple[str, ...] = ()
    match = _EXTRAS.match(stripped)
    if match and "=" not in match["extras"]:  # `name[extra]=1.2`: an extra and conda's version
        names = (extra.strip() for extra in match["extras"].split(","))
        extras = tuple(sorted(canonicalize_name(extra) for extra in names if extra))
        stripped = match["name"] + match["rest"]
    try:
        parsed = MatchSpec(stripped)
    except (InvalidMatchSpecError, InvalidVersionSpecError, ValueError) as error:
        raise _invalid(
            origin,
            f"{text!r} is not a package spec",
            cause=_reason(stripped) or str(error),
            hint=_EXAMPLES,
        ) from None
    version = parsed.version or "*"
    return Spec(
        text,
        parsed.name.normalized,
        version,
        extras or tuple(sorted(parsed.extras or ())),
        is_pre_release(version),
        version,
        parsed.build,
        _brackets(str(parsed)),
        source,
        origin,
    )


_BRACKETS = re.compile(r'(build_number|license|track_features|md5|sha256|url|subdir)="([^"]*)"')


def _brackets(canonical: str) -> tuple[tuple[str, str], ...]:
    """Return the fields that rattler keeps in brackets when it says a match spec."""
    return tuple(sorted((key, value) for key, value in _BRACKETS.findall(canonical)))


def _invalid(origin: str, message: str, *, hint: str, cause: str | None = None) -> InvalidSpecError:
    """Return the error; what a user has typed needs no word on where it stands."""
    where = "" if origin == YOU_ASKED else f"{origin}: "
    return InvalidSpecError(where + message, cause=cause, hint=hint)


def _reason(text: str) -> str | None:
    from packaging.requirements import InvalidRequirement, Requirement

    if re.match(r"^(\.|/|~|[A-Za-z]:\\)", text) or text.endswith((".whl", ".tar.gz")):
        return "it looks like a path, but there is no such file or directory"
    try:
        Requirement(text)
    except InvalidRequirement as error:
        return str(error).partition("\n")[0]
    return None
