from __future__ import annotations

import os
from pathlib import Path

import pytest

from kaa.kernels.overlay import (
    overlay_needed,
    overlay_prefix,
    overlay_ready,
    overlay_site_packages,
    python_minor,
)
from kaa.store.layout import Layout

from .conftest import MINOR, add_ipykernel, make_generation, site_of

pytestmark = pytest.mark.skipif(os.name == "nt", reason="generations are made as on POSIX")


def test_where_the_overlay_is(tmp_path: Path) -> None:
    layout = Layout(tmp_path)
    assert overlay_prefix(layout, "3.12") == tmp_path / "overlays" / "cp312"
    assert overlay_site_packages(layout, "3.13t") == Path(
        tmp_path, "overlays", "cp313t", "lib", "python3.13t", "site-packages"
    )


def test_an_overlay_is_ready_when_it_has_ipykernel(tmp_path: Path) -> None:
    layout = Layout(tmp_path)
    assert not overlay_ready(layout, MINOR)
    generation = make_generation(overlay_prefix(layout, MINOR))
    assert not overlay_ready(layout, MINOR)
    add_ipykernel(site_of(generation))
    assert overlay_ready(layout, MINOR)


def test_an_environment_needs_it_unless_it_has_ipykernel_or_no_python(tmp_path: Path) -> None:
    generation = make_generation(tmp_path / "demo")
    assert overlay_needed(generation) == MINOR
    add_ipykernel(site_of(generation))
    assert overlay_needed(generation) is None
    (tmp_path / "empty").mkdir()
    assert overlay_needed(tmp_path / "empty") is None
    assert overlay_needed(tmp_path / "missing") is None


@pytest.mark.parametrize(
    ("files", "minor"),
    [
        (["conda-meta/python-3.9.18-h12_0_cpython.json"], "3.9"),
        (["conda-meta/python-3.14.0rc2-h12_0_cp314.json", "lib/python3.11/x"], "3.14"),
        (["conda-meta/python-dateutil-3.1.0-py_0.json", "lib/python3.11/x"], "3.11"),
        (["conda-meta/python-3.13.0-h1_0_cp313t.json", "lib/python3.13t/x"], "3.13t"),
        (["lib/python3.9/x", "lib/python3.10/x", "lib/python3/x"], "3.10"),
        (["lib/other/x"], None),
    ],
)
def test_the_version_is_read_off_the_files(
    files: list[str], minor: str | None, tmp_path: Path
) -> None:
    for file in ["bin/python", *files]:
        (tmp_path / file).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / file).touch()
    assert python_minor(tmp_path) == minor


@pytest.mark.parametrize("key", ["version", "version_info"])
def test_the_version_of_a_virtual_environment(key: str, tmp_path: Path) -> None:
    (tmp_path / "bin").mkdir()
    (tmp_path / "bin" / "python").touch()
    (tmp_path / "pyvenv.cfg").write_text(f"home = /usr/bin\n{key} = 3.10.4\n")
    assert python_minor(tmp_path) == "3.10"
