"""An environment as conda makes it, in place: read as it is, changed once it is adopted."""

from __future__ import annotations

import asyncio
import json
import os
import shutil
import signal
import subprocess
import sys
import time
from typing import TYPE_CHECKING

import pytest
import rattler

from end_to_end.machine import KAA, Answer, kaa, kernels, listed
from end_to_end.test_change_sources import Forge, forge
from packed_interpreter import conda_subdir
from wheels import build_wheel

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from local_index import LocalIndex

__all__ = ["forge"]  # a fixture


@pytest.fixture
def made(forge: Forge, tmp_path: Path) -> Path:
    """An environment with python, bee, which needs honey, and ant, which nobody asked for."""
    forge.project("ant")
    prefix = tmp_path / "mini forge" / "envs" / "hive"
    conda_create(prefix, forge, ["python", "bee>=1"], ["python", "bee>=1", "ant"])
    return prefix


def conda_create(prefix: Path, forge: Forge, asked: Sequence[str], specs: Sequence[str]) -> None:
    """Do what ``conda create`` does: link into the directory, and write the history."""

    async def work() -> None:
        channel = rattler.Channel(forge.url)
        platforms = [rattler.Subdir(conda_subdir()), rattler.Subdir("noarch")]
        records = await rattler.solve([channel], list(specs), platforms=platforms)
        cache = prefix.parent.parent / "pkgs"
        await rattler.install(records, target_prefix=str(prefix), cache_dir=cache)

    asyncio.run(work())
    lines = ["==> 2025-03-01 12:00:00 <==", "# cmd: conda create -n hive python 'bee>=1'"]
    lines.append(f"# update specs: {list(asked)!r}")
    (prefix / "conda-meta" / "history").write_text("\n".join([*lines, ""]))


def done(answer: Answer) -> Answer:
    assert answer.code == 0, answer.err
    return answer


def test_it_is_read_and_changed_only_after_it_is_adopted(made: Path, forge: Forge) -> None:
    packages = done(kaa("list", "-p", made, "--json")).json
    assert [each["name"] for each in packages] == ["ant", "bee", "honey", "python"]
    inode = (made / "bin" / "bee").stat().st_ino if (made / "bin" / "bee").exists() else None
    for arguments in (("install", "-p", made, "honey"), ("update", "-p", made, "--all")):
        refused = kaa(*arguments, "-y")
        assert refused.code == 2
        assert "was not made by kaa" in refused.err
        assert f"`kaa adopt -p '{made}'`" in refused.err

    plan = done(kaa("adopt", "-p", made, "--dry-run", "--json")).json["plan"]
    # What nobody asked for and nothing needs would go with the next change.
    assert plan["specs"] == ["python", "bee>=1", "ant"]
    assert plan["sources"] == [forge.url.rstrip("/")]
    assert (plan["program"], plan["packages"], plan["foreign"]) == ("conda", 4, [])
    assert not made.is_symlink() and not (made.parent / ".kaa").exists()

    answer = done(kaa("adopt", "-p", made, "-y"))
    assert "Adopted hive; it is at generation 1 now." in answer.out
    assert os.readlink(made) == os.path.join(".kaa", "hive", "1")  # noqa: PTH115, PTH118
    if inode is not None:
        assert (made / "bin" / "bee").stat().st_ino == inode
    assert (listed(), kernels()) == ([str(made)], ["hive"])
    info = done(kaa("info", "-p", made, "--json")).json["environment"]
    assert (info["generation"], info["problem"]) == (1, None)
    assert info["specs"] == ["python", "bee>=1", "ant"]

    forge.project("honey", "1.5")
    done(kaa("update", "-p", made, "honey", "-y"))
    packages = done(kaa("list", "-p", made, "--json")).json
    assert {each["name"]: each["version"] for each in packages if each["name"] != "python"} == {
        "ant": "1.0",
        "bee": "1.0",
        "honey": "1.5",
    }
    out = subprocess.check_output(
        [made / "bin" / "python", "-c", "import bee, sys; print(sys.prefix)"]
    )
    assert out.decode().strip() == str(made)
    assert kaa("adopt", "-p", made, "-y").out.count("Nothing to do") == 1
    # What conda linked is the first generation like any other: gone back to, and looked through.
    done(kaa("undo", "-p", made, "-y"))
    assert os.readlink(made) == os.path.join(".kaa", "hive", "1")  # noqa: PTH115, PTH118
    done(kaa("verify", "-p", made))


def test_what_runs_in_it_goes_on(made: Path, forge: Forge) -> None:
    code = "print('on', flush=True)\nfor line in __import__('sys').stdin: exec(line)"
    command = [str(made / "bin" / "python"), "-u", "-c", code]
    with subprocess.Popen(
        command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as process:
        assert process.stdout is not None and process.stdin is not None
        assert process.stdout.readline() == "on\n"
        plan = done(kaa("adopt", "-p", made, "-y", "--json")).json["plan"]
        assert [each["pid"] for each in plan["processes"]] == [process.pid]
        out, _ = process.communicate("import bee; print(bee.__file__)\n")
    assert out.startswith(str(made))


def test_what_pip_installed_stays_as_it_is_until_it_is_adopted(made: Path) -> None:
    (site,) = made.glob("lib/python*/site-packages")
    (site / "fox-1.0.dist-info").mkdir()
    (site / "fox-1.0.dist-info" / "INSTALLER").write_text("pip\n")
    plan = done(kaa("adopt", "-p", made, "-y", "--json")).json["plan"]
    assert [each["name"] for each in plan["foreign"]] == ["fox"]
    assert plan["sources"][-1] == "pypi"
    answer = done(kaa("list", "-p", made, "--json")).json
    assert {each["name"] for each in answer if each["foreign"]} == {"fox"}


def test_one_that_has_drifted_says_what_is_not_as_recorded(
    made: Path, index: LocalIndex, tmp_path: Path
) -> None:
    index.headers = {"Cache-Control": "no-cache"}
    index.add(build_wheel(tmp_path / "more", "honey", "2.0"))
    pip = [sys.executable, "-m", "pip", "--python", str(made / "bin" / "python")]
    command = [*pip, "install", "--quiet", "--no-cache-dir", "honey==2.0"]
    subprocess.run(command, check=True, stderr=subprocess.DEVNULL)
    (site,) = made.glob("lib/python*/site-packages")
    for name in ("ant", "ant-1.0.dist-info"):
        shutil.rmtree(site / name)
    (record,) = (made / "conda-meta").glob("bee-*.json")
    text = record.read_text()
    record.write_text(text[:50])
    history = made / "conda-meta" / "history"
    history.unlink()
    history.mkdir()
    notes = done(kaa("adopt", "-p", made, "--dry-run", "--json")).json["plan"]["notes"]
    assert any(each.startswith("nobody wrote down what was asked for") for each in notes)
    assert any(f"the record {record.name} cannot be read" in each for each in notes)
    assert any("honey 2.0 (of pip) was installed over honey 1.0" in each for each in notes)
    assert any("none of the files of ant is there" in each for each in notes)
    record.write_text(text)
    done(kaa("adopt", "-p", made, "-y"))
    assert "nothing else in it needs" in str(notes)
    found = {each["name"]: each for each in done(kaa("list", "-p", made, "--json")).json}
    assert [name for name, each in found.items() if each["requested"]] == ["ant", "bee", "honey"]
    # What the notes say, done.
    done(kaa("adopt", "-p", made, "-y"))
    done(kaa("repair", "-p", made, "-y"))
    found = {each["name"]: each for each in done(kaa("list", "-p", made, "--json")).json}
    assert (found["honey"]["version"], found["honey"]["foreign"]) == ("2.0", False)
    done(kaa("verify", "-p", made))


def test_a_name_that_is_not_ascii_and_ctrl_c(made: Path) -> None:
    prefix = made.rename(made.with_name("żółw 環境"))
    command = [*KAA, "adopt", "-p", str(prefix), "-y"]
    for delay in (0, 0.01, 0.1):
        with subprocess.Popen(
            command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
        ) as process:
            assert process.stdout is not None
            process.stdout.readline()  # the plan is told, and carried out at once
            time.sleep(delay)
            process.send_signal(signal.SIGINT)
            _, said = process.communicate()
        # At any moment it is the one or the other, and usable.
        assert "Traceback" not in said
        assert (prefix / "bin" / "python").exists()
    done(kaa("adopt", "-p", prefix, "-y"))
    assert os.readlink(prefix) == os.path.join(".kaa", prefix.name, "1")  # noqa: PTH115, PTH118
    assert listed() == [str(prefix)]


def test_what_cannot_be_adopted_says_why(made: Path, tmp_path: Path) -> None:
    (made / "condabin").mkdir()
    base = kaa("adopt", "-p", made, "-y", "--json")
    assert base.code == 2
    assert "conda, mamba or the like is installed in it" in json.loads(base.out)["cause"]
    (made / "condabin").rmdir()
    (tmp_path / "empty" / "conda-meta").mkdir(parents=True)
    empty = kaa("adopt", "-p", tmp_path / "empty", "-y")
    assert empty.code == 3 and "nobody knows what is in" in empty.err
    assert "nothing at" in kaa("adopt", "-p", tmp_path / "missing", "-y").err
    assert kaa("adopt", "-p", made, "bee", "-y").code == 2


def test_an_interrupted_adoption_is_finished(made: Path) -> None:
    """As it is where two names cannot be exchanged, between the two renames."""
    code = (
        "import os, sys\nfrom kaa.__main__ import main\nfrom kaa.transaction import adoption\n"
        "adoption.exchange = lambda one, other: False\n"
        "link = adoption.Path.rename\n"
        "def rename(self, target):\n"
        "    if self.name == 'link': os._exit(9)\n"
        "    return link(self, target)\n"
        "adoption.Path.rename = rename\nsys.argv[0] = 'kaa'\nmain()"
    )
    killed = subprocess.run(
        [KAA[0], "-c", code, "adopt", "-p", str(made), "-y"], capture_output=True, check=False
    )
    assert killed.returncode == 9, killed.stderr
    assert not made.exists()
    told = kaa("list", "-p", made)
    assert told.code == 3 and "was interrupted" in told.err and "kaa adopt -p" in told.err
    done(kaa("adopt", "-p", made, "-y"))
    info = done(kaa("info", "-p", made, "--json")).json["environment"]
    assert (info["generation"], info["specs"]) == (1, ["python", "bee>=1", "ant"])
    assert (listed(), kernels()) == ([str(made)], ["hive"])
