"""Virtual packages: detected here, assumed elsewhere, overridden by conda's variables and users."""

from __future__ import annotations

import platform
import re
import sys
from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st
from rattler import VersionSpec

from kaa.model.errors import InvalidSpecError, RequestError
from kaa.sources.target import SUBDIRS, host_subdir
from kaa.sources.virtual_packages import (
    NAMES,
    assumed,
    parse_override,
    split,
    to_rattler,
    version_of,
    virtual_packages,
)

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from rattler import GenericVirtualPackage

FOREIGN = [subdir for subdir in SUBDIRS if subdir != host_subdir()]


def found(subdir: str, **options: object) -> dict[str, str]:
    options.setdefault("environ", {})
    texts = virtual_packages(subdir, **options)  # type: ignore[arg-type]
    return dict(text.split("=", 1) for text in texts)


@pytest.mark.skipif(sys.platform != "linux", reason="what a Linux machine has")
def test_this_machine() -> None:
    packages = found(host_subdir())
    library, version = platform.libc_ver()
    assert packages["__unix"] == "0=0"
    assert platform.release().startswith(split(f"__linux={packages['__linux']}")[1])
    if library == "glibc":
        assert packages["__glibc"] == f"{version}=0"
    assert packages["__archspec"].startswith("1=")
    assert "__osx" not in packages


@pytest.mark.parametrize("subdir", FOREIGN)
def test_other_machines(subdir: str) -> None:
    packages = found(subdir)
    expected = {
        "linux": {"__archspec", "__glibc", "__linux", "__unix"},
        "osx": {"__archspec", "__osx", "__unix"},
        "win": {"__archspec", "__win"},
    }
    assert set(packages) == expected[SUBDIRS[subdir].system]
    assert "__cuda" not in packages, "a driver is not assumed"


def test_what_is_assumed_can_be_said_of_this_machine() -> None:
    here = found(host_subdir(), overrides={**assumed(host_subdir()), "__cuda": ""})
    assert here == assumed(host_subdir())
    assert found(FOREIGN[0]) == assumed(FOREIGN[0])


def test_what_conda_forge_asks_of_a_machine_is_assumed() -> None:
    # The real repodata's most frequent demands.
    arm = to_rattler(virtual_packages("linux-aarch64", environ={}))
    assert _satisfied("__glibc >=2.28,<3.0.a0", arm)
    mac = to_rattler(virtual_packages("osx-arm64" if sys.platform != "darwin" else "osx-64"))
    assert _satisfied("__osx >=11.0", mac)
    assert not _satisfied("__osx >=14", mac)


def _satisfied(text: str, packages: Sequence[GenericVirtualPackage]) -> bool:
    name, _, version = text.partition(" ")
    return any(
        one.name.normalized == name and VersionSpec(version).matches(one.version)
        for one in packages
    )


# --- overrides ----------------------------------------------------------------------------------


@pytest.mark.parametrize("subdir", [host_subdir(), FOREIGN[0]])
def test_overrides(subdir: str) -> None:
    packages = found(subdir, overrides={"__cuda": "12.4", "__glibc": "2.17", "__linux": ""})
    assert packages["__cuda"] == "12.4=0"
    assert packages["__glibc"] == "2.17=0"
    assert "__linux" not in packages
    assert found(subdir, overrides={"__archspec": "zen4"})["__archspec"] == "1=zen4"
    assert found(subdir, overrides={"__mine": "1.0=built"})["__mine"] == "1.0=built"
    assert found(subdir, overrides={"__nothing": ""}) == found(subdir)


@pytest.mark.parametrize("subdir", ["linux-64", "linux-aarch64"])
def test_condas_variables(subdir: str) -> None:
    environ = {
        "CONDA_OVERRIDE_CUDA": "12.4",
        "CONDA_OVERRIDE_GLIBC": "2.31",
        "CONDA_OVERRIDE_LINUX": "5.10",
        "CONDA_OVERRIDE_ARCHSPEC": "zen4",
        "CONDA_OVERRIDE_OSX": "14",
        "CONDA_OVERRIDE_WIN": "10",
    }
    packages = found(subdir, environ=environ)
    assert packages == {
        "__unix": "0=0",
        "__cuda": "12.4=0",
        "__glibc": "2.31=0",
        "__linux": "5.10=0",
        "__archspec": "1=zen4",
    }
    assert found("osx-64", environ=environ)["__osx"] == "14=0"
    assert found("win-64", environ=environ)["__win"] == "10=0"


def test_an_empty_variable_takes_away() -> None:
    environ = {"CONDA_OVERRIDE_CUDA": "", "CONDA_OVERRIDE_GLIBC": ""}
    assert "__glibc" not in found("linux-64", environ=environ)
    assert "__cuda" not in found("linux-64", environ=environ)


def test_what_the_user_types_wins_over_variables() -> None:
    environ = {"CONDA_OVERRIDE_CUDA": "11.8"}
    assert found("linux-64", overrides={"__cuda": "12"}, environ=environ)["__cuda"] == "12=0"
    assert "__cuda" not in found("linux-64", overrides={"__cuda": ""}, environ=environ)


def test_the_processs_own_variables_count(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CONDA_OVERRIDE_CUDA", "12.8")
    assert "__cuda=12.8=0" in virtual_packages("linux-aarch64")


def test_a_variable_that_makes_no_sense() -> None:
    with pytest.raises(InvalidSpecError) as caught:
        found("linux-64", environ={"CONDA_OVERRIDE_GLIBC": "two point"})
    assert "CONDA_OVERRIDE_GLIBC" in caught.value.message


def test_no_platform() -> None:
    with pytest.raises(RequestError, match="no platform"):
        virtual_packages("linux-65")


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("__cuda=12.4", ("__cuda", "12.4")),
        ("cuda=12.4", ("__cuda", "12.4")),
        ("cuda==12.4", ("__cuda", "12.4")),
        (" CUDA = 12.4 ", ("__cuda", "12.4")),
        ("__cuda=", ("__cuda", "")),
        ("glibc=", ("__glibc", "")),
        ("archspec=x86_64_v3", ("__archspec", "x86_64_v3")),
        ("__archspec=1=x86_64_v3", ("__archspec", "1=x86_64_v3")),
        ("__custom=3=b_1", ("__custom", "3=b_1")),
    ],
)
def test_parse_override(text: str, expected: tuple[str, str]) -> None:
    assert parse_override(text) == expected


@pytest.mark.parametrize(
    "text",
    [
        "",
        "=",
        "cuda",
        "__cuda",
        "pythn=3.12",
        "cuda=twelve",
        "cuda=>=12",
        "cuda=12.4;rm",
        "cuda=12 4",
        "__cuda=12=",
        "__cuda=12=a b",
        "__=1",
        "__a b=1",
        "archspec=x86 64",
    ],
)
def test_parse_nonsense(text: str) -> None:
    with pytest.raises(InvalidSpecError) as caught:
        parse_override(text)
    assert caught.value.exit_code == 2
    assert "__cuda=12.4" in (caught.value.hint or "")


@given(
    text=st.text(max_size=12) | st.from_regex(r"__[a-z]{1,4}=[0-9a-z.=_+!]{0,8}", fullmatch=True)
)
def test_what_parses_the_solver_takes(text: str) -> None:
    try:
        name, version = parse_override(text)
    except InvalidSpecError:
        return
    packages = virtual_packages("win-arm64", {name: version}, environ={})
    assert len(to_rattler(packages)) == len(packages)
    assert (version_of(name, packages) is not None) == bool(version)


# --- rattler ------------------------------------------------------------


@pytest.mark.parametrize("subdir", SUBDIRS)
def test_rattler_reads_all_of_it(subdir: str) -> None:
    texts = virtual_packages(subdir, {"__cuda": "12.4"}, environ={})
    assert [str(package) for package in to_rattler(texts)] == list(texts)
    assert list(texts) == sorted(texts)
    assert all(re.fullmatch(r"__[a-z]+=[\w.]+=[\w.]+", text) for text in texts)
    assert {split(text)[0] for text in texts} <= set(NAMES)


def test_cuda_is_asked_for_once(tmp_path: Path) -> None:
    cache = tmp_path / "cache"
    first = virtual_packages(host_subdir(), environ={}, cache_dir=cache)
    assert virtual_packages(host_subdir(), environ={}, cache_dir=cache) == first
    assert version_of("__cuda", first) == version_of("__cuda", virtual_packages(host_subdir()))


def test_version_of() -> None:
    assert version_of("__glibc", ("__unix=0=0", "__glibc=2.28=0")) == "2.28"
    assert version_of("__cuda", ("__unix=0=0",)) is None
