"""A marker's condition on Python matches where the marker is true, for every Python."""

from __future__ import annotations

import pytest
import rattler
from hypothesis import given, settings
from hypothesis import strategies as st
from packaging.markers import Marker

from kaa.sources.markers import ALWAYS, python_condition

LINUX = {
    "implementation_name": "cpython",
    "platform_python_implementation": "CPython",
    "os_name": "posix",
    "platform_machine": "x86_64",
    "platform_release": "6.1",
    "platform_system": "Linux",
    "platform_version": "#1 SMP",
    "sys_platform": "linux",
}
WINDOWS = {
    **LINUX,
    "os_name": "nt",
    "platform_system": "Windows",
    "platform_release": "10",
    "platform_machine": "AMD64",
    "sys_platform": "win32",
}
PYTHONS = [
    f"{minor}.{patch}"
    for minor in ["2.7", *(f"3.{number}" for number in range(6, 16))]
    for patch in (0, 1, 2, 3, 9, 10, 11, 18)
]

MINOR = st.sampled_from(["2.7", "3", "3.6", "3.8", "3.9", "3.10", "3.11", "3.14", "4"])
FULL = st.sampled_from(["3.8.1", "3.9.0", "3.9.10", "3.10.2", "3.11.3", "3.12", "3.6.18", "4.0"])
COMPARISONS = st.sampled_from(["<", "<=", ">", ">=", "==", "!="])


def said(*parts: object) -> st.SearchStrategy[str]:
    strategies = [p if isinstance(p, st.SearchStrategy) else st.just(str(p)) for p in parts]
    return st.tuples(*strategies).map(" ".join)


def quoted(strategy: st.SearchStrategy[str]) -> st.SearchStrategy[str]:
    return strategy.map(lambda text: f"'{text}'")


SOME_MINORS = st.lists(MINOR, min_size=1, max_size=3).map(" ".join)
SOME_FULL = st.lists(FULL, min_size=1, max_size=3).map(", ".join)
EQUALITY = st.sampled_from(["==", "!="])
IN = st.sampled_from(["in", "not in"])
ATOMS = st.one_of(
    said("python_version", COMPARISONS, quoted(MINOR)),
    said(quoted(MINOR), COMPARISONS, "python_version"),
    said("python_version", EQUALITY, quoted(MINOR.map(lambda m: f"{m}.*"))),
    said("python_version ~=", quoted(st.sampled_from(["3.8", "2.7", "3.11"]))),
    said("python_version", IN, quoted(SOME_MINORS)),
    said("python_full_version", COMPARISONS, quoted(FULL)),
    said("implementation_version", COMPARISONS, quoted(FULL)),
    said("python_full_version", IN, quoted(SOME_FULL)),
    said("python_full_version ~=", quoted(st.sampled_from(["3.8.2", "3.10.0"]))),
    said("sys_platform", EQUALITY, quoted(st.sampled_from(["linux", "win32"]))),
    said("os_name ==", quoted(st.sampled_from(["nt", "posix"]))),
    said("'linux'", IN, "sys_platform"),
    said("extra", EQUALITY, quoted(st.sampled_from(["test", "Doc_s", "a.b"]))),
)
MARKERS = st.recursive(
    ATOMS,
    lambda inner: st.one_of(
        said("(", inner, st.sampled_from(["and", "or"]), inner, ")"),
        said(inner, st.sampled_from(["and", "or"]), inner),
    ),
    max_leaves=4,
)


def true_for(marker: Marker, platform: dict[str, str], python: str, extra: str) -> bool:
    minor = ".".join(python.split(".")[:2])
    return marker.evaluate(
        {
            **platform,
            "python_version": minor,
            "python_full_version": python,
            "implementation_version": python,
            "extra": extra,
        }
    )


@settings(max_examples=400, deadline=None)
@given(MARKERS, st.sampled_from([LINUX, WINDOWS]), st.sampled_from(["", "test", "doc-s"]))
def test_the_condition_is_true_where_the_marker_is(
    text: str, platform: dict[str, str], extra: str
) -> None:
    marker = Marker(text)
    condition = python_condition(marker, platform, extra)
    spec = None if condition is None else rattler.VersionSpec(condition)
    matched = [p for p in PYTHONS if spec is not None and spec.matches(rattler.Version(p))]
    assert matched == [p for p in PYTHONS if true_for(marker, platform, p, extra)]


@pytest.mark.parametrize(
    ("text", "condition"),
    [
        ("python_version >= '3.8'", ">=3.8"),
        ("python_version < '3.11'", "<3.11a0"),
        ("python_version < '2'", None),
        ("python_version >= '2'", ALWAYS),
        ("python_version in '3.8 3.9'", ">=3.8,<3.10a0"),
        ("python_version == '3.8' or python_version == '3.10'", ">=3.8,<3.9a0|>=3.10,<3.11a0"),
        ("sys_platform == 'linux'", ALWAYS),
        ("sys_platform == 'darwin'", None),
        ("sys_platform == 'darwin' and python_version >= '3.8'", None),
        ("sys_platform == 'linux' or python_version >= '3.8'", ALWAYS),
        ("python_full_version != '3.9.1'", "<3.9.1a0|>=3.9.2"),
        ("extra == 'test'", None),
    ],
)
def test_conditions(text: str, condition: str | None) -> None:
    assert python_condition(Marker(text), LINUX) == condition


def test_a_condition_can_be_part_of_a_match_spec() -> None:
    condition = python_condition(Marker("python_version not in '3.9, 3.11'"), LINUX)
    spec = rattler.MatchSpec(f'x[when="python {condition}"]')
    assert "3.12" in str(spec) or "3.10" in str(spec)
