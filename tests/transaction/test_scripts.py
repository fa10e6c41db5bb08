"""Link scripts of real packages, run for real: what they see, what stays of them, what cannot."""

from __future__ import annotations

import asyncio
import contextlib
import hashlib
import os
import sys
import time
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import pytest
import rattler

from conda_channel import CondaChannel
from conda_packages import PLACEHOLDER, Content, Link, build_conda_package
from kaa.environments.prefix import Prefix
from kaa.model.environment import Manifest
from kaa.model.errors import LinkScriptError
from kaa.model.progress import Silent
from kaa.network.client import Client
from kaa.network.settings import load_settings
from kaa.sources.metadata import MetadataReader
from kaa.store.layout import Layout
from kaa.transaction.carry import carry_over
from kaa.transaction.commit import commit_first_generation, commit_next_generation
from kaa.transaction.fetch import fetch_packages
from kaa.transaction.scripts import Kind, find_scripts
from kaa.transaction.stage import link_packages, staging_directory
from kaa.workflows.link_scripts import link_scripts
from packed_interpreter import conda_subdir

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping
    from pathlib import Path

    from rattler import RepoDataRecord

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="the scripts are bash's")
POST, PRE = "bin/.demo-post-link.sh", "bin/.demo-pre-unlink.sh"


@dataclass
class Machine:
    """An environment that changes from one set of packages to the next; scripts may run."""

    directory: Path
    records: tuple[RepoDataRecord, ...] = ()
    notes: list[str] = field(default_factory=list)
    rounds: int = 0

    @property
    def layout(self) -> Layout:
        return Layout(self.directory / "kaa")

    @property
    def prefix(self) -> Prefix:
        return Prefix(self.directory / "envs" / "demo")

    def change(self, *packages: Path) -> Path:
        """Make the next generation of these packages and return the environment's path."""
        asyncio.run(self._change(packages))
        return self.prefix.path

    async def _change(self, packages: Iterable[Path]) -> None:
        self.rounds += 1
        channel = CondaChannel(
            self.directory / f"forge{self.rounds}", subdirs=("noarch", conda_subdir())
        )
        names = []
        for package in packages:
            channel.add(package)
            names.append(package.name.split("-")[0])
        found: list[Any] = await rattler.solve(
            [channel.file_url],
            names,
            gateway=rattler.Gateway(cache_dir=self.directory / "repodata"),
            platforms=[conda_subdir(), "noarch"],  # type: ignore[list-item]  # its literal
        )
        conda = rattler.Client.default_client()
        async with Client(load_settings(os.environ)) as client:
            reader = MetadataReader(client, self.layout.metadata)
            await fetch_packages([], found, self.layout, client, conda, reader, Silent())
        prefix, layout, number = self.prefix, self.layout, self.prefix.current_number
        old = prefix.current if number is not None else None
        scripts = link_scripts(True, self.records, found, old, layout)
        manifest = Manifest("demo", (), (), "a test", "2026-01-01T00:00:00Z")
        with staging_directory(prefix, layout) as staging:
            await link_packages(found, [], staging, prefix, layout, Silent())
            if old is not None:
                carry_over(old, staging, prefix.path)
            self.notes = await scripts.run(found, staging, prefix, layout, Silent())
            if number is None:
                commit_first_generation(prefix, staging, manifest)
            else:
                commit_next_generation(prefix, staging, manifest, number)
        self.records = tuple(found)


@pytest.fixture
def machine(tmp_path: Path) -> Machine:
    return Machine(tmp_path)


@pytest.fixture
def made(tmp_path: Path) -> Path:
    return tmp_path / "made"


def demo(made: Path, version: str = "1.0", **files: Content) -> Path:
    """Build a package of files; those that are named by a kind of script are that script."""
    called = {"post_link": POST, "pre_unlink": PRE}
    contents = {called.get(path, path): content for path, content in files.items()}
    contents["share/demo.txt"] = f"demo {version}\n"
    return build_conda_package(made, "demo", version, build_number=7, files=contents)


def hashes(directory: Path) -> Mapping[str, str]:
    return {
        str(path.relative_to(directory)): hashlib.sha256(path.read_bytes()).hexdigest()
        for path in directory.rglob("*")
        if path.is_file() and path.name != ".cache.lock"
    }


def nothing_is_left(machine: Machine) -> bool:
    """Whether there is neither an environment nor anything of the attempt."""
    return not any((machine.directory / "envs").rglob("*"))


def test_a_script_gets_condas_variables_in_an_active_environment(
    machine: Machine, made: Path
) -> None:
    other = build_conda_package(
        made,
        "other",
        files={
            "bin/other": f"#!/bin/sh\necho {PLACEHOLDER}\n",
            "etc/conda/activate.d/other.sh": 'export OTHER_HOME="$CONDA_PREFIX/share"\n',
        },
    )
    program = """
cat > "$PREFIX/share/seen" <<EOF
$PKG_NAME $PKG_VERSION $PKG_BUILDNUM
$CONDA_PREFIX
$OTHER_HOME
$(other)
$(pwd)
EOF
"""
    path = machine.change(demo(made, post_link=program), other)
    seen = (path / "share" / "seen").read_text().splitlines()
    assert seen == ["demo 1.0 7", str(path), str(path / "share"), str(path), str(path / "bin")]


def test_what_scripts_make_and_change_is_there_and_names_the_stable_path(
    machine: Machine, made: Path
) -> None:
    program = """
mkdir -p "$PREFIX/var/cache/empty"
echo "$PREFIX/x" > "$PREFIX/var/cache/index"
chmod 750 "$PREFIX/var/cache/index"
ln -s "$PREFIX/share/demo.txt" "$PREFIX/var/absolute"
ln -s ../share/demo.txt "$PREFIX/var/relative"
rm "$PREFIX/share/unwanted"
mv "$PREFIX/share/before" "$PREFIX/share/after"
rm -r "$PREFIX/share/folder" && echo file > "$PREFIX/share/folder"
touch -d 2001-01-01 "$PREFIX/share/demo.txt"
"""
    files = dict.fromkeys(("share/unwanted", "share/before", "share/folder/x"), "x")
    path = machine.change(demo(made, post_link=program, **files))
    assert (path / "var/cache/index").read_text() == f"{path}/x\n"
    assert (path / "var/cache/index").stat().st_mode & 0o777 == 0o750
    assert (path / "var/cache/empty").is_dir()
    assert (path / "var/absolute").readlink() == path / "share/demo.txt"
    assert str((path / "var/relative").readlink()) == "../share/demo.txt"
    found = {entry.name for entry in (path / "share").iterdir()}
    assert found == {"demo.txt", "after", "folder"}
    assert (path / "share/folder").read_text() == "file\n"
    assert (path / "share/demo.txt").stat().st_mtime < time.time() - 10**8
    assert machine.notes == []
    assert not list(machine.prefix.generations.glob(".new-*"))


def test_the_package_cache_stays_as_it_is_whatever_a_script_writes_into(
    machine: Machine, made: Path
) -> None:
    other = build_conda_package(
        made, "other", files={"share/other.txt": "other\n", "share/link": Link("other.txt")}
    )
    machine.change(other, demo(made))
    before = hashes(machine.layout.packages)
    program = 'for each in other.txt demo.txt link; do echo x >> "$PREFIX/share/$each"; done\n'
    path = machine.change(other, demo(made, "2.0", post_link=program))
    assert (path / "share/other.txt").read_text() == "other\nx\nx\n"
    assert (path / "share/demo.txt").read_text() == "demo 2.0\nx\n"
    assert {name: hashes(machine.layout.packages)[name] for name in before} == before
    old = machine.prefix.generations / "1" / "share" / "other.txt"
    assert old.read_text() == "other\n"
    # The next change keeps what it did, though the script does not run again.
    machine.change(other, demo(made, "2.0", post_link=program), build_conda_package(made, "third"))
    assert (path / "share/other.txt").read_text() == "other\nx\nx\n"


def test_programs_of_the_environment_work_before_it_is_there(machine: Machine, made: Path) -> None:
    """A program that has its prefix built in finds itself, not the generation before."""
    tool = f'#!/bin/sh\necho "$1" > {PLACEHOLDER}/share/made\n'
    program = '"$PREFIX/bin/tool" "$PKG_VERSION"\n'
    files = {"bin/tool": tool}
    path = machine.change(demo(made, post_link=program, **files))
    assert (path / "share/made").read_text() == "1.0\n"
    machine.change(demo(made, "2.0", post_link=program, **files))
    assert (path / "share/made").read_text() == "2.0\n"
    assert (machine.prefix.generations / "1/share/made").read_text() == "1.0\n"


def test_a_binary_that_names_the_place_where_it_was_made_is_told(
    machine: Machine, made: Path
) -> None:
    program = 'printf "\\0%s\\0" "$PREFIX" > "$PREFIX/share/binary"\n'
    machine.change(demo(made, post_link=program))
    assert len(machine.notes) == 1 and machine.notes[0].endswith(": share/binary")


def test_messages_are_for_the_user_and_go(machine: Machine, made: Path) -> None:
    program = 'echo "look at $PREFIX/share" > "$PREFIX/.messages.txt"\n'
    path = machine.change(demo(made, post_link=program))
    assert machine.notes == [f"demo: look at {path}/share"]
    assert not (path / ".messages.txt").exists()


def test_a_pre_unlink_script_clears_up_and_the_new_package_comes_after(
    machine: Machine, made: Path
) -> None:
    post = 'echo "$PKG_VERSION" >> "$PREFIX/share/made"\n'
    pre = f'echo "bye $PKG_VERSION" >> {PLACEHOLDER}/share/log; rm "$PREFIX/share/made"\n'
    path = machine.change(demo(made, post_link=post, pre_unlink=pre))
    machine.change(demo(made, "2.0", post_link=post, pre_unlink=pre))
    assert (path / "share/made").read_text() == "2.0\n"
    assert (path / "share/log").read_text() == "bye 1.0\n"
    machine.change(build_conda_package(made, "third"))
    assert (path / "share/log").read_text() == "bye 1.0\nbye 2.0\n"
    assert not (path / "share/made").exists()
    assert not (path / "bin").exists()
    assert (machine.prefix.generations / "2/share/made").read_text() == "2.0\n"


def test_nothing_runs_for_a_package_that_stays(machine: Machine, made: Path) -> None:
    count = 'echo x >> "$PREFIX/share/count"\n'
    kept = demo(made, post_link=count, pre_unlink=count)
    path = machine.change(kept)
    machine.change(kept, build_conda_package(made, "third"))
    assert (path / "share/count").read_text() == "x\n"


def test_the_users_own_files_can_be_seen_and_are_not_lost(machine: Machine, made: Path) -> None:
    path = machine.change(demo(made))
    (path / "mine").mkdir()
    (path / "mine" / "notes").write_text("mine\n")
    (path / "mine" / "elsewhere").symlink_to("/nowhere")
    program = 'cp "$PREFIX/mine/notes" "$PREFIX/share/copy"; echo more >> "$PREFIX/mine/notes"\n'
    machine.change(demo(made, "2.0", post_link=program))
    assert (path / "share/copy").read_text() == "mine\n"
    assert (path / "mine/notes").read_text() == "mine\nmore\n"
    assert (machine.prefix.generations / "1/mine/notes").read_text() == "mine\n"
    assert str((path / "mine/elsewhere").readlink()) == "/nowhere"


def test_a_failing_script_leaves_nothing(machine: Machine, made: Path) -> None:
    program = 'touch "$PREFIX/x"; for i in $(seq 20); do echo "line $i" >&2; done; exit 3\n'
    with pytest.raises(LinkScriptError) as caught:
        machine.change(demo(made, post_link=program))
    error = caught.value
    assert "post-link script of demo 1.0 failed with exit code 3" in error.message
    assert error.cause == "\n".join(f"line {number}" for number in range(11, 21))
    assert error.hint is not None and "--allow-link-scripts" in error.hint
    script = error.hint.splitlines()[0].partition(": ")[2]
    with open(script) as file:  # noqa: PTH123
        assert file.read() == program
    assert nothing_is_left(machine)


def test_a_failing_script_of_an_old_package_leaves_all_as_it_was(
    machine: Machine, made: Path
) -> None:
    path = machine.change(demo(made, pre_unlink="exit 1\n"))
    (path / "mine").write_text("mine")
    before = hashes(machine.directory / "envs")
    with pytest.raises(LinkScriptError, match="pre-unlink script of demo"):
        machine.change(demo(made, "2.0"))
    assert hashes(machine.directory / "envs") == before


def test_cancelling_ends_a_script_and_what_it_has_started(machine: Machine, made: Path) -> None:
    pids = machine.directory / "pids"
    program = f"sleep 600 & echo $! $$ > {pids}.part; mv {pids}.part {pids}; wait\n"

    async def interrupted() -> None:
        package = demo(made, post_link=program)
        task = asyncio.ensure_future(machine._change([package]))
        while not pids.exists():
            assert not task.done(), task.result()
            await asyncio.sleep(0.02)
        task.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await task
        assert task.cancelled()

    asyncio.run(interrupted())
    for pid in pids.read_text().split():
        assert not _runs(int(pid))
    assert nothing_is_left(machine)


def _runs(pid: int) -> bool:
    deadline = time.monotonic() + 60
    while time.monotonic() < deadline:
        try:
            os.kill(pid, 0)
            with open(f"/proc/{pid}/stat") as stat:  # noqa: PTH123
                if stat.read().rpartition(")")[2].split()[0] == "Z":
                    return False  # whoever should reap it has not yet
        except OSError:
            return False
        time.sleep(0.02)
    return True


def test_what_others_need_comes_first_and_goes_last(machine: Machine, made: Path) -> None:
    names = ["zebra", "mule", "ant"]  # each needs the one before it
    packages = [
        build_conda_package(
            made,
            name,
            depends=names[number - 1 : number] if number else [],
            files={
                f"bin/.{name}-post-link.sh": f'echo "+{name}" >> "$PREFIX/order"\n',
                f"bin/.{name}-pre-unlink.sh": f'echo "-{name}" >> "$PREFIX/order"\n',
            },
        )
        for number, name in enumerate(names)
    ]
    path = machine.change(*packages)
    machine.change(build_conda_package(made, "third"))
    assert (path / "order").read_text().split() == [
        *("+zebra", "+mule", "+ant"),
        *("-ant", "-mule", "-zebra"),
    ]


def test_records_and_bytecode_are_not_theirs_to_write(machine: Machine, made: Path) -> None:
    program = """
mkdir -p "$PREFIX/lib/__pycache__"
echo x > "$PREFIX/lib/__pycache__/x.cpython-312.pyc"
echo '{}' > "$PREFIX/conda-meta/stranger-1-0.json"
echo 'demo ==1' > "$PREFIX/conda-meta/pinned"
"""
    path = machine.change(demo(made, post_link=program))
    records = [file.name for file in (path / "conda-meta").glob("*.json")]
    assert records == ["demo-1.0-0.json"]
    assert not list(path.rglob("*.pyc"))
    assert (path / "conda-meta/pinned").read_text() == "demo ==1\n"


def test_windows_has_its_own_names(tmp_path: Path) -> None:
    record: Any = rattler.PackageRecord(
        "demo", "1.0", rattler.package.BuildString("0"), 0, conda_subdir()
    )
    (tmp_path / "Scripts").mkdir()
    (tmp_path / "Scripts" / ".demo-post-link.bat").touch()
    found = find_scripts(Kind.POST_LINK, [record], lambda _: tmp_path, windows=True)
    assert [script.path for script in found] == ["Scripts/.demo-post-link.bat"]
    assert not find_scripts(Kind.PRE_UNLINK, [record], lambda _: tmp_path, windows=True)
