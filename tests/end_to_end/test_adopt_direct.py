"""What was installed by where it is, adopted as what is there: wheels, and editable projects."""

from __future__ import annotations

import subprocess
from typing import TYPE_CHECKING

import pytest

from end_to_end.machine import MINOR, kaa, root
from end_to_end.test_adopt_virtual import (
    SITE,
    call,
    done,
    inodes,
    made_by_uv,
    made_by_venv,
    packages,
    pip,
    plan,
    versions,
)
from sdists import write_project
from wheels import build_wheel

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from local_index import LocalIndex


@pytest.mark.parametrize("make", [made_by_venv, made_by_uv])
def test_wheels_are_from_where_they_were(
    make: Callable[..., Path], index: LocalIndex, tmp_path: Path
) -> None:
    index.headers = {"Cache-Control": "no-cache"}
    index.add(build_wheel(tmp_path / "more", "lair"))
    owl = build_wheel(tmp_path / "local", "owl", requires=["lair"])
    elk = build_wheel(tmp_path / "there", "elk", console_scripts={"elk": "elk:main"})
    index.add(elk)
    address = index.file_url(elk.name)
    prefix = make(tmp_path / "project" / "venv", owl, f"elk @ {address}")
    told = plan(prefix)
    known = make is made_by_venv  # uv keeps no hash of what it fetches
    if known:
        assert told["specs"] == [
            f"python={MINOR}",
            f"elk @ {address}",
            f"owl @ {owl.as_uri()}",
        ]
    else:
        assert told["specs"] == [f"python={MINOR}", f"owl @ {owl.as_uri()}"]
        assert f"it is from {address}, and is not told to be what is there" in str(told["notes"])
    before = inodes(prefix)
    done(kaa("adopt", prefix, "-y"))
    assert inodes(prefix) == before
    assert packages(prefix)["elk"]["foreign"] is not known
    done(kaa("verify", "-p", prefix))
    done(kaa("install", "-p", prefix, "bear", "-y"))
    assert versions(prefix).keys() == {"bear", "elk", "fur", "lair", "owl"}
    assert call(prefix / "bin" / "elk") == "elk 1.0\n"
    assert "No broken requirements" in pip(prefix, "check")
    done(kaa("verify", "-p", prefix))
    done(kaa("remove", "-p", prefix, "owl", "-y"))
    assert versions(prefix).keys() == {"bear", "elk", "fur"}


def test_a_wheel_that_is_another_now_or_gone_stays(index: LocalIndex, tmp_path: Path) -> None:
    owl = build_wheel(tmp_path / "local", "owl")
    elk = build_wheel(tmp_path / "local", "elk")
    prefix = made_by_venv(tmp_path / "venv", owl, elk)
    build_wheel(tmp_path / "local", "owl", files={"owl/__init__.py": "other = True\n"})
    elk.unlink()
    notes = "\n".join(plan(prefix)["notes"])
    assert f"it is from {owl.as_uri()}, and is not told to be what is there" in notes
    assert f"it is from {elk.as_uri()}, where there is nothing of it any more" in notes
    done(kaa("adopt", prefix, "-y"))
    assert {name for name, each in packages(prefix).items() if each["foreign"]} == {"elk", "owl"}


def test_a_repository_is_told_with_its_commit(index: LocalIndex, tmp_path: Path) -> None:
    stoat = write_project(tmp_path / "stoat", "stoat")
    git = ("git", "-C", str(stoat), "-c", "user.name=me", "-c", "user.email=me@example.org")
    for arguments in (("init", "-q"), ("add", "-A"), ("commit", "-qm", "First")):
        subprocess.run([*git, *arguments], check=True)
    commit = subprocess.check_output([*git, "rev-parse", "HEAD"], text=True).strip()
    prefix = made_by_venv(tmp_path / "venv", "--no-build-isolation", f"git+{stoat.as_uri()}")
    told = plan(prefix)
    assert f"built on this machine from git+{stoat.as_uri()} at commit {commit}" in str(
        told["notes"]
    )
    (foreign,) = told["foreign"]
    assert foreign["url"] == f"git+{stoat.as_uri()}@{commit}"


@pytest.mark.parametrize("make", [made_by_venv, made_by_uv])
def test_editable_projects_stay_editable(
    make: Callable[..., Path], index: LocalIndex, tmp_path: Path
) -> None:
    index.headers = {"Cache-Control": "no-cache"}
    stoat = write_project(tmp_path / "stoat", "stoat", requires=["fur"])
    prefix = make(tmp_path / "project" / "venv", "bear", "--no-build-isolation", "-e", stoat)
    asked = f"-e stoat @ {stoat.as_uri()}"
    assert plan(prefix)["specs"] == [f"python={MINOR}", "bear", asked]
    assert not list((root() / "pkgs").glob("stoat*"))
    before = inodes(prefix)
    done(kaa("adopt", prefix, "-y"))
    assert inodes(prefix) == before
    found = packages(prefix)["stoat"]
    assert (found["foreign"], found["requested"]) == (False, True)
    # Its backend is run by nobody, now or later: what leads to the project is kept.
    (stoat / "pyproject.toml").unlink()
    (stoat / "stoat.py").write_text("version = 'edited'\n")
    done(kaa("remove", "-p", prefix, "bear", "-y"))
    said = call(prefix / "bin" / "python", "-c", "import stoat; print(stoat.version)")
    assert said == "edited\n"
    assert versions(prefix) == {"fur": "2.1", "stoat": "1.0"}
    assert "editable" in (prefix / SITE / "stoat-1.0.dist-info" / "direct_url.json").read_text()
    done(kaa("verify", "-p", prefix))
    done(kaa("remove", "-p", prefix, "stoat", "-y"))
    assert versions(prefix) == {}
