"""Every command of the documentation is typed, page by page, each on a machine of its own."""

from __future__ import annotations

import os
import shutil
import sys
from typing import TYPE_CHECKING

import pytest

from conda_channel import CondaChannel
from documentation import shelf
from documentation.pages import PAGES, PROJECT, AnotherMachine, Typed, Written, missing, steps
from documentation.terminal import Terminal
from kaa.sources.host import find_host_pythons
from kaa.store.layout import Layout
from packed_interpreter import pack_interpreter

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from local_index import LocalIndex

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(sys.platform != "linux", reason="an interpreter is packed for the channel"),
]

MINOR = f"{sys.version_info.major}.{sys.version_info.minor}"
TYPED = [
    page
    for page in PAGES
    if any(isinstance(step, Typed) for step in steps(page.read_text(encoding="utf-8")))
]


@pytest.fixture(scope="module")
def packages(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """The packages of all channels and of the index, made once."""
    folder = tmp_path_factory.mktemp("packages")
    shelf.fill_conda_forge(folder / "conda-forge")
    shelf.fill_bioconda(folder / "bioconda")
    shelf.fill_pypi(folder / "pypi")
    # The interpreters of this machine are asked once; every page begins with the answer.
    layout = Layout(tmp_path_factory.mktemp("interpreters"))
    find_host_pythons(layout)
    shutil.copy(layout.metadata / "interpreters.json", folder)
    yield folder


@pytest.fixture
def said(
    packages: Path, tmp_path: Path, local_index: LocalIndex, monkeypatch: pytest.MonkeyPatch
) -> Iterator[Callable[[str], str]]:
    """Give how a text of a page is typed here: addresses and Python's version are those we have."""
    for wheel in sorted((packages / "pypi").iterdir()):
        local_index.add(wheel, upload_time="2025-01-01T00:00:00Z")
    monkeypatch.setenv("PIP_INDEX_URL", local_index.url)
    monkeypatch.delenv("KAA_CHANNELS")
    monkeypatch.delenv("PYENV_ROOT", raising=False)  # `kaa du` would count all that is there
    channels = {name: CondaChannel(tmp_path / name) for name in ("conda-forge", "bioconda")}
    for name, channel in channels.items():
        for package in sorted((packages / name).iterdir()):
            channel.add(package)
    channels["conda-forge"].add(pack_interpreter(), timestamp=shelf.MADE)
    for record in shelf.pytorch_records():
        channels["conda-forge"].add_record("pytorch", **record, subdir="linux-64")
    with channels["conda-forge"] as forge, channels["bioconda"] as bioconda:
        config = tmp_path / "config.toml"
        config.write_text(
            "always-yes = true\n"  # a reader agrees to the plan
            "[channel-aliases]\n"
            f'conda-forge = "{forge.url}"\nbioconda = "{bioconda.url}"\n'
        )
        monkeypatch.setenv("KAA_CONFIG", str(config))
        here = {
            "https://packages.example.org/conda": bioconda.url.rstrip("/"),
            "https://packages.example.org/simple": local_index.url.rstrip("/"),
            "3.12": MINOR,
            "312": MINOR.replace(".", ""),
        }

        def translate(text: str) -> str:
            for written, meant in here.items():
                text = text.replace(written, meant)
            return text

        yield translate


def machine(directory: Path, interpreters: Path) -> dict[str, str]:
    """Return the variables of a machine that has nothing yet."""
    root = directory / "kaa"
    (root / "cache").mkdir(parents=True)
    shutil.copy(interpreters, root / "cache")
    home = directory / "home"
    home.mkdir()
    return {
        "HOME": str(home),
        "XDG_CONFIG_HOME": str(home / ".config"),
        "XDG_DATA_HOME": str(home / ".local" / "share"),
        "XDG_CACHE_HOME": str(home / ".cache"),
        "KAA_ROOT": str(root),
        "JUPYTER_DATA_DIR": str(home / "jupyter"),
        "JUPYTER_RUNTIME_DIR": str(home / "run"),
        "JUPYTER_PREFER_ENV_PATH": "0",
        "PS1": "$ ",
    }


@pytest.mark.parametrize("page", TYPED, ids=[str(page.relative_to(PROJECT)) for page in TYPED])
def test_what_the_page_says_to_type_does_what_it_says(
    page: Path, said: Callable[[str], str], packages: Path, tmp_path: Path
) -> None:
    interpreters = packages / "interpreters.json"
    directory = tmp_path / "work"
    directory.mkdir()
    variables = machine(tmp_path / "first", interpreters)
    with Terminal(directory, tmp_path / "scripts", {**os.environ, **variables}) as terminal:
        for step in steps(page.read_text(encoding="utf-8")):
            if isinstance(step, Written):
                (directory / step.name).parent.mkdir(parents=True, exist_ok=True)
                (directory / step.name).write_text(said(step.content), encoding="utf-8")
            elif isinstance(step, AnotherMachine):
                fresh = machine(tmp_path / "second", interpreters)
                terminal.type(
                    "\n".join(f"export {name}='{value}'" for name, value in fresh.items())
                )
            else:
                shown = terminal.type(said(step.command))
                where = f"{page.name}:{step.line}: {step.command}\n{shown.output}"
                assert shown.code == step.code, f"exit code {shown.code}: {where}"
                lost = missing(tuple(map(said, step.shown)), shown.output)
                assert lost is None, f"not shown: {lost!r}: {where}"


def test_a_line_that_is_not_shown_is_found_missing() -> None:
    output = "one 1.0\ntwo 2.0\nthree 3.0\n"
    assert missing(("one ...", "...", "three 3.0"), output) is None
    assert missing(("two 2.1",), output) == "two 2.1"
    assert missing(("three ...", "one ..."), output) == "one ..."
