"""Link scripts from the command line: asked for, configured, told of, failing, interrupted."""

from __future__ import annotations

import signal
import subprocess
import sys
import time
from typing import TYPE_CHECKING

import pytest

from conda_channel import CondaChannel
from conda_packages import build_conda_package
from end_to_end.machine import KAA, Answer, home, kaa, root, state

if TYPE_CHECKING:
    from pathlib import Path

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="the scripts are bash's")
POST = 'echo "$PKG_VERSION" >> "$PREFIX/share/ran"; echo "look here" > "$PREFIX/.messages.txt"\n'
ALLOW = "--allow-link-scripts"


class Forge:
    """A channel on the disk, and the command with it."""

    def __init__(self, directory: Path) -> None:
        self.made = directory / "made"
        self.channel = CondaChannel(directory / "forge")

    def add(self, version: str = "1.0", **scripts: str) -> None:
        files = {f"bin/.demo-{kind.replace('_', '-')}.sh": text for kind, text in scripts.items()}
        files["share/demo.txt"] = version
        package = build_conda_package(self.made, "demo", version, noarch="generic", files=files)
        self.channel.add(package)

    def kaa(self, command: str, *arguments: str) -> Answer:
        url = self.channel.file_url
        return kaa(command, "-n", "den", "-c", url, *arguments)


@pytest.fixture
def forge(tmp_path: Path) -> Forge:
    return Forge(tmp_path)


def ran() -> list[str]:
    file = root() / "envs" / "den" / "share" / "ran"
    return file.read_text().split() if file.exists() else []


def test_scripts_run_when_they_are_allowed_and_are_told_of_when_not(forge: Forge) -> None:
    forge.add("1.0", post_link=POST)
    made = forge.kaa("create", "demo=1", "-y")
    assert made.code == 0, made.err
    assert ran() == []
    assert "link scripts have not run: post-link of demo; to run them, remove" in made.err
    assert f"create it again with {ALLOW}" in made.err
    assert kaa("env", "remove", "-n", "den", "-y").code == 0

    planned = forge.kaa("create", "demo=1", "--dry-run", "--json")  # it is in the cache by now
    note = f"link scripts are not going to run without {ALLOW}: post-link of demo"
    assert planned.json["plan"]["notes"] == [note]
    again = forge.kaa("create", "demo=1", "-y")
    assert note in again.out and "have not run" not in again.err and ran() == []
    assert kaa("env", "remove", "-n", "den", "-y").code == 0

    dry = forge.kaa("create", "demo=1", "--dry-run", "--json", ALLOW)
    assert dry.json["plan"]["notes"] == ["link scripts are going to run: post-link of demo"]
    allowed = forge.kaa("create", "demo=1", "-y", ALLOW)
    assert allowed.code == 0, allowed.err
    assert ran() == ["1.0"] and "demo: look here" in allowed.err


def test_the_settings_can_allow_them_once_and_for_all(forge: Forge) -> None:
    settings = home() / ".config" / "kaa" / "config.toml"
    settings.parent.mkdir(parents=True)
    settings.write_text('link-scripts = "allow"\n')
    forge.add("1.0", post_link=POST, pre_unlink='echo bye >> "$PREFIX/share/ran"\n')
    assert forge.kaa("create", "demo=1", "-y").code == 0
    assert ran() == ["1.0"]
    forge.add("2.0", post_link=POST)
    changed = forge.kaa("install", "demo=2", "-y")
    assert changed.code == 0, changed.err
    assert ran() == ["1.0", "bye", "2.0"]
    assert "link scripts are going to run: pre-unlink of demo" in changed.out
    settings.write_text('link-scripts = "yes"\n')
    refused = forge.kaa("install", "demo=1", "-y")
    assert refused.code == 2 and "one of never and allow" in refused.err


def test_a_removed_package_clears_up_after_itself(forge: Forge) -> None:
    forge.add("1.0", post_link=POST, pre_unlink='rm "$PREFIX/share/ran"\n')
    forge.channel.add(build_conda_package(forge.made, "other", noarch="generic"))
    assert forge.kaa("create", "demo", "other", "-y", ALLOW).code == 0
    assert ran() == ["1.0"]
    told = kaa("remove", "-n", "den", "demo", "--dry-run")
    assert f"not going to run without {ALLOW}: pre-unlink of demo" in told.out
    removed = kaa("remove", "-n", "den", "demo", "-y", ALLOW)
    assert removed.code == 0, removed.err
    assert ran() == []
    # Going back runs nothing: what the scripts made is in the generation.
    assert kaa("undo", "-n", "den", "-y").code == 0
    assert (root() / "envs" / "den" / "share" / "demo.txt").exists()
    assert ran() == ["1.0"]


def test_a_script_that_fails_leaves_the_environment_as_it_was(forge: Forge) -> None:
    forge.add("1.0")
    assert forge.kaa("create", "demo", "-y").code == 0
    before = state()
    forge.add("2.0", post_link='echo "no such font" >&2; exit 4\n')
    answer = forge.kaa("update", "demo", "-y", ALLOW)
    assert forge.kaa("install", "demo=2", "-y", ALLOW, "--json").json["exit_code"] == 6
    assert answer.code == 6
    assert "the post-link script of demo 2.0 failed with exit code 4; nothing was" in answer.err
    assert "no such font" in answer.err
    assert state() == before


def test_an_interruption_leaves_the_environment_as_it_was(forge: Forge, tmp_path: Path) -> None:
    forge.add("1.0")
    assert forge.kaa("create", "demo=1", "-y").code == 0
    before = state()
    forge.add("2.0", post_link=f"touch {tmp_path}/begun; sleep 60; touch {tmp_path}/ended\n")
    command = ("install", "-n", "den", "demo=2", "-y", ALLOW)
    process = subprocess.Popen([*KAA, *command], stderr=subprocess.PIPE, text=True)
    while not (tmp_path / "begun").exists():
        assert process.poll() is None, "it was over before it could be interrupted"
        time.sleep(0.02)
    process.send_signal(signal.SIGINT)
    _, said = process.communicate(timeout=300)
    assert process.returncode == 130 and said.strip().endswith("nothing was changed")
    assert state() == before and not (tmp_path / "ended").exists()
