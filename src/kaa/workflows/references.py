"""Direct references of an environment: how they are remembered, and kept as they are.

A manifest outlives the working directory and the moment: it has the project's name, an absolute
URL, and what was asked of it. What a reference leads to is looked at again only when the command
is about it: a branch has moved on since, and a directory has changed, which is nothing that a
package that is installed beside it should bring along.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING
from urllib.parse import quote

from kaa.model.package import PYPI
from kaa.solver.specs import Spec
from kaa.sources.direct import Kind

if TYPE_CHECKING:
    from rattler import RepoDataRecord

    from kaa.sources.direct import DirectReference

_LASTING = re.compile(
    r"(?:-e\s+)?(?P<name>[\w.-]+)(?:\[(?P<extras>[^\]]*)\])? @ (?:git\+)?[a-z]+:", re.IGNORECASE
)


def lasting_text(reference: DirectReference, name: str) -> str:
    """Return what a manifest keeps of a reference to the project ``name``, as could be typed."""
    url = reference.url
    if reference.kind is Kind.VCS:
        url = f"git+{url}" + (f"@{quote(reference.ref, safe='/')}" if reference.ref else "")
    fragment = [f"{algorithm}={digest}" for algorithm, digest in reference.hashes.items()]
    if reference.subdirectory:
        fragment.append(f"subdirectory={quote(reference.subdirectory, safe='/')}")
    extras = f"[{','.join(reference.extras)}]" if reference.extras else ""
    text = f"{name}{extras} @ {url}{'#' if fragment else ''}{'&'.join(fragment)}"
    return f"-e {text}" if reference.editable else text


def read_lasting(text: str) -> tuple[str, tuple[str, ...]] | None:
    """Return the name and the extras in what :func:`lasting_text` gave; None for other specs.

    What it leads to need not be there any more.
    """
    match = _LASTING.match(text)
    if match is None:
        return None
    extras = (extra.strip() for extra in (match["extras"] or "").split(","))
    return match["name"], tuple(extra for extra in extras if extra)


def kept_spec(text: str, extras: tuple[str, ...], record: RepoDataRecord) -> Spec:
    """Return the spec for a reference that stays what ``record`` says that it is."""
    version = f"=={record.version}"
    return Spec(
        text,
        record.name.normalized,
        version,
        extras,
        pre_releases=True,
        conda_version=version,
        source=PYPI,
    )
