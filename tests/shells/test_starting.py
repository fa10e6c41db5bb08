"""``kaa shell`` in real shells, which read their own start files first."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from typing import TYPE_CHECKING

import pytest

from shells.environments import environment, shell_program, snapshots

if TYPE_CHECKING:
    from pathlib import Path

pytestmark = pytest.mark.skipif(os.name == "nt", reason="shells of POSIX systems")
START_FILES = {
    "bash": (".bashrc", "PATH=/own:$PATH\n"),
    "zsh": (".zshrc", "PATH=/own:$PATH\n"),
    "fish": (".config/fish/config.fish", "set -gx PATH /own $PATH\n"),
    "xonsh": (".xonshrc", "$PATH.insert(0, '/own')\n"),
}
IN_A_TERMINAL = "import pty, sys; pty.spawn(sys.argv[1:])"
SHOW = "sh -c 'echo \"<$CONDA_PREFIX|$PATH|$CONDA_SHLVL|${ZDOTDIR-none}>\"'\n"


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish", "xonsh"])
def test_a_shell_in_an_environment(shell: str, tmp_path: Path) -> None:
    program = shell_program(shell)
    a = environment("a")
    name, text = START_FILES[shell]
    file = tmp_path / "home" / name
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(text)
    done = subprocess.run(
        [sys.executable, "-m", "kaa", "shell", "-n", "a", "--shell", shell],
        input=f"{SHOW}exit 7\n",
        env={**os.environ, "SHELL": program},
        capture_output=True,
        text=True,
        timeout=600,
        check=False,
    )
    assert f"<{a}|{a}/bin:/own:" in done.stdout, done.stderr
    assert "|1|none>" in done.stdout
    assert done.returncode == 7


def test_nushell_which_wants_a_terminal(tmp_path: Path) -> None:
    program = shell_program("nushell")
    a = environment("a", {"X": "of a"})
    file = tmp_path / "home" / ".config" / "nushell" / "config.nu"
    file.parent.mkdir(parents=True)
    # What it does in place of its first prompt.
    file.write_text(
        "$env.PATH = ($env.PATH | prepend /own)\n"
        "$env.PROMPT_COMMAND = {|| 'mine'}\n"
        "$env.config.hooks.pre_prompt = [{||\n"
        f"    do $env.PROMPT_COMMAND | save {tmp_path}/prompt\n"
        f"    ^sh -c 'env -0 > {tmp_path}/1; kill -9 $PPID'\n"
        "}]\n"
    )
    command = [sys.executable, "-m", "kaa", "shell", "-n", "a", "--shell", "nushell"]
    done = subprocess.run(
        [sys.executable, "-c", IN_A_TERMINAL, *command],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        env={**os.environ, "SHELL": program},
        timeout=300,
        check=True,
    )
    (inside,) = snapshots(tmp_path) or pytest.fail(repr(done.stdout))
    assert inside["PATH"].startswith(f"{a}/bin:/own:")
    assert inside["CONDA_PREFIX"] == str(a) and inside["X"] == "of a"
    assert (tmp_path / "prompt").read_text() == "(a) mine"


def test_zshs_own_directory(tmp_path: Path) -> None:
    program = shell_program("zsh")
    a = environment("a")
    own = tmp_path / "own"
    own.mkdir()
    (own / ".zshenv").write_text("export FROM_ENV=1\n")
    (own / ".zshrc").write_text("export FROM_RC=$FROM_ENV\n")
    done = subprocess.run(
        [sys.executable, "-m", "kaa", "shell", "a", "--shell", "zsh"],
        input=f"{SHOW}echo rc $FROM_RC\n",
        env={**os.environ, "SHELL": program, "ZDOTDIR": str(own)},
        capture_output=True,
        text=True,
        timeout=600,
        check=False,
    )
    assert f"<{a}|" in done.stdout and f"|{own}>" in done.stdout
    assert "rc 1" in done.stdout


def test_what_is_not_there(tmp_path: Path) -> None:
    environment("a")
    for arguments, code in ((["nope"], 3), ([], 2), (["a", "--shell", "klingon"], 2)):
        done = subprocess.run(
            [sys.executable, "-m", "kaa", "shell", *arguments], capture_output=True, check=False
        )
        assert done.returncode == code
    if shutil.which("pwsh") is None:
        done = subprocess.run(
            [sys.executable, "-m", "kaa", "shell", "a", "--shell", "pwsh"],
            capture_output=True,
            check=False,
        )
        assert done.returncode == 127
