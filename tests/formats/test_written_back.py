"""What is read is written back with the same meaning: every real file, and generated ones."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from formats.real_files import ENVIRONMENT_YML, ENVIRONMENTS
from kaa.formats.conda_lock import (
    CondaLock,
    CondaLockPackage,
    read_conda_lock,
    render_conda_lock,
)
from kaa.formats.environment_file import Dependency, EnvironmentFile
from kaa.formats.environment_yml import read_environment_yml
from kaa.formats.environment_yml_text import render_environment_yml
from kaa.formats.lock_file import read_lock, render_lock
from kaa.formats.pixi_text import render_pixi_toml
from kaa.formats.pixi_toml import read_pixi_toml
from kaa.formats.pyproject_text import render_pyproject
from kaa.formats.pyproject_toml import read_pyproject
from kaa.formats.requirements_text import render_requirements
from kaa.formats.requirements_txt import (
    LineKind,
    RequirementLine,
    parse_requirement_line,
    read_requirements,
    requirement_text,
)

if TYPE_CHECKING:
    from pathlib import Path

YAML_FILES = sorted(ENVIRONMENT_YML.iterdir())
PIXI_FILES = sorted((ENVIRONMENTS / "pixi").glob("*.toml"))
PIXI_LOCKS = sorted((ENVIRONMENTS / "pixi").glob("*.lock"))


@pytest.mark.parametrize("path", YAML_FILES, ids=lambda path: path.name)
def test_every_real_environment_file(path: Path) -> None:
    file = read_environment_yml(path)
    rendered = render_environment_yml(file)
    assert rendered.lost == ()
    assert read_environment_yml(rendered.text).meaning() == file.meaning()
    text = path.read_text(encoding="utf-8")
    assert render_environment_yml(file, text).text == text


@pytest.mark.parametrize("path", PIXI_FILES, ids=lambda path: path.name)
def test_every_real_manifest_of_pixi(path: Path, tmp_path: Path) -> None:
    file = read_pixi_toml(path)
    again = tmp_path / "pixi.toml"
    rendered = render_pixi_toml(file, ())
    assert rendered.lost == ()
    again.write_text(rendered.text, encoding="utf-8")
    assert read_pixi_toml(again).meaning() == file.meaning()
    text = path.read_text(encoding="utf-8")
    assert render_pixi_toml(file, (), text).text == text


@pytest.mark.parametrize("path", PIXI_LOCKS, ids=lambda path: path.name)
def test_every_real_lock_of_pixi(path: Path, tmp_path: Path) -> None:
    environments = read_lock(path)
    again = tmp_path / "pixi.lock"
    again.write_bytes(render_lock(environments))
    found = read_lock(again)
    assert found.keys() == environments.keys()
    for name, environment in environments.items():
        assert found[name].channels == environment.channels
        for platform in environment.platforms:
            other = found[name].on(platform.subdir)
            assert other is not None
            assert [each.to_json() for each in other.records] == [
                each.to_json() for each in platform.records
            ]
            assert other.distributions == platform.distributions


NAMES = st.from_regex(r"[a-z][a-z0-9_.-]{0,8}[a-z0-9]", fullmatch=True)
VERSIONS = st.sampled_from(["", "=1.2", "==1.0", ">=2,<3", " 3.12.*", "=1.2=py312_0", "!=1.5"])
TEXTS = st.text(st.characters(codec="utf-8", exclude_characters="\0"), max_size=20)
SELECTORS = st.sampled_from([None, "linux", "osx and arm64", "linux64", "unix"])
SPECS = st.builds(lambda name, version: f"{name}{version}", NAMES, VERSIONS)
DEPENDENCIES = st.builds(Dependency, SPECS, st.just(0), SELECTORS)
HASH = "sha256:" + "0a" * 32
REQUIREMENTS = st.one_of(
    st.builds(
        lambda name, extra, version, hashes, selector: RequirementLine(
            LineKind.REQUIREMENT, f"{name}{extra}{version}", 0, hashes, selector
        ),
        NAMES,
        st.sampled_from(["", "[a]", "[a,b]"]),
        st.sampled_from(
            ["", "==1.0", ">=2,<3", " ; python_version < '3.11'", " @ https://e.org/a-1.tgz"]
        ),
        st.sampled_from([(), (HASH,)]),
        SELECTORS,
    ),
    st.builds(
        RequirementLine,
        st.sampled_from([LineKind.FILE, LineKind.CONSTRAINTS, LineKind.EDITABLE]),
        st.sampled_from(["./a", "some file.txt", "../x/y", "it's"]),
        st.just(0),
    ),
    st.builds(
        RequirementLine,
        st.sampled_from([LineKind.INDEX_URL, LineKind.EXTRA_INDEX_URL, LineKind.FIND_LINKS]),
        st.just("https://example.org/simple?a=b"),
        st.just(0),
    ),
    st.just(RequirementLine(LineKind.OPTION, "--no-index", 0)),
)
FILES = st.builds(
    EnvironmentFile,
    name=st.none() | TEXTS.map(str.strip).filter(bool),
    prefix=st.none() | st.just("/opt/some where/env"),
    channels=st.lists(
        st.sampled_from(["conda-forge", "https://e.org/t/x", "a/label/b"]), unique=True
    ).map(tuple),
    only_these_channels=st.booleans(),
    dependencies=st.lists(DEPENDENCIES, max_size=4).map(tuple),
    requirements=st.lists(REQUIREMENTS, max_size=4).map(tuple),
    variables=st.dictionaries(NAMES, TEXTS, max_size=3).map(lambda found: tuple(found.items())),
    platforms=st.sampled_from([(), ("linux-64",), ("osx-64", "win-64")]),
    category=st.none() | st.just("dev"),
)


@settings(deadline=None, max_examples=150)
@given(FILES, FILES)
def test_generated_environment_files(file: EnvironmentFile, other: EnvironmentFile) -> None:
    rendered = render_environment_yml(file)
    assert read_environment_yml(rendered.text).meaning() == file.meaning()
    changed = render_environment_yml(other, rendered.text)
    assert read_environment_yml(changed.text).meaning() == other.meaning()


@settings(deadline=None)
@given(REQUIREMENTS)
def test_generated_lines_of_pip(line: RequirementLine) -> None:
    (found,) = parse_requirement_line(requirement_text(line), 0, "x")
    assert (found.kind, found.value, found.hashes) == (line.kind, line.value, line.hashes)


def test_comments_and_order_stay_where_a_file_is_changed() -> None:
    text = (
        "# Our den.\nname: den  # a good name\nchannels: [conda-forge]\n"
        "dependencies:\n  - python=3.12  # never 3.13\n  - old\n  # for work\n  - bear\n"
        "  - pip:\n      - fur  # soft\nvariables:\n  HONEY: '1'\n"
    )
    before = read_environment_yml(text)
    wanted = EnvironmentFile(
        "den",
        None,
        ("conda-forge",),
        dependencies=(
            *(each for each in before.dependencies if each.text != "old"),
            Dependency("new", 0),
        ),
        requirements=(*before.requirements, RequirementLine(LineKind.REQUIREMENT, "claw", 0)),
        variables=(("HONEY", "1"), ("MORE", "a\nb")),
    )
    after = render_environment_yml(wanted, text).text
    assert read_environment_yml(after).meaning() == wanted.meaning()
    for comment in ("# Our den.", "# a good name", "# never 3.13", "# soft"):
        assert comment in after


def test_a_manifest_that_is_changed_keeps_its_tasks_and_comments(tmp_path: Path) -> None:
    path = tmp_path / "pixi.toml"
    path.write_text(
        '[workspace]\nname = "den"\nchannels = ["conda-forge"] # ours\nplatforms = ["linux-64"]\n'
        '[tasks]\nrun = "den"  # runs\n[dependencies]\npython = "3.12.*" # not 13\nold = "*"\n'
    )
    file = read_pixi_toml(path)
    wanted = EnvironmentFile(
        file.name,
        channels=file.channels,
        platforms=file.platforms,
        dependencies=(file.dependencies[0], Dependency("bear >=2", 0)),
        requirements=(RequirementLine(LineKind.REQUIREMENT, "fur[soft]>=1", 0),),
        variables=(("HONEY", 'a "b"\n'),),
    )
    text = render_pixi_toml(wanted, (), path.read_text()).text
    path.write_text(text)
    assert read_pixi_toml(path).meaning() == wanted.meaning()
    for kept in ("# ours", "# runs", "# not 13", 'run = "den"'):
        assert kept in text


def test_a_project_has_pips_part_and_pixis(tmp_path: Path) -> None:
    path = tmp_path / "pyproject.toml"
    path.write_text('[project]\nname = "den"  # ours\nversion = "3"\ndependencies = ["old"]\n')
    wanted = EnvironmentFile(
        "den",
        channels=("conda-forge",),
        platforms=("linux-64",),
        dependencies=(Dependency("python>=3.10", 0), Dependency("gdal 3.*", 0)),
        requirements=(RequirementLine(LineKind.REQUIREMENT, "fur>=1", 0),),
    )
    path.write_text(render_pyproject(wanted, (), path.read_text()).text)
    assert "# ours" in path.read_text()
    assert read_pyproject(path).meaning() == wanted.meaning()


def test_a_requirements_file_and_what_it_cannot_say(tmp_path: Path) -> None:
    path = tmp_path / "requirements.txt"
    lines = (
        RequirementLine(LineKind.INDEX_URL, "https://example.org/simple", 1),
        RequirementLine(LineKind.REQUIREMENT, "fur==1.0", 2, (HASH,)),
        RequirementLine(LineKind.EDITABLE, "./a b", 3),
    )
    rendered = render_requirements(
        EnvironmentFile(dependencies=(Dependency("gdal", 0),), requirements=lines)
    )
    path.write_text(rendered.text)
    assert read_requirements(path) == lines
    assert rendered.lost == ("requirements.txt has no conda packages: gdal",)


PACKAGES = st.builds(
    lambda name, version, needs, sha256, category, manager, platform: CondaLockPackage(
        name=name,
        version=version,
        manager=manager,
        platform=platform,
        url=f"https://example.org/{platform}/{name}-{version}-0.conda",
        dependencies=tuple(needs.items()),
        md5=None if sha256 else "0a" * 16,
        sha256=sha256,
        category=category,
        optional=category != "main",
    ),
    NAMES,
    st.sampled_from(["1", "1.10", "2024a", "1e5", "0x10", "1_0", "2020-01-01"]),
    st.dictionaries(NAMES, st.sampled_from(["", "*", ">=1,<2", "3.12.* *_cp312"]), max_size=3),
    st.sampled_from([None, "0b" * 32, "12" * 32, "1e" * 32]),
    st.sampled_from(["main", "dev", "on"]),
    st.sampled_from(["conda", "pip"]),
    st.sampled_from(["linux-64", "osx-arm64"]),
)
LOCKS = st.builds(
    CondaLock,
    st.sampled_from([(), ("conda-forge", "https://example.org/c: d")]),
    st.just(("linux-64", "osx-arm64")),
    st.lists(
        PACKAGES, max_size=4, unique_by=lambda each: (each.name, each.platform, each.manager)
    ).map(tuple),
    st.sampled_from([(), ("environment.yml", "it's.yml")]),
    st.just((("linux-64", "00"), ("osx-arm64", "1e5"))),
)


@settings(deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(LOCKS)
def test_generated_locks_of_conda_lock(tmp_path: Path, lock: CondaLock) -> None:
    path = tmp_path / "conda-lock.yml"
    path.write_text(render_conda_lock(lock), encoding="utf-8")
    assert read_conda_lock(path).meaning() == lock.meaning()


MANIFESTS = st.builds(
    EnvironmentFile,
    name=st.none() | TEXTS.filter(bool),
    channels=st.sampled_from([(), ("conda-forge",), ("https://e.org/t/x", "a/label/b")]),
    platforms=st.sampled_from([("linux-64",), ("osx-64", "win-64")]),
    dependencies=st.lists(
        st.builds(
            Dependency,
            st.builds(
                lambda name, version: f"{name}{version}",
                NAMES,
                st.sampled_from(["", " 1.2.*", " >=2,<3", " ==1.0 py312_0", " ~=3.1"]),
            ),
            st.just(0),
            st.sampled_from([None, "linux", "osx and arm64", "win64"]),
        ),
        max_size=4,
        unique_by=lambda each: each.text.split(" ")[0],
    ).map(tuple),
    variables=st.dictionaries(NAMES, TEXTS, max_size=3).map(lambda found: tuple(found.items())),
)


@settings(deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(MANIFESTS)
def test_generated_manifests_of_pixi(tmp_path: Path, file: EnvironmentFile) -> None:
    path = tmp_path / "pixi.toml"
    path.write_bytes(render_pixi_toml(file, ()).text.encode())
    assert ordered(read_pixi_toml(path)) == ordered(file)


def ordered(file: EnvironmentFile) -> EnvironmentFile:
    """Return a file with what is for one platform behind the rest, as tables have it."""
    found = file.meaning()
    return replace(
        found,
        dependencies=tuple(sorted(found.dependencies, key=lambda each: each.text)),
    )


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16"])
@pytest.mark.parametrize("end", ["\n", "\r\n"])
def test_encodings_and_line_ends(tmp_path: Path, encoding: str, end: str) -> None:
    text = end.join(["name: dén", "dependencies:", "- python=3.12", "- pip: [fur]", ""])
    path = tmp_path / "environment.yml"
    path.write_bytes(text.encode(encoding))
    file = read_environment_yml(path)
    assert (file.name, file.dependencies[0].text) == ("dén", "python=3.12")
    path = tmp_path / "requirements.txt"
    path.write_bytes(end.join(["fur==1  # é", "-r more.txt", ""]).encode(encoding))
    assert [line.value for line in read_requirements(path)] == ["fur==1", "more.txt"]
