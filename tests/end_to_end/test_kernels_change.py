"""``kaa kernels change`` and what follows from it on the disk and in listings."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from end_to_end.machine import home, kaa, kernels
from environment_layouts import conda_environment, kernelspec, virtual_environment

if TYPE_CHECKING:
    from end_to_end.machine import Answer

pytestmark = pytest.mark.skipif(os.name == "nt", reason="environments are made as on POSIX")
PNG = b"\x89PNG\r\n\x1a\n" + bytes(32)


def settings() -> Path:
    return home() / ".config" / "kaa" / "config.toml"


def spec(name: str) -> dict[str, Any]:
    file = Path(os.environ["JUPYTER_DATA_DIR"]) / "kernels" / name / "kernel.json"
    content = json.loads(file.read_text())
    assert isinstance(content, dict)
    return content


def listed(*options: str) -> list[str]:
    """Return the labels that are listed, of the test's own environments."""
    lines = kaa("kernels", "list", *options).out.splitlines()[1:]
    return [line.split("  ")[0] for line in lines if str(home().parent) in line]


def change(*arguments: str | Path) -> Answer:
    answer = kaa("kernels", "change", *arguments)
    assert answer.code == 0, answer.err
    return answer


def test_an_environment_of_kaas_own(demo: Answer, tmp_path: Path) -> None:
    usual = spec("demo")["display_name"]
    told = change("demo", "--alias", "The demo", "--pin")
    assert "demo: shown as 'The demo'" in told.out and str(settings()) in told.out
    assert spec("demo")["display_name"] == "The demo"
    assert spec("demo")["metadata"]["kaa"]["pinned"] is True
    picture = tmp_path / "bear.png"
    picture.write_bytes(PNG)
    change("demo", "--icon", picture)
    folder = Path(os.environ["JUPYTER_DATA_DIR"]) / "kernels" / "demo"
    assert (folder / "logo-64x64.png").read_bytes() == PNG
    change("demo", "--hide")
    assert kernels() == [] and listed() == [] and listed("--all") == ["demo"]
    assert "1 more is hidden" in kaa("kernels", "list").err
    change("demo", "--show", "--no-alias", "--no-icon", "--unpin")
    assert spec("demo")["display_name"] == usual
    assert not (folder / "logo-64x64.png").exists()
    shown = kaa("kernels", "change", "demo").out
    assert [line.split()[:2] for line in shown.splitlines()][2:6] == [
        ["alias", "-"],
        ["pinned", "no"],
        ["hidden", "no"],
        ["icon", "-"],
    ]


def test_settings_follow_a_rename_and_not_a_clone(demo: Answer) -> None:
    change("demo", "--alias", "The demo")
    assert kaa("clone", "demo", "copy", "-y").code == 0
    assert "(copy)" in spec("copy")["display_name"]
    assert kaa("rename", "demo", "zoo", "-y").code == 0
    assert kernels() == ["copy", "zoo"]
    assert spec("zoo")["display_name"] == "The demo"


def test_an_environment_of_another_program_by_name_label_and_path(tmp_path: Path) -> None:
    prefix = virtual_environment(home() / ".virtualenvs" / "shop")
    change("shop", "--alias", "The shop")
    assert "~/.virtualenvs/shop" in settings().read_text()
    change(prefix, "--pin")
    os.chdir(prefix.parent)
    change("./shop", "--hide")
    found = kaa("kernels", "list", "--json").json["kernels"]
    (shop,) = [each for each in found if each["environment"]["name"] == "shop"]
    assert (shop["display_name"], shop["pinned"], shop["left_out"]) == ("The shop", True, "hidden")
    assert kernels() == [], "nothing of another program's is written before it is asked for"


def test_a_name_that_several_have_is_refused_with_those_that_are_meant() -> None:
    conda_environment(home() / "miniconda3" / "envs" / "work")
    conda_environment(home() / "miniforge3" / "envs" / "work")
    answer = kaa("kernels", "change", "work", "--pin")
    assert answer.code == 2
    assert "work (miniconda3)" in answer.err and "work (miniforge3)" in answer.err
    assert not settings().exists()
    change("work (miniforge3)", "--pin")
    assert listed()[0] == "work (miniforge3)"
    assert "pinned" in kaa("kernels", "list").out.splitlines()[1]


@pytest.mark.parametrize(
    ("arguments", "code", "said"),
    [
        (("hsop", "--pin"), 3, "did you mean 'shop'?"),
        (("shop", "--alias", "x", "--no-alias"), 2, "contradict each other"),
        (("shop", "--alias", " "), 2, "--no-alias"),
        (("shop", "--icon", "nowhere.png"), 2, "is no picture"),
    ],
)
def test_what_makes_no_sense(arguments: tuple[str, ...], code: int, said: str) -> None:
    virtual_environment(home() / ".virtualenvs" / "shop")
    answer = kaa("kernels", "change", *arguments)
    assert (answer.code, said in answer.err) == (code, True), answer.err
    assert not settings().exists()


def test_a_dry_run_changes_nothing_and_what_stays_hidden_is_said() -> None:
    virtual_environment(home() / ".virtualenvs" / "shop")
    answer = kaa("kernels", "change", "shop", "--hide", "--dry-run")
    assert answer.code == 0 and "nothing was changed" in answer.out
    assert not settings().exists()
    settings().parent.mkdir(parents=True)
    settings().write_text('[kernels]\nenv-filter = "shop"\n')
    answer = kaa("kernels", "change", "shop", "--show", "--json")
    assert answer.json["left_out"] == "env-filter"
    assert "it is still hidden" in answer.json["notes"][0]


def test_settings_written_by_hand_count_everywhere(demo: Answer) -> None:
    prefix = conda_environment(home() / "miniforge3" / "envs" / "stat")
    kernelspec(prefix, "ir")
    settings().parent.mkdir(parents=True)
    settings().write_text('[kernels]\nname-format = "{environment}: {language}"\n')
    shown = {each["display_name"] for each in kaa("kernels", "list", "--json").json["kernels"]}
    assert {"demo: Python", "stat: Python", "stat: R"} <= shown
    assert spec("demo")["display_name"] == "demo: Python", "a look brings the disk up to date"
    assert kaa("kernels", "sync").code == 0
    assert spec("conda-env-stat-r")["display_name"] == "stat: R"
    assert kaa("create", "-n", "next", "bear", "-y").code == 0
    assert spec("next")["display_name"] == "next: Python"
    settings().write_text("[kernels]\nname-format = 3\n")
    answer = kaa("kernels", "list")
    assert answer.code == 2 and "kernels.name-format" in answer.err


def test_names_are_completed(demo: Answer) -> None:
    virtual_environment(home() / ".virtualenvs" / "dew")
    environ = {**os.environ, "COMP_WORDS": "kaa kernels change de", "COMP_CWORD": "3"}
    answer = kaa(env={**environ, "_KAA_COMPLETE": "bash_complete"})
    assert [line.rpartition(",")[2] for line in answer.out.split()] == ["demo", "dew"]


def test_a_terminal_is_not_wide(demo: Answer) -> None:
    import pty

    prefix = virtual_environment(home() / ("a" * 90) / ".venvs" / "ill")
    virtual_environment(home() / ".venvs" / "old", "3.6.15")
    settings().parent.mkdir(parents=True)
    settings().write_text(f'[kernels]\nroots = ["{prefix.parent.parent}"]\n')
    prefix.rename(prefix.parent.parent / ".venv")
    controller, terminal = pty.openpty()
    answer = kaa("kernels", "list", env={**os.environ, "COLUMNS": "80"})
    assert max(map(len, answer.out.splitlines())) > 80, "what is piped stays whole"
    import subprocess

    from end_to_end.machine import KAA

    process = subprocess.Popen(
        [*KAA, "kernels", "list"],
        stdin=subprocess.DEVNULL,
        stdout=terminal,
        stderr=subprocess.PIPE,
        env={**os.environ, "COLUMNS": "80", "NO_COLOR": "1"},
    )
    os.close(terminal)
    out = b""
    try:
        while chunk := os.read(controller, 65536):
            out += chunk
    except OSError:
        pass  # Linux: the other end is closed
    assert process.wait(300) == 0
    os.close(controller)
    lines = out.decode().splitlines()
    assert max(map(len, lines)) <= 80, lines
    assert any("…" in line for line in lines)
    assert any(line.startswith("    Python 3.6.15 is older") for line in lines)
