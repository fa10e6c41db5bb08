"""The packages that the trials install, on servers on 127.0.0.1: small, each with a catch."""

from __future__ import annotations

from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING

from conda_channel import CondaChannel
from conda_packages import PLACEHOLDER, Content, Link, build_conda_package, python_project
from local_index import LocalIndex
from wheels import build_wheel

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

_FRESH = {"Cache-Control": "max-age=86400"}
"""What is being asked for again and again is not what is tried here."""
_FILES = 40


@dataclass(frozen=True, slots=True)
class Shelf:
    """The two servers."""

    index: LocalIndex
    channel: CondaChannel


@contextmanager
def serve(directory: Path) -> Iterator[Shelf]:
    """Build the packages in ``directory`` and serve them."""
    made = directory / "made"
    with (
        LocalIndex(headers=_FRESH) as index,
        CondaChannel(directory / "forge", headers=_FRESH) as channel,
    ):
        for wheel in _wheels(made):
            index.add(wheel)
        for package in _packages(made):
            channel.add(package)
        yield Shelf(index, channel)


def _wheels(made: Path) -> Iterator[Path]:
    kernel: dict[str, str | bytes] = {"ipykernel_launcher.py": "", "ipykernel/__init__.py": ""}
    yield build_wheel(made, "ipykernel", files=kernel)
    for version in ("2.1", "2.2"):
        yield build_wheel(made, "fur", version)
    for version in ("1.0", "2.0"):
        commands = {"growl": "bear:main"}
        yield build_wheel(made, "bear", version, requires=["fur>=2"], console_scripts=commands)
    for version in ("1.0", "2.0"):  # files below etc are copied, and edited
        data = {f"data/etc/nest/{n}.conf": f"{version} {n}\n" for n in range(_FILES)}
        yield build_wheel(made, "nest", version, data={**data, "data/share/nest.txt": version})
    for number in range(8):
        yield build_wheel(made, f"cub{number}", requires=["bear"])
    many: dict[str, str | bytes] = {f"wolf/m{n}.py": f"{n}\n" for n in range(_FILES)}
    many["wolf/__init__.py"] = "def main():\n    print('wolf', 1.0)\n"
    yield build_wheel(
        made, "wolf", requires=["fur"], files=many, console_scripts={"howl": "wolf:main"}
    )


def _packages(made: Path) -> Iterator[Path]:
    for version in ("1.0", "2.0"):
        files: dict[str, Content] = {
            "share/cave/home.txt": f"{PLACEHOLDER} {version}\n",
            "share/cave/wall.bin": b"\0" + PLACEHOLDER.encode() + b"/wall\0",
            "share/cave/door": Link("home.txt"),
            **{f"share/cave/{number}.txt": f"{number}\n" for number in range(_FILES)},
        }
        yield build_conda_package(made, "cave", version, noarch="generic", files=files)
    river: dict[str, Content] = {**python_project("river", commands=["flow = river:main"])}
    river["etc/conda/activate.d/river.sh"] = "export RIVER=1\n"
    yield build_conda_package(
        made,
        "river",
        noarch="python",
        depends=["cave"],
        files=river,
        entry_points=["flow = river:main"],
    )
