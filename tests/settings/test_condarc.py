"""conda's files: where they are, how they are joined, and what is wrong with some of them."""

from __future__ import annotations

import string
from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kaa.model.errors import RequestError
from kaa.model.source import Priority
from kaa.settings.condarc import read_condarc, read_pinned
from kaa.settings.configuration import Configuration, load_configuration
from kaa.settings.search import find_condarc

if TYPE_CHECKING:
    from pathlib import Path


def write(path: Path, text: str) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text, encoding="utf-8")
    return path


def load(tmp_path: Path, *texts: str, environ: dict[str, str] | None = None) -> Configuration:
    files = [write(tmp_path / f"{n}" / ".condarc", text) for n, text in enumerate(texts)]
    return load_configuration(environ or {}, condarc_files=files, own_files=[])


def test_the_search_path_is_condas(tmp_path: Path) -> None:
    root, home, prefix = tmp_path / "root", tmp_path / "home2", tmp_path / "prefix"
    expected = [
        write(root / ".condarc", ""),
        write(root / "condarc.d" / "a.yml", ""),
        write(root / "condarc.d" / "b.yaml", ""),
        write(tmp_path / "xdg" / "conda" / "condarc", ""),
        write(home / ".config" / "conda" / ".condarc", ""),
        write(home / ".conda" / ".condarc", ""),
        write(home / ".conda" / "condarc", ""),
        write(home / ".condarc", ""),
        write(prefix / ".condarc", ""),
        write(prefix / "condarc.d" / "condarc", ""),
        write(tmp_path / "mine.txt", ""),
    ]
    write(root / "condarc.d" / "readme.txt", "")
    environ = {
        "CONDA_ROOT": str(root),
        "HOME": str(home),
        "XDG_CONFIG_HOME": str(tmp_path / "xdg"),
        "CONDA_PREFIX": str(prefix),
        "CONDARC": str(tmp_path / "mine.txt"),
    }
    inside = [path for path in find_condarc(environ) if path.is_relative_to(tmp_path)]
    assert inside == expected
    other = write(tmp_path / "other" / ".condarc", "")
    inside = [path for path in find_condarc(environ, other.parent) if path in {other, expected[8]}]
    assert inside == [other]


@pytest.mark.parametrize("variable", ["CONDA_EXE", "MAMBA_ROOT_PREFIX"])
def test_condas_own_prefix_is_found_from_outside(tmp_path: Path, variable: str) -> None:
    found = write(tmp_path / "conda" / ".condarc", "offline: true\n")
    root = tmp_path / "conda"
    place = root / "bin" / "conda" if variable == "CONDA_EXE" else root
    assert found in list(find_condarc({variable: str(place)}))


def test_all_keys(tmp_path: Path) -> None:
    made = load(
        tmp_path,
        """
channels: [one, defaults]
default_channels:
  - https://repo.example.org/main
channel_alias: https://alias.example.org/
custom_channels: {mine: https://mine.example.org/conda}
custom_multichannels: {both: [a, b], single: c}
migrated_channel_aliases: [https://old.example.org/]
migrated_custom_channels: {moved: https://old.example.org/x}
mirrored_channels: {conda-forge: [https://m1.example.org/cf, https://m2.example.org/cf]}
allowlist_channels: [one]
denylist_channels: [bad]
channel_priority: flexible
pinned_packages: ["numpy 1.*"]
create_default_packages: [ipykernel, pip]
track_features: [mkl]
add_pip_as_python_dependency: yes
use_only_tar_bz2: true
subdir: linux-aarch64
offline: on
proxy_servers: {http: http://p.example.org:1, https: null}
ssl_verify: certs/ca.pem
client_ssl_cert: ~/me.pem
client_ssl_cert_key: /k.pem
remote_connect_timeout_secs: 3
remote_read_timeout_secs: 12.5
remote_max_retries: 0
envs_dirs: [~/envs, $PLACE/envs]
pkgs_dirs: ["${PLACE}/pkgs"]
always_yes: True
changeps1: false
some_future_key: {a: [1, 2]}
""",
        environ={"HOME": "/home/me", "PLACE": "/place"},
    )
    assert made.channels == ("one", "defaults")  # PyPI is not on the list of what is allowed
    assert made.default_channels == ("https://repo.example.org/main",)
    assert made.channel_alias == "https://alias.example.org/"
    assert made.custom_channels == {"mine": "https://mine.example.org/conda"}
    assert made.custom_multichannels == {"both": ("a", "b"), "single": ("c",)}
    assert made.migrated_aliases == ("https://old.example.org/",)
    assert made.migrated_channels == {"moved": "https://old.example.org/x"}
    assert list(made.mirrors["conda-forge"]) == [
        "https://m1.example.org/cf",
        "https://m2.example.org/cf",
    ]
    assert (made.allowed_channels, made.denied_channels) == (("one",), ("bad",))
    assert made.channel_priority is Priority.FLEXIBLE
    assert made.pinned == ("numpy 1.*",)
    assert made.default_packages == ("ipykernel", "pip")
    assert made.track_features == ("mkl",)
    assert made.add_pip
    assert made.only_tar_bz2
    assert made.offline
    assert made.always_yes
    assert made.subdir == "linux-aarch64"
    assert made.proxies == {"http": "http://p.example.org:1"}
    assert made.ssl_verify == tmp_path / "0" / "certs" / "ca.pem"
    assert str(made.client_certificate) == "/home/me/me.pem"
    assert str(made.client_key) == "/k.pem"
    assert (made.connect_timeout, made.timeout, made.retries) == (3.0, 12.5, 0)
    assert list(map(str, made.environment_directories)) == ["/home/me/envs", "/place/envs"]
    assert list(map(str, made.package_directories)) == ["/place/pkgs"]
    assert made.origin("offline") == str(tmp_path / "0" / ".condarc")
    assert made.origin("no_build") is None


@pytest.mark.parametrize(
    ("text", "priority"),
    [
        ("strict", Priority.STRICT),
        ("Flexible", Priority.FLEXIBLE),
        ("disabled", Priority.DISABLED),
        ("true", Priority.FLEXIBLE),
        ("false", Priority.DISABLED),
        ("'true'", Priority.FLEXIBLE),
    ],
)
def test_channel_priority(tmp_path: Path, text: str, priority: Priority) -> None:
    assert load(tmp_path, f"channel_priority: {text}\n").channel_priority is priority


@pytest.mark.parametrize(("text", "value"), [("true", True), ("no", False), ("truststore", True)])
def test_ssl_verify_without_a_path(tmp_path: Path, text: str, value: bool) -> None:
    assert load(tmp_path, f"ssl_verify: {text}\n").ssl_verify is value


def test_single_values_are_overridden_by_later_files(tmp_path: Path) -> None:
    made = load(tmp_path, "offline: true\nsubdir: osx-64\n", "offline: false\n")
    assert not made.offline
    assert made.subdir == "osx-64"
    assert made.origins["offline"] == (str(tmp_path / "1" / ".condarc"),)


def test_lists_are_joined_with_later_files_first(tmp_path: Path) -> None:
    made = load(tmp_path, "channels: [system, both]\n", "channels: [both, mine]\n")
    assert made.channels == ("both", "mine", "system", "pypi")
    assert len(made.origins["channels"]) == 2


def test_marks_of_entries(tmp_path: Path) -> None:
    made = load(
        tmp_path,
        "channels:\n  - corp  #!top\n  - last #!bottom\n  - system\n",
        "channels:\n  - mine\n  # a comment\n  - mytop #!top\n  - mylast  #!bottom\n",
    )
    assert made.channels == ("corp", "mytop", "mine", "system", "mylast", "last", "pypi")


def test_final_keys_are_not_changed_by_later_files(tmp_path: Path) -> None:
    made = load(
        tmp_path,
        "channels:   #!final\n  - corp\noffline: true #!final\n",
        "channels: [mine]\noffline: false\nproxy_servers:\n  http: http://a.example.org #!final\n",
        "proxy_servers: {http: http://b.example.org, https: http://c.example.org}\n",
    )
    assert made.channels == ("corp", "pypi")
    assert made.offline
    assert made.proxies == {"http": "http://a.example.org", "https": "http://c.example.org"}


def test_an_entry_without_a_value_is_none(tmp_path: Path) -> None:
    made = load(tmp_path, "channels:\n  -\n  - a\n  - b #!top\noffline:\n")
    assert made.channels == ("b", "a", "pypi")
    assert "offline" not in made.origins


def test_aliases_of_keys(tmp_path: Path) -> None:
    made = load(tmp_path, "verify_ssl: false\nenvs_path: [/e]\nwhitelist_channels: [a]\n")
    assert made.ssl_verify is False
    assert [str(path) for path in made.environment_directories] == ["/e"]
    assert made.allowed_channels == ("a",)


def test_variables_that_are_not_set_stay_as_they_are(tmp_path: Path) -> None:
    made = load(
        tmp_path,
        "channels: ['https://h/t/$TOKEN/c', 'https://h/$NONE/$$']\n",
        environ={"TOKEN": "secret"},
    )
    assert made.channels[:2] == ("https://h/t/secret/c", "https://h/$NONE/$$")
    assert "secret" not in repr(made)


@pytest.mark.parametrize(
    ("text", "key", "cause"),
    [
        ("channels: conda-forge", "channels", "it is a text"),
        ("channels: [1, 2]", "channels", "it is a list with something else in it"),
        ("channels: {a: b}", "channels", "it is a table"),
        ("channel_alias: [a]", "channel_alias", "it is a list"),
        ("channel_priority: high", "channel_priority", "strict, flexible and disabled"),
        ("offline: perhaps", "offline", "true or false"),
        ("offline: 2", "offline", "it is a number"),
        ("remote_max_retries: -1", "remote_max_retries", "a whole number"),
        ("remote_max_retries: true", "remote_max_retries", "a whole number"),
        ("remote_read_timeout_secs: soon", "remote_read_timeout_secs", "a number of seconds"),
        ("remote_read_timeout_secs: .inf", "remote_read_timeout_secs", "a number of seconds"),
        ("proxy_servers: http://me:secret@h", "proxy_servers", "a table of texts"),
        ("proxy_servers: {http: [secret]}", "proxy_servers", "a table of texts"),
        ("custom_multichannels: {a: {b: c}}", "custom_multichannels", "a table of lists"),
        ("mirrored_channels: {1: [a]}", "mirrored_channels", "a table of lists"),
        ("ssl_verify: 7", "ssl_verify", "the path of a certificate bundle"),
        ("envs_dirs: /envs", "envs_dirs", "a list of texts"),
    ],
)
def test_values_of_the_wrong_kind(tmp_path: Path, text: str, key: str, cause: str) -> None:
    with pytest.raises(RequestError, match=key) as caught:
        load(tmp_path, text)
    error = caught.value
    assert str(tmp_path / "0" / ".condarc") in error.message
    assert cause in str(error.cause)
    assert str(error.hint).startswith(f"write it as `{key}: ")
    assert "secret" not in f"{error.message}{error.cause}{error.hint}"


@pytest.mark.parametrize(
    "text",
    [
        "channels: [a",
        "\tchannels: a",
        "channels: *x",
        "a: b: c",
        "channels: !!python/x y\n- z",
        "a: 1\na: 2",
    ],
)
def test_what_is_no_yaml(tmp_path: Path, text: str) -> None:
    with pytest.raises(RequestError, match="is not valid YAML") as caught:
        load(tmp_path, f"# channels\n{text}\n")
    assert str(tmp_path) in caught.value.message
    assert "line" in str(caught.value.cause)
    assert caught.value.hint


def test_a_file_that_is_no_table_or_no_text(tmp_path: Path) -> None:
    with pytest.raises(RequestError, match="not a table"):
        load(tmp_path, "- channels\n")
    path = tmp_path / "binary"
    path.write_bytes(b"channels: [\xff]")
    with pytest.raises(RequestError, match="cannot be read") as caught:
        read_condarc({}, [path])
    assert caught.value.cause == "it is not UTF-8"
    assert load(tmp_path, "", "# channels\n", "null # channels\n").channels == (
        "conda-forge",
        "pypi",
    )


def test_files_that_have_nothing_of_what_is_needed_are_not_parsed(tmp_path: Path) -> None:
    broken = write(tmp_path / ".condarc", "channels: [a\n")
    found = load_configuration(
        {}, condarc_files=[broken], own_files=[], only=("environment_directories",)
    )
    assert found.environment_directories == ()
    with pytest.raises(RequestError):
        load_configuration({}, condarc_files=[broken], own_files=[], only=("channels",))


NAMES = st.lists(st.text(string.ascii_lowercase, min_size=1, max_size=3), max_size=5)
MARKED = st.lists(
    st.tuples(st.text("abcdef", min_size=1, max_size=1), st.sampled_from(["", "top", "bottom"])),
    max_size=5,
)


@given(files=st.lists(MARKED, max_size=3))
def test_joined_lists_keep_every_entry_once(
    files: list[list[tuple[str, str]]], tmp_path_factory: pytest.TempPathFactory
) -> None:
    folder = tmp_path_factory.mktemp("rc")
    texts = [
        "channels:\n" + "".join(f"  - {name}  #!{mark}\n" for name, mark in entries)
        for entries in files
    ]
    found = read_condarc({}, [write(folder / str(n), text) for n, text in enumerate(texts)])
    joined = found["channels"].value if "channels" in found else ()
    everything = {name for entries in files for name, _ in entries}
    assert sorted(joined) == sorted(everything)
    marks: dict[str, set[str]] = {}
    for entries in files:
        for name, mark in entries:
            marks.setdefault(name, set()).add(mark)

    def rank(name: str) -> int:
        return 2 if "bottom" in marks[name] else 0 if "top" in marks[name] else 1

    assert [rank(name) for name in joined] == sorted(rank(name) for name in joined)


def test_pinned(tmp_path: Path) -> None:
    assert read_pinned(tmp_path) == ()
    write(
        tmp_path / "conda-meta" / "pinned",
        "# kept back\nnumpy 1.26.*\n\n  scipy ==1.11.4  # for the paper\npython=3.12 # x\n",
    )
    assert read_pinned(tmp_path) == ("numpy 1.26.*", "scipy ==1.11.4", "python=3.12")
    (tmp_path / "conda-meta" / "pinned").write_bytes(b"\xff\xfe\x00")
    with pytest.raises(RequestError, match="pinned"):
        read_pinned(tmp_path)
