from __future__ import annotations

import io
import json
import re
import sys
from dataclasses import replace
from pathlib import Path

import click
import pytest

from kaa.cli.plan import plan_rows, plan_total, show_plan
from kaa.model.package import PYPI, Package
from kaa.model.plan import Addition, Change, Move, Plan, Removal
from kaa.model.process import Process, ProcessKind


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


def drawn(plan: Plan, monkeypatch: pytest.MonkeyPatch, columns: int, verbose: bool = False) -> str:
    terminal = Terminal()
    monkeypatch.setenv("COLUMNS", str(columns))
    monkeypatch.setenv("TERM", "xterm")
    monkeypatch.setenv("NO_COLOR", "1")
    monkeypatch.setattr(sys, "stdout", terminal)
    show_plan(plan, verbose=verbose)
    return terminal.getvalue()


def package(name: str, version: str, source: str = "pypi", asked: bool = False) -> Package:
    url = f"https://index.example.org/{name}-{version}.whl"
    return Package(name, version, "0", source, url, size=1000, requested=asked)


@pytest.fixture
def changes() -> Plan:
    """A plan with every kind of change."""
    numpy = package("numpy", "1.26.4", "conda-forge")
    build = package("zlib", "1.3", "conda-forge")
    return Plan(
        name="demo",
        prefix=Path("/data/envs/demo"),
        additions=(
            Addition(package("a-package-with-quite-a-long-name", "1.0"), 900, "required by bear"),
            Addition(package("bear", "2.0", asked=True), 0, "you asked for it"),
        ),
        changes=(
            Change(numpy, package("numpy", "2.1.0"), Move.UPGRADE, 12_300_000, "bear needs >=2"),
            Change(package("pip", "25"), package("pip", "24"), Move.DOWNGRADE, 0, "fox needs <25"),
            Change(build, replace(build, build="1"), Move.REBUILD, 5, "newer"),
            Change(
                package("rich", "14", "conda-forge"), package("rich", "14"), Move.SOURCE, 0, "asked"
            ),
        ),
        removals=(Removal(package("old", "0.1"), "nothing needs it"),),
        unchanged=31,
        generation=3,
        asked=("bear",),
    )


def test_piped_plan_is_aligned_and_whole(plan: Plan, capfd: pytest.CaptureFixture[str]) -> None:
    show_plan(plan)
    assert capfd.readouterr().out.splitlines() == [
        "Environment demo at /data/envs/demo",
        "  Package                                  Version  Source   Download",
        "  a-package-with-quite-a-long-name-indeed  1.0      pypi    900 bytes",
        "  numpy                                    2.1.0    pypi       cached",
        "* pandas                                   2.3.1    pypi      12.3 MB",
        "* python                                   3.12.4   host    installed",
        "4 packages, 12.3 MB to download, 1 from the cache",
        "Also, once for every environment with Python 3.12: ipykernel, shared by all of them",
    ]


def test_changes_are_told_with_their_reasons(
    changes: Plan, capfd: pytest.CaptureFixture[str]
) -> None:
    show_plan(changes)
    first, header, *rows, asked, total = capfd.readouterr().out.splitlines()
    assert first == "Environment demo at /data/envs/demo"
    assert header.split() == ["Package", "Version", "Source", "Download", "Why"]
    assert [re.split(r" {2,}", row) for row in rows] == [
        ["+", "* bear", "2.0", "pypi", "cached", "you asked for it"],
        ["+", "a-package-with-quite-a-long-name", "1.0", "pypi", "900 bytes", "required by bear"],
        ["up", "numpy", "1.26.4 -> 2.1.0", "conda-forge -> pypi", "12.3 MB", "bear needs >=2"],
        ["-", "old", "0.1", "pypi", "nothing needs it"],
        ["down", "pip", "25 -> 24", "pypi", "cached", "fox needs <25"],
        ["source", "rich", "14", "conda-forge -> pypi", "cached", "asked"],
        ["build", "zlib", "1.3 (0 -> 1)", "conda-forge", "5 bytes", "newer"],
    ]
    start = header.index("Why")
    reasons = ["you", "required", "bear", "nothing", "fox", "asked", "newer"]
    assert [row[start:].split()[0] for row in rows] == reasons
    assert asked == "Asked for from now on: bear"
    assert total == (
        "2 to add, 1 up, 1 down, 1 to another build, 1 to another source, 1 to remove, "
        "31 unchanged, 12.3 MB to download"
    )


def test_changes_as_json(changes: Plan) -> None:
    told = json.loads(json.dumps(changes.as_dict()))
    assert [each["name"] for each in told["add"]] == [
        "a-package-with-quite-a-long-name",
        "bear",
    ]
    assert told["remove"][0]["name"] == "old" and told["remove"][0]["why"] == "nothing needs it"
    numpy, _, zlib, rich = told["change"]
    assert (numpy["before"]["version"], numpy["after"]["version"]) == ("1.26.4", "2.1.0")
    assert (numpy["move"], numpy["source_changed"], numpy["download"]) == (
        "upgrade",
        True,
        12_300_000,
    )
    assert (zlib["move"], zlib["source_changed"]) == ("rebuild", False)
    assert (rich["move"], rich["why"]) == ("source", "asked")
    assert told["download_size"] == 12_300_905
    assert (told["unchanged"], told["generation"], told["asked"]) == (31, 3, ["bear"])


def test_nothing_to_do(changes: Plan, capfd: pytest.CaptureFixture[str]) -> None:
    nothing = replace(changes, additions=(), changes=(), removals=(), asked=())
    assert nothing.nothing_to_do and not replace(nothing, asked=("bear",)).nothing_to_do
    show_plan(nothing)
    assert capfd.readouterr().out.splitlines() == [
        "Environment demo at /data/envs/demo",
        "Nothing to do.",
    ]


def test_notes_are_shown(changes: Plan, capfd: pytest.CaptureFixture[str]) -> None:
    show_plan(replace(changes, notes=("mind\x1b the gap",)))
    assert "Note: mind\\x1b the gap" in capfd.readouterr().out


@pytest.mark.parametrize("columns", [160, 100, 80, 60, 40, 20, 5])
def test_no_terminal_is_too_narrow_for_a_name(
    changes: Plan, monkeypatch: pytest.MonkeyPatch, columns: int
) -> None:
    text = drawn(changes, monkeypatch, columns)
    table = text.splitlines()[1 : text.splitlines().index("Asked for from now on: bear")]
    for row in plan_rows(changes):
        names = [row.cells["Package"].strip(), *row.cells["Version"].split(" -> ")]
        assert all(name in text for name in names), row
    longest = max(len(line) for line in table)
    assert longest <= max(columns, 4 + len("source   a-package-with-quite-a-long-name"))
    assert ("required by bear" in text) is (columns == 160)
    if columns >= 80:
        assert "conda-forge -> pypi" in text


def test_verbose_has_the_reasons_and_the_urls(
    changes: Plan, monkeypatch: pytest.MonkeyPatch, plan: Plan, capfd: pytest.CaptureFixture[str]
) -> None:
    text = drawn(changes, monkeypatch, 40, verbose=True)
    assert "required by bear" in text
    assert "https://index.example.org/bear-2.0.whl" in text
    monkeypatch.undo()
    show_plan(plan, verbose=True)
    assert "https://index.example.org/pandas-2.3.1.whl" in capfd.readouterr().out


def test_colours_are_for_terminals(
    changes: Plan, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    show_plan(changes)
    assert "\x1b" not in capfd.readouterr().out
    terminal = Terminal()
    monkeypatch.setenv("COLUMNS", "160")
    monkeypatch.delenv("NO_COLOR", raising=False)
    monkeypatch.setattr(sys, "stdout", terminal)
    show_plan(changes)
    lines = terminal.getvalue().splitlines()
    removed = next(line for line in lines if " old " in line)
    assert removed.startswith("\x1b[31m")
    plain = click.unstyle(removed)
    assert plain.startswith("-         old   ") and plain in drawn(changes, monkeypatch, 160)


def test_terminal_plan_has_the_same_cells(plan: Plan, monkeypatch: pytest.MonkeyPatch) -> None:
    text = drawn(plan, monkeypatch, columns=100)
    for row in plan_rows(plan):
        cells = [row.cells[name] for name in ("Package", "Version", "Source", "Download")]
        assert any(all(cell in line for cell in cells) for line in text.splitlines()), row
    assert plan_total(plan) in text


def test_brackets_in_a_name_are_no_markup(plan: Plan, monkeypatch: pytest.MonkeyPatch) -> None:
    odd = Addition(Package("x[bold]y", "1", "0", PYPI, "https://example.org"), 1)
    text = drawn(replace(plan, additions=(odd,)), monkeypatch, columns=100)
    assert "x[bold]y" in text
    assert "1 package, 1 byte" in text


def test_control_characters_are_shown_not_obeyed(plan: Plan) -> None:
    odd = Addition(Package("x\x1b[2J", "1", "0", PYPI, "https://example.org"), 1)
    assert plan_rows(replace(plan, additions=(odd,)))[0].cells["Package"] == "  x\\x1b[2J"


def test_kernels_come_first_and_of_many_processes_only_some(
    changes: Plan, capfd: pytest.CaptureFixture[str]
) -> None:
    programs = [
        Process(pid, "python", f"python {pid}.py\x1b[2J", 3, ProcessKind.PROGRAM)
        for pid in range(100, 112)
    ]
    kernel = Process(500, "python", "python -m ipykernel_launcher", 2, ProcessKind.KERNEL)
    plan = replace(changes, processes=(*programs, kernel))
    show_plan(plan)
    lines = capfd.readouterr().out.partition("Running in it now:\n")[2].splitlines()
    assert lines[0] == (
        "  kernel 500   python -m ipykernel_launcher  keeps generation 2 and all its files; "
        "restart the kernel to use the new packages"
    )
    assert lines[1].startswith("  program 100  python 100.py\\x1b[2J ")
    assert lines[10] == "  and 3 more, which -v shows"
    show_plan(plan, verbose=True)
    assert "program 111" in capfd.readouterr().out
