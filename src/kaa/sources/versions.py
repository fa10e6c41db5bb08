"""Versions and specifiers of PEP 440 said in conda's words, so that one solver orders them all.

conda's order (CEP 33) and PEP 440's agree on releases, pre-, post- and development releases once
a development segment is written without its dot (``1.0dev1``), and on epochs and local versions.
What a specifier includes differs at the edges; :func:`version_spec` spells those out.
"""

from __future__ import annotations

import re
from functools import lru_cache
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from packaging.specifiers import Specifier, SpecifierSet
    from packaging.version import Version

_PRE_RELEASE = re.compile(r"(?:(?:a|b|rc)\d+|dev\d+)")


def conda_version(version: str) -> str:
    """Return a version in PEP 440's normal form as conda orders it rightly."""
    return version.replace(".dev", "dev")


def is_pre_release(version: str) -> bool:
    """Say whether a version in PEP 440's normal form is a pre- or development release."""
    return _PRE_RELEASE.search(version.partition("+")[0]) is not None


@lru_cache(maxsize=4096)
def version_spec(specifiers: SpecifierSet) -> str:
    """Return the conda version spec that matches what ``specifiers`` match (``*`` for any).

    Whether pre-releases are looked at is not part of it: that is decided by which versions are
    offered (PEP 440, "Handling of pre-releases").
    """
    terms = sorted({_term(specifier) for specifier in specifiers})
    return ",".join(terms) or "*"


@lru_cache(maxsize=2048)
def python_spec(requires_python: str | None) -> str:
    """Return the conda version spec of a Requires-Python value.

    What cannot be read allows every Python, as pip and uv have it.
    """
    from packaging.specifiers import InvalidSpecifier, SpecifierSet

    try:
        return version_spec(SpecifierSet(requires_python or ""))
    except InvalidSpecifier:
        return "*"


def _term(specifier: Specifier) -> str:
    from packaging.version import Version

    operator, text = specifier.operator, specifier.version
    if text.endswith(".*"):
        prefix = Version(text[:-2])
        return f"{operator}{conda_version(str(prefix))}.*" if operator == "!=" else f"{prefix}.*"
    if operator == "===":  # arbitrary equality: what is no version cannot be in the answer
        operator = "=="
    version = Version(text)
    said = conda_version(str(version))
    if operator == "~=":
        return f">={said},{_release_prefix(version)}.*"
    if operator == "<" and not version.is_prerelease:
        return f"<{said}dev"  # `<1.0` leaves out 1.0's own pre-releases
    if operator == ">" and not version.is_postrelease and not version.is_devrelease:
        return f">{said},!={said}.post*"  # `>1.0` leaves out 1.0's own post-releases
    return f"{operator}{said}"


def _release_prefix(version: Version) -> str:
    epoch = f"{version.epoch}!" if version.epoch else ""
    return epoch + ".".join(str(part) for part in version.release[:-1])
