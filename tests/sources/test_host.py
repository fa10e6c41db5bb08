"""The search for interpreters among things that are none."""

from __future__ import annotations

import json
import os
import shutil
import sys
from pathlib import Path

import pytest

from kaa.sources import host
from kaa.sources.host import find_host_pythons
from kaa.store.layout import Layout

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="links and pipes of POSIX")
HERE = ".".join(map(str, sys.version_info[:3]))


@pytest.fixture
def bin_directory(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A directory that is first on PATH."""
    directory = tmp_path / "bin"
    directory.mkdir()
    monkeypatch.setenv("PATH", f"{directory}{os.pathsep}/usr/bin{os.pathsep}/bin")
    return directory


@pytest.fixture
def layout(tmp_path: Path) -> Layout:
    return Layout(tmp_path / "root")


def versions(layout: Layout) -> list[str]:
    return [python.version for python in find_host_pythons(layout)]


def test_the_python_that_runs_is_found_and_the_newest_comes_first(layout: Layout) -> None:
    found = versions(layout)
    assert HERE in found
    assert found == sorted(found, key=lambda text: [int(n) for n in text.split(".")], reverse=True)
    assert len(set(found)) == len(found)


def test_what_is_no_interpreter_is_passed_over(layout: Layout, bin_directory: Path) -> None:
    expected = versions(layout)
    (bin_directory / "python3.8").mkdir()
    (bin_directory / "python3.9").symlink_to(bin_directory / "nowhere")
    (bin_directory / "python3.10").symlink_to(bin_directory / "python3.10")
    script = bin_directory / "python3.11"
    script.write_text("#!/bin/sh\necho '{}'; touch \"$0.ran\"\n")
    script.chmod(0o755)
    os.mkfifo(bin_directory / "python3.12", 0o755)
    shutil.copy(shutil.which("echo") or "/bin/echo", bin_directory / "python3.13")
    shutil.copy(shutil.which("false") or "/bin/false", bin_directory / "python3")
    (bin_directory / "python").write_bytes(b"\x7fELF rubbish")
    (bin_directory / "python").chmod(0o755)
    assert versions(layout) == expected
    assert not (bin_directory / "python3.11.ran").exists(), "scripts are not run"


def test_an_interpreter_that_does_not_answer_is_passed_over_this_time(
    layout: Layout, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    real = Path(getattr(sys, "_base_executable", None) or sys.executable).resolve()
    prefix = tmp_path / "hanging"
    library = prefix / "lib" / f"python{sys.version_info[0]}.{sys.version_info[1]}"
    (library / "encodings").mkdir(parents=True)
    (library / "lib-dynload").mkdir()
    (library / "os.py").write_text("")
    (library / "encodings/__init__.py").write_text("import time\ntime.sleep(60)\n")
    (prefix / "bin").mkdir()
    shutil.copy(real, prefix / "bin/python3")
    monkeypatch.setattr(host, "_TIMEOUT", 0.5)
    answer = host._ask(str(prefix / "bin/python3"))
    assert host._usable(answer) is None
    assert host._mark({"mark": [1, 2, 3], "answer": answer}) is None  # so it is asked again


def test_an_interpreter_that_is_interrupted_is_asked_again(
    layout: Layout, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    real = str(Path(getattr(sys, "_base_executable", None) or sys.executable).resolve())
    monkeypatch.setattr(host, "_QUESTION", "import os, signal; os.kill(os.getpid(), signal.SIGINT)")
    assert host._mark({"mark": [1], "answer": host._ask(real)}) is None


@pytest.mark.parametrize(
    "text",
    [
        "",
        "not json",
        "[]",
        "3",
        '{"PATH": 3}',
        '{"PATH": {}}',
        '{"PATH": {"mark": "MARK"}}',
        '{"PATH": {"mark": "MARK", "answer": {}}}',
        '{"PATH": {"mark": "MARK", "answer": [1]}}',
    ],
)
def test_a_damaged_memory_is_no_memory(layout: Layout, bin_directory: Path, text: str) -> None:
    expected = find_host_pythons(layout)
    memory = layout.metadata / "interpreters.json"
    remembered = json.loads(memory.read_text())
    path, entry = next(iter(remembered.items()))
    damaged = text.replace('"MARK"', json.dumps(entry["mark"])).replace("PATH", path)
    memory.write_text(damaged)
    assert find_host_pythons(layout) == expected
    assert json.loads(memory.read_text()) == remembered


def test_an_interpreter_is_asked_again_only_when_its_file_changed(
    layout: Layout, bin_directory: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    expected = versions(layout)
    asked: list[str] = []
    ask = host._ask

    def counted(path: str) -> object:
        asked.append(path)
        return ask(path)

    monkeypatch.setattr(host, "_ask", counted)
    assert versions(layout) == expected
    assert asked == []
    memory = layout.metadata / "interpreters.json"
    remembered = json.loads(memory.read_text())
    path = next(iter(remembered))
    remembered[path]["mark"][0] += 1  # as if it had been another file
    remembered[path]["answer"] = None
    memory.write_text(json.dumps(remembered))
    assert versions(layout) == expected
    assert asked == [path]


def test_what_another_version_of_kaa_has_remembered_is_asked_again(
    layout: Layout, bin_directory: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with monkeypatch.context() as earlier:
        question = host._QUESTION.replace("sys.implementation.name", "'CPython'")
        assert question != host._QUESTION
        earlier.setattr(host, "_QUESTION", question)
        assert versions(layout) == []  # today's kaa cannot read such answers
    assert versions(layout)
