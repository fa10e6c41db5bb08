"""``kaa verify`` from the command line: real environments, real damage."""

from __future__ import annotations

import os
import subprocess
import sys
from typing import TYPE_CHECKING

from end_to_end.machine import kaa, root

if TYPE_CHECKING:
    from pathlib import Path

    from end_to_end.machine import Answer


def module(environment: str, name: str) -> Path:
    (path,) = (root() / "envs" / environment).glob(f"lib/python*/site-packages/{name}")
    return path


def flip(path: Path) -> None:
    """Flip a bit in place, as a disk does: size and times stay, other names of it change too."""
    status = path.stat()
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 4
    with path.open("r+b") as file:
        file.write(content)
    os.utime(path, ns=(status.st_atime_ns, status.st_mtime_ns))


def test_sound(demo: Answer) -> None:
    answer = kaa("verify", "-n", "demo")
    assert answer.code == 0, answer.out
    assert "demo: 3 packages" in answer.out
    assert answer.out.count("sound.") == 2
    everything = kaa("verify", "--all", "--json")
    assert everything.code == 0
    found = everything.json
    assert found["sound"]
    assert [each["findings"] for each in found["environments"]] == [[], []]  # and the overlay
    assert found["cache"]["entries"] >= 4


def test_a_bit_that_flipped_shows_wherever_the_file_is(demo: Answer) -> None:
    assert kaa("create", "-n", "other", "bear", "-y").code == 0
    flip(module("demo", "bear/__init__.py"))
    answer = kaa("verify", "-n", "other")
    assert answer.code == 1
    assert "altered" in answer.out
    assert "/site-packages/bear/__init__.py" in answer.out
    assert "The package cache is damaged: 1 of 3 packages" in answer.out
    assert f"kaa repair -p {root()}/envs/other" in answer.out
    found = kaa("verify", "--all", "--json").json
    damaged = [each["name"] for each in found["environments"] if not each["sound"]]
    assert damaged == ["demo", "other"]


def test_a_record_that_is_no_longer_what_was_written(demo: Answer) -> None:
    (record,) = (root() / "envs/demo/conda-meta").glob("bear-*.json")
    record.write_text(record.read_text().replace('"subdir"', '"subdur"'))
    answer = kaa("verify", "-n", "demo", "--json")
    assert answer.code == 1
    findings = answer.json["environments"][0]["findings"]
    assert ("record", "bear") in [(each["kind"], each["package"]) for each in findings]


def test_an_environment_of_another_program(demo: Answer, tmp_path: Path) -> None:
    venv = tmp_path / "venv"
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", str(venv)], check=True)
    answer = kaa("verify", "-p", venv)
    assert answer.code == 0, answer.err
    python = next((venv / "bin").glob("python3.*"), venv / "bin/python")
    for link in (python, venv / "bin/python3", venv / "bin/python"):
        link.unlink(missing_ok=True)
    (venv / "bin/python").symlink_to("/not/there")
    answer = kaa("verify", "-p", venv)
    assert answer.code == 1
    assert "mend this with the program that made it" in answer.out


def test_what_is_no_environment(demo: Answer, tmp_path: Path) -> None:
    assert kaa("verify", "-p", tmp_path).code == 3
    assert kaa("verify", "-n", "dem").code == 3
    assert kaa("verify").code == 2
    assert kaa("verify", "--all", "-n", "demo").code == 2
