"""Changing kaa's own file, as conda's `config` changes conda's."""

from __future__ import annotations

from pathlib import Path

import pytest

from kaa.model.errors import RequestError
from kaa.settings.configuration import Configuration
from kaa.settings.descriptions import DESCRIPTIONS
from kaa.settings.editing import Edit, edited
from kaa.settings.keys import KEYS

PATH = Path("/home/kim/.config/kaa/config.toml")


def change(text: str, *edits: tuple[str, ...]) -> str:
    return edited(text, [Edit(*each) for each in edits], PATH, {}, Configuration())[0]


def test_every_setting_is_described_and_no_other() -> None:
    assert list(DESCRIPTIONS) == [key.field for key in KEYS]


def test_comments_and_order_stay() -> None:
    text = '# mine\npinned = ["python 3.12.*"] # for the cluster\n\n[proxies]\nhttps = "a:1"\n'
    new = change(text, ("set", "proxy_servers.http", "b:2"), ("append", "pinned", "numpy <2"))
    assert new.splitlines() == [
        "# mine",
        'pinned = ["python 3.12.*", "numpy <2"] # for the cluster',
        "",
        "[proxies]",
        'https = "a:1"',
        'http = "b:2"',
    ]


@pytest.mark.parametrize(
    ("name", "value", "line"),
    [
        ("always_yes", "true", "always-yes = true"),
        ("always-yes", "no", "always-yes = false"),
        ("keep_generations", "7", "keep-generations = 7"),
        ("remote_connect_timeout_secs", "2.5", "connect-timeout = 2.5"),
        ("channel_priority", "flexible", 'channel-priority = "flexible"'),
        ("ssl_verify", "/certs/ca.pem", 'ssl-verify = "/certs/ca.pem"'),
        ("ssl_verify", "false", "ssl-verify = false"),
        ("exclude-newer", "2026-01-31", 'exclude-newer = "2026-01-31"'),
    ],
)
def test_a_value_is_written_as_what_it_is(name: str, value: str, line: str) -> None:
    assert change("", ("set", name, value)) == f"{line}\n"


def test_a_list_begins_as_what_is_in_force() -> None:
    assert change("", ("prepend", "channels", "bioconda")) == (
        'channels = ["bioconda", "conda-forge", "pypi"]\n'
    )
    text, notes = edited(
        'channels = ["a", "b"]\n',
        [Edit("prepend", "channels", "b")],
        PATH,
        {},
        Configuration(),
    )
    assert text == 'channels = ["b", "a"]\n'
    assert notes == ("'b' was in channels already, and moves to the top",)
    assert change(text, ("remove", "channels", "a")) == 'channels = ["b"]\n'
    assert change(text, ("unset", "channels")) == ""


@pytest.mark.parametrize(
    ("text", "edit", "message"),
    [
        ("", ("set", "chanels", "x"), "no setting 'chanels'"),
        ("", ("set", "channels", "x"), "channels is a list"),
        ("", ("append", "always_yes", "x"), "always_yes is no list"),
        ("", ("set", "proxies", "x"), "proxies is a table"),
        ("", ("set", "root.x", "y"), "root is no table"),
        ("", ("set", "keep_days", "many"), "keep_days cannot be 'many'"),
        ("", ("set", "custom_channels.a", "b"), "no key for custom_channels.a"),
        ("", ("unset", "pinned"), "pinned is not in the file"),
        ('pinned = ["a"]\n', ("remove", "pinned", "b"), "'b' is not in pinned"),
        ("pinned = [", ("unset", "pinned"), "is not valid TOML"),
    ],
)
def test_what_cannot_be_done_is_said(text: str, edit: tuple[str, ...], message: str) -> None:
    with pytest.raises(RequestError, match=message) as caught:
        change(text, edit)
    assert caught.value.hint


def test_a_key_in_a_table() -> None:
    text = '[kernels]\nhidden = ["a"] # old\n'
    new = change(
        text,
        ("append", "kernels.hidden", "b"),
        ("set", "kernels.name-format", "{environment}"),
        ("set", "kernels.alias.demo", "The demo"),
    )
    assert new.splitlines() == [
        "[kernels]",
        'hidden = ["a", "b"] # old',
        'name-format = "{environment}"',
        "",
        "[kernels.alias]",
        'demo = "The demo"',
    ]
    assert change(new, ("unset", "kernels.alias.demo"), ("remove", "kernels.hidden", "a")) != new
    with pytest.raises(RequestError, match="cannot be"):
        change("", ("set", "kernels.env-filter", "("))
    with pytest.raises(RequestError, match="no setting"):
        change("", ("append", "kernels.hiden", "b"))
