"""``kaa repair`` from the command line: what was damaged is as it was, byte for byte."""

from __future__ import annotations

import hashlib
import json
import os
import random
import shutil
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from end_to_end.machine import kaa, kernels, root, unfinished
from end_to_end.test_verify import flip, module

if TYPE_CHECKING:
    from end_to_end.machine import Answer
    from local_index import LocalIndex


def tree(directory: Path) -> dict[str, str]:
    """Return every file below a directory with its hash, every link with its target.

    Without what says when and how a generation was made.
    """
    found = {}
    for folder, _, files in os.walk(directory):
        for name in files:
            path = Path(folder, name)
            inner = path.relative_to(directory).as_posix()
            if inner.startswith("conda-meta/"):
                continue
            if path.is_symlink():
                found[inner] = f"-> {path.readlink()}"
            else:
                found[inner] = hashlib.sha256(path.read_bytes()).hexdigest()
    return found


def generation(name: str = "demo") -> Path:
    return (root() / "envs" / name).resolve()


def done(answer: Answer) -> Answer:
    assert answer.code == 0, answer.out + answer.err
    return answer


@pytest.fixture(autouse=True)
def no_bytecode(monkeypatch: pytest.MonkeyPatch) -> None:
    """Keep what is compiled in the background out of trees that are compared."""
    monkeypatch.setenv("KAA_COMPILE", "false")


def test_what_is_sound_stays(demo: Answer) -> None:
    before = generation()
    answer = done(kaa("repair", "-n", "demo", "-y"))
    assert "demo is sound: nothing to do." in answer.out
    assert generation() == before
    assert "Nothing is damaged." in done(kaa("repair", "--all", "-y")).out


def test_a_bit_in_the_cache_and_in_two_environments(demo: Answer) -> None:
    done(kaa("create", "-n", "other", "bear", "-y"))
    before, cache = tree(generation()), tree(root() / "pkgs")
    other = tree(generation("other"))
    flip(module("demo", "bear/__init__.py"))
    plan = done(kaa("repair", "-n", "demo", "--dry-run"))
    assert "fetch again: bear-1.0" in plan.out
    assert "the same files are in other" in plan.out
    assert generation().name == "1"
    answer = done(kaa("repair", "-n", "demo", "-y"))
    assert "Mended demo; it is at generation 2 now." in answer.out
    assert tree(generation()) == before
    assert tree(root() / "pkgs") == cache
    assert done(kaa("verify", "-n", "demo")).code == 0
    assert kaa("verify", "-n", "other").code == 1  # its file is the old one still
    done(kaa("repair", "--all", "-y"))
    assert tree(generation("other")) == other
    assert done(kaa("verify", "--all", "--json")).json["sound"]
    assert unfinished() == []


def test_random_bits_are_all_found_and_all_mended(demo: Answer) -> None:
    """The short version of ``bench/bitflips.py``."""
    randomly = random.Random(4)
    environment, packages = root() / "envs/demo", root() / "pkgs"
    before, cache = tree(generation()), tree(packages)
    records = record_hashes()
    entries, installed = flippable(packages), flippable(environment)
    for _ in range(3):
        flipped = different([*randomly.sample(entries, 3), *randomly.sample(installed, 2)])
        for path in flipped:
            flip(path)
        found = kaa("verify", "--all", "--json")
        assert found.code == 1
        reported = {each["entry"] for each in found.json["cache"]["damaged"]}
        for path in flipped:
            if path.is_relative_to(packages):
                entry = path.relative_to(packages).parts[0].removesuffix(".lock")
                assert entry in reported, path
        findings = [each for one in found.json["environments"] for each in one["findings"]]
        unread = {each["package"] for each in findings if each["kind"] == "record"}
        paths = {each["path"] for each in findings}
        for path in flipped:
            if path.is_relative_to(environment) and not unread:
                assert path.relative_to(environment).as_posix() in paths, path
        done(kaa("repair", "--all", "-y"))
        assert done(kaa("verify", "--all", "--json")).json["sound"]
    assert tree(generation()) == before
    assert tree(packages) == cache
    assert record_hashes() == records


def different(paths: list[Path]) -> list[Path]:
    """Leave out second names of the same file: flipped twice, a bit is as it was."""
    by_inode = {path.stat().st_ino: path for path in reversed(paths)}
    return list(by_inode.values())


def flippable(directory: Path) -> list[Path]:
    """Return the files that belong to packages, and what kaa has written about them."""
    found = []
    for folder, _, files in os.walk(directory):
        for name in files:
            path = Path(folder, name)
            if not path.is_symlink() and path.stat().st_size and name not in OTHERS:
                found.append(path)
    return sorted(found)


OTHERS = ("CACHEDIR.TAG", "history", "state")
"""What rattler writes for itself, and conda's history, which others write on."""


def record_hashes() -> dict[str, str]:
    paths = generation().glob("conda-meta/*.json")
    return {path.name: json.loads(path.read_bytes())["sha256"] for path in paths}


def test_your_own_files_and_settings_stay(index: LocalIndex, tmp_path: Path) -> None:
    from wheels import build_wheel

    index.add(build_wheel(tmp_path / "w", "server", data={"data/etc/server.json": "{}"}))
    done(kaa("create", "-n", "demo", "server", "bear", "-y"))
    old = generation()
    (old / "etc/server.json").write_text('{"mine": 1}')
    (old / "data").mkdir()
    (old / "data/results.csv").write_text("1,2\n")
    module("demo", "bear/__init__.py").unlink()
    done(kaa("repair", "-n", "demo", "-y"))
    assert generation() != old
    assert (generation() / "etc/server.json").read_text() == '{"mine": 1}'
    assert (generation() / "data/results.csv").read_text() == "1,2\n"
    assert module("demo", "bear/__init__.py").is_file()


@pytest.mark.parametrize("lock", ["whole", "missing"])
def test_records_are_written_anew(demo: Answer, lock: str) -> None:
    """From the generation's own lock, or from another generation that had the same package."""
    if lock == "missing":
        done(kaa("install", "-n", "demo", "fur==2.1", "ipykernel", "-y"))
        assert generation().name == "2"
        (generation() / "conda-meta/kaa/lock.json").unlink()
    (record,) = generation().glob("conda-meta/bear-*.json")
    before = json.loads(record.read_bytes())
    record.write_text("{")
    refused = kaa("install", "-n", "demo", "ipykernel", "-y")
    assert refused.code == 3
    assert "kaa repair" in refused.err
    assert "bear" in done(kaa("repair", "-n", "demo", "-y")).out
    (record,) = generation().glob("conda-meta/bear-*.json")
    after = json.loads(record.read_bytes())
    for key in ("name", "version", "build", "url", "sha256", "paths_data", "requested_specs"):
        assert after[key] == before[key], key
    done(kaa("verify", "-n", "demo"))


def test_a_record_of_nowhere_is_said(demo: Answer) -> None:
    (record,) = generation().glob("conda-meta/bear-*.json")
    record.write_text("{")
    (generation() / "conda-meta/kaa/lock.json").unlink()
    answer = kaa("repair", "-n", "demo", "-y")
    assert answer.code == 3
    assert "bear" in answer.err


def test_two_records_of_one_package(demo: Answer) -> None:
    (record,) = generation().glob("conda-meta/fur-*.json")
    content = json.loads(record.read_bytes())
    other = {**content, "version": "9.9", "paths_data": {"paths_version": 1, "paths": []}}
    record.with_name("fur-9.9-py3_0.json").write_text(json.dumps({**other, "files": []}))
    assert kaa("verify", "-n", "demo").code == 1
    done(kaa("repair", "-n", "demo", "-y"))
    assert [p.name for p in generation().glob("conda-meta/fur-*.json")] == [record.name]
    done(kaa("verify", "-n", "demo"))


def test_a_generation_that_is_gone(demo: Answer) -> None:
    before = tree(generation())
    done(kaa("install", "-n", "demo", "ipykernel", "-y"))
    shutil.rmtree(generation())
    refused = kaa("install", "-n", "demo", "fur", "-y")
    assert refused.code == 3
    assert "kaa repair" in refused.err
    answer = done(kaa("repair", "-n", "demo", "-y"))
    assert "rebuild generation 1" in answer.out
    assert tree(generation()) == before
    assert generation().name == "3"


def test_an_environment_that_was_moved_by_hand(demo: Answer, tmp_path: Path) -> None:
    there = tmp_path / "projects" / "one"
    there.mkdir(parents=True)
    done(kaa("create", "-p", there / "env", "bear", "-y"))
    moved = tmp_path / "projects" / "two"
    there.rename(moved)
    assert str(there) in kaa("verify", "-p", moved / "env").out
    answer = done(kaa("repair", "-p", moved / "env", "-y"))
    assert f"rebuild it for {moved / 'env'}" in answer.out
    assert (moved / "env/bin/growl").read_text().startswith(f"#!{moved}/env/bin/python")
    assert done(kaa("run", "-p", moved / "env", "growl")).out.split()[0] == "bear"
    done(kaa("verify", "-p", moved / "env"))


def test_a_link_that_was_moved_away_from_its_generations(demo: Answer) -> None:
    (root() / "envs/demo").rename(root() / "envs/trial")
    answer = kaa("repair", "-n", "trial", "-y")
    assert answer.code == 3
    assert "mv " in answer.err


def test_what_pip_installed_is_told_with_what_mends_it(demo: Answer) -> None:
    site = module("demo", "bear").parent
    (site / "wolf-1.0.dist-info").mkdir()
    (site / "wolf-1.0.dist-info/RECORD").write_text("wolf.py,,\nwolf-1.0.dist-info/RECORD,,\n")
    answer = kaa("repair", "-n", "demo", "-y")
    assert answer.code == 1
    assert "python -m pip install --force-reinstall --no-deps wolf==1.0" in answer.out
    assert generation().name == "1"


def test_offline_says_what_is_missing(demo: Answer) -> None:
    flip(module("demo", "bear/__init__.py"))
    answer = kaa("repair", "-n", "demo", "-y", "--offline")
    assert answer.code == 6
    assert "bear-1.0" in answer.err
    assert generation().name == "1"


def test_install_does_not_link_what_is_damaged(demo: Answer) -> None:
    good = module("demo", "bear/__init__.py").read_bytes()
    with module("demo", "bear/__init__.py").open("r+b") as file:
        file.truncate(3)
    answer = done(kaa("install", "-n", "demo", "ipykernel", "-y"))
    assert "is damaged in the package cache, and fetched again" in answer.err
    assert module("demo", "bear/__init__.py").read_bytes() == good
    done(kaa("verify", "--all"))


def test_fix_mends_before_it_changes(demo: Answer) -> None:
    (record,) = generation().glob("conda-meta/bear-*.json")
    record.write_text("{")
    answer = done(kaa("install", "-n", "demo", "ipykernel", "-y", "--fix"))
    assert "Mended demo; it is at generation 2 now." in answer.out
    assert "Changed demo; it is at generation 3 now." in answer.out
    done(kaa("verify", "-n", "demo"))
    answer = done(kaa("remove", "-n", "demo", "ipykernel", "-y", "--fix", "--json"))
    assert answer.json["success"]


def test_a_kernelspec_that_is_broken_is_written_anew(demo: Answer) -> None:
    (name,) = kernels()
    spec = Path(os.environ["JUPYTER_DATA_DIR"]) / "kernels" / name / "kernel.json"
    good = spec.read_text()
    spec.unlink()
    done(kaa("repair", "-n", "demo", "-y"))
    assert spec.read_text() == good
