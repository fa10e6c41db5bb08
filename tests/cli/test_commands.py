"""The commands for real: processes, an index on 127.0.0.1, an interpreter of this machine."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from cli.answer import PYTHON
from local_index import Fault

if TYPE_CHECKING:
    from collections.abc import Callable

    from cli.answer import Answer
    from local_index import LocalIndex


def root() -> Path:
    return Path(os.environ["KAA_ROOT"])


def kernels() -> list[str]:
    folder = Path(os.environ["XDG_DATA_HOME"]) / "jupyter" / "kernels"
    return sorted(path.name for path in folder.glob("*"))


def test_create_shows_the_plan_and_what_to_do_next(demo: Answer) -> None:
    lines = demo.out.splitlines()
    assert lines[0] == f"Environment demo at {root() / 'envs' / 'demo'}"
    assert any(line.startswith("* bear") for line in lines)
    assert any(line.startswith("  fur") for line in lines)
    assert any(line.startswith("3 packages, ") for line in lines)
    assert any("kaa run -n demo" in line for line in lines)
    assert any("Python 3" in line and "(demo)" in line for line in lines)
    assert any("kaa env remove -n demo" in line for line in lines)
    assert kernels() == ["demo"]
    assert [line.partition(":")[0] for line in demo.err.splitlines()][:3] == [
        "metadata",
        "download",
        "link",
    ]


def test_what_was_made_is_listed_run_and_removed(
    demo: Answer, kaa_process: Callable[..., Answer]
) -> None:
    listed = kaa_process("list", "-n", "demo", "--json").json
    assert [(each["name"], each["requested"]) for each in listed] == [
        ("bear", True),
        ("fur", False),
        ("python", True),
    ]
    text = kaa_process("list", "-n", "demo").out.splitlines()
    assert text[0].split() == ["Name", "Version", "Build", "Source"]
    assert text[1].split()[:3] == ["*", "bear", "1.0"]

    environments = kaa_process("env", "list", "--json").json["environments"]
    assert [each["name"] for each in environments] == ["demo"]
    about = kaa_process("info", "-n", "demo").out
    assert "bear" in about and "kaa create -n demo" in about

    assert kaa_process("run", "-n", "demo", "growl").out == "bear 1.0\n"

    removed = kaa_process("env", "remove", "-n", "demo", "-y")
    assert removed.code == 0, removed.err
    assert "demo (Python " in removed.out and removed.out.endswith("Removed demo.\n")
    assert kaa_process("env", "list", "--json").json["environments"] == []
    assert kernels() == []


def test_list_in_condas_words(demo: Answer, kaa_process: Callable[..., Answer]) -> None:
    def listed(*arguments: str) -> list[str]:
        answer = kaa_process("list", "-n", "demo", *arguments, "--json")
        assert answer.code == 0, answer.err
        return [each["name"] for each in answer.json]

    assert listed("^(B|f)") == ["bear", "fur"]
    assert listed("-f", "fur") == ["fur"] and listed("-f", "fu") == []
    assert listed("--reverse") == ["python", "fur", "bear"]
    bear = kaa_process("list", "-n", "demo", "bear", "--json").json[0]
    assert {"base_url", "build_number", "build_string", "channel", "dist_name", "platform"} <= set(
        bear
    )
    assert bear["channel"] == bear["platform"] == "pypi"
    assert kaa_process("list", "-n", "demo", "-c", "fur").out == "fur-1.0-pypi_0\n"
    sizes = kaa_process("list", "-n", "demo", "--size").out.splitlines()
    assert sizes[0].split() == ["Name", "Version", "Size"] and sizes[-1].startswith("all ")
    assert "kaa create" in kaa_process("list", "-n", "demo", "--revisions").out
    wrong = kaa_process("list", "-n", "demo", "(")
    assert wrong.code == 2 and "no regular expression" in wrong.err


def test_what_follows_the_program_is_the_programs(
    demo: Answer, kaa_process: Callable[..., Answer], tmp_path: Path
) -> None:
    script = "import sys, os; print(sys.argv[1:], os.getcwd()); sys.exit(7)"
    answer = kaa_process(
        *("run", "-n", "demo", "--cwd", str(tmp_path), "python", "-c", script),
        *("-n", "x", "--json", "--help", "-q", "--", "-y"),
    )
    assert answer.code == 7
    expected = ["-n", "x", "--json", "--help", "-q", "--", "-y"]
    assert answer.out == f"{expected} {tmp_path}\n"


def test_run_hands_over_the_process_and_its_signals(demo: Answer, tmp_path: Path) -> None:
    ended = subprocess.run(
        [sys.executable, "-m", "kaa", "run", "-n", "demo", "sh", "-c", "yes | head -1; echo $$"],
        capture_output=True,
        text=True,
        check=True,
    )
    assert ended.stdout.startswith("y\n")
    assert ended.stderr == ""
    running = subprocess.Popen(
        [sys.executable, "-m", "kaa", "run", "-n", "demo", "sh", "-c", "echo $$; exec sleep 600"],
        stdout=subprocess.PIPE,
        text=True,
    )
    assert running.stdout is not None
    assert int(running.stdout.readline()) == running.pid
    running.terminate()
    assert running.wait(300) == -signal.SIGTERM
    running.stdout.close()


def test_the_active_environment_is_taken(
    demo: Answer, kaa_process: Callable[..., Answer], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("CONDA_PREFIX", str(root() / "envs" / "demo"))
    assert kaa_process("run", "growl").out == "bear 1.0\n"
    assert "bear" in kaa_process("list").out
    assert "* demo" in kaa_process("env", "list").out


def test_dry_run_changes_nothing(index: LocalIndex, kaa_process: Callable[..., Answer]) -> None:
    answer = kaa_process("create", "-n", "demo", PYTHON, "bear", "--dry-run")
    assert answer.code == 0
    assert answer.out.endswith("Dry run: nothing was changed.\n")
    assert not (root() / "envs" / "demo").exists()
    assert not any(path.endswith(".whl") for path in index.paths())


def test_json_is_one_object(index: LocalIndex, kaa_process: Callable[..., Answer]) -> None:
    answer = kaa_process("create", "-n", "demo", PYTHON, "bear", "--json", "--dry-run")
    assert (answer.code, answer.err) == (0, "")
    assert answer.json["dry_run"] is True and answer.json["environment"] is None
    assert [each["name"] for each in answer.json["plan"]["add"]] == ["bear", "fur", "python"]

    answer = kaa_process("create", "-n", "demo", PYTHON, "bear", "--json", "-y")
    assert (answer.code, answer.err) == (0, "")
    assert answer.json["success"] is True
    assert answer.json["environment"]["name"] == "demo"

    answer = kaa_process("create", "-n", "demo", "bear", "--json", "-y")
    assert (answer.code, answer.json["error"]) == (3, "EnvironmentExistsError")

    answer = kaa_process("env", "remove", "-n", "demo", "--json", "--dry-run")
    assert answer.json["plan"]["kernels"][0]["name"] == "demo"
    assert kernels() == ["demo"]


def test_quiet_says_nothing(index: LocalIndex, kaa_process: Callable[..., Answer]) -> None:
    answer = kaa_process("create", "-n", "demo", PYTHON, "bear", "-q", "-y")
    assert answer == type(answer)(0, "", "")
    answer = kaa_process("env", "remove", "-n", "demo", "-q", "-y")
    assert answer == type(answer)(0, "", "")


@pytest.mark.parametrize("what", ["metadata", "download"])
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_interrupted_while_the_index_is_slow(
    index: LocalIndex, what: str, number: signal.Signals
) -> None:
    pattern = "*/bear/" if what == "metadata" else "*.whl"
    index.fail(pattern, Fault(hang=600))
    process = subprocess.Popen(
        [sys.executable, "-m", "kaa", "create", "-n", "demo", PYTHON, "bear", "-y"],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env={**os.environ, "UV_HTTP_TIMEOUT": "600"},
    )
    end = time.monotonic() + 300
    wanted = "/bear/" if what == "metadata" else ".whl"
    while not any(path.endswith(wanted) for path in index.paths()):
        assert time.monotonic() < end
        time.sleep(0.02)
    process.send_signal(number)
    _, err = process.communicate(timeout=300)
    assert process.returncode == 130
    assert err.splitlines()[-1] == "interrupted; nothing was changed"
    assert "Traceback" not in err
    assert not (root() / "envs" / "demo").exists()
    assert kernels() == []


def test_the_next_time_only_the_cache_is_needed(
    demo: Answer, index: LocalIndex, kaa_process: Callable[..., Answer]
) -> None:
    index.requests.clear()
    answer = kaa_process("create", "-n", "again", PYTHON, "bear", "-y")
    assert answer.code == 0
    assert "3 packages, 0 bytes to download, 2 from the cache" in answer.out
    assert not any(path.endswith(".whl") for path in index.paths())


def complete(shell: str, words: str, word: int) -> list[str]:
    done = subprocess.run(
        [sys.executable, "-m", "kaa"],
        env={
            **os.environ,
            "_KAA_COMPLETE": f"{shell}_complete",
            "COMP_WORDS": words,
            "COMP_CWORD": str(word),
        },
        capture_output=True,
        text=True,
        check=True,
    )
    assert done.stderr == ""
    return done.stdout.split()


def test_names_and_sources_complete(demo: Answer) -> None:
    assert complete("bash", "kaa run -n ", 3) == ["plain,demo"]
    assert complete("bash", "kaa list -n x", 3) == []
    assert complete("bash", "kaa create -c p", 3) == ["plain,pypi"]
    assert complete("bash", "kaa env re", 2) == ["plain,remove"]
    assert complete("bash", "kaa run --pre", 2) == ["plain,--prefix"]
    assert complete("bash", "kaa compl", 1) == ["plain,completion"]


def test_a_damaged_environment_does_not_stop_completion(
    demo: Answer, kaa_process: Callable[..., Answer]
) -> None:
    for manifest in (root() / "envs").rglob("*.json"):
        if not manifest.is_symlink() and "conda-meta" not in manifest.parts:
            manifest.write_text("{")
    complete("bash", "kaa run -n ", 3)
    answer = kaa_process("env", "list")
    assert answer.code == 0
    assert "internal error" not in answer.err


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_completion_scripts(kaa_process: Callable[..., Answer], shell: str) -> None:
    answer = kaa_process("completion", shell)
    assert answer.code == 0
    assert "_KAA_COMPLETE" in answer.out and "kaa" in answer.out


def test_bash_takes_the_completion_script(kaa_process: Callable[..., Answer]) -> None:
    script = kaa_process("completion", "bash").out
    done = subprocess.run(
        ["bash", "--norc", "-c", script + "\ncomplete -p kaa"],
        capture_output=True,
        text=True,
        check=True,
    )
    assert "-F _kaa_completion kaa" in done.stdout


def test_info_says_where_things_are(kaa_process: Callable[..., Answer]) -> None:
    about = kaa_process("info", "--json").json
    assert about["root"] == str(root())
    assert about["environments"] == 0
    assert about["sources"] == ["pypi"]
    assert f"root          {root()}" in kaa_process("info").out


def test_verbose_says_more(index: LocalIndex, kaa_process: Callable[..., Answer]) -> None:
    answer = kaa_process("create", "-n", "demo", PYTHON, "bear", "--dry-run", "-v")
    assert index.file_url("bear-1.0-py3-none-any.whl") in answer.out
    assert " s)" in answer.err
    assert "Traceback" not in answer.err
