"""kaa's own file, what wins over what, and what it costs when there is nothing to read."""

from __future__ import annotations

import os
import subprocess
import sys
from datetime import datetime, timedelta, timezone
from pathlib import Path

import platformdirs
import pytest
from hypothesis import given
from hypothesis import strategies as st

from kaa.environments.names import resolve_prefix
from kaa.environments.registry import find_prefixes
from kaa.model.errors import RequestError
from kaa.model.source import Priority
from kaa.settings.configuration import Configuration, load_configuration, show_configuration
from kaa.settings.directories import configured_layout
from kaa.settings.keys import KEYS
from kaa.settings.search import find_own, user_file
from kaa.store.layout import default_layout

DOCUMENTATION = Path(__file__).parents[2] / "docs" / "configuration.md"


def toml(path: Path, text: str) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)
    return path


def load(tmp_path: Path, own: str = "", condarc: str = "", **environ: str) -> Configuration:
    return load_configuration(
        environ,
        condarc_files=[toml(tmp_path / ".condarc", condarc)],
        own_files=[toml(tmp_path / "config.toml", own)],
    )


def test_nothing_configured() -> None:
    assert load_configuration(os.environ) == Configuration()
    assert Configuration().channels == ("conda-forge", "pypi")
    assert Configuration().channel_priority is Priority.STRICT


def test_nothing_configured_imports_nothing() -> None:
    program = (
        "import os, sys; from kaa.settings.configuration import load_configuration;"
        "load_configuration(os.environ);"
        "print(*{'ruamel', 'tomllib', 'tomli', 'rattler', 'httpx', 'platformdirs',"
        " 'kaa.settings.keys'} & set(sys.modules))"
    )
    output = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=True
    ).stdout
    assert output == "\n"


def test_the_users_file_is_where_platformdirs_has_it(monkeypatch: pytest.MonkeyPatch) -> None:
    assert user_file(os.environ).parent == platformdirs.user_config_path("kaa", appauthor=False)
    monkeypatch.delenv("XDG_CONFIG_HOME")
    assert user_file(os.environ).parent == platformdirs.user_config_path("kaa", appauthor=False)


def test_files_are_found(tmp_path: Path) -> None:
    home = tmp_path / "h"
    environ = {"HOME": str(home), "XDG_CONFIG_DIRS": str(tmp_path / "etc")}
    if sys.platform != "linux":
        pytest.skip("the places of Linux")
    system = toml(tmp_path / "etc" / "kaa" / "config.toml", "retries = 9\noffline = true\n")
    user = toml(home / ".config" / "kaa" / "config.toml", "retries = 1\n")
    assert list(find_own(environ)) == [user, system]
    made = load_configuration(environ)
    assert (made.retries, made.offline) == (1, True)
    assert made.origins == {"retries": (str(user),), "offline": (str(system),)}
    mine = toml(tmp_path / "mine.toml", "retries = 5\n")
    assert list(find_own({**environ, "KAA_CONFIG": str(mine)})) == [mine, system]
    assert list(find_own({**environ, "KAA_CONFIG": os.devnull})) == [system]
    with pytest.raises(RequestError, match="no configuration file") as caught:
        load_configuration({**environ, "KAA_CONFIG": str(tmp_path / "none.toml")})
    assert "KAA_CONFIG" in str(caught.value.hint)


def test_all_keys(tmp_path: Path) -> None:
    made = load(
        tmp_path,
        """
channels = ["corp", "conda-forge", "pypi"]
default-channels = ["main"]
channel-alias = "https://alias.example.org"
allow-channels = ["corp", "conda-forge", "pypi"]
deny-channels = ["bad"]
channel-priority = "disabled"
pinned = ["python 3.12.*"]
default-packages = ["ipykernel"]
track-features = ["mkl"]
add-pip = true
exclude-newer = 2026-01-31
no-build = true
only-tar-bz2 = true
platform = "osx-arm64"
offline = false
no-proxy = ["localhost"]
ssl-verify = "ca.pem"
client-certificate = "me.pem"
client-key = "me.key"
connect-timeout = 2
timeout = 7.5
retries = 2
authentication-file = "auth.json"
root = "data"
envs-dirs = ["~/envs"]
pkgs-dirs = ["/pkgs"]
link-scripts = "allow"
keep-generations = 3
keep-days = 7
always-yes = true
compile-bytecode = false
change-prompt = false
prompt = "[{default_env}] "
auto-stack = 2
name-mapping = "https://names.example.org/{channel}.json"

[kernels]
hidden = ["old", "~/x/.venv"]
pinned = ["demo"]
name-format = "{environment}"
env-filter = "^/scratch/"
base-name = "root"
debugger = false
roots = ["~/projects"]

[kernels.alias]
"~/shop/.venv" = "The shop"

[kernels.icons]
demo = "demo.png"

[channel-aliases]
corp = "https://corp.example.org/conda"

[mirrors]
conda-forge = ["https://mirror.example.org/conda-forge"]

[proxies]
https = "http://proxy.example.org:3128"
""",
        HOME="/home/me",
    )
    assert set(made.origins) == {key.field for key in KEYS if key.own}
    assert (made.change_prompt, made.prompt, made.auto_stack) == (False, "[{default_env}] ", 2)
    assert made.channels == ("corp", "conda-forge", "pypi")
    assert made.channel_aliases == {"corp": ("https://corp.example.org/conda",)}
    assert made.exclude_newer == datetime(2026, 2, 1, tzinfo=timezone.utc)
    assert made.root == tmp_path / "data"
    assert made.ssl_verify == tmp_path / "ca.pem"
    assert [str(path) for path in made.environment_directories] == ["/home/me/envs"]
    assert made.kernel_aliases == {"/home/me/shop/.venv": "The shop"}
    assert made.hidden_kernels == ("old", "/home/me/x/.venv")
    assert made.kernel_icons == {"demo": tmp_path / "demo.png"}
    shown = show_configuration(made)
    assert set(shown) == {key.own for key in KEYS if key.own}
    assert shown["retries"] == (2, (str(tmp_path / "config.toml"),))


def test_own_file_wins_key_by_key_and_variables_win_over_both(tmp_path: Path) -> None:
    own = 'channels = ["mine"]\noffline = true\n'
    condarc = "channels: [theirs]\noffline: false\nremote_max_retries: 4\nchannel_priority: false\n"
    made = load(tmp_path, own, condarc)
    assert (made.channels, made.offline, made.retries) == (("mine",), True, 4)
    assert made.channel_priority is Priority.DISABLED
    made = load(
        tmp_path,
        own,
        condarc,
        KAA_CHANNELS="a b",
        KAA_OFFLINE="0",
        KAA_CHANNEL_PRIORITY="strict",
        KAA_EXCLUDE_NEWER="2026-03-01T12:00:00Z",
    )
    assert (made.channels, made.offline) == (("a", "b"), False)
    assert made.channel_priority is Priority.STRICT
    assert made.exclude_newer == datetime(2026, 3, 1, 12, tzinfo=timezone.utc)
    assert made.origin("channels") == "KAA_CHANNELS"
    assert load(tmp_path, KAA_CHANNELS="./with space, pypi").channels == ("./with space", "pypi")
    assert load(tmp_path, own, KAA_CHANNELS=" ").channels == ("mine",)


@pytest.mark.parametrize(
    ("condarc", "channels"),
    [
        ("channels: [conda-forge]", ("conda-forge", "pypi")),
        ("channels: [pypi, conda-forge]", ("pypi", "conda-forge")),
        ("channels: []", ("conda-forge", "pypi")),
        ("channel_priority: strict", ("conda-forge", "pypi")),
        ("channels: [a]\nallowlist_channels: [a]", ("a",)),
        ("channels: [a]\nallowlist_channels: [a, pypi]", ("a", "pypi")),
        ("allowlist_channels: [conda-forge]", ("conda-forge",)),
    ],
)
def test_pypi_is_the_last_partner_of_condas_channels(
    tmp_path: Path, condarc: str, channels: tuple[str, ...]
) -> None:
    assert load(tmp_path, condarc=condarc).channels == channels


@pytest.mark.parametrize(
    ("key", "suggestion"),
    [
        ("chanels", "`channels`"),
        ("channel_priority", "`channel-priority`"),
        ("create_default_packages", "`default-packages`"),
        ("zzz", "the keys are: add-pip"),
    ],
)
def test_unknown_keys(tmp_path: Path, key: str, suggestion: str) -> None:
    with pytest.raises(RequestError, match=key) as caught:
        load(tmp_path, f"{key} = 1\n")
    assert suggestion in str(caught.value.hint)
    assert str(tmp_path / "config.toml") in caught.value.message


@pytest.mark.parametrize(
    "text", ["channels = [", "channels = ['a']\nchannels = ['b']", "a", "\x00"]
)
def test_what_is_no_toml(tmp_path: Path, text: str) -> None:
    with pytest.raises(RequestError, match="cannot be read") as caught:
        load(tmp_path, text)
    assert caught.value.cause
    assert "KAA_CONFIG" in str(caught.value.hint)


def test_values_of_the_wrong_kind(tmp_path: Path) -> None:
    with pytest.raises(RequestError, match="channels") as caught:
        load(tmp_path, 'channels = "conda-forge"\n')
    assert caught.value.hint == 'write it as `channels = ["one", "two"]`'
    with pytest.raises(RequestError, match="KAA_OFFLINE in the environment"):
        load(tmp_path, KAA_OFFLINE="perhaps")
    for text in ("tomorrow", "2026-13-01", "2026-01-01T25:00:00"):
        with pytest.raises(RequestError, match="KAA_EXCLUDE_NEWER"):
            load(tmp_path, KAA_EXCLUDE_NEWER=text)


@given(st.datetimes(timezones=st.timezones(no_cache=True) | st.just(timezone.utc)))
def test_moments_are_read_as_they_are_written(moment: datetime) -> None:
    moment = moment.astimezone(timezone.utc)
    found = load_configuration(
        {"KAA_EXCLUDE_NEWER": moment.isoformat()}, condarc_files=[], own_files=[]
    ).exclude_newer
    assert found == moment
    day = load_configuration(
        {"KAA_EXCLUDE_NEWER": moment.date().isoformat()}, condarc_files=[], own_files=[]
    ).exclude_newer
    assert day is not None
    assert timedelta(0) < day - moment <= timedelta(days=1)


def test_credentials_never_show(tmp_path: Path) -> None:
    made = load(
        tmp_path, "[proxies]\nhttp = 'http://me:secret@p'\n", "channels: ['http://u:secret@h/c']"
    )
    assert "secret" not in repr(made)
    assert made.proxies == {"http": "http://me:secret@p"}


def test_every_key_is_documented() -> None:
    text = DOCUMENTATION.read_text(encoding="utf-8")
    names = {name for key in KEYS for name in (key.own, key.variable, *key.conda) if name}
    assert not {name for name in names if f"`{name}`" not in text}


@pytest.mark.parametrize("variable", [key.variable for key in KEYS if key.variable])
def test_a_variable_alone_is_heard(variable: str) -> None:
    texts = {"KAA_CHANNEL_PRIORITY": "flexible", "KAA_EXCLUDE_NEWER": "2026-01-31"}
    environ = {variable: texts.get(variable, "1")}
    made = load_configuration(environ, condarc_files=[], own_files=[])
    assert (variable,) in made.origins.values()


@pytest.mark.parametrize("name", ["offline", "channel_priority", "ssl_verify"])
@pytest.mark.parametrize("value", ["[true]", "{a: 1}"])
def test_a_list_is_no_truth_value(tmp_path: Path, name: str, value: str) -> None:
    with pytest.raises(RequestError, match=f"{name} in .* wrong kind"):
        load(tmp_path, condarc=f"{name}: {value}\n")


def test_whoever_denies_pypi_does_not_get_it_unasked(tmp_path: Path) -> None:
    assert load(tmp_path, condarc="denylist_channels: [pypi]").channels == ("conda-forge",)
    assert load(tmp_path, "deny-channels = ['pypi']", "channels: [a]").channels == ("a",)
    assert load(tmp_path, condarc="denylist_channels: [b]").channels == ("conda-forge", "pypi")
    files = [toml(tmp_path / ".condarc", "channels: [a]\nallowlist_channels: [a]\n")]
    part = load_configuration({}, condarc_files=files, own_files=[], only={"channels"})
    assert part.channels == ("a",)


# --- where things lie


def test_the_layout_without_configuration() -> None:
    layout = configured_layout(os.environ)
    assert layout == default_layout()
    assert layout.all_environments == (layout.root / "envs",)


def test_the_layout_is_known_without_reading_settings_where_there_are_none() -> None:
    program = (
        "import sys; from kaa.settings.directories import this_layout; this_layout();"
        "print(*[name for name in sys.modules if name.startswith('kaa.settings.')])"
    )
    output = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=True
    ).stdout.split()
    assert set(output) == {"kaa.settings.search", "kaa.settings.directories"}


def test_root_is_configured_but_the_variable_wins(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    configuration = Configuration(root=tmp_path / "big")
    assert configured_layout(os.environ, configuration) == default_layout()
    monkeypatch.delenv("KAA_ROOT")
    assert configured_layout(os.environ, configuration).packages == tmp_path / "big" / "pkgs"


def test_directories_that_are_configured(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    closed, mine = tmp_path / "file" / "envs", tmp_path / "new" / "envs"
    layout = configured_layout(
        os.environ,
        Configuration(
            environment_directories=(closed, mine),
            package_directories=(closed, tmp_path / "pkgs"),
        ),
    )
    assert layout.environments == mine
    assert layout.all_environments == (mine, closed)
    assert layout.packages == tmp_path / "pkgs" / "kaa"
    assert not mine.exists()


def test_environments_are_found_in_all_directories(tmp_path: Path) -> None:
    one, two = tmp_path / "one", tmp_path / "two"
    layout = configured_layout(os.environ, Configuration(environment_directories=(one, two)))
    for folder, name in ((one, "a"), (two, "b")):
        generation = folder / ".kaa" / name / "1"
        (generation / "conda-meta").mkdir(parents=True)
        (folder / name).symlink_to(Path(".kaa", name, "1"))
    (two / "foreign" / "conda-meta").mkdir(parents=True)  # conda's own environment
    (two / "link").symlink_to(tmp_path)  # somebody's link
    assert [prefix.path for prefix in find_prefixes(layout)] == [one / "a", two / "b"]
    assert resolve_prefix(layout, "b", None) == two / "b"
    assert resolve_prefix(layout, "foreign", None) == two / "foreign"
    assert resolve_prefix(layout, "new", None) == one / "new"


def test_a_file_is_no_directory_to_write_to(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    layout = configured_layout(
        os.environ, Configuration(environment_directories=(tmp_path / "file" / "envs",))
    )
    assert layout.environments == default_layout().environments
    assert layout.all_environments == (layout.environments, tmp_path / "file" / "envs")
