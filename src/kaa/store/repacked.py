"""A distribution that is installed as the wheel that it was made of (PEP 427), as far as it counts.

For what is small and cannot be fetched again: an editable project is a few lines that lead to it.
"""

from __future__ import annotations

import base64
import configparser
import csv
import hashlib
import io
import posixpath
import zipfile
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from pathlib import Path

_INSTALLERS_OWN = ("RECORD", "INSTALLER", "REQUESTED", "direct_url.json")
_WHEN = (1980, 1, 1, 0, 0, 0)


def repack(prefix: Path, metadata: str, paths: Iterable[str], wheel: Path) -> str | None:
    """Write what a distribution has installed as a wheel; return a file that is none of a wheel's.

    ``metadata`` is its ``*.dist-info`` and ``paths`` all of its files, below ``prefix``. Nothing is
    written where something is returned: what lies elsewhere than in site-packages, and is no
    script that stands for an entry point, cannot be told to be as the wheel had it. Raises
    ``OSError``.
    """
    site, _, info = metadata.rpartition("/")
    inside: list[str] = []
    outside: list[str] = []
    for path in sorted(set(paths)):
        if "__pycache__" not in path.split("/"):
            (inside if path.startswith(f"{site}/") else outside).append(path)
    scripts = set(_scripts(prefix / metadata / "entry_points.txt"))
    for path in outside:
        if posixpath.basename(path).removesuffix(".exe") not in scripts:
            return path
    text = io.StringIO()
    rows = csv.writer(text, lineterminator="\n")
    with zipfile.ZipFile(wheel, "w", zipfile.ZIP_DEFLATED) as archive:
        for path in inside:
            name = path[len(site) + 1 :]
            if posixpath.dirname(name) == info and posixpath.basename(name) in _INSTALLERS_OWN:
                continue
            content = (prefix / path).read_bytes()
            archive.writestr(zipfile.ZipInfo(name, _WHEN), content)
            digest = base64.urlsafe_b64encode(hashlib.sha256(content).digest()).decode()
            rows.writerow((name, f"sha256={digest.rstrip('=')}", len(content)))
        rows.writerow((f"{info}/RECORD", "", ""))
        archive.writestr(zipfile.ZipInfo(f"{info}/RECORD", _WHEN), text.getvalue())
    return None


def _scripts(entry_points: Path) -> Iterator[str]:
    parser = configparser.ConfigParser(delimiters=("=",), interpolation=None, strict=False)
    parser.optionxform = str  # type: ignore[assignment,method-assign]
    try:
        parser.read_string(entry_points.read_text(encoding="utf-8"))
    except (FileNotFoundError, configparser.Error):
        return
    for section in ("console_scripts", "gui_scripts"):
        if parser.has_section(section):
            yield from parser.options(section)
