"""Platform selectors of conda-build, conda-lock and micromamba."""

from __future__ import annotations

import pytest

from kaa.formats.selectors import comment_selector, selector_words, selects, unknown_selector


@pytest.mark.parametrize(
    ("comment", "selector"),
    [
        ("# [win]", "win"),
        ("#[linux64]", "linux64"),
        ("# for old machines [ linux and not aarch64 ]", "linux and not aarch64"),
        ("# [unix]  trailing words", "unix"),
        ("# see [1]", None),
        ("# [py36]", None),
        ("# [the old one]", None),
        ("# [linux](a link)", None),
        ("# win", None),
        ("", None),
        ("# [not win or (osx and arm64)]", "not win or (osx and arm64)"),
        ("# [win == 1]", None),
        ("# [__import__('os')]", None),
    ],
)
def test_selectors_in_comments(comment: str, selector: str | None) -> None:
    assert comment_selector(comment) == selector


@pytest.mark.parametrize(
    ("comment", "unknown"),
    [("# [py36]", "py36"), ("# [cuda and linux]", "cuda and linux"), ("# see [1]", None)],
)
def test_what_looks_like_a_selector(comment: str, unknown: str | None) -> None:
    assert unknown_selector(comment) == unknown


# The table of conda-lock's documentation of selectors
@pytest.mark.parametrize(
    ("subdir", "words"),
    [
        ("linux-64", {"linux64", "unix", "linux"}),
        ("linux-aarch64", {"aarch64", "unix", "linux"}),
        ("linux-ppc64le", {"ppc64le", "unix", "linux"}),
        ("osx-64", {"osx", "osx64", "unix"}),
        ("osx-arm64", {"arm64", "osx", "unix"}),
        ("win-64", {"win", "win64"}),
    ],
)
def test_words_of_a_platform(subdir: str, words: set[str]) -> None:
    assert selector_words(subdir) - {"x86", "x86_64"} == words


@pytest.mark.parametrize(
    ("selector", "on"),
    [
        ("unix", {"linux-64", "osx-arm64"}),
        ("not unix", {"win-64"}),
        ("win or osx", {"win-64", "osx-arm64"}),
        ("x86_64 and not win", {"linux-64"}),
        ("not (linux or win)", {"osx-arm64"}),
    ],
)
def test_expressions(selector: str, on: set[str]) -> None:
    assert {each for each in ("linux-64", "osx-arm64", "win-64") if selects(selector, each)} == on
