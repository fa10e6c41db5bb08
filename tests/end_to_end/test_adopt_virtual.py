"""Environments of venv and uv, made by them, taken over: nothing in them moves or is made anew."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from typing import TYPE_CHECKING, Any

import pytest

from end_to_end.machine import KAA, MINOR, Answer, kaa, kernels, listed
from sdists import write_project
from wheels import build_wheel

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from local_index import LocalIndex

SITE = f"lib/python{MINOR}/site-packages"


@pytest.fixture
def folder(index: LocalIndex, tmp_path: Path) -> Path:
    """A project's directory; the index has mole, too, for which fur is too new."""
    index.headers = {"Cache-Control": "no-cache"}
    index.add(build_wheel(tmp_path / "more", "fur", "2.0"))
    index.add(build_wheel(tmp_path / "more", "mole", requires=["fur<2.1"]))
    (tmp_path / "project").mkdir()
    return tmp_path / "project"


def call(*command: str | Path, **variables: str) -> str:
    environ = {**os.environ, **variables}
    done = subprocess.run(
        list(map(str, command)), check=False, capture_output=True, text=True, env=environ
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


def pip(prefix: Path, *arguments: str | Path) -> str:
    options = ("--no-cache-dir", "--disable-pip-version-check")
    command = (sys.executable, "-m", "pip", "--python", prefix / "bin" / "python")
    return call(*command, *arguments, *options)


def made_by_venv(prefix: Path, *packages: str | Path) -> Path:
    call(sys.executable, "-m", "venv", "--without-pip", prefix)
    pip(prefix, "install", *packages)
    return prefix


def made_by_uv(prefix: Path, *packages: str | Path) -> Path:
    uv = (sys.executable, "-m", "uv")
    call(*uv, "venv", "--python", sys.executable, prefix)
    index = os.environ["PIP_INDEX_URL"]
    python = prefix / "bin" / "python"
    call(*uv, "pip", "install", "--python", python, *packages, UV_DEFAULT_INDEX=index)
    return prefix


def done(answer: Answer) -> Answer:
    assert answer.code == 0, answer.err
    return answer


def plan(*arguments: str | Path) -> dict[str, Any]:
    found: dict[str, Any] = done(kaa("adopt", *arguments, "--dry-run", "--json")).json["plan"]
    return found


def packages(prefix: Path) -> dict[str, dict[str, Any]]:
    return {each["name"]: each for each in done(kaa("list", "-p", prefix, "--json")).json}


def versions(prefix: Path) -> dict[str, str]:
    found = {name: each["version"] for name, each in packages(prefix).items()}
    del found["python"]
    return found


def pip_list(prefix: Path) -> dict[str, str]:
    found = json.loads(pip(prefix, "list", "--format", "json"))
    return {each["name"].lower(): each["version"] for each in found}


def inodes(prefix: Path) -> dict[str, int]:
    """Return the inode of every file but what a record is made of."""
    start = prefix.resolve()
    return {
        str(path.relative_to(start)): path.lstat().st_ino
        for path in start.rglob("*")
        if path.relative_to(start).parts[0] != "conda-meta"
    }


@pytest.mark.parametrize("make", [made_by_venv, made_by_uv])
def test_it_becomes_kaas_as_it_is(
    make: Callable[..., Path], folder: Path, index: LocalIndex
) -> None:
    prefix = make(folder / ".venv", "bear")
    told = plan(prefix)
    assert (told["program"], told["packages"]) == (make.__name__.removeprefix("made_by_"), 3)
    # fur came along, whatever the program that has installed it says.
    assert told["specs"] == [f"python={MINOR}", "bear"]
    assert (told["sources"], told["foreign"], told["overlay"]) == (["pypi"], [], MINOR)
    assert not prefix.is_symlink() and not (folder / ".kaa").exists()

    before, fetched = inodes(prefix), len(index.requests)
    out = done(kaa("adopt", prefix, "-y")).out
    assert f"its generations are going to be in {folder / '.kaa'}" in out
    assert "Adopted .venv; it is at generation 1 now." in out
    assert not any("bear" in each.path and ".whl" in each.path for each in index.requests[fetched:])
    assert os.readlink(prefix) == os.path.join(".kaa", ".venv", "1")  # noqa: PTH115, PTH118
    assert inodes(prefix) == before
    assert listed() == [str(prefix)] and len(kernels()) == 1

    assert versions(prefix) == pip_list(prefix) == {"bear": "1.0", "fur": "2.1"}
    found = packages(prefix)
    assert [name for name, each in found.items() if each["requested"]] == ["bear", "python"]
    assert found["bear"]["source"] == "pypi" and found["python"]["source"] == "host"
    assert "No broken requirements" in pip(prefix, "check")
    assert "sound" in done(kaa("verify", "-p", prefix)).out
    assert "bear" in done(kaa("why", "-p", prefix, "fur")).out
    assert call(prefix / "bin" / "growl") == "bear 1.0\n"


@pytest.mark.parametrize("make", [made_by_venv, made_by_uv])
def test_it_is_changed_like_any_other(
    make: Callable[..., Path], folder: Path, tmp_path: Path
) -> None:
    prefix = make(tmp_path / "envs" / "hive", "bear")
    (prefix / SITE / "mine.py").write_text("mine = True\n")
    done(kaa("adopt", "-p", prefix, "-y"))
    told = done(kaa("install", "-p", prefix, "mole", "--dry-run", "--json")).json["plan"]
    moved = sum(each["download"] for each in (*told["add"], *told["change"]))
    assert told["download_size"] > moved > 0  # bear, too, which stays
    asked = done(kaa("install", "-p", prefix, "fur", "--dry-run", "--json")).json["plan"]
    assert (asked["asked"], asked["add"], asked["download_size"] > moved) == (["fur"], [], True)
    done(kaa("install", "-p", prefix, "mole", "-y"))
    assert versions(prefix) == pip_list(prefix) == {"bear": "1.0", "fur": "2.0", "mole": "1.0"}
    assert "No broken requirements" in pip(prefix, "check")
    assert call(prefix / "bin" / "growl") == "bear 1.0\n"
    said = call(prefix / "bin" / "python", "-c", "import mine, sys; print(sys.prefix)")
    assert said.strip() == str(prefix)
    assert (prefix / "bin" / "activate").is_file()
    done(kaa("verify", "-p", prefix))

    done(kaa("undo", "-p", prefix, "-y"))
    assert versions(prefix) == pip_list(prefix) == {"bear": "1.0", "fur": "2.1"}
    done(kaa("verify", "-p", prefix))
    done(kaa("clone", "-p", prefix, "copy", "-y"))
    copy = tmp_path / "kaa" / "envs" / "copy"
    assert versions(copy) == pip_list(copy) == {"bear": "1.0", "fur": "2.1"}
    assert str(copy) in (copy / "bin" / "growl").read_text()
    done(kaa("remove", "-p", prefix, "bear", "-y"))
    assert versions(prefix) == pip_list(prefix) == {}
    assert not (prefix / "bin" / "growl").exists()


def test_what_the_solver_keeps_unasked_is_fetched(
    folder: Path, index: LocalIndex, tmp_path: Path
) -> None:
    """Extras that only an inner package asks for: the solver takes what is installed for them."""
    more = tmp_path / "more"
    index.add(build_wheel(more, "den", requires=["burrow[deep]"]))
    index.add(build_wheel(more, "burrow", extras={"deep": ["root[long]"]}))
    index.add(build_wheel(more, "root", extras={"long": ["tip"]}))
    index.add(build_wheel(more, "tip"))
    prefix = made_by_venv(folder / "venv", "den")
    done(kaa("adopt", prefix, "-y"))
    done(kaa("install", "-p", prefix, "bear", "-y"))
    assert versions(prefix) == pip_list(prefix)
    assert versions(prefix).keys() == {"bear", "burrow", "den", "fur", "root", "tip"}
    done(kaa("verify", "-p", prefix))


def test_what_is_broken_is_mended_from_the_index(folder: Path) -> None:
    prefix = made_by_venv(folder / "hive", "bear")
    done(kaa("adopt", prefix, "-y"))
    module = prefix / SITE / "bear" / "__init__.py"
    content = module.read_bytes()
    module.unlink()
    assert kaa("verify", "-p", prefix).code != 0
    done(kaa("repair", "-p", prefix, "-y"))
    assert module.read_bytes() == content
    done(kaa("verify", "-p", prefix))


def test_one_with_a_pip_of_its_own(folder: Path) -> None:
    """The index has neither that pip nor that setuptools."""
    prefix = folder / "venv"
    call(sys.executable, "-m", "venv", prefix)
    call(prefix / "bin" / "python", "-m", "pip", "install", "bear")
    before = pip_list(prefix)
    told = plan(prefix)
    assert {each["name"] for each in told["foreign"]} == before.keys() - {"bear", "fur"}
    assert any("no index has this version of it" in note for note in told["notes"])
    done(kaa("adopt", prefix, "-y"))
    assert versions(prefix) == pip_list(prefix) == before
    done(kaa("install", "-p", prefix, "mole", "-y"))
    assert pip_list(prefix) == before | {"fur": "2.0", "mole": "1.0"}
    assert call(prefix / "bin" / "pip", "--version").startswith("pip ")


def test_what_is_not_of_an_index_is_carried_along(
    folder: Path, index: LocalIndex, tmp_path: Path
) -> None:
    prefix = made_by_venv(folder / "venv", "bear")
    stoat = write_project(tmp_path / "stoat", "stoat")
    index.add(build_wheel(tmp_path / "more", "mink"))
    pip(prefix, "install", "--no-build-isolation", stoat)
    pip(prefix, "install", "mink")
    (prefix / SITE / "fur" / "__init__.py").write_text("edited = True\n")
    (prefix / SITE / "mink" / "__init__.py").write_text("edited = True\n")
    (prefix / SITE / "worm.egg-link").write_text("/somewhere\n")
    (prefix / SITE / "ape-1.0.dist-info").mkdir()
    told = plan(prefix)
    assert told["specs"] == [f"python={MINOR}", "bear"]
    notes = "\n".join(told["notes"])
    built = f"stoat 1.0 (of pip) stays as it is: it was built on this machine from {stoat.as_uri()}"
    assert built in notes
    changed = f"fur 2.1 (of pip) stays as it is: it was changed since: {SITE}/fur/__init__.py"
    assert f"{changed}; bear needs it, so that the next change installs it anew" in notes
    assert "ape 1.0 (of unknown) stays as it is: it has no list of its files" in notes

    done(kaa("adopt", prefix, "-y"))
    foreign = {name for name, each in packages(prefix).items() if each["foreign"]}
    assert foreign == {"ape", "fur", "mink", "stoat"}
    done(kaa("update", "-p", prefix, "bear", "-y"))
    code = "import fur, mink, stoat; print('edited' in vars(fur), mink.edited)"
    assert call(prefix / "bin" / "python", "-c", code).split() == ["False", "True"]
    assert (prefix / SITE / "worm.egg-link").is_file()
    # The second time it is packages that are adopted: from where they are from.
    done(kaa("adopt", prefix, "-y"))
    foreign = {name for name, each in packages(prefix).items() if each["foreign"]}
    assert foreign == {"ape", "mink"}


def test_an_index_that_does_not_answer_stops_nothing(folder: Path, index: LocalIndex) -> None:
    prefix = made_by_venv(folder / "venv", "bear")
    index.__exit__(None, None, None)
    told = plan(prefix)
    assert {each["name"] for each in told["foreign"]} == {"bear", "fur"}
    assert any("bear 1.0 (of pip) stays" in n and "looked up" in n for n in told["notes"])
    done(kaa("adopt", prefix, "-y"))
    assert versions(prefix) == {"bear": "1.0", "fur": "2.1"}
    assert call(prefix / "bin" / "growl") == "bear 1.0\n"


def refused(prefix: Path) -> str:
    answer = kaa("adopt", prefix, "-y")
    assert answer.code == 2, answer.err
    assert not prefix.is_symlink()
    return answer.err


def test_what_cannot_be_adopted_says_why(folder: Path, tmp_path: Path) -> None:
    prefix = made_by_venv(folder / "venv", "bear")
    before = inodes(prefix)
    settings = prefix / "pyvenv.cfg"
    text = settings.read_text()
    settings.write_text(text.replace("packages = false", "packages = true"))
    assert "--system-site-packages" in refused(prefix)
    settings.write_text(text.replace(f"version = {MINOR}", "version = 3.6"))
    assert "Python 3.6 is older than 3.8" in refused(prefix)
    settings.write_text(text.replace(f"version = {MINOR}", "version = 3.99"))
    assert "its packages are for Python 3.99" in refused(prefix)
    settings.write_text(text)
    for name in ("python", "python3", f"python{MINOR}"):
        (prefix / "bin" / name).unlink()
        (prefix / "bin" / name).symlink_to(tmp_path / "gone")
    assert f"{tmp_path / 'gone'} is not there" in refused(prefix)
    (tmp_path / "gone").write_text("#!/bin/sh\nexit 3\n")
    (tmp_path / "gone").chmod(0o755)
    assert "does not start, or is no CPython" in refused(prefix)
    assert inodes(prefix).keys() == before.keys()
    assert "is not an environment" in kaa("adopt", tmp_path / "more", "-y").err


def test_it_is_found_by_its_name_and_who_uses_it_is_told(
    folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("WORKON_HOME", str(tmp_path / "work"))
    prefix = made_by_venv(tmp_path / "work" / "hive", "bear")
    code = "print('on', flush=True)\nfor line in __import__('sys').stdin: exec(line)"
    command = [str(prefix / "bin" / "python"), "-u", "-c", code]
    with subprocess.Popen(
        command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "on\n"
        told = done(kaa("adopt", "-n", "hive", "-y", "--json")).json
        assert [each["pid"] for each in told["plan"]["processes"]] == [process.pid]
        assert told["environment"]["prefix"] == str(prefix)
        out, _ = process.communicate("import bear; print(bear.__file__)\n")
    assert out.startswith(str(prefix))
    assert "Nothing to do" in done(kaa("adopt", prefix, "-y")).out
    missing = kaa("adopt", "-n", "honey", "-y")
    assert missing.code == 3 and "there is no environment 'honey'" in missing.err


def test_of_two_at_once_one_does_it(folder: Path) -> None:
    prefix = made_by_venv(folder / "venv", "bear")
    command = [*KAA, "adopt", "-p", str(prefix), "-y"]
    both = [subprocess.Popen(command, stderr=subprocess.PIPE, text=True) for _ in range(2)]
    ended = [(each.communicate()[1], each.returncode) for each in both]
    assert 0 in {code for _, code in ended}, ended
    for said, code in ended:
        # The second one comes after the first, or waits for it.
        assert code == 0 or "it is one of kaa's environments already" in said
    assert os.readlink(prefix) == os.path.join(".kaa", "venv", "1")  # noqa: PTH115, PTH118
    assert versions(prefix) == {"bear": "1.0", "fur": "2.1"}


def test_an_interrupted_adoption_is_finished(folder: Path) -> None:
    """As it is where two names cannot be exchanged, between the two renames."""
    prefix = made_by_venv(folder / "venv", "bear")
    before = inodes(prefix)
    code = (
        "import os, sys\nfrom kaa.__main__ import main\nfrom kaa.transaction import adoption\n"
        "adoption.exchange = lambda one, other: False\n"
        "link = adoption.Path.rename\n"
        "def rename(self, target):\n"
        "    if self.name == 'link': os._exit(9)\n"
        "    return link(self, target)\n"
        "adoption.Path.rename = rename\nsys.argv[0] = 'kaa'\nmain()"
    )
    command = [KAA[0], "-c", code, "adopt", "-p", str(prefix), "-y"]
    killed = subprocess.run(command, capture_output=True, check=False)
    assert killed.returncode == 9, killed.stderr
    assert not prefix.exists()
    done(kaa("adopt", prefix, "-y"))
    assert versions(prefix) == {"bear": "1.0", "fur": "2.1"}
    assert inodes(prefix) == before
    done(kaa("verify", "-p", prefix))
