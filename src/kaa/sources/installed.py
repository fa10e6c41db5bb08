"""A package that was installed from an index, as part of another solve."""

from __future__ import annotations

from typing import TYPE_CHECKING

from kaa.model.distribution import IndexFile
from kaa.sources.project import Demand
from kaa.sources.versions import is_pre_release

if TYPE_CHECKING:
    from collections.abc import Iterator

    from rattler import RepoDataRecord


def installed_file(record: RepoDataRecord) -> IndexFile:
    """Return the file of an index that an installed package was made of."""
    assert record.sha256 is not None  # every record of ours has one
    filename = record.url.rpartition("/")[2]
    return IndexFile(filename, record.url, {"sha256": record.sha256.hex()}, record.size)


def installed_demands(record: RepoDataRecord) -> Iterator[tuple[str, Demand, tuple[str, ...]]]:
    """Yield what an installed package asks for: names, demands, and extras under a condition."""
    from rattler import MatchSpec

    for text in record.depends:
        spec = MatchSpec(text)
        version = spec.version or "*"
        name = text.partition("[")[0].split(" ")[0]
        extras = tuple(spec.extras or ()) if spec.condition else ()
        yield name, Demand(version, is_pre_release(version)), extras
