"""``kaa clean`` with real environments: what goes, what stays, and what is freed."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
import time
from datetime import datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from end_to_end.machine import (
    KAA,
    MINOR,
    PYTHON,
    home,
    kaa,
    kernels,
    listed,
    names,
    root,
    unfinished,
)
from wheels import build_wheel

if TYPE_CHECKING:
    from collections.abc import Iterable

    from end_to_end.machine import Answer
    from local_index import LocalIndex


def cleaned(*arguments: str) -> dict[str, Any]:
    answer = kaa("clean", "-y", "--json", *arguments)
    assert answer.code == 0, answer.err
    told: dict[str, Any] = answer.json
    return told


def of_kind(answer: dict[str, Any], kind: str) -> list[str]:
    return [item["name"] for item in answer["items"] if item["kind"] == kind]


def generations(name: str = "demo") -> list[str]:
    return names(root() / "envs" / ".kaa" / name)


def entries() -> list[str]:
    return sorted(path.name for path in (root() / "pkgs").iterdir() if path.is_dir())


def age(days: float, numbers: Iterable[int], name: str = "demo") -> None:
    """Make generations that many days older than they are."""
    for number in numbers:
        file = root() / "envs" / ".kaa" / name / str(number) / "conda-meta/kaa/manifest.json"
        manifest = json.loads(file.read_text())
        created = datetime.fromisoformat(manifest["created"]) - timedelta(days=days)
        file.write_text(json.dumps({**manifest, "created": created.isoformat()}))


def disk() -> int:
    """Return the bytes that the root takes, as the system's ``du`` says."""
    done = subprocess.run(
        ["du", "-s", "--block-size=1", str(root())], capture_output=True, text=True, check=True
    )
    return int(done.stdout.split()[0])


@pytest.fixture
def grown(demo: Answer, local_index: LocalIndex, tmp_path: Path) -> None:
    """Four generations of ``demo``, of which the third has a large package."""
    folder = tmp_path / "wheels"
    folder.mkdir()
    large = {"large/__init__.py": "", "large/data.bin": os.urandom(400_000).hex()}
    local_index.add(build_wheel(folder, "large", files=large))
    for name in ("small", "other"):
        local_index.add(build_wheel(folder, name))
    for spec in ("small", "large", "other"):
        answer = kaa("install", "-n", "demo", spec, "-y")
        assert answer.code == 0, answer.err


def test_nothing_goes_that_is_young_or_referred_to(grown: None) -> None:
    before = disk()
    plan = kaa("clean", "--dry-run")
    assert plan.code == 0, plan.err
    assert "There is nothing to remove." in plan.out
    assert cleaned()["items"] == []
    assert disk() == before
    assert generations() == ["1", "2", "3", "4"]


def test_old_generations_go_and_what_they_were_stays_known(grown: None) -> None:
    age(100, [1, 2, 3, 4])
    dry = kaa("clean", "--dry-run", "-v", "--keep", "1")
    assert "generations" in dry.out and "demo 1" in dry.out and "Dry run" in dry.out
    assert generations() == ["1", "2", "3", "4"]
    before = disk()
    answer = cleaned("--keep", "1")
    # The fourth is the current one, and the third what an undo leads to.
    assert of_kind(answer, "generations") == ["demo 1", "demo 2"]
    assert answer["freed"] == answer["size"] > 0
    past = root() / "envs" / ".kaa" / "demo" / ".past-1"
    kept = sum(p.lstat().st_blocks * 512 for p in past.parent.glob(".past-*/*"))
    kept += sum(p.lstat().st_blocks * 512 for p in past.parent.glob(".past-*"))
    assert before - disk() == answer["freed"] - kept
    assert generations() == [".past-1", ".past-2", "3", "4"]
    assert names(past) == ["lock.json", "manifest.json"]
    locked = {record["name"] for record in json.loads((past / "lock.json").read_text())}
    assert {"bear", "fur", "python"} <= locked
    # Numbers are never used twice, and the environment works as before.
    assert kaa("run", "-n", "demo", "python", "-c", "import bear, large, other").code == 0
    assert cleaned("--keep", "1")["items"] == []


def test_days_count_from_when_a_generation_was_left(grown: None) -> None:
    age(100, [1, 2])
    # The second one was the current one until the third was made, just now.
    assert of_kind(cleaned("--keep", "0"), "generations") == ["demo 1"]
    assert of_kind(cleaned("--keep", "0", "--older-than", "0"), "generations") == ["demo 2"]
    assert generations() == [".past-1", ".past-2", "3", "4"]


def test_the_newest_are_kept_however_old(grown: None) -> None:
    age(100, [1, 2, 3, 4])
    assert cleaned("--keep", "4")["items"] == []
    assert cleaned()["items"] == []
    config = home() / ".config" / "kaa" / "config.toml"
    config.parent.mkdir(parents=True)
    config.write_text("keep-generations = 3\nkeep-days = 20\n")
    assert of_kind(cleaned(), "generations") == ["demo 1"]


def test_a_clock_that_went_backwards_deletes_nothing_early(grown: None) -> None:
    age(100, [1])
    age(-1000, [2])
    age(100, [3, 4])
    # The third was made after the second, which is from the future.
    assert of_kind(cleaned("--keep", "0"), "generations") == []


def test_a_package_goes_with_the_last_that_had_it(grown: None) -> None:
    assert kaa("create", "-n", "second", "large", "-y").code == 0
    assert kaa("env", "remove", "-n", "demo", "-y").code == 0
    answer = cleaned()
    gone = of_kind(answer, "packages")
    assert [name.split("-")[0] for name in gone] == ["bear", "fur", "other", "small"]
    assert answer["packages"]["pkgs_dirs"] == {str(root() / "pkgs"): gone}
    assert answer["packages"]["total_size"] == answer["size"] == answer["freed"]
    assert any(entry.startswith("large-") for entry in entries())
    assert kaa("env", "remove", "-n", "second", "-y").code == 0
    before = disk()
    answer = cleaned("--packages")
    assert [name.split("-")[0] for name in of_kind(answer, "packages")] == ["large"]
    assert before - disk() == answer["freed"] > 800_000
    # What the kernel overlay was made of stays as long as it does.
    assert [entry.split("-")[0] for entry in entries()] == ["ipykernel", "python"]
    answer = cleaned("--kernels", "--packages")
    assert len(of_kind(answer, "overlays")) == 1
    assert entries() == [] and not list((root() / "pkgs").glob("[!.]*.lock"))
    assert names(root() / "overlays") == [".kaa"] or names(root() / "overlays") == []
    assert unfinished() == []


def test_what_an_old_generation_and_the_cache_share_is_freed_with_both(grown: None) -> None:
    for command in (("remove", "large"), ("install", "fur")):
        answer = kaa(command[0], "-n", "demo", *command[1:], "-y")
        assert answer.code == 0, answer.err
    age(100, range(1, 7))
    plan = kaa("clean", "--dry-run", "--json", "--keep", "1").json
    assert of_kind(plan, "generations") == [f"demo {number}" for number in (1, 2, 3, 4)]
    assert [name.split("-")[0] for name in of_kind(plan, "packages")] == ["large"]
    sizes = {item["name"].split("-")[0]: item["size"] for item in plan["items"]}
    assert sizes["large"] > 800_000 > sizes["demo 4"]
    done = cleaned("--keep", "1")
    assert (done["size"], done["freed"]) == (plan["size"], plan["size"])


def test_what_was_cleared_away_can_be_gone_back_to(grown: None) -> None:
    age(100, [1, 2, 3, 4])
    (root() / "envs" / "demo" / "mine.txt").write_text("kept")
    cleaned("--keep", "1")
    cleaned("--force-pkgs-dirs")
    history = kaa("history", "-n", "demo", "--json")
    assert history.code == 0, history.err
    numbers = {each["generation"]: each["on_disk"] for each in history.json["generations"]}
    assert numbers == {1: False, 2: False, 3: True, 4: True}
    back = kaa("rollback", "-n", "demo", "2", "-y")
    assert back.code == 0, back.err
    assert kaa("run", "-n", "demo", "python", "-c", "import small, bear").code == 0
    assert kaa("run", "-n", "demo", "python", "-c", "import large").code != 0
    assert (root() / "envs" / "demo" / "mine.txt").read_text() == "kept"
    # The second one was made from the first.
    assert kaa("undo", "-n", "demo", "-y").code == 0
    assert kaa("run", "-n", "demo", "python", "-c", "import small").code != 0
    assert kaa("run", "-n", "demo", "growl").code == 0


def test_a_package_with_links_elsewhere_is_kept(grown: None, tmp_path: Path) -> None:
    (file,) = (root() / "pkgs").glob("large-*/site-packages/large/data.bin")
    os.link(file, tmp_path / "mine")
    assert kaa("env", "remove", "-n", "demo", "-y").code == 0
    answer = cleaned("--packages")
    assert "large" not in {name.split("-")[0] for name in of_kind(answer, "packages")}
    assert any("has links to their files" in note for note in answer["notes"])
    answer = cleaned("--force-pkgs-dirs")
    assert entries() == []
    assert (tmp_path / "mine").stat().st_size == 800_000
    sizes = {item["name"].split("-")[0]: item["size"] for item in answer["items"]}
    assert sizes["large"] < 100_000


def test_environments_keep_their_files_without_the_cache(demo: Answer) -> None:
    answer = cleaned("--force-pkgs-dirs")
    assert entries() == []
    assert answer["freed"] == answer["size"]
    assert kaa("run", "-n", "demo", "growl").code == 0
    again = kaa("install", "-n", "demo", "fur", "-y")
    assert again.code == 0, again.err


def test_half_written_packages_and_remains_go(demo: Answer) -> None:
    packages = root() / "pkgs"
    (whole,) = packages.glob("bear-*.lock")
    whole.unlink()
    (packages / "gone-1.0-0.lock").write_bytes(b"x" * 40)
    (packages / ".kaa-0123456789abcdef-x").mkdir()
    (packages / "urls.txt").touch()
    (root() / "envs" / ".kaa" / "demo" / ".new-x" / "lib").mkdir(parents=True)
    (root() / "envs" / ".kaa" / "demo" / ".old-7-x" / "lib").mkdir(parents=True)
    answer = cleaned()
    assert [name.split("-")[0] for name in of_kind(answer, "packages")] == ["bear", "gone"]
    assert set(of_kind(answer, "unfinished")) == {".kaa-0123456789abcdef-x", ".new-x", ".old-7-x"}
    assert generations() == ["1"]
    assert (packages / "urls.txt").exists()
    assert unfinished() == []


def test_kernels_and_lines_that_lead_nowhere_go(demo: Answer, tmp_path: Path) -> None:
    for path in ((root() / "envs" / "demo"), (root() / "envs" / ".kaa" / "demo")):
        path.unlink() if path.is_symlink() else shutil.rmtree(path)
    foreign = Path(os.environ["JUPYTER_DATA_DIR"]) / "kernels" / "foreign"
    foreign.mkdir()
    argv = [str(tmp_path / "gone" / "bin" / "python"), "-m", "ipykernel_launcher"]
    (foreign / "kernel.json").write_text(json.dumps({"argv": argv, "display_name": "F"}))
    with (home() / ".conda" / "environments.txt").open("a") as file:
        file.write("/somewhere/else\n")
    answer = cleaned("--kernels")
    assert of_kind(answer, "kernels") == ["demo"]
    assert of_kind(answer, "environments.txt") == [str(root() / "envs" / "demo")]
    assert kernels() == ["foreign"]
    assert listed() == ["/somewhere/else"]
    assert any("foreign cannot" in each and "prune --foreign" in each for each in answer["notes"])


def test_caches_go_only_when_asked(demo: Answer) -> None:
    cache = root() / "cache"
    assert {"index", "metadata", "interpreters.json"} <= set(names(cache))
    cleaned()
    assert {"index", "metadata", "interpreters.json"} <= set(names(cache))
    answer = cleaned("-i")
    assert {"index", "metadata"} <= {Path(each).name for each in answer["index_cache"]["files"]}
    assert "index" not in names(cache) and "interpreters.json" in names(cache)
    assert kaa("create", "-n", "again", "bear", "-y").code == 0
    cleaned("--all")
    assert names(cache) == []


def test_generations_without_a_link_are_left_alone(demo: Answer) -> None:
    (root() / "envs" / "demo").unlink()
    answer = cleaned()
    (note,) = (note for note in answer["notes"] if "ln -s" in note)
    assert generations() == ["1"]
    # What the environment was made of stays, so that the link is all that is missing.
    assert of_kind(answer, "packages") == []
    command = note[note.index("ln -s") : -1]
    subprocess.run(command, shell=True, check=True)
    assert kaa("run", "-n", "demo", "growl").code == 0


def test_a_generation_that_a_program_runs_from_stays(grown: None) -> None:
    assert kaa("install", "-n", "demo", "fur", "ipykernel", "-y").code == 0
    age(100, [1, 2, 3, 4, 5])
    old = root() / "envs" / ".kaa" / "demo" / "2"
    script = "import sys; print('ready', flush=True); sys.stdin.read(); import large"
    program = subprocess.Popen(
        [old / "bin" / "python", "-c", script.replace("import large", "import small")],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    assert program.stdout is not None and program.stdin is not None
    assert program.stdout.readline() == "ready\n"
    try:
        answer = cleaned("--keep", "1")
        assert of_kind(answer, "generations") == ["demo 1", "demo 3"]
        assert any(
            note.startswith("generation 2 of demo is kept") and str(program.pid) in note
            for note in answer["notes"]
        )
    finally:
        program.stdin.close()
        assert program.wait(300) == 0
    assert of_kind(cleaned("--keep", "1"), "generations") == ["demo 2"]


def test_a_program_of_kaa_run_keeps_its_generation(grown: None) -> None:
    script = "print('ready', flush=True); import sys; sys.stdin.read(); import other"
    program = subprocess.Popen(
        [*KAA, "run", "-n", "demo", "python", "-c", script],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    assert program.stdout is not None and program.stdin is not None
    assert program.stdout.readline() == "ready\n"
    try:
        for spec in ("fur", "ipykernel", "bear>=1"):
            assert kaa("install", "-n", "demo", spec, "-y").code == 0
        newest = max(int(each) for each in generations() if each.isdigit())
        assert newest >= 6
        answer = cleaned("--keep", "0", "--older-than", "0")
        assert "demo 4" not in of_kind(answer, "generations")
        assert "demo 3" in of_kind(answer, "generations")
    finally:
        program.stdin.close()
        assert program.wait(300) == 0


def test_an_environment_that_is_being_changed_is_left_alone(grown: None) -> None:
    age(100, [1, 2, 3, 4])
    script = (
        "import sys; from pathlib import Path; from kaa.environments.prefix import Prefix;"
        "from kaa.environments.writer import sole_writer\n"
        "with sole_writer(Prefix(Path(sys.argv[1])), 'kaa install x'):\n"
        "    print('ready', flush=True); sys.stdin.read()"
    )
    writer = subprocess.Popen(
        [sys.executable, "-c", script, root() / "envs" / "demo"],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    assert writer.stdout is not None and writer.stdin is not None
    assert writer.stdout.readline() == "ready\n"
    answer = cleaned("--keep", "1")
    assert answer["removed"] == [] and answer["freed"] == 0
    assert any("demo is being changed just now" in note for note in answer["notes"])
    assert generations()[-4:] == ["1", "2", "3", "4"]
    writer.stdin.close()
    assert writer.wait(300) == 0
    assert len(cleaned("--keep", "1")["removed"]) == 2


def test_two_at_once_and_beside_a_creation(grown: None) -> None:
    age(100, [1, 2, 3, 4])
    commands = [
        ("clean", "-y", "--json", "--keep", "1"),
        ("create", "-n", "third", "large", "-y", "--json"),
        ("clean", "-y", "--json", "--keep", "1"),
        ("clean", "-y", "--json", "--all"),
    ]
    shutil.rmtree(root() / "pkgs")  # the creation begins with nothing
    running = [
        subprocess.Popen(
            [*KAA, *command], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
        )
        for command in commands
    ]
    for process in running:
        out, err = process.communicate(timeout=300)
        assert process.returncode == 0, (out, err)
        assert json.loads(out)["success"]
    assert [each for each in generations() if each.isdigit()] == ["3", "4"]
    assert kaa("run", "-n", "third", "python", "-c", "import large").code == 0
    assert kaa("run", "-n", "demo", "python", "-c", "import large, other").code == 0
    cleaned()
    assert unfinished() == []


@pytest.mark.skipif(os.name == "nt", reason="signals")
def test_a_clean_that_is_killed_leaves_nothing_half(grown: None) -> None:
    age(100, [1, 2, 3, 4])
    for delay in (0.3, 0.4, 0.5, 0.6):
        process = subprocess.Popen(
            [*KAA, "clean", "-y", "-q", "--keep", "1", "-f", "--generations"]
        )
        time.sleep(delay)
        process.send_signal(signal.SIGKILL)
        process.wait()
        for number in (each for each in generations() if each.isdigit()):
            python = root() / "envs" / ".kaa" / "demo" / number / "bin" / "python"
            assert subprocess.run([python, "-c", "import bear, fur"], check=False).returncode == 0
    again = kaa("install", "-n", "demo", "ipykernel", "-y")
    assert again.code == 0, again.err
    assert unfinished() == []
    assert not [each for each in generations() if each.startswith((".old", ".new", ".link"))]


def test_mistakes_and_questions(demo: Answer) -> None:
    assert kaa("clean").code == 2  # there is no terminal to ask on
    wrong = kaa("clean", "-p", "--keep", "3", "-y")
    assert wrong.code == 2 and "--generations" in wrong.err
    assert kaa("clean", "--keep", "-1", "-y").code == 2
    logs = kaa("clean", "-l", "-y")
    assert logs.code == 0 and "has no effect" in logs.err


def test_where_there_is_nothing() -> None:
    shutil.rmtree(root())
    answer = kaa("clean", "-y")
    assert answer.code == 0, answer.err
    assert "There is nothing to remove." in answer.out
    assert not root().exists()


def test_what_is_compiled_goes_with_its_package(
    index: LocalIndex, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("KAA_COMPILE", "1")
    assert kaa("create", "-n", "demo", PYTHON, "bear", "-y").code == 0
    layer = root() / "pkgs" / ".compiled" / f"cp{MINOR.replace('.', '')}"
    until = time.monotonic() + 600
    while len(list(layer.glob("[!.]*.lock"))) < 2:
        assert time.monotonic() < until
        time.sleep(0.1)
    monkeypatch.setenv("KAA_COMPILE", "0")
    assert kaa("create", "-n", "second", PYTHON, "bear", "-y").code == 0
    # A layer for another Python, as if the environments with it were gone.
    other = layer.with_name("cp399")
    shutil.copytree(layer, other, copy_function=os.link)
    answer = cleaned()
    assert {name.split("-")[0] for name in of_kind(answer, "packages")} == {"bear", "fur"}
    assert all("(cp399)" in name for name in of_kind(answer, "packages"))
    assert not list(other.glob("[!.]*")) and len(list(layer.glob("[!.]*.lock"))) == 2
    for name in ("demo", "second"):
        assert kaa("env", "remove", "-n", name, "-y").code == 0
    (layer / ".kaa-of-nobody").mkdir()
    before = disk()
    answer = cleaned()
    assert of_kind(answer, "unfinished") == [".kaa-of-nobody"]
    assert before - disk() == answer["freed"] == answer["size"]
    assert list(layer.glob("[!.]*")) == [] and entries() == [".compiled"]


def test_a_cache_of_several_roots(
    demo: Answer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    config = home() / ".config" / "kaa" / "config.toml"
    config.parent.mkdir(parents=True)
    config.write_text(f'pkgs-dirs = ["{tmp_path / "shared"}"]\n')
    first = root()
    assert kaa("env", "remove", "-n", "demo", "-y").code == 0
    assert kaa("create", "-n", "one", "bear", "-y").code == 0
    monkeypatch.setenv("KAA_ROOT", str(tmp_path / "another root"))
    assert kaa("create", "-n", "two", "fur", "-y").code == 0
    kept = sorted(path.name for path in (tmp_path / "shared" / "kaa").glob("bear-*"))
    # Every environment is on conda's list, whichever root it is of.
    assert of_kind(cleaned("--packages"), "packages") == []
    monkeypatch.setenv("KAA_ROOT", str(first))
    assert kaa("env", "remove", "-n", "one", "-y").code == 0
    assert [name.split("-")[0] for name in of_kind(cleaned("--packages"), "packages")] == ["bear"]
    assert len(kept) == 2 and not list((tmp_path / "shared" / "kaa").glob("bear-*"))
    assert list((tmp_path / "shared" / "kaa").glob("fur-*"))
