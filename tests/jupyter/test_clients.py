"""Programs that know Jupyter and not kaa: kernels by the names that they have on disk."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import TYPE_CHECKING, Any

import nbformat
import pytest

from jupyter.own_home import OwnHome, own_home
from kernels.conftest import MINOR

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

pytestmark = pytest.mark.skipif(os.name == "nt", reason="environments are made as on POSIX")

CODE = (
    "import os, sys; print('IN', os.path.realpath(sys.prefix), os.environ['VIRTUAL_ENV'], sep='|')"
)


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Iterator[OwnHome]:
    """A home in which ``kaa create`` made an environment, and ``venv`` another one."""
    made = own_home(tmp_path_factory.mktemp("clients") / "Zoë Müller")
    made.lend_ipykernel()
    made.kaa("create", "-n", "forecast", f"python={MINOR}", "-y", "-q")
    made.virtual_environment("shop")
    made.kaa("kernels", "sync")
    yield made


def prefix_of(kernel: str, home: OwnHome) -> Path:
    if kernel == "forecast":
        return home.layout.environments / "forecast"
    return home.path / ".virtualenvs" / "shop"


def notebook(home: OwnHome, kernel: str = "") -> Path:
    make: Any = nbformat.v4  # it has no types
    content = make.new_notebook(cells=[make.new_code_cell(CODE)])
    if kernel:
        content.metadata["kernelspec"] = {"name": kernel, "display_name": kernel}
    file = home.path / "in.ipynb"
    file.write_text(make.writes(content), encoding="utf-8")
    return file


def printed(file: Path) -> str:
    cells = json.loads(file.read_text(encoding="utf-8"))["cells"]
    # A stream may arrive in pieces, each an output.
    return "".join("".join(output["text"]) for output in cells[-1]["outputs"]).strip()


def papermill(home: OwnHome, kernel: str) -> str:
    out = home.path / "out.ipynb"
    home.run("-m", "papermill", "--kernel", kernel, notebook(home), out)
    return printed(out)


def nbconvert(home: OwnHome, kernel: str) -> str:
    option = f"--ExecutePreprocessor.kernel_name={kernel}"
    file = notebook(home)
    home.run("-m", "nbconvert", "--to", "notebook", "--execute", option, "--output", "out", file)
    return printed(home.path / "out.ipynb")


def nbconvert_by_metadata(home: OwnHome, kernel: str) -> str:
    file = notebook(home, kernel)
    whole = "--ExecutePreprocessor.coalesce_streams=True"
    return home.run("-m", "nbconvert", "--to", "markdown", "--execute", whole, "--stdout", file)


def jupyter_execute(home: OwnHome, kernel: str) -> str:
    file = notebook(home)
    home.run("-m", "jupyter", "execute", f"--kernel_name={kernel}", "--inplace", file)
    return printed(file)


def console(home: OwnHome, kernel: str) -> str:
    return home.run(
        *("-m", "jupyter", "console", "--simple-prompt", "--kernel", kernel),
        stdin=f"{CODE}\nexit\n",
    )


CREATED, SYNCED = "forecast", "conda-env-shop-py"


@pytest.mark.parametrize(
    ("kernel", "client"),
    [
        (CREATED, papermill),
        (CREATED, nbconvert),
        (CREATED, jupyter_execute),
        (CREATED, console),
        (SYNCED, papermill),
        (SYNCED, nbconvert_by_metadata),
    ],
    ids=lambda each: str(getattr(each, "__name__", each)),
)
def test_a_client_runs_code_in_the_environment(
    home: OwnHome, kernel: str, client: Callable[[OwnHome, str], str]
) -> None:
    prefix = prefix_of(kernel, home)
    assert f"IN|{prefix.resolve()}|{prefix}" in client(home, kernel)


def test_all_listings_agree(home: OwnHome) -> None:
    """Jupyter's own shows what is on disk; kaa's manager shows these under the same names."""
    on_disk = json.loads(home.run("-m", "jupyter", "kernelspec", "list", "--json"))["kernelspecs"]
    managed = json.loads(home.run("-m", "kaa.jupyter", "list", "--json"))["kernelspecs"]
    assert {"forecast", "conda-env-shop-py", "python3"} <= on_disk.keys()
    assert on_disk.keys() <= managed.keys()
    for name in ("forecast", "conda-env-shop-py"):
        told = on_disk[name]["spec"]["metadata"]["conda_env_path"]
        assert told == managed[name]["spec"]["metadata"]["conda_env_path"]
        assert told == str(prefix_of(name, home))
    prefixes = [
        spec["spec"]["metadata"]["conda_env_path"]
        for spec in managed.values()
        if spec["spec"]["metadata"].get("conda_raw_kernel_name") == "python3"
    ]
    assert len(prefixes) == len(set(prefixes)), "an environment is listed twice"


REAL_PYENV = str(Path.home() / ".pyenv")  # before tests have another home
PYTHONS = [f"3.{minor}" for minor in range(8, 15)]


@pytest.mark.network
@pytest.mark.slow
@pytest.mark.parametrize("minor", PYTHONS)
def test_every_python_runs_through_an_overlay_that_is_built_for_it(
    minor: str, tmp_path: Path
) -> None:
    home = own_home(tmp_path / "pythons")
    home.environ["PYENV_ROOT"] = os.environ.get("PYENV_ROOT", REAL_PYENV)
    listed = home.run("-c", _FIND, minor).split()
    if not listed:
        pytest.skip(f"this machine has no Python {minor}")
    home.kaa("create", "-n", "old", f"python={minor}", "-y", "-q")
    packages = json.loads(home.kaa("list", "-n", "old", "--json"))
    assert [package["name"] for package in packages] == ["python"]
    assert (home.layout.overlays / f"cp{minor.replace('.', '')}").is_dir()
    prefix = home.layout.environments / "old"
    assert papermill(home, "old") == f"IN|{prefix.resolve()}|{prefix}"
    version = f"import sys; print(sys.version_info[:2] == {tuple(map(int, minor.split('.')))})\n"
    told = home.run(
        *("-m", "jupyter", "console", "--simple-prompt", "--kernel", "old"), stdin=version
    )
    assert "True" in told


_FIND = """
import sys
from kaa.sources.host import find_host_pythons
from kaa.store.layout import default_layout
for found in find_host_pythons(default_layout()):
    if found.version.startswith(sys.argv[1] + "."):
        print(found.version)
"""
