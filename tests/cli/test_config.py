"""``kaa config``."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from collections.abc import Callable

    from cli.answer import Answer


@pytest.fixture(autouse=True)
def file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    path = tmp_path / "a b" / "config.toml"
    monkeypatch.setenv("KAA_CONFIG", str(path))
    monkeypatch.setenv("CONDARC", str(tmp_path / "condarc"))
    monkeypatch.delenv("KAA_CHANNELS", raising=False)
    return path


def test_what_is_set_is_in_force(file: Path, kaa: Callable[..., Answer]) -> None:
    done = kaa("config", "--set", "always_yes", "true", "--append", "channels", "bioconda")
    assert done.code == 0, done.err
    assert str(file) in done.out and "+always-yes = true" in done.out
    assert kaa("config", "--show", "--json").json["always_yes"] is True
    shown = kaa("config", "--show", "channels").out
    assert shown.startswith("channels = [") and '"bioconda"]' in shown and str(file) in shown
    assert kaa("config", "--get", "--json").json["get"]["channels"][-1] == "bioconda"
    assert kaa("config", "--remove-key", "channels").code == 0
    assert "bioconda" not in kaa("config", "--show", "channels").out


def test_a_variable_that_decides_is_said(
    kaa: Callable[..., Answer], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("KAA_OFFLINE", "1")
    assert "KAA_OFFLINE is set" in kaa("config", "--set", "offline", "false").err


def test_dry_run_writes_nothing(file: Path, kaa: Callable[..., Answer]) -> None:
    answer = kaa("config", "--set", "keep-days", "3", "--dry-run", "--json")
    assert answer.json["diff"][-1] == "+keep-days = 3"
    assert not file.exists()


def test_sources_are_told_apart_and_passwords_kept(file: Path, kaa: Callable[..., Answer]) -> None:
    Path(os.environ["CONDARC"]).write_text("channels: [https://kim:secret@host.example.org/c]\n")
    kaa("config", "--set", "proxies.https", "http://kim:secret@proxy.example.org:1")
    for answer in (kaa("config", "--show-sources"), kaa("config", "--show")):
        assert "secret" not in answer.out and "https://host.example.org/c" in answer.out
    told = kaa("config", "--show-sources", "--json").json
    assert list(told)[-2:] == [str(file), os.environ["CONDARC"]]
    assert "secret" in file.read_text()


def test_a_link_stays_a_link_and_keeps_its_mode(file: Path, kaa: Callable[..., Answer]) -> None:
    target = file.parent / "dotfiles.toml"
    file.parent.mkdir()
    target.write_text("# mine\n")
    target.chmod(0o600)
    file.symlink_to(target.name)
    assert kaa("config", "--set", "offline", "true").code == 0
    assert file.is_symlink() and target.stat().st_mode & 0o777 == 0o600
    assert target.read_text() == "# mine\noffline = true\n"


def test_a_device_is_not_replaced(
    kaa: Callable[..., Answer], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("KAA_CONFIG", os.devnull)
    answer = kaa("config", "--set", "offline", "true")
    assert answer.code == 2 and "it is no regular file" in answer.err
    assert not Path(os.devnull).is_file()


def test_describe(kaa: Callable[..., Answer]) -> None:
    told = kaa("config", "--describe", "ssl_verify").out
    assert told.startswith("ssl-verify\n") and "verify_ssl" in told
    everything = kaa("config", "--describe", "--json").json
    assert {"name", "aliases", "default_value", "description"} <= set(everything[0])


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ((), "say what is wanted"),
        (("--show", "--describe"), "say what is wanted"),
        (("--show", "nothing"), "no setting 'nothing'"),
        (("--env", "--set", "offline", "true"), "not kept in environments"),
        (("--set", "pinned", "a", "b"), "one word too many"),
    ],
)
def test_mistakes(arguments: tuple[str, ...], message: str, kaa: Callable[..., Answer]) -> None:
    answer = kaa("config", *arguments)
    assert answer.code == 2 and message in answer.err and "hint:" in answer.err
