"""What listings and a sync with nothing to do import: that is most of what they take."""

from __future__ import annotations

import subprocess
import sys
from typing import TYPE_CHECKING

import pytest

from cli.answer import PYTHON

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from cli.answer import Answer

NEVER = (
    "asyncio",
    "httpx",
    "importlib.metadata",
    "logging",
    "packaging",
    "rattler",
    "rich",
    "ruamel",
    "shutil",
    "subprocess",
    "tomli",
    "tomllib",
    "kaa.model.plan",
    "kaa.network.locations",
    "kaa.settings.configuration",
)
ONLY_LISTED = (
    "csv",
    "platformdirs",
    "tempfile",
    "kaa.environments.foreign",
    "kaa.environments.packages",
    "kaa.model.options",
    "kaa.model.package",
)
"""What has no part in a listing of environments."""


def imported(*arguments: str) -> set[str]:
    """Run a command line as a user's program does, and return the modules that it has used."""
    script = (
        "import os, sys; before = set(sys.modules); from kaa.__main__ import main\n"
        "left = os._exit\n"
        "def leave(code):\n"
        "    print(*set(sys.modules) - before, file=sys.stderr, flush=True)\n"
        "    left(code)\n"
        "os._exit = leave\n"
        "main()"
    )
    done = subprocess.run(
        [sys.executable, "-c", script, *arguments], capture_output=True, text=True, check=True
    )
    assert done.stdout
    return set(done.stderr.split())


@pytest.mark.usefixtures("demo")
def test_listings_import_next_to_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("KAA_CHANNELS")  # most people have configured nothing
    modules = imported("list", "-n", "demo")
    assert "kaa.environments.packages" in modules, "that is how a list is seen here"
    assert modules & {*NEVER, "csv", "kaa.model.options"} == set()
    for arguments in (["env", "list"], ["info"], ["info", "--envs"]):
        assert imported(*arguments) & {*NEVER, *ONLY_LISTED} == set(), arguments
    assert imported("kernels", "list") & {"asyncio", "filelock", "rattler", "rich"} == set()


@pytest.mark.usefixtures("demo")
def test_a_sync_with_nothing_to_do_imports_next_to_nothing(
    tmp_path: Path, kaa_process: Callable[..., Answer]
) -> None:
    file = tmp_path / "environment.yml"
    file.write_text(f"channels: [pypi]\ndependencies: ['{PYTHON}', bear]\n")
    arguments = ("sync", "-n", "demo", "-f", str(file))
    assert kaa_process(*arguments, "-y").code == 0
    modules = imported(*arguments)
    assert "kaa.workflows.synced" in modules
    assert modules & {*NEVER, "kaa.model.package", "kaa.cli.question", "csv"} == set()


def test_help_needs_no_path() -> None:
    modules = imported("--help") - {"shutil"}  # click asks it how wide the terminal is
    assert modules & {*NEVER, *ONLY_LISTED, "pathlib"} == set()
