from __future__ import annotations

import json
import os
import stat
import sys
from typing import TYPE_CHECKING

import pytest
from jupyter_client.kernelspec import KernelSpecManager

from kaa.kernels.specs import (
    Kernelspec,
    find_kernelspecs,
    kernelspec_directory,
    prune_kernelspecs,
    remove_kernelspec,
    write_kernelspec,
)
from kaa.model.errors import KernelError
from kaa.store.layout import Layout

from .conftest import MINOR, add_ipykernel, make_generation, site_of

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

pytestmark = pytest.mark.skipif(os.name == "nt", reason="generations are made as on POSIX")


@pytest.fixture(autouse=True)
def jupyter(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Jupyter directories that nobody else uses."""
    monkeypatch.setenv("JUPYTER_DATA_DIR", str(tmp_path / "jupyter"))
    monkeypatch.setenv("JUPYTER_PATH", str(tmp_path / "shared"))
    return tmp_path / "jupyter"


@pytest.fixture
def layout(tmp_path: Path) -> Layout:
    return Layout(tmp_path / "root")


def write(name: str | None, prefix: Path, layout: Layout) -> Kernelspec:
    generation = prefix.resolve() if prefix.exists() else make_generation(prefix)
    spec = write_kernelspec(name, prefix, generation, layout)
    assert spec is not None
    return spec


def named(name: str, layout: Layout) -> Kernelspec:
    return write(name, layout.environments / name, layout)


def foreign(directory: Path) -> Path:
    directory.mkdir(parents=True)
    content = {"argv": ["x"], "display_name": "X", "language": "x", "metadata": {"kaa": 3}}
    (directory / "kernel.json").write_text(json.dumps(content))
    return directory


def test_jupyter_reads_the_kernelspec(layout: Layout) -> None:
    spec = named("demo", layout)
    assert "demo" in KernelSpecManager().find_kernel_specs()
    read = KernelSpecManager().get_kernel_spec("demo")
    prefix = layout.environments / "demo"
    assert read.argv == [
        *(str(prefix / "bin" / "python"), "-I", "-S", str(layout.launcher)),
        *("--prefix", str(prefix), "--overlays", str(layout.overlays)),
        *("--fallback", sys.executable, "--", "-f", "{connection_file}"),
    ]
    assert read.display_name == spec.display_name == f"Python {MINOR} (demo)"
    assert (read.language, read.interrupt_mode) == ("python", "signal")
    assert read.metadata["debugger"] is True
    assert read.metadata["conda_env_name"] == "demo"
    assert read.metadata["conda_env_path"] == str(prefix)
    assert read.metadata["conda_language"] == "Python"
    assert read.metadata["conda_raw_kernel_name"] == "python3"
    assert read.metadata["kaa"]["prefix"] == str(prefix)
    assert layout.launcher.exists()
    assert find_kernelspecs() == [spec]


def test_the_logos_come_from_where_ipykernel_is(layout: Layout) -> None:
    assert [file.name for file in named("bare", layout).directory.iterdir()] == ["kernel.json"]
    prefix = layout.environments / "own"
    add_ipykernel(site_of(make_generation(prefix)))
    files = {file.name for file in write("own", prefix, layout).directory.iterdir()}
    assert {"kernel.json", "logo-64x64.png", "logo-svg.svg"} <= files


def test_an_old_python_does_not_run_the_launcher_itself(layout: Layout) -> None:
    prefix = layout.environments / "old"
    site = site_of(make_generation(prefix, minor="3.6"), "3.6")
    write("old", prefix, layout)
    refused = KernelSpecManager().get_kernel_spec("old").argv
    assert refused[:3] == [sys.executable, "-m", "kaa.jupyter.fallback"]
    (site / "ipykernel_launcher.py").touch()
    write("old", prefix, layout)
    argv = KernelSpecManager().get_kernel_spec("old").argv
    assert argv[:4] == [sys.executable, "-I", "-S", str(layout.launcher)]
    assert argv[argv.index("--minor") + 1] == "3.6"
    assert argv[argv.index("--prefix") + 1] == str(prefix)


def test_encryption_is_promised_only_for_an_ipykernel_that_has_it(layout: Layout) -> None:
    prefix = layout.environments / "demo"
    resources = site_of(make_generation(prefix)) / "ipykernel"
    resources.mkdir()
    (resources.parent / "ipykernel_launcher.py").touch()
    write("demo", prefix, layout)
    assert "supported_encryption" not in KernelSpecManager().get_kernel_spec("demo").metadata
    (resources / "kernelspec.py").write_text('{"supported_encryption": ["curve"]}')
    write("demo", prefix, layout)
    metadata = KernelSpecManager().get_kernel_spec("demo").metadata
    assert metadata["supported_encryption"] == ["curve"]


@pytest.mark.parametrize(
    ("name", "kernel"),
    [
        ("demo", "demo"),
        ("Demo-1.0_x", "demo-1.0_x"),
        ("python3", "kaa-python3"),
        ("theirs", "kaa-theirs"),
        ("shared", "kaa-shared"),
        ("Données d'été", "donnees-d-ete"),
        (".venv", "venv"),
    ],
)
def test_kernel_names(
    name: str, kernel: str, layout: Layout, jupyter: Path, tmp_path: Path
) -> None:
    foreign(jupyter / "kernels" / "Theirs")
    foreign(tmp_path / "shared" / "kernels" / "shared")
    spec = named(name, layout)
    assert spec.name == kernel
    assert kernel in KernelSpecManager().find_kernel_specs()
    assert spec.display_name == f"Python {MINOR} ({name})"


def test_names_that_meet_become_unique_and_stay(layout: Layout, tmp_path: Path) -> None:
    specs = [
        named("demo", layout),
        named("Demo", layout),
        write(None, tmp_path / "a" / "demo", layout),
        named("环境", layout),
        named("環境", layout),
    ]
    names = [spec.name for spec in specs]
    assert names[:2] == ["demo", "kaa-demo"]
    assert names[2].startswith("kaa-demo-")
    assert len(set(names)) == 5
    assert set(names) <= set(KernelSpecManager().find_kernel_specs())
    # Writing again neither renames nor doubles one, even when a better name is free now.
    remove_kernelspec(layout.environments / "demo")
    again = [write(None, tmp_path / "a" / "demo", layout), named("Demo", layout)]
    assert [spec.name for spec in again] == [names[2], names[1]]
    assert len(find_kernelspecs()) == 4


def test_a_change_of_python_changes_the_kernelspec(layout: Layout) -> None:
    prefix = layout.environments / "demo"
    named("demo", layout)
    changed = write_kernelspec("demo", prefix, make_generation(prefix, 2, minor="3.99"), layout)
    assert changed is not None
    assert changed.display_name == "Python 3.99 (demo)"
    assert find_kernelspecs() == [changed]


def test_an_environment_without_python_is_no_kernel(layout: Layout) -> None:
    prefix = layout.environments / "demo"
    named("demo", layout)
    (prefix / "bin" / "python").unlink()
    assert write_kernelspec("demo", prefix, prefix.resolve(), layout) is None
    assert find_kernelspecs() == []


def test_only_the_marked_kernelspec_of_the_prefix_is_removed(layout: Layout, jupyter: Path) -> None:
    other = foreign(jupyter / "kernels" / "other")
    (jupyter / "kernels" / "broken").mkdir()
    (jupyter / "kernels" / "broken" / "kernel.json").write_text("{")
    spec, kept = named("demo", layout), named("kept", layout)
    assert remove_kernelspec(layout.environments / "demo") == [spec]
    assert remove_kernelspec(layout.environments / "demo") == []
    assert not spec.directory.exists()
    assert find_kernelspecs() == [kept]
    assert other.exists()
    assert (jupyter / "kernels" / "broken" / "kernel.json").exists()


def test_kernelspecs_of_environments_that_are_gone_are_pruned(layout: Layout) -> None:
    gone, kept = named("gone", layout), named("kept", layout)
    (layout.environments / "gone").unlink()
    assert prune_kernelspecs() == [gone]
    assert prune_kernelspecs() == []
    assert find_kernelspecs() == [kept]


@pytest.mark.skipif(not hasattr(os, "getuid") or os.getuid() == 0, reason="root may go anywhere")
def test_an_environment_out_of_reach_is_not_gone(layout: Layout) -> None:
    named("demo", layout)
    layout.environments.chmod(0)
    try:
        assert prune_kernelspecs() == []
    finally:
        layout.environments.chmod(0o700)
    assert len(find_kernelspecs()) == 1


def test_no_directory_of_jupyters_is_no_error(jupyter: Path, layout: Layout) -> None:
    assert find_kernelspecs() == prune_kernelspecs() == []
    assert remove_kernelspec(layout.environments / "demo") == []
    assert kernelspec_directory() == jupyter / "kernels"
    assert not jupyter.exists()


def test_what_an_interrupted_write_left_is_no_kernel_and_no_obstacle(
    layout: Layout, jupyter: Path
) -> None:
    (jupyter / "kernels" / "demo").mkdir(parents=True)
    assert "demo" not in KernelSpecManager().find_kernel_specs()
    spec = named("demo", layout)
    assert spec.name == "demo"
    assert [file.name for file in spec.directory.iterdir()] == ["kernel.json"]


@pytest.fixture
def blocked(jupyter: Path) -> Iterator[Path]:
    """A data directory that nobody can write to, not even root: a file is in its place."""
    jupyter.touch()
    yield jupyter
    jupyter.unlink()


def test_a_directory_that_cannot_be_written_is_an_error_with_a_hint(
    layout: Layout, blocked: Path
) -> None:
    with pytest.raises(KernelError) as caught:
        named("demo", layout)
    assert str(blocked) in caught.value.message
    assert "JUPYTER_DATA_DIR" in str(caught.value.hint)
    assert caught.value.exit_code == 7
    assert find_kernelspecs() == []


@pytest.mark.skipif(not hasattr(os, "getuid") or os.getuid() == 0, reason="root may write anywhere")
def test_missing_permissions_are_an_error_with_a_hint(layout: Layout, jupyter: Path) -> None:
    spec = named("demo", layout)
    (jupyter / "kernels").chmod(stat.S_IRUSR | stat.S_IXUSR)
    try:
        with pytest.raises(KernelError):
            named("second", layout)
        spec.directory.chmod(stat.S_IRUSR | stat.S_IXUSR)
        with pytest.raises(KernelError):
            remove_kernelspec(spec.prefix)
    finally:
        (jupyter / "kernels").chmod(0o700)
        spec.directory.chmod(0o700)
    assert find_kernelspecs() == [spec]
