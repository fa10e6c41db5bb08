"""What the command line's tests share."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from cli.answer import PYTHON, Answer
from kaa.cli.main import execute
from kaa.model.package import HOST, PYPI, Package
from kaa.model.plan import Addition, Plan
from wheels import build_wheel

if TYPE_CHECKING:
    from collections.abc import Callable

    from local_index import LocalIndex


@pytest.fixture
def kaa(capfd: pytest.CaptureFixture[str]) -> Callable[..., Answer]:
    """Run a command line in this process."""

    def run(*arguments: str) -> Answer:
        capfd.readouterr()
        code = execute(arguments)
        out, err = capfd.readouterr()
        return Answer(code, out, err)

    return run


@pytest.fixture
def kaa_process() -> Callable[..., Answer]:
    """Run a command line in a process of its own."""

    def run(*arguments: str, **options: Any) -> Answer:
        done = subprocess.run(
            [sys.executable, "-m", "kaa", *arguments],
            **{"stdin": subprocess.DEVNULL, "capture_output": True, **options},
            text=True,
            timeout=300,
            check=False,
        )
        return Answer(done.returncode, done.stdout or "", done.stderr or "")

    return run


@pytest.fixture
def plan() -> Plan:
    def addition(name: str, version: str, source: str, download: int, asked: bool) -> Addition:
        url = f"https://index.example.org/{name}-{version}.whl"
        return Addition(
            Package(name, version, "0", source, url, size=16_200_000, requested=asked), download
        )

    return Plan(
        name="demo",
        prefix=Path("/data/envs/demo"),
        additions=(
            addition("python", "3.12.4", HOST, 0, True),
            addition("pandas", "2.3.1", PYPI, 12_300_000, True),
            addition("numpy", "2.1.0", PYPI, 0, False),
            addition("a-package-with-quite-a-long-name-indeed", "1.0", PYPI, 900, False),
        ),
        overlay="3.12",
    )


@pytest.fixture
def index(local_index: LocalIndex, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> LocalIndex:
    wheels = tmp_path / "wheels"
    local_index.add(build_wheel(wheels, "ipykernel"))
    local_index.add(build_wheel(wheels, "fur"))
    local_index.add(
        build_wheel(wheels, "bear", requires=["fur"], console_scripts={"growl": "bear:main"})
    )
    monkeypatch.setenv("PIP_INDEX_URL", local_index.url)
    return local_index


@pytest.fixture
def demo(index: LocalIndex, kaa_process: Callable[..., Answer]) -> Answer:
    answer = kaa_process("create", "-n", "demo", PYTHON, "bear", "-y")
    assert answer.code == 0, answer.err
    return answer
