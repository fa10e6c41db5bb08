"""Conda channels as a user has them: named, private, damaged, gone; and what is typed then."""

from __future__ import annotations

import os
import shlex
import signal
import subprocess
import time
from typing import TYPE_CHECKING, Any

import pytest

from conda_channel import CondaChannel, Fault
from conda_packages import build_conda_package, python_project
from end_to_end.machine import KAA, Answer, below, has_begun, home, kaa, root, unfinished
from local_server import LocalServer, Reply, Request
from packed_interpreter import conda_subdir, pack_interpreter

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from local_index import LocalIndex

NOWHERE = "http://127.0.0.1:1"
"""Where nobody listens."""
SUBDIRS = ("noarch", conda_subdir())


class Tree:
    """Many channels below one address, as a server of a company has them."""

    def __init__(self, directory: Path) -> None:
        self.directory = directory
        self.server = LocalServer(self._answer)

    def channel(self, name: str, *packages: str) -> CondaChannel:
        """Make a channel of records like ``bear=2.0``."""
        made = CondaChannel(self.directory / name, subdirs=SUBDIRS)
        for package in packages:
            own, _, version = package.partition("=")
            made.add_record(own, version, noarch="generic")
        made.write()
        return made

    def _answer(self, request: Request) -> Reply:
        file = self.directory / request.path.partition("?")[0].lstrip("/")
        return Reply(200, file.read_bytes()) if file.is_file() else Reply(404)


@pytest.fixture
def tree(tmp_path: Path) -> Iterator[Tree]:
    found = Tree(tmp_path / "tree")
    found.server.start()
    yield found
    found.server.stop()


@pytest.fixture
def forge(tmp_path: Path) -> Iterator[CondaChannel]:
    """A channel of packages that can be installed."""
    with CondaChannel(
        tmp_path / "forge", subdirs=SUBDIRS, headers={"Cache-Control": "no-cache"}
    ) as channel:
        channel.add(build_conda_package(tmp_path / "made", "bear", noarch="generic"))
        yield channel


def condarc(text: str) -> None:
    (home() / ".condarc").write_text(text)


def planned(*arguments: str, environ: dict[str, str] | None = None) -> dict[str, tuple[str, str]]:
    """Return version and source of each package that would be there, by name."""
    answer = kaa(
        "create",
        "-n",
        "x",
        *arguments,
        "--dry-run",
        "--json",
        env={**os.environ, **(environ or {})},
    )
    assert answer.code == 0, answer.out
    return {each["name"]: (each["version"], each["source"]) for each in answer.json["plan"]["add"]}


def refused(*arguments: str) -> dict[str, Any]:
    """Return the error, which says what to do."""
    answer = kaa(*arguments, "--json")
    assert answer.code != 0 and answer.err == "", answer.err
    assert answer.json["success"] is False and answer.json["hint"]
    told: dict[str, Any] = answer.json
    return told


def typed(hint: str) -> list[str]:
    """Return the options that a hint has between its first backquotes, as a shell reads them."""
    return shlex.split(hint.split("`")[1])


# --- what channels are called --------------------------------------------------------------


def test_names_are_what_condarc_says(tree: Tree) -> None:
    tree.channel("corp", "bear=1.0")
    tree.channel("corp/label/dev", "bear=2.0dev1")
    tree.channel("main", "bear=3.0")
    tree.channel("r", "fur=3.0")
    tree.channel("deep/below/den", "cave=1.0")
    url = tree.server.url
    condarc(
        f"channel_alias: {url}\n"
        f"default_channels: [{url}/main, {url}/r]\n"
        f"custom_channels: {{den: {url}/deep/below}}\n"
        "custom_multichannels: {both: [corp, den]}\n"
        "channels: [corp]\n"
    )
    configured = {"KAA_CHANNELS": ""}
    assert planned("bear", environ=configured) == {"bear": ("1.0", "corp")}
    assert planned("bear", "-c", "corp/label/dev") == {"bear": ("2.0dev1", "corp/label/dev")}
    assert planned("bear", "fur", "-c", "defaults") == {
        "bear": ("3.0", "main"),
        "fur": ("3.0", "r"),
    }
    assert planned("bear", "cave", "-c", "both") == {
        "bear": ("1.0", "corp"),
        "cave": ("1.0", "den"),
    }
    assert planned("corp/label/dev::bear", "-c", "corp")["bear"] == ("2.0dev1", "corp/label/dev")
    error = refused("create", "-n", "x", "bear", "-c", f"corp/{conda_subdir()}", "--dry-run")
    assert typed(error["hint"]) == ["-c", "corp", "--platform", conda_subdir()]


def test_the_first_channel_provides_a_name_unless_told_otherwise(tree: Tree) -> None:
    tree.channel("one", "bear=1.0")
    tree.channel("two", "bear=2.0", "bear=3.0").add_record(
        "cub", depends=["bear >=2"], noarch="generic"
    )
    channels = ("-c", f"{tree.server.url}/one", "-c", f"{tree.server.url}/two")
    assert planned("bear", *channels)["bear"] == ("1.0", "one")
    flexible = planned("cub", *channels, "--channel-priority", "flexible")
    assert flexible["bear"] == ("3.0", "two")
    disabled = planned("bear", *channels, "--channel-priority", "disabled")
    assert disabled["bear"] == ("3.0", "two")
    error = refused("create", "-n", "x", "bear=2", *channels, "--dry-run")
    assert "1.0 in" in error["cause"] and "strict" in error["cause"]
    fix = next(fix for fix in error["explanation"]["fixes"] if "two::bear=2" in str(fix))
    assert fix


def test_virtual_packages_are_assumed_as_the_hint_says(forge: CondaChannel) -> None:
    forge.add_record("gpu", depends=["__cuda >=12.1"], noarch="generic")
    request = ("gpu", "-c", forge.url)
    error = refused("create", "-n", "x", *request, "--override", "__cuda=11", "--dry-run")
    assert "__cuda >=12.1" in error["cause"] and "has 11" in error["cause"]
    override = error["explanation"]["missing_virtual"][0]["override"]
    assert planned(*request, *shlex.split(override))["gpu"]
    assert planned(*request, environ={"CONDA_OVERRIDE_CUDA": "12.4"})["gpu"]


# --- what they are fetched with ------------------------------------------------------------


def test_tokens_are_used_and_not_kept(tmp_path: Path) -> None:
    with CondaChannel(tmp_path / "den", subdirs=SUBDIRS, token="t0ken-t0ken") as den:
        den.add(build_conda_package(tmp_path / "made", "bear", noarch="generic"))
        url = den.url.replace("/den/", "/t/t0ken-t0ken/den/")
        created = kaa("create", "-n", "private", "-c", url, "bear", "-y", "-vv")
        assert created.code == 0, created.err
        told = [created, kaa("info", "-n", "private"), kaa("list", "-n", "private", "--json")]
        assert not [answer for answer in told if "t0ken" in answer.out + answer.err]
        error = refused("install", "-n", "private", "bear", "-y")  # without it, nothing is told
        assert "who you are" in error["message"] and "/t/TOKEN/" in error["hint"]
    history = root() / "envs" / "private" / "conda-meta"
    kept = [path for path in history.rglob("*") if path.is_file()]
    assert len(kept) > 1
    assert not [path for path in kept if b"t0ken" in path.read_bytes()]


def test_shards_fetched_once_are_enough_without_a_network(tmp_path: Path) -> None:
    with CondaChannel(tmp_path / "sharded", subdirs=SUBDIRS, shards=True) as sharded:
        sharded.add(build_conda_package(tmp_path / "made", "bear", noarch="generic"))
        sharded.add(
            build_conda_package(tmp_path / "made", "cub", noarch="generic", depends=["bear"])
        )
        url = sharded.url
        created = kaa("create", "-n", "one", "-c", url, "cub", "-y")
        assert created.code == 0, created.err
        assert any("/shards/" in request.path for request in sharded.requests)
    again = kaa("create", "-n", "two", "-c", url, "cub", "-y", "--offline")
    assert again.code == 0, again.err
    assert (root() / "envs" / "two" / "share" / "bear.txt").read_text() == "bear 1.0\n"
    error = refused("create", "-n", "three", "-c", NOWHERE, "cub", "-y", "--offline")
    assert "network is switched off" in error["message"]


def test_offline_fetches_no_archive_of_a_channel_that_is_known(tmp_path: Path) -> None:
    with CondaChannel(tmp_path / "near", subdirs=SUBDIRS) as near:
        for name in ("bear", "cub"):
            near.add(build_conda_package(tmp_path / "made", name, noarch="generic"))
        created = kaa("create", "-n", "one", "-c", near.url, "bear", "-y")
        assert created.code == 0, created.err
        before = len(near.requests)
        error = refused("install", "-n", "one", "cub", "-y", "--offline")
        assert error["exit_code"] == 5
        assert error["message"].startswith("cub-1.0-0.conda is not in the cache")
        assert len(near.requests) == before
    local = kaa("create", "-n", "two", "-c", near.file_url, "cub", "-y", "--offline")
    assert local.code == 0, "no network is needed for what lies on the disk"


def test_a_channel_in_a_directory_with_an_unusual_name(
    tmp_path: Path, index: LocalIndex, monkeypatch: pytest.MonkeyPatch
) -> None:
    try:
        python = pack_interpreter()
    except ValueError as error:
        pytest.skip(str(error))
    monkeypatch.setenv("KAA_ROOT", str(tmp_path / "Bäume und Höhlen"))
    channel = CondaChannel(tmp_path / "mein Känal", subdirs=SUBDIRS)
    channel.add(python)
    made = tmp_path / "made"
    channel.add(build_conda_package(made, "fat", noarch="generic", archive="tar.bz2"))
    channel.add(
        build_conda_package(
            made,
            "growl",
            noarch="python",
            depends=["python", "fat"],
            files=python_project("growl", commands=["growl = growl:main"]),
            entry_points=["growl = growl:main"],
        )
    )
    channel.write()
    created = kaa("create", "-n", "höhle", "-c", "./mein Känal", "-c", "pypi", "growl", "-y")
    assert created.code == 0, created.err
    assert kaa("run", "-n", "höhle", "growl").out == "growl 1.0\n"
    prefix = root() / "envs" / "höhle"
    assert (prefix / "share" / "fat.txt").read_text() == "fat 1.0\n"
    done = subprocess.run([prefix / "bin" / "growl"], capture_output=True, text=True, check=True)
    assert done.stdout == "growl 1.0\n", "without kaa, too"


# --- what cannot be reached ----------------------------------------------------------------


def test_with_nothing_configured_conda_forge_is_asked_first_and_can_be_left_out(
    index: LocalIndex,
) -> None:
    condarc(f"channel_alias: {NOWHERE}\n")  # where conda-forge is to be: not on the network
    environ = {name: text for name, text in os.environ.items() if name != "KAA_CHANNELS"}
    answer = kaa("create", "-n", "x", "fur", "--dry-run", "--json", env=environ)
    assert answer.code == 5
    assert answer.json["message"] == "the channel conda-forge cannot be reached"
    options = typed(answer.json["hint"])
    assert options == ["-c", "pypi"]
    assert planned("fur", *options, environ=environ)["fur"] == ("2.1", "pypi")
    shown = kaa("info", env=environ).out
    assert "conda-forge, pypi" in shown


def test_the_hint_names_the_other_sources_and_works(forge: CondaChannel, index: LocalIndex) -> None:
    before = len(index.requests)
    error = refused(
        *("create", "-n", "x", "-c", forge.url, "-c", NOWHERE, "-c", "pypi"), "bear", "--dry-run"
    )
    assert NOWHERE in error["message"]
    assert typed(error["hint"]) == ["-c", forge.url.rstrip("/"), "-c", "pypi"]
    assert planned("bear", *typed(error["hint"]))["bear"] == ("1.0", "forge")
    assert len(index.requests) == before, "a bear of PyPI's is another one"
    error = refused("create", "-n", "x", "-c", forge.url, f"{NOWHERE}::bear", "--dry-run")
    assert f"leave out `{NOWHERE}::`" in error["hint"]


def test_an_environment_can_do_without_a_channel_that_is_gone(
    tmp_path: Path, forge: CondaChannel
) -> None:
    with CondaChannel(tmp_path / "old", subdirs=SUBDIRS) as old:
        old.add(build_conda_package(tmp_path / "made", "cub", noarch="generic"))
        created = kaa("create", "-n", "den", "-c", old.url, "cub", "-y")
        assert created.code == 0, created.err
    error = refused("install", "-n", "den", "-c", forge.url, "bear", "-y")
    options = typed(error["hint"])
    assert options == ["--override-channels", "-c", forge.url.rstrip("/")]
    changed = kaa("install", "-n", "den", *options, "bear", "-y", "--json")
    assert changed.code == 0, changed.out
    assert changed.json["plan"]["unchanged"] == 1, "what came from there stays"
    assert kaa("update", "-n", "den", "bear", "--dry-run").code == 0, "it is forgotten for good"
    for command in (["install", "-n", "den"], ["create", "-n", "lair"]):
        alone = refused(*command, "--override-channels", "bear", "-y")
        assert alone["exit_code"] == 2
    made = kaa("create", "-n", "lair", *options, "bear", "-y")
    assert made.code == 0, made.err


def test_a_channel_that_says_nothing_is_given_up(forge: CondaChannel) -> None:
    forge.fail("*", Fault(hang=600))
    condarc("remote_read_timeout_secs: 1\n")
    error = refused("search", "bear", "-c", forge.url)  # in less time than `kaa` is given here
    assert "cannot be reached" in error["message"]


# --- what they say ---------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("fields", "said"),
    [
        ({"version": "1!!..x"}, "a record of bear that cannot be read"),
        ({"name": None}, "a record of bear that cannot be read"),
        ({"subdir": "win-32"}, "gives packages for win-32"),
        ({"depends": ["fur >=1,,<<2"]}, "`bear` cannot be installed"),
    ],
)
def test_a_record_that_is_wrong(tmp_path: Path, fields: dict[str, Any], said: str) -> None:
    channel = CondaChannel(tmp_path / "wrong", subdirs=SUBDIRS)
    channel.add_record("cub", noarch="generic")
    channel.add(build_conda_package(tmp_path / "made", "bear", noarch="generic"), **fields)
    request = ("create", "-n", "x", "-c", channel.file_url, "--dry-run")
    assert said in refused(*request, "bear")["message"]


def test_an_index_that_ends_before_its_end_does_no_harm_for_ever(forge: CondaChannel) -> None:
    forge.zst = False
    whole = (forge.directory / "noarch" / "repodata.json").read_bytes() if forge.url else b""
    forge.fail("*/noarch/repodata.json", Fault(body=whole[:-40]))
    request = ("create", "-n", "x", "-c", forge.url, "bear", "--dry-run")
    assert "ends before its end" in refused(*request)["message"]
    forge.heal()
    assert kaa(*request).code == 0


@pytest.mark.parametrize(
    ("fault", "said"),
    [
        (Fault(status=404), "does not have bear-1.0-0.conda any more"),
        (Fault(body=b"<html>log in</html>"), "is not the file"),
        (Fault(truncate=300), "ended before the file did"),
    ],
)
def test_a_channel_that_changes_between_solve_and_download(
    forge: CondaChannel, fault: Fault, said: str
) -> None:
    forge.fail("*.conda", fault)
    request = ("create", "-n", "den", "-c", forge.url, "bear", "-y")
    assert said in refused(*request)["message"]
    assert unfinished() == [] and not list(below(root() / "envs"))
    forge.heal()
    assert kaa(*request).code == 0


def test_a_package_that_is_another_one(forge: CondaChannel, tmp_path: Path) -> None:
    wolf = build_conda_package(tmp_path / "made", "wolf", noarch="generic")
    sheep = wolf.rename(wolf.with_name("sheep-1.0-0.conda"))
    forge.add(sheep, name="sheep")
    error = refused("create", "-n", "den", "-c", forge.url, "sheep", "-y")
    assert "contradicts its record" in error["message"] and "'wolf'" in error["cause"]
    assert unfinished() == []


# --- who interrupts --------------------------------------------------------------------------


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
@pytest.mark.parametrize("stage", ["download", "unpack"])
def test_an_interruption_is_heeded_at_once(
    tmp_path: Path, forge: CondaChannel, stage: str, number: signal.Signals
) -> None:
    files = {f"share/{place}/{each}.txt": "x" for place in range(80) for each in range(100)}
    forge.add(build_conda_package(tmp_path / "made", "forest", noarch="generic", files=files))
    if stage == "download":
        forge.fail("*/forest*", Fault(hang=600))
    process = subprocess.Popen(
        [*KAA, "create", "-n", "den", "-c", forge.url, "forest", "-y"],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        text=True,
    )

    def begun() -> bool:
        if stage == "download":
            return any("forest-1.0" in request.path for request in forge.requests)
        return has_begun(root() / "pkgs", ".kaa-*", "share/0")

    while not begun():
        assert process.poll() is None, "it was over before it could be interrupted"
        time.sleep(0.002)
    process.send_signal(number)
    _, said = process.communicate(timeout=300)
    assert process.returncode == 130 and said.strip().endswith("nothing was changed")
    assert unfinished() == [] and not list(below(root() / "envs"))
    assert not (root() / "pkgs" / "forest-1.0-0").exists(), "it went on to the end"


def answers(line: str) -> list[str]:
    """Return what bash offers for the end of a command line."""
    words = line.split(" ")
    variables = {
        "_KAA_COMPLETE": "bash_complete",
        "COMP_WORDS": line,
        "COMP_CWORD": str(len(words) - 1),
    }
    done: Answer = kaa(env={**os.environ, **variables})
    return [each.partition(",")[2] for each in done.out.splitlines() if each]


def test_the_new_commands_and_options_complete(forge: CondaChannel) -> None:
    created = kaa("create", "-n", "den", "-c", forge.url, "bear", "-y")
    assert created.code == 0, created.err
    assert {"lock", "search", "why", "tree", "repoquery", "update"} <= set(answers("kaa "))
    assert answers("kaa repoquery ") == ["depends", "whoneeds", "search"]
    assert answers("kaa why -n ") == ["den"]
    assert answers("kaa why -n den b") == ["bear"]
    assert answers("kaa create --channel-priority ") == ["strict", "flexible", "disabled"]
    assert answers("kaa lock --platform osx") == ["osx-64", "osx-arm64"]
    assert "--override-channels" in answers("kaa install --o")
    assert forge.url.rstrip("/") in answers("kaa create -c h")
