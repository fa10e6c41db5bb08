"""Which conda package and which PyPI project are the same, with the published mapping or not."""

from __future__ import annotations

import json
import re
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kaa.sources.index import normalise
from kaa.sources.known_names import BARE, DIFFERENT, SAME_FILES, UNRELATED
from kaa.sources.project_names import ProjectNames, project_of_purls

if TYPE_CHECKING:
    from collections.abc import Mapping

DATA = Path(__file__).resolve().parents[3] / "shared" / "data"
MAPPING = DATA / "names" / "conda-forge-to-pypi.json"
REPODATA = DATA / "repodata" / "conda-forge-harvest"


@pytest.fixture(scope="module")
def mapping() -> dict[str, Any]:
    if not MAPPING.exists():
        pytest.skip("the published mapping is not here")
    content: dict[str, Any] = json.loads(MAPPING.read_text(encoding="utf-8"))
    return content


@pytest.fixture(scope="module")
def real(mapping: dict[str, Any]) -> ProjectNames:
    """All of conda-forge, with the mapping."""
    return ProjectNames(frozenset(mapping), mapping)


@pytest.fixture(scope="module")
def unmapped(mapping: dict[str, Any]) -> ProjectNames:
    """All of conda-forge, without the mapping."""
    return ProjectNames(frozenset(mapping))


@pytest.fixture(scope="module")
def latest() -> dict[str, list[str]]:
    """What the newest build of each package in the real repodata depends on."""
    zstandard = pytest.importorskip("zstandard")
    if not REPODATA.exists():
        pytest.skip("the real repodata is not here")
    found: dict[str, tuple[int, list[str]]] = {}
    for path in sorted(REPODATA.glob("*/repodata.json.zst")):
        with path.open("rb") as file:
            data = json.load(zstandard.ZstdDecompressor().stream_reader(file))
        for record in (*data["packages"].values(), *data["packages.conda"].values()):
            entry = (record.get("timestamp", 0), record["depends"])
            found[record["name"]] = max(found.get(record["name"], (0, [])), entry)
    return {name: depends for name, (_, depends) in found.items()}


# --- the two worlds' best known -------------------------------------------------------------

KNOWN = {
    "torch": "pytorch",
    "graphviz": "python-graphviz",
    "msgpack": "msgpack-python",
    "opencv-python": "py-opencv",
    "tables": "pytables",
    "docker": "docker-py",
    "ruamel-yaml": "ruamel.yaml",
    "typing-extensions": "typing_extensions",
    "matplotlib": "matplotlib-base",
    "numpy": "numpy",
    "dask": "dask",
    "tzdata": "python-tzdata",
    "uv": "python-uv",
    "ninja": "ninja-python",
    "backports-zoneinfo": "backports.zoneinfo",
    "pyqt5": "pyqt",
    "six": "six",
    "setuptools": "setuptools",
    "pip": "pip",
}


@pytest.mark.parametrize("names", ["real", "unmapped"])
@pytest.mark.parametrize("project", KNOWN)
def test_known_projects(project: str, names: str, request: pytest.FixtureRequest) -> None:
    found: ProjectNames = request.getfixturevalue(names)
    assert found.conda_name(project) == KNOWN[project]
    assert found.project(KNOWN[project]) == project


@pytest.mark.parametrize("names", ["real", "unmapped"])
@pytest.mark.parametrize("project", ["tk", "cmake", "snappy", "readline"])
def test_what_is_no_python_project_stands_in_for_none(
    project: str, names: str, request: pytest.FixtureRequest
) -> None:
    found: ProjectNames = request.getfixturevalue(names)
    assert found.conda_name(project) == f"pypi.{project}"
    assert found.project(f"pypi.{project}") == project
    assert found.project(project) is None
    assert found.asked(project) == project, "conda's own is asked for by its name"


def test_packages_of_packages_are_no_project(real: ProjectNames) -> None:
    assert real.project("typing-extensions") is None
    assert real.project("matplotlib") is None
    assert real.conda_name("typing-extensions") == "typing_extensions"


@pytest.mark.parametrize("name", ["python", "__glibc", "_libgcc_mutex", "libgdal", "openssl"])
def test_no_python_projects(real: ProjectNames, name: str) -> None:
    assert real.project(name) is None


def test_bundled_copies_do_not_count(real: ProjectNames, mapping: dict[str, Any]) -> None:
    # Old builds of bleach, docutils and psycopg have the metadata of others in them.
    assert "six" in mapping["bleach"]
    assert (real.conda_name("six"), real.project("bleach")) == ("six", "bleach")
    assert real.project("docutils") == "docutils"
    assert real.conda_name("unknown") == "unknown", "the name of what has none"


def test_the_channel_decides_between_carriers(mapping: dict[str, Any]) -> None:
    bare = ProjectNames({"python", "matplotlib"}, mapping)
    assert bare.conda_name("matplotlib") == "matplotlib"
    assert bare.project("matplotlib") == "matplotlib"
    dash = ProjectNames({"python", "opt-einsum"}, mapping)
    assert dash.conda_name("opt-einsum") == "opt-einsum"
    headless = ProjectNames({"python", "py-opencv"}, mapping)
    assert headless.conda_name("opencv-python-headless") == "py-opencv", "it carries both"


def test_a_name_that_only_other_channels_have_is_still_the_one(mapping: dict[str, Any]) -> None:
    # bioconda's packages depend on conda-forge's names.
    names = ProjectNames({"samtools", "pysam"}, mapping)
    assert names.conda_name("torch") == "pytorch"
    assert names.project("pytorch") == "torch"
    assert names.project("zlib") is None, "PyPI's zlib is not what samtools means"


def test_a_package_that_the_mapping_does_not_know(mapping: dict[str, Any]) -> None:
    names = ProjectNames({"our_tool", "numpy"}, mapping)
    assert names.conda_name("our-tool") == "our_tool"
    assert names.project("our_tool") == "our-tool"


def test_without_channels_everything_has_its_own_name(mapping: dict[str, Any]) -> None:
    names = ProjectNames(frozenset(), mapping)
    assert [names.conda_name(p) for p in ("torch", "tk", "typing-extensions")] == [
        "torch",
        "tk",
        "typing-extensions",
    ]
    assert names.project("torch") == "torch"
    assert names.asked("Typing_Extensions") == "typing-extensions"
    assert names.rivals("cmake") == ()


# --- what must not be side by side ------------------------------------------------------------


def test_rivals(real: ProjectNames) -> None:
    assert real.rivals("dask") == ("dask-core",)
    assert real.rivals("cmake") == ("cmake",)
    assert real.rivals("uv") == ("uv",)
    assert real.rivals("opencv-python") == ("libopencv",)
    assert real.rivals("opencv-contrib-python") == ("libopencv", "py-opencv")
    assert real.rival("cmake") == "cmake"


@pytest.mark.parametrize("project", ["tk", "readline", "matplotlib", "graphviz", "six", "pip"])
def test_no_rivals(real: ProjectNames, project: str) -> None:
    # conda's Python needs tk and readline; conda's python-graphviz itself needs graphviz.
    assert real.rivals(project) == ()
    assert real.rival(project) is None


def test_rivals_are_in_a_channel(mapping: dict[str, Any]) -> None:
    assert ProjectNames({"numpy"}, mapping).rivals("cmake") == ()


# --- what a user types --------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("typed", "expected"),
    [
        ("numpy", "numpy"),
        ("NumPy", "numpy"),
        ("torch", "pytorch"),
        ("pytorch", "pytorch"),
        ("PyYAML", "pyyaml"),
        ("scikit_learn", "scikit-learn"),
        ("ruamel-yaml", "ruamel.yaml"),
        ("typing.extensions", "typing_extensions"),
        ("typing-extensions", "typing-extensions"),
        ("opencv-python", "py-opencv"),
        ("graphviz", "graphviz"),
        ("matplotlib", "matplotlib"),
        ("_libgcc_mutex", "_libgcc_mutex"),
        ("Only_On.PyPI-there", "only-on-pypi-there"),
        ("__no_project", "__no_project"),
    ],
)
def test_asked(real: ProjectNames, typed: str, expected: str) -> None:
    assert real.asked(typed) == expected


# --- purls --------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("purls", "expected"),
    [
        ([], None),
        (["pkg:conda/numpy@1"], None),
        (["pkg:pypi/torch"], "torch"),
        (["pkg:github/a/b", "pkg:pypi/Ruamel.YAML@1.0?a=b#c"], "ruamel-yaml"),
        (["pkg:PyPI/my%2Dproject"], "my-project"),
        (["pkg:pypi/"], None),
        (["pkg:pypi/../etc", "pkg:pypi/%2e%2e"], None),
        (["nonsense", ""], None),
    ],
)
def test_purls(purls: list[str], expected: str | None) -> None:
    assert project_of_purls(purls) == expected


# --- the built-in tables say what the data say --------------------------------------------------


def test_the_tables_agree_with_the_mapping(mapping: dict[str, Any]) -> None:
    for project, name in (*DIFFERENT.items(), *BARE.items()):
        assert project in (mapping[name] or ()), name
        assert normalise(project) == project
    for name in UNRELATED:
        assert mapping[name] is None, name
    for project, names in SAME_FILES.items():
        assert all(project not in (mapping[name] or ()) or name == "libopencv" for name in names)


def test_what_is_bare_is_needed_by_the_package_of_the_projects_name(
    latest: dict[str, list[str]],
) -> None:
    for project, name in BARE.items():
        if project not in latest:
            continue
        needed = [spec for spec in latest[project] if spec.split()[0] == name]
        assert needed, f"{project} does not need {name}"
        assert re.search(r"\d", needed[0]), f"{needed[0]} may be any version"


def test_underscores_of_the_table_are_the_real_ones(latest: dict[str, list[str]]) -> None:
    checked = 0
    for project, name in DIFFERENT.items():
        if normalise(name) == project and project in latest and name in latest:
            checked += 1
            assert any(spec.split()[0] == name for spec in latest[project]), project
    assert checked >= 3


# --- all of the real mapping ----------------------------------------------------------------------


def test_all_of_conda_forge(real: ProjectNames, mapping: dict[str, Any]) -> None:
    projects = {project for carried in mapping.values() for project in carried or ()}
    names = {project: real.conda_name(project) for project in projects}
    assert len(projects) > 20_000
    for project, name in names.items():
        if not name.startswith("pypi."):
            assert name not in mapping or project in (mapping[name] or ()), project
        standing_in = real.project(name)
        assert standing_in is not None
        assert names.get(standing_in, name) == name
        assert name not in real.rivals(project)
    equal = [p for p in projects if p in (mapping.get(p) or ()) and names[p] == p]
    assert len(equal) > 0.9 * len(projects)
    # Where a name stands for a successor of the project, too, it is for the channel to provide.
    assert sum(real.project(name) != project for project, name in names.items()) < 25


def test_nulls_never_stand_in(real: ProjectNames, mapping: dict[str, Any]) -> None:
    nulls = [name for name, carried in mapping.items() if carried is None]
    assert len(nulls) > 10_000
    for name in nulls:
        assert real.project(name) is None
        assert real.conda_name(normalise(name).strip("-") or "x") != name


def test_it_costs_next_to_nothing(mapping: dict[str, Any]) -> None:
    channel = frozenset(mapping)
    best = [9.0, 9.0]
    for _ in range(3):
        start = time.perf_counter()
        names = ProjectNames(channel, mapping)
        made = time.perf_counter()
        names.conda_name("torch")
        names.conda_name("no-such-project")
        best = list(map(min, best, [made - start, time.perf_counter() - made]))
    assert best[0] < 0.001, "nothing is computed before it is asked for"
    assert best[1] < 0.25, "usually 15 ms"


# --- any mapping, however wrong -------------------------------------------------------------------

NAME = st.from_regex(r"[a-z]{1,2}([-_.][a-z]{1,2})?", fullmatch=True)
PROJECT = NAME.map(normalise)
WILD = st.one_of(
    st.none(),
    st.integers(),
    st.text(max_size=3),
    st.lists(st.one_of(st.none(), st.text())),
    st.dictionaries(st.text(max_size=1), st.none()),
    st.lists(PROJECT, max_size=3),
)
MAPPINGS = st.one_of(
    st.none(),
    st.dictionaries(NAME, st.one_of(st.none(), st.lists(PROJECT, min_size=1, max_size=3))),
)


@given(channel=st.frozensets(NAME, max_size=8), mapping=MAPPINGS, project=PROJECT)
def test_names_are_consistent(
    channel: frozenset[str], mapping: Mapping[str, Any] | None, project: str
) -> None:
    names = ProjectNames(channel, mapping)
    name = names.conda_name(project)
    assert names.conda_name(project) == name
    if not channel:
        assert name == project
    standing_in = names.project(name)
    # A project other than the one asked about only where a conda package carries both.
    if standing_in != project:
        assert {standing_in, project} <= set((mapping or {})[name])
    if mapping and name in channel and name in mapping:
        assert project in mapping[name]
    assert name not in names.rivals(project)
    assert set(names.rivals(project)) <= channel
    assert names.project(name) is not None


@given(channel=st.frozensets(NAME, min_size=1, max_size=8), mapping=MAPPINGS, typed=NAME)
def test_what_a_channel_has_is_what_is_asked_for(
    channel: frozenset[str], mapping: Mapping[str, Any] | None, typed: str
) -> None:
    names = ProjectNames(channel, mapping)
    alike = {name for name in channel if normalise(name) == normalise(typed)}
    asked = names.asked(typed.upper())
    if typed in channel:
        assert asked == typed
    elif alike:
        assert asked in alike
    else:
        assert asked == names.conda_name(normalise(typed))


@given(channel=st.frozensets(NAME, min_size=1, max_size=4), data=st.data())
def test_nonsense_from_the_network_is_no_name(channel: frozenset[str], data: st.DataObject) -> None:
    keys = st.one_of(NAME, st.text(max_size=4))
    mapping = data.draw(st.dictionaries(keys, WILD, max_size=6))
    project = data.draw(PROJECT)
    names = ProjectNames(channel, mapping)
    name = names.conda_name(project)
    assert re.fullmatch(r"[a-z0-9_][a-z0-9_.-]*", name)
    for key in (*mapping, *channel):
        found = names.project(key)
        assert found is None or re.fullmatch(r"[a-z0-9]+(-[a-z0-9]+)*", found)
    assert all(rival in channel for rival in names.rivals(project))
