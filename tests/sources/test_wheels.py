"""The choice of wheels: tags, builds, yanks, Requires-Python, other platforms."""

from __future__ import annotations

from typing import Any

import pytest
from packaging.tags import mac_platforms

from kaa.model.distribution import IndexFile, Release
from kaa.sources.target import Target, host_target
from kaa.sources.wheels import FORBIDDEN, choose_wheels

LINUX = ("manylinux_2_17_x86_64", "manylinux2014_x86_64", "manylinux_2_5_x86_64", "linux_x86_64")
MAC = tuple(mac_platforms((14, 0), "arm64"))
PYTHONS = ("3.13.0", "3.12.1", "3.10.4")


def chosen(
    *files: IndexFile | str,
    platforms: tuple[str, ...] = LINUX,
    pythons: tuple[str, ...] = PYTHONS,
    yanked: bool = False,
) -> dict[str, str]:
    """Return the tags of the chosen wheels with their specs on Python."""
    release = Release("1.0", tuple(wheel(f) if isinstance(f, str) else f for f in files))
    choices, reason = choose_wheels(release, Target(pythons, platforms, {}), yanked=yanked)
    assert (reason is None) == bool(choices)
    return {choice.file.filename[9:-4]: choice.python for choice in choices}


def wheel(tag: str, requires_python: str | None = None, yanked: str | None = None) -> IndexFile:
    name = f"demo-1.0-{tag}.whl"
    return IndexFile(name, f"https://example.org/{name}", {}, None, requires_python, yanked)


@pytest.mark.parametrize(
    ("tags", "expected"),
    [
        (["py3-none-any"], {"py3-none-any": "*"}),
        (["py2.py3-none-any"], {"py2.py3-none-any": "*"}),
        (["py2-none-any"], {}),
        (["cp312-cp312-linux_x86_64"], {"cp312-cp312-linux_x86_64": "3.12.*"}),
        (
            ["py3-none-any", "cp312-cp312-manylinux2014_x86_64"],
            {"py3-none-any": "3.13.*|3.10.*", "cp312-cp312-manylinux2014_x86_64": "3.12.*"},
        ),
        (
            ["cp311-abi3-linux_x86_64", "cp38-abi3-linux_x86_64"],
            {"cp311-abi3-linux_x86_64": "3.13.*|3.12.*", "cp38-abi3-linux_x86_64": "3.10.*"},
        ),
        (
            ["cp310-cp310-manylinux_2_5_x86_64", "cp310-cp310-manylinux_2_17_x86_64"],
            {"cp310-cp310-manylinux_2_17_x86_64": "3.10.*"},
        ),
        (
            ["py3-none-manylinux_2_17_x86_64.manylinux2014_x86_64"],
            {"py3-none-manylinux_2_17_x86_64.manylinux2014_x86_64": "*"},
        ),
        (["py3-none-musllinux_1_1_x86_64", "py3-none-win_amd64"], {}),
        (["cp313-cp313t-linux_x86_64"], {}),
        (["1-py3-none-any", "10-py3-none-any", "2a-py3-none-any"], {"10-py3-none-any": "*"}),
        (["pp310-pypy310_pp73-linux_x86_64"], {}),
    ],
)
def test_tags(tags: list[str], expected: dict[str, str]) -> None:
    assert chosen(*tags) == expected
    assert chosen(*reversed(tags)) == expected


def test_other_platforms() -> None:
    arm, universal = "cp312-cp312-macosx_11_0_arm64", "cp312-cp312-macosx_11_0_universal2"
    assert chosen(universal, arm, platforms=MAC) == {arm: "3.12.*"}
    assert chosen(universal, platforms=MAC) == {universal: "3.12.*"}
    assert chosen("cp312-cp312-macosx_15_0_arm64", platforms=MAC) == {}
    windows = "cp313-cp313-win_amd64"
    assert chosen(windows, arm, platforms=("win_amd64",)) == {windows: "3.13.*"}


def test_yanked_files_need_an_exact_pin() -> None:
    yanked = wheel("py3-none-any", yanked="bad")
    assert chosen(yanked) == {}
    assert chosen(yanked, yanked=True) == {"py3-none-any": "*"}


def test_requires_python_of_the_page() -> None:
    assert chosen(wheel("py3-none-any", ">=3.12")) == {"py3-none-any": "3.13.*|3.12.*"}
    assert chosen(wheel("py3-none-any", "rubbish")) == {"py3-none-any": "*"}
    assert chosen(wheel("py3-none-any", ">=3.12.2"), pythons=("3.12.1",)) == {}
    assert chosen(wheel("py3-none-any", ">=3.12.2"), pythons=("3.12.4", "3.12.1")) != {}


@pytest.mark.parametrize(
    ("files", "reason"),
    [
        ([], "no files"),
        ([IndexFile("demo-1.0.tar.gz", "", {})], "source distribution"),
        ([wheel("py3-none-any", yanked="")], "it was yanked"),
        ([wheel("py3-none-win32"), wheel("py3-none-any", ">=4")], "requires Python >=4"),
        ([wheel("py3-none-win32"), IndexFile("demo-1.0.tar.gz", "", {})], "platform"),
    ],
)
def test_why_there_is_none(files: list[IndexFile], reason: str) -> None:
    release = Release("1.0", tuple(files))
    choices, why = choose_wheels(release, Target(PYTHONS, LINUX, {}), yanked=False)
    assert choices == []
    assert reason in str(why)


def test_this_machine_is_a_target() -> None:
    target = host_target(("3.12.4", "3.12.1", "3.10.0"))
    assert target.minors == ("3.12", "3.10")
    assert set(target.fit("demo-1.0-py3-none-any.whl")) == {"3.12", "3.10"}


def sdist(ending: str = ".tar.gz", **options: Any) -> IndexFile:
    name = f"demo-1.0{ending}"
    return IndexFile(name, f"https://example.org/{name}", {}, **options)


def choices(
    *files: IndexFile | str, unbuildable: str | None = None, yanked: bool = False
) -> tuple[dict[str, str], str | None]:
    release = Release("1.0", tuple(wheel(f) if isinstance(f, str) else f for f in files))
    found, reason = choose_wheels(
        release, Target(PYTHONS, LINUX, {}), yanked=yanked, unbuildable=unbuildable
    )
    return {choice.file.filename: choice.python for choice in found if choice.built}, reason


@pytest.mark.parametrize(
    ("files", "expected"),
    [
        ([sdist()], {"demo-1.0.tar.gz": "3.13.*|3.12.*|3.10.*"}),
        ([sdist(requires_python=">=3.12")], {"demo-1.0.tar.gz": "3.13.*|3.12.*"}),
        ([sdist(".zip"), sdist(), sdist(".tar.bz2")], {"demo-1.0.tar.gz": "3.13.*|3.12.*|3.10.*"}),
        ([sdist(".zip"), sdist(yanked="bad")], {"demo-1.0.zip": "3.13.*|3.12.*|3.10.*"}),
        (["py3-none-win_amd64", sdist()], {"demo-1.0.tar.gz": "3.13.*|3.12.*|3.10.*"}),
        # a Python with a wheel is preferred while Python is open
        (["cp312-cp312-linux_x86_64", sdist()], {}),
        (["py3-none-any", sdist()], {}),
    ],
)
def test_an_sdist_is_the_choice_where_no_wheel_fits(
    files: list[IndexFile | str], expected: dict[str, str]
) -> None:
    assert choices(*files) == (expected, None)


@pytest.mark.parametrize(
    ("file", "reason"),
    [
        (sdist(requires_python=">=3.99"), "it requires Python >=3.99"),
        (sdist(yanked="bad"), "it was yanked: bad"),
    ],
)
def test_an_sdist_that_does_not_fit_either_says_why(file: IndexFile, reason: str) -> None:
    assert choices(file) == ({}, reason)


def test_where_building_is_forbidden_that_is_the_reason() -> None:
    assert choices(sdist(), unbuildable=FORBIDDEN) == ({}, FORBIDDEN)
    assert "--no-build" in FORBIDDEN
