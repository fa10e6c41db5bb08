"""``kaa lock``: real solves on real records, and on a channel and an index on 127.0.0.1."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from conda_channel import CondaChannel
from harvest import harvest_channel
from kaa.formats.lock_file import LockedEnvironment, read_lock
from wheels import build_wheel

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from cli.answer import Answer
    from local_index import LocalIndex

PLATFORMS = ("--platform", "osx-arm64", "--platform", "linux-64")


@pytest.fixture
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    directory = tmp_path / "project"
    directory.mkdir()
    monkeypatch.chdir(directory)
    return directory


@pytest.fixture
def channel(tmp_path: Path) -> Iterator[CondaChannel]:
    with CondaChannel(tmp_path / "forge", subdirs=("noarch", "linux-64", "osx-arm64")) as forge:
        for subdir in ("linux-64", "osx-arm64"):
            forge.add_record(
                "python", "3.12.4", "h1_cpython", subdir=subdir, depends=["python_abi"]
            )
            forge.add_record("python_abi", "3.12", "5_cp312", subdir=subdir)
            forge.add_record("fish", "1.0", subdir=subdir, depends=["water"])
        forge.add_record("water", "2.0", noarch="generic")
        forge.add_record("penguin", "1.0", subdir="linux-64")
        yield forge


@pytest.fixture
def index(local_index: LocalIndex, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> LocalIndex:
    wheels = tmp_path / "wheels"
    local_index.add(build_wheel(wheels, "fur", requires_python=">=3.9"))
    local_index.add(build_wheel(wheels, "bear", requires=["fur", "claw; sys_platform == 'darwin'"]))
    for tag in ("macosx_11_0_arm64", "manylinux_2_17_x86_64", "manylinux_2_34_x86_64"):
        local_index.add(build_wheel(wheels / tag, "fang", tag=f"cp312-cp312-{tag}"))
    local_index.add(build_wheel(wheels, "claw"))
    monkeypatch.setenv("PIP_INDEX_URL", local_index.url)
    return local_index


def locked(path: Path) -> LockedEnvironment:
    return read_lock(path)["default"]


def names(path: Path, platform: str) -> list[str]:
    found = locked(path).on(platform)
    assert found is not None
    return sorted(
        [record.name.normalized for record in found.records]
        + [f"pypi::{each.name}" for each in found.distributions]
    )


def test_conda_and_pypi_on_two_platforms(
    kaa: Callable[..., Answer], channel: CondaChannel, index: LocalIndex, here: Path
) -> None:
    answer = kaa(
        "lock", "-c", channel.url, "-c", "pypi", *PLATFORMS, "python", "bear", "fang", "fish"
    )
    assert answer.code == 0, answer.err
    assert answer.out.splitlines()[-1] == "Wrote kaa.lock."
    assert [line.split()[:4] for line in answer.out.splitlines()[1:3]] == [
        ["linux-64", "3.12.4", "4", "3"],
        ["osx-arm64", "3.12.4", "4", "4"],
    ]
    path = here / "kaa.lock"
    conda = ["fish", "python", "python_abi", "water"]
    assert names(path, "linux-64") == [
        *conda[:1],
        "pypi::bear",
        "pypi::fang",
        "pypi::fur",
        *conda[1:],
    ]
    assert "pypi::claw" in names(path, "osx-arm64")
    for platform in locked(path).platforms:
        assert all(record.sha256 for record in platform.records)
        assert all(record.url.startswith(channel.url) for record in platform.records)
        by_name = {each.name: each for each in platform.distributions}
        assert by_name["fur"].requires_python == ">=3.9"
        assert by_name["bear"].requires_dist[0] == "fur"
        assert all(each.sha256 for each in platform.distributions)
        # glibc 2.28 is assumed, so the wheel for 2.34 is not taken, whatever this machine has
        tag = "arm64" if platform.subdir == "osx-arm64" else "manylinux_2_17"
        assert tag in by_name["fang"].url


def test_the_file_is_the_same_every_time_and_in_json_too(
    kaa: Callable[..., Answer], channel: CondaChannel, index: LocalIndex, here: Path
) -> None:
    request = ("-c", channel.url, "-c", "pypi", *PLATFORMS, "fish", "bear")
    assert kaa("lock", *request, "-o", "a.lock").code == 0
    answer = kaa("lock", *request, "-o", "b.lock", "--json")
    assert (here / "a.lock").read_bytes() == (here / "b.lock").read_bytes()
    assert answer.json["success"] is True
    assert answer.json["file"] == "b.lock"
    assert answer.json["channels"] == [channel.url]
    assert [
        (each["platform"], each["conda"], each["pypi"]) for each in answer.json["platforms"]
    ] == [("linux-64", 4, 2), ("osx-arm64", 4, 3)]


def test_the_environment_variables_of_this_machine_do_not_count(
    kaa: Callable[..., Answer],
    channel: CondaChannel,
    here: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("CONDA_OVERRIDE_GLIBC", "2.99")
    assert kaa("lock", "-c", channel.url, "--platform", "linux-64", "fish").code == 0
    found = locked(here / "kaa.lock").on("linux-64")
    assert found is not None
    assert "__glibc=2.28=0" in found.virtual_packages
    assert not any(text.startswith("__cuda") for text in found.virtual_packages)
    request = ("lock", "-c", channel.url, "--platform", "linux-64", "fish")
    assert kaa(*request, "--override", "__cuda=12.4").code == 0
    found = locked(here / "kaa.lock").on("linux-64")
    assert found is not None
    assert "__cuda=12.4=0" in found.virtual_packages


def test_a_platform_without_an_answer_is_named(
    kaa: Callable[..., Answer], channel: CondaChannel, here: Path
) -> None:
    (here / "kaa.lock").write_text("old", encoding="utf-8")
    answer = kaa("lock", "-c", channel.url, *PLATFORMS, "penguin")
    assert answer.code == 4
    assert answer.err.startswith("error: for osx-arm64: ")
    assert "penguin" in answer.err
    assert (here / "kaa.lock").read_text(encoding="utf-8") == "old"
    answer = kaa("lock", "-c", channel.url, *PLATFORMS, "unicorn", "--json")
    assert answer.json["message"].startswith("for linux-64: ")
    assert "and for osx-arm64: " in answer.json["cause"]


def test_environment_files(
    kaa: Callable[..., Answer], channel: CondaChannel, index: LocalIndex, here: Path
) -> None:
    (here / "environment.yml").write_text(
        f"channels: ['{channel.url}', nodefaults]\nplatforms: [osx-arm64, linux-64]\n"
        "dependencies:\n- python=3.12\n- penguin  # [linux]\n- fish  # [py27]\n"
        "- pip:\n  - bear\nextra: 1\n",
        encoding="utf-8",
    )
    channel.add_record("pip", "24.0", noarch="python", depends=["python"])
    answer = kaa("lock", "-f", "environment.yml")
    assert answer.code == 0, answer.err
    assert "note: `extra` in line 9 is no section of an environment file" in answer.err
    assert "[py27]" in answer.err
    assert "penguin" in names(here / "kaa.lock", "linux-64")
    assert "penguin" not in names(here / "kaa.lock", "osx-arm64")
    assert "pypi::claw" in names(here / "kaa.lock", "osx-arm64")
    (here / "more.yml").write_text("dependencies: [pip, pip: [-e .]]", encoding="utf-8")
    answer = kaa("lock", "-f", "more.yml")
    assert answer.code == 2
    assert "which no lock file can hold" in answer.err


def test_hashes_of_a_requirements_file_are_kept_to(
    kaa: Callable[..., Answer], channel: CondaChannel, index: LocalIndex, here: Path
) -> None:
    request = ("lock", "-f", "requirements.txt", "-c", channel.url, "-c", "pypi", "python")
    (here / "requirements.txt").write_text(f"fur --hash=sha256:{'ab' * 32}\n", encoding="utf-8")
    answer = kaa(*request, "--platform", "linux-64")
    assert answer.code == 2
    assert "fur 1.0 has none of the hashes" in answer.err
    digest = answer.err.partition("sha256:")[2].split()[0]
    (here / "requirements.txt").write_text(f"fur --hash=sha256:{digest}\n", encoding="utf-8")
    assert kaa(*request, "--platform", "linux-64").code == 0


@pytest.mark.parametrize("secret", ["user:s3cret@", "t/s3cret/"])
def test_credentials_stay_out_of_the_file(
    secret: str, kaa: Callable[..., Answer], channel: CondaChannel, here: Path
) -> None:
    if secret.startswith("t/"):
        channel.token = "s3cret"
        url = channel.url.replace(channel.host, f"{channel.host}/t/s3cret")
    else:
        channel.auth = ("user", "s3cret")
        url = channel.url.replace("://", f"://{secret}")
    answer = kaa("lock", "-c", url, "--platform", "linux-64", "fish", "--json")
    assert answer.code == 0, answer.err + answer.out
    written = (here / "kaa.lock").read_text(encoding="utf-8")
    assert "s3cret" not in written + answer.out + answer.err
    assert f"- conda: {channel.url}linux-64/fish-1.0-0.conda" in written


def test_nothing_is_written_in_a_dry_run(
    kaa: Callable[..., Answer], channel: CondaChannel, here: Path
) -> None:
    answer = kaa("lock", "-c", channel.url, "--platform", "linux-64", "fish", "--dry-run")
    assert answer.code == 0
    assert "nothing was changed" in answer.out
    assert list(here.iterdir()) == []


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        ((), "nothing was asked for"),
        (("-f", "absent.yml"), "cannot be read"),
        (("--platform", "beos-64", "fish"), "'beos-64' is no platform"),
        (("fish", "--no-deps"), "a lock is of whole environments"),
        (("fish", "-e", "."), "a lock is of whole environments"),
        (("fish=",), "fish="),
    ],
)
def test_wrong_requests(
    arguments: tuple[str, ...], said: str, kaa: Callable[..., Answer], here: Path
) -> None:
    answer = kaa("lock", *arguments)
    assert answer.code == 2
    assert said in answer.err
    assert list(here.iterdir()) == []


def test_an_interpreter_of_this_machine_cannot_be_locked(
    kaa: Callable[..., Answer], index: LocalIndex, here: Path
) -> None:
    answer = kaa("lock", "-c", "pypi", "bear")
    assert answer.code == 2
    assert "Python would be this machine's own" in answer.err
    assert "-c conda-forge" in answer.err


def test_real_records_on_five_platforms(
    kaa: Callable[..., Answer], here: Path, tmp_path: Path
) -> None:
    from rattler import MatchSpec

    platforms = ("linux-64", "linux-aarch64", "osx-64", "osx-arm64", "win-64")
    url = harvest_channel(tmp_path, *platforms)
    chosen = [word for platform in platforms for word in ("--platform", platform)]
    answer = kaa("lock", "-c", url, *chosen, "python=3.12", "pandas", "scikit-learn")
    assert answer.code == 0, answer.err
    found = locked(here / "kaa.lock")
    assert [platform.subdir for platform in found.platforms] == list(platforms)
    for platform in found.platforms:
        by_name = {record.name.normalized: record for record in platform.records}
        assert by_name["python"].subdir == platform.subdir
        assert str(by_name["python"].version).startswith("3.12")
        assert all(
            any(record.matches(MatchSpec(need)) for record in platform.records)
            for each in platform.records
            for need in each.depends
            if not need.startswith("__")
        )
