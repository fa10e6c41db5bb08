"""A machine of its own for each test: home, root, Jupyter, and an index on 127.0.0.1."""

from __future__ import annotations

import shutil
from typing import TYPE_CHECKING

import pytest

from end_to_end.machine import kaa, root
from kaa.sources.host import find_host_pythons
from kaa.store.layout import Layout
from wheels import build_wheel

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from end_to_end.machine import Answer
    from local_index import LocalIndex


@pytest.fixture(scope="session")
def interpreters(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """What this machine's interpreters answered: asking them once is enough for all tests."""
    layout = Layout(tmp_path_factory.mktemp("interpreters"))
    find_host_pythons(layout)
    return layout.metadata / "interpreters.json"


@pytest.fixture(autouse=True)
def machine(
    isolated: None, tmp_path: Path, interpreters: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    jupyter = tmp_path / "home" / "jupyter"
    monkeypatch.setenv("JUPYTER_DATA_DIR", str(jupyter))
    monkeypatch.setenv("JUPYTER_RUNTIME_DIR", str(tmp_path / "home" / "run"))
    monkeypatch.setenv("JUPYTER_PREFER_ENV_PATH", "0")
    know_interpreters(interpreters)
    monkeypatch.chdir(tmp_path)


def know_interpreters(interpreters: Path) -> None:
    (root() / "cache").mkdir(parents=True)
    shutil.copy(interpreters, root() / "cache")


@pytest.fixture(scope="session")
def wheels(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A bear, its fur, and something that passes for ipykernel."""
    folder = tmp_path_factory.mktemp("wheels")
    build_wheel(
        folder, "ipykernel", files={"ipykernel_launcher.py": "", "ipykernel/__init__.py": ""}
    )
    build_wheel(folder, "fur", "2.1")
    build_wheel(folder, "bear", requires=["fur>=2"], console_scripts={"growl": "bear:main"})
    return folder


@pytest.fixture
def index(
    local_index: LocalIndex, wheels: Path, monkeypatch: pytest.MonkeyPatch
) -> Iterator[LocalIndex]:
    for wheel in sorted(wheels.iterdir()):
        local_index.add(wheel)
    monkeypatch.setenv("PIP_INDEX_URL", local_index.url)
    monkeypatch.setenv("UV_HTTP_TIMEOUT", "60")
    monkeypatch.setenv("UV_HTTP_RETRIES", "1")
    yield local_index


@pytest.fixture
def demo(index: LocalIndex) -> Answer:
    answer = kaa("create", "-n", "demo", "bear", "-y")
    assert answer.code == 0, answer.err
    return answer


@pytest.fixture
def kaa_here(capfd: pytest.CaptureFixture[str]) -> Callable[..., Answer]:
    """Run commands in this process, which saves a long test the imports of each of them."""
    from end_to_end.machine import Answer
    from kaa.cli.main import execute

    def run(*arguments: str | Path, code: int = 0) -> Answer:
        capfd.readouterr()
        ended = execute([str(argument) for argument in arguments])
        answer = Answer(ended, *capfd.readouterr())
        assert answer.code == code, (answer.out, answer.err)
        assert "Traceback" not in answer.err
        return answer

    return run
