"""environment.yml: real files, conda's shapes, and what is refused with which line."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st

from formats.real_files import ENVIRONMENT_YML, FILES, find
from kaa.formats.environment_file import Dependency
from kaa.formats.environment_yml import read_environment_yml
from kaa.formats.requirements_txt import LineKind
from kaa.model.errors import RequestError

if TYPE_CHECKING:
    from pathlib import Path


@pytest.mark.parametrize(("tail", "name", "specs", "items"), FILES, ids=[row[0] for row in FILES])
def test_every_real_file_is_read(tail: str, name: str, specs: str, items: str) -> None:
    file = read_environment_yml(find(tail))
    assert (file.name or "-") == name
    assert len(file.dependencies) == int(specs)
    assert len(file.requirements) == int(items)
    assert file.remarks == ()


def test_no_real_file_is_forgotten() -> None:
    if not ENVIRONMENT_YML.is_dir():
        pytest.skip("the real environment files are not here")
    assert len({find(row[0]) for row in FILES}) == len(list(ENVIRONMENT_YML.iterdir())) == 46


def test_everything_that_conda_knows() -> None:
    file = read_environment_yml(
        """
name: geo
prefix: /opt/conda/envs/geo
channels: [conda-forge, nodefaults, https://conda.example.org/x]
dependencies:
  - python=3.10
  - numpy 1.21 py310*   # a remark
  - "conda-forge::gdal[version='>=3']"
  - pip
  - pip:
      - rich[jupyter]~=13.0
      - -r other.txt
      - --extra-index-url https://index.example.org/simple
      # nothing here
      - -e ./mine
variables:
  NUMBER: 3.10
  YES: true
  BLANKS: " a b "
"""
    )
    assert file.name == "geo"
    assert file.prefix == "/opt/conda/envs/geo"
    assert file.channels == ("conda-forge", "https://conda.example.org/x")
    assert file.only_these_channels
    assert [each.text for each in file.dependencies] == [
        "python=3.10",
        "numpy 1.21 py310*",
        "conda-forge::gdal[version='>=3']",
        "pip",
    ]
    assert [each.line for each in file.dependencies] == [6, 7, 8, 9]
    assert [(each.kind, each.value, each.line) for each in file.requirements] == [
        (LineKind.REQUIREMENT, "rich[jupyter]~=13.0", 11),
        (LineKind.FILE, "other.txt", 12),
        (LineKind.EXTRA_INDEX_URL, "https://index.example.org/simple", 13),
        (LineKind.EDITABLE, "./mine", 15),
    ]
    assert file.variables == (("NUMBER", "3.10"), ("YES", "true"), ("BLANKS", " a b "))
    assert file.unknown == ()


def test_additions_of_conda_lock() -> None:
    file = read_environment_yml(
        "category: dev\nplatforms: [linux-64, osx-arm64]\n"
        "pip-repositories: ['https://i.example.org/simple']\ndependencies: [zlib]\n"
    )
    assert file.category == "dev"
    assert file.platforms == ("linux-64", "osx-arm64")
    assert [each.kind for each in file.requirements] == [LineKind.EXTRA_INDEX_URL]
    assert file.unknown == ()


@pytest.mark.parametrize(
    ("platform", "expected"),
    [
        ("linux-64", ["python <3.11", "gcc_linux-64>=6"]),
        ("osx-arm64", ["python <3.11", "clang_osx-arm64"]),
        ("osx-64", ["python <3.11", "clang_osx-64"]),
        ("win-64", ["python <3.11"]),
    ],
)
def test_selectors_of_a_real_file(platform: str, expected: list[str]) -> None:
    file = read_environment_yml(find("test-env-filter-platform__environment.yml")).on(platform)
    assert [each.text for each in file.dependencies] == expected


def test_selectors_in_every_place() -> None:
    file = read_environment_yml(
        """
dependencies:
  - a
  - b  # [win]
  - "c"  # old, see the wiki [linux and not aarch64]
  - d  # not yet [1]
  - e  # [py36]
  - sel(unix): f
  - sel(win):
      - g
      - pip: [h-for-windows]
  - pip:
      - i  # [osx]
"""
    )
    assert [each.text for each in file.on("linux-64").dependencies] == ["a", "c", "d", "e", "f"]
    assert [each.text for each in file.on("linux-aarch64").dependencies] == ["a", "d", "e", "f"]
    assert [each.text for each in file.on("win-64").dependencies] == ["a", "b", "d", "e", "g"]
    assert [each.value for each in file.on("win-64").requirements] == ["h-for-windows"]
    assert [each.value for each in file.on("osx-64").requirements] == ["i"]
    assert file.remarks == ("`[py36]` in line 7 is no platform, so the item is for all",)


def test_the_shape_of_mlflow() -> None:
    file = read_environment_yml(
        "python: 3.10\nbuild_dependencies:\n- pip==21.3.1\ndependencies:\n- -r requirements.txt\n"
    )
    assert file.dependencies == (Dependency("python=3.10", 1),)
    assert [(each.kind, each.value) for each in file.requirements] == [
        (LineKind.REQUIREMENT, "pip==21.3.1"),
        (LineKind.FILE, "requirements.txt"),
    ]


def test_two_pip_sections_count_both() -> None:
    file = read_environment_yml("dependencies:\n- pip: [a]\n- pip: [b]\n- pip:\n")
    assert [each.value for each in file.requirements] == ["a", "b"]


def test_unknown_sections_are_remarked() -> None:
    file = read_environment_yml("nmae: x\ndependencies: [zlib]\nexports: {a: 1}\n")
    assert file.unknown == ("nmae", "exports")
    assert len(file.remarks) == 2
    assert "line 1" in file.remarks[0]


@pytest.mark.parametrize("text", ["dependencies:\n", "name: x\n", "dependencies: []\n"])
def test_no_dependencies_are_none(text: str) -> None:
    assert read_environment_yml(text).dependencies == ()


@pytest.mark.parametrize(
    "content",
    [
        b"name: x\r\ndependencies:\r\n  - zlib  # [linux]\r\n",
        b"\xef\xbb\xbfname: x\ndependencies:\n  - zlib  # [linux]\n",
        "name: x\ndependencies:\n  - zlib  # [linux]\n".encode("utf-16"),
        b"name: x\rdependencies:\r  - zlib  # [linux]\r",
    ],
    ids=["crlf", "utf-8 mark", "utf-16", "cr"],
)
def test_line_ends_and_byte_order_marks(content: bytes, tmp_path: Path) -> None:
    path = tmp_path / "environment.yml"
    path.write_bytes(content)
    file = read_environment_yml(path)
    assert file.name == "x"
    assert file.dependencies == (Dependency("zlib", 3, "linux"),)


def test_anchors_and_merge_keys() -> None:
    file = read_environment_yml(
        "x: &x {A: '1', B: '2'}\nvariables:\n  <<: *x\n  B: '3'\ndependencies: [&p python, *p]\n"
    )
    assert dict(file.variables) == {"A": "1", "B": "3"}
    assert [each.text for each in file.dependencies] == ["python", "python"]


REFUSED = {
    "a number": ("dependencies:\n  - numpy\n  - 3.10\n", 3, "`3.10` is a number"),
    "null": ("dependencies:\n  - numpy\n  -\n", 3, "empty"),
    "a list inside": ("dependencies:\n  - [a, b]\n", 2, "a list"),
    "a colon for an equals sign": ("dependencies:\n  - python: 3.10\n", 2, "`python:`"),
    "dependencies that are no list": ("dependencies: numpy\n", 1, "not a list"),
    "pip that is no list": ("dependencies:\n- pip: rich\n", 2, "not a list"),
    "a mapping in pip": ("dependencies:\n- pip:\n  - rich: 1\n", 3, "a mapping"),
    "channels that are no list": ("channels: conda-forge\n", 1, "not a list"),
    "an empty channel": ("channels:\n  -\n", 2, "`channels`"),
    "a key twice": ("name: a\ndependencies: []\nname: b\n", 3, "second time"),
    "a tab": ("dependencies:\n\t- numpy\n", 2, "not YAML"),
    "jinja in a value": ("dependencies:\n  - numpy={{ numpy }}\n", 2, "Jinja"),
    "jinja for a value": ("dependencies:\n  - {{ numpy }}\n", 2, "Jinja"),
    "jinja for a line": ("name: x\n{% if win %}\ndependencies: []\n", 2, "Jinja"),
    "an open bracket": ("dependencies: [a\nname: b\n", 2, "not YAML"),
    "a top level list": ("- numpy\n", 1, "a list"),
    "a top level text": ("numpy\n", 1, "a text"),
    "two documents": ("name: a\n---\nname: b\n", 2, "not YAML"),
    "a variable without value": ("variables:\n  A:\n", 2, "variable A"),
    "a variable that is a list": ("variables:\n  A: [1]\n", 2, "variable A"),
    "variables that are a list": ("variables:\n- A=1\n", 2, "not a mapping"),
    "an unknown platform": ("dependencies:\n- sel(beos): x\n", 2, "'beos'"),
    "a name that is a list": ("name: [a]\n", 1, "`name`"),
    "an unknown option of pip": ("dependencies:\n- pip:\n  - --bogus x\n", 3, "--bogus"),
    "an alias in itself": ("dependencies: &a [*a]\n", 1, "alias"),
    "an unknown alias": ("dependencies: [*a]\n", 1, "not YAML"),
    "a python object": ("dependencies:\n- !!python/name:os.system x\n", 2, "tagged as python/"),
    "a hash that is none": ("dependencies:\n- pip:\n  - a --hash=md5:0\n", 3, "hash"),
}


@pytest.mark.parametrize("case", REFUSED, ids=str)
def test_refused_with_the_line(case: str) -> None:
    text, line, said = REFUSED[case]
    with pytest.raises(RequestError) as caught:
        read_environment_yml(text, "my.yml")
    assert re.match(rf"my\.yml, line {line}(, column \d+)?: ", caught.value.message)
    assert said in caught.value.message
    assert not caught.value.message.endswith(".")


@pytest.mark.parametrize("text", ["", "# only a comment\n", "---\n", "\n\n", "~"])
def test_an_empty_file_is_refused(text: str) -> None:
    with pytest.raises(RequestError, match="empty"):
        read_environment_yml(text)


def test_bytes_that_are_no_text(tmp_path: Path) -> None:
    path = tmp_path / "e.yml"
    path.write_bytes(b"name: x\ndependencies: [caf\xe9]\n")
    with pytest.raises(RequestError, match=r"e\.yml, line 2: this is no text in UTF-8"):
        read_environment_yml(path)
    with pytest.raises(RequestError, match="cannot be read"):
        read_environment_yml(tmp_path / "absent.yml")
    with pytest.raises(RequestError, match="not YAML"):
        read_environment_yml("name: \0\n")


def test_nothing_grows_without_end() -> None:
    """A billion laughs, and lists in lists: an answer at once, not an endless one."""
    levels = ["x: &a0 [x, x]"]
    levels += [f"x{n}: &a{n} [{', '.join([f'*a{n - 1}'] * 9)}]" for n in range(1, 30)]
    file = read_environment_yml("\n".join([*levels, "dependencies: [zlib]"]))
    assert len(file.dependencies) == 1
    with pytest.raises(RequestError, match="too deep"):
        read_environment_yml("dependencies: " + "[" * 5000 + "]" * 5000)


@given(st.text(alphabet="abc:-[]{}#&*!%@ \n\t'\"|>,?~0123.=<", max_size=60))
def test_any_text_is_read_or_refused(text: str) -> None:
    for prefix in ("", "dependencies:\n", "dependencies:\n- pip:\n  - "):
        try:
            file = read_environment_yml(prefix + text)
        except RequestError as error:
            assert error.message
        else:
            assert all(each.text for each in file.dependencies)
