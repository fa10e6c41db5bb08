"""What the names of sources stand for."""

from __future__ import annotations

import os
import subprocess
import sys
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from rattler import Channel

from kaa.model.errors import RequestError
from kaa.model.source import Kind, Source
from kaa.settings.configuration import Configuration
from kaa.sources.channels import mirrors, private_url, public_url, resolve_sources

if TYPE_CHECKING:
    from pathlib import Path

ALIAS = Channel("x").base_url.removesuffix("x/")
NOTHING = Configuration()


def one(text: str, **settings: Any) -> Source:
    (source,) = resolve_sources([text], Configuration(**settings))
    return source


def urls(text: str, **settings: Any) -> list[str]:
    return list(one(text, **settings).urls)


def test_sources_that_are_no_channels() -> None:
    assert resolve_sources(["pypi", "host", "pypi"], NOTHING) == (
        Source("pypi", Kind.PYPI),
        Source("host", Kind.HOST),
    )


def test_sources_that_are_no_channels_do_not_need_rattler() -> None:
    program = (
        "import sys; from kaa.settings.configuration import Configuration;"
        "from kaa.sources.channels import resolve_sources;"
        "resolve_sources(['pypi', 'host', '.'], Configuration());"
        "sys.exit('rattler' in sys.modules)"
    )
    assert subprocess.run([sys.executable, "-c", program], check=False).returncode == 0


@pytest.mark.parametrize(
    "name", ["conda-forge", "conda-forge/label/dev", "bioconda", "pkgs/main", "my_org.x", "3dem"]
)
def test_plain_names_are_below_rattlers_alias(name: str) -> None:
    assert one(name) == Source(name, Kind.CONDA, (Channel(name).base_url,))
    assert one(f"{name}/") == one(name)
    assert one(f"{ALIAS}{name}") == one(name)


def test_the_alias_is_configured() -> None:
    for alias in ("https://repo.example.org/c", "https://repo.example.org/c/"):
        assert one("a/b", channel_alias=alias) == Source(
            "a/b", Kind.CONDA, ("https://repo.example.org/c/a/b/",)
        )
    assert one("https://repo.example.org/c/a", channel_alias="https://repo.example.org/c").name == (
        "a"
    )
    with pytest.raises(RequestError, match="no URL"):
        one("a", channel_alias="repo.example.org")


def test_defaults() -> None:
    assert urls("defaults", subdir="linux-64") == [f"{ALIAS}pkgs/main/", f"{ALIAS}pkgs/r/"]
    assert urls("defaults", subdir="win-64")[2:] == [f"{ALIAS}pkgs/msys2/"]
    assert one("defaults").name == "defaults"
    own = ("https://repo.example.org/main", "corp")
    assert urls("defaults", default_channels=own) == [
        "https://repo.example.org/main/",
        f"{ALIAS}corp/",
    ]
    assert resolve_sources(["nodefaults"], NOTHING) == ()


def test_names_given_in_the_configuration() -> None:
    settings: dict[str, Any] = {
        "custom_channels": {"mine": "https://me.example.org/conda", "a/b": "file:///"},
        "custom_multichannels": {"both": ("mine", "other"), "empty": ()},
        "channel_aliases": {"corp": ("https://corp.example.org/x",)},
    }
    assert one("mine", **settings) == Source(
        "mine", Kind.CONDA, ("https://me.example.org/conda/mine/",)
    )
    assert one("https://me.example.org/conda/mine", **settings).name == "mine"
    assert urls("mine/label/dev", **settings) == ["https://me.example.org/conda/mine/label/dev/"]
    assert one("corp", **settings) == Source("corp", Kind.CONDA, ("https://corp.example.org/x/",))
    assert one("both", **settings) == Source(
        "both", Kind.CONDA, ("https://me.example.org/conda/mine/", f"{ALIAS}other/")
    )
    with pytest.raises(RequestError, match="no channels"):
        one("empty", **settings)


def test_multichannels_that_go_round_in_circles_end() -> None:
    settings: dict[str, Any] = {"custom_multichannels": {"a": ("b", "x"), "b": ("a",)}}
    assert urls("a", **settings) == [f"{ALIAS}a/", f"{ALIAS}x/"]
    assert urls("defaults", default_channels=("defaults",)) == [f"{ALIAS}defaults/"]
    with pytest.raises(RequestError, match="pypi is no conda channel"):
        one("a", custom_multichannels={"a": ("pypi",)})


def test_migrated_channels() -> None:
    settings: dict[str, Any] = {
        "channel_alias": "https://new.example.org",
        "migrated_aliases": ("https://old.example.org",),
        "migrated_channels": {"moved": "https://older.example.org/c"},
    }
    assert urls("https://old.example.org/a/b", **settings) == ["https://new.example.org/a/b/"]
    assert urls("https://older.example.org/c/moved", **settings) == [
        "https://new.example.org/moved/"
    ]


@pytest.mark.parametrize(
    ("text", "url"),
    [
        ("https://host.example.org/a", "https://host.example.org/a/"),
        ("http://host.example.org:8080/a//b/", "http://host.example.org:8080/a/b/"),
        ("HTTPS://host.example.org", "https://host.example.org/"),
        ("https://host.example.org/with space", "https://host.example.org/with%20space/"),
        ("s3://bucket/channel", "s3://bucket/channel/"),
        ("oci://host.example.org/x", "oci://host.example.org/x/"),
    ],
)
def test_urls(text: str, url: str) -> None:
    assert one(text) == Source(url.rstrip("/"), Kind.CONDA, (url,))
    assert Channel(text).base_url in {url, url.replace("a/b", "a//b")}


@pytest.mark.parametrize(
    "text", ["https://me:secret@host.example.org/a", "https://host.example.org/t/secret/a"]
)
def test_credentials_are_in_the_url_and_nowhere_else(text: str) -> None:
    source = one(text)
    assert source.urls == (f"{text}/",)
    assert source.name == "https://host.example.org/a"
    assert public_url(source.urls[0]) == "https://host.example.org/a/"
    package = "https://host.example.org/a/noarch/x-1-0.conda"
    assert private_url(package, [source]) == f"{text}/noarch/x-1-0.conda"
    assert private_url("https://host.example.org/ab/x", [source]) == "https://host.example.org/ab/x"
    assert public_url(private_url(package, [source])) == package
    assert len(resolve_sources([text, "https://host.example.org/a"], NOTHING)) == 1


def test_paths(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = tmp_path / "with space" / "ä#1"
    folder.mkdir(parents=True)
    url = f"{folder.as_uri()}/"
    monkeypatch.chdir(folder.parent)
    monkeypatch.setenv("HOME", str(tmp_path))
    for text in (
        "./ä#1",
        "../with space/ä#1/",
        "~/with space/ä#1",
        str(folder),
        url,
        url.rstrip("/"),
        f"file://{tmp_path}/with space/ä%231",
        f"file:{folder.as_uri().removeprefix('file://')}",
    ):
        assert one(text) == Source(url.rstrip("/"), Kind.CONDA, (url,)), text
    assert urls("/") == ["file:///"]
    with pytest.raises(RequestError, match="there is no directory"):
        one("./nothing")


@pytest.mark.skipif(os.name == "nt", reason="said of another machine")
def test_windows_paths() -> None:
    assert urls("C:\\my channel\\x") == ["file:///C:/my%20channel/x/"]
    assert urls("C:/x") == urls("file:///C:/x") == ["file:///C:/x/"]


@pytest.mark.parametrize(
    ("text", "hint"),
    [
        ("", "-c conda-forge"),
        ("  ", "-c conda-forge"),
        ("a b", "-c './a b'"),
        ("a,b", "`-c a -c b`"),
        ("conda-forge::numpy", "specs of packages"),
        ("conda-forge[linux-64]", "specs of packages"),
        ("conda-forge/linux-64", "`-c conda-forge --platform linux-64`"),
        ("https://host.example.org/c/noarch", "`-c https://host.example.org/c`"),
        ("https://host.example.org/t/secret/c/osx-64/", "--platform osx-64`"),
        ("https://host.example.org/c/linux-64/repodata.json", "the directory above"),
        ("https:/host.example.org", "two slashes"),
        ("https://", "https://host/channel"),
        ("https://host.example.org:port/c", "https://host/channel"),
        ("https://me:secret@host example/c", "https://host/channel"),
        ("ftp://me:secret@host.example.org/c", "one of http, https"),
        ("https://me:secret@host.example.org/c?token=secret", "without what follows"),
        ("https://host.example.org/c#secret", "without what follows"),
        ("local", "./conda-bld"),
        ("-c", "./-c"),
        ("a//b", "./a//b"),
        ("ü", "./ü"),
    ],
)
def test_what_is_no_source(text: str, hint: str) -> None:
    with pytest.raises(RequestError) as caught:
        one(text)
    error = caught.value
    assert hint in str(error.hint)
    assert "secret" not in f"{error.message}{error.cause}{error.hint}"


@given(st.text(max_size=40))
def test_any_text_is_a_source_or_a_request_error(text: str) -> None:
    try:
        sources = resolve_sources([text], NOTHING)
    except RequestError as error:
        assert error.hint
    else:
        assert all(url.endswith("/") for source in sources for url in source.urls)


def test_each_source_counts_once_in_order() -> None:
    texts = ["b", "pypi", f"{ALIAS}b", "a", "nodefaults", "pypi", "b/"]
    assert [source.name for source in resolve_sources(texts, NOTHING)] == ["b", "pypi", "a"]


# --- what may be used


def test_denied_channels() -> None:
    configuration = Configuration(
        denied_channels=("bad", "defaults", "pypi"),
        origins={"denied_channels": ("/etc/conda/.condarc",)},
    )
    assert resolve_sources(["good"], configuration)
    for text in ("bad", f"{ALIAS}bad/", f"{ALIAS}pkgs/r", "defaults", "pypi"):
        with pytest.raises(RequestError, match="must not be used") as caught:
            resolve_sources(["good", text], configuration)
        assert "/etc/conda/.condarc denies it" in str(caught.value.cause)


def test_allowed_channels() -> None:
    configuration = Configuration(
        allowed_channels=("defaults", "https://me:secret@corp.example.org/c"),
        origins={"allowed_channels": ("/etc/conda/.condarc",)},
    )
    for text in ("defaults", "pkgs/main", "https://you:other@corp.example.org/c"):
        assert resolve_sources([text], configuration)
    for text in ("conda-forge", "pypi", "https://corp.example.org/c/x"):
        with pytest.raises(RequestError, match="must not be used") as caught:
            resolve_sources([text], configuration)
        assert "allows only defaults, https://corp.example.org/c" in str(caught.value.cause)
        assert "secret" not in str(caught.value.cause)


# --- mirrors


def test_mirrors() -> None:
    places = ("https://m.example.org/cf", "https://n.example.org/cf/")
    url = "https://host.example.org/c"
    assert mirrors(Configuration(mirrors={"conda-forge": places, url: places[:1]})) == {
        f"{ALIAS}conda-forge/": ["https://m.example.org/cf/", "https://n.example.org/cf/"],
        f"{url}/": ["https://m.example.org/cf/"],
    }
    with pytest.raises(RequestError, match="no web address"):
        mirrors(Configuration(mirrors={"conda-forge": ("file:///srv/cf",)}))
    with pytest.raises(RequestError, match="several channels"):
        mirrors(Configuration(mirrors={"defaults": places}))
