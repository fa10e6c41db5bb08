"""From nothing to a kernel and back to nothing, by the commands of the README."""

from __future__ import annotations

import ensurepip
import json
import os
import re
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from end_to_end.machine import (
    KAA,
    MINOR,
    PYTHON,
    below,
    home,
    kaa,
    kernels,
    listed,
    names,
    root,
    state,
)

if TYPE_CHECKING:
    from end_to_end.machine import Answer
    from local_index import LocalIndex


def test_from_nothing_to_a_kernel_and_back(index: LocalIndex) -> None:
    nothing = state()
    create = ("create", "-n", "demo", "-c", "pypi", PYTHON, "bear")

    planned = kaa(*create, "--dry-run")
    assert planned.code == 0
    assert "Dry run: nothing was changed." in planned.out
    assert state() == nothing
    assert [path for path in index.paths() if path.endswith(".whl")] == []

    made = kaa(*create, "-y")
    assert made.code == 0, made.err
    assert planned.out.splitlines()[:-1] == made.out.splitlines()[: planned.out.count("\n") - 1]

    version = kaa("run", "-n", "demo", "python", "-c", "import fur; print(fur.__version__)")
    assert version.out == "2.1\n"
    assert re.search(rf"demo .*{re.escape(str(root() / 'envs' / 'demo'))}", kaa("env", "list").out)
    assert re.search(r"\* bear +1\.0 .*pypi", kaa("list", "-n", "demo").out)
    assert "kaa create -n demo" in kaa("info", "-n", "demo").out
    assert listed() == [str(root() / "envs" / "demo")]

    command = [sys.executable, "-m", "jupyter_client.kernelspecapp", "list", "--json"]
    told = subprocess.run(command, capture_output=True, text=True, check=True)
    spec = json.loads(told.stdout)["kernelspecs"]["demo"]["spec"]
    assert spec["display_name"] == f"Python {MINOR} (demo)"

    removed = kaa("env", "remove", "-n", "demo", "-y")
    assert removed.code == 0, removed.err
    assert kernels() == []
    assert listed() == []
    assert list(below(root() / "envs")) == []
    # What is shared by environments stays.
    assert any(path.name.startswith("bear-1.0-") for path in (root() / "pkgs").iterdir())


def test_the_plan_as_json(index: LocalIndex) -> None:
    before = state()
    answer = kaa("create", "-n", "demo", PYTHON, "bear", "--dry-run", "--json")
    assert state() == before
    told = answer.json
    assert told["success"] is True and told["dry_run"] is True and told["environment"] is None
    plan = told["plan"]
    assert plan["prefix"] == str(root() / "envs" / "demo")
    assert plan["kernel_overlay"] == MINOR
    assert [each["name"] for each in plan["add"]] == ["bear", "fur", "python"]
    assert [each["source"] for each in plan["add"]] == ["pypi", "pypi", "host"]
    assert [each["requested"] for each in plan["add"]] == [True, False, True]
    assert plan["download_size"] == sum(each["download"] for each in plan["add"]) > 0

    made = kaa("create", "-n", "demo", PYTHON, "bear", "-y", "--json").json
    assert made["plan"] == plan
    assert made["environment"]["packages"] == 3
    assert made["environment"]["problem"] is None
    again = kaa("create", "-n", "other", PYTHON, "bear", "--dry-run", "--json").json["plan"]
    assert again["download_size"] == 0
    assert again["kernel_overlay"] is None


def test_quiet_and_verbose(index: LocalIndex) -> None:
    quiet = kaa("create", "-n", "quiet", "bear", "-y", "-q")
    assert (quiet.code, quiet.out, quiet.err) == (0, "", "")
    verbose = kaa("create", "-n", "verbose", "bear", "-y", "-v")
    assert verbose.code == 0
    assert "link: 3 (" in verbose.err


def test_nothing_is_asked_without_a_terminal(index: LocalIndex) -> None:
    before = state()
    answer = kaa("create", "-n", "demo", "bear")
    assert answer.code == 2
    assert "-y" in answer.err and "--dry-run" in answer.err
    assert state() == before


def test_run_passes_everything_on(demo: Answer, tmp_path: Path) -> None:
    script = "import os, sys; print(sys.argv[1:], os.getcwd(), sys.stdin.read()); sys.exit(42)"
    done = subprocess.run(
        [*KAA, "run", "-n", "demo", "python", "-c", script, "-n", "--", "--dry-run", "-"],
        input="from here",
        capture_output=True,
        text=True,
        cwd=tmp_path,
        check=False,
    )
    assert done.stdout == f"['-n', '--', '--dry-run', '-'] {tmp_path} from here\n"
    assert done.returncode == 42
    assert kaa("run", "-n", "demo", "surely-not-there").code == 127
    killed = kaa("run", "-n", "demo", "python", "-c", "import os; os.kill(os.getpid(), 9)")
    assert killed.code == -9, "a signal's end is the program's, seen by whoever called"
    variables = "import os; print(os.environ['CONDA_PREFIX'], os.environ['VIRTUAL_ENV'])"
    prefix = root() / "envs" / "demo"
    assert kaa("run", "-n", "demo", "python", "-c", variables).out == f"{prefix} {prefix}\n"


def pip_wheel() -> Path:
    bundled = sorted((Path(ensurepip.__file__).parent / "_bundled").glob("pip-*.whl"))
    if not bundled:
        pytest.skip("this Python comes without the wheel of pip")
    return bundled[-1]


def test_everybody_agrees_on_what_is_installed(index: LocalIndex) -> None:
    index.add(pip_wheel())
    made = kaa("create", "-n", "demo", PYTHON, "bear", "pip", "-y")
    assert made.code == 0, made.err

    ours = kaa("list", "-n", "demo", "--json").json
    expected = {each["name"]: each["version"] for each in ours if each["name"] != "python"}
    assert set(expected) == {"bear", "fur", "pip"}
    code = (
        "import importlib.metadata as m, json; "
        "print(json.dumps({d.name: d.version for d in m.distributions()}))"
    )
    assert json.loads(kaa("run", "-n", "demo", "python", "-c", code).out) == expected
    piped = kaa("run", "-n", "demo", "python", "-m", "pip", "list", "--format", "json")
    assert {each["name"]: each["version"] for each in json.loads(piped.out)} == expected
    check = kaa("run", "-n", "demo", "pip", "check")
    assert (check.code, check.out) == (0, "No broken requirements found.\n")
    shown = kaa("run", "-n", "demo", "pip", "show", "--files", "--verbose", "bear").out
    assert "Installer: kaa" in shown
    assert "../../../bin/growl" in shown
    # pip can take away what kaa put there, and nothing but kaa's own record of it is left.
    kaa("run", "-n", "demo", "pip", "uninstall", "-y", "bear")
    left = [path for path in below(root() / "envs") if "/bear" in path or "growl" in path]
    assert [Path(path).parent.name for path in left] == ["conda-meta"]


@pytest.mark.parametrize("folder", ["Zoë Müller's files", "路径", "a" * 120])
def test_paths_of_all_kinds(
    index: LocalIndex, tmp_path: Path, folder: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    place = tmp_path / folder
    place.mkdir()
    monkeypatch.chdir(place)
    relative = Path("envs of mine", "bär 1")
    made = kaa("create", "-p", relative, "bear", "-y")
    assert made.code == 0, made.err
    prefix = place / relative
    assert prefix.is_symlink()
    assert listed() == [str(prefix)]
    assert kaa("run", "-p", prefix, "growl").out == "bear 1.0\n"
    assert subprocess.check_output([prefix / "bin" / "growl"], text=True) == "bear 1.0\n"
    assert [env["prefix"] for env in kaa("env", "list", "--json").json["environments"]] == [
        str(prefix)
    ]
    removed = kaa("env", "remove", "-p", relative, "-y")
    assert removed.code == 0, removed.err
    assert list(below(place)) == ["envs of mine"]
    assert listed() == []
    assert kernels() == []


def test_a_root_with_blanks(
    index: LocalIndex, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("KAA_ROOT", str(tmp_path / "my kaa root, ünd so"))
    assert kaa("create", "-n", "demo", "bear", "-y").code == 0
    assert kaa("run", "-n", "demo", "growl").out == "bear 1.0\n"
    growl = root() / "envs" / "demo" / "bin" / "growl"
    assert subprocess.check_output([growl], text=True) == "bear 1.0\n"


def test_an_empty_directory_becomes_the_environment(index: LocalIndex, tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    assert kaa("create", "-p", "empty", "bear", "-y").code == 0
    assert (tmp_path / "empty").is_symlink()
    assert kaa("run", "-p", "empty", "growl").out == "bear 1.0\n"


def test_a_link_that_leads_nowhere(demo: Answer) -> None:
    prefix = root() / "envs" / "demo"
    generation = root() / "envs" / ".kaa" / "demo" / "1"
    generation.rename(generation.with_name("elsewhere"))
    refused = kaa("create", "-n", "demo", "bear", "-y")
    assert refused.code == 3 and "exists already" in refused.err
    listing = kaa("env", "list", "--json").json["environments"]
    assert "is missing" in listing[0]["problem"]
    run = kaa("run", "-n", "demo", "growl")
    assert run.code == 3 and "broken" in run.err and "kaa repair -p" in run.err
    assert kaa("env", "remove", "-n", "demo", "-y").code == 0
    assert not os.path.lexists(prefix)
    assert list(below(root() / "envs")) == []


def test_what_kaa_did_not_make_is_not_removed(index: LocalIndex, tmp_path: Path) -> None:
    (tmp_path / "theirs" / "conda-meta").mkdir(parents=True)
    answer = kaa("env", "remove", "-p", "theirs", "-y")
    assert answer.code == 2
    assert "was not made by kaa" in answer.err
    assert (tmp_path / "theirs" / "conda-meta").is_dir()


def at_once(*commands: tuple[str, ...]) -> list[Answer]:
    with ThreadPoolExecutor(len(commands)) as pool:
        return list(pool.map(lambda command: kaa(*command), commands))


def test_one_name_is_created_twice_at_once(index: LocalIndex) -> None:
    create = ("create", "-n", "demo", "bear", "-y")
    answers = sorted(at_once(create, create, create), key=lambda answer: answer.code)
    assert [answer.code for answer in answers] == [0, 3, 3]
    for loser in answers[1:]:
        assert "exists already" in loser.err and "Traceback" not in loser.err
    assert kaa("run", "-n", "demo", "growl").out == "bear 1.0\n"
    assert names(root() / "envs" / ".kaa" / "demo") == ["1"]
    assert listed() == [str(root() / "envs" / "demo")]
    assert kernels() == ["demo"]
    state()  # nothing unfinished


@pytest.mark.parametrize("core_metadata", [True, False])
def test_two_environments_are_created_at_once_from_a_cold_cache(
    index: LocalIndex, core_metadata: bool
) -> None:
    # Without metadata beside the wheels, the wheels come along with the solve and are shared.
    index.core_metadata = core_metadata
    names = ("one", "two", "three")
    answers = at_once(*(("create", "-n", name, "bear", "-y") for name in names))
    assert [answer.code for answer in answers] == [0, 0, 0], [answer.err for answer in answers]
    for name in names:
        assert kaa("run", "-n", name, "growl").out == "bear 1.0\n"
    assert sorted(listed()) == sorted(str(root() / "envs" / name) for name in names)
    assert kernels() == sorted(names)
    assert not [answer.err for answer in answers if "cannot" in answer.err]
    state()


def test_a_home_of_one_s_own_is_all_that_is_touched(demo: Answer, tmp_path: Path) -> None:
    allowed = {"home", "kaa"}
    assert {path.name for path in tmp_path.iterdir()} <= allowed
    assert {path.name for path in home().iterdir()} <= {".conda", "jupyter", "run"}
