"""Every environment in Notebook 7, as its user sees it."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Any

import pytest

pytest.importorskip("notebook", reason="the extra 'browser' is not installed")
pytest.importorskip("playwright", reason="the extra 'browser' is not installed")

from playwright.sync_api import expect

from browser.conftest import PATIENCE
from browser.test_lab import PREFIX, run, write_notebook

if TYPE_CHECKING:
    from browser.conftest import Lab

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(os.name == "nt", reason="environments are made as on POSIX"),
]


def test_the_menu_has_every_environment_and_each_opens_in_itself(notebook: Lab, page: Any) -> None:
    page.goto(notebook.notebook_address("tree"))
    page.get_by_text("New", exact=True).click(timeout=PATIENCE)
    for name in ("shop", "store", "work", "ill"):
        item = page.locator(".lm-Menu-item").filter(has_text=f"[conda env:{name}]")
        expect(item).to_be_visible(timeout=PATIENCE)
    with page.context.expect_page() as opened:
        page.locator(".lm-Menu-item").filter(has_text="[conda env:store]").click()
    made = opened.value
    output = run(made, PREFIX)
    expect(output).to_have_text(str(notebook.home / ".virtualenvs" / "store"), timeout=PATIENCE)


def test_a_notebook_from_elsewhere_opens_with_the_nearest_kernel_and_says_so(
    notebook: Lab, page: Any
) -> None:
    file = write_notebook(notebook, "elsewhere.ipynb", "Shop", PREFIX)
    before = file.read_bytes()
    page.goto(notebook.notebook_address("notebooks/elsewhere.ipynb"))
    said = page.locator(".Toastify__toast").filter(
        has_text="The kernel Shop is not on this machine"
    )
    expect(said).to_contain_text("Opened with Python [conda env:shop]", timeout=PATIENCE)
    expect(page.locator(".jp-Dialog")).to_have_count(0)
    assert file.read_bytes() == before, "to open it is not to change it"
    output = run(page)
    expect(output).to_have_text(str(notebook.home / ".virtualenvs" / "shop"), timeout=PATIENCE)
