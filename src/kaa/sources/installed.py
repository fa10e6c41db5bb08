"""A package that was installed from an index, as part of another solve."""

from __future__ import annotations

import hashlib
import re
from typing import TYPE_CHECKING

from kaa.model.distribution import IndexFile
from kaa.model.package import PYPI, source_of_channel
from kaa.sources.index import distribution_of, normalise
from kaa.sources.project import Demand
from kaa.sources.versions import is_pre_release

if TYPE_CHECKING:
    from collections.abc import Iterator

    from rattler import PackageRecord, RepoDataRecord

    from kaa.sources.target import Target

_BUILT_FOR = re.compile(r"^python (\d+\.\d+)\.\*$")


def installed_file(record: RepoDataRecord) -> IndexFile:
    """Return the file of an index that an installed package was made of."""
    assert record.sha256 is not None  # every record of ours has one
    filename = record.url.rpartition("/")[2]
    # Of what was built from source the record's hash is not the file's, and of what no index gives
    # one for it stands for the URL.
    sha256 = record.sha256.hex()
    own = filename.endswith(".whl") and sha256 != hashlib.sha256(record.url.encode()).hexdigest()
    hashes = {"sha256": sha256} if own else {}
    return IndexFile(filename, record.url, hashes, record.size)


def installed_project(record: PackageRecord) -> str:
    """Return the project (PEP 503) that a record of an index is of; of others the name."""
    url = str(getattr(record, "url", ""))
    if source_of_channel(str(getattr(record, "channel", None) or "")) == PYPI:
        known = distribution_of(url.rpartition("/")[2])
        if known is not None:
            return normalise(known[0])
    return normalise(record.name.normalized)


def still_fits(record: RepoDataRecord, target: Target) -> bool:
    """Say whether an installed package can be used with a Python of ``target``."""
    filename = record.url.rpartition("/")[2]
    if filename.endswith(".whl"):
        return bool(target.fit(filename))
    built_for = {minor for text in record.depends for minor in _BUILT_FOR.findall(text)}
    return not built_for or bool(built_for & set(target.minors))


def installed_demands(record: RepoDataRecord) -> Iterator[tuple[str, Demand, tuple[str, ...]]]:
    """Yield what an installed package asks for: names, demands, and extras under a condition."""
    from rattler import MatchSpec

    for text in record.depends:
        spec = MatchSpec(text)
        version = spec.version or "*"
        name = text.partition("[")[0].split(" ")[0]
        extras = tuple(spec.extras or ()) if spec.condition else ()
        yield name, Demand(version, is_pre_release(version)), extras
