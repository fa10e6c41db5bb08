from __future__ import annotations

from pathlib import Path

import pytest

from kaa.cli.invocation import Invocation, read_invocation
from kaa.cli.options import one_of, one_of_or_active
from kaa.model.errors import EnvironmentNotFoundError, RequestError


def test_a_prefix_is_made_absolute(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("HOME", "/home/mowgli")
    assert one_of(None, Path("x")) == (None, tmp_path / "x")
    assert one_of(None, Path("~/x")) == (None, Path("/home/mowgli/x"))


def test_the_active_environment_stands_in(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CONDA_PREFIX", str(tmp_path))
    assert one_of_or_active(None, None) == (None, tmp_path)
    assert one_of_or_active("demo", None) == ("demo", None)
    with pytest.raises(RequestError):
        one_of(None, None)


def test_an_active_environment_that_is_gone(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("CONDA_PREFIX", str(tmp_path / "gone"))
    with pytest.raises(EnvironmentNotFoundError, match="gone") as caught:
        one_of_or_active(None, None)
    assert caught.value.hint


def test_the_history_has_the_command_as_a_shell_reads_it() -> None:
    typed = ("create", "-n", "demo", "rich>=13", "a b")
    assert read_invocation(typed).command == "kaa create -n demo 'rich>=13' 'a b'"


@pytest.mark.parametrize(
    ("typed", "json"),
    [
        (("env", "list", "--json"), True),
        (("create", "--json", "-n", "x"), True),
        (("run", "-n", "x", "program", "--json"), False),
        (("list",), False),
    ],
)
def test_json_is_known_before_parsing(typed: tuple[str, ...], json: bool) -> None:
    assert read_invocation(typed).json is json


def test_text_is_wanted_unless_told_otherwise() -> None:
    assert Invocation().speaks
    assert not Invocation(json=True).speaks
    assert not Invocation(quiet=True).speaks
