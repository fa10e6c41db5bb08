from __future__ import annotations

import io
import sys
from dataclasses import replace
from typing import TYPE_CHECKING

from kaa.cli.plan import plan_rows, plan_total, show_plan
from kaa.model.package import PYPI, Package
from kaa.model.plan import Addition

if TYPE_CHECKING:
    import pytest

    from kaa.model.plan import Plan


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


def test_verbose_plan_has_the_urls(plan: Plan, capfd: pytest.CaptureFixture[str]) -> None:
    show_plan(plan, verbose=True)
    assert "https://index.example.org/pandas-2.3.1.whl" in capfd.readouterr().out


def test_terminal_plan_has_the_same_cells(plan: Plan, monkeypatch: pytest.MonkeyPatch) -> None:
    text = drawn(plan, monkeypatch, columns=100)
    for row in plan_rows(plan):
        assert any(all(cell in line for cell in row) for line in text.splitlines()), row
    assert plan_total(plan) in text


def test_narrow_terminal_cuts_nothing(plan: Plan, monkeypatch: pytest.MonkeyPatch) -> None:
    text = drawn(plan, monkeypatch, columns=40)
    assert "…" not in text
    table = "".join(line[:14].rstrip() for line in text.splitlines()[1:])
    letters = "".join(character for character in table if character.isalnum() or character == "-")
    assert "a-package-wi" in letters


def test_brackets_in_a_name_are_no_markup(plan: Plan, monkeypatch: pytest.MonkeyPatch) -> None:
    odd = Addition(Package("x[bold]y", "1", "0", PYPI, "https://example.org"), 1)
    text = drawn(replace(plan, additions=(odd,)), monkeypatch, columns=100)
    assert "x[bold]y" in text
    assert "1 package, 1 byte" in text


def test_control_characters_are_shown_not_obeyed(plan: Plan) -> None:
    odd = Addition(Package("x\x1b[2J", "1", "0", PYPI, "https://example.org"), 1)
    assert plan_rows(replace(plan, additions=(odd,)))[0][0] == "  x\\x1b[2J"
