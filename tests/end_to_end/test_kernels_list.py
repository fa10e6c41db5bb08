"""``kaa kernels list``: whatever is on the machine, and why it cannot run if it cannot."""

from __future__ import annotations

from typing import TYPE_CHECKING

from end_to_end.machine import home, kaa
from environment_layouts import conda_environment, virtual_environment

if TYPE_CHECKING:
    from end_to_end.machine import Answer


def test_kernels_of_all_makers(demo: Answer) -> None:
    conda_environment(home() / "miniconda3" / "envs" / "work")
    virtual_environment(home() / ".virtualenvs" / "old", "3.6.15")
    listed = kaa("kernels", "list", "--json").json
    kernels = {kernel["environment"]["name"]: kernel for kernel in listed["kernels"]}
    assert kernels["demo"]["kernel"] == "overlay"
    assert kernels["demo"]["id"] == "conda-env-demo-py"
    assert kernels["demo"]["environment"]["python"].startswith("3.")
    assert kernels["work"]["environment"]["kind"] == "conda"
    assert kernels["old"]["kernel"] is None
    assert "older than 3.8" in kernels["old"]["environment"]["problem"]

    text = kaa("kernels", "list").out.splitlines()
    assert text[0].split() == ["Environment", "Made", "by", "Language", "Kernel", "Prefix"]
    assert [line.split()[:2] for line in text if line.startswith("demo ")] == [["demo", "kaa"]]
    assert any("none: Python 3.6.15 is older" in line for line in text)
    assert "conda-env-work-py" in kaa("kernels", "list", "-v").out
