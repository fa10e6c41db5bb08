"""``kaa du`` with real environments, against the system's own ``du`` and against what happens."""

from __future__ import annotations

import os
import shutil
import subprocess
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from end_to_end.machine import home, kaa, root
from environment_layouts import virtual_environment
from wheels import build_wheel

if TYPE_CHECKING:
    from end_to_end.machine import Answer
    from local_index import LocalIndex

pytestmark = pytest.mark.skipif(shutil.which("du") is None, reason="there is no du")


@pytest.fixture(autouse=True)
def no_interpreters_of_this_machine(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PYENV_ROOT", str(tmp_path / "none"))
    monkeypatch.setenv("UV_PYTHON_INSTALL_DIR", str(tmp_path / "none"))


def du(*tops: Path) -> int:
    done = subprocess.run(
        ["du", "-sc", "--block-size=1", *map(str, tops)], capture_output=True, text=True, check=True
    )
    return int(done.stdout.splitlines()[-1].split()[0])


def everything() -> dict[str, Any]:
    answer = kaa("du", "--json")
    assert answer.code == 0, answer.err
    told: dict[str, Any] = answer.json
    return told


def use_of(answer: dict[str, Any], name: str) -> dict[str, Any]:
    (use,) = [use for use in answer["uses"] if use["name"] == name]
    assert isinstance(use, dict)
    return use


def check(answer: dict[str, Any]) -> None:
    for use in answer["uses"]:
        assert use["size"] == use["freed"] + sum(use["shared"].values())
        for generation in use["generations"]:
            assert generation["size"] == generation["freed"] + sum(generation["shared"].values())


@pytest.fixture
def two(demo: Answer, local_index: LocalIndex, tmp_path: Path) -> None:
    """An environment with two generations, one with a path, which share a large package."""
    folder = tmp_path / "wheels"
    folder.mkdir()
    large = {"large/__init__.py": "", "large/data.bin": os.urandom(400_000).hex()}
    local_index.add(build_wheel(folder, "large", files=large))
    for arguments in (
        ("install", "-n", "demo", "large"),
        ("create", "-p", tmp_path / "other place", "large", "bear"),
    ):
        answer = kaa(*arguments, "-y")
        assert answer.code == 0, answer.err


def test_all_of_it_is_what_du_says(two: None, tmp_path: Path) -> None:
    answer = everything()
    check(answer)
    # The other environment's link and its generations, but not the directory that they are in.
    other = use_of(answer, "other place")
    own = tmp_path / ".kaa" / "other place"
    assert other["size"] == du(own, tmp_path / "other place")
    assert answer["total"] == du(root(), own, tmp_path / "other place")
    demo = use_of(answer, "demo")
    assert demo["size"] == du(root() / "envs" / ".kaa" / "demo", root() / "envs" / "demo")
    assert use_of(answer, "package cache")["size"] == du(root() / "pkgs")
    assert [each["current"] for each in demo["generations"]] == [False, True]
    for each in demo["generations"]:
        assert each["size"] == du(root() / "envs" / ".kaa" / "demo" / str(each["number"]))


def test_what_is_said_to_be_freed_is_freed(two: None) -> None:
    answer = everything()
    demo, before = use_of(answer, "demo"), answer["total"]
    assert demo["shared"]["packages"] > 800_000
    envs = root() / "envs"
    around = du(envs / ".kaa") - du(envs / ".kaa" / "demo")
    assert demo["freed"] < du(envs / ".kaa" / "demo")
    old = envs / ".kaa" / "demo" / "1"
    shutil.rmtree(old)
    assert everything()["total"] == before - demo["old_generations"]
    assert kaa("env", "remove", "-n", "demo", "-y").code == 0
    after = everything()
    # A kernelspec is not below kaa's root; the directory of generations went with the last one.
    assert before - after["total"] == demo["freed"] + (0 if (envs / ".kaa").exists() else around)
    # What only the other one and the cache have now would be freed with both, and not with one.
    other = use_of(after, "other place")
    assert other["shared"]["packages"] > 800_000
    assert other["shared"]["elsewhere"] == 0


def test_links_that_nobody_knows_are_told(two: None, tmp_path: Path) -> None:
    (file,) = (root() / "pkgs").glob("large-*/site-packages/large/data.bin")
    before = use_of(everything(), "package cache")
    os.link(file, tmp_path / "elsewhere")
    assert use_of(everything(), "package cache")["shared"] == before["shared"]
    for prefix in (root() / "envs" / ".kaa", tmp_path / ".kaa"):
        shutil.rmtree(prefix)
    after = use_of(everything(), "package cache")
    assert after["shared"]["elsewhere"] == file.stat().st_blocks * 512
    assert after["shared"]["environments"] < before["shared"]["environments"]


def test_environments_of_other_programs(demo: Answer, tmp_path: Path) -> None:
    conda = tmp_path / "miniforge3"
    cached = conda / "pkgs" / "fur-2.1-0" / "lib" / "fur.so"
    zoo_prefix = conda / "envs" / "zoo"
    for folder in (conda / "conda-meta", cached.parent, zoo_prefix / "conda-meta"):
        folder.mkdir(parents=True)
    cached.write_bytes(os.urandom(50_000))
    (conda / "pkgs" / "urls.txt").touch()
    os.link(cached, zoo_prefix / "fur.so")
    (conda / "bin").mkdir()
    (conda / "bin" / "python").write_bytes(os.urandom(20_000))
    with (home() / ".conda" / "environments.txt").open("a") as file:
        file.write(f"{conda}\n{conda / 'envs' / 'zoo'}\n{tmp_path / 'gone'}\n")
    answer = everything()
    check(answer)
    assert answer["total"] == du(root(), conda)
    zoo = use_of(answer, "zoo")
    assert (zoo["kind"], zoo["path"]) == ("foreign environment", str(conda / "envs" / "zoo"))
    assert zoo["size"] == du(conda / "envs" / "zoo")
    assert zoo["shared"]["packages"] == du(cached)
    assert zoo["made_by"] == "conda"
    # conda's own prefix has its environments and its packages in it, which are not its own files.
    base = use_of(answer, "miniforge3")
    assert base["shared"]["environments"] == base["shared"]["packages"] == 0
    assert base["size"] < 60_000
    assert kaa("du", "-p", conda / "envs" / "zoo").code == 0


def test_environments_that_are_on_no_list(demo: Answer, tmp_path: Path) -> None:
    shop = virtual_environment(home() / ".virtualenvs" / "shop")
    (shop / "data").write_bytes(os.urandom(40_000))
    answer = everything()
    check(answer)
    use = use_of(answer, "shop")
    assert (use["kind"], use["made_by"]) == ("foreign environment", "virtualenvwrapper")
    assert use["size"] == du(shop)
    assert answer["total"] == du(root(), shop)
    assert "shop (virtualenvwrapper)" in kaa("du").out
    assert use_of(answer, "demo")["made_by"] is None


def test_one_environment_and_its_generations(two: None) -> None:
    answer = kaa("du", "-n", "demo", "--json")
    assert answer.json["use"] == use_of(everything(), "demo")
    text = kaa("du", "-n", "demo")
    assert text.code == 0 and text.err == ""
    assert "2 (current)" in text.out and "with a package cache" in text.out
    assert "Without its old generations" in text.out


def test_what_would_free_most_is_first(two: None) -> None:
    (root() / "envs" / "demo" / "mine").write_bytes(b"x" * 1_000_000)
    lines = kaa("du").out.splitlines()
    assert lines[0].split() == [
        *("Environment", "Generations", "Files", "Size", "Frees", "Shared", "Path")
    ]
    assert lines[1].startswith("demo") and lines[2].startswith("other place")
    assert any(line.startswith("Together ") for line in lines)
    assert "kaa clean --generations" in lines[-1]


def test_generations_whose_link_is_gone_are_told(demo: Answer) -> None:
    (root() / "envs" / "demo").unlink()
    orphan = use_of(everything(), "demo")
    assert orphan["kind"] == "orphan"
    assert "its link is gone" in kaa("du").out
    (root() / "envs" / "renamed").symlink_to(Path(".kaa", "demo", "1"))
    assert [use["kind"] for use in everything()["uses"] if use["name"] == "demo"] == []


def test_nothing_at_all() -> None:
    answer = kaa("du")
    assert answer.code == 0, answer.err
    assert kaa("du", "-n", "missing").code == 3


def test_a_cache_that_is_only_read_is_counted_and_never_cleaned(
    demo: Answer, tmp_path: Path
) -> None:
    beneath, own = tmp_path / "beneath", tmp_path / "own"
    beneath.mkdir()
    (root() / "pkgs").rename(beneath / "kaa")
    config = home() / ".config" / "kaa" / "config.toml"
    config.parent.mkdir(parents=True)
    config.write_text(f'pkgs-dirs = ["{own}", "{beneath}"]\n')
    answer = everything()
    check(answer)
    assert use_of(answer, "package cache, only read")["size"] == du(beneath / "kaa")
    demo_use = use_of(answer, "demo")
    assert demo_use["shared"]["packages"] > 0 and demo_use["shared"]["elsewhere"] == 0
    assert kaa("env", "remove", "-n", "demo", "-y").code == 0
    before = du(beneath)
    for arguments in ((), ("--all",), ("--force-pkgs-dirs",)):
        assert kaa("clean", "-y", *arguments).code == 0
    assert du(beneath) == before
