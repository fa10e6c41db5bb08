"""Specs, versions and names as people say them."""

from __future__ import annotations

import time

import pytest
from packaging.specifiers import SpecifierSet
from rattler import VersionSpec

from kaa.solver.spelling import NEAR, near_names, well_known_projects
from kaa.solver.wording import python_words, specs_words, version_words, versions_words
from kaa.sources.versions import version_spec


@pytest.mark.parametrize(
    ("rest", "words"),
    [
        ("*", ""),
        ("", ""),
        (">=1.22,<2.0a0", ">=1.22,<2"),
        (">=3.10,<3.11.0a0", ">=3.10,<3.11"),
        (">=2.17,<3.0.a0", ">=2.17,<3"),
        ("==2.12.1 cuda112py310h622e808_0", "==2.12.1"),
        ("* *_cp312", "* *_cp312"),
        ('<1.22[when="python>=3.10"]', "<1.22 (where python>=3.10)"),
        (">=1[extras=[socks]]", ">=1"),
        ('[channel="https://channel.example/"]', ""),
    ],
)
def test_a_spec_of_the_tree(rest: str, words: str) -> None:
    assert version_words(rest) == words


@pytest.mark.parametrize("text", ["<2", ">1.0", "==1.5", ">=1,<2", "<=3", "!=1.5,>=1"])
def test_what_was_translated_for_the_solver_comes_back(text: str) -> None:
    said = str(VersionSpec(version_spec(SpecifierSet(text))))
    assert set(version_words(said).split(",")) == set(text.split(","))


def test_pythons_by_their_minor_version() -> None:
    assert python_words([">=3.9,<3.10", "3.12.*", ">=3.12.0rc3,<3.13"]) == "3.9 or 3.12"
    assert python_words([">=3.9,<3.12"]) == "3.9, 3.10 or 3.11"
    assert python_words([">=3.9"]) is None
    assert python_words(["==3.12.4"]) is None


@pytest.mark.parametrize(
    ("rests", "words"),
    [
        ([">=2"], "numpy >=2"),
        ([">=2", ">=2"], "numpy >=2"),
        (["<2", ">=3"], "numpy <2 or >=3"),
        (["<2", "<1.5"], "numpy <2"),
        ([">=1.26,<2.0a0", ">=1.23.5,<2.0a0", ">=1.21,<1.22"], "numpy >=1.21,<2"),
        (["1.26.*", "2.1.*", "==1.5"], "numpy >=1.5,<2.2"),
        (["<2", ">3", "1|2"], "numpy <2, >3 or 1 other"),
        (["<2", "*"], "numpy"),
    ],
)
def test_specs_of_which_one_has_to_hold(rests: list[str], words: str) -> None:
    assert specs_words("numpy", rests) == words


@pytest.mark.parametrize(
    ("lists", "words"),
    [
        (["1.9", "1.10"], "1.9 and 1.10"),
        (["2.10.0 | 2.11.0 | ... | 2.19.1", "2.9"], "2.9 to 2.19.1"),
        (["1.0"], "1.0"),
        ([""], ""),
        (["?!"], "?!"),
    ],
)
def test_versions_as_a_span(lists: list[str], words: str) -> None:
    assert versions_words(lists) == words


@pytest.mark.parametrize(
    ("typed", "meant"),
    [
        ("nunpy", "numpy"),
        ("pandsa", "pandas"),
        ("scikitlearn", "scikit-learn"),
        ("sklearn", "scikit-learn"),
        ("reqeusts", "requests"),
        ("beautifulsoup", "beautifulsoup4"),
        ("yaml", "pyyaml"),
        ("PIL", "pillow"),
        ("matplotlb", "matplotlib"),
    ],
)
def test_names_that_were_meant(typed: str, meant: str) -> None:
    assert near_names(typed, well_known_projects())[0] == meant


def test_names_like_nothing() -> None:
    for typed in ("qwertzuiop", "somecompany-internal-tool"):
        assert near_names(typed, well_known_projects()) == []


def test_near_names_of_many_are_soon_found() -> None:
    known = [
        f"{name}{end}" for name in sorted(well_known_projects()) for end in ("", "-x", "2", "s")
    ]
    assert len(known) > 30_000
    began = time.process_time()
    assert len(near_names("tensorlfow", known)) == NEAR
    assert time.process_time() - began < 0.1 * 5  # a slow machine is five times as slow
