"""pip's and uv's settings, from variables and from files."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import pytest

from kaa.model.errors import RequestError
from kaa.network.locations import Credentials, redact, redact_text, split_credentials
from kaa.network.settings import Index, NetworkSettings, load_settings, make_index

NONE = {"PIP_CONFIG_FILE": os.devnull, "UV_NO_CONFIG": "1"}


def load(
    environ: dict[str, str] | None = None,
    pip_files: list[Path] | None = None,
    uv_files: list[Path] | None = None,
) -> NetworkSettings:
    return load_settings({**NONE, **(environ or {})}, pip_files=pip_files, uv_files=uv_files)


def locations(settings: NetworkSettings) -> list[str]:
    return [index.location for index in settings.indexes]


def pip_conf(folder: Path, text: str, name: str = "pip.conf") -> Path:
    path = folder / name
    path.write_text(text)
    return path


def test_nothing_configured_is_the_default_index() -> None:
    settings = load()
    assert settings.indexes == (Index(),)
    assert settings.indexes[0].key == "default"
    assert settings.indexes[0].url.startswith("https://")
    assert settings.indexes[0].url.endswith("/simple/")
    assert (settings.timeout, settings.retries, settings.offline) == (10, 3, False)


def test_pip_variables() -> None:
    settings = load(
        {
            "PIP_INDEX_URL": "https://me:p%40ss@a.example.org/simple",
            "PIP_EXTRA_INDEX_URL": "https://b.example.org/ https://c.example.org/x",
            "PIP_DEFAULT_TIMEOUT": "7",
            "PIP_RETRIES": "1",
            "PIP_TRUSTED_HOST": "a.example.org b.example.org:8443",
            "PIP_CERT": "/certs/ca.pem",
            "PIP_CLIENT_CERT": "/certs/me.pem",
            "PIP_PROXY": "proxy.example.org:3128",
            "PIP_KEYRING_PROVIDER": "subprocess",
        }
    )
    assert locations(settings) == [
        "https://b.example.org/",
        "https://c.example.org/x/",
        "https://a.example.org/simple/",
    ]
    assert settings.indexes[-1].credentials == Credentials("me", "p@ss")
    assert (settings.timeout, settings.retries) == (7, 1)
    assert settings.trusted_hosts == ("a.example.org", "b.example.org:8443")
    assert settings.ca_bundle == Path("/certs/ca.pem")
    assert settings.client_certificate == Path("/certs/me.pem")
    assert settings.proxies == {"all": "http://proxy.example.org:3128"}
    assert settings.keyring


def test_pip_files_override_each_other_and_variables_override_them(tmp_path: Path) -> None:
    first = pip_conf(
        tmp_path,
        "[global]\nindex-url = https://first.example.org/\nretries = 9\n"
        "extra_index_url =\n    https://x.example.org/\n    https://y.example.org/\n"
        "[install]\nindex-url = https://install.example.org/\n[download]\ntimeout = 1\n",
    )
    second = pip_conf(tmp_path, "[global]\ntimeout = 33\n", "second.conf")
    settings = load({"PIP_RETRIES": "2"}, pip_files=[first, second])
    assert locations(settings) == [
        "https://x.example.org/",
        "https://y.example.org/",
        "https://install.example.org/",
    ]
    assert (settings.timeout, settings.retries) == (33, 2)


def test_pip_files_are_found_where_pip_finds_them(tmp_path: Path) -> None:
    for folder, number in (("etc/pip", 1), (".config/pip", 2), ("venv", 5)):
        (tmp_path / folder).mkdir(parents=True)
        pip_conf(tmp_path / folder, f"[global]\nretries = {number}\n")
    explicit = pip_conf(tmp_path, "[global]\nretries = 4\n", "mine.conf")
    environ = {
        "HOME": str(tmp_path),
        "XDG_CONFIG_DIRS": str(tmp_path / "etc"),
        "VIRTUAL_ENV": str(tmp_path / "nothing"),
        "UV_NO_CONFIG": "1",
    }
    assert load_settings(environ).retries == 2
    environ["VIRTUAL_ENV"] = str(tmp_path / "venv")
    assert load_settings(environ).retries == 5
    environ["PIP_CONFIG_FILE"] = str(explicit)
    assert load_settings(environ).retries == 4
    environ["PIP_CONFIG_FILE"] = os.devnull
    assert load_settings(environ).retries == NetworkSettings().retries


def test_no_index() -> None:
    assert load({"PIP_NO_INDEX": "1"}).indexes == ()
    assert load({"PIP_NO_INDEX": "false"}).indexes == (Index(),)


def test_find_links(tmp_path: Path) -> None:
    pip = pip_conf(tmp_path, "[global]\nfind-links =\n  /a\n  https://me:secret@h.example.org/b\n")
    uv = tmp_path / "uv.toml"
    uv.write_text("find-links = ['wheels', 'https://h.example.org/c']\n")
    assert load().find_links == ()
    settings = load(pip_files=[pip])
    assert settings.find_links == ("file:///a", "https://me:secret@h.example.org/b")
    assert "secret" not in repr(settings)
    assert load({"PIP_FIND_LINKS": "/x /y"}, [pip]).find_links == ("file:///x", "file:///y")
    beside = (tmp_path / "wheels").as_uri()
    both = load({"UV_FIND_LINKS": "/u,/v"}, [pip], [uv])
    assert both.find_links == ("file:///u", "file:///v", beside, "https://h.example.org/c")


def test_uv_variables_win_over_pip() -> None:
    settings = load(
        {
            "UV_DEFAULT_INDEX": "https://uv.example.org/simple",
            "UV_INDEX": "corp-x=https://corp.example.org/simple https://more.example.org/",
            "UV_EXTRA_INDEX_URL": "https://extra.example.org/",
            "UV_INDEX_CORP_X_USERNAME": "me",
            "UV_INDEX_CORP_X_PASSWORD": "secret",
            "UV_HTTP_TIMEOUT": "5",
            "UV_INSECURE_HOST": "corp.example.org",
            "UV_KEYRING_PROVIDER": "subprocess",
            "UV_OFFLINE": "1",
            "PIP_INDEX_URL": "https://pip.example.org/",
            "PIP_EXTRA_INDEX_URL": "https://pip-extra.example.org/",
            "PIP_TIMEOUT": "99",
        }
    )
    assert locations(settings) == [
        "https://corp.example.org/simple/",
        "https://more.example.org/",
        "https://extra.example.org/",
        "https://uv.example.org/simple/",
    ]
    assert settings.indexes[0].name == "corp-x"
    assert settings.indexes[0].credentials == Credentials("me", "secret")
    assert (settings.timeout, settings.offline, settings.keyring) == (5, True, True)
    assert settings.trusted_hosts == ("corp.example.org",)


def test_uv_files(tmp_path: Path) -> None:
    user, system = tmp_path / "user.toml", tmp_path / "system.toml"
    user.write_text(
        "keyring-provider = 'subprocess'\nallow-insecure-host = ['h.example.org']\n"
        "[[index]]\nname = 'torch'\nurl = 'https://t.example.org/'\nexplicit = true\n"
        "[[index]]\nname = 'corp'\nurl = 'https://me@corp.example.org/'\n"
        "ignore-error-codes = [403]\n"
    )
    system.write_text(
        "keyring-provider = 'disabled'\nextra-index-url = ['https://x.example.org/']\n"
        "[[index]]\nname = 'main'\nurl = 'https://main.example.org/'\ndefault = true\n"
    )
    settings = load({"UV_INDEX_CORP_PASSWORD": "secret"}, uv_files=[user, system])
    assert locations(settings) == [
        "https://corp.example.org/",
        "https://x.example.org/",
        "https://main.example.org/",
    ]
    assert settings.indexes[0].ignored_statuses == (403,)
    assert settings.indexes[0].credentials == Credentials("me", "secret")
    assert settings.keyring
    assert settings.trusted_hosts == ("h.example.org",)


def test_uv_files_are_found_where_uv_finds_them(tmp_path: Path) -> None:
    path = tmp_path / ".config" / "uv" / "uv.toml"
    path.parent.mkdir(parents=True)
    path.write_text("offline = true\n")
    environ = {"HOME": str(tmp_path), "PIP_CONFIG_FILE": os.devnull}
    assert load_settings(environ).offline
    assert not load_settings({**environ, "UV_NO_CONFIG": "1"}).offline
    assert not load_settings({**environ, "UV_OFFLINE": "0"}).offline


def test_an_index_given_twice_is_one() -> None:
    settings = load(
        {"UV_INDEX": "https://a.example.org/s", "UV_DEFAULT_INDEX": "https://a.example.org/s/"}
    )
    assert locations(settings) == ["https://a.example.org/s/"]


def test_a_directory_is_an_index(tmp_path: Path) -> None:
    assert make_index(str(tmp_path)).location == tmp_path.as_uri() + "/"


def test_general_variables() -> None:
    settings = load(
        {
            "SSL_CERT_FILE": "/a.pem",
            "REQUESTS_CA_BUNDLE": "/b.pem",
            "SSL_CERT_DIR": "/certs",
            "HTTP_PROXY": "http://upper.example.org",
            "http_proxy": "http://lower.example.org",
            "HTTPS_PROXY": "s.example.org:1",
            "NO_PROXY": "localhost, .example.org",
        }
    )
    assert settings.ca_bundle == Path("/a.pem")
    assert settings.ca_directory == Path("/certs")
    assert settings.proxies == {
        "http": "http://lower.example.org",
        "https": "http://s.example.org:1",
    }
    assert settings.no_proxy == ("localhost", ".example.org")
    assert load({"REQUESTS_CA_BUNDLE": "/b.pem"}).ca_bundle == Path("/b.pem")


@pytest.mark.parametrize("variable", ["PIP_TIMEOUT", "PIP_RETRIES", "UV_HTTP_TIMEOUT"])
def test_numbers_that_are_none(variable: str) -> None:
    with pytest.raises(RequestError, match="not a number") as caught:
        load({variable: "soon"})
    assert caught.value.hint


@pytest.mark.parametrize(("kind", "text"), [("pip_files", "index-url = x"), ("uv_files", "= =")])
def test_files_that_cannot_be_parsed(tmp_path: Path, kind: str, text: str) -> None:
    path = pip_conf(tmp_path, text)
    given: dict[str, Any] = {kind: [path]}
    with pytest.raises(RequestError, match=r"pip\.conf") as caught:
        load(**given)
    assert caught.value.hint


def test_credentials_never_show() -> None:
    settings = load(
        {
            "PIP_INDEX_URL": "https://me:secret@a.example.org/simple",
            "HTTPS_PROXY": "http://me:secret@proxy.example.org",
        }
    )
    assert "secret" not in repr(settings)
    assert "secret" not in repr(settings.indexes[0].credentials)
    assert "secret" not in settings.indexes[0].label
    with_other = make_index("https://you:other@a.example.org/simple")
    assert with_other.key == settings.indexes[0].key
    assert redact("https://me:secret@a.example.org/x?y#z") == "https://a.example.org/x?y#z"
    assert make_index("https://a.example.org/t/s3cret/simple").label.count("s3cret") == 0
    assert split_credentials("https://token@a.example.org/") == (
        "https://a.example.org/",
        Credentials("token", None),
    )


@pytest.mark.parametrize(
    ("url", "shown"),
    [
        ("https://a.example.org/t/s3cret/c/", "https://a.example.org/c/"),
        ("https://a.example.org/api/repo/t/s3cret/c", "https://a.example.org/api/repo/c"),
        (
            "https://a.example.org/packages/source/t/toml/toml-0.10.2.tar.gz",
            "https://a.example.org/packages/source/t/toml/toml-0.10.2.tar.gz",
        ),
        ("file:///home/me/t/links/demo.whl", "file:///home/me/t/links/demo.whl"),
    ],
)
def test_a_token_does_not_show_and_what_only_looks_like_one_does(url: str, shown: str) -> None:
    assert redact(url) == shown
    text = "could not read {} (error 2) at /home/me/t/links/demo.whl"
    assert redact_text(text.format(url)) == text.format(shown)


def test_pips_indexes_are_merged_and_uvs_are_not(tmp_path: Path) -> None:
    pip = {"PIP_EXTRA_INDEX_URL": "https://one.example.org/simple"}
    uv = {"UV_INDEX": "https://two.example.org/simple"}
    best = {"UV_INDEX_STRATEGY": "unsafe-best-match"}
    assert load_settings(pip, pip_files=[], uv_files=[]).merge_indexes
    assert not load_settings(uv, pip_files=[], uv_files=[]).merge_indexes
    assert not load_settings(pip | uv, pip_files=[], uv_files=[]).merge_indexes
    assert load_settings(uv | best, pip_files=[], uv_files=[]).merge_indexes
    first = {"UV_INDEX_STRATEGY": "first-index"}
    assert not load_settings(pip | first, pip_files=[], uv_files=[]).merge_indexes
