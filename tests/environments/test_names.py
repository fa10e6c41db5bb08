from __future__ import annotations

import os
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kaa.environments.names import LONGEST, check_name, check_path, resolve_prefix
from kaa.model.errors import InvalidNameError
from kaa.store.layout import Layout


@pytest.mark.parametrize(
    "name", ["demo", "forecast-2", "a.b_c", "Größe", "路径", "x" * LONGEST, "1"]
)
def test_names_that_can_be(name: str) -> None:
    assert check_name(name) == name


@pytest.mark.parametrize(
    "name",
    [
        *("", ".", "..", "-n", "a/b", "a\\b", "a b", "a\tb", "a\x00b", "a\u2028b", "a:b", "a#b"),
        *("base", "root", "x" * (LONGEST + 1), "ü" * LONGEST, os.fsdecode(b"caf\xe9")),
    ],
)
def test_names_that_cannot_be(name: str) -> None:
    with pytest.raises(InvalidNameError) as caught:
        check_name(name)
    assert repr(name) in caught.value.message
    assert caught.value.cause and caught.value.hint


@given(st.text(max_size=300))
def test_a_name_that_can_be_is_one_part_of_a_path_and_one_line(name: str) -> None:
    try:
        check_name(name)
    except InvalidNameError:
        return
    assert Path("/envs", name).name == name
    assert name.splitlines() == [name]
    assert len(name.encode()) <= 255


def test_a_name_is_below_the_root_and_a_path_where_it_says(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    layout = Layout(tmp_path / "kaa")
    monkeypatch.chdir(tmp_path)
    assert resolve_prefix(layout, "demo", None) == tmp_path / "kaa" / "envs" / "demo"
    assert resolve_prefix(layout, None, Path("a/../b/")) == tmp_path / "b"
    assert resolve_prefix(layout, None, Path("~/e")) == Path(os.environ["HOME"], "e")
    (tmp_path / "link").symlink_to("elsewhere")
    assert resolve_prefix(layout, None, Path("link")) == tmp_path / "link"


@pytest.mark.parametrize(
    "path",
    ["/", "/a\nb/c", "/x/.kaa", "/\udce9", "/x/" + "n" * 201, '/a"b/c', "/$a", "/`a`", "/a\\b"],
)
def test_paths_that_cannot_be(path: str) -> None:
    with pytest.raises(InvalidNameError, match="cannot be the path"):
        check_path(Path(path))


@pytest.mark.parametrize("path", ["/a b/ü", "/it's", "/路/径", "/x/.venv", "/x/-n", "/a:b"])
def test_paths_that_can_be(path: str) -> None:
    check_path(Path(path))
    assert resolve_prefix(Layout(Path("/kaa")), None, Path(path)) == Path(path)
