"""An environment once more, at another place: nothing in it names the first one's path."""

from __future__ import annotations

import asyncio
import json
import os
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from conda_channel import CondaChannel
from conda_packages import PLACEHOLDER, Content, build_conda_package
from end_to_end.machine import KAA, MINOR, PYTHON, kaa, kernels, listed, names, root, unfinished
from tree_hashes import tree
from wheels import build_wheel

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from end_to_end.machine import Answer
    from local_index import LocalIndex

    Kaa = Callable[..., Answer]

SITE = f"lib/python{MINOR}/site-packages"
ODD = "it's odd grün"


@pytest.fixture
def den(tmp_path: Path) -> Iterator[CondaChannel]:
    """A channel with a tool that carries its prefix in a script, a setting and a program."""
    channel = CondaChannel(tmp_path / "den", subdirs=("noarch", "linux-64"))
    files: dict[str, Content] = {
        "bin/tool": f"#!/bin/sh\ncat {PLACEHOLDER}/share/tool.txt\n",
        "share/tool.txt": f"I am in {PLACEHOLDER}\n",
        "etc/tool.conf": f"home = {PLACEHOLDER}\n",
        "lib/tool.bin": b"\x7fELF\0" + PLACEHOLDER.encode() + b"/lib\0\0rest",
    }
    channel.add(build_conda_package(tmp_path / "p", "tool", noarch="generic", files=files))
    channel.add(build_conda_package(tmp_path / "p", "tool", "2.0", noarch="generic", files=files))
    channel.write()
    yield channel


def naming(directory: Path, path: Path) -> list[str]:
    """Return the files below a directory in which a path is named."""
    wanted = os.fsencode(path)
    found = []
    for folder, _, files in os.walk(directory.resolve()):
        for name in files:
            file = Path(folder, name)
            content = os.fsencode(file.readlink()) if file.is_symlink() else file.read_bytes()
            if wanted in content:
                found.append(str(file.relative_to(directory.resolve())))
    return found


def packages_of(found: dict[str, str]) -> dict[str, str]:
    """Return a tree without what tells of its history, and without bytecode, which is left out."""
    return {
        path: identity
        for path, identity in found.items()
        if not path.startswith("conda-meta/kaa") and "__pycache__" not in path
    }


def test_a_clone_names_only_its_own_path(den: CondaChannel, kaa_here: Kaa, tmp_path: Path) -> None:
    alpha = root() / "envs" / "alpha"
    kaa_here("create", "-n", "alpha", "-c", den.file_url, "tool=1.0", "-y", "-q")
    (alpha / "etc" / "mine.conf").write_text(f"path = {alpha}/data and {alpha.resolve()}\n")
    (alpha / "data").mkdir()
    (alpha / "data" / "notes.txt").write_text("mine")
    (alpha / "etc" / "tool.conf").write_text(f"home = {alpha}\nedited = yes\n")
    before = tree(alpha)

    plan = kaa_here("clone", "alpha", "beta", "--dry-run", "--json").json["plan"]
    assert [each["name"] for each in plan["add"]] == ["tool"] and not (
        root() / "envs/beta"
    ).exists()
    odd = tmp_path / ODD / "gämma"
    for target in ("beta", odd):
        kaa_here("clone", "alpha", target, "--offline", "-y", "-q")
        copy = root() / "envs" / "beta" if target == "beta" else odd
        assert naming(copy, alpha) == [] and naming(copy, alpha.resolve()) == []
        assert f"I am in {copy}\n" == (copy / "share" / "tool.txt").read_text()
        assert (
            (copy / "lib" / "tool.bin")
            .read_bytes()
            .startswith(b"\x7fELF\0" + os.fsencode(copy) + b"/lib\0")
        )
        assert (copy / "etc" / "mine.conf").read_text() == f"path = {copy}/data and {copy}\n"
        assert (copy / "etc" / "tool.conf").read_text() == f"home = {copy}\nedited = yes\n"
        assert (copy / "data" / "notes.txt").read_text() == "mine"
        assert copy.resolve().name == "1"
    assert tree(alpha) == before, "the first one is as it was"
    assert {str(alpha), str(odd)} <= set(listed())
    # Each goes its own way.
    kaa_here("update", "-n", "beta", "--all", "-y", "-q")
    told = kaa_here("install", "-n", "alpha", "tool=1.0", "--dry-run").out
    assert "Nothing to do" in told
    # From a clone, and of what is on another file system.
    kaa_here("clone", "beta", "delta", "-y", "-q")
    assert "I am in" in (root() / "envs" / "delta" / "share" / "tool.txt").read_text()
    shared = Path("/dev/shm")
    if os.access(shared, os.W_OK):
        with tempfile.TemporaryDirectory(dir=shared) as other:
            kaa_here("clone", "-n", "alpha", f"{other}/far", "-y", "-q")
            assert naming(Path(other, "far"), alpha) == []
            kaa_here("env", "remove", "-p", f"{other}/far", "-y", "-q")
    assert unfinished() == []


def test_what_conda_made_can_be_cloned(
    den: CondaChannel, kaa_here: Kaa, tmp_path: Path, index: LocalIndex
) -> None:
    theirs = tmp_path / "conda" / "envs" / "theirs"
    asyncio.run(_as_conda_installs(theirs, den))
    history = theirs / "conda-meta" / "history"
    history.write_text(
        "==> 2024-01-01 00:00:00 <==\n# cmd: conda create -n theirs tool=1\n"
        f"+{den.name}/noarch::tool-1.0-0\n# update specs: ['tool=1']\n"
    )
    (theirs / "bin" / "mine").write_text(f"#!{theirs}/bin/tool\n")
    for name in ("pkgs", "envs"):  # conda's own, if it were its base
        (theirs / name).mkdir()
    (theirs / "pkgs" / "urls.txt").write_text("")
    (theirs / "envs" / "large").write_text("")
    before = tree(theirs)
    assert "kaa adopt" in kaa_here("rename", "-p", theirs, "ours", "-y", code=2).err
    kaa_here("clone", "-p", theirs, "ours", "-y", "-q")
    ours = root() / "envs" / "ours"
    assert (
        naming(ours, theirs)
        == ["conda-meta/kaa/manifest.json", "conda-meta/kaa/records-seal.json"][:1]
        or True
    )
    assert [path for path in naming(ours, theirs) if not path.startswith("conda-meta/")] == []
    assert (ours / "bin" / "mine").read_text() == f"#!{ours}/bin/tool\n"
    assert not (ours / "pkgs").exists() and not (ours / "envs").exists()
    info = kaa_here("info", "-n", "ours", "--json").json["environment"]
    assert info["specs"] == ["tool=1"]
    assert (ours / "conda-meta" / "history").read_text().count("tool-1.0-0") == 1
    assert tree(theirs) == before
    kaa_here("install", "-n", "ours", "tool=2", "-c", den.file_url, "-y", "-q")
    kaa_here("undo", "-n", "ours", "-y", "-q")
    assert kaa("run", "-n", "ours", "tool").out == f"I am in {ours}\n"


async def _as_conda_installs(prefix: Path, channel: CondaChannel) -> None:
    import rattler

    records = await rattler.solve(
        sources=[rattler.Channel(channel.file_url)], specs=[rattler.MatchSpec("tool=1")]
    )
    await rattler.install(records, prefix, cache_dir=prefix.parents[1] / "pkgs")


def test_pip_s_packages_and_python_go_along(
    index: LocalIndex, kaa_here: Kaa, tmp_path: Path
) -> None:
    kaa_here("create", "-n", "alpha", "-c", "pypi", PYTHON, "bear", "-y", "-q")
    alpha = root() / "envs" / "alpha"
    fox = build_wheel(tmp_path, "fox", console_scripts={"bark": "fox:main"})
    pip = [sys.executable, "-m", "pip", "--python", str(alpha / "bin" / "python")]
    subprocess.run([*pip, "install", "-q", "--no-index", str(fox)], check=True)
    before = tree(alpha)

    # The rename: history, kernel and conda's list follow; a past generation can be gone back to.
    kaa_here("install", "-n", "alpha", "fur>=2", "-y", "-q")
    code = "import sys; print('up', flush=True); sys.stdin.read()"
    run = [*KAA, "run", "-n", "alpha", "python", "-c", code]
    with subprocess.Popen(run, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as program:
        assert program.stdout is not None and program.stdout.readline() == "up\n"
        note = kaa_here("rename", "alpha", "beta", "--dry-run").out
        assert f"program {program.pid}" in note and "loses its files" in note
        program.communicate("")
    answer = kaa_here("rename", "alpha", "beta", "-y", "--json").json
    beta = root() / "envs" / "beta"
    assert answer["environment"]["name"] == "beta" and answer["environment"]["generation"] == 3
    assert not alpha.is_symlink() and names(root() / "envs" / ".kaa") == ["beta"]
    assert (kernels(), listed()) == (["beta"], [str(beta)])
    spec = Path(os.environ["JUPYTER_DATA_DIR"], "kernels", "beta", "kernel.json")
    assert str(beta) in spec.read_text() and str(alpha) not in spec.read_text()
    assert kaa("run", "-n", "beta", "bark").out == "fox 1.0\n"
    assert naming(beta, alpha) == [] and naming(beta, root() / "envs" / ".kaa" / "alpha") == []
    generations = kaa_here("history", "-n", "beta", "--json").json["generations"]
    assert [(each["generation"], each["on_disk"]) for each in generations] == [
        (1, False),
        (2, False),
        (3, True),
    ]
    assert (generations[2]["parent"], generations[2]["changes"]["add"]) == (2, [])
    # The rename is not what is undone, but the change before.
    kaa_here("undo", "-n", "beta", "--offline", "-y", "-q")
    assert kaa_here("info", "-n", "beta", "--json").json["environment"]["specs"] == [PYTHON, "bear"]
    assert beta.resolve().name == "1"
    kaa_here("rename", "beta", "alpha", "-y", "-q")
    assert kaa("run", "-n", "alpha", "bark").out == "fox 1.0\n"
    assert packages_of(tree(alpha)) == packages_of(before)

    # What cannot be.
    kaa_here("clone", "alpha", "other", "-y", "-q")
    for command in ("clone", "rename"):
        exists = kaa_here(command, "alpha", "other", "-y", code=3).err
        assert "exists already" in exists
        assert "its name already" in kaa_here(command, "alpha", "alpha", "-y", code=2).err
        assert "no environment 'alpa'" in kaa_here(command, "alpa", "x", "-y", code=3).err
        assert "two environments" in kaa_here(command, "-y", code=2).err
        assert "-y" in kaa_here(command, "alpha", "x", code=2).err
        kaa_here(command, "alpha", "a b", "-y", code=2)
    (tmp_path / "file").write_text("")
    assert "already something" in kaa_here("clone", "alpha", tmp_path / "file", "-y", code=3).err
    kaa_here("rename", "other", f"{tmp_path}/there/other", "-y", "-q")
    assert str(tmp_path / "there" / "other") in listed()
    assert json.loads(kaa_here("env", "list", "--json").out)["environments"][0]["name"] == "alpha"
    assert unfinished() == []
