"""Direct references: what is one, what it leads to, and what is written down of it."""

from __future__ import annotations

import asyncio
import hashlib
import json
import os
import subprocess
import sys
import threading
import zipfile
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from packaging.direct_url import DirectUrl

from kaa.model.errors import (
    BuildError,
    HashMismatchError,
    InvalidSpecError,
    MetadataError,
    RequestError,
    SourceAnswerError,
    SourceUnreachableError,
    UnsupportedError,
)
from kaa.network.client import Client
from kaa.network.locations import Credentials
from kaa.network.settings import NetworkSettings
from kaa.sources.builds import Builder
from kaa.sources.direct import DirectReference, Kind, parse_direct
from kaa.sources.direct_distribution import DIRECT_URL, DirectDistribution, resolve_direct
from kaa.sources.git import Repository, _environment
from kaa.store.convert import convert_wheel
from kaa.store.host_python import HostPython
from kaa.store.layout import Layout
from sdists import pack, pkg_info, write_project
from wheels import build_wheel

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Iterator

    from local_index import LocalIndex

HERE = HostPython(
    ".".join(map(str, sys.version_info[:3])),
    Path(getattr(sys, "_base_executable", sys.executable)),
    Path(sys.base_prefix),
)
SHA = "a" * 64


@pytest.fixture
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A working directory with a project in it, and a wheel."""
    folder = tmp_path / "a place"
    write_project(folder / "demo")
    write_project(folder / "sub" / "deep")
    (folder / "x-1.0-py3-none-any.whl").touch()
    monkeypatch.chdir(folder)
    return folder


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (
            "demo @ https://example.org/d/demo-1.0-py3-none-any.whl",
            {"kind": Kind.WHEEL, "name": "demo"},
        ),
        (
            f"De.mo[B,a] @ https://example.org/demo-1.0.tar.gz#sha256={SHA}",
            {
                "kind": Kind.SDIST,
                "name": "de-mo",
                "extras": ("a", "b"),
                "hashes": {"sha256": SHA},
                "url": "https://example.org/demo-1.0.tar.gz",
            },
        ),
        ("https://example.org/v1.0.zip", {"kind": Kind.SDIST, "name": None}),
        ("https://example.org/demo.tgz?x=1", {"kind": Kind.SDIST}),
        ("demo@https://example.org/demo-1.tar.bz2", {"kind": Kind.SDIST}),
        (
            "https://me:secret@example.org/demo-1.0.tar.gz#egg=demo[x]&subdirectory=py",
            {
                "url": "https://example.org/demo-1.0.tar.gz",
                "text": "https://example.org/demo-1.0.tar.gz#egg=demo[x]&subdirectory=py",
                "credentials": Credentials("me", "secret"),
                "name": "demo",
                "extras": ("x",),
                "subdirectory": "py",
            },
        ),
        (
            "git+https://example.org/demo.git@v1.0#subdirectory=py&egg=demo",
            {
                "kind": Kind.VCS,
                "url": "https://example.org/demo.git",
                "ref": "v1.0",
                "subdirectory": "py",
                "name": "demo",
            },
        ),
        (
            "demo[x] @ git+ssh://git@example.org/me/demo@feature/one",
            {"url": "ssh://git@example.org/me/demo", "ref": "feature/one", "extras": ("x",)},
        ),
        (
            "git+https://token:pw@example.org/demo",
            {
                "url": "https://example.org/demo",
                "credentials": Credentials("token", "pw"),
                "ref": None,
            },
        ),
        ("./demo", {"kind": Kind.DIRECTORY, "editable": False}),
        ("demo/", {"kind": Kind.DIRECTORY}),
        ("sub/deep", {"kind": Kind.DIRECTORY}),
        (".", {"kind": Kind.DIRECTORY}),
        ("..", {"kind": Kind.DIRECTORY}),
        ("-e demo", {"kind": Kind.DIRECTORY, "editable": True, "text": "-e demo"}),
        ("--editable=./sub/deep[extra]", {"editable": True, "extras": ("extra",)}),
        ("demo @ ./demo", {"kind": Kind.DIRECTORY, "name": "demo"}),
        ("x-1.0-py3-none-any.whl", {"kind": Kind.WHEEL}),
        ("./x-1.0-py3-none-any.whl[extra]", {"kind": Kind.WHEEL, "extras": ("extra",)}),
    ],
)
def test_what_is_a_direct_reference(place: Path, text: str, expected: dict[str, Any]) -> None:
    found = parse_direct(text)
    assert found is not None
    assert {name: getattr(found, name) for name in expected} == expected
    assert "secret" not in repr(found)


@pytest.mark.parametrize(
    "text",
    [
        "numpy",
        "numpy>=2",
        "numpy=2.1=py312*",
        "demo",  # a directory of that name is there, but it is a name
        "requests[socks]>=2",
        "conda-forge::numpy",
        "conda-forge/linux-64::numpy",
        "https://example.org/channel::numpy",
        "https://example.org/linux-64/numpy-1.0-0.conda",
        "https://example.org/linux-64/numpy-1.0-0.tar.bz2",
        "numpy-1.0-0.tar.bz2",
        "name@1.0",
        "nowhere/to-be-found",
        "s3://bucket/x.whl",
        "",
    ],
)
def test_what_is_none(place: Path, text: str) -> None:
    assert parse_direct(text) is None


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("./nothing", "there is nothing at"),
        ("missing-1.0-py3-none-any.whl", "there is nothing at"),
        ("./demo/project.json", "no directory and no archive"),
        ("demo @ https://example.org/demo", "no direct reference"),
        ("https://example.org/me/demo", "no direct reference"),  # as a repository's page is copied
        ("demo @ ftp://example.org/demo.zip", "no direct reference"),
        ("demo @ https://example.org/demo-1.zip ; python_version > '3'", "no direct reference"),
        ("demo @ git+https://example.org/x#egg=other", "no direct reference"),
        ("https://example.org/demo-1.0.zip#subdirectory=../..", "no direct reference"),
        ("https://example.org/demo-1.0.zip#sha256=xyz", "no direct reference"),
        ("https://example.org/demo-1.0.zip#nonsense", "no direct reference"),
        ("git+git@example.org:me/demo.git", "no direct reference"),
        ("git+ext::sh -c whoami", "no direct reference"),
        ("-e s3://bucket/x", "no direct reference"),
    ],
)
def test_what_is_meant_as_one_and_makes_no_sense(place: Path, text: str, said: str) -> None:
    with pytest.raises(InvalidSpecError, match=said) as caught:
        parse_direct(text)
    assert caught.value.hint


@pytest.mark.parametrize(
    "text",
    [
        "hg+https://example.org/demo",
        "-e git+https://example.org/demo",
        "-e x-1.0-py3-none-any.whl",
    ],
)
def test_what_pip_can_and_kaa_cannot_is_said(place: Path, text: str) -> None:
    with pytest.raises(UnsupportedError) as caught:
        parse_direct(text)
    assert caught.value.hint


def test_credentials_are_in_no_message(place: Path) -> None:
    with pytest.raises(InvalidSpecError) as caught:
        parse_direct("demo @ https://me:secret@example.org/demo")
    assert "secret" not in f"{caught.value.message} {caught.value.cause} {caught.value.hint}"


# --- what they lead to -----------------------------------------------------------------------


async def pythons() -> list[HostPython]:
    return [HERE]


@dataclass
class Machine:
    root: Path
    settings: NetworkSettings = field(default=NetworkSettings(indexes=(), retries=0, timeout=60))
    allow: bool = True

    @property
    def layout(self) -> Layout:
        return Layout(self.root / "kaa")

    @asynccontextmanager
    async def builder(self) -> AsyncIterator[Builder]:
        async with Client(self.settings, backoff=0.01) as client:
            yield Builder(self.layout, client, pythons=pythons, allow=self.allow)

    def resolve(self, text: str) -> DirectDistribution:
        async def main() -> DirectDistribution:
            async with self.builder() as builder:
                return await resolve_direct(parsed(text), builder, HERE.minor)

        return asyncio.run(main())

    def wheel(self, distribution: DirectDistribution) -> Path:
        async def main() -> Path:
            async with self.builder() as builder:
                assert distribution.source is not None
                return await builder.wheel(
                    distribution.source, await builder.python_for(HERE.version)
                )

        return asyncio.run(main())


@pytest.fixture
def machine(tmp_path: Path) -> Machine:
    (tmp_path / "my machine").mkdir()
    return Machine(tmp_path / "my machine")


def parsed(text: str) -> DirectReference:
    reference = parse_direct(text)
    assert reference is not None
    return reference


def said(distribution: DirectDistribution) -> dict[str, Any]:
    """Return direct_url.json, checked by packaging's own reader (PEP 610)."""
    content: dict[str, Any] = json.loads(distribution.direct_url)
    DirectUrl.from_dict(content).validate()
    return content


def sha256(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()


def test_a_wheel_is_fetched_checked_and_read(machine: Machine, local_index: LocalIndex) -> None:
    wheel = build_wheel(machine.root, "demo", requires=["attrs>=20"], requires_python=">=3.8")
    digest = sha256(wheel)
    url = local_index.add(wheel)
    found = machine.resolve(f"demo @ {url}#sha256={digest}")
    assert (found.name, found.version, found.source) == ("demo", "1.0", None)
    assert found.metadata.requires_dist == ("attrs>=20",)
    assert (found.file.filename, found.file.url) == (wheel.name, url)
    assert (found.file.hashes["sha256"], found.file.requires_python) == (digest, ">=3.8")
    assert said(found) == {
        "url": url,
        "archive_info": {"hash": f"sha256={digest}", "hashes": {"sha256": digest}},
    }
    assert sha256(machine.layout.metadata / "wheels" / f"{digest}.whl") == digest
    assert found.identity != digest


def test_a_wheel_behind_a_password_is_fetched_and_the_password_written_nowhere(
    machine: Machine, local_index: LocalIndex
) -> None:
    local_index.auth = ("me", "s/ecret")
    url = local_index.add(build_wheel(machine.root, "demo"))
    found = machine.resolve(url.replace("://", "://me:s%2Fecret@"))
    assert found.file.url == url
    assert b"ecret" not in found.direct_url
    assert "ecret" not in repr(found)


def test_a_wheel_that_is_not_the_one_asked_for_is_refused(
    machine: Machine, local_index: LocalIndex
) -> None:
    url = local_index.add(build_wheel(machine.root, "demo"))
    with pytest.raises(HashMismatchError):
        machine.resolve(f"{url}#sha256={SHA}")
    with pytest.raises(MetadataError, match="not what it is called") as caught:
        machine.resolve(f"other @ {url}")
    assert caught.value.hint == f"ask for it by its name: demo @ {url}"
    assert not [path for path in (machine.layout.metadata / "wheels").iterdir() if path.is_dir()]


def test_a_wheel_of_this_machine(machine: Machine) -> None:
    wheel = build_wheel(machine.root, "demo")
    found = machine.resolve(str(wheel))
    assert said(found)["url"] == wheel.as_uri()
    assert wheel.is_file()


def test_the_same_file_from_two_places_is_two_packages(machine: Machine) -> None:
    wheel = build_wheel(machine.root, "demo")
    (machine.root / "other").mkdir()
    twin = machine.root / "other" / wheel.name
    twin.write_bytes(wheel.read_bytes())
    one, other = machine.resolve(str(wheel)), machine.resolve(str(twin))
    assert one.file.hashes == other.file.hashes
    assert one.identity != other.identity


@pytest.mark.parametrize("name", ["demo-1.0.tar.gz", "v1.0.zip", "archive.tar.gz"])
def test_an_archive_of_source_may_be_called_anything(
    machine: Machine, local_index: LocalIndex, name: str
) -> None:
    project = write_project(machine.root / "project", requires=["attrs"])
    archive = pack(project, machine.root / name)
    url = local_index.add(archive)
    found = machine.resolve(url)
    assert (found.name, found.version) == ("demo", "1.0")
    assert found.metadata.requires_dist == ("attrs",)
    assert found.file.filename == "demo-1.0.tar.gz"
    assert said(found)["archive_info"]["hashes"] == {"sha256": sha256(archive)}
    assert machine.wheel(found).name == "demo-1.0-py3-none-any.whl"


def test_an_archive_of_source_that_says_it_all_is_not_built(machine: Machine) -> None:
    machine.allow = False
    project = write_project(machine.root / "project")
    text = pkg_info("demo", "1.0+local", requires=["attrs"])
    archive = pack(project, machine.root / "anything.tar.gz", pkg_info=text)
    found = machine.resolve(str(archive))
    assert (found.version, found.metadata.requires_dist) == ("1.0+local", ("attrs",))


def test_a_subdirectory_of_an_archive(machine: Machine) -> None:
    write_project(machine.root / "all" / "python" / "demo", "inner", "3.0", static=True)
    archive = pack(machine.root / "all", machine.root / "all-1.0.tar.gz")
    found = machine.resolve(f"{archive.as_uri()}#subdirectory=python/demo")
    assert (found.name, found.version) == ("inner", "3.0")
    assert said(found)["subdirectory"] == "python/demo"
    assert machine.wheel(found).name == "inner-3.0-py3-none-any.whl"
    with pytest.raises(SourceUnreachableError, match="no directory 'nowhere'"):
        machine.resolve(f"{archive.as_uri()}#subdirectory=nowhere")


@pytest.mark.parametrize("editable", [False, True])
def test_a_directory(machine: Machine, place: Path, editable: bool) -> None:
    write_project(place / "demo", requires=["attrs"])
    found = machine.resolve(f"{'-e ' * editable}./demo[fast]")
    assert (found.name, found.reference.extras) == ("demo", ("fast",))
    assert found.metadata.requires_dist == ("attrs",)
    info = {"editable": True} if editable else {}
    assert said(found) == {"url": (place / "demo").as_uri(), "dir_info": info}
    with zipfile.ZipFile(machine.wheel(found)) as archive:
        assert ("demo-1.0.pth" in archive.namelist()) == editable
        assert ("demo.py" in archive.namelist()) != editable


def test_two_directories_with_the_same_content_are_two_packages(
    machine: Machine, place: Path
) -> None:
    for name in ("one", "two"):
        write_project(place / name)
        for path in (place / name).iterdir():
            os.utime(path, (1e9, 1e9))
    one, two = (machine.resolve(f"-e ./{name}") for name in ("one", "two"))
    assert one.identity != two.identity
    assert machine.wheel(one) != machine.wheel(two)
    assert one.identity == machine.resolve("-e ./one").identity


def test_what_would_have_to_be_built_is_not_where_building_is_forbidden(
    machine: Machine, place: Path
) -> None:
    machine.allow = False
    with pytest.raises(BuildError, match="--no-build"):
        machine.resolve("./demo")
    write_project(place / "demo", static=True)
    assert machine.resolve("./demo").version == "1.0"


def test_the_installed_distribution_says_where_it_is_from(machine: Machine, place: Path) -> None:
    found = machine.resolve("-e ./demo")
    wheel = machine.wheel(found)
    target = machine.root / "package"
    target.mkdir()
    convert_wheel(wheel, wheel.name, target, {"name": "demo"}, {DIRECT_URL: found.direct_url})
    info = target / "site-packages" / "demo-1.0.dist-info"
    assert (info / DIRECT_URL).read_bytes() == found.direct_url
    digest = hashlib.sha256(found.direct_url).hexdigest()
    paths = json.loads((target / "info" / "paths.json").read_text())["paths"]
    assert digest in {entry["sha256"] for entry in paths}
    assert "demo-1.0.dist-info/direct_url.json,sha256=" in (info / "RECORD").read_text()


def test_a_wheel_does_not_say_itself_where_it_is_from(machine: Machine) -> None:
    files = {"demo.py": "", "demo-1.0.dist-info/direct_url.json": "{}"}
    wheel = build_wheel(machine.root, "demo", files=files)
    target = machine.root / "package"
    target.mkdir()
    convert_wheel(wheel, wheel.name, target, {"name": "demo"})
    info = target / "site-packages" / "demo-1.0.dist-info"
    assert not (info / DIRECT_URL).exists()
    assert "direct_url" not in (info / "RECORD").read_text()


# --- git ---------------------------------------------------------------------------------------


class Upstream:
    """A git repository on this machine."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        folder.mkdir(parents=True)
        self.git("init", "--quiet", "--initial-branch=main")

    @property
    def url(self) -> str:
        return f"git+{self.folder.as_uri()}"

    def git(self, *arguments: str) -> str:
        identity = ["-c", "user.name=Me", "-c", "user.email=me@example.org"]
        allowed = ["-c", "protocol.file.allow=always"]
        done = subprocess.run(
            ["git", *identity, *allowed, *arguments],
            cwd=self.folder,
            capture_output=True,
            text=True,
            check=True,
        )
        return done.stdout.strip()

    def commit(self, version: str, **options: Any) -> str:
        write_project(self.folder / options.pop("below", "."), version=version, **options)
        self.git("add", ".")
        self.git("commit", "--quiet", "-m", version)
        return self.git("rev-parse", "HEAD")


@pytest.fixture
def upstream(tmp_path: Path) -> Upstream:
    return Upstream(tmp_path / "up stream" / "demo")


def test_refs_are_branches_tags_commits_and_head(machine: Machine, upstream: Upstream) -> None:
    first = upstream.commit("1.0")
    upstream.git("tag", "-a", "v1", "-m", "one")
    upstream.git("branch", "feature/old")
    second = upstream.commit("2.0")
    upstream.git("checkout", "--quiet", "--detach")
    hidden = upstream.commit("3.0")
    upstream.git("update-ref", "refs/pull/7/head", hidden)
    upstream.git("checkout", "--quiet", "main")
    for ref, version, commit in (
        ("", "2.0", second),
        ("@main", "2.0", second),
        ("@v1", "1.0", first),
        ("@feature/old", "1.0", first),
        (f"@{first}", "1.0", first),
        (f"@{first[:8]}", "1.0", first),
        ("@refs/pull/7/head", "3.0", hidden),
        (f"@{hidden}", "3.0", hidden),
    ):
        found = machine.resolve(upstream.url + ref)
        assert (found.version, said(found)["vcs_info"]["commit_id"]) == (version, commit), ref
    assert said(found) == {
        "url": upstream.folder.as_uri(),
        "vcs_info": {"vcs": "git", "requested_revision": hidden, "commit_id": hidden},
    }
    with zipfile.ZipFile(machine.wheel(found)) as archive:
        assert b"3.0" in archive.read("demo.py")


def test_a_branch_that_moved_is_seen(machine: Machine, upstream: Upstream) -> None:
    upstream.commit("1.0")
    first = machine.resolve(upstream.url)
    upstream.commit("2.0")
    upstream.git("commit", "--quiet", "--amend", "-m", "rewritten")
    second = machine.resolve(upstream.url)
    assert (first.version, second.version) == ("1.0", "2.0")
    assert first.identity != second.identity


def test_a_commit_that_is_known_needs_no_network(machine: Machine, upstream: Upstream) -> None:
    commit = upstream.commit("1.0")
    machine.resolve(upstream.url)
    machine.settings = NetworkSettings(indexes=(), offline=True)
    upstream.folder.rename(upstream.folder.with_name("gone"))
    assert machine.resolve(f"{upstream.url}@{commit}").version == "1.0"
    assert machine.resolve(f"{upstream.url}@main").version == "1.0"
    with pytest.raises(SourceUnreachableError, match="switched off"):
        machine.resolve(f"{upstream.url}@unknown")


def test_a_subdirectory_and_submodules(
    machine: Machine, upstream: Upstream, tmp_path: Path
) -> None:
    inner = Upstream(tmp_path / "up stream" / "inner")
    inner.commit("5.0", name="inner")
    upstream.commit("1.0", below="python/demo")
    upstream.git("submodule", "--quiet", "add", "../inner", "vendored")
    upstream.git("commit", "--quiet", "-m", "a submodule")
    assert machine.resolve(f"{upstream.url}#subdirectory=python/demo").name == "demo"
    vendored = machine.resolve(f"{upstream.url}#subdirectory=vendored")
    assert (vendored.name, vendored.version) == ("inner", "5.0")


def test_submodules_are_not_fetched_while_the_network_is_switched_off(
    machine: Machine, upstream: Upstream, local_index: LocalIndex
) -> None:
    upstream.commit("1.0")
    elsewhere = f"http://{local_index.host}/inner.git"
    modules = f'[submodule "inner"]\n\tpath = vendored\n\turl = {elsewhere}\n'
    (upstream.folder / ".gitmodules").write_text(modules)
    upstream.git("update-index", "--add", "--cacheinfo", f"160000,{'1' * 40},vendored")
    upstream.git("add", ".gitmodules")
    upstream.git("commit", "--quiet", "-m", "a submodule")
    with pytest.raises(SourceUnreachableError, match="submodules"):
        machine.resolve(upstream.url)
    assert local_index.requests
    local_index.requests.clear()
    machine.settings = NetworkSettings(indexes=(), offline=True)
    with pytest.raises(SourceUnreachableError, match="submodules") as caught:
        machine.resolve(upstream.url)
    assert "offline" in str(caught.value.hint)
    assert not local_index.requests


def test_backends_that_ask_git_for_the_version_find_tags(
    machine: Machine, upstream: Upstream
) -> None:
    code = (
        "import subprocess\n"
        "said = subprocess.check_output(['git', 'describe', '--tags'], cwd=HERE, text=True)\n"
        "assert said == 'v1\\n', said"
    )
    upstream.commit("1.0", code={"prepare": code})
    upstream.git("tag", "v1")
    assert machine.resolve(upstream.url).version == "1.0"


@pytest.mark.parametrize(
    ("ref", "error", "message"),
    [
        ("@nowhere", SourceAnswerError, "has no branch, tag or commit 'nowhere'"),
        (f"@{'0' * 40}", SourceAnswerError, "has no branch, tag or commit"),
        ("@--upload-pack=x", RequestError, "cannot be a branch"),
        ("@a..b", RequestError, "cannot be a branch"),
    ],
)
def test_refs_that_are_not_there(
    machine: Machine, upstream: Upstream, ref: str, error: type[Exception], message: str
) -> None:
    upstream.commit("1.0")
    with pytest.raises(error, match=message):
        machine.resolve(upstream.url + ref)


def test_a_repository_that_is_not_there(machine: Machine, upstream: Upstream) -> None:
    with pytest.raises(SourceUnreachableError, match="git could not fetch") as caught:
        machine.resolve(f"{upstream.url}-not-there")
    assert "git ls-remote" in str(caught.value.hint)
    assert "does not" in str(caught.value.cause)


def test_without_git_that_is_said(
    machine: Machine, upstream: Upstream, monkeypatch: pytest.MonkeyPatch
) -> None:
    upstream.commit("1.0")
    monkeypatch.setenv("PATH", str(machine.root))
    with pytest.raises(SourceUnreachableError, match="git is needed"):
        machine.resolve(upstream.url)


@pytest.fixture
def guarded(upstream: Upstream) -> Iterator[tuple[str, list[str]]]:
    """The upstream as a web server with a password has it, and what it was told."""
    told: list[str] = []

    class Handler(SimpleHTTPRequestHandler):
        def do_GET(self) -> None:
            told.append(self.headers.get("authorization", ""))
            if told[-1] == "Basic bWU6c2VjcmV0":
                super().do_GET()
            else:
                self.send_response(401)
                self.send_header("WWW-Authenticate", "Basic realm=git")
                self.end_headers()

        def log_message(self, *arguments: Any) -> None:
            """Say nothing."""

    upstream.commit("1.0")
    upstream.git("update-server-info")
    handler = partial(Handler, directory=str(upstream.folder / ".git"))
    with ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        thread = threading.Thread(target=server.serve_forever, args=(0.01,))
        thread.start()
        yield f"127.0.0.1:{server.server_address[1]}/", told
        server.shutdown()
        thread.join()


def test_a_repository_behind_a_password_is_cloned_and_the_password_kept_nowhere(
    machine: Machine, guarded: tuple[str, list[str]]
) -> None:
    place, told = guarded
    found = machine.resolve(f"git+http://me:secret@{place}@main")
    assert (found.version, said(found)["url"]) == ("1.0", f"http://{place}")
    assert "Basic bWU6c2VjcmV0" in told
    files = [path for path in machine.layout.metadata.rglob("*") if path.is_file()]
    assert any(path.name == "config" for path in files)
    assert not [path for path in files if b"secret" in path.read_bytes()]


def test_a_password_that_is_wrong_is_no_question(
    machine: Machine, guarded: tuple[str, list[str]]
) -> None:
    with pytest.raises(SourceUnreachableError, match="git could not fetch") as caught:
        machine.resolve(f"git+http://me:wrong@{guarded[0]}@main")
    assert "wrong" not in f"{caught.value.message} {caught.value.cause} {caught.value.hint}"


def test_git_gets_credentials_by_its_environment_and_no_local_files(tmp_path: Path) -> None:
    remote = Repository("https://example.org/me/demo", tmp_path, Credentials("me", "secret"))
    found = _environment(remote, {"GIT_DIR": "/x", "GIT_CONFIG_COUNT": "1"})
    assert found["GIT_CONFIG_KEY_1"] == "http.https://example.org:443/.extraHeader"
    assert found["GIT_CONFIG_VALUE_1"] == "Authorization: Basic bWU6c2VjcmV0"
    assert found["GIT_CONFIG_COUNT"] == "2"
    assert found["GIT_TERMINAL_PROMPT"] == "0"
    assert "file" not in found["GIT_ALLOW_PROTOCOL"].split(":")
    assert "ext" not in found["GIT_ALLOW_PROTOCOL"].split(":")
    assert "GIT_DIR" not in found
    assert "secret" not in repr(remote)
