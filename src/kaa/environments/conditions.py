"""Whether the condition of a dependency (``when="python >=3.9"``) holds in an environment.

rattler's grammar: match specs, ``and``, ``or`` and parentheses.
"""

from __future__ import annotations

import operator
import re
import sys
from typing import TYPE_CHECKING

from kaa.model.graph import parse_dependency

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

_TOKEN = re.compile(r"\s*([()]|(?:(?!\b(?:and|or)\b)[^()])+|and|or)\s*")
_PLAIN = re.compile(r"(\d+(?:\.\d+)*)((?:a|b|rc|dev)\d*)?\Z")
_TERM = re.compile(r"(>=|<=|==|!=|>|<)(.+)\Z")
_COMPARE: dict[str, Callable[[_Key, _Key], bool]] = {
    ">=": operator.ge,
    "<=": operator.le,
    "==": operator.eq,
    "!=": operator.ne,
    ">": operator.gt,
    "<": operator.lt,
}
_PLATFORMS = {
    "__unix": sys.platform != "win32",
    "__linux": sys.platform == "linux",
    "__osx": sys.platform == "darwin",
    "__win": sys.platform == "win32",
}

if TYPE_CHECKING:
    _Key = tuple[tuple[int, ...], bool, str]


def holds(condition: str, versions: Mapping[str, str]) -> bool:
    """Say whether ``condition`` holds where the packages of ``versions`` (name: version) are.

    What cannot be read, or depends on the machine (``__cuda``), is taken to hold: a dependency
    too many is shown rather than one too few.
    """
    tokens = [token.strip() for token in _TOKEN.findall(condition)]
    try:
        value = _any(tokens, versions)
    except (IndexError, ValueError):
        return True
    return value or bool(tokens)


def _any(tokens: list[str], versions: Mapping[str, str]) -> bool:
    value = _all(tokens, versions)
    while tokens and tokens[0] == "or":
        tokens.pop(0)
        value = _all(tokens, versions) or value
    return value


def _all(tokens: list[str], versions: Mapping[str, str]) -> bool:
    value = _one(tokens, versions)
    while tokens and tokens[0] == "and":
        tokens.pop(0)
        value = _one(tokens, versions) and value
    return value


def _one(tokens: list[str], versions: Mapping[str, str]) -> bool:
    token = tokens.pop(0)
    if token == "(":  # noqa: S105 - a parenthesis
        value = _any(tokens, versions)
        if tokens.pop(0) != ")":
            raise ValueError(token)
        return value
    return _matches(token, versions)


def _matches(text: str, versions: Mapping[str, str]) -> bool:
    spec = parse_dependency(text)
    if spec is None:
        raise ValueError(text)
    if spec.name.startswith("__"):
        return _PLATFORMS.get(spec.name, True)
    version = versions.get(spec.name)
    if version is None:
        return False
    wanted = spec.spec.partition(" ")[0]
    if not wanted:
        return True
    plain = _compared(version, wanted)
    return _matched_by_rattler(version, wanted) if plain is None else plain


def _compared(version: str, spec: str) -> bool | None:
    """Compare versions of the plain kind (3.13.0rc1); None if there is any other.

    rattler knows all kinds, but importing it takes longer than everything else that is done with
    an installed environment, and the conditions that kaa itself writes are of this kind.
    """
    key = _key(version)
    if key is None:
        return None
    alternatives = []
    for alternative in spec.split("|"):
        results = []
        for term in alternative.split(","):
            match = _TERM.match(term.strip())
            bound = _key(match[2]) if match else None
            if match is None or bound is None:
                return None
            results.append(_COMPARE[match[1]](key, bound))
        alternatives.append(all(results))
    return any(alternatives)


def _key(version: str) -> _Key | None:
    match = _PLAIN.match(version)
    if match is None:
        return None
    numbers = [int(part) for part in match[1].split(".")]
    while len(numbers) > 1 and not numbers[-1]:
        numbers.pop()
    stage = (match[2] or "").removesuffix("0")
    if stage == "dev":
        stage = ""  # below the alphas, in conda's order as in PEP 440
    elif len(stage.lstrip("abrc")) > 1:
        return None  # what is not ordered as text is: beta 10, dev 2
    return tuple(numbers), not match[2], stage


def _matched_by_rattler(version: str, spec: str) -> bool:
    from rattler import Version, VersionSpec
    from rattler.exceptions import InvalidVersionError, InvalidVersionSpecError

    try:
        return bool(VersionSpec(spec).matches(Version(version)))
    except (InvalidVersionError, InvalidVersionSpecError) as error:
        raise ValueError(spec) from error
