"""pixi.toml and pyproject.toml: what they ask for, and where they are wrong."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from formats.real_files import ENVIRONMENTS
from kaa.formats.pixi_toml import read_pixi_toml
from kaa.formats.pyproject_toml import read_pyproject
from kaa.model.errors import RequestError
from kaa.workflows.from_file import request_from_file

if TYPE_CHECKING:
    from pathlib import Path

    from kaa.formats.environment_file import EnvironmentFile

PIXI = """\
[workspace]
name = "den"
channels = ["conda-forge", {channel = "robostack", priority = 2}]
platforms = ["linux-64", "osx-arm64"]
colour = "red"

[tasks]
start = "python -m den"

[dependencies]
python = "3.12.*"
numpy = { version = ">=2,<3", channel = "robostack", build = "py312*" }
pip = "*"

[pypi-dependencies]
rich = ">=13"
black = { version = "~=23.10", extras = ["jupyter"] }
here = { path = ".", editable = true }
far = { git = "https://example.org/far.git", tag = "v1", subdirectory = "sub" }

[pypi-options]
index-url = "https://example.org/simple"

[target.osx-arm64.dependencies]
macbear = "1.0"

[target.unix.activation.env]
SHELLISH = "yes"

[activation.env]
HONEY = "two\\nlines = \\"so\\""

[feature.test.dependencies]
pytest = "*"
python = "3.13.*"

[environments]
test = ["test"]
"""


def write(directory: Path, text: str, name: str) -> Path:
    path = directory / name
    path.write_text(text, encoding="utf-8")
    return path


def texts(file: EnvironmentFile) -> list[str]:
    return [each.text for each in file.dependencies]


def test_all_that_a_manifest_of_pixi_asks_for(tmp_path: Path) -> None:
    file = read_pixi_toml(write(tmp_path, PIXI, "pixi.toml"))
    assert (file.name, file.channels) == ("den", ("robostack", "conda-forge"))
    assert file.platforms == ("linux-64", "osx-arm64")
    assert texts(file.on("linux-64")) == [
        "python 3.12.*",
        "robostack::numpy >=2,<3 py312*",
        "pip",
    ]
    assert texts(file.on("osx-arm64"))[-1] == "macbear 1.0"
    assert [each.value for each in file.requirements] == [
        "rich>=13",
        "black[jupyter]~=23.10",
        "./.",
        "far @ git+https://example.org/far.git@v1#subdirectory=sub",
        "https://example.org/simple",
    ]
    assert dict(file.on("linux-64").variables) == {"HONEY": 'two\nlines = "so"', "SHELLISH": "yes"}
    assert dict(file.on("win-64").variables) == {"HONEY": 'two\nlines = "so"'}
    assert any("tasks" in remark for remark in file.remarks)
    assert any("workspace.colour" in remark and "line 5" in remark for remark in file.remarks)


def test_an_environment_of_a_manifest_is_its_features(tmp_path: Path) -> None:
    path = write(tmp_path, PIXI, "pixi.toml")
    assert texts(read_pixi_toml(path, "test"))[:2] == ["pytest", "python 3.13.*"]
    with pytest.raises(RequestError, match="no environment docs"):
        read_pixi_toml(path, "docs")


@pytest.mark.parametrize("path", sorted((ENVIRONMENTS / "pixi").glob("*.toml")), ids=str)
def test_real_manifests_become_specs(path: Path) -> None:
    named = path.parent / path.name
    file = read_pixi_toml(named)
    assert file.name
    assert file.dependencies


def test_a_manifest_as_a_request(tmp_path: Path) -> None:
    path = write(
        tmp_path, PIXI.replace('here = { path = ".", editable = true }\n', ""), "pixi.toml"
    )
    request = request_from_file(path, "linux-64", {}, ("conda-forge", "pypi"))
    assert request.sources == ("robostack", "conda-forge", "pypi")
    assert {spec.name for spec in request.specs} == {"python", "numpy", "pip", "rich", "black"}
    assert request.index_url == "https://example.org/simple"
    assert request.direct[0].startswith("far @ git+")


PYPROJECT = """\
[project]
name = "Den"
requires-python = ">=3.10"
dependencies = [
    "rich>=13",
    "tomli; python_version < '3.11'",
]

[project.optional-dependencies]
web = ["httpx[http2]"]
all = ["den[web]", "pandas"]

[dependency-groups]
test = ["pytest>=8"]
dev = [{include-group = "test"}, "ruff"]
"""


def test_a_project_its_extras_and_its_groups(tmp_path: Path) -> None:
    path = write(tmp_path, PYPROJECT, "pyproject.toml")
    plain = read_pyproject(path)
    assert texts(plain) == ["python>=3.10"]
    assert [(each.value, each.line) for each in plain.requirements] == [
        ("rich>=13", 5),
        ("tomli; python_version < '3.11'", 6),
    ]
    more = read_pyproject(path, extras=["all"], groups=["dev"])
    assert [each.value for each in more.requirements][2:] == [
        "httpx[http2]",
        "pandas",
        "pytest>=8",
        "ruff",
    ]


@pytest.mark.parametrize(
    ("text", "said"),
    {
        '[dependency-groups]\na = [{include-group = "b"}]\nb = [{include-group = "a"}]\n': "itself",
        "[dependency-groups]\na = [1]\n": "line 2, column 1: an item of the group a is a number",
        "[project]\ndependencies = 1\n": "line 2, column 1: `dependencies` is a number, not a list",
        "[project\n": "line 1, column 9",
        "a = 1\n": "nothing in it that could be installed",
        '[project]\nname = "{{ name }}"\nx = {{ y }}\n': "line 3, column 6: this is not TOML",
    }.items(),
)
def test_a_project_that_is_wrong(tmp_path: Path, text: str, said: str) -> None:
    with pytest.raises(RequestError) as caught:
        read_pyproject(write(tmp_path, text, "pyproject.toml"), groups=["a"])
    assert said in caught.value.message


@pytest.mark.parametrize(
    ("text", "said"),
    {
        "[workspace]\nchannels = 1\n": "line 2, column 1: `channels` is a number, not a list",
        "[workspace]\nplatforms = [1]\n": "a platform is a number",
        "[dependencies]\na = 1\n": "line 2, column 1: a is a number, not a version",
        "[dependencies]\na = {build = {}}\n": "`build` of a is a table",
        "[dependencies]\na = {path = '.'}\n": "a is to be built from a path",
        "[pypi-dependencies]\na = {extras = [1]}\n": "`extras` of a is a list, or has one in it",
        "[pypi-options]\nfind-links = 1\n": "`find-links` is a number, not a list",
        "[target.beos.dependencies]\na = '*'\n": "'beos' is no platform",
        "[environments]\ndefault = ['x']\n": "line 2, column 1: there is no feature x",
        "[activation.env]\nA = []\n": "A is a list, not a text",
        "dependencies = 1\n": "line 1, column 1: `dependencies` is a number, not a table",
    }.items(),
)
def test_a_manifest_that_is_wrong(tmp_path: Path, text: str, said: str) -> None:
    with pytest.raises(RequestError) as caught:
        read_pixi_toml(write(tmp_path, text, "pixi.toml"))
    assert said in caught.value.message


def test_byte_order_marks_and_line_ends(tmp_path: Path) -> None:
    path = tmp_path / "pyproject.toml"
    expected = read_pyproject(write(tmp_path, PYPROJECT, "pyproject.toml"))
    windows = PYPROJECT.replace("\n", "\r\n")
    for encoding in ("utf-8-sig", "utf-16"):
        path.write_bytes(windows.encode(encoding))
        assert read_pyproject(path) == expected
