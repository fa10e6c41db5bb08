"""A real notebook in a real environment: packages of the default index, no ipykernel among them."""

from __future__ import annotations

import base64
import os
from typing import Any

import nbformat
import pytest
from nbclient import NotebookClient

from end_to_end.machine import PYTHON, below, kaa, kernels, root
from kernels.conftest import started

TABLE = """
import pandas
pandas.DataFrame({"snake": ["Kaa", "Nag"], "metres": [9.0, 1.8]})
"""
FIGURE = """
import matplotlib.pyplot as plt
plt.plot([1, 2, 3], [2, 4, 1])
plt.title("a figure");
"""
ACTIVATED = """
import os, shutil, sys
print(os.environ["CONDA_PREFIX"])
print(os.environ["VIRTUAL_ENV"])
print(os.environ["PATH"].split(os.pathsep)[0])
print(shutil.which("python"))
"""


@pytest.mark.network
@pytest.mark.slow
def test_a_notebook_with_a_table_and_a_figure() -> None:
    made = kaa("create", "-n", "forecast", PYTHON, "pandas", "matplotlib", "-y", timeout=300)
    assert made.code == 0, made.err
    packages = {each["name"] for each in kaa("list", "-n", "forecast", "--json").json}
    assert {"python", "pandas", "matplotlib", "numpy"} <= packages
    assert not {"ipykernel", "ipython", "matplotlib-inline"} & packages
    assert kernels() == ["forecast"]

    make: Any = nbformat.v4  # it has no types
    cells = [make.new_code_cell(source) for source in (TABLE, FIGURE, ACTIVATED)]
    notebook = make.new_notebook(cells=cells)
    NotebookClient(notebook, kernel_name="forecast", timeout=300, coalesce_streams=True).execute()
    table, figure, activated = (each.outputs for each in notebook.cells)
    assert "<td>Kaa</td>" in table[-1].data["text/html"]
    assert base64.b64decode(figure[-1].data["image/png"]).startswith(b"\x89PNG")
    prefix = str(root() / "envs" / "forecast")
    bin_directory = f"{prefix}{os.sep}bin"
    assert activated[0].text.splitlines() == [
        prefix,
        prefix,
        bin_directory,
        f"{bin_directory}{os.sep}python",
    ]

    with started("forecast") as kernel:
        own = "import os; print(os.getpid())"
        assert kernel.run(own) == str(kernel.pid), "the kernel is the process that was started"
        assert kernel.interrupted() == "KeyboardInterrupt"
        assert kernel.run("x = 1; print('alive')") == "alive"
        before = kernel.pid
        kernel.manager.restart_kernel(now=True)
        kernel.client.wait_for_ready(timeout=300)
        assert kernel.run("print('x' in globals())") == "False"
        assert kernel.run(own) == str(kernel.pid) != str(before)

    removed = kaa("env", "remove", "-n", "forecast", "-y")
    assert removed.code == 0, removed.err
    assert kernels() == []
    assert list(below(root() / "envs")) == []
