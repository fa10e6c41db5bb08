"""Files and environments that are there already: sync, compare, env update, variables."""

from __future__ import annotations

import json
import subprocess
import sys
from typing import TYPE_CHECKING

import pytest

from end_to_end.machine import MINOR, PYTHON, kaa, root
from wheels import build_wheel

if TYPE_CHECKING:
    from pathlib import Path

    from local_index import LocalIndex

VALUE = "two\nlines, 'quotes' \"and\" a=b"


def installed(name: str = "demo") -> set[str]:
    return {each["name"] for each in kaa("list", "-n", name, "--json").json}


def generation() -> str:
    return (root() / "envs" / "demo").readlink().name


def requirements(tmp_path: Path, *lines: str) -> Path:
    path = tmp_path / "requirements.txt"
    path.write_text("".join(f"{line}\n" for line in lines), encoding="utf-8")
    return path


@pytest.fixture
def project(tmp_path: Path, demo: object) -> Path:
    """A file that asks for what `demo` has, but for the bear, and a variable."""
    path = tmp_path / "pixi.toml"
    write_project(path)
    return path


def write_project(path: Path, variables: str = f"HONEY = {json.dumps(VALUE)}") -> None:
    path.write_text(
        f'[workspace]\nname = "demo"\nchannels = []\nplatforms = []\n'
        f'[dependencies]\npython = "{MINOR}.*"\n[pypi-dependencies]\nfur = "*"\n'
        f"[activation.env]\n{variables}\n",
        encoding="utf-8",
    )


def test_sync_is_equal_and_says_at_once_when_it_is(project: Path, index: LocalIndex) -> None:
    plan = kaa("sync", "-n", "demo", "-f", project, "--dry-run", "--json").json["plan"]
    assert [each["name"] for each in plan["remove"]] == ["bear"]
    assert plan["variables"] == {"HONEY": VALUE}
    assert generation() == "1"
    done = kaa("sync", "-n", "demo", "-f", project, "-y")
    assert done.code == 0, done.err
    assert installed() == {"python", "fur"}
    assert kaa("run", "-n", "demo", "printenv", "HONEY").out == f"{VALUE}\n"
    first = kaa("sync", "-n", "demo", "-f", project)
    assert "Nothing to do." in first.out, first.err
    asked = len(index.requests)
    again = imports("sync", "-n", "demo", "-f", project)
    assert "Nothing to do." in again.stdout
    for module in ("rattler", "ruamel", "packaging", "httpx", "asyncio", "rich", "tomli"):
        assert f"| {module}\n" not in again.stderr.replace(" ", "").replace("|", "| "), module
    assert len(index.requests) == asked
    assert generation() == "2"
    answer = kaa("sync", "-n", "demo", "-f", project, "--json").json
    assert answer["plan"]["unchanged"] == 2
    assert answer["environment"]["generation"] == 2


def imports(*arguments: str | Path) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-X", "importtime", "-m", "kaa", *map(str, arguments)]
    return subprocess.run(command, capture_output=True, text=True, check=False, timeout=300)


def test_what_changes_makes_sync_look_again(project: Path) -> None:
    assert kaa("sync", "-n", "demo", "-f", project, "-y").code == 0
    assert "Nothing to do." in kaa("sync", "-n", "demo", "-f", project).out
    write_project(project, "HONEY = 'other'")
    plan = kaa("sync", "-n", "demo", "-f", project, "--dry-run", "--json").json["plan"]
    assert plan["variables"] == {"HONEY": "other"}
    write_project(project, "")
    assert kaa("sync", "-n", "demo", "-f", project, "-y").code == 0
    assert kaa("env", "config", "vars", "list", "-n", "demo", "--json").json == {}
    assert "Nothing to do." in kaa("sync", "-n", "demo", "-f", project).out
    assert kaa("install", "-n", "demo", "bear", "-y").code == 0
    plan = kaa("sync", "-n", "demo", "-f", project, "--dry-run", "--json").json["plan"]
    assert [each["name"] for each in plan["remove"]] == ["bear"]


def test_a_file_that_a_file_names_counts(demo: object, tmp_path: Path) -> None:
    other = tmp_path / "more.txt"
    other.write_text("fur\n")
    file = requirements(tmp_path, "-r more.txt", f"ipykernel; python_version == '{MINOR}'")
    (tmp_path / "env.yml").write_text(
        f"channels: [pypi]\ndependencies: [{PYTHON}, pypi::ipykernel, pip: [-r {file.name}]]\n"
    )
    made = kaa("install", "-n", "demo", "-f", file, "-y")
    assert made.code == 0, made.err
    assert kaa("sync", "-n", "demo", "-f", file, "-y").code == 0
    assert "Nothing to do." in kaa("sync", "-n", "demo", "-f", file).out
    other.write_text("fur\nbear\n")
    plan = kaa("sync", "-n", "demo", "-f", file, "--dry-run", "--json").json["plan"]
    assert "pypi::bear" in plan["asked"]


def test_variables_of_an_environment(demo: object) -> None:
    place = ("-n", "demo")
    assert kaa("env", "config", "vars", "set", *place, f"HONEY={VALUE}", "EMPTY=").code == 0
    assert kaa("env", "config", "vars", "list", *place, "--json").json == {
        "HONEY": VALUE,
        "EMPTY": "",
    }
    assert kaa("run", *place, "printenv", "HONEY").out == f"{VALUE}\n"
    assert installed() == {"python", "bear", "fur"}
    assert kaa("install", *place, "ipykernel", "-y").code == 0
    assert kaa("run", *place, "printenv", "HONEY").out == f"{VALUE}\n"  # carried over
    assert kaa("env", "config", "vars", "unset", *place, "HONEY").code == 0
    assert "HONEY" not in kaa("env", "config", "vars", "list", *place).out
    assert kaa("run", *place, "printenv", "HONEY").code == 1
    wrong = kaa("env", "config", "vars", "unset", *place, "TEA")
    assert (wrong.code, "TEA is not set" in wrong.err) == (2, True)
    assert kaa("env", "config", "vars", "set", *place, "1A=b").code == 2
    manifest = json.loads(
        (root() / "envs" / "demo" / "conda-meta" / "kaa" / "manifest.json").read_text()
    )
    assert manifest["specs"] == ["bear", "ipykernel"]


def test_compare_says_what_is_missing(demo: object, tmp_path: Path) -> None:
    file = requirements(tmp_path, "bear==1.0", "fur>=2")
    same = kaa("compare", "-n", "demo", file)
    assert same.code == 0, same.err
    file = requirements(tmp_path, "bear==2.0", "wolf", "fur")
    other = kaa("compare", "-n", "demo", file, "--json")
    assert other.code == 1
    assert other.json["differences"] == [
        "bear found but mismatch. Specification pkg: pypi::bear==2.0, "
        "Running pkg: bear==1.0=" + build("bear"),
        "wolf not found",
    ]
    assert kaa("compare", "-n", "none", file).code == 3
    lock = tmp_path / "pylock.toml"
    assert kaa("export", "-n", "demo", "-f", lock).code == 0
    assert kaa("compare", "-n", "demo", lock).code == 0


def build(name: str) -> str:
    (path,) = (root() / "envs" / "demo" / "conda-meta").glob(f"{name}-*.json")
    return str(json.loads(path.read_text())["build"])


def test_env_update_adds_and_with_prune_removes(
    demo: object, index: LocalIndex, tmp_path: Path
) -> None:
    index.add(build_wheel(tmp_path / "wheels", "wolf"))
    file = tmp_path / "pyproject.toml"
    file.write_text(
        '[project]\nname = "demo"\nversion = "1"\ndependencies = ["wolf"]\n', encoding="utf-8"
    )
    added = kaa("env", "update", "-f", file, "-y")
    assert added.code == 0, added.err
    assert installed() == {"python", "bear", "fur", "wolf"}
    (tmp_path / "environment.yml").write_text(
        f"name: demo\nchannels: [pypi, nodefaults]\ndependencies: ['{PYTHON}', 'pypi::wolf']\n"
        "variables: {HONEY: 'yes'}\n"
    )
    pruned = kaa("env", "update", "--prune", "-y")
    assert pruned.code == 0, pruned.err
    assert installed() == {"python", "wolf"}
    assert kaa("run", "-n", "demo", "printenv", "HONEY").out == "yes\n"
    named = kaa("sync", "-f", "environment.yml", "-y")
    assert "Environment demo" in named.out, named.err
    exists = kaa("env", "create", "-f", "environment.yml", "-y")
    assert exists.code == 3
    assert "demo" in exists.err


def test_a_wrong_hash_is_said_before_anything_changes(
    demo: object, wheels: Path, tmp_path: Path
) -> None:
    before = generation()
    file = requirements(tmp_path, "bear==1.0 --hash=sha256:" + "0" * 64)
    assert kaa("sync", "-n", "demo", "-f", file, "-y").code == 2
    assert generation() == before
    assert installed() == {"python", "bear", "fur"}
