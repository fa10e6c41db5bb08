"""An environment made of a lock file, without a solve: a real Python, wheels, and refusals."""

from __future__ import annotations

import asyncio
import subprocess
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import pytest

from conda_channel import CondaChannel
from conda_packages import build_conda_package
from kaa.environments.prefix import Prefix
from kaa.formats.lock_file import LockedDistribution, LockedEnvironment, LockedPlatform, write_lock
from kaa.model.environment import Manifest, now
from kaa.model.errors import HashMismatchError, RequestError, UnsupportedError
from kaa.model.options import SolveOptions
from kaa.model.progress import Silent
from kaa.sources.target import host_subdir
from kaa.sources.virtual_packages import virtual_packages
from kaa.store.layout import default_layout
from kaa.workflows.bring import bring
from kaa.workflows.from_lock import solution_from_lock
from kaa.workflows.generation import link_first_generation
from kaa.workflows.lock import LockRequest, solve_lock
from kaa.workflows.supply import open_supply
from packed_interpreter import pack_interpreter
from sdists import pack, write_project
from wheels import build_wheel

if TYPE_CHECKING:
    from pathlib import Path

    from kaa.formats.lock_file import LockedPlatform as Locked
    from kaa.solver.request import Solution
    from local_index import LocalIndex

GLIBC = ("__glibc=2.28=0", "__linux=4.18=0", "__unix=0=0")
WHEEL = LockedDistribution(
    "fur", "1.0", "https://files.example.org/fur-1.0-py3-none-any.whl", "ab" * 32
)


async def _link(solution: Solution, path: Path) -> None:
    layout = default_layout()
    layout.root.mkdir(parents=True, exist_ok=True)
    async with open_supply(layout, SolveOptions(), Silent()) as supply:
        await bring(solution, layout, supply, Silent())
        prefix = Prefix(path)
        manifest = Manifest("demo", (), (), "kaa create", now())
        await link_first_generation(solution, (), prefix, manifest, layout, Silent())


@pytest.fixture
def lock(local_index: LocalIndex, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A lock of a real Python, a conda package, two wheels and a source distribution."""
    wheels = tmp_path / "wheels"
    local_index.add(build_wheel(wheels, "fur", version="2.0"))
    local_index.add(build_wheel(wheels, "bear", requires=["fur>=1", "claw"]))
    project = write_project(tmp_path / "claw", "claw", "3.0")
    local_index.add(pack(project, tmp_path / "sdists" / "claw-3.0.tar.gz"))
    monkeypatch.setenv("PIP_INDEX_URL", local_index.url)
    forge = CondaChannel(tmp_path / "forge", subdirs=("noarch", host_subdir()))
    try:
        forge.add(pack_interpreter())
    except ValueError as error:
        pytest.skip(f"this interpreter cannot be packed: {error}")
    forge.add(build_conda_package(tmp_path, "honey", noarch="generic"))
    options = SolveOptions(sources=(forge.file_url, "pypi"))
    request = LockRequest(("python", "honey", "pypi::bear"), options=options)
    found = asyncio.run(solve_lock(request, default_layout(), Silent()))
    path = tmp_path / "kaa.lock"
    found.write(path)
    return path


def test_an_environment_is_made_of_a_lock(lock: Path, tmp_path: Path) -> None:
    solution = solution_from_lock(lock, host_subdir(), virtual_packages(host_subdir()))
    assert [record.name.normalized for record in solution.records] == [
        "bear",
        "claw",
        "fur",
        "honey",
        "python",
    ]
    assert "fur" in solution.records[0].depends[1]
    prefix = tmp_path / "envs" / "demo"
    asyncio.run(_link(solution, prefix))
    program = "import bear, claw, fur; print(bear.__version__, claw.__version__, fur.__version__)"
    done = subprocess.run(
        [prefix / "bin" / "python", "-c", program], capture_output=True, text=True, check=False
    )
    assert done.stdout.split() == ["1.0", "3.0", "2.0"], done.stderr
    assert len(list((prefix / "conda-meta").glob("*.json"))) == 5


def test_a_wheel_that_is_another_one_now_is_refused(
    lock: Path, local_index: LocalIndex, tmp_path: Path
) -> None:
    changed = build_wheel(tmp_path / "other", "bear", requires=["fur>=1"], description="changed")
    local_index.add(changed)
    solution = solution_from_lock(lock, host_subdir(), virtual_packages(host_subdir()))
    with pytest.raises(HashMismatchError):
        asyncio.run(_link(solution, tmp_path / "envs" / "demo"))
    assert not (tmp_path / "envs" / "demo").exists()


def _write(tmp_path: Path, *platforms: Locked) -> Path:
    path = tmp_path / "some.lock"
    write_lock(path, {"default": LockedEnvironment((), platforms)})
    return path


def _python() -> LockedPlatform:
    from rattler import PackageRecord, RepoDataRecord
    from rattler.package import BuildString

    depends = ["__glibc >=2.17,<3.0.a0"]
    package = PackageRecord(
        "python", "3.12.4", BuildString("h1_cpython"), 0, "linux-64", depends=depends,
        sha256=bytes.fromhex("cd" * 32), arch=None, platform=None,
    )  # fmt: skip
    channel = "https://conda.example.org/forge/"
    file = "python-3.12.4-h1_cpython.conda"
    record = RepoDataRecord(package, file, f"{channel}linux-64/{file}", channel)
    return LockedPlatform("linux-64", (record,))


def test_what_is_right_is_taken(tmp_path: Path) -> None:
    path = _write(tmp_path, replace(_python(), distributions=(WHEEL,)))
    solution = solution_from_lock(path, "linux-64", GLIBC)
    assert solution.python_minor == "3.12"
    assert list(solution.files) == [WHEEL.url]


@pytest.mark.parametrize(
    ("changes", "error", "said"),
    [
        ({"sha256": None}, UnsupportedError, "no hash of fur"),
        ({"url": "https://files.example.org/fur-1.0.egg"}, UnsupportedError, "no wheel"),
        ({"url": "git+https://git.example.org/fur"}, UnsupportedError, "no wheel"),
        ({"url": "./fur"}, UnsupportedError, "no wheel"),
        (
            {"url": "https://files.example.org/fur-1.0-cp311-cp311-win_amd64.whl"},
            RequestError,
            "does not fit",
        ),
        ({"requires_python": ">=3.13"}, RequestError, "does not fit"),
    ],
)
def test_wheels_that_cannot_be_used(
    changes: dict[str, Any], error: type[Exception], said: str, tmp_path: Path
) -> None:
    path = _write(tmp_path, replace(_python(), distributions=(replace(WHEEL, **changes),)))
    with pytest.raises(error, match=said):
        solution_from_lock(path, "linux-64", GLIBC)


def test_building_may_be_forbidden(tmp_path: Path) -> None:
    sdist = replace(WHEEL, url="https://files.example.org/fur-1.0.tar.gz")
    path = _write(tmp_path, replace(_python(), distributions=(sdist,)))
    solution = solution_from_lock(path, "linux-64", GLIBC)
    assert list(solution.files) == [sdist.url]
    with pytest.raises(RequestError, match="does not fit") as caught:
        solution_from_lock(path, "linux-64", GLIBC, build=False)
    assert "--no-build" in str(caught.value.cause)


def test_other_platforms_and_environments(tmp_path: Path) -> None:
    path = _write(tmp_path, _python())
    with pytest.raises(RequestError, match="not locked for osx-64") as caught:
        solution_from_lock(path, "osx-64", ())
    assert caught.value.cause == "it is for linux-64"
    with pytest.raises(RequestError, match="no environment docs"):
        solution_from_lock(path, "linux-64", GLIBC, environment="docs")
    with pytest.raises(RequestError, match=r"needs __glibc >=2\.17") as caught:
        solution_from_lock(path, "linux-64", ("__glibc=2.12=0",))
    assert caught.value.cause == "this machine has __glibc=2.12=0"
    with pytest.raises(RequestError, match="needs __glibc") as caught:
        solution_from_lock(path, "linux-64", ())
    assert caught.value.cause == "this machine has no __glibc"


def test_wheels_without_a_python(tmp_path: Path) -> None:
    path = _write(tmp_path, LockedPlatform("linux-64", (), (WHEEL,)))
    with pytest.raises(UnsupportedError, match="no Python"):
        solution_from_lock(path, "linux-64", GLIBC)
