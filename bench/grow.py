"""Channels of real conda-forge records: the harvest of ../shared/data, as it is or grown.

    python bench/grow.py DIRECTORY [--records N]

The harvest has 25,345 records for linux-64 and noarch. Grown, the channel also has renamed copies
of it, whole ones, until there are at least N records (500,000): in the copy ``c07`` every package
is called ``<name>-c07``, and so is whatever its packages depend on, so that each copy is a universe
of its own, as complete as the harvest. The same harvest gives the same files, byte for byte. What
is in the directory already is used again.
"""

from __future__ import annotations

import argparse
import hashlib
import re
import shutil
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Any

import orjson
import zstandard
from contest import AbsentError

if TYPE_CHECKING:
    from collections.abc import Iterator

HARVEST = (
    Path(__file__).resolve().parents[2] / "shared" / "data" / "repodata" / "conda-forge-harvest"
)
PLATFORM = "linux-64"
SUBDIRS = (PLATFORM, "noarch")
RECORDS = 500_000
INDEX = "repodata.json"
_NAME = re.compile(r"[A-Za-z0-9_.-]+")
_KINDS = ("packages", "packages.conda")
_MARK = "grown.json"
_FORMAT = 1
_LEVEL = 10
"""Of zstd. An index is packed better where it is served, which takes minutes."""

Record = dict[str, Any]


def harvest_channel(directory: Path) -> Path:
    """Return a channel with the harvest's records and no others, below ``directory``.

    Raises :class:`AbsentError` where the harvest is absent.
    """
    return _channel(directory / "harvest", 0)


def grown_channel(directory: Path, records: int = RECORDS) -> Path:
    """Return a channel with at least ``records`` records, below ``directory``.

    It is made unless it is there. Raises :class:`AbsentError` where the harvest is absent.
    """
    return _channel(directory / f"harvest-{records}", records)


def _channel(target: Path, records: int) -> Path:
    packed = {subdir: HARVEST / subdir / f"{INDEX}.zst" for subdir in SUBDIRS}
    absent = [path for path in packed.values() if not path.is_file()]
    if absent:
        raise AbsentError(
            f"the real records are needed, and {absent[0]} is not there (see ../shared/data)"
        )
    sha256 = {
        subdir: hashlib.sha256(path.read_bytes()).hexdigest() for subdir, path in packed.items()
    }
    mark = orjson.dumps({"format": _FORMAT, "records": records, "harvest": sha256})
    if _is_made(target, mark):
        return target
    target.parent.mkdir(parents=True, exist_ok=True)
    unfinished = Path(tempfile.mkdtemp(prefix=".new-", dir=target.parent))
    try:
        _write_channel(
            unfinished, {subdir: _read(path) for subdir, path in packed.items()}, records
        )
        (unfinished / _MARK).write_bytes(mark)
        shutil.rmtree(target, ignore_errors=True)
        unfinished.rename(target)
    finally:
        shutil.rmtree(unfinished, ignore_errors=True)
    return target


def _is_made(target: Path, mark: bytes) -> bool:
    try:
        return (target / _MARK).read_bytes() == mark
    except OSError:
        return False


def _read(path: Path) -> Record:
    content = zstandard.ZstdDecompressor().stream_reader(path.read_bytes()).read()
    index: Record = orjson.loads(content)
    return index


def _write_channel(target: Path, indexes: dict[str, Record], records: int) -> None:
    original = [
        record for index in indexes.values() for kind in _KINDS for record in index[kind].values()
    ]
    known = frozenset(record["name"] for record in original)
    copies = max(1, -(-records // len(original)))  # whole ones, the original among them
    for subdir, index in indexes.items():
        grown = {
            **index,
            **{kind: dict(sorted(_copied(index[kind], known, copies))) for kind in _KINDS},
        }
        content = orjson.dumps(grown)
        (target / subdir).mkdir()
        (target / subdir / INDEX).write_bytes(content)
        packed = zstandard.ZstdCompressor(level=_LEVEL, threads=-1).compress(content)
        (target / subdir / f"{INDEX}.zst").write_bytes(packed)


def _copied(
    records: dict[str, Record], known: frozenset[str], copies: int
) -> Iterator[tuple[str, Record]]:
    yield from records.items()
    for number in range(1, copies):
        suffix = f"-c{number:02}"
        for filename, record in records.items():
            yield _renamed(filename, record, known, suffix)


def _renamed(
    filename: str, record: Record, known: frozenset[str], suffix: str
) -> tuple[str, Record]:
    """Return a record under another name, with hashes of its own."""

    def said(spec: str) -> str:
        match = _NAME.match(spec)
        if match is None or match[0] not in known:
            return spec
        return f"{match[0]}{suffix}{spec[match.end() :]}"

    name = record["name"]
    copy = {**record, "name": name + suffix, "depends": [said(spec) for spec in record["depends"]]}
    if "constrains" in record:
        copy["constrains"] = [said(spec) for spec in record["constrains"]]
    for algorithm in ("md5", "sha256"):
        if algorithm in record:
            hashed = hashlib.new(algorithm, f"{record[algorithm]}{suffix}".encode())
            copy[algorithm] = hashed.hexdigest()
    return f"{name}{suffix}{filename[len(name) :]}", copy


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("directory", type=Path, help="where the channel is to be, in a directory")
    parser.add_argument(
        "--records", type=int, default=RECORDS, metavar="N", help="default: 500,000"
    )
    options = parser.parse_args()
    try:
        channel = grown_channel(options.directory, options.records)
    except AbsentError as error:
        parser.exit(2, f"error: {error}\n")
    count = 0
    for subdir in SUBDIRS:
        path = channel / subdir / INDEX
        index = orjson.loads(path.read_bytes())
        count += sum(len(index[kind]) for kind in _KINDS)
        print(f"{path}: {path.stat().st_size / 1e6:.0f} MB")
    print(f"{count} records")


if __name__ == "__main__":
    main()
