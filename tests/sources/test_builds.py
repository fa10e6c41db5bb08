"""Wheels from source: real builds by real backends, real failures, a real interruption."""

from __future__ import annotations

import asyncio
import hashlib
import os
import subprocess
import sys
import tarfile
import time
import zipfile
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import psutil
import pytest

from kaa.model.distribution import CoreMetadata, IndexFile
from kaa.model.errors import BuildError, HashMismatchError, MetadataError, UnsafeArchiveError
from kaa.model.progress import Phase
from kaa.network.client import Client
from kaa.network.locations import Credentials
from kaa.network.settings import Index, NetworkSettings
from kaa.sources.backend import BuildPython, build_python, telling_lines
from kaa.sources.builds import Builder
from kaa.sources.source_code import directory_source, sdist_source
from kaa.sources.uv_program import uv_environment
from kaa.store.host_python import HostPython
from kaa.store.layout import Layout
from sdists import pack, pkg_info, write_project

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from local_index import LocalIndex

HERE = HostPython(
    ".".join(map(str, sys.version_info[:3])),
    Path(getattr(sys, "_base_executable", sys.executable)),
    Path(sys.base_prefix),
)


async def pythons() -> list[HostPython]:
    return [HERE]


@dataclass
class Machine:
    """A layout of its own, and what the hooks of its builds have done."""

    root: Path
    settings: NetworkSettings = field(
        default_factory=lambda: NetworkSettings(indexes=(), retries=0)
    )
    allow: bool = True

    @property
    def layout(self) -> Layout:
        return Layout(self.root / "kaa")

    @property
    def hooks(self) -> list[str]:
        """The hooks that ran, without Python's version."""
        noted = self.root / "hooks"
        return (
            [line.split()[0] for line in noted.read_text().splitlines()] if noted.exists() else []
        )

    @asynccontextmanager
    async def builder(self, progress: Any = None) -> AsyncIterator[Builder]:
        environ = {**os.environ, "KAA_TEST_HOOKS": str(self.root / "hooks")}
        async with Client(self.settings, backoff=0.01) as client:
            yield Builder(
                self.layout,
                client,
                progress,
                pythons=pythons,
                allow=self.allow,
                environ=environ,
            )

    def metadata(self, file: IndexFile) -> CoreMetadata:
        async def main() -> CoreMetadata:
            async with self.builder() as builder:
                return await builder.core_metadata(file, HERE.minor)

        return asyncio.run(main())

    def wheel(self, source: Any, progress: Any = None) -> Path:
        async def main() -> Path:
            async with self.builder(progress) as builder:
                which = sdist_source(source) if isinstance(source, IndexFile) else source
                return await builder.wheel(which, await builder.python_for(HERE.version))

        return asyncio.run(main())

    def unfinished(self) -> list[str]:
        return [path.name for path in (self.layout.metadata / "builds").glob(".work-*")]


@pytest.fixture
def machine(tmp_path: Path) -> Machine:
    (tmp_path / "with spaces").mkdir()
    return Machine(tmp_path / "with spaces")


def local(archive: Path, **changes: Any) -> IndexFile:
    digest = hashlib.sha256(archive.read_bytes()).hexdigest()
    options = {"hashes": {"sha256": digest}, "size": archive.stat().st_size, **changes}
    return IndexFile(archive.name, archive.as_uri(), **options)


def make(machine: Machine, filename: str = "demo-1.0.tar.gz", **options: Any) -> IndexFile:
    packing = {key: options.pop(key) for key in ("pkg_info", "members") if key in options}
    project = write_project(machine.root / "project", **options)
    return local(pack(project, machine.root / filename, **packing))


def test_a_wheel_is_built_once_and_holds_what_the_source_has(machine: Machine) -> None:
    file = make(machine, requires=["numpy>=1"])
    wheel = machine.wheel(file)
    assert wheel.name == "demo-1.0-py3-none-any.whl"
    with zipfile.ZipFile(wheel) as archive:
        assert archive.read("demo.py") == b"__version__ = '1.0'\n"
    assert machine.hooks == ["get_requires", "build_wheel"]
    assert machine.wheel(file) == wheel
    assert machine.hooks == ["get_requires", "build_wheel"]
    assert machine.unfinished() == []


def test_a_zip_of_source_is_built_as_well(machine: Machine) -> None:
    assert machine.wheel(make(machine, "demo-1.0.zip")).name == "demo-1.0-py3-none-any.whl"


def test_a_wheel_for_one_python_is_kept_for_that_python(machine: Machine) -> None:
    file = make(machine, tag=None)
    wheel = machine.wheel(file)
    number = HERE.minor.replace(".", "")
    assert wheel.name == f"demo-1.0-cp{number}-none-any.whl"
    assert wheel.parent.name.startswith(f"cp{number}-")
    builder = Builder(machine.layout, Client(machine.settings))
    source = sdist_source(file)
    assert builder._kept(source, BuildPython(HERE.minor, "")) == wheel
    assert builder._kept(source, BuildPython("3.99", "")) is None


@pytest.mark.parametrize(
    "said",
    [
        {"pkg_info": pkg_info(requires=["attrs>=20"])},
        {"static": True, "requires": ["attrs>=20"]},
        # too old to be trusted, but pyproject.toml is not
        {"static": True, "requires": ["attrs>=20"], "pkg_info": pkg_info(metadata_version="2.1")},
        {"pkg_info": pkg_info(requires=["attrs>=20"], dynamic=["Summary"])},
    ],
    ids=["pkg-info", "pyproject", "old-pkg-info", "dynamic-summary"],
)
def test_static_metadata_need_no_build_even_where_building_is_forbidden(
    machine: Machine, said: dict[str, Any]
) -> None:
    machine.allow = False
    found = machine.metadata(make(machine, **said))
    assert (found.name, found.version, found.requires_dist) == ("demo", "1.0", ("attrs>=20",))
    assert machine.hooks == []


@pytest.mark.parametrize(
    "options",
    [
        {},
        {"pkg_info": pkg_info(metadata_version="2.1")},
        {"pkg_info": pkg_info(dynamic=["Requires-Dist"])},
    ],
    ids=["nothing", "old", "dynamic"],
)
def test_what_is_not_static_is_asked_of_the_backend_once(
    machine: Machine, options: dict[str, Any]
) -> None:
    file = make(machine, requires=["attrs>=21"], requires_python=">=3.8", **options)
    for _ in range(2):
        found = machine.metadata(file)
        assert (found.requires_dist, found.requires_python) == (("attrs>=21",), ">=3.8")
    assert machine.hooks == ["get_requires", "prepare"]


def test_a_backend_that_cannot_prepare_metadata_builds_the_wheel_for_it(machine: Machine) -> None:
    file = make(machine, prepares=False, requires=["attrs"])
    assert machine.metadata(file).requires_dist == ("attrs",)
    machine.wheel(file)
    assert machine.hooks.count("build_wheel") == 1


def test_extras_of_pyproject_become_markers(machine: Machine) -> None:
    project = write_project(machine.root / "project", static=True)
    extra = '[project.optional-dependencies]\n"Fast_Er" = ["isal; python_version < \'4\'", "lz4"]\n'
    with (project / "pyproject.toml").open("a") as file:
        file.write(extra)
    found = machine.metadata(local(pack(project, machine.root / "demo-1.0.tar.gz")))
    assert found.extras == ("fast-er",)
    assert found.requires_dist == (
        'isal ; (python_version < "4") and extra == "fast-er"',
        'lz4 ; extra == "fast-er"',
    )


@pytest.mark.parametrize(
    ("filename", "options"),
    [
        ("demo-1.0.tar.gz", {"pkg_info": pkg_info("other")}),
        ("demo-1.0.tar.gz", {"pkg_info": pkg_info(version="2.0")}),
        ("demo-1.0.tar.gz", {"pkg_info": pkg_info("other", metadata_version="2.1")}),
        ("demo-1.0.tar.gz", {"static": True, "name": "other"}),
        ("demo-1.0.tar.gz", {"static": True, "version": "1.1"}),
        ("demo-1.0.tar.gz", {"name": "other"}),
        ("demo-1.0.tar.gz", {"version": "1.1", "prepares": False}),
    ],
    ids=["name", "version", "old", "pyproject-name", "pyproject-version", "hook", "wheel"],
)
def test_metadata_that_contradict_the_file_name_are_refused(
    machine: Machine, filename: str, options: dict[str, Any]
) -> None:
    with pytest.raises(MetadataError, match="cannot be used") as caught:
        machine.metadata(make(machine, filename, **options))
    assert (
        "other" in str(caught.value.cause)
        or "1.1" in str(caught.value.cause)
        or ("2.0" in str(caught.value.cause))
    )


def test_a_failing_build_is_told_by_its_own_last_words(machine: Machine) -> None:
    code = "print('step 0', file=sys.stderr, flush=True)\nraise OSError('no compiler')"
    file = make(machine, code={"build_wheel": code})
    with pytest.raises(BuildError, match=r"demo 1\.0 could not be built") as caught:
        machine.wheel(file)
    assert caught.value.exit_code == 5
    cause, hint = caught.value.cause or "", caught.value.hint or ""
    assert cause.endswith("OSError: no compiler")
    assert 2 <= len(cause.splitlines()) <= 8
    assert "pyproject_hooks" not in cause
    assert "environment" not in cause  # what uv said before is not what went wrong
    assert "--no-build" in hint
    log = next((machine.layout.metadata / "builds").glob("logs/*.log"))
    assert str(log) in hint
    assert "step 0\n" in log.read_text()
    assert machine.unfinished() == []


def test_credentials_that_a_build_prints_are_not_shown(machine: Machine) -> None:
    code = "raise OSError('http://me:secret@example.org/x is gone')"
    with pytest.raises(BuildError) as caught:
        machine.wheel(make(machine, code={"get_requires": code}))
    assert "http://example.org/x is gone" in str(caught.value.cause)
    for log in (machine.layout.metadata / "builds").glob("logs/*.log"):
        assert "secret" not in log.read_text()


@pytest.mark.parametrize(
    ("pyproject", "said"),
    [
        ('[build-system]\nrequires = []\nbuild-backend = "nowhere"', "nowhere"),
        ('[build-system]\nbuild-backend = "nowhere"', "requires"),
        ("[build-system]\nrequires = ['-e /etc']", "-e /etc"),
        ("[build-system]\nrequires = ['--index-url https://example.org']", "--index-url"),
        ("[build-system]\nrequires=[]\nbuild-backend='b'\nbackend-path=['../..']", "inside"),
    ],
)
def test_a_build_system_that_makes_no_sense_is_said(
    machine: Machine, pyproject: str, said: str
) -> None:
    project = write_project(machine.root / "project")
    (project / "pyproject.toml").write_text(pyproject)
    with pytest.raises(BuildError) as caught:
        machine.metadata(local(pack(project, machine.root / "demo-1.0.tar.gz")))
    assert said in f"{caught.value.message} {caught.value.cause}"


def test_broken_toml_is_a_metadata_error(machine: Machine) -> None:
    project = write_project(machine.root / "project")
    (project / "pyproject.toml").write_text("[project\nname=")
    with pytest.raises(MetadataError, match=r"pyproject\.toml"):
        machine.metadata(local(pack(project, machine.root / "demo-1.0.tar.gz")))


def test_what_a_build_needs_but_nobody_has_is_said(machine: Machine) -> None:
    file = make(machine, build_requires=["surely-not-there-at-all>=3"])
    with pytest.raises(BuildError, match="what its build needs could not be installed") as caught:
        machine.wheel(file)
    assert "surely-not-there-at-all" in str(caught.value.cause)


def test_what_a_build_needs_comes_from_the_configured_index_with_its_credentials(
    machine: Machine, local_index: LocalIndex, tmp_path: Path
) -> None:
    from wheels import build_wheel

    local_index.add(build_wheel(tmp_path, "needed", "2.0"))
    local_index.auth = ("me", "secret")
    index = Index(local_index.url, None, Credentials("me", "secret"))
    machine.settings = NetworkSettings(indexes=(index,), retries=0)
    code = "import needed; assert needed.__version__ == '2.0'\n"
    code += "assert not [name for name in os.environ if 'secret' in os.environ[name]]"
    file = make(machine, build_requires=["needed"], code={"build_wheel": code})
    assert machine.wheel(file).is_file()
    assert any(request.path.startswith("/files/needed") for request in local_index.requests)


def test_uv_is_told_of_indexes_by_its_environment_alone() -> None:
    settings = NetworkSettings(
        indexes=(
            Index("https://a.example/simple/", "a", Credentials("me", "secret")),
            Index("https://b.example/simple/"),
        ),
        merge_indexes=True,
        find_links=("file:///wheels", "https://d.example/links"),
        offline=True,
    )
    found = uv_environment(settings, {"UV_INDEX_URL": "https://c.example", "UV_CACHE_DIR": "/c"})
    assert found["UV_INDEX"] == "kaa0=https://a.example/simple/"
    assert found["UV_DEFAULT_INDEX"] == "kaa1=https://b.example/simple/"
    assert found["UV_INDEX_KAA0_PASSWORD"] == "secret"
    assert found["UV_INDEX_STRATEGY"] == "unsafe-best-match"
    assert (found["UV_OFFLINE"], found["UV_CACHE_DIR"]) == ("1", "/c")
    assert found["UV_FIND_LINKS"] == "file:///wheels,https://d.example/links"
    assert "UV_INDEX_URL" not in found


@pytest.mark.parametrize("stubborn", [False, True])
def test_a_build_that_hangs_is_ended_with_all_that_it_started(
    machine: Machine, stubborn: bool
) -> None:
    child = "import time; time.sleep(300)"
    code = (
        "import signal, subprocess, time\n"
        f"if {stubborn}: signal.signal(signal.SIGTERM, signal.SIG_IGN)\n"
        f"subprocess.Popen([sys.executable, '-c', {child!r}])\n"
        "open(os.environ['KAA_TEST_HOOKS'] + '.up', 'w').close(); time.sleep(300)"
    )
    file = make(machine, code={"build_wheel": code})

    async def main() -> None:
        async with machine.builder() as builder:
            python = await builder.python_for(HERE.minor)
            task = asyncio.ensure_future(builder.wheel(sdist_source(file), python))
            while not (machine.root / "hooks.up").exists():
                assert not task.done()
                await asyncio.sleep(0.02)
            started = time.monotonic()
            task.cancel()
            with pytest.raises(asyncio.CancelledError):
                await task
            assert time.monotonic() - started < 60

    assert not children_of(machine)
    asyncio.run(asyncio.wait_for(main(), 300))
    assert not children_of(machine)
    assert machine.unfinished() == []
    assert not list(machine.layout.metadata.glob("builds/wheels/**/*.whl"))


def children_of(machine: Machine) -> list[psutil.Process]:
    """Return the living processes that a build of this test has started."""
    mark = str(machine.root)
    found = []
    for process in psutil.process_iter(["cmdline", "cwd", "status"]):
        line = " ".join(process.info["cmdline"] or ())
        ours = mark in line or mark in (process.info["cwd"] or "")
        if ours and process.info["status"] != psutil.STATUS_ZOMBIE:
            found.append(process)
    return [process for process in found if process.pid != os.getpid()]


def test_two_who_want_the_same_wheel_build_it_once(machine: Machine) -> None:
    file = make(machine, code={"build_wheel": "import time; time.sleep(0.3)"})

    async def main() -> list[Path]:
        async with machine.builder() as one, machine.builder() as other:
            source = sdist_source(file)
            python = await one.python_for(HERE.minor)
            return list(
                await asyncio.gather(
                    *(builder.wheel(source, python) for builder in (one, other, one))
                )
            )

    assert len(set(asyncio.run(main()))) == 1
    assert machine.hooks.count("build_wheel") == 1


def test_progress_tells_how_many_builds_are_done(machine: Machine) -> None:
    told: list[tuple[str, Phase, Any]] = []

    class Recorder:
        def expect(self, phase: Phase, amount: int) -> None:
            told.append(("expect", phase, amount))

        def advance(self, phase: Phase, amount: int, item: str | None = None) -> None:
            told.append(("advance", phase, amount))

        def finish(self, phase: Phase) -> None:
            told.append(("finish", phase, None))

    machine.wheel(make(machine), Recorder())
    assert told == [
        ("expect", Phase.BUILD, 1),
        ("advance", Phase.BUILD, 0),
        ("advance", Phase.BUILD, 1),
        ("finish", Phase.BUILD, None),
    ]


def test_nothing_is_run_where_building_is_forbidden(machine: Machine) -> None:
    machine.allow = False
    file = make(machine)
    for attempt in (machine.metadata, machine.wheel):
        with pytest.raises(BuildError, match=r"demo 1\.0 .*forbidden \(--no-build\)"):
            attempt(file)
    assert machine.hooks == []


def test_an_sdist_that_is_not_what_the_index_promised_is_not_looked_at(machine: Machine) -> None:
    file = make(machine, pkg_info=pkg_info())
    wrong = IndexFile(file.filename, file.url, {"sha256": "0" * 64})
    with pytest.raises(HashMismatchError):
        machine.metadata(wrong)
    assert machine.hooks == []


def evil(
    name: str, kind: bytes = tarfile.REGTYPE, link: str = "", size: int = 1
) -> tarfile.TarInfo:
    info = tarfile.TarInfo(name)
    info.type, info.linkname, info.size = kind, link, size if kind == tarfile.REGTYPE else 0
    return info


@pytest.mark.parametrize(
    "members",
    [
        [evil("../escaped")],
        [evil("demo-1.0/../../escaped")],
        [evil("/tmp/escaped")],
        [evil("demo-1.0/x", tarfile.SYMTYPE, "../../escaped")],
        [evil("demo-1.0/x", tarfile.SYMTYPE, "/etc/passwd")],
        [evil("demo-1.0/x", tarfile.LNKTYPE, "../escaped")],
        [evil("demo-1.0/x", tarfile.SYMTYPE, ".."), evil("demo-1.0/x/../../escaped")],
        [evil("demo-1.0/null", tarfile.CHRTYPE)],
        [evil("demo-1.0/pipe", tarfile.FIFOTYPE)],
    ],
    ids=lambda members: members[-1].name,
)
def test_an_evil_sdist_writes_nothing_and_runs_nothing(
    machine: Machine, members: list[tarfile.TarInfo]
) -> None:
    file = make(machine, members=members)
    before = {path for path in machine.root.rglob("*") if machine.layout.root not in path.parents}
    with pytest.raises(UnsafeArchiveError, match=r"demo-1\.0\.tar\.gz was refused"):
        machine.wheel(file)
    after = {path for path in machine.root.rglob("*") if machine.layout.root not in path.parents}
    assert after - before <= {machine.layout.root}
    assert not list(machine.root.parent.rglob("escaped"))
    assert machine.hooks == []
    assert machine.unfinished() == []


def test_an_evil_zip_is_refused(machine: Machine) -> None:
    file = make(machine, "demo-1.0.zip")
    path = machine.root / "demo-1.0.zip"
    with zipfile.ZipFile(path, "a") as archive:
        archive.writestr("demo-1.0/../../escaped", "x")
    with pytest.raises(UnsafeArchiveError, match="was refused"):
        machine.wheel(local(path))
    assert file.filename == path.name


@pytest.mark.parametrize("keep", [10, 200])
def test_a_damaged_archive_is_said_to_be(machine: Machine, keep: int) -> None:
    make(machine)
    path = machine.root / "demo-1.0.tar.gz"
    path.write_bytes(path.read_bytes()[:keep])
    with pytest.raises(UnsafeArchiveError, match="damaged"):
        machine.metadata(local(path))


def test_an_archive_that_unpacks_to_too_much_is_refused(machine: Machine) -> None:
    from kaa.sources.sdists import _check_size

    path = machine.root / "small.tar.gz"
    path.write_bytes(b"x" * 100)
    _check_size(1 << 30, path, path.name)
    with pytest.raises(UnsafeArchiveError) as caught:
        _check_size((1 << 30) + 100 * 200 + 1, path, path.name)
    assert "would unpack to" in str(caught.value.cause)


def test_a_directory_is_built_anew_when_it_changes_and_only_then(machine: Machine) -> None:
    project = write_project(machine.root / "a project")
    first = machine.wheel(directory_source(project, editable=False))
    for ignored in ("build/x", ".git/index", "__pycache__/x", "env/lib/x", "demo.egg-info/x"):
        path = project / ignored
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text("x")
        (project / "env" / "pyvenv.cfg").parent.mkdir(exist_ok=True)
        (project / "env" / "pyvenv.cfg").touch()
    assert machine.wheel(directory_source(project, editable=False)) == first
    assert machine.hooks.count("build_wheel") == 1
    (project / "demo.py").write_text("__version__ = 'changed'\n")
    second = machine.wheel(directory_source(project, editable=False))
    assert second != first
    with zipfile.ZipFile(second) as archive:
        assert b"changed" in archive.read("demo.py")


def test_an_editable_wheel_points_to_its_directory(machine: Machine) -> None:
    project = write_project(machine.root / "a project")
    source = directory_source(project, editable=True)
    assert source.key != directory_source(project, editable=False).key
    with zipfile.ZipFile(machine.wheel(source)) as archive:
        assert archive.read("demo-1.0.pth").decode() == f"{project}\n"
    assert machine.hooks == ["get_requires", "build_editable"]


def test_a_backend_without_editable_wheels_is_said_to_have_none(machine: Machine) -> None:
    project = write_project(machine.root / "project", editable=False)
    with pytest.raises(BuildError) as caught:
        machine.wheel(directory_source(project, editable=True))
    assert "build_editable" in str(caught.value.cause)


def test_a_directory_that_is_no_project_is_said_to_be_none(machine: Machine) -> None:
    (machine.root / "nothing").mkdir()
    with pytest.raises(BuildError) as caught:
        machine.wheel(directory_source(machine.root / "nothing", editable=False))
    assert "pyproject.toml" in str(caught.value.cause)


def test_the_interpreter_is_one_of_this_machine_where_there_is_one() -> None:
    older = HostPython("3.12.1", Path("/a/python3.12"), Path("/a"))
    newer = HostPython("3.12.7", Path("/b/python3.12"), Path("/b"))
    pythons = [newer, older]
    assert build_python("3.12.1", pythons).request == "/a/python3.12"
    assert build_python("3.12.4", pythons).request == "/b/python3.12"
    assert build_python("3.12", pythons) == BuildPython("3.12", "/b/python3.12")
    elsewhere = build_python("3.13.0", pythons)
    assert (elsewhere.minor, elsewhere.request, elsewhere.on_host) == ("3.13", "3.13", False)


def test_the_last_lines_of_a_log_are_those_that_tell() -> None:
    log = (
        "\x1b[31mcollecting\x1b[0m\n\n"
        "Traceback (most recent call last):\n"
        '  File "/x/pyproject_hooks/_in_process/_in_process.py", line 1, in main\n'
        "    json_out = hook()\n"
        "               ^^^^^^\n"
        '  File "setup.py", line 3\n    import numpy\nModuleNotFoundError: numpy\n'
    )
    assert telling_lines(log).splitlines() == [
        "collecting",
        '  File "setup.py", line 3',
        "    import numpy",
        "ModuleNotFoundError: numpy",
    ]


@pytest.mark.network
@pytest.mark.parametrize(
    ("system", "extra"),
    [
        ('requires = ["hatchling"]\nbuild-backend = "hatchling.build"', ""),
        ('requires = ["flit_core>=3.11"]\nbuild-backend = "flit_core.buildapi"', ""),
        (
            'requires = ["setuptools>=70"]\nbuild-backend = "setuptools.build_meta"',
            '[tool.setuptools]\npackages = ["kaa_real_demo"]\n',
        ),
    ],
    ids=["hatchling", "flit", "setuptools"],
)
def test_the_backends_that_people_use_build_wheels_and_editable_ones(
    machine: Machine, system: str, extra: str
) -> None:
    machine.settings = NetworkSettings()
    project = machine.root / "project"
    (project / "kaa_real_demo").mkdir(parents=True)
    (project / "kaa_real_demo" / "__init__.py").write_text('"""A demo."""\n__version__ = "1.0"\n')
    (project / "pyproject.toml").write_text(
        f"[build-system]\n{system}\n[project]\nname = 'kaa-real-demo'\nversion = '1.0'\n"
        f"description = 'A demo'\ndependencies = ['attrs>=20']\n{extra}"
    )
    wheel = machine.wheel(local(pack(project, machine.root / "kaa_real_demo-1.0.tar.gz")))
    with zipfile.ZipFile(wheel) as archive:
        assert "kaa_real_demo/__init__.py" in archive.namelist()
    editable = machine.wheel(directory_source(project, editable=True))
    target = machine.root / "site"
    with zipfile.ZipFile(editable) as archive:
        archive.extractall(target)
    code = f"import site; site.addsitedir({str(target)!r}); import kaa_real_demo as k\n"
    code += "print(k.__file__)"
    found = subprocess.run(
        [HERE.executable, "-I", "-c", code], capture_output=True, text=True, check=True
    )
    assert found.stdout.strip() == str(project / "kaa_real_demo" / "__init__.py")


@pytest.mark.network
def test_a_project_without_pyproject_is_built_by_setuptools(machine: Machine) -> None:
    machine.settings = NetworkSettings()
    project = machine.root / "project"
    project.mkdir()
    (project / "setup.py").write_text(
        "from setuptools import setup\n"
        "setup(name='kaa-old-demo', version='1.0', py_modules=['old'], install_requires=['six'])\n"
    )
    (project / "old.py").write_text("")
    file = local(pack(project, machine.root / "kaa-old-demo-1.0.tar.gz"))
    assert machine.metadata(file).requires_dist == ("six",)
    assert machine.wheel(file).name == "kaa_old_demo-1.0-py3-none-any.whl"
