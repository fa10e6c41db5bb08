"""Names that look like one that nobody has."""

from __future__ import annotations

import difflib
from importlib import resources
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable

NEAR = 3
"""The most names that are suggested."""
_LIKENESS = 0.75
_CLOSE = 0.85
"""How alike names are that are told beside those of the preferred sources."""
_BONUS = 0.1
"""How much of likeness it is worth to be well known, or to have the same letters."""
_SHORT = 4
"""Names up to this length are alike when they are a single letter apart."""

_FLAVOURS = ("-gpu", "-cpu", "-cuda", "-bin", "-binary", "-headless", "-cp")
"""Ends of the names of PyPI projects that are another build of the same in conda."""

IMPORT_NAMES = {
    "bs4": "beautifulsoup4",
    "cairo": "pycairo",
    "cv2": "opencv",
    "dateutil": "python-dateutil",
    "dotenv": "python-dotenv",
    "git": "gitpython",
    "jwt": "pyjwt",
    "mpl-toolkits": "matplotlib",
    "osgeo": "gdal",
    "pil": "pillow",
    "serial": "pyserial",
    "skimage": "scikit-image",
    "sklearn": "scikit-learn",
    "yaml": "pyyaml",
    "zmq": "pyzmq",
}
"""What people import and therefore ask for, and the package that it is in."""


def well_known_projects() -> frozenset[str]:
    """Return the names of much used PyPI projects (PEP 503)."""
    text = resources.files("kaa.solver").joinpath("popular_names.txt").read_text("utf-8")
    return frozenset(text.split())


def near_names(name: str, known: Iterable[str], preferred: Collection[str] = ()) -> list[str]:
    """Return names among ``known`` that ``name`` may have been meant for, the likeliest first.

    ``known`` must be names that can be trusted: channels' and well-known projects', so that a
    suggestion never leads to a project that lives off typing errors. Where there are likely ones
    among ``preferred``, others have to be more alike.
    """
    wanted = _plain(name)
    letters = frozenset(wanted)
    imported = IMPORT_NAMES.get(name.lower().replace("_", "-"))
    popular = well_known_projects()
    variants = {wanted, f"py{wanted}", f"python{wanted}", wanted.removesuffix("python")}
    variants |= {wanted.removeprefix("python"), wanted.removeprefix("py")}
    variants |= {_plain(name.lower().removesuffix(end)) for end in _FLAVOURS}
    matcher = difflib.SequenceMatcher(autojunk=False)
    matcher.set_seq2(wanted)
    found: list[tuple[float, str]] = []
    close = set()
    for other in known:
        plain = _plain(other)
        longest = max(len(plain), len(wanted))
        if other == imported or plain in variants:
            found.append((-2.0 - (other == imported), other))
            close.add(other)
            continue
        # difflib is a hundred times slower than to see that too many letters are different
        if abs(len(plain) - len(wanted)) * 3 > longest or len(letters - set(plain)) * 4 > longest:
            continue
        matcher.set_seq1(plain)
        if longest <= _SHORT:
            alike = _one_apart(plain, wanted)
        else:
            alike = matcher.quick_ratio() >= _LIKENESS and matcher.ratio() >= _LIKENESS
        if alike:
            likeness = matcher.ratio()
            if likeness >= _CLOSE or other in preferred:
                close.add(other)
            likeness += _BONUS * (other in popular)
            likeness += _BONUS * (sorted(plain) == sorted(wanted))  # letters in another order
            found.append((-likeness, other))
    if any(other in preferred for _, other in found):
        found = [one for one in found if one[1] in close]
    ordered = [other for _, other in sorted(found) if other != name]
    return list(dict.fromkeys(ordered))[:NEAR]


def _plain(name: str) -> str:
    return name.lower().replace("-", "").replace("_", "").replace(".", "")


def _one_apart(one: str, other: str) -> bool:
    if len(one) == len(other):
        return sum(a != b for a, b in zip(one, other, strict=True)) == 1
    short, long = sorted((one, other), key=len)
    return len(long) - len(short) == 1 and any(
        long[:cut] + long[cut + 1 :] == short for cut in range(len(long))
    )
