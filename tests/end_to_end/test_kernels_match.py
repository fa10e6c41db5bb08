"""``kaa kernels match``: notebooks of other machines, and programs that ask no manager."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import nbformat
import pytest
from nbclient import NotebookClient

from end_to_end.machine import MINOR, home, kaa, kernels
from environment_layouts import virtual_environment
from kaa.kernels.overlay import overlay_prefix
from kaa.store.layout import default_layout
from kernels.conftest import add_ipykernel, make_generation, site_of

if TYPE_CHECKING:
    from end_to_end.machine import Answer
    from local_index import LocalIndex

pytestmark = pytest.mark.skipif(os.name == "nt", reason="environments are made as on POSIX")
FORMAT: Any = nbformat  # it has no types


def environment(name: str) -> Path:
    return virtual_environment(home() / ".virtualenvs" / name, f"{MINOR}.1")


def write_notebook(name: str, kernel: str | None, source: str = "1", **metadata: Any) -> Path:
    make = FORMAT.v4
    if kernel is not None:
        metadata["kernelspec"] = {"name": kernel, "display_name": kernel, "language": "python"}
    notebook = make.new_notebook(cells=[make.new_code_cell(source)], metadata=metadata)
    file = Path(name)
    FORMAT.write(notebook, file)
    return file


def spec(name: str) -> dict[str, Any]:
    file = Path(os.environ["JUPYTER_DATA_DIR"]) / "kernels" / name / "kernel.json"
    content = json.loads(file.read_text())
    assert isinstance(content, dict)
    return content


def of_the_shop() -> list[str]:
    """Return the kernels on disk without those of the machine's own interpreters."""
    return [name for name in kernels() if "shop" in name]


def test_what_is_said_of_notebooks(demo: Answer) -> None:
    environment("shop")
    notebooks = [
        write_notebook("own.ipynb", "demo"),
        write_notebook("native.ipynb", "python3"),
        write_notebook("shop.ipynb", "Shop"),
        write_notebook("spelled.ipynb", "conda-env-demo-py"),
        write_notebook("needs.ipynb", "gone", kaa={"requirements": ["bear", "fur>=2"]}),
        write_notebook("far.ipynb", "gone"),
        write_notebook("mute.ipynb", None),
    ]
    before = [file.read_bytes() for file in notebooks]
    answer = kaa("kernels", "match", *notebooks, "--json")
    assert answer.code == 0, answer.err
    told = {each["notebook"]: each for each in answer.json["notebooks"]}
    here = {name: each["here"] for name, each in told.items()}
    assert [name for name in here if here[name]] == ["own.ipynb", "native.ipynb"]
    near = {
        name: (each["nearest"]["environment"], each["nearest"]["because"])
        for name, each in told.items()
        if each["nearest"]
    }
    assert near == {
        "shop.ipynb": ("shop", "name"),
        "spelled.ipynb": ("demo", "spelling"),
        "needs.ipynb": ("demo", "requirements"),
    }
    assert told["mute.ipynb"]["kernel"] is None
    assert [file.read_bytes() for file in notebooks] == before
    assert kernels() == ["demo"]

    text = kaa("kernels", "match", *notebooks).out
    lines = {line.split()[0]: line for line in text.splitlines()}
    assert "it has all that the notebook needs" in lines["needs.ipynb"]
    assert lines["far.ipynb"].endswith("nothing is near")
    assert lines["mute.ipynb"].endswith("it names none")


def test_what_is_written_runs_under_the_name_that_is_wanted() -> None:
    add_ipykernel(site_of(make_generation(overlay_prefix(default_layout(), MINOR))))
    prefix = environment("shop")
    code = "import os; print(os.environ['VIRTUAL_ENV'])"
    file = write_notebook("from-elsewhere.ipynb", "Shop_", code)
    for options in (["--dry-run"], ["--write", "--dry-run"]):
        assert kaa("kernels", "match", file, *options).code == 0
        assert kernels() == []
    unasked = kaa("kernels", "match", file, "--write")
    assert unasked.code != 0 and kernels() == []
    written = kaa("kernels", "match", file, "--write", "-y")
    assert written.code == 0, written.err
    assert kernels() == ["shop_"]
    assert spec("shop_")["display_name"] == "Python [conda env:shop], for Shop_"
    assert spec("shop_")["metadata"]["kaa"]["wanted"] == "Shop_"

    notebook = FORMAT.read(file, as_version=4)
    NotebookClient(
        notebook, timeout=300, coalesce_streams=True
    ).execute()  # under the notebook's own kernel
    assert notebook.cells[0].outputs[0].text.strip() == str(prefix)

    again = kaa("kernels", "match", file, "--json").json["notebooks"][0]
    assert again["here"] is True

    # The environment's own kernelspec is another one, and neither goes for the other.
    assert kaa("kernels", "sync").code == 0
    assert of_the_shop() == ["conda-env-shop-py", "shop_"]
    assert kaa("kernels", "list").code == 0
    assert of_the_shop() == ["conda-env-shop-py", "shop_"]

    shutil.rmtree(prefix)
    gone = kaa("kernels", "match", file, "--json").json["notebooks"][0]
    assert gone["here"] is False, "what leads nowhere is no kernel"
    assert kaa("kernels", "prune", "-y").code == 0
    assert of_the_shop() == []


def test_it_goes_with_an_environment_of_kaas_own(demo: Answer) -> None:
    file = write_notebook("spelled.ipynb", "conda-env-demo-py")
    assert kaa("kernels", "match", file, "--write", "-y").code == 0
    assert kernels() == ["conda-env-demo-py", "demo"]
    assert kaa("env", "remove", "-n", "demo", "-y").code == 0
    assert kernels() == []


def test_what_is_recorded_is_matched(demo: Answer) -> None:
    file = write_notebook("report.ipynb", "gone", kaa={"other": 1})
    before = file.read_bytes()
    assert kaa("kernels", "record", file, "-n", "demo", "--dry-run").code == 0
    assert kaa("kernels", "record", file, "-n", "demo").code != 0, "it asks"
    assert kaa("kernels", "record", file, "gone.ipynb", "-n", "demo", "-y").code == 2
    assert file.read_bytes() == before
    answer = kaa("kernels", "record", file, "-n", "demo", "-y", "--json")
    assert answer.code == 0, answer.err
    assert answer.json["requirements"] == ["bear"]
    content = json.loads(file.read_text())
    assert content["metadata"].pop("kaa") == {"other": 1, "requirements": ["bear"]}
    assert content["cells"] == json.loads(before)["cells"]
    (told,) = kaa("kernels", "match", file, "--json").json["notebooks"]
    assert told["nearest"]["environment"] == "demo"
    assert told["nearest"]["because"] == "requirements"


def test_a_virtual_environment_is_recorded_and_matched(index: LocalIndex, tmp_path: Path) -> None:
    venv = tmp_path / "work" / "hive"
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", venv], check=True)
    pip = [sys.executable, "-m", "pip", "--python", str(venv / "bin" / "python")]
    command = [*pip, "install", "bear", "--no-cache-dir", "--quiet"]
    subprocess.run(command, check=True)
    file = write_notebook("report.ipynb", "gone")
    told = kaa("kernels", "record", file, "-p", venv, "-y", "--json")
    assert told.code == 0, told.err
    # Its fur came along with it.
    assert (told.json["environment"], told.json["requirements"]) == ("hive", ["bear>=1.0"])
    content = json.loads(file.read_text())
    assert content["metadata"]["kaa"] == {"requirements": ["bear>=1.0"]}
    assert kaa("create", "-n", "demo", "bear", "-y").code == 0
    (matched,) = kaa("kernels", "match", file, "--json").json["notebooks"]
    assert matched["nearest"]["because"] == "requirements"
    (site,) = venv.glob("lib/python*/site-packages")
    for metadata in site.glob("*.dist-info"):
        shutil.rmtree(metadata)
    assert "nobody knows what" in kaa("kernels", "record", file, "-p", venv, "-y").err


def test_bad_input(demo: Answer) -> None:
    broken = Path("broken.ipynb")
    broken.write_text("{")
    other = Path("other.ipynb")
    other.write_text("[]")
    good = write_notebook("good.ipynb", "conda-env-demo-python3")
    named = write_notebook("named.ipynb", "De mo", kaa={"requirements": ["bear"]})
    foreign = Path(os.environ["JUPYTER_DATA_DIR"]) / "kernels" / "conda-env-demo-python3"
    answer = kaa("kernels", "match", broken, other, "gone.ipynb", good)
    assert answer.code == 7 and "Traceback" not in answer.err
    for words in ("broken.ipynb: it is no notebook", "other.ipynb: it is", "gone.ipynb: No such"):
        assert words in answer.err.replace("\n", " ")
    assert "good.ipynb" in answer.out

    answer = kaa("kernels", "match", named, good, "--write", "-y")
    assert answer.code == 7 and "Jupyter takes no kernel of the name" in answer.err
    assert foreign.is_dir(), "the others are written"
    content = spec(foreign.name)
    del content["metadata"]["kaa"]
    (foreign / "kernel.json").write_text(json.dumps(content))
    answer = kaa("kernels", "match", good, "--json")
    assert answer.json["notebooks"][0]["here"] is True, "whoever wrote it"
