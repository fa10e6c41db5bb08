"""Conda packages, wheels and a whole Python, linked together: everything that looks agrees."""

from __future__ import annotations

import asyncio
import hashlib
import json
import os
import subprocess
import sys
from typing import TYPE_CHECKING, Any

import pytest
import rattler

from conda_channel import CondaChannel
from conda_packages import PLACEHOLDER, Content, Link, build_conda_package, python_project
from kaa.environments.prefix import Prefix
from kaa.model.distribution import IndexFile
from kaa.model.environment import Manifest
from kaa.model.progress import Silent
from kaa.network.client import Client
from kaa.network.settings import load_settings
from kaa.sources.metadata import MetadataReader
from kaa.store.layout import Layout
from kaa.transaction.commit import commit_first_generation
from kaa.transaction.fetch import fetch_packages
from kaa.transaction.stage import link_packages, staging_directory
from packed_interpreter import conda_subdir, pack_interpreter
from wheels import build_wheel

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from rattler import RepoDataRecord

    from local_index import LocalIndex

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="packs an interpreter of Linux")
MINOR = ".".join(map(str, sys.version_info[:2]))
SITE_PACKAGES = f"lib/python{MINOR}/site-packages"
BINARY = b"\x7fELF\0" + PLACEHOLDER.encode() + b"/lib/panther\0the rest\0"
"""As a C string in a compiled library: what is shorter is filled up with NUL."""
_FROM_INSIDE = """
import importlib.metadata, json, sys
found = {d.metadata["Name"]: d.version for d in importlib.metadata.distributions()}
import bear, panther, wolf
print(json.dumps({"distributions": found, "prefix": sys.prefix, "base": sys.base_prefix,
                  "files": [bear.__file__, panther.__file__, wolf.__file__]}))
"""


@pytest.fixture
def channel(tmp_path: Path) -> Iterator[CondaChannel]:
    made = tmp_path / "made"
    with CondaChannel(tmp_path / "forge", subdirs=("noarch", conda_subdir())) as channel:
        channel.add(pack_interpreter())
        bear = python_project("bear", requires=["panther>=1"], commands=["bear = bear:main"])
        bear["python-scripts/bear-tool"] = f"#!{PLACEHOLDER}/bin/python\nimport bear\nbear.main()\n"
        channel.add(
            build_conda_package(
                made,
                "bear",
                noarch="python",
                depends=["python", "panther"],
                files=bear,
                entry_points=["bear = bear:main"],
            )
        )
        panther: dict[str, Content] = {
            **python_project("panther", site_packages=SITE_PACKAGES),
            "bin/panther": f"#!{PLACEHOLDER}/bin/python\nimport panther\npanther.main()\n",
            "bin/.panther-post-link.sh": 'touch "$PREFIX/was-run"\n',
            "bin/.panther-pre-unlink.sh": 'touch "$PREFIX/was-run"\n',
            "share/panther.conf": f"home = {PLACEHOLDER}/share\n",
            "lib/libpanther.so.1": BINARY,
            "lib/libpanther.so": Link("libpanther.so.1"),
            "share/current": Link("panther.d"),
            "share/panther.d/data.txt": "data\n",
            "etc/panther.conf": "edit me\n",
        }
        channel.add(
            build_conda_package(
                made,
                "panther",
                depends=["python"],
                subdir=conda_subdir(),
                files=panther,
                no_link=["etc/panther.conf"],
                archive="tar.bz2",
            )
        )
        yield channel


def wheel_of(local_index: LocalIndex, made: Path) -> tuple[RepoDataRecord, IndexFile]:
    """Serve a wheel that needs a conda package, and return what the solve would of it."""
    wheel = build_wheel(made, "wolf", requires=["bear"], console_scripts={"wolf": "wolf:main"})
    sha256 = hashlib.sha256(wheel.read_bytes())
    record = rattler.PackageRecord(
        "wolf",
        "1.0",
        rattler.package.BuildString("py3_0"),
        0,
        "noarch",
        noarch="python",
        sha256=sha256.digest(),
    )
    url = local_index.add(wheel)
    file = IndexFile(wheel.name, url, {"sha256": sha256.hexdigest()})
    return rattler.RepoDataRecord(record, "wolf-1.0-py3_0.conda", url, "kaa://pypi"), file


async def create(channel: CondaChannel, local_index: LocalIndex, root: Path) -> Prefix:
    """Solve for conda packages, fetch them and a wheel, link and commit."""
    layout, prefix = Layout(root / "kaa"), Prefix(root / "envs" / "demo")
    subdir = conda_subdir()
    found = await rattler.solve(
        [channel.url],
        ["bear"],
        gateway=rattler.Gateway(cache_dir=root / "repodata"),
        platforms=[subdir, "noarch"],  # type: ignore[list-item]  # its literal
    )
    wheel, file = wheel_of(local_index, root / "made")
    conda = rattler.Client.default_client()
    async with Client(load_settings(os.environ)) as client:
        reader = MetadataReader(client, layout.metadata)
        await fetch_packages([(wheel, file)], found, layout, client, conda, reader, Silent())
    asked = len(channel.requests), len(local_index.requests)
    before = contents(layout.packages)
    records = [*found, wheel]
    with staging_directory(prefix, layout) as staging:
        await link_packages(records, ["bear", "wolf"], staging, prefix, layout, Silent())
        manifest = Manifest("demo", ("bear",), ("forge",), "a test", "2026-01-01T00:00:00Z")
        commit_first_generation(prefix, staging, manifest)
    assert (len(channel.requests), len(local_index.requests)) == asked, "linking needs no network"
    assert contents(layout.packages) == before, "linking changes nothing in the cache"
    return prefix


def contents(directory: Path) -> dict[str, bytes]:
    return {
        str(path.relative_to(directory)): path.read_bytes()
        for path in sorted(directory.rglob("*"))
        if path.is_file() and path.name != ".cache.lock"
    }


def run(*command: object) -> str:
    done = subprocess.run([str(part) for part in command], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_everything_that_looks_agrees(
    channel: CondaChannel, local_index: LocalIndex, tmp_path: Path
) -> None:
    prefix = asyncio.run(create(channel, local_index, tmp_path))
    path = prefix.path

    # Python itself
    python = path / "bin/python"
    answer = json.loads(run(python, "-c", _FROM_INSIDE))
    assert answer["prefix"] == answer["base"] == str(path)
    assert answer["distributions"] == {"bear": "1.0", "panther": "1.0", "wolf": "1.0"}
    for file in answer["files"]:
        assert file.startswith(str(path / SITE_PACKAGES))

    # pip's view, as uv has it
    uv = [sys.executable, "-m", "uv", "pip"]
    listed = json.loads(run(*uv, "list", "--python", python, "--format", "json"))
    assert {project["name"]: project["version"] for project in listed} == answer["distributions"]
    run(*uv, "check", "--python", python)

    # conda's view
    records = {
        file.name: rattler.PrefixRecord.from_path(file)
        for file in (path / "conda-meta").glob("*.json")
    }
    names = {record.name.normalized for record in records.values()}
    assert names == {"python", *answer["distributions"]}
    owned = [str(file) for record in records.values() for file in record.files]
    assert len(owned) == len(set(owned)), "every file belongs to one package"
    missing = [file for file in owned if not os.path.lexists(path / file)]
    assert missing == []

    # commands, those of python-scripts among them
    for command, said in {
        "bear": "bear 1.0",
        "bear-tool": "bear 1.0",
        "panther": "panther 1.0",
        "wolf": "wolf 1.0",
    }.items():
        assert run(path / "bin" / command).strip() == said


def test_files_carry_the_stable_path_and_links_lead_where_they_should(
    channel: CondaChannel, local_index: LocalIndex, tmp_path: Path
) -> None:
    prefix = asyncio.run(create(channel, local_index, tmp_path))
    path, generation = prefix.path, prefix.current
    assert (path / "share/panther.conf").read_text() == f"home = {path}/share\n"
    binary = (path / "lib/libpanther.so.1").read_bytes()
    assert len(binary) == len(BINARY)
    assert binary.startswith(b"\x7fELF\0" + os.fsencode(path) + b"/lib/panther\0")
    assert binary.endswith(b"\0the rest\0")
    assert (path / "lib/libpanther.so").readlink().as_posix() == "libpanther.so.1"
    assert (path / "share/current/data.txt").read_text() == "data\n"
    assert (generation / "bin/python").resolve() == generation.resolve() / f"bin/python{MINOR}"

    # What users edit is a copy, the rest is shared with the cache.
    assert (path / "etc/panther.conf").stat().st_nlink == 1
    assert (path / "share/panther.d/data.txt").stat().st_nlink == 2

    # Neither the directory in which it was built nor the build's own prefix is left anywhere.
    for file in generation.rglob("*"):
        if file.is_file() and not file.is_symlink():
            content = file.read_bytes()
            assert b"/.new-" not in content, file
            if "conda-meta" not in file.parts:
                assert PLACEHOLDER.encode() not in content, file

    # Link scripts are not run.
    assert (path / "bin/.panther-post-link.sh").is_file()
    assert not (path / "was-run").exists()


def linked(tmp_path: Path, *packages: Path) -> Path:
    """Link packages into an environment of their own and return its path."""

    async def run() -> Path:
        layout, prefix = Layout(tmp_path / "kaa"), Prefix(tmp_path / "envs" / "demo")
        channel = CondaChannel(tmp_path / "own", subdirs=("noarch", conda_subdir()))
        for package in packages:
            channel.add(package)
        found: list[Any] = await rattler.solve(
            [channel.file_url],
            [package.name.split("-")[0] for package in packages],
            gateway=rattler.Gateway(cache_dir=tmp_path / "repodata"),
            platforms=[conda_subdir(), "noarch"],  # type: ignore[list-item]  # its literal
        )
        conda = rattler.Client.default_client()
        async with Client(load_settings(os.environ)) as client:
            reader = MetadataReader(client, layout.metadata)
            await fetch_packages([], found, layout, client, conda, reader, Silent())
        with staging_directory(prefix, layout) as staging:
            await link_packages(found, [], staging, prefix, layout, Silent())
            manifest = Manifest("demo", (), (), "a test", "2026-01-01T00:00:00Z")
            commit_first_generation(prefix, staging, manifest)
        return prefix.path

    return asyncio.run(run())


def test_two_packages_with_the_same_file(tmp_path: Path) -> None:
    one = build_conda_package(tmp_path / "made", "one", files={"share/same": "1", "share/one": ""})
    two = build_conda_package(tmp_path / "made", "two", files={"share/same": "2", "share/two": ""})
    path = linked(tmp_path, one, two)
    assert (path / "share/same").read_text() in {"1", "2"}
    assert (path / "share/one").is_file() and (path / "share/two").is_file()


def test_a_package_without_files(tmp_path: Path) -> None:
    path = linked(tmp_path, build_conda_package(tmp_path / "made", "meta", files={}))
    assert (path / "conda-meta/meta-1.0-0.json").is_file()


@pytest.mark.parametrize("version", ["3.9", "3.13"])
def test_another_python_of_this_machine(tmp_path: Path, version: str) -> None:
    from kaa.sources.host import find_host_pythons

    pythons = find_host_pythons(Layout(tmp_path / "kaa"))
    found = next((python for python in pythons if python.minor == version), None)
    if found is None:
        pytest.skip(f"this machine has no Python {version}")
    bear = build_conda_package(
        tmp_path / "made", "bear", noarch="python", files=python_project("bear")
    )
    path = linked(tmp_path, pack_interpreter(found.executable), bear)
    said = run(path / "bin/python", "-c", "import bear, sys, ssl; print(bear.__file__, sys.prefix)")
    assert said.split() == [
        str(path / f"lib/python{version}/site-packages/bear/__init__.py"),
        str(path),
    ]
