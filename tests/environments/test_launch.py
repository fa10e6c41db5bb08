from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from kaa.environments.launch import execute, find_program, program_arguments
from kaa.model.errors import ProgramNotFoundError, RequestError

pytestmark = pytest.mark.skipif(os.name == "nt", reason="scripts and links of POSIX")


def script(file: Path, text: str, mode: int = 0o755) -> Path:
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(text)
    file.chmod(mode)
    return file


@pytest.fixture(params=["envs", "blank dir/é"])
def prefix(tmp_path: Path, request: pytest.FixtureRequest) -> Path:
    parent = Path(tmp_path, request.param)
    generation = parent / ".kaa" / "demo" / "1"
    (generation / "bin").mkdir(parents=True)
    (generation / "bin" / "python3").symlink_to(Path(sys.executable).resolve())
    (generation / "bin" / "python").symlink_to("python3")
    link = parent / "demo"
    link.symlink_to(Path(".kaa", "demo", "1"))
    return link


@pytest.fixture
def generation(prefix: Path) -> Path:
    return prefix.resolve()


def environ_of(*directories: Path | str) -> dict[str, str]:
    return {"PATH": ":".join(map(str, directories))}


RUN = """
import json, sys
from kaa.environments.launch import execute
from kaa.model.errors import KaaError
print("before")
argv, environ, cwd = json.loads(sys.argv[1])
try:
    code = execute(argv, environ, cwd)
except KaaError as error:
    print(error.message, error.cause, error.hint, file=sys.stderr)
    code = error.exit_code
sys.exit(code)
"""


def run(argv: list[str], environ: dict[str, str], cwd: Path | None = None) -> tuple[int, str, str]:
    """Execute from a process of its own, since that is replaced."""
    asked = json.dumps([argv, environ, str(cwd) if cwd else None])
    done = subprocess.run(
        [sys.executable, "-c", RUN, asked], capture_output=True, text=True, check=False
    )
    return done.returncode, done.stdout, done.stderr


# --- which file it is ----------------------------------------------------------------------


def test_the_environments_programs_come_first(generation: Path, tmp_path: Path) -> None:
    other = script(tmp_path / "other" / "tool", "#!/bin/sh\n")
    environ = environ_of(tmp_path / "other")
    assert find_program("tool", generation, environ) == other
    own = script(generation / "bin" / "tool", "#!/bin/sh\n")
    assert find_program("tool", generation, environ) == own


def test_directories_and_files_without_permission_are_passed_over(
    generation: Path, tmp_path: Path
) -> None:
    (generation / "bin" / "tool").mkdir()
    script(tmp_path / "a" / "tool", "", mode=0o644)
    second = script(tmp_path / "b" / "tool", "")
    environ = environ_of(tmp_path / "a", tmp_path / "b")
    assert find_program("tool", generation, environ) == second


@pytest.mark.skipif(not hasattr(os, "getuid") or os.getuid() == 0, reason="root may go anywhere")
def test_directories_closed_to_the_user_are_passed_over(generation: Path, tmp_path: Path) -> None:
    script(tmp_path / "closed" / "tool", "")
    second = script(tmp_path / "b" / "tool", "")
    environ = environ_of(tmp_path / "closed", tmp_path / "b")
    (tmp_path / "closed").chmod(0)
    try:
        assert find_program("tool", generation, environ) == second
    finally:
        (tmp_path / "closed").chmod(0o700)


def test_a_path_is_taken_as_it_is(
    generation: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    script(generation / "bin" / "tool", "")
    here = script(tmp_path / "tool", "")
    monkeypatch.chdir(tmp_path)
    assert find_program("./tool", generation, {}) == here
    with pytest.raises(ProgramNotFoundError):
        find_program("./bin/tool", generation, {})


def test_a_program_that_is_nowhere(generation: Path) -> None:
    script(generation / "bin" / "jupyter-lab", "")
    with pytest.raises(ProgramNotFoundError) as caught:
        find_program("jupiter-lab", generation, environ_of())
    assert caught.value.exit_code == 127
    assert caught.value.hint == "did you mean jupyter-lab?"
    with pytest.raises(ProgramNotFoundError) as caught:
        find_program("zzzzzz", generation, environ_of())
    assert "install the package" in str(caught.value.hint)


def test_a_program_that_may_not_be_executed(generation: Path) -> None:
    file = script(generation / "bin" / "tool", "#!/bin/sh\n", mode=0o644)
    with pytest.raises(ProgramNotFoundError) as caught:
        find_program("tool", generation, environ_of())
    assert caught.value.exit_code == 126
    assert str(file) in caught.value.message
    assert "chmod +x" in str(caught.value.hint)


def test_windows_extensions(generation: Path, tmp_path: Path) -> None:
    tool = script(tmp_path / "tool.CMD", "")
    environ = {**environ_of(tmp_path), "PATHEXT": ".EXE;.CMD"}
    assert find_program("tool", generation, environ, windows=True) == tool
    assert find_program("tool.CMD", generation, environ, windows=True) == tool


# --- how it is started ---------------------------------------------------------------------


def shebangs(prefix: Path) -> dict[str, str]:
    python, rest = f"{prefix}/bin/python3", " \"$0\" \"$@\"\n' '''\n"
    return {
        "direct": f"#!{python}\n",
        "with an argument": f"#!{python} -I\n",
        "through the shell": f"#!/bin/sh\n'''exec' \"{python}\"{rest}",
        "through the shell, unquoted": f"#!/bin/sh\n'''exec' {python}{rest}",
        "through env": "#!/usr/bin/env python3\n",
    }


@pytest.mark.parametrize("kind", shebangs(Path("/")))
def test_the_environments_scripts_run_through_the_generation(
    kind: str, prefix: Path, generation: Path
) -> None:
    if kind in ("direct", "with an argument") and " " in str(prefix):
        pytest.skip("such a first line cannot have blanks")
    text = shebangs(prefix)[kind] + "import sys; print(sys.executable, sys.argv)\n"
    tool = script(generation / "bin" / "tool", text)
    argv = program_arguments(["tool", "-x", "a b"], prefix, generation, environ_of())
    option = ["-I"] if kind == "with an argument" else []
    python = str(generation / "bin" / "python3")
    assert argv == [python, *option, str(tool), "-x", "a b"]
    # Named by the link's path, it is the same program.
    by_path = program_arguments([str(prefix / "bin" / "tool")], prefix, generation, {})
    assert by_path == [python, *option, str(tool)]

    code, output, _ = run(argv, environ_of("/bin"))
    assert code == 0
    assert output == f"before\n{python} {[str(tool), '-x', 'a b']}\n"


@pytest.mark.parametrize(
    "head", ["#!/bin/sh\n", "#!", "", "\x7fELF", "#!/usr/bin/env -S python3 -I\n", "#!/bin/shx y\n"]
)
def test_other_files_are_started_as_they_are(head: str, prefix: Path, generation: Path) -> None:
    tool = script(generation / "bin" / "tool", head)
    assert program_arguments(["tool", "x"], prefix, generation, {}) == [str(tool), "x"]


def test_programs_outside_of_the_environment_are_left_alone(
    prefix: Path, generation: Path, tmp_path: Path
) -> None:
    tool = script(tmp_path / "tool", f"#!{prefix}/bin/python3\n")
    argv = program_arguments(["tool"], prefix, generation, environ_of(tmp_path))
    assert argv == [str(tool)]


def test_a_script_whose_interpreter_is_gone_says_so(prefix: Path, generation: Path) -> None:
    tool = script(generation / "bin" / "tool", "#!/nowhere/python\n")
    code, _, said = run(program_arguments(["tool"], prefix, generation, {}), {})
    assert code == 126
    assert str(tool) in said
    assert "first line" in said


def test_a_script_without_a_first_line_is_the_shells(prefix: Path, generation: Path) -> None:
    script(generation / "bin" / "tool", 'echo "$1 $NAME"\nexit 3\n')
    argv = program_arguments(["tool", "arg"], prefix, generation, {})
    assert run(argv, {"NAME": "é"}) == (3, "before\narg é\n", "")


def test_a_program_for_another_machine_says_so(prefix: Path, generation: Path) -> None:
    script(generation / "bin" / "tool", "\x7fELF\0\0\0")
    code, _, said = run(program_arguments(["tool"], prefix, generation, {}), {})
    assert code == 126
    assert "architecture" in said


def test_the_directory_and_the_exit_code(tmp_path: Path) -> None:
    folder = tmp_path / "folder"
    folder.mkdir()
    assert run(["/bin/sh", "-c", "pwd; exit 7"], {}, folder) == (7, f"before\n{folder}\n", "")
    with pytest.raises(RequestError) as caught:
        execute(["/bin/sh"], {}, tmp_path / "missing")
    assert "missing" in caught.value.message
    assert caught.value.hint


def test_a_program_in_a_pipe_ends_quietly() -> None:
    # Python ignores SIGPIPE; what it starts must not.
    asked = json.dumps([["/bin/sh", "-c", "while echo y; do :; done"], environ_of("/bin"), None])
    with subprocess.Popen(
        [sys.executable, "-c", RUN, asked], stdout=subprocess.PIPE, stderr=subprocess.PIPE
    ) as process:
        assert process.stdout is not None
        assert process.stderr is not None
        process.stdout.read(100)
        process.stdout.close()
        assert process.stderr.read() == b""
        assert process.wait(timeout=300) == -13


def test_the_process_id_stays() -> None:
    asked = json.dumps([["/bin/sh", "-c", "echo $$"], {}, None])
    with subprocess.Popen([sys.executable, "-c", RUN, asked], stdout=subprocess.PIPE) as process:
        assert process.stdout is not None
        assert process.stdout.read().split() == [b"before", str(process.pid).encode()]
