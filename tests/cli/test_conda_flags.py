"""Flags that people know from conda and mamba."""

from __future__ import annotations

import os
import time
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from cli.answer import PYTHON
from kaa.cli import conda_flags

if TYPE_CHECKING:
    from collections.abc import Callable

    from cli.answer import Answer
    from local_index import LocalIndex


def test_every_flag_says_why_or_what_instead() -> None:
    groups = [value for value in vars(conda_flags).values() if isinstance(value, tuple)]
    flags = [flag for group in groups for flag in group]
    assert len(flags) > 40
    for flag in flags:
        assert flag.why or flag.instead, flag.spellings


@pytest.mark.parametrize(
    "line",
    [
        ("remove", "-n", "demo", "bear", "-c", "x", "--no-pin"),
        ("notices", "-c", "pypi", "--override-channels"),
    ],
)
def test_flags_of_other_commands_say_so_too(
    line: tuple[str, ...], kaa: Callable[..., Answer]
) -> None:
    assert "has no effect: " in kaa(*line).err


@pytest.mark.parametrize(
    "line",
    [
        ("list", "-n", "demo", "--auth"),
        ("install", "-n", "demo", "bear", "--update-all"),
        ("update", "-n", "demo", "--file", "x.yml"),
        ("rename", "a", "b", "--force"),
        ("env", "create", "-f", "x.yml", "--force"),
        ("config", "--stdin"),
    ],
)
def test_refusals_of_other_commands(line: tuple[str, ...], kaa: Callable[..., Answer]) -> None:
    answer = kaa(*line)
    assert answer.code != 0
    assert "cannot be honoured" in answer.err and "hint: " in answer.err


@pytest.mark.parametrize(
    ("flag", "note"),
    [
        (("--solver", "libmamba"), "note: --solver has no effect: kaa has one solver"),
        (("--update-specs",), "note: --update-specs has no effect"),
        (("-S",), "note: --satisfied-skip-solve has no effect"),
        (("--no-py-pin",), "note: --no-py-pin has no effect"),
    ],
)
def test_what_makes_no_difference_is_said(
    flag: tuple[str, ...], note: str, index: LocalIndex, kaa: Callable[..., Answer]
) -> None:
    answer = kaa("create", "-n", "demo", PYTHON, "bear", "-d", *flag)
    assert answer.code == 0, answer.err
    assert note in answer.err
    assert answer.out.endswith("Dry run: nothing was changed.\n")


@pytest.mark.parametrize("flag", ["--use-local", "--force-reinstall", "--no-rc"])
def test_what_cannot_be_honoured_is_refused(flag: str, kaa: Callable[..., Answer]) -> None:
    answer = kaa("create", "-n", "demo", "bear", flag)
    assert answer.code != 0
    assert f"{flag} cannot be honoured" in answer.err and "hint: " in answer.err


def test_strict_and_no_channel_priority_are_spellings(
    index: LocalIndex, kaa: Callable[..., Answer]
) -> None:
    for flag in ("--strict-channel-priority", "--no-channel-priority"):
        answer = kaa("create", "-n", "demo", PYTHON, "bear", "-d", flag)
        assert answer.code == 0, answer.err


def test_download_only_brings_packages_and_makes_nothing(
    index: LocalIndex, kaa_process: Callable[..., Answer]
) -> None:
    root = Path(os.environ["KAA_ROOT"])
    answer = kaa_process("create", "-n", "demo", PYTHON, "bear", "-y", "--download-only")
    assert answer.code == 0, answer.err
    assert answer.out.endswith("The packages are in the cache; nothing was changed.\n")
    assert list((root / "pkgs").glob("bear-*")) and not (root / "envs" / "demo").exists()
    made = kaa_process("create", "-n", "demo", PYTHON, "bear", "-y", "--offline")
    assert made.code == 0, made.err


def test_copies_share_nothing_with_the_cache(
    index: LocalIndex, kaa_process: Callable[..., Answer]
) -> None:
    root = Path(os.environ["KAA_ROOT"])
    shared = {}
    for name, flags in (("links", ()), ("copies", ("--copy",))):
        made = kaa_process("create", "-n", name, PYTHON, "bear", "-y", *flags)
        assert made.code == 0, made.err
        module = next((root / "envs" / name).glob("lib/python*/site-packages/bear/__init__.py"))
        shared[name] = module.stat().st_nlink > 1
    assert shared == {"links": True, "copies": False}


def test_create_clone_install_revision_and_detached_runs(
    demo: Answer, kaa_process: Callable[..., Answer], tmp_path: Path
) -> None:
    cloned = kaa_process("create", "-n", "copy", "--clone", "demo", "-y")
    assert cloned.code == 0, cloned.err
    names = [each["name"] for each in kaa_process("list", "-n", "copy", "--json").json]
    assert names == ["bear", "fur", "python"]
    assert kaa_process("remove", "-n", "copy", "bear", "-y").code == 0
    back = kaa_process("install", "-n", "copy", "--revision", "1", "-y")
    assert back.code == 0, back.err
    assert kaa_process("run", "-n", "copy", "growl").out == "bear 1.0\n"
    wrong = kaa_process("create", "-n", "other", "--clone", "demo", "fur")
    assert wrong.code == 2 and "leave out SPECs" in wrong.err

    go, done = tmp_path / "go", tmp_path / "done"
    script = (
        "import time, pathlib\n"
        f"while not pathlib.Path({str(go)!r}).exists(): time.sleep(0.05)\n"
        f"pathlib.Path({str(done)!r}).touch()"
    )
    started = kaa_process("run", "-n", "demo", "--detach", "--live-stream", "python", "-c", script)
    assert started.code == 0 and int(started.out) > 1
    assert not done.exists()
    go.touch()
    deadline = time.monotonic() + 300
    while not done.exists():
        assert time.monotonic() < deadline
        time.sleep(0.05)


def test_info_and_env_list_have_condas_fields(
    demo: Answer, kaa_process: Callable[..., Answer]
) -> None:
    envs = kaa_process("info", "--envs", "--json").json["envs"]
    assert envs == [str(Path(os.environ["KAA_ROOT"]) / "envs" / "demo")]
    assert kaa_process("env", "list", "--json").json["envs"] == envs
    about = kaa_process("info", "--json").json
    fields = {"channels", "conda_version", "envs", "envs_dirs", "pkgs_dirs", "virtual_pkgs"}
    assert fields <= set(about) and about["envs"] == envs
    assert Path(kaa_process("info", "--base").out.strip()).is_dir()
