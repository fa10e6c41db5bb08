"""Version specs and lists of versions as a person would say them."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, NamedTuple

from kaa.sources.versions import readable_specs

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

    from rattler import Version

_BRACKETS = re.compile(r"\s*\[(?P<fields>.*)\]")
_MINOR = re.compile(
    r">=(\d+)\.(\d+)(?:\.\d+(?:rc\d+|[ab]\d+)?)?,<\1\.(\d+)|(?:==?)?(\d+)\.(\d+)(?:\.\*)?"
)
_COMPATIBLE = re.compile(r"(?<![\w.])((?:\d+\.)+)\*,>=((?:\d+\.)+)(\d+)(?![\w.])")
_LISTED = 2
_ANY = ("", "*")


def version_words(rest: str) -> str:
    """Return what the solver says after a package's name, as a person writes it: ``>=2,<3``.

    Builds are left out where there is a version, and what only the solver needs to know.
    """
    text = _BRACKETS.sub(_condition, rest).strip()
    version, _, build = text.partition(" ")
    if build and not build.startswith("("):
        text = f"{version} {build}" if version == "*" else version
    if text in _ANY:
        return ""
    # what PEP 440 leaves out of `>1.0`, said for the solver
    text = re.sub(r",?!=[^,|\s]*\.?post\.?\*", "", text).lstrip(",")
    # `<2.0a0` is how conda-build writes "below 2.0 and its pre-releases"
    text = readable_specs(re.sub(r"<(\d+(?:\.\d+)*?)(?:\.0)*\.?a0\b", r"<\1", text))
    if "|" in text:
        return text
    text = ",".join(sorted(text.split(","), key=lambda term: "><!".find(term[0])))
    # `~=2.1` is spelled out for the solver as what it means: `2.*,>=2.1`
    return _COMPATIBLE.sub(lambda m: f"~={m[2]}{m[3]}" if m[1] == m[2] else m[0], text)


def _condition(match: re.Match[str]) -> str:
    condition = re.search(r'when="([^"]*)"', match["fields"])
    return f" (where {condition[1]})" if condition else ""


def python_words(specs: Iterable[str]) -> str | None:
    """Return the minor versions of Python that ``specs`` are (``3.9, 3.10 or 3.12``), or None when
    one of them says something else."""
    minors = set()
    for spec in specs:
        match = _MINOR.fullmatch(spec)
        if match is None:
            return None
        if match[1] is None:
            minors.add((int(match[4]), int(match[5])))
        else:
            minors |= {(int(match[1]), minor) for minor in range(int(match[2]), int(match[3]))}
    return _either([f"{major}.{minor}" for major, minor in sorted(minors)])


def specs_words(
    name: str, rests: Sequence[str], allows: Callable[[str], bool] = lambda _spec: False
) -> str:
    """Return ``name`` with specs, one of which has to be satisfied.

    Of more than two, the span from the lowest to the highest version that they allow, unless it
    has something in it that ``allows`` accepts and none of the specs has.
    """
    specs = list(dict.fromkeys(version_words(rest) for rest in rests))
    if "" in specs:
        return name
    if name == "python":
        minors = python_words(specs)
        if minors:
            return f"{name} {minors}"
    spans = [span for span in map(_span, specs) if span is not None]
    hull = _hull(spans) if len(spans) == len(specs) else ""
    wanted = hull and (len(specs) > _LISTED or hull in specs)
    if wanted and (hull in specs or not allows(hull) or any(map(allows, rests))):
        return f"{name} {hull}"
    if len(specs) > _LISTED:
        others = len(specs) - _LISTED
        specs = [*specs[:_LISTED], f"{others} other{'s' * (others > 1)}"]
    return f"{name} {_either(specs)}"


def versions_words(lists: Iterable[str]) -> str:
    """Return versions that the solver lists between bars as a span (``1.0 to 2.3``)."""
    from rattler import Version

    versions = {version for listed in lists for version in listed.split(" | ") if version != "..."}
    try:
        known = sorted(filter(None, versions), key=Version)
    except Exception:  # whatever the solver's text has in place of a version
        return ", ".join(sorted(versions))
    if not known:
        return ""
    cut = any("..." in listed for listed in lists)
    if len(known) == _LISTED and not cut:
        return f"{known[0]} and {known[1]}"
    return known[0] if len(known) == 1 else f"{known[0]} to {known[-1]}"


class _Span(NamedTuple):
    low: tuple[str, str] | None
    high: tuple[str, str] | None


def _span(spec: str) -> _Span | None:
    """Return the lowest and the highest bound of a spec, with their operators."""
    low = high = None
    for term in spec.split(","):
        match = re.fullmatch(r"(>=|>|<=|<|==|=|~=|!=|)\s*(\d[\w.!+]*?)(\.\*)?", term)
        if match is None:
            return None
        operator, version, star = match.groups()
        if operator in (">=", ">", "~="):
            low = (operator.replace("~", ">"), version)
        elif operator in ("<", "<="):
            high = (operator, version)
        elif operator != "!=":
            low = (">=", version)
            high = ("<", _next(version)) if star or operator == "=" else ("<=", version)
    return _Span(low, high)


def _next(version: str) -> str:
    head, _, last = version.rpartition(".")
    number = int(re.match(r"\d+", last)[0]) + 1  # type: ignore[index]  # it begins with a digit
    return f"{head}.{number}" if head else str(number)


def _hull(spans: Sequence[_Span]) -> str:
    from rattler import Version

    def version(bound: tuple[str, str]) -> Version:
        return Version(bound[1])

    lows = [span.low for span in spans if span.low]
    highs = [span.high for span in spans if span.high]
    parts = []
    if len(lows) == len(spans):
        operator, lowest = min(lows, key=version)
        parts.append(operator + lowest)
    if len(highs) == len(spans):
        operator, highest = max(highs, key=version)
        parts.append(operator + highest)
    return ",".join(parts)


def _either(words: Sequence[str]) -> str:
    if len(words) < 2:
        return "".join(words)
    return f"{', '.join(words[:-1])} or {words[-1]}"
