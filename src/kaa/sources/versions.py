"""Versions and specifiers of PEP 440 said in conda's words, so that one solver orders them all.

conda's order (CEP 33) and PEP 440's agree on releases, pre-, post- and development releases and
epochs once a development segment is written without its dot (``1.0dev1``). What a specifier
includes differs at the edges; :func:`version_spec` spells those out.

Where they still differ: a pre-, post- or development release beside one whose release is written
with another number of zeros or parts (``1.0a1`` and ``1.0.0a2``, ``1.0.post1`` and ``1.0.0.1``);
local versions among themselves and of pre-releases; ``!=1.0``, which leaves ``1.0+local`` in;
``===``, which compares versions, not texts; and
``<1.0.post1``, which does not leave out the pre-releases of 1.0.
"""

from __future__ import annotations

import re
from functools import lru_cache
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from packaging.specifiers import Specifier, SpecifierSet
    from packaging.version import Version

NO_VERSION = "==0+none"
"""A conda version spec that no version of any project satisfies."""
_ZEROS = ("", ".0", ".0.0")
_PRE_RELEASE = re.compile(r"(?:(?:a|b|rc)\d+|dev\d+)")


def conda_version(version: str) -> str:
    """Return a version in PEP 440's normal form as conda orders it rightly."""
    return version.replace(".dev", "dev")


def is_pre_release(version: str) -> bool:
    """Say whether a version in PEP 440's normal form is a pre- or development release."""
    return _PRE_RELEASE.search(version.partition("+")[0]) is not None


_BEFORE_LOCALS = "+dev"
"""Said after a version: below all of its local versions. conda has ``1.0+cpu`` below ``1.0``."""
_AFTER_LOCALS = ".0.0.0.1dev"
"""Said after a version: above all of its local versions, below whatever PEP 440 has next."""
_ANY_LOCAL = re.compile(r">=([^,|]+)\+dev,<\1\.0\.0\.0\.1dev")


def version_spec(specifiers: SpecifierSet) -> str:
    """Return the conda version spec that matches what ``specifiers`` match (``*`` for any).

    Whether pre-releases are looked at is not part of it: that is decided by which versions are
    offered (PEP 440, "Handling of pre-releases").
    """
    # by text: sets that are equal (`<2`, `<2.0`) must not take each other's words, which would
    # depend on which of them came first
    return _version_spec(str(specifiers), local=True)


@lru_cache(maxsize=2048)
def python_spec(requires_python: str | None) -> str:
    """Return the conda version spec of a Requires-Python value.

    What cannot be read allows every Python, as pip and uv have it.
    """
    from packaging.specifiers import InvalidSpecifier

    try:
        return _version_spec(requires_python or "", local=False)
    except InvalidSpecifier:
        return "*"


def is_exact(spec: str) -> bool:
    """Say whether a conda version spec is a pin (``==1.2``), which may choose a yanked release."""
    pinned = spec.startswith("==") and "," not in spec and "|" not in spec
    return pinned or _ANY_LOCAL.fullmatch(spec) is not None


def readable_specs(text: str) -> str:
    """Return ``text`` with the specs of :func:`version_spec` in it said as people write them."""
    text = _ANY_LOCAL.sub(r"==\1", text)
    text = re.sub(r"(\S+) (\S+)\[extras=\[([^\]]*)\]\]", r"\1[\3] \2", text)
    text = re.sub(r">=([0-9][^,|\s]*?)\.0\.0\.0\.1dev(?:,!=[0-9a-z.!]+post\*)*", r">\1", text)
    text = re.sub(r"<([0-9][^,|\s]*?)\.0\.0\.0\.1dev", r"<=\1", text)
    return re.sub(r"([<>]=?[0-9][^,|\s]*?)(?:\+dev|\.?dev|\.?a0)(?=[,|\s)\]]|$)", r"\1", text)


@lru_cache(maxsize=4096)
def _version_spec(text: str, *, local: bool) -> str:
    from packaging.specifiers import SpecifierSet

    terms = sorted({_term(specifier, local=local) for specifier in SpecifierSet(text)})
    return ",".join(terms) or "*"


def _term(specifier: Specifier, *, local: bool) -> str:
    from packaging.version import InvalidVersion, Version

    operator, text = specifier.operator, specifier.version
    if text.endswith(".*"):
        prefix = str(Version(text[:-2]))
        return f"!={prefix}.*" if operator == "!=" else f"{prefix}.*"
    try:
        version = Version(text)
    except InvalidVersion:  # `===` of any text: what is no version cannot be in the answer
        return NO_VERSION
    said = conda_version(str(version))
    if operator == "<" and not version.is_prerelease:
        return f"<{_without_zeros(version)}dev"  # `<1.0` leaves out 1.0's own pre-releases
    low, high = (said + _BEFORE_LOCALS, said + _AFTER_LOCALS) if local else (said, said)
    if operator == "~=":
        return f">={low},{_release_prefix(version)}.*"
    if operator == ">" and not version.is_postrelease and not version.is_devrelease:
        # `>1.0` leaves out 1.0's own post-releases
        final = not version.is_prerelease
        bases = [_without_zeros(version) + zeros for zeros in _ZEROS] if final else [said]
        posts = [f"!={base}.post*" for base in bases] if local else []
        return ",".join([f">={high}" if local else f">{said}", *posts])
    if not local or version.local:
        return f"{'==' if operator == '===' else operator}{said}"
    return {
        "<": f"<{low}",
        "<=": f"<{high}",
        ">": f">={high}",
        ">=": f">={low}",
        "!=": f"!={said}",
    }.get(operator, f">={low},<{high}")


def _without_zeros(version: Version) -> str:
    """Return a version without the zeros that end its release: below it are all it is above."""
    if version.is_postrelease:
        return conda_version(str(version))
    release = re.sub(r"(?:\.0)+$", "", ".".join(map(str, version.release)))
    return f"{version.epoch}!{release}" if version.epoch else release


def _release_prefix(version: Version) -> str:
    epoch = f"{version.epoch}!" if version.epoch else ""
    return epoch + ".".join(str(part) for part in version.release[:-1])
