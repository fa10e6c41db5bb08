"""Activation in the shells themselves: what every one of them has to be able to do."""

from __future__ import annotations

import os
import sys
from typing import TYPE_CHECKING

import pytest

from shells.environments import NASTY, environment, furnish, run_script, snapshots

if TYPE_CHECKING:
    from pathlib import Path

SHELLS = ("bash", "zsh", "sh", "fish", "xonsh", "nushell")
POSIX = ("bash", "zsh", "sh")
pytestmark = pytest.mark.skipif(os.name == "nt", reason="shells of POSIX systems")


def snap(directory: Path, number: int, shell: str) -> str:
    if shell == "nushell":
        # Nushell's own redirection would write text.
        return f"^sh -c 'env -0 > {directory}/{number}'\n"
    return f"sh -c 'env -0 > {directory}/{number}'\n"


def session(shell: str, directory: Path, *commands: str, **environ: str) -> list[dict[str, str]]:
    """Run commands and return the variables before the first one and after each."""
    shots = directory / "shots"
    shots.mkdir()
    script = snap(shots, 0, shell)
    for number, command in enumerate(commands, 1):
        script += f"{command}\n{snap(shots, number, shell)}"
    done = run_script(shell, script, directory, **environ)
    found = snapshots(shots)
    assert len(found) == len(commands) + 1, done.stderr
    return found


@pytest.mark.parametrize("shell", SHELLS)
def test_there_and_back(shell: str, tmp_path: Path) -> None:
    names = [f"NASTY_{number}" for number in range(len(NASTY))]
    a = environment("a", dict(zip(names, NASTY.values(), strict=True)), virtual=True)
    before, inside, after = session(
        shell, tmp_path, "kaa activate a", "kaa deactivate", NASTY_0="mine", NASTY_1=""
    )
    assert after == before
    assert [inside[name] for name in names] == list(NASTY.values())
    assert inside["PATH"] == f"{a}/bin:{before['PATH']}"
    assert inside["CONDA_PREFIX"] == inside["VIRTUAL_ENV"] == str(a)
    assert inside["CONDA_DEFAULT_ENV"] == inside["VIRTUAL_ENV_PROMPT"] == "a"
    assert inside["CONDA_SHLVL"] == "1"
    assert not (tmp_path / "evil").exists()


@pytest.mark.parametrize("shell", SHELLS)
def test_nested_and_stacked(shell: str, tmp_path: Path) -> None:
    a = environment("a", {"X": "of a", "ONLY_A": "1"})
    b = environment("b", {"X": "of b"}, virtual=True)
    c = environment("c", {"ONLY_C": "1"})
    start, in_a, in_b, in_c, again_b, again_a, end = session(
        shell,
        tmp_path,
        "kaa activate a",
        "kaa activate b",
        "kaa activate --stack c",
        "kaa deactivate",
        "kaa deactivate",
        "kaa deactivate",
        X="mine",
    )
    assert (again_b, again_a, end) == (in_b, in_a, start)
    path = start["PATH"]
    assert [each["PATH"] for each in (in_a, in_b, in_c)] == [
        f"{a}/bin:{path}",
        f"{b}/bin:{path}",
        f"{c}/bin:{b}/bin:{path}",
    ]
    assert [each["X"] for each in (in_a, in_b, in_c)] == ["of a", "of b", "of b"]
    assert ["ONLY_A" in each for each in (in_a, in_b, in_c)] == [True, False, False]
    assert in_c["CONDA_PREFIX_1"] == str(a)
    assert in_c["CONDA_PREFIX_2"] == str(b)
    assert in_c["CONDA_STACKED_3"] == "true"
    assert "VIRTUAL_ENV" in in_b and "VIRTUAL_ENV" not in in_c


SCRIPTS = {
    "bash": ("sh", 'export FROM_SCRIPT="$CONDA_PREFIX {n}"', "unset FROM_SCRIPT"),
    "fish": ("fish", 'set -gx FROM_SCRIPT "$CONDA_PREFIX {n}"', "set -e FROM_SCRIPT"),
    "xonsh": ("xsh", '$FROM_SCRIPT = f"{{$CONDA_PREFIX}} {n}"', "del $FROM_SCRIPT"),
}


@pytest.mark.parametrize("shell", SHELLS)
def test_scripts_of_the_shells_kind_run_in_it(shell: str, tmp_path: Path) -> None:
    suffix, entering, leaving = SCRIPTS.get(shell, SCRIPTS["bash"])
    a = environment(
        "a",
        scripts={
            f"activate.d/2.{suffix}": entering.format(n=2),
            f"activate.d/1.{suffix}": entering.format(n=1),
            f"activate.d/3.{suffix}.bak": "exit 7",
            f"deactivate.d/1.{suffix}": leaving,
        },
    )
    environment("b")
    before, inside, other, again, after = session(
        shell, tmp_path, "kaa activate a", "kaa activate b", "kaa deactivate", "kaa deactivate"
    )
    assert inside["FROM_SCRIPT"] == f"{a} 2"
    assert "FROM_SCRIPT" not in other
    assert again == inside
    assert after == before


@pytest.mark.parametrize("shell", SHELLS)
def test_what_is_not_there_changes_nothing(shell: str, tmp_path: Path) -> None:
    environment("forecast")
    failing = {"fish": "; or echo failed $status", "xonsh": " or echo failed", "nushell": ""}
    command = f"kaa activate forcast{failing.get(shell, ' || echo failed $?')}"
    if shell == "nushell":
        command = "try { kaa activate forcast } catch { print failed }"
    script = (
        snap(tmp_path, 0, shell)
        + f"kaa activate forecast\n{snap(tmp_path, 1, shell)}{command}\n{snap(tmp_path, 2, shell)}"
    )
    done = run_script(shell, script, tmp_path)
    _, before, after = snapshots(tmp_path)
    assert before == after
    assert "there is no environment 'forcast'" in done.stderr
    assert "did you mean `forecast`" in done.stderr  # or what else this machine has
    assert "failed" in done.stdout
    if shell in (*POSIX, "fish"):
        assert "failed 1" in done.stdout


@pytest.mark.parametrize("shell", SHELLS)
def test_help_is_no_code(shell: str, tmp_path: Path) -> None:
    before, after = session(shell, tmp_path, "kaa activate --help")
    assert before == after


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_an_alias_is_enough(shell: str, tmp_path: Path) -> None:
    a = environment("a")
    alias = "shopt -s expand_aliases\n" if shell == "bash" else ""
    alias += "alias conda kaa" if shell == "fish" else "alias conda=kaa"
    before, _, inside, after = session(
        shell, tmp_path, alias, "conda activate a", "conda deactivate"
    )
    assert inside["CONDA_PREFIX"] == str(a)
    assert after == before


@pytest.mark.parametrize("shell", POSIX)
def test_entries_that_the_user_adds_to_path_stay(shell: str, tmp_path: Path) -> None:
    a = environment("a")
    environment("b")
    *_, after = session(
        shell,
        tmp_path,
        "kaa activate a",
        'export PATH="/front:$PATH:/back"',
        "kaa activate b",
        "kaa deactivate",
        "kaa deactivate",
    )
    path = os.environ["PATH"]
    assert after["PATH"] == f"/front:{path}:/back"
    assert str(a) not in after["PATH"]


@pytest.mark.parametrize("shell", ["bash", "zsh"])
@pytest.mark.parametrize("name", ["plain", "$(touch evil)", "`touch evil`", "%n%F{red}\\u!"])
def test_the_prompt(shell: str, name: str, tmp_path: Path) -> None:
    prefix = tmp_path / "other" / name
    (prefix / "conda-meta").mkdir(parents=True)
    expand = '"${PS1@P}"' if shell == "bash" else '"${(%)PS1}"'
    options = "" if shell == "bash" else "setopt prompt_subst\n"
    script = (
        f"{options}cd {tmp_path}\nPS1='mine> '\n"
        f"kaa activate '{prefix}'\nprintf '%s|' \"$PS1\" {expand}\n"
        'PS1="$PS1%B"\nkaa deactivate\nprintf \'%s\' "$PS1"\n'
    )
    done = run_script(shell, script, tmp_path)
    text, shown, after = done.stdout.split("|")
    assert after == "mine> %B"
    assert text.endswith("mine> ")
    assert shown.startswith(f"({tmp_path}")
    if name == "plain":
        assert text == f"({prefix}) mine> "
    if name.startswith("%"):
        assert ("%n%F{red}_u_" if shell == "bash" else "%n%F{red}_u_)") in shown
    assert not (tmp_path / "evil").exists()


@pytest.mark.parametrize("shell", ["bash", "zsh"])
def test_a_prompt_that_was_replaced_stays(shell: str, tmp_path: Path) -> None:
    environment("a")
    script = "PS1='one> '\nkaa activate a\nPS1='two> '\nkaa deactivate\nprintf '%s' \"$PS1\"\n"
    assert run_script(shell, script, tmp_path).stdout == "two> "


def test_the_prompt_of_fish_keeps_status_and_comes_back(tmp_path: Path) -> None:
    environment("a")
    script = (
        'function fish_prompt\n    echo "mine $status> "\nend\n'
        "kaa activate a\nfalse\nfish_prompt\nkaa deactivate\nfalse\nfish_prompt\n"
    )
    assert run_script("fish", script, tmp_path).stdout == "(a) mine 1> \nmine 1> \n"


@pytest.mark.parametrize("shell", ["bash", "zsh", "sh"])
def test_strict_shells_do_not_stop(shell: str, tmp_path: Path) -> None:
    environment("a", scripts={"activate.d/a.sh": "export A=1"})
    script = "set -eu\nkaa activate a\nkaa deactivate\nkaa deactivate\necho end\n"
    done = run_script(shell, script, tmp_path)
    assert done.stdout == "end\n", done.stderr


@pytest.mark.parametrize("shell", ["bash", "zsh"])
def test_a_command_that_changes_the_environment_refreshes_it(shell: str, tmp_path: Path) -> None:
    a = environment("a", {"OLD": "1", "MINE": "of a"})
    # A program in the place of kaa, whose `install` writes the environment's variables.
    program = tmp_path / "program"
    program.write_text(
        f'#!/bin/sh\nif [ "$1" = install ]; then printf \'%s\' \'{{"env_vars": '
        f'{{"NEW": "2", "MINE": "of a"}}}}\' > "{a}/conda-meta/state"; exit 0; fi\n'
        f'exec "{sys.executable}" -m kaa "$@"\n'
    )
    program.chmod(0o755)
    script = (
        f'_kaa_program() {{ "{program}" "$@"; }}\n'
        f"{snap(tmp_path, 0, shell)}kaa activate a\nexport MINE=changed\nkaa install x\n"
        f"{snap(tmp_path, 1, shell)}kaa deactivate\n{snap(tmp_path, 2, shell)}"
    )
    done = run_script(shell, script, tmp_path, OLD="before")
    assert done.returncode == 0, done.stderr
    before, inside, after = snapshots(tmp_path)
    assert inside["NEW"] == "2" and inside["OLD"] == "before"
    assert inside["MINE"] == "changed", "what the user has set meanwhile stays"
    assert after == before


@pytest.mark.parametrize("shell", ["bash", "fish"])
def test_activating_it_again_sets_everything_again(shell: str, tmp_path: Path) -> None:
    a = environment("a", {"X": "of a"})
    change = "set -gx X changed" if shell == "fish" else "export X=changed"
    before, first, _, again, after = session(
        shell, tmp_path, "kaa activate a", change, f"kaa activate {a}", "kaa deactivate"
    )
    assert again == first
    assert after == before


def test_environments_of_every_kind(tmp_path: Path) -> None:
    conda = tmp_path / "miniforge" / "envs" / "science"
    (conda / "conda-meta").mkdir(parents=True)
    furnish(conda, {"X": "1"})
    listed = tmp_path / "home" / ".conda" / "environments.txt"
    listed.parent.mkdir()
    listed.write_text(f"{conda}\n")
    venv = tmp_path / "project" / ".venv"
    (venv / "bin").mkdir(parents=True)
    (venv / "pyvenv.cfg").write_text("home = /usr/bin\n")
    before, by_name, by_path, relative, *_, after = session(
        "bash",
        tmp_path,
        "kaa activate science",
        f"kaa activate {venv}",
        f"cd {tmp_path}; kaa deactivate; kaa deactivate; kaa activate project/.venv/",
        "kaa deactivate",
    )
    assert by_name["CONDA_PREFIX"] == str(conda)
    assert by_name["CONDA_DEFAULT_ENV"] == "science"
    assert by_path["VIRTUAL_ENV"] == relative["VIRTUAL_ENV"] == str(venv)
    assert "X" not in by_path
    assert after == before


def test_completion_of_names(tmp_path: Path) -> None:
    environment("forecast")
    environment("forest")
    script = 'COMP_WORDS=(kaa activate fore); COMP_CWORD=2\n_kaa_complete\necho "${COMPREPLY[*]}"\n'
    assert run_script("bash", script, tmp_path).stdout == "forecast forest\n"
    done = run_script("fish", 'complete -C "kaa activate fore"\n', tmp_path)
    assert [line.split("\t")[0] for line in done.stdout.splitlines()] == ["forecast", "forest"]
