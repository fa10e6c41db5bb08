"""Wheels of what is installed beside these tests, so that an index on 127.0.0.1 can serve it."""

from __future__ import annotations

import base64
import csv
import hashlib
import importlib.metadata
import io
import zipfile
from pathlib import Path
from typing import TYPE_CHECKING

from packaging.requirements import Requirement

if TYPE_CHECKING:
    from collections.abc import Iterator

_WHEN = (2020, 1, 1, 0, 0, 0)


def with_needs(name: str) -> Iterator[importlib.metadata.Distribution]:
    """Give an installed distribution and everything that it needs on this machine."""
    wanted, seen = [name], set()
    while wanted:
        one = wanted.pop()
        if one in seen:
            continue
        seen.add(one)
        try:
            distribution = importlib.metadata.distribution(one)
        except importlib.metadata.PackageNotFoundError:
            continue  # for another platform
        yield distribution
        for line in distribution.requires or ():
            requirement = Requirement(line)
            if not requirement.marker or requirement.marker.evaluate({"extra": ""}):
                wanted.append(requirement.name)


def pack(
    distribution: importlib.metadata.Distribution, directory: Path, version: str | None = None
) -> Path:
    """Write the wheel that a distribution was installed from, without what is not in site-packages.

    Nothing is compressed: it goes no further than this machine. ``version`` makes it another one.
    """
    old = distribution.version
    new = version or old
    stem = distribution.name.replace("-", "_")
    info, renamed = f"{stem}-{old}.dist-info", f"{stem}-{new}.dist-info"
    lines = (distribution.read_text("WHEEL") or "").splitlines()
    tags = [line.removeprefix("Tag: ") for line in lines if line.startswith("Tag: ")]
    parts = zip(*(tag.split("-") for tag in tags), strict=True)
    tag = "-".join(".".join(dict.fromkeys(part)) for part in parts)
    path = directory / f"{stem}-{new}-{tag}.whl"
    rows = []
    with zipfile.ZipFile(path, "w", zipfile.ZIP_STORED) as archive:
        for file in distribution.files or ():
            kept = ".." not in file.parts and "__pycache__" not in file.parts
            if not kept or file.name in {"RECORD", "INSTALLER", "REQUESTED", "direct_url.json"}:
                continue
            content = Path(str(distribution.locate_file(file))).read_bytes()
            inner = file.as_posix().replace(info, renamed)
            if file.name == "METADATA":
                said, says = (f"\nVersion: {each}\n".encode() for each in (old, new))
                content = content.replace(said, says)
            archive.writestr(zipfile.ZipInfo(inner, _WHEN), content)
            digest = base64.urlsafe_b64encode(hashlib.sha256(content).digest()).rstrip(b"=")
            rows.append((inner, f"sha256={digest.decode()}", len(content)))
        metadata = next(row[0] for row in rows if row[0].endswith(".dist-info/METADATA"))
        record = f"{metadata.removesuffix('METADATA')}RECORD"
        text = io.StringIO()
        csv.writer(text, lineterminator="\n").writerows([*rows, (record, "", "")])
        archive.writestr(zipfile.ZipInfo(record, _WHEN), text.getvalue())
    return path
