"""The pictures beside a kernelspec: Jupyter shows ``logo-64x64.png`` and its like (Jupyter Client).

They are the kernel's own, or what the user has configured: a directory with such files, or one
picture.
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from kaa.kernels.offers import Offer
    from kaa.store.layout import Layout

SUFFIXES = (".png", ".svg")
"""The pictures that can stand alone."""
_PICTURES = ("logo-*", "kernel.js", "kernel.css")


def place_logos(directory: Path, icon: str | None, own: Path | None) -> None:
    """Let a kernelspec have the user's ``icon``, or else the files of the directory ``own``.

    Those of another time go. Raises OSError.
    """
    wanted = _of_icon(icon) or (_pictures(own) if own else {})
    for name, file in _pictures(directory).items():
        if name not in wanted:
            file.unlink(missing_ok=True)
    for name, source in wanted.items():
        _copy(source, directory / name)


def icon_directory(icon: str, layout: Layout) -> str | None:
    """Return a directory with the logos of an icon, as Jupyter wants them; None where it is gone.

    One that is a single picture is copied into a directory of kaa's, once.
    """
    if os.path.isdir(icon):  # noqa: PTH112
        return icon
    import hashlib

    directory = layout.root / "icons" / hashlib.sha256(os.fsencode(icon)).hexdigest()[:16]
    try:
        for name, source in _of_icon(icon).items():
            directory.mkdir(parents=True, exist_ok=True)
            _copy(source, directory / name)
    except OSError:
        pass  # what was copied before is better than none
    return str(directory) if directory.is_dir() else None


def own_logos(offer: Offer) -> Path | None:
    """Return the directory that an offer's own logos are in."""
    if offer.kernel is not None:
        return Path(offer.kernel.directory)
    packages = offer.environment.facts.packages_directory
    return Path(packages, "ipykernel", "resources") if packages else None


def _of_icon(icon: str | None) -> dict[str, Path]:
    if icon is None:
        return {}
    path = Path(icon)
    if path.is_dir():
        return _pictures(path)
    if not path.is_file():
        return {}
    if path.suffix.lower() == ".svg":
        return {"logo-svg.svg": path}
    return {"logo-32x32.png": path, "logo-64x64.png": path}


def _pictures(directory: Path) -> dict[str, Path]:
    return {file.name: file for pattern in _PICTURES for file in directory.glob(pattern)}


def _copy(source: Path, target: Path) -> None:
    import filecmp
    import shutil

    try:
        if target.exists() and filecmp.cmp(source, target, shallow=False):
            return
        shutil.copyfile(source, target)
    except FileNotFoundError:
        pass  # the environment is changing
