"""Targets of any platform: which real wheels fit, and what markers see."""

from __future__ import annotations

import sys

import pytest
from hypothesis import given
from hypothesis import strategies as st
from packaging.markers import Marker, default_environment
from packaging.tags import platform_tags

from kaa.model.errors import RequestError
from kaa.sources import target as target_module
from kaa.sources.markers import python_condition
from kaa.sources.target import SUBDIRS, Target, host_subdir, host_target, target_for
from kaa.sources.virtual_packages import virtual_packages

PYTHONS = ("3.13.1", "3.12.8")
FOREIGN = [subdir for subdir in SUBDIRS if subdir != host_subdir()]


def assumed(subdir: str, *changes: str) -> Target:
    """The target of a machine that nobody has asked, with virtual packages added or changed."""
    packages = dict(text.split("=", 1) for text in (*_machine(subdir), *changes))
    return target_for(subdir, PYTHONS, [f"{name}={rest}" for name, rest in packages.items()])


def _machine(subdir: str) -> list[str]:
    system = SUBDIRS[subdir].system
    known = {"linux": ["__glibc=2.28=0"], "osx": ["__osx=13.0=0"], "win": ["__win=10.0=0"]}
    return known[system]


NUMPY = "numpy-2.2.0-cp312-cp312-{}.whl"
FITS = {
    NUMPY.format("manylinux_2_17_x86_64.manylinux2014_x86_64"): {"linux-64"},
    NUMPY.format("manylinux_2_17_aarch64.manylinux2014_aarch64"): {"linux-aarch64"},
    NUMPY.format("manylinux_2_27_x86_64.manylinux_2_28_x86_64"): {"linux-64"},
    NUMPY.format("manylinux_2_34_x86_64"): set(),
    NUMPY.format("musllinux_1_2_x86_64"): set(),
    NUMPY.format("macosx_10_13_x86_64"): {"osx-64"},
    NUMPY.format("macosx_11_0_arm64"): {"osx-arm64"},
    NUMPY.format("macosx_14_0_arm64"): set(),
    NUMPY.format("macosx_14_0_x86_64"): set(),
    NUMPY.format("win_amd64"): {"win-64"},
    NUMPY.format("win32"): {"win-32"},
    NUMPY.format("win_arm64"): {"win-arm64"},
    "torch-2.5.1-cp312-cp312-manylinux1_x86_64.whl": {"linux-64"},
    "torch-2.6.0-cp312-cp312-manylinux_2_28_aarch64.whl": {"linux-aarch64"},
    "torch-2.5.1-cp312-none-macosx_11_0_arm64.whl": {"osx-arm64"},
    "torch-1.9.0-cp312-cp312-linux_x86_64.whl": {"linux-64"},
    "old-1.0-cp312-cp312-manylinux2010_x86_64.manylinux_2_12_x86_64.whl": {"linux-64"},
    "old-1.0-cp312-cp312-manylinux1_i686.whl": {"linux-32"},
    "grpcio-1.68.0-cp312-cp312-manylinux_2_17_ppc64le.whl": {"linux-ppc64le"},
    "grpcio-1.68.0-cp312-cp312-manylinux_2_17_s390x.whl": {"linux-s390x"},
    "grpcio-1.68.0-cp312-cp312-linux_armv7l.whl": {"linux-armv7l"},
    "lxml-5.3.0-cp312-cp312-manylinux2014_armv7l.whl": {"linux-armv7l"},
    "PyYAML-6.0-cp312-cp312-macosx_10_9_universal2.whl": {"osx-64", "osx-arm64"},
    "cryptography-44.0.0-cp39-abi3-manylinux_2_28_x86_64.whl": {"linux-64"},
    "ruff-0.8.0-py3-none-win_amd64.whl": {"win-64"},
    "requests-2.32.0-py3-none-any.whl": set(SUBDIRS),
    "requests-2.32.0-py2-none-any.whl": set(),
    "numpy-2.2.0-pp310-pypy310_pp73-win_amd64.whl": set(),
    "numpy-2.2.0-cp312-cp312-android_21_arm64_v8a.whl": set(),
}


@pytest.mark.parametrize("wheel", FITS)
def test_which_wheels_fit_where(wheel: str) -> None:
    assert {subdir for subdir in SUBDIRS if "3.12" in assumed(subdir).fit(wheel)} == FITS[wheel]


def test_the_newer_platform_is_preferred() -> None:
    target = assumed("linux-64")
    ranks = [
        target.fit(NUMPY.format(tag))["3.12"]
        for tag in ("manylinux_2_28_x86_64", "manylinux2014_x86_64", "manylinux1_x86_64")
    ]
    assert ranks == sorted(ranks)
    assert len(set(ranks)) == 3
    mac = assumed("osx-arm64")
    own = mac.fit(NUMPY.format("macosx_11_0_arm64"))["3.12"]
    assert own < mac.fit(NUMPY.format("macosx_10_9_universal2"))["3.12"]


def test_virtual_packages_decide() -> None:
    glibc = NUMPY.format("manylinux_2_34_x86_64")
    assert "3.12" in assumed("linux-64", "__glibc=2.35=0").fit(glibc)
    assert not target_for("linux-64", PYTHONS, []).fit(NUMPY.format("manylinux1_x86_64"))
    assert target_for("linux-64", PYTHONS, []).fit(NUMPY.format("linux_x86_64"))
    mac = NUMPY.format("macosx_14_0_arm64")
    assert "3.12" in assumed("osx-arm64", "__osx=15.3=0").fit(mac)
    assert not assumed("osx-64", "__osx=10.12=0").fit(NUMPY.format("macosx_10_13_x86_64"))
    assert not target_for("osx-64", PYTHONS, []).platform_tags


def test_musl() -> None:
    target = target_for("linux-aarch64", PYTHONS, ["__musl=1.2.5=0", "__linux=6.1=0"])
    assert "3.12" in target.fit(NUMPY.format("musllinux_1_1_aarch64"))
    assert not target.fit(NUMPY.format("musllinux_1_3_aarch64"))
    assert not target.fit(NUMPY.format("manylinux2014_aarch64"))


MARKERS = {
    "linux-64": ("posix", "linux", "Linux", "x86_64"),
    "linux-32": ("posix", "linux", "Linux", "i686"),
    "linux-aarch64": ("posix", "linux", "Linux", "aarch64"),
    "linux-armv7l": ("posix", "linux", "Linux", "armv7l"),
    "linux-ppc64le": ("posix", "linux", "Linux", "ppc64le"),
    "linux-s390x": ("posix", "linux", "Linux", "s390x"),
    "osx-64": ("posix", "darwin", "Darwin", "x86_64"),
    "osx-arm64": ("posix", "darwin", "Darwin", "arm64"),
    "win-32": ("nt", "win32", "Windows", "x86"),
    "win-64": ("nt", "win32", "Windows", "AMD64"),
    "win-arm64": ("nt", "win32", "Windows", "ARM64"),
}


@pytest.mark.parametrize("subdir", SUBDIRS)
def test_what_markers_see(subdir: str) -> None:
    environment = assumed(subdir).marker_environment
    names = ("os_name", "sys_platform", "platform_system", "platform_machine")
    assert tuple(environment[name] for name in names) == MARKERS[subdir]
    assert environment["implementation_name"] == "cpython"
    assert set(environment) == set(host_target(PYTHONS).marker_environment)


@pytest.mark.parametrize("subdir", FOREIGN)
def test_nothing_of_this_machine_is_in_a_foreign_target(subdir: str) -> None:
    environment = assumed(subdir).marker_environment
    assert (environment["platform_release"], environment["platform_version"]) == ("", "")
    # A marker on what is not known does not hold, and does not fail.
    marker = Marker("platform_release >= '20.0' or 'Microsoft' in platform_version")
    assert not marker.evaluate({**environment, "python_version": "3.12"})


@pytest.mark.parametrize("subdir", SUBDIRS)
def test_markers_never_ask_the_running_machine(
    subdir: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    # packaging fills what a marker's environment lacks from the Python it runs on.
    here = dict.fromkeys(default_environment(), f"here, not {subdir}")
    monkeypatch.setattr("packaging.markers.default_environment", here.copy)
    environment = assumed(subdir).marker_environment
    for name, value in here.items():
        assert python_condition(Marker(f"{name} == '{value}'"), environment) is None


def test_this_machine_is_itself() -> None:
    packages = virtual_packages(host_subdir(), environ={})
    assert target_for(host_subdir(), PYTHONS, packages) == host_target(PYTHONS)


@pytest.mark.skipif(sys.platform != "linux", reason="the C library of Linux")
def test_this_machine_with_another_c_library() -> None:
    packages = virtual_packages(host_subdir(), {"__glibc": "2.17"}, environ={})
    target = target_for(host_subdir(), PYTHONS, packages)
    assert target != host_target(PYTHONS)
    assert target.marker_environment == host_target(PYTHONS).marker_environment
    assert not any("2_18" in tag for tag in target.platform_tags)


def test_tags_are_packagings_own_for_this_machine() -> None:
    # The one list that can be compared: what target_for makes, and what packaging finds here.
    packages = virtual_packages(host_subdir(), environ={})
    known = SUBDIRS[host_subdir()]
    made = target_module._platform_tags(known, target_module._versions(packages))
    assert list(made) == list(platform_tags())


@pytest.mark.parametrize("subdir", ["", "linux", "linux-riscv64", "noarch", "LINUX-64", "../x"])
def test_no_platform(subdir: str) -> None:
    with pytest.raises(RequestError) as caught:
        target_for(subdir, PYTHONS, [])
    assert caught.value.hint is not None
    assert all(known in caught.value.hint for known in SUBDIRS)


@pytest.mark.parametrize(
    ("system", "machine", "expected"),
    [
        ("linux", "x86_64", "linux-64"),
        ("linux", "i386", "linux-32"),
        ("linux", "i686", "linux-32"),
        ("linux", "aarch64", "linux-aarch64"),
        ("linux", "armv7l", "linux-armv7l"),
        ("linux", "ppc64le", "linux-ppc64le"),
        ("linux", "s390x", "linux-s390x"),
        ("darwin", "x86_64", "osx-64"),
        ("darwin", "arm64", "osx-arm64"),
        ("win32", "AMD64", "win-64"),
        ("win32", "x86", "win-32"),
        ("win32", "ARM64", "win-arm64"),
    ],
)
def test_host_subdirs(system: str, machine: str, expected: str) -> None:
    assert host_subdir(system, machine) == expected


@pytest.mark.parametrize("machine", [("freebsd14", "amd64"), ("linux", "riscv64"), ("linux", "")])
def test_a_machine_without_a_subdir(machine: tuple[str, str]) -> None:
    with pytest.raises(RequestError, match="no name for this machine"):
        host_subdir(*machine)


def test_the_seam_is_one(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(target_module, "_host", lambda: ("darwin", "arm64"))
    assert host_subdir() == "osx-arm64"


@given(
    subdir=st.sampled_from(sorted(SUBDIRS)),
    major=st.integers(0, 10**12),
    minor=st.integers(0, 10**12),
    name=st.sampled_from(["__glibc", "__musl", "__osx"]),
)
def test_any_version_gives_a_target(subdir: str, major: int, minor: int, name: str) -> None:
    target = target_for(subdir, ("3.12.1",), [f"{name}={major}.{minor}=0", "__cuda=12=0"])
    assert len(target.platform_tags) < 10_000
    assert len(set(target.platform_tags)) == len(target.platform_tags)
    assert set(target.fit("a-1-py3-none-any.whl")) == {"3.12"}


@given(minor=st.integers(0, 60))
def test_a_newer_library_only_adds_wheels(minor: int) -> None:
    older = set(assumed("linux-aarch64", f"__glibc=2.{minor}=0").platform_tags)
    newer = set(assumed("linux-aarch64", f"__glibc=2.{minor + 1}=0").platform_tags)
    assert older <= newer
