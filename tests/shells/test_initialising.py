"""Start files: what is put in, that it works in the real shells, and that it comes out again."""

from __future__ import annotations

import json
import os
import subprocess
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from kaa.cli.main import execute
from kaa.model.errors import NotWritableError
from kaa.shells.autorun import with_hook, without_hook
from kaa.shells.blocks import with_block, without_block
from kaa.shells.initialising import Edit, apply, plan_deinit, plan_init
from kaa.shells.start_files import Home, block_lines, start_files
from kaa.store.layout import Layout
from shells.environments import environment, shell_program

if TYPE_CHECKING:
    from collections.abc import Mapping

pytestmark = pytest.mark.skipif(os.name == "nt", reason="start files of POSIX systems")
SHELLS = ("bash", "zsh", "fish", "powershell", "xonsh", "nushell")
CONTENTS = {
    "nothing": b"",
    "finished": b"alias ll='ls -l'\n",
    "unfinished": b"alias ll='ls -l'",
    "windows": b"one\r\ntwo\r\n",
    "no text": b"# \xff\xfe\x00\n",
    "utf-16": "\ufeffone\r\ntwo".encode("utf-16-le"),
    "conda's": b"# >>> conda initialize >>>\n:\n# <<< conda initialize <<<\n",
}
PATH = Path("file")


def home(tmp_path: Path, platform: str = "linux", **environ: str) -> Home:
    return Home(tmp_path / "home", environ, platform)


@pytest.mark.parametrize("content", [*CONTENTS.values(), None], ids=[*CONTENTS, "no file"])
def test_a_block_comes_out_without_a_trace(content: bytes | None) -> None:
    made = with_block(content, ["first"], PATH)
    assert made != content
    assert made.startswith(content or b"")
    again = with_block(made, ["second"], PATH)
    assert with_block(again, ["second"], PATH) == again
    assert without_block(again, PATH) == content


def test_what_was_written_around_a_block_stays() -> None:
    made = with_block(b"before", ["x"], PATH)
    assert without_block(made + b"after\n", PATH) == b"before\nafter\n"
    new = with_block(None, ["x"], PATH)
    assert without_block(b"before\n" + new, PATH) == b"before\n"
    assert without_block(made + new, PATH) == b"before\n"


@pytest.mark.parametrize("shell", SHELLS)
def test_there_and_back(shell: str, tmp_path: Path) -> None:
    layout, place = Layout(tmp_path / "kaa"), home(tmp_path)
    (file,) = start_files(shell, place)
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_bytes(b"# mine")
    file.chmod(0o640)
    edits = plan_init(layout, [shell], place, None)
    apply(edits, None)
    assert file.stat().st_mode & 0o777 == 0o640
    assert {edit.action for edit in plan_init(layout, [shell], place, None)} == {"none"}
    apply(plan_deinit(layout, [shell], place, None), None)
    assert file.read_bytes() == b"# mine"
    assert not (layout.root / "shell").exists()
    assert plan_deinit(layout, [shell], place, None) == []


def test_a_link_stays_a_link(tmp_path: Path) -> None:
    place = home(tmp_path)
    kept = tmp_path / "dotfiles" / "bashrc"
    kept.parent.mkdir()
    kept.write_text("# mine\n")
    (place.directory / ".bashrc").symlink_to(kept)
    apply(plan_init(Layout(tmp_path / "kaa"), ["bash"], place, None), None)
    assert (place.directory / ".bashrc").is_symlink()
    assert "kaa.bash" in kept.read_text()


def test_a_file_that_is_read_only_stops_all(tmp_path: Path) -> None:
    layout, place = Layout(tmp_path / "kaa"), home(tmp_path)
    zshrc = place.directory / ".zshrc"
    zshrc.write_text("# mine\n")
    zshrc.chmod(0o444)
    with pytest.raises(NotWritableError) as caught:
        apply(plan_init(layout, ["bash", "zsh"], place, None), None)
    assert str(zshrc) in caught.value.message
    assert "kaa.zsh" in (caught.value.hint or "")
    assert sorted(file.name for file in place.directory.iterdir()) == [".zshrc"]
    assert not layout.root.exists()


def test_what_fails_in_the_middle_is_taken_back(tmp_path: Path) -> None:
    class Broken:
        def read(self) -> str | None:
            return None

        def write(self, value: str | None) -> None:
            raise OSError(5, "broken")

    first = tmp_path / "first"
    first.write_bytes(b"old")
    edits = [Edit("bash", first, b"old", b"new"), Edit("cmd", None, None, b"x")]
    with pytest.raises(OSError, match="broken"):
        apply(edits, Broken())
    assert first.read_bytes() == b"old"


@pytest.mark.parametrize("there", [[], [".profile"], [".bash_profile", ".profile"]])
def test_login_shells_of_macos(there: list[str], tmp_path: Path) -> None:
    place = home(tmp_path, "darwin")
    for name in there:
        (place.directory / name).touch()
    names = [file.name for file in start_files("bash", place)]
    assert names == [".bashrc", there[0] if there else ".bash_profile"]


@pytest.mark.parametrize(
    ("shell", "environ", "expected"),
    [
        ("zsh", {"ZDOTDIR": "/z"}, "/z/.zshrc"),
        ("fish", {"XDG_CONFIG_HOME": "/c"}, "/c/fish/conf.d/kaa.fish"),
        ("powershell", {}, "home/.config/powershell/profile.ps1"),
        ("nushell", {}, "home/.config/nushell/config.nu"),
        ("xonsh", {}, "home/.xonshrc"),
    ],
)
def test_where_start_files_are(
    shell: str, environ: Mapping[str, str], expected: str, tmp_path: Path
) -> None:
    assert start_files(shell, home(tmp_path, **environ)) == [tmp_path / expected]


def test_a_block_without_an_end(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    bashrc = tmp_path / "home" / ".bashrc"
    bashrc.write_text("one\n# >>> kaa initialize >>>\nrest\n")
    assert execute(["init", "bash", "-y"]) == 3
    assert "line 2" in capsys.readouterr().err
    assert bashrc.read_text() == "one\n# >>> kaa initialize >>>\nrest\n"


def test_cmds_value_in_the_registry() -> None:
    hook = Path(r"C:\k\kaa.bat")
    for value in (None, "", "doskey ls=dir", "a & b"):
        made = with_hook(value, hook)
        assert with_hook(made, hook) == made
        assert without_hook(made, hook) == (value or None)
    made = with_hook("first", hook)
    assert without_hook(f"{made} & last", hook) == "first & last"


def test_the_command(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    bashrc = tmp_path / "home" / ".bashrc"
    bashrc.write_text("# mine\n")
    assert execute(["init", "bash", "fish", "--dry-run"]) == 0
    said = capsys.readouterr().out
    assert "+# >>> kaa initialize >>>" in said and "Dry run" in said
    assert bashrc.read_text() == "# mine\n"
    assert execute(["init", "bash"]) == 2, "there is no terminal to ask on"
    capsys.readouterr()
    assert execute(["init", "bash", "fish", "--json", "-y", "--user"]) == 0
    answer = json.loads(capsys.readouterr().out)
    assert [each["action"] for each in answer["changes"]] == [
        "create",
        "create",
        "change",
        "create",
    ]
    assert execute(["init", "bash"]) == 0
    assert "nothing to change" in capsys.readouterr().out
    assert execute(["init", "--reverse", "-y"]) == 0
    assert bashrc.read_text() == "# mine\n"
    assert not (tmp_path / "home" / ".config" / "fish" / "conf.d" / "kaa.fish").exists()
    capsys.readouterr()
    assert execute(["deinit"]) == 0
    assert "in no start file" in capsys.readouterr().out
    assert execute(["init", "ksh93"]) == 2


INTERACTIVE = {
    "bash": (["-i", "-c"], 'kaa activate a; echo "<$CONDA_PREFIX>"'),
    "zsh": (["-i", "-c"], 'kaa activate a; echo "<$CONDA_PREFIX>"'),
    "fish": (["-i", "-c"], 'kaa activate a; echo "<$CONDA_PREFIX>"'),
    "xonsh": (["-i", "-c"], "kaa activate a\nprint(f'<{$CONDA_PREFIX}>')"),
    "nushell": (["-i", "-c"], 'kaa activate a; print $"<($env.CONDA_PREFIX)>"'),
}


@pytest.mark.parametrize("shell", INTERACTIVE)
def test_a_new_shell_has_the_hook(shell: str, tmp_path: Path) -> None:
    a = environment("a")
    program = shell_program(shell)
    assert execute(["init", shell, "-y", "-q"]) == 0
    options, command = INTERACTIVE[shell]
    if shell == "nushell":
        (config,) = start_files(shell, Home(tmp_path / "home", os.environ))
        options = ["--config", str(config), "-c"]
    done = subprocess.run(
        [program, *options, command],
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=600,
        check=False,
    )
    assert f"<{a}>" in done.stdout, done.stderr
    # The hook may go without a word from shells that still look for it.
    for file in (tmp_path / "kaa" / "shell").iterdir():
        file.unlink()
    done = subprocess.run(
        [program, *options, "echo still-here"],
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=600,
        check=False,
    )
    assert "still-here" in done.stdout
    assert "kaa" not in done.stderr


def test_quotes_in_the_path_of_the_hook() -> None:
    hook = Path("/it's/$HOME/kaa")
    for shell in SHELLS:
        assert "$HOME" in "".join(block_lines(shell, hook))
    assert "'/it'\\''s/$HOME/kaa'" in "".join(block_lines("bash", hook))
    assert "'/it\\'s/$HOME/kaa'" in "".join(block_lines("fish", hook))
    assert "'/it''s/$HOME/kaa'" in "".join(block_lines("powershell", hook))
