"""Every environment in JupyterLab, as its user sees it."""

from __future__ import annotations

import json
import os
from typing import TYPE_CHECKING, Any

import pytest

pytest.importorskip("jupyterlab", reason="the extra 'browser' is not installed")
pytest.importorskip("playwright", reason="the extra 'browser' is not installed")

from playwright.sync_api import expect

from browser.conftest import PATIENCE

if TYPE_CHECKING:
    from pathlib import Path

    from browser.conftest import Lab

expect.set_options(timeout=PATIENCE)
pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(os.name == "nt", reason="environments are made as on POSIX"),
]


def card(page: Any, title: str) -> Any:
    """Return what the launcher has for notebooks with a kernel."""
    return page.locator(f'.jp-LauncherCard[data-category="Notebook"][title="{title}"]')


def wait_for_kernel(page: Any, name: str) -> None:
    status = page.locator("#jp-main-statusbar").get_by_text(f"{name} | Idle")
    expect(status).to_be_visible(timeout=PATIENCE)


def run(page: Any, code: str = "") -> Any:
    """Run the first cell, with ``code`` in it; return what shows its output."""
    cell = page.locator(".jp-NotebookPanel .jp-CodeCell").first
    cell.locator(".cm-content").click()
    if code:
        page.keyboard.insert_text(code)
    for _ in range(3):  # Lab runs nothing in the moment in which it connects to a kernel
        cell.locator(".cm-content").click()
        page.keyboard.press("Shift+Enter")
        try:
            expect(cell.locator(".jp-InputPrompt")).not_to_have_text("[ ]:", timeout=30_000)
            break
        except AssertionError:
            continue
    return cell.locator(".jp-OutputArea-output").first


def write_notebook(lab: Lab, name: str, kernel: str, source: str) -> Path:
    cell: dict[str, Any] = {"cell_type": "code", "id": "a", "metadata": {}, "outputs": []}
    spec = {"name": kernel, "display_name": kernel, "language": "python"}
    content = {
        "cells": [{**cell, "execution_count": None, "source": source}],
        "metadata": {"kernelspec": spec, "language_info": {"name": "python"}},
        "nbformat": 4,
        "nbformat_minor": 5,
    }
    file = lab.notebooks / name
    file.write_text(json.dumps(content))
    return file


PREFIX = "import sys; print(sys.prefix)"


def test_the_launcher_has_every_environment_and_each_opens_in_itself(lab: Lab, page: Any) -> None:
    page.goto(lab.address())
    for name in ("shop", "store", "work"):
        expect(card(page, f"Python [conda env:{name}]")).to_be_visible(timeout=PATIENCE)
    expect(card(page, "Python [conda env:ill] (cannot run)")).to_be_visible()

    card(page, "Python [conda env:store]").click()
    wait_for_kernel(page, "Python [conda env:store]")
    output = run(page, PREFIX)
    expect(output).to_have_text(str(lab.home / ".virtualenvs" / "store"), timeout=PATIENCE)


def test_a_notebook_from_elsewhere_opens_with_the_nearest_kernel_and_says_so(
    lab: Lab, page: Any
) -> None:
    file = write_notebook(lab, "elsewhere.ipynb", "Shop", PREFIX)
    before = file.read_bytes()
    page.goto(lab.address("/tree/elsewhere.ipynb"))
    kernel = page.locator(".jp-NotebookPanel .jp-Toolbar-kernelName")
    expect(kernel).to_contain_text("Python [conda env:shop]", timeout=PATIENCE)
    said = page.locator(".Toastify__toast").filter(
        has_text="The kernel Shop is not on this machine"
    )
    expect(said).to_contain_text("Opened with Python [conda env:shop]: an environment of the same")
    wait_for_kernel(page, "Python [conda env:shop]")
    expect(page.locator(".jp-Dialog")).to_have_count(0)
    assert file.read_bytes() == before, "to open it is not to change it"

    output = run(page)
    expect(output).to_have_text(str(lab.home / ".virtualenvs" / "shop"), timeout=PATIENCE)


def test_a_notebook_of_this_machine_opens_without_a_word(lab: Lab, page: Any) -> None:
    write_notebook(lab, "own.ipynb", "conda-env-shop-py", PREFIX)
    page.goto(lab.address("/tree/own.ipynb"))
    wait_for_kernel(page, "Python [conda env:shop]")
    output = run(page)
    expect(output).to_have_text(str(lab.home / ".virtualenvs" / "shop"), timeout=PATIENCE)
    expect(page.locator(".Toastify__toast")).to_have_count(0)


def test_a_broken_environment_says_in_the_notebook_what_is_wrong(lab: Lab, page: Any) -> None:
    write_notebook(lab, "ill.ipynb", "conda-env-ill-py", "1 + 1")
    page.goto(lab.address("/tree/ill.ipynb"))
    wait_for_kernel(page, "Python [conda env:ill] (cannot run)")
    output = run(page)
    expect(output).to_contain_text(
        "/gone/python3, which it is made with, is gone", timeout=PATIENCE
    )
    expect(output).to_contain_text("venv --allow-existing")
