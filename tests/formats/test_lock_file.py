"""Lock files: written through rattler, read by rattler, the same bytes every time."""

from __future__ import annotations

import asyncio
import os
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Literal

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from formats.real_files import ENVIRONMENTS
from harvest import harvest_channel
from kaa.formats.lock_file import (
    LockedDistribution,
    LockedEnvironment,
    LockedPlatform,
    read_lock,
    render_lock,
    write_lock,
)
from kaa.model.errors import RequestError, StoreError

if TYPE_CHECKING:
    from pathlib import Path

    from rattler import RepoDataRecord

DIGEST = "ab" * 32
WHEEL = LockedDistribution(
    "rich",
    "13.0.1",
    "https://files.example.org/ab/rich-13.0.1-py3-none-any.whl",
    DIGEST,
    ("markdown-it-py>=2.2.0", "ipywidgets>=7.5.1,<9 ; extra == 'jupyter'"),
    ">=3.8.0",
)
PLAIN = LockedDistribution("six", "1.16", "https://files.example.org/six-1.16-py3-none-any.whl")


def one(*distributions: LockedDistribution, indexes: tuple[str, ...] = ()) -> LockedEnvironment:
    platform = LockedPlatform("linux-64", (), distributions, ("__glibc=2.28=0",))
    return LockedEnvironment(("https://conda.example.org/forge/",), (platform,), indexes)


def said(record: RepoDataRecord) -> tuple[object, ...]:
    """Return what a lock has to keep of a record."""
    return (
        record.url,
        record.file_name,
        record.sha256,
        record.md5,
        record.size,
        record.name.normalized,
        str(record.version),
        record.build,
        record.build_number,
        record.subdir,
        sorted(record.depends),
        sorted(record.constrains),
        record.timestamp,
        (record.channel or "").rstrip("/"),
    )


@pytest.mark.parametrize("platform", ["linux-64", "win-64"])
def test_real_records_come_back_whole(
    platform: Literal["linux-64", "win-64"], tmp_path: Path
) -> None:
    import rattler

    channel = harvest_channel(tmp_path, platform)
    records = asyncio.run(
        rattler.solve(
            [rattler.Channel(channel)],
            ["python=3.12", "pandas", "scikit-learn"],
            platforms=[rattler.Subdir(platform), rattler.Subdir("noarch")],
            gateway=rattler.Gateway(cache_dir=tmp_path / "cache"),
            virtual_packages=[
                rattler.GenericVirtualPackage(
                    rattler.PackageName(name),
                    rattler.Version(version),
                    rattler.package.BuildString("0"),
                )
                for name, version in (("__glibc", "2.28"), ("__win", "10"), ("__unix", "0"))
            ],
        )
    )
    assert len(records) > 30
    locked = LockedPlatform(platform, tuple(records), (WHEEL,))
    path = tmp_path / "kaa.lock"
    write_lock(path, {"default": LockedEnvironment((channel,), (locked,))})
    again = read_lock(path)["default"]
    assert again.channels == (channel,)
    found = again.on(platform)
    assert found is not None
    assert sorted(map(said, found.records)) == sorted(map(said, records))
    assert found.distributions == (WHEEL,)
    assert again.on("osx-64") is None


def test_rattlers_own_reader_agrees(tmp_path: Path) -> None:
    from rattler import LockFile

    path = tmp_path / "kaa.lock"
    write_lock(path, {"default": one(WHEEL, PLAIN, indexes=("https://i.example.org/simple/",))})
    lock = LockFile.from_path(path)
    environment = lock.default_environment()
    assert environment is not None
    assert [str(channel) for channel in environment.channels()] == [
        "https://conda.example.org/forge/"
    ]
    (platform,) = lock.platforms()
    assert platform.virtual_packages == ["__glibc=2.28=0"]
    rich, six = environment.pypi_packages_for_platform(platform) or []
    assert rich.satisfies("rich>=13")
    assert not rich.satisfies("rich>=14")
    assert rich.hashes is not None
    assert rich.hashes.sha256 == bytes.fromhex(DIGEST)
    assert rich.requires_python == ">=3.8.0"
    assert len(rich.requires_dist) == 2
    assert (six.name, six.version, six.requires_dist) == ("six", "1.16", [])
    assert "https://i.example.org/simple/" in path.read_text(encoding="utf-8")


def test_the_same_bytes_whatever_the_order() -> None:
    platforms = [LockedPlatform(name, (), (WHEEL, PLAIN)) for name in ("win-64", "linux-64")]
    turned = [LockedPlatform(name, (), (PLAIN, WHEEL)) for name in ("linux-64", "win-64")]
    first = render_lock({"b": one(), "a": LockedEnvironment((), tuple(platforms))})
    second = render_lock({"a": LockedEnvironment((), tuple(turned)), "b": one()})
    assert first == second
    assert b"default" not in first


@pytest.mark.parametrize(
    "name", ["conda__rattler__pixi.lock", "prefix-dev__parselmouth__pixi.lock"]
)
def test_real_pixi_locks_round_trip(name: str, tmp_path: Path) -> None:
    path = ENVIRONMENTS / "pixi" / name
    if not path.is_file():
        pytest.skip("the real lock files are not here")
    environments = read_lock(path)
    assert "default" in environments
    content = render_lock(environments)
    (tmp_path / "again.lock").write_bytes(content)
    again = read_lock(tmp_path / "again.lock")
    assert render_lock(again) == content
    for environment, other in zip(environments.values(), again.values(), strict=True):
        for platform, same in zip(environment.platforms, other.platforms, strict=True):
            assert list(map(said, platform.records)) == list(map(said, same.records))
            assert platform.distributions == same.distributions


def test_packages_that_pixi_would_build_are_named() -> None:
    path = ENVIRONMENTS / "pixi" / "conda__rattler__pixi.lock"
    if not path.is_file():
        pytest.skip("the real lock files are not here")
    platform = read_lock(path)["s3"].on("linux-64")
    assert platform is not None
    assert any("crates/rattler-bin" in source for source in platform.sources)


DANGLING = """
version: 7
platforms:
- name: linux-64
environments:
  default:
    channels: []
    packages:
      linux-64:
      - conda: https://e.org/linux-64/a-1-0.conda
packages: []
"""
names = st.from_regex(r"[a-z][a-z0-9]{0,5}(-[a-z0-9]{1,3})?", fullmatch=True)
paths = st.text(alphabet="abcXYZ019-_.+~!$&'()*,;=:@%20 #?\"\\[]{}|", min_size=1, max_size=12)
distributions = st.builds(
    LockedDistribution,
    name=names,
    version=st.sampled_from(["1.0", "2026.1", "0.1a1", "1!2.0", "1.0+local.1", "1e3", "1_0"]),
    url=paths.map(lambda path: "https://files.example.org/" + path.replace(" ", "%20")),
    sha256=st.sampled_from([None, DIGEST, "12" * 32, "1e" + "0" * 62]),
    requires_dist=st.lists(names.map(lambda name: f"{name}>=1"), max_size=3, unique=True).map(
        tuple
    ),
    requires_python=st.sampled_from([None, ">=3.8", "!=3.0.*,>=2.7", "==3.12"]),
)


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.lists(distributions, max_size=4, unique_by=(lambda each: each.url, lambda e: e.name)))
def test_any_distribution_comes_back(tmp_path: Path, chosen: list[LockedDistribution]) -> None:
    path = tmp_path / "kaa.lock"
    try:
        write_lock(path, {"default": one(*chosen)})
    except (StoreError, RequestError):
        return  # a URL or version that the format cannot say is refused, not changed
    platform = read_lock(path)["default"].on("linux-64")
    found = {each.name: each for each in platform.distributions} if platform else {}
    assert len(found) == len(chosen)
    for each in chosen:
        assert found[each.name].sha256 == each.sha256
        assert found[each.name].requires_dist == each.requires_dist
        assert (found[each.name].requires_python is None) == (each.requires_python is None)


def test_what_cannot_be_said_is_refused(tmp_path: Path) -> None:
    from dataclasses import replace

    path = tmp_path / "kaa.lock"
    path.write_text("old", encoding="utf-8")
    with pytest.raises(StoreError, match="cannot be said"):
        write_lock(path, {"default": one(replace(WHEEL, requires_dist=("no requirement at all",)))})
    assert path.read_text(encoding="utf-8") == "old"
    assert [each.name for each in tmp_path.iterdir() if each.is_file()] == ["kaa.lock"]


def test_a_directory_that_is_closed(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("", encoding="utf-8")
    with pytest.raises(StoreError, match="cannot be written"):
        write_lock(tmp_path / "file" / "kaa.lock", {"default": one()})


@pytest.mark.parametrize(
    "text",
    [
        "",
        "version: 99\nenvironments: {}\n",
        "a: [",
        "name: demo\ndependencies: [zlib]\n",
        DANGLING,
    ],
)
def test_damaged_files_are_refused(text: str, tmp_path: Path) -> None:
    path = tmp_path / "kaa.lock"
    path.write_text(text, encoding="utf-8")
    with pytest.raises(RequestError, match="no lock file") as caught:
        read_lock(path)
    assert caught.value.cause
    assert caught.value.hint


def test_files_that_are_not_there(tmp_path: Path) -> None:
    with pytest.raises(RequestError, match="cannot be read"):
        read_lock(tmp_path / "absent.lock")
    with pytest.raises(RequestError, match="cannot be read"):
        read_lock(tmp_path)


def test_a_link_stays_a_link_and_a_pipe_a_pipe(tmp_path: Path) -> None:
    link = tmp_path / "kaa.lock"
    link.symlink_to(tmp_path / "real.lock")
    content = write_lock(link, {"default": one(WHEEL)})
    assert link.is_symlink()
    assert (tmp_path / "real.lock").read_bytes() == content
    if not hasattr(os, "mkfifo"):
        pytest.skip("this system has no named pipes")
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    with ThreadPoolExecutor(1) as pool:
        reading = pool.submit(pipe.read_bytes)
        write_lock(pipe, {"default": one(WHEEL)})
        assert reading.result(10) == content
    assert pipe.is_fifo()
