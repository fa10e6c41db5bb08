"""Specifiers and versions in conda's words mean what PEP 440 means by them."""

from __future__ import annotations

import pytest
import rattler
from hypothesis import given, settings
from hypothesis import strategies as st
from packaging.specifiers import InvalidSpecifier, Specifier, SpecifierSet
from packaging.version import Version

from kaa.sources.versions import (
    NO_VERSION,
    conda_version,
    is_exact,
    is_pre_release,
    python_spec,
    readable_specs,
    version_spec,
)

NUMBERS = st.sampled_from([0, 0, 1, 2, 9, 10, 2024])
RELEASES = st.lists(NUMBERS, min_size=1, max_size=4).map(lambda parts: ".".join(map(str, parts)))
# A release of a fixed length: what the module says of its limits is about other lengths.
SAME = st.lists(NUMBERS, min_size=3, max_size=3).map(lambda parts: ".".join(map(str, parts)))
EPOCHS = st.sampled_from(["", "", "", "1!"])
PRE = st.sampled_from(["", "", "a0", "a1", "b2", "rc1", "rc10"])
POST = st.sampled_from(["", "", ".post0", ".post2"])
DEV = st.sampled_from(["", "", ".dev0", ".dev3"])
LOCAL = st.sampled_from(["", "", "+cpu", "+1", "+cu118.2", "+0"])


def joined(*parts: st.SearchStrategy[str]) -> st.SearchStrategy[str]:
    return st.tuples(*parts).map(lambda texts: str(Version("".join(texts))))


PLAIN = joined(EPOCHS, RELEASES)
FINALS = joined(EPOCHS, RELEASES, LOCAL)
ALL = joined(EPOCHS, SAME, PRE, POST, DEV, LOCAL)
PUBLIC = joined(EPOCHS, SAME, PRE, POST, DEV)


@st.composite
def specifiers(draw: st.DrawFn, versions: st.SearchStrategy[str], plain: bool) -> str:
    operator = draw(st.sampled_from(["==", "!=", "<=", ">=", "<", ">", "~=", "==*", "!=*"]))
    if operator.endswith("*"):
        return f"{operator[:2]}{draw(PLAIN if plain else joined(EPOCHS, SAME))}.*"
    version = Version(draw(versions))
    if operator == "~=" and len(version.release) < 2:
        operator = ">="
    if operator == "<" and version.is_postrelease and not version.is_prerelease:
        operator = "<="  # a limit that the module names
    return f"{operator}{version}"


def said_matches(specifier: str, version: str) -> bool:
    spec = rattler.VersionSpec(version_spec(SpecifierSet(specifier)))
    return spec.matches(rattler.Version(conda_version(version)))


@settings(max_examples=500, deadline=None)
@given(st.lists(specifiers(PLAIN, plain=True), max_size=3).map(",".join), FINALS)
def test_specifiers_agree_on_final_releases(text: str, version: str) -> None:
    specifier = SpecifierSet(text)
    if Version(version).local and any(s.operator == "!=" and "*" not in str(s) for s in specifier):
        return  # a limit that the module names
    assert said_matches(text, version) == specifier.contains(version, prereleases=True)


@settings(max_examples=500, deadline=None)
@given(specifiers(PUBLIC, plain=False), ALL)
def test_specifiers_agree_on_every_kind_of_version(text: str, version: str) -> None:
    specifier = Specifier(text)
    parsed = Version(version)
    if parsed.local and (specifier.operator == "!=" or parsed.is_prerelease):
        return  # limits that the module names
    assert said_matches(text, version) == specifier.contains(version, prereleases=True)


@settings(max_examples=800, deadline=None)
@given(PUBLIC, PUBLIC)
def test_the_order_is_that_of_pep_440(one: str, other: str) -> None:
    said, others = rattler.Version(conda_version(one)), rattler.Version(conda_version(other))
    assert (said < others, said == others) == (
        Version(one) < Version(other),
        Version(one) == Version(other),
    )


@settings(max_examples=300, deadline=None)
@given(PLAIN, PLAIN)
def test_the_order_of_final_releases_of_any_length(one: str, other: str) -> None:
    said, others = rattler.Version(conda_version(one)), rattler.Version(conda_version(other))
    assert (said < others, said == others) == (
        Version(one) < Version(other),
        Version(one) == Version(other),
    )


@settings(max_examples=300, deadline=None)
@given(PUBLIC)
def test_pre_releases_are_told(version: str) -> None:
    assert is_pre_release(version) == Version(version).is_prerelease


def test_a_local_part_makes_no_pre_release() -> None:
    assert not is_pre_release("1.0+a1.dev3")


@settings(max_examples=300, deadline=None)
@given(st.lists(specifiers(PUBLIC, plain=False), max_size=3).map(",".join))
def test_what_is_said_can_be_part_of_a_match_spec_and_read_again(text: str) -> None:
    said = version_spec(SpecifierSet(text))
    rattler.MatchSpec(f'x[version="{said}"]')
    shown = readable_specs(f"x {said}, for which")
    assert "+dev" not in shown
    assert ".post*" not in shown
    assert ".0.0.0.1dev" not in shown


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("==1.0", "==1.0"),
        ("<=3,>1.2", "<=3,>1.2"),
        (">=1.0.1,<2", "<2,>=1.0.1"),
        ("<2.0rc1", "<2.0rc1"),
        ("<2.0.dev1", "<2.0dev1"),
        ("~=1.4.2", ">=1.4.2,1.4.*"),
        ("!=1.5,==1.*", "!=1.5,1.*"),
    ],
)
def test_specs_in_messages_are_those_of_people(text: str, shown: str) -> None:
    said = version_spec(SpecifierSet(text))
    assert readable_specs(f"x {said}, which") == f"x {shown}, which"


@pytest.mark.parametrize("order", [("<2", "<2.0.0"), ("<2.0.0", "<2")])
def test_equal_specifiers_say_the_same_whichever_came_first(order: tuple[str, str]) -> None:
    assert SpecifierSet(order[0]) == SpecifierSet(order[1])
    assert {version_spec(SpecifierSet(text)) for text in order} == {"<2dev"}


def test_arbitrary_equality() -> None:
    assert said_matches("===1.0", "1.0")
    assert version_spec(SpecifierSet("===banana")) == NO_VERSION
    assert not said_matches("===banana", "1.0")


@pytest.mark.parametrize(
    ("text", "exact"),
    [("==1.2", True), ("===1.2", True), ("==1.2+cpu", True), ("==1.*", False), (">=1,<=1", False)],
)
def test_pins_are_told(text: str, exact: bool) -> None:
    assert is_exact(version_spec(SpecifierSet(text))) is exact


@pytest.mark.parametrize("text", ["garbage", ">=3.8 and more", "3.8", ">=3.8.banana", "==3.*.*"])
def test_a_python_requirement_that_cannot_be_read_allows_all(text: str) -> None:
    with pytest.raises(InvalidSpecifier):
        SpecifierSet(text)
    assert python_spec(text) == "*"


@pytest.mark.parametrize("text", [None, "", " ", "*"])
def test_no_python_requirement(text: str | None) -> None:
    assert python_spec(text) == "*"


@settings(max_examples=500, deadline=None)
@given(
    st.lists(
        st.tuples(
            st.sampled_from([">=", "<", "!=", "==", "~=", "<=", ">"]),
            st.sampled_from(["3.8", "3.9.1", "3.12", "3.12.0", "3.11.7", "4.0"]),
        ).map("".join),
        max_size=3,
    ).map(",".join),
    st.sampled_from(["3.8.18", "3.9.0", "3.9.1", "3.11.7", "3.12.0", "3.12.1", "3.13.0"]),
)
def test_requires_python_agrees(text: str, python: str) -> None:
    spec = rattler.VersionSpec(python_spec(text))
    assert spec.matches(rattler.Version(python)) == SpecifierSet(text).contains(python)
