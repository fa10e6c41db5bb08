"""Environments as virtualenv and programs for projects make them, taken over."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from end_to_end.machine import MINOR, kaa
from end_to_end.test_adopt_virtual import call, done, inodes, pip, plan, refused, versions
from kaa.sources.host import find_host_pythons
from kaa.store.layout import Layout
from sdists import write_project
from wheels import build_wheel

if TYPE_CHECKING:
    from collections.abc import Sequence

    from kaa.store.host_python import HostPython
    from local_index import LocalIndex

_OLDEST = (3, 9)
"""The oldest Python that virtualenv has a pip for."""


@pytest.fixture
def pythons(tmp_path: Path) -> list[HostPython]:
    """This machine's interpreters: the tests' own, and the oldest of another version if any."""
    found = find_host_pythons(Layout(tmp_path / "kaa"))
    others = [each for each in found if each.minor != MINOR and numbers(each) >= _OLDEST]
    own = next(each for each in found if each.minor == MINOR)
    return [own, *sorted(others, key=numbers)[:1]]


def numbers(python: HostPython) -> tuple[int, ...]:
    return tuple(int(part) for part in python.minor.split("."))


def made_by_virtualenv(prefix: Path, python: Path, *options: str) -> Path:
    command = (sys.executable, "-m", "virtualenv", "--no-download", "--python", python)
    call(*command, *options, prefix)
    return prefix


def add_pip(index: LocalIndex, prefix: Path) -> str:
    """Let the index have the pip that virtualenv brings, and return its version."""
    code = (
        "import sys; from virtualenv.seed.wheels.embed import get_embed_wheel as embedded; "
        "print(embedded('pip', sys.argv[1]).path)"
    )
    (site,) = prefix.glob("lib/python*/site-packages")
    wheel = call(sys.executable, "-c", code, site.parent.name.removeprefix("python")).strip()
    index.add(Path(wheel))
    return Path(wheel).name.split("-")[1]


def listed_by_pip(prefix: Path) -> dict[str, str]:
    found = json.loads(call(prefix / "bin" / "python", "-m", "pip", "list", "--format", "json"))
    return {each["name"].lower(): each["version"] for each in found}


def test_one_of_virtualenv_with_its_pip(
    tmp_path: Path, index: LocalIndex, pythons: Sequence[HostPython]
) -> None:
    index.headers = {"Cache-Control": "no-cache"}
    for number, python in enumerate(pythons):
        prefix = made_by_virtualenv(tmp_path / str(number) / "venv", python.executable)
        call(prefix / "bin" / "python", "-m", "pip", "install", "bear")
        version = add_pip(index, prefix)
        told = plan(prefix)
        assert told["program"] == "virtualenv"
        assert told["specs"][:2] == [f"python={python.minor}", "bear"]
        # The list of files of its pip has bytecode that is nowhere, which is no damage.
        assert "pip" not in {each["name"] for each in told["foreign"]}
        before = inodes(prefix)
        done(kaa("adopt", prefix, "-y"))
        assert inodes(prefix) == before
        assert versions(prefix) == listed_by_pip(prefix)
        assert versions(prefix)["pip"] == version
        assert "sound" in done(kaa("verify", "-p", prefix)).out
        done(kaa("remove", "-p", prefix, "bear", "-y"))
        assert versions(prefix) == listed_by_pip(prefix)
        assert call(prefix / "bin" / "pip", "--version").startswith(f"pip {version} ")
        done(kaa("verify", "-p", prefix))


def test_what_virtualenv_lists_and_has_not_is_no_damage(tmp_path: Path, index: LocalIndex) -> None:
    prefix = made_by_virtualenv(tmp_path / "venv", Path(sys.executable))
    assert "sound" in done(kaa("verify", "-p", prefix)).out
    (file,) = prefix.glob("lib/python*/site-packages/pip/__main__.py")
    file.unlink()
    assert "pip/__main__.py" in kaa("verify", "-p", prefix).out


def test_one_with_the_packages_of_its_python_says_what_to_do(
    tmp_path: Path, index: LocalIndex, pythons: Sequence[HostPython]
) -> None:
    prefix = made_by_virtualenv(
        tmp_path / "venv", pythons[0].executable, "--no-seed", "--system-site-packages"
    )
    pip(prefix, "install", "bear")
    said = refused(prefix)
    assert "--system-site-packages" in said and "kaa create -f requirements.txt" in said
    settings = prefix / "pyvenv.cfg"
    text = settings.read_text()
    # What the hint says, done.
    settings.write_text(text.replace("site-packages = true", "site-packages = false"))
    done(kaa("adopt", prefix, "-y"))
    assert versions(prefix) == {"bear": "1.0", "fur": "2.1"}
    assert subprocess.check_output([prefix / "bin" / "growl"]) == b"bear 1.0\n"


_PYPROJECT = """\
[project]
name = "zoo"
version = "1.0"
requires-python = ">=3.8"
dependencies = ["bear>=0.5", "fur; python_version < '3'"]

[project.optional-dependencies]
deep = ["den>=1"]

[dependency-groups]
dev = ["fox~=1.0"]
"""


def sync(folder: Path, index: LocalIndex, *arguments: str) -> Path:
    """Make a project's environment as uv does; nothing of the index is installed otherwise."""
    uv = (sys.executable, "-m", "uv", "sync", "--project", folder, "--python", sys.executable)
    call(*uv, *arguments, UV_DEFAULT_INDEX=index.url)
    return folder / ".venv"


def test_a_project_of_uv_says_what_is_asked_for_and_where_it_is_from(
    tmp_path: Path, index: LocalIndex
) -> None:
    for name in ("den", "fox"):
        index.add(build_wheel(tmp_path / "more", name))
    folder = tmp_path / "zoo"
    folder.mkdir()
    (folder / "pyproject.toml").write_text(_PYPROJECT)
    prefix = sync(folder, index, "--extra", "deep")
    asked = [f"python={MINOR}", "bear>=0.5", "fox~=1.0", "den>=1"]
    index.__exit__(None, None, None)  # the lock says it all
    told = plan(prefix)
    assert (told["program"], told["specs"], told["foreign"]) == ("uv", asked, [])
    assert "what was asked for is as pyproject.toml beside it has it" in told["notes"]
    done(kaa("adopt", prefix, "-y"))
    assert versions(prefix) == {"bear": "1.0", "den": "1.0", "fox": "1.0", "fur": "2.1"}


def test_a_lock_that_is_of_something_else_is_not_believed(
    tmp_path: Path, index: LocalIndex
) -> None:
    index.add(build_wheel(tmp_path / "more", "den"))
    folder = tmp_path / "zoo"
    folder.mkdir()
    (folder / "pyproject.toml").write_text(_PYPROJECT.replace('"fox~=1.0"', ""))
    prefix = sync(folder, index)
    lock = folder / "uv.lock"
    lock.write_text(lock.read_text().replace('version = "2.1"', 'version = "2.2"'))
    text = (folder / "pyproject.toml").read_text()
    (folder / "pyproject.toml").write_text(text.replace("bear>=0.5", "bear>=7"))
    told = plan(prefix)
    # What is there is not what is asked for there: it is as if nobody had said anything.
    assert (told["specs"], told["foreign"]) == ([f"python={MINOR}", "bear"], [])
    lock.write_text("[[[")
    (folder / "pyproject.toml").write_text("= 1")
    assert plan(prefix)["specs"] == [f"python={MINOR}", "bear"]
    assert any("fur" in request.path for request in index.requests)


def test_a_project_that_is_a_package_stays_editable(tmp_path: Path, index: LocalIndex) -> None:
    folder = write_project(tmp_path / "zoo", "zoo", requires=["bear"])
    prefix = sync(folder, index)
    told = plan(prefix)
    assert told["specs"] == [f"python={MINOR}", f"-e zoo @ {folder.as_uri()}"]
    done(kaa("adopt", prefix, "-y"))
    assert versions(prefix) == {"bear": "1.0", "fur": "2.1", "zoo": "1.0"}
    done(kaa("verify", "-p", prefix))
