"""What shells are told, where the shell itself is not at hand, and what they never are."""

from __future__ import annotations

from pathlib import Path

import pytest

from kaa.shells.dialects import DIALECTS, powershell_word
from kaa.shells.hooking import HOOKS, hook_text
from kaa.shells.switching import Change, Target, activate
from shells.environments import NASTY, environment


def test_powershell() -> None:
    change = Change(
        "/a:/b", None, {"A": "it's \u2019 $x\nline", "B": None, "C": ""}, ("", "(a) "), None
    )
    assert DIALECTS["powershell"].render(change).splitlines() == [
        "$Env:PATH = '/a:/b'",
        "$Env:A = 'it''s \u2019\u2019 $x",
        "line'",
        "Remove-Item -ErrorAction SilentlyContinue -LiteralPath Env:B",
        "$Env:C = ''",
    ]


@pytest.mark.parametrize("value", NASTY.values(), ids=list(NASTY))
def test_powershells_verbatim_strings(value: str) -> None:
    word = powershell_word(value)
    quotes = "'\u2018\u2019\u201a\u201b"
    assert word[0] == word[-1] == "'"
    read, rest = "", word[1:-1]
    while rest:
        if rest[0] in quotes:
            assert rest[1] in quotes, "every quote is doubled"
            rest = rest[1:]
        read, rest = read + rest[0], rest[1:]
    assert read == value


def test_cmd() -> None:
    change = Change(r"C:\a;C:\b", None, {"A": '50% "x" & y', "B": None}, ("", "(a) "), None)
    assert DIALECTS["cmd"].render(change).split("\r\n") == [
        r'@SET "PATH=C:\a;C:\b"',
        '@SET "A=50%% "x" & y"',
        '@SET "B="',
        '@IF NOT DEFINED PROMPT SET "PROMPT=$P$G"',
        '@CALL SET "PROMPT=(a) %%PROMPT%%"',
        "",
    ]
    back = DIALECTS["cmd"].render(Change(None, None, {}, ("(a) ", ""), None))
    assert back == '@CALL SET "PROMPT=%%PROMPT:(a) =%%"\r\n'


@pytest.mark.parametrize("shell", ["powershell", "cmd"])
def test_scripts_of_the_shells_kind(shell: str) -> None:
    kind = {"powershell": "ps1", "cmd": "bat"}[shell]
    scripts = {f"activate.d/{name}.{end}": "" for name in "ba" for end in ("sh", kind)}
    scripts |= {f"deactivate.d/{name}.{kind}": "" for name in "ab"}
    a = environment("a", scripts=scripts)
    entering = DIALECTS[shell].render(Change(None, None, {}, entered=str(a)))
    leaving = DIALECTS[shell].render(Change(None, str(a), {}))
    folder = a / "etc" / "conda"
    names = [line for line in entering.splitlines() if "activate.d" in line]
    assert [f"{folder}/activate.d/{n}.{kind}" in line for n, line in zip("ab", names, strict=True)]
    assert leaving.index(f"b.{kind}") < leaving.index(f"a.{kind}")


@pytest.mark.parametrize("shell", HOOKS)
def test_every_hook_names_the_program_and_runs_nothing(shell: str) -> None:
    text = hook_text(shell, ["/it's here/kaa", "-x"])
    assert "here/kaa" in text and "@" + "PROGRAM@" not in text and "@" + "WORDS@" not in text
    assert "@" + "SHELL@" not in text
    assert f"--shell {shell}" in text or shell == "xonsh"


def test_names_that_are_no_identifiers_are_left_out() -> None:
    a = environment(
        "a", {"A-B": "1", "X; touch evil": "1", "A=B": "1", "\u00e9": "1", "PATH": "/x"}
    )
    change = activate({"PATH": "/bin"}, Target(str(a), str(a), "a"))
    assert all(name.isidentifier() and name.isascii() for name in change.variables)
    assert change.search_path == f"{a}/bin:/bin"


def test_managed_variables_are_nobodys_own() -> None:
    a = environment("a", {"CONDA_PREFIX": "/evil", "CONDA_SHLVL": "9", "OK": "1", "NUL": "a\0b"})
    change = activate({"PATH": "/bin"}, Target(str(a), str(a), "a"))
    assert change.variables["CONDA_PREFIX"] == str(a)
    assert change.variables["CONDA_SHLVL"] == "1"
    assert change.variables["OK"] == "1" and "NUL" not in change.variables


def test_windows_directories_take_each_others_place() -> None:
    first, second = Path(r"C:\envs\a"), r"C:\envs\b"
    environ = {"PATH": r"C:\Windows"}
    change = activate(environ, Target(str(first), str(first), "a"), windows=True)
    inside = {**environ, **{k: v for k, v in change.variables.items() if v is not None}}
    inside["PATH"] = r"C:\front;" + str(change.search_path)
    path = activate(inside, Target(second, second, "b"), windows=True).search_path
    assert path is not None
    entries = path.split(";")
    assert entries[0] == r"C:\front" and entries[1] == second and entries[-1] == r"C:\Windows"
    assert len(entries) == 8 and not any("envs\\a" in entry for entry in entries)
