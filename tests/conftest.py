"""Fixtures that every test may use, and one that every test gets: a home of its own."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

import pytest
from hypothesis import settings

from local_index import LocalIndex
from ports import own_port

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

# The same examples in every run: a commit is not to fail for what another one did. To search on,
# use --hypothesis-profile=default.
settings.register_profile("kaa", derandomize=True, deadline=None)
settings.load_profile("kaa")

_FOREIGN = ("PIP_", "UV_", "JUPYTER_", "CONDA_", "KAA_", "XDG_", "IPYTHON")
_PROXIES = ("HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY", "NO_PROXY")


@pytest.fixture(scope="session", autouse=True)
def kernels_have_ports_of_their_own() -> None:
    """Let kernels that are started in this process have ports that nobody else is given."""
    from jupyter_client.connect import LocalPortCache

    def find(_: LocalPortCache, ip: str) -> int:
        return own_port(ip)

    LocalPortCache.find_available_port = find  # type: ignore[method-assign, assignment]


@pytest.fixture(autouse=True)
def isolated(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, request: pytest.FixtureRequest
) -> None:
    """Keep the machine's and the user's settings out of the test, and the test out of them."""
    for name in list(os.environ):
        if name.startswith(_FOREIGN):
            monkeypatch.delenv(name)
    if request.node.get_closest_marker("network") is None:
        for name in _PROXIES:
            monkeypatch.delenv(name, raising=False)
            monkeypatch.delenv(name.lower(), raising=False)
    home = tmp_path / "home"
    home.mkdir()
    monkeypatch.setenv("HOME", str(home))
    monkeypatch.setenv("USERPROFILE", str(home))
    monkeypatch.setenv("XDG_CONFIG_HOME", str(home / ".config"))
    monkeypatch.setenv("XDG_DATA_HOME", str(home / ".local" / "share"))
    monkeypatch.setenv("XDG_CACHE_HOME", str(home / ".cache"))
    monkeypatch.setenv("XDG_CONFIG_DIRS", str(home / "etc" / "xdg"))
    monkeypatch.setenv("KAA_ROOT", str(tmp_path / "kaa"))
    monkeypatch.setenv("KAA_CHANNELS", "pypi")  # conda-forge would be asked for, too
    monkeypatch.setenv("KAA_NAME_MAPPING", "none")
    monkeypatch.setenv("KAA_COMPILE", "0")  # in the background, so also after the test
    # The machine's own files are in /etc, which no other variable moves.
    monkeypatch.setenv("PIP_CONFIG_FILE", os.devnull)
    monkeypatch.setenv("UV_NO_CONFIG", "1")
    monkeypatch.setenv("UV_SYSTEM_CERTS", "1")  # as kaa does; the machine may have its own
    # The environment that the tests run in is none of this machine of theirs.
    for name in ("NETRC", "VIRTUAL_ENV", "VIRTUAL_ENV_PROMPT"):
        monkeypatch.delenv(name, raising=False)


@pytest.fixture
def local_index() -> Iterator[LocalIndex]:
    """An empty index on 127.0.0.1 with every feature; options are attributes."""
    with LocalIndex() as index:
        yield index
