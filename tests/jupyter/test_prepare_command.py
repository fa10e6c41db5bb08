"""``kaa kernels prepare``: the shared kernels, before anybody needs them."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

import kaa as kaa_package
from end_to_end.machine import Answer, kaa
from environment_layouts import MINOR, virtual_environment
from installed_wheels import pack, with_needs
from kaa.environments.prefix import Prefix
from kaa.kernels.overlay import overlay_prefix
from kaa.store.layout import default_layout
from kernels.conftest import move_into
from local_index import LocalIndex

if TYPE_CHECKING:
    from collections.abc import Iterator

pytestmark = pytest.mark.skipif(os.name == "nt", reason="environments are made as on POSIX")


@pytest.fixture
def index(tmp_path: Path) -> Iterator[LocalIndex]:
    """An index of one's own, with an ipykernel that can be upgraded."""
    with LocalIndex(headers={"Cache-Control": "max-age=0"}) as index:
        for distribution in with_needs("ipykernel"):
            index.add(pack(distribution, tmp_path))
        yield index


@pytest.fixture(autouse=True)
def home(
    isolated: None, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, index: LocalIndex
) -> Path:
    directory = tmp_path / "home"
    move_into(directory, monkeypatch)
    monkeypatch.setenv("PYTHONPATH", str(Path(kaa_package.__file__).parent.parent))
    monkeypatch.setenv("PIP_INDEX_URL", index.url)
    monkeypatch.setenv("PYENV_ROOT", str(tmp_path / "none"))
    virtual_environment(directory / ".virtualenvs" / "shop", f"{MINOR}.1")
    return directory


def overlay() -> Prefix:
    return Prefix(overlay_prefix(default_layout(), MINOR))


def generation() -> int | None:
    return overlay().current_number


def prepare(*arguments: str) -> Answer:
    return kaa("kernels", "prepare", *arguments, timeout=300)


def kernel_of(name: str) -> str:
    lines = kaa("kernels", "list").out.splitlines()
    return next(line for line in lines if line.startswith(f"{name} "))


def test_it_is_built_for_who_needs_it_and_updated_as_a_generation(
    index: LocalIndex, tmp_path: Path
) -> None:
    assert "shared, on first use" in kernel_of("shop")
    dry = prepare("--dry-run")
    assert f"for Python {MINOR} is to be built" in dry.out and "shop" in dry.out
    assert "nothing was changed" in dry.out
    assert generation() is None

    built = prepare("-y", MINOR, "--json").json
    assert built["success"] and [each["python"] for each in built["kernels"]] == [MINOR]
    version = built["kernels"][0]["ipykernel"]
    assert version and generation() == 1
    row = kernel_of("shop")
    assert "shared" in row and "first use" not in row

    again = prepare("-y", MINOR)
    assert again.code == 0 and f"is there, with ipykernel {version}" in again.out
    same = prepare("-y", "--update", f"{MINOR}.1")
    assert "the newest already" in same.out and generation() == 1

    newer = tmp_path / "newer"
    newer.mkdir()
    wheel = pack(next(with_needs("ipykernel")), newer, version="99.0")
    index.add(wheel)
    updated = prepare("-y", "--update", MINOR)
    assert updated.code == 0, updated.err
    assert "Prepared: ipykernel 99.0" in updated.out
    assert generation() == 2
    assert (overlay().generations / "1").is_dir()  # kernels that run have it


@pytest.mark.parametrize("python", ["3.7", "2.7", "3.13t"])
def test_a_python_that_no_shared_kernel_is_for(python: str) -> None:
    refused = prepare("-y", python)
    assert refused.code == 2
    assert "there is no shared kernel" in refused.err and "install ipykernel" in refused.err


def test_what_is_no_python() -> None:
    refused = prepare("-y", "shop")
    assert refused.code == 2 and "no version of Python" in refused.err


def test_one_that_fails_keeps_no_other_from_being_built() -> None:
    done = prepare("-y", MINOR, "3.99", "--json")
    assert done.code != 0
    assert not done.json["success"] and list(done.json["failed"]) == ["3.99"]
    assert {each["python"]: bool(each["ipykernel"]) for each in done.json["kernels"]} == {
        MINOR: True,
        "3.99": False,
    }
    assert prepare("-y", "3.99").err.count("3.99") >= 1


def test_cleaning_keeps_what_environments_of_others_are_lent(home: Path) -> None:
    assert prepare("-y", MINOR).code == 0
    kept = kaa("clean", "--dry-run", "--json").json
    assert "overlays" not in str(kept)
    (home / ".virtualenvs" / "shop").rename(home / "away")
    assert "overlays" in str(kaa("clean", "--dry-run", "--json").json)
