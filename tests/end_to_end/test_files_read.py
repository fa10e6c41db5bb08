"""Environments made of pyproject.toml, pixi.toml, @EXPLICIT, conda-lock.yml and pylock.toml."""

from __future__ import annotations

import hashlib
import json
from typing import TYPE_CHECKING

import pytest

from conda_channel import CondaChannel
from conda_packages import build_conda_package
from end_to_end.machine import MINOR, kaa, root
from packed_interpreter import conda_subdir, pack_interpreter

if TYPE_CHECKING:
    from pathlib import Path

    from local_index import LocalIndex

pytestmark = pytest.mark.usefixtures("index")


def installed(name: str) -> set[str]:
    return {each["name"] for each in kaa("list", "-n", name, "--json").json}


def digest(path: Path, algorithm: str = "sha256") -> str:
    return hashlib.new(algorithm, path.read_bytes()).hexdigest()


def needs(name: str, package: str) -> list[str]:
    (record,) = (root() / "envs" / name / "conda-meta").glob(f"{package}-*.json")
    depends = json.loads(record.read_text(encoding="utf-8"))["depends"]
    assert isinstance(depends, list)
    return depends


@pytest.fixture
def forge(tmp_path: Path) -> CondaChannel:
    """A channel with a hen that needs an egg, without a Python."""
    channel = CondaChannel(tmp_path / "forge", subdirs=("noarch", conda_subdir()))
    channel.add(build_conda_package(tmp_path, "egg", noarch="generic"))
    channel.add(build_conda_package(tmp_path, "hen", depends=["egg"], noarch="generic"))
    return channel


def test_a_project_with_a_group(tmp_path: Path) -> None:
    (tmp_path / "pyproject.toml").write_text(
        f'[project]\nname = "den"\nrequires-python = "=={MINOR}.*"\ndependencies = ["fur"]\n'
        '[dependency-groups]\ntest = ["bear"]\nkernel = ["ipykernel"]\n',
        encoding="utf-8",
    )
    command = ("create", "-n", "den", "-f", "pyproject.toml", "--group", "kernel", "-y")
    answer = kaa(*command, "--group", "test")
    assert answer.code == 0, answer.err
    assert installed("den") == {"python", "fur", "bear", "ipykernel"}
    missing = kaa("create", "-n", "other", "-f", "pyproject.toml", "--extra", "docs", "--dry-run")
    assert missing.code == 2
    assert "no extra docs" in missing.err


def test_a_workspace_of_pixi(forge: CondaChannel, tmp_path: Path) -> None:
    (tmp_path / "pixi.toml").write_text(
        f'[workspace]\nname = "coop"\nchannels = ["{forge.file_url}"]\n'
        f'platforms = ["{conda_subdir()}"]\n[dependencies]\nhen = "1.*"\n'
        '[activation.env]\nHONEY = "a \\"b\\"=c"\n[tasks]\ncluck = "true"\n',
        encoding="utf-8",
    )
    answer = kaa("create", "-f", "pixi.toml", "-y")
    assert answer.code == 0, answer.err
    assert "tasks" in answer.out
    assert installed("coop") == {"egg", "hen"}
    state = root() / "envs" / "coop" / "conda-meta" / "state"
    assert json.loads(state.read_text(encoding="utf-8"))["env_vars"] == {"HONEY": 'a "b"=c'}


@pytest.mark.parametrize("algorithm", ["md5", "sha256"])
def test_a_list_of_urls(forge: CondaChannel, tmp_path: Path, algorithm: str) -> None:
    lines = [
        f"{path.as_uri()}#{digest(path, algorithm)}"
        for path in sorted((tmp_path / "forge" / "noarch").glob("*.conda"))
    ]
    file = tmp_path / "list.txt"
    file.write_text("\n".join([f"# platform: {conda_subdir()}", "@EXPLICIT", *lines]))
    answer = kaa("create", "-n", "coop", "--file", file, "-y")
    assert answer.code == 0, answer.err
    assert installed("coop") == {"egg", "hen"}
    assert needs("coop", "hen") == ["egg"]  # which no list says
    assert kaa("why", "-n", "coop", "egg").code == 0


def test_a_list_without_hashes_is_checked_by_the_channel(
    forge: CondaChannel, tmp_path: Path
) -> None:
    file = tmp_path / "list.txt"
    names = ("egg-1.0-0.conda", "hen-1.0-0.conda")
    with forge:
        file.write_text("\n".join(["@EXPLICIT", *(f"{forge.url}noarch/{name}" for name in names)]))
        answer = kaa("create", "-n", "coop", "-f", file, "-y")
        assert answer.code == 0, answer.err
        record = next((root() / "envs" / "coop" / "conda-meta").glob("hen-*.json"))
        wanted = digest(tmp_path / "forge" / "noarch" / "hen-1.0-0.conda")
        assert json.loads(record.read_text())["sha256"] == wanted
        file.write_text(f"@EXPLICIT\n{forge.url}noarch/fox-1.0-0.conda\n")
        unknown = kaa("create", "-n", "other", "-f", file, "-y")
    assert unknown.code == 2
    assert "no hash of fox" in unknown.err


def test_a_hash_that_does_not_match_is_known_before_anything_changes(
    forge: CondaChannel, tmp_path: Path
) -> None:
    path = next((tmp_path / "forge" / "noarch").glob("egg*.conda"))
    file = tmp_path / "list.txt"
    file.write_text(f"@EXPLICIT\n{path.as_uri()}#{'0' * 64}\n")
    answer = kaa("create", "-n", "coop", "-f", file, "-y")
    assert answer.code == 6
    assert "egg-1.0-0.conda" in answer.err
    assert not (root() / "envs" / "coop").exists()


def test_a_lock_of_conda_lock(forge: CondaChannel, tmp_path: Path, wheels: Path) -> None:
    try:
        python = pack_interpreter()
    except ValueError as error:
        pytest.skip(f"this interpreter cannot be packed: {error}")
    forge.add(python)
    entries = []
    for path in sorted((tmp_path / "forge").glob("*/*.conda")):
        name, version, _ = path.name.rsplit("-", 2)
        entry = {"name": name, "version": version, "manager": "conda", "url": path.as_uri()}
        category = "dev" if name == "egg" else "main"
        entries.append({**entry, "hash": {"sha256": digest(path)}, "category": category})
    for path in sorted(wheels.iterdir()):
        name, version = path.name.split("-")[:2]
        entry = {"name": name, "version": version, "manager": "pip", "url": path.as_uri()}
        entries.append({**entry, "hash": {"sha256": digest(path)}, "category": "main"})
    lock = {
        "version": 1,
        "metadata": {"channels": [{"url": forge.file_url}], "platforms": [conda_subdir()]},
        "package": [
            {**each, "platform": conda_subdir(), "dependencies": {}, "optional": False}
            for each in entries
        ],
    }
    (tmp_path / "conda-lock.yml").write_text(json.dumps(lock))  # which is YAML, too
    answer = kaa("create", "-n", "den", "-f", "conda-lock.yml", "--category", "dev", "-y")
    assert answer.code == 0, answer.err
    assert installed("den") == {"python", "egg", "hen", "bear", "fur", "ipykernel"}
    assert any(each.startswith("fur") for each in needs("den", "bear"))
    assert kaa("run", "-n", "den", "python", "-c", "import bear, fur").code == 0
    foreign = kaa("create", "-n", "x", "-f", "conda-lock.yml", "--platform", "osx-arm64")
    assert foreign.code == 2


def test_a_python_lock(tmp_path: Path, wheels: Path, index: LocalIndex) -> None:
    parts = [f'lock-version = "1.0"\ncreated-by = "me"\nrequires-python = "=={MINOR}.*"\n']
    for path in sorted(wheels.iterdir()):
        name, version = path.name.split("-")[:2]
        parts.append(
            f'[[packages]]\nname = "{name}"\nversion = "{version}"\n'
            f'[[packages.wheels]]\nname = "{path.name}"\nurl = "{path.as_uri()}"\n'
            f'hashes = {{ sha256 = "{digest(path)}" }}\n'
        )
    parts.append(
        '[[packages]]\nname = "wolf"\nversion = "1"\nmarker = "sys_platform == \'win32\'"\n'
        '[[packages.wheels]]\nurl = "https://example.org/wolf-1-py3-none-any.whl"\n'
        f'hashes = {{ sha256 = "{"0" * 64}" }}\n'
    )
    file = tmp_path / "pylock.toml"
    file.write_text("\n".join(parts))
    answer = kaa("create", "-n", "den", "-f", file, "-y")
    assert answer.code == 0, answer.err
    assert installed("den") == {"python", "bear", "fur", "ipykernel"}
    assert index.requests == []
    file.write_text(file.read_text().replace(digest(wheels / "fur-2.1-py3-none-any.whl"), "0" * 64))
    wrong = kaa("create", "-n", "other", "-f", file, "-y")
    assert wrong.code != 0
    assert not (root() / "envs" / "other").exists()
