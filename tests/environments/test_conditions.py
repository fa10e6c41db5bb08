"""Conditions of dependencies, against rattler where it has an opinion."""

from __future__ import annotations

import subprocess
import sys

import pytest
from hypothesis import given
from hypothesis import strategies as st
from rattler import Version, VersionSpec

from kaa.environments.conditions import holds

HERE = {"python": "3.13.1", "numpy": "2.1.0"}


@pytest.mark.parametrize(
    ("condition", "expected"),
    [
        ("python >=3.9", True),
        ("python <3.11a0", False),
        ("python >=3.8,<3.11a0|>=3.13", True),
        ("python 3.13.*", True),
        ("python 3.12.*", False),
        ("numpy", True),
        ("pandas", False),
        ("pandas or numpy", True),
        ("pandas and numpy", False),
        ("(pandas or numpy) and python >=3", True),
        ("pandas or (numpy and python <3)", False),
        ("numpy or pandas and pandas", True),
        ('python[version=">=3.13"]', True),
    ],
)
def test_a_condition_is_decided_by_what_is_installed(condition: str, expected: bool) -> None:
    assert holds(condition, HERE) is expected


def test_platforms_are_this_machines() -> None:
    assert holds("__win", HERE) is (sys.platform == "win32")
    assert holds("__unix", HERE) is (sys.platform != "win32")


@pytest.mark.parametrize(
    "condition", ["", "python >=3 and", "(python", "python >=x", ")", "__cuda"]
)
def test_what_cannot_be_told_is_taken_to_hold(condition: str) -> None:
    assert holds(condition, HERE)


releases = st.lists(st.integers(0, 15), min_size=1, max_size=4).map(
    lambda numbers: ".".join(map(str, numbers))
)
stages = st.sampled_from(
    ["", "", "", "a0", "a1", "b2", "b10", "rc1", "dev", "dev0", "dev3", "a", "c1"]
)
versions = st.tuples(releases, stages).map("".join)
terms = st.tuples(st.sampled_from([">=", "<=", ">", "<", "==", "!="]), versions).map("".join)
specs = st.lists(st.lists(terms, min_size=1, max_size=3).map(",".join), min_size=1, max_size=2).map(
    "|".join
)


@given(version=versions, spec=specs)
def test_versions_are_compared_as_rattler_does(version: str, spec: str) -> None:
    expected = VersionSpec(spec).matches(Version(version))
    assert holds(f"python {spec}", {"python": version}) is expected


def test_the_usual_conditions_need_no_rattler() -> None:
    code = (
        "import sys; from kaa.environments.conditions import holds\n"
        "assert holds('python >=3.8,<3.14a0', {'python': '3.13.0rc1'})\n"
        "assert 'rattler' not in sys.modules\n"
        "assert holds('python 3.13.*', {'python': '3.13.0'})\n"
        "assert 'rattler' in sys.modules\n"
    )
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
