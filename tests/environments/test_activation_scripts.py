"""What activation scripts set is what a shell that runs them has."""

from __future__ import annotations

import json
import os
import shlex
import stat
import subprocess
from typing import TYPE_CHECKING

import pytest

from kaa.environments.activation import activated

if TYPE_CHECKING:
    from pathlib import Path

PLAIN = {"PATH": os.environ["PATH"], "HOME": "/home/bear"}


@pytest.fixture
def prefix(tmp_path: Path) -> Path:
    (tmp_path / "demo" / "etc" / "conda" / "activate.d").mkdir(parents=True)
    return tmp_path / "demo"


def script(prefix: Path, name: str, text: str) -> None:
    (prefix / "etc" / "conda" / "activate.d" / name).write_text(text)


def variables(prefix: Path, environ: dict[str, str], cache: Path | None = None) -> dict[str, str]:
    return activated(prefix, prefix, environ, cache=str(cache) if cache else None)


def test_what_scripts_set_and_unset(prefix: Path) -> None:
    script(prefix, "a.sh", 'echo talks\nexport DATA="$CONDA_PREFIX/share/a b"\nunset GONE\n')
    script(prefix, "b.sh", 'export LINES_OF="one\ntwo=2"; export SEEN="$DATA"\n')
    script(prefix, "c.fish", "set -x WRONG 1\n")
    script(prefix, "d.sh", 'export PATH="/added:$PATH"; export ACCENT=blå; HIDDEN=1\n')
    found = variables(prefix, {**PLAIN, "GONE": "1"})
    assert found["DATA"] == found["SEEN"] == f"{prefix}/share/a b"
    assert found["LINES_OF"] == "one\ntwo=2"
    assert found["PATH"].split(":")[:2] == ["/added", f"{prefix}/bin"]
    assert found["ACCENT"] == "blå"
    assert not {"GONE", "HIDDEN", "WRONG", "SHLVL", "_"} & found.keys()


def test_the_same_as_a_shell_has(prefix: Path) -> None:
    script(
        prefix, "a.sh", 'for n in 1 2; do export "N$n=$((n * 2))"; done\n[ -n "$HOME" ] && H=1\n'
    )
    found = variables(prefix, PLAIN)
    before = " ".join(f"{name}={shlex.quote(value)}" for name, value in found.items())
    file = prefix / "etc" / "conda" / "activate.d" / "a.sh"
    shell = subprocess.run(
        ["bash", "--noprofile", "--norc", "-c", f"export {before}; . {file}; echo $N1 $N2"],
        capture_output=True,
        text=True,
        check=True,
        env=PLAIN,
    )
    assert shell.stdout.split() == [found["N1"], found["N2"]] == ["2", "4"]


def test_it_is_remembered_until_something_changes(prefix: Path, tmp_path: Path) -> None:
    ran = tmp_path / "ran"
    script(prefix, "a.sh", f"echo x >> {ran}; export A=${{B:-none}}\n")
    for _ in range(3):
        assert (
            variables(prefix, {**PLAIN, "JPY_PARENT_PID": "1"}, tmp_path / "cache")["A"] == "none"
        )
    assert ran.read_text() == "x\n"
    assert variables(prefix, {**PLAIN, "B": "b"}, tmp_path / "cache")["A"] == "b"
    assert ran.read_text() == "x\nx\n"
    script(prefix, "a.sh", f"echo y >> {ran}; export A=changed\n")
    assert variables(prefix, {**PLAIN, "B": "b"}, tmp_path / "cache")["A"] == "changed"
    assert ran.read_text() == "x\nx\ny\n"


def test_what_is_remembered_is_nobody_elses(prefix: Path, tmp_path: Path) -> None:
    script(prefix, "a.sh", "export A=1\n")
    variables(prefix, {**PLAIN, "TOKEN": "s3cret"}, tmp_path / "cache")
    (file,) = (tmp_path / "cache").iterdir()
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    assert json.loads(file.read_text())["changes"] == {"A": "1"}
    assert "s3cret" not in file.read_text()


@pytest.mark.parametrize("content", ["", "{", "[]", '{"key": 1}'])
def test_a_damaged_memory_is_made_anew(prefix: Path, tmp_path: Path, content: str) -> None:
    script(prefix, "a.sh", "export A=1\n")
    variables(prefix, PLAIN, tmp_path / "cache")
    (file,) = (tmp_path / "cache").iterdir()
    file.write_text(content)
    assert variables(prefix, PLAIN, tmp_path / "cache")["A"] == "1"


def test_a_script_that_fails_keeps_nobody_from_the_environment(
    prefix: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    script(prefix, "a.sh", "exit 3\n")
    assert variables(prefix, PLAIN)["CONDA_PREFIX"] == str(prefix)
    assert "activation scripts" in capfd.readouterr().err


def test_a_cache_that_cannot_be_written(prefix: Path, tmp_path: Path) -> None:
    script(prefix, "a.sh", "export A=1\n")
    (tmp_path / "file").write_text("")
    assert variables(prefix, PLAIN, tmp_path / "file")["A"] == "1"
