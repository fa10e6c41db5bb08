"""kaa export: an environment as a file of any format, and the same environment out of it."""

from __future__ import annotations

import json
import shutil
from typing import TYPE_CHECKING

import pytest
import yaml
from packaging.pylock import Pylock

from conda_channel import CondaChannel
from conda_packages import build_conda_package
from end_to_end.machine import MINOR, PYTHON, kaa, root
from packed_interpreter import conda_subdir, pack_interpreter
from tree_hashes import tree
from wheels import build_wheel

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from local_index import LocalIndex


@pytest.fixture
def forge(tmp_path: Path) -> CondaChannel:
    channel = CondaChannel(tmp_path / "forge", subdirs=("noarch", conda_subdir()))
    try:
        channel.add(pack_interpreter())
    except ValueError as error:
        pytest.skip(f"this interpreter cannot be packed: {error}")
    channel.add(build_conda_package(tmp_path, "egg", noarch="generic"))
    channel.add(build_conda_package(tmp_path, "hen", depends=["egg"], noarch="generic"))
    return channel


@pytest.fixture
def den(forge: CondaChannel, index: LocalIndex, tmp_path: Path) -> Iterator[str]:
    """An environment of a channel with credentials, of an index, and with a variable."""
    (tmp_path / "den.yml").write_text(
        f"name: den\nchannels: ['{forge.file_url}', pypi]\ndependencies:\n- python={MINOR}\n- hen\n"
        "- pypi::ipykernel\n- pypi::bear\nvariables: {HONEY: \"a 'b'\\nc=d\"}\n",
        encoding="utf-8",
    )
    made = kaa("create", "-f", "den.yml", "-y")
    assert made.code == 0, made.err
    yield "den"


def files_of(name: str) -> dict[str, str]:
    """Return the hashes of all files but those that name the environment or the moment."""
    found = tree((root() / "envs" / name).resolve())
    return {
        path: digest
        for path, digest in found.items()
        if not path.startswith("conda-meta/") and "__pycache__" not in path
    }


@pytest.mark.parametrize("file", ["pixi.lock", "conda-lock.yml", "explicit.txt"])
def test_a_lock_rebuilds_the_identical_environment_offline(
    den: str, forge: CondaChannel, index: LocalIndex, tmp_path: Path, file: str
) -> None:
    exported = kaa("export", "-n", den, "-f", file)
    assert exported.code == 0, exported.err
    assert "no variables: HONEY" in exported.err
    before = files_of(den)
    records = {path.name for path in (root() / "envs" / den / "conda-meta").glob("*.json")}
    shutil.rmtree(tmp_path / "forge")  # nothing is left to be fetched
    asked = len(index.requests)
    removed = kaa("env", "remove", "-n", den, "-y")
    assert removed.code == 0, removed.err
    made = kaa("create", "-n", den, "--offline", "-f", file, "-y")
    assert made.code == 0, made.err
    assert len(index.requests) == asked
    assert files_of(den) == before
    assert {path.name for path in (root() / "envs" / den / "conda-meta").glob("*.json")} == records
    hen = json.loads(next((root() / "envs" / den / "conda-meta").glob("hen-*")).read_text())
    assert hen["depends"] == ["egg"]


def test_what_other_programs_read(den: str, forge: CondaChannel, tmp_path: Path) -> None:
    from rattler import LockFile

    assert kaa("export", "-n", den, "-f", "pixi.lock").code == 0
    ((name, environment),) = LockFile.from_path(tmp_path / "pixi.lock").environments()
    (platform,) = environment.platforms()
    assert name == "default"
    records = environment.conda_repodata_records_for_platform(platform)
    assert records is not None
    assert {"egg", "hen", "python"} <= {record.name.normalized for record in records}
    assert all(record.sha256 for record in records)

    assert kaa("export", "-n", den, "-f", "pylock.toml").code == 0
    import tomli

    lock = Pylock.from_dict(tomli.loads((tmp_path / "pylock.toml").read_text()))
    assert {package.name for package in lock.packages} == {"bear", "fur", "ipykernel"}
    assert all(
        wheel.hashes["sha256"] for package in lock.packages for wheel in package.wheels or ()
    )
    again = kaa(
        "create", "-n", "other", "-c", forge.file_url, "-c", "pypi", "-f", "pylock.toml", "-y"
    )
    assert again.code == 0, again.err

    assert kaa("export", "-n", den, "-f", "conda-lock.yml").code == 0
    content = yaml.safe_load((tmp_path / "conda-lock.yml").read_text())
    # the keys that conda-lock's strict models have, and no others
    assert set(content) == {"version", "metadata", "package"}
    assert set(content["metadata"]) == {"content_hash", "channels", "platforms", "sources"}
    for package in content["package"]:
        assert set(package) <= {
            *("name", "version", "manager", "platform", "dependencies", "url", "hash", "build"),
            *("category", "optional"),
        }
        assert package["hash"]["sha256"]
        assert all(isinstance(each, str) for each in package["dependencies"].values())


def test_an_environment_file_as_conda_writes_it(
    den: str, index: LocalIndex, tmp_path: Path
) -> None:
    index.add(build_wheel(tmp_path / "wheels", "pip"))  # it comes along with its section
    full = kaa("export", "-n", den)
    content = yaml.safe_load(full.out)
    assert content["name"] == "den"
    assert any(each == "hen=1.0=0" for each in content["dependencies"])
    assert content["dependencies"][-1] == {"pip": ["bear==1.0", "fur==2.1", "ipykernel==1.0"]}
    assert content["variables"] == {"HONEY": "a 'b'\nc=d"}
    bare = yaml.safe_load(kaa("env", "export", "-n", den, "--no-builds").out)
    assert "hen=1.0" in bare["dependencies"]
    asked = yaml.safe_load(kaa("export", "-n", den, "--from-history").out)
    assert asked["dependencies"] == [f"python={MINOR}", "hen", {"pip": ["ipykernel", "bear"]}]
    described = kaa("export", "-n", den, "--json").json
    assert described["channels"] == content["channels"]
    assert described["dependencies"] == content["dependencies"]
    (tmp_path / "env.yml").write_text(full.out)
    again = kaa("create", "-n", "again", "-f", "env.yml", "--dry-run", "--json")
    assert again.code == 0, again.out
    planned = {each["name"] for each in again.json["plan"]["add"]}
    assert planned >= {"python", "hen", "egg", "bear", "fur", "ipykernel"}


def test_what_an_index_has_provided_is_asked_of_an_index_again(
    forge: CondaChannel, index: LocalIndex, tmp_path: Path
) -> None:
    index.add(build_wheel(tmp_path / "wheels", "pip"))
    sources = ("-c", forge.file_url, "-c", "pypi")
    made = kaa("create", "-n", "den", *sources, PYTHON, "hen", "bear>=1", "fur=2.1", "-y")
    assert made.code == 0, made.err
    for history in ((), ("--from-history",)):
        exported = kaa("export", "-n", "den", *history, "-f", "den.yml")
        assert exported.code == 0, exported.err
        assert kaa("compare", "-n", "den", "den.yml").code == 0, "which is what it was written of"
        again = kaa("create", "-n", "again", "-f", "den.yml", "--dry-run")
        assert again.code == 0, again.err
    content = yaml.safe_load((tmp_path / "den.yml").read_text())
    assert content["dependencies"] == [PYTHON, "hen", {"pip": ["bear>=1", "fur==2.1.*"]}]


def test_a_file_without_channels_means_those_of_the_environment(
    index: LocalIndex, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    made = kaa("create", "-n", "cub", "-c", "pypi", PYTHON, "bear", "-y")
    assert made.code == 0, made.err
    assert kaa("export", "-n", "cub", "-f", "cub.yml").code == 0
    assert "channels" not in (tmp_path / "cub.yml").read_text()
    monkeypatch.setenv("KAA_CHANNELS", (tmp_path / "nowhere").as_uri())
    same = kaa("sync", "-n", "cub", "-f", "cub.yml", "-y", "--json")
    assert same.code == 0, same.out
    plan = same.json["plan"]
    assert not (plan["add"] or plan["remove"] or plan["change"]), "it has what it was written of"


@pytest.mark.parametrize("file", ["pixi.toml", "pyproject.toml"])
def test_what_was_asked_for_in_other_formats(den: str, file: str) -> None:
    exported = kaa("export", "-n", den, "--from-history", "-f", file)
    assert exported.code == 0, exported.err
    again = kaa("create", "-n", "again", "-f", file, "--dry-run", "--json")
    assert again.code == 0, again.out
    names = {each["name"] for each in again.json["plan"]["add"]}
    assert names == {"python", "hen", "egg", "bear", "fur", "ipykernel"}


def test_a_python_of_this_machine_is_in_no_lock_but_pylock(demo: object) -> None:
    refused = kaa("export", "-n", "demo", "--format", "conda-lock")
    assert refused.code == 2
    assert "--format pylock" in refused.err
    assert "bear" in kaa("export", "-n", "demo", "--format", "pylock").out
    assert kaa("export", "-n", "demo", "--format", "docx").code == 2
    assert kaa("export", "-n", "demo", "-f", "demo.toml").code == 2


def test_a_lock_for_two_platforms_in_conda_locks_format(
    forge: CondaChannel, index: LocalIndex, tmp_path: Path
) -> None:
    arguments = ("-c", forge.file_url, "--platform", conda_subdir(), "--platform", "osx-arm64")
    made = kaa("lock", *arguments, "hen", "-o", "conda-lock.yml")
    assert made.code == 0, made.err
    content = yaml.safe_load((tmp_path / "conda-lock.yml").read_text())
    assert content["metadata"]["platforms"] == sorted([conda_subdir(), "osx-arm64"])
    assert {(each["name"], each["platform"]) for each in content["package"]} == {
        (name, platform) for name in ("egg", "hen") for platform in (conda_subdir(), "osx-arm64")
    }
    refused = kaa("lock", *arguments, "hen", "-o", "x", "--format", "explicit")
    assert refused.code == 2
    assert "one platform" in refused.err


def test_an_environment_of_another_program(demo: object, tmp_path: Path) -> None:
    """As conda leaves them: records, and a history of what was asked for."""
    other = tmp_path / "theirs"
    shutil.copytree((root() / "envs" / "demo").resolve(), other, symlinks=True)
    shutil.rmtree(other / "conda-meta" / "kaa")
    (other / "conda-meta" / "history").write_text(
        "==> 2026-01-01 00:00:00 <==\n# cmd: conda create\n# update specs: ['python=3']\n"
    )
    described = kaa("export", "-p", other, "--json", "--from-history")
    assert described.code == 0, described.out
    assert described.json["dependencies"] == ["python=3"]
    full = kaa("export", "-p", other, "--no-builds").out
    assert yaml.safe_load(full)["dependencies"][-1] == {"pip": ["bear==1.0", "fur==2.1"]}


def test_credentials_are_in_no_file_and_every_lock_is_followed(
    forge: CondaChannel,
    index: LocalIndex,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    forge.token = "s3cr3t"
    index.auth = ("me", "pa55word")
    monkeypatch.setenv("PIP_INDEX_URL", index.url.replace("://", "://me:pa55word@"))
    formats = ("environment-yml", "requirements", "pixi-toml", "pyproject")
    locks = ("pixi.lock", "conda-lock.yml", "list-explicit.txt", "pylock.toml")
    with forge:
        channel = forge.url.replace("/forge/", "/t/s3cr3t/forge/")
        wanted = ("-c", channel, "-c", "pypi", PYTHON, "hen", "pypi::ipykernel")
        made = kaa("create", "-n", "den", *wanted, "-y")
        assert made.code == 0, made.err
        for name in locks:
            locked = kaa("lock", *wanted, "-o", name)
            assert locked.code == 0, locked.err
            written = (tmp_path / name).read_text()
            assert "ipykernel" in written
            assert ("hen-1.0-0.conda" in written) == (name != "pylock.toml")
            assert not ("s3cr3t" in written or "pa55word" in written)
            again = tmp_path / "again" / name
            again.parent.mkdir(exist_ok=True)
            exported = kaa("export", "-n", "den", "-f", again)
            assert exported.code == 0, exported.err
            written = again.read_text()
            assert not ("s3cr3t" in written or "pa55word" in written)
        for kind in formats:
            for history in ((), ("--from-history",)):
                said = kaa("export", "-n", "den", "--format", kind, *history).out
                assert "ipykernel" in said
                assert not ("s3cr3t" in said or "pa55word" in said)
        for name in locks[:3]:
            plan = kaa("sync", "-n", "den", "-f", name, "--dry-run", "--json", "-c", channel)
            assert plan.code == 0, plan.out
            changes = plan.json["plan"]
            assert (changes["add"], changes["change"], changes["remove"]) == ([], [], []), name
            assert kaa("compare", "-n", "den", name).code == 0
