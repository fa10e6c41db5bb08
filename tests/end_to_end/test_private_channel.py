"""A channel whose URL has a password, named in a spec: it is used, and neither told nor kept."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from conda_channel import CondaChannel
from conda_packages import build_conda_package
from end_to_end.machine import home, kaa, root

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

SECRET = "s3cret"


@pytest.fixture
def den(tmp_path: Path) -> Iterator[CondaChannel]:
    with CondaChannel(tmp_path / "den", auth=("me", SECRET)) as channel:
        packages = tmp_path / "packages"
        for name, version in (("bear", "1.0"), ("bear", "1.1"), ("cub", "1.0")):
            files = {f"share/{name}": version.encode()}
            channel.add(build_conda_package(packages, name, version, files=files))
        yield channel


def test_the_password_of_a_spec_is_used_and_never_told(den: CondaChannel) -> None:
    url = den.url.replace("://", f"://me:{SECRET}@")
    refused = [
        kaa("create", "-n", "hill", "-c", url, f"{url}::bear=9", "-y", "--json"),
        kaa("create", "-n", "hill", "-c", url, f"{url}::bear=9", "-y", "-v"),
        kaa("create", "-n", "hill", "-c", "pypi", f"{url}::nothere", "-y"),
        kaa("create", "-n", "hill", "-c", "pypi", f"{url}::bear=1=2=3=4", "-y"),
    ]
    assert all(answer.code for answer in refused)
    assert "bear" in refused[0].json["message"]
    created = kaa("create", "-n", "hill", "-c", "pypi", "-c", url, f"{url}::bear=1.0", "-y")
    assert created.code == 0, created.err
    again = kaa("install", "-n", "hill", "-c", url, "-c", "pypi", "cub", "-y")
    assert again.code == 0, again.err
    listed = kaa("list", "-n", "hill", "--json")
    versions = {each["name"]: each["version"] for each in listed.json}
    assert versions["bear"] == "1.0", "what the first one asked for still holds"
    for answer in (*refused, created, again, listed):
        assert SECRET not in answer.out + answer.err
    # rattler's own cache of repodata has the URLs in it, and is nobody else's to read
    kept = root() / "cache" / "repodata"
    assert kept.stat().st_mode & 0o077 == 0
    written = [path for folder in (root(), home()) for path in folder.rglob("*") if path.is_file()]
    told = [p for p in written if SECRET.encode() in p.read_bytes()]
    assert not [path for path in told if not path.is_relative_to(kept)]
