"""What a person is told when a request has no answer: few lines, all of them true."""

from __future__ import annotations

import json
from datetime import datetime, timezone
from typing import TYPE_CHECKING, Any

import pytest

from kaa.model.errors import (
    ConflictError,
    NoMatchingVersionError,
    NoWheelError,
    SolveError,
    UnknownPackageError,
)
from kaa.model.source import Priority
from kaa.solver.specs import parse_spec
from solver.world import World

if TYPE_CHECKING:
    from pathlib import Path

    from kaa.model.explanation import Explanation


@pytest.fixture
def world(tmp_path: Path) -> World:
    world = World(tmp_path / "channels")
    for version in ("1.20", "1.26", "2.0", "2.1"):
        world.add("numpy", version, "python >=3.10")
    world.add("frame", "1.0", "numpy <2", "python >=3.10")
    world.add("frame", "1.1", "numpy >=1.20,<2.0a0", "python >=3.10")
    world.add("elder", "1.0", "python >=3.10,<3.11.0a0")
    world.add("elder", "2.0", "python >=3.11,<3.12.0a0")
    world.add("plot", "1.0", "frame")
    world.add("gpu", "1.0", "__cuda >=12.4")
    world.add("newest", "1.0", "__glibc >=2.40,<3.0.a0")
    world.add("lost", "1.0", "nowhere-to-be-found >=2")
    world.add("requests", "2.0", "python >=3.10")
    world.universe.add("requests", "3.0")
    return world


def refused(world: World, *specs: str, **fields: Any) -> SolveError:
    with pytest.raises(SolveError) as caught:
        world.answer(*specs, **fields)
    error = caught.value
    assert error.hint
    assert 1 + len(f"{error.cause}\n{error.hint}".splitlines()) <= 15
    return error


def explained(world: World, *specs: str, **fields: Any) -> Explanation:
    explanation = refused(world, *specs, **fields).explanation
    assert explanation is not None
    assert explanation.minimal
    return explanation


def texts(explanation: Explanation) -> list[str]:
    return [constraint.text for constraint in explanation.conflict]


def fixes(explanation: Explanation) -> list[str]:
    return [str(fix) for fix in explanation.fixes]


def test_only_what_clashes_is_named_and_both_sides_can_be_changed(world: World) -> None:
    explanation = explained(world, "requests", "frame", "python=3.12", "numpy=2", "elder>=1")
    assert set(texts(explanation)) in ({"frame", "numpy=2"}, {"python=3.12", "elder>=1"})
    explanation = explained(world, "requests", "frame", "python=3.12", "numpy=2")
    assert texts(explanation) == ["frame", "numpy=2"]
    assert explanation.reasons == ("frame 1.0 and 1.1 need numpy <2, not `numpy=2`",)
    assert fixes(explanation) == ["`numpy` instead of `numpy=2` (gives numpy 1.26)"]


def test_a_chain_is_told_from_the_top_down(world: World) -> None:
    explanation = explained(world, "plot", "numpy=2")
    assert explanation.reasons == (
        "plot 1.0 needs frame",
        "frame 1.0 and 1.1 need numpy <2, not `numpy=2`",
    )


def test_python_is_told_by_its_minor_versions(world: World) -> None:
    explanation = explained(world, "elder", "python=3.12")
    assert explanation.reasons == ("elder 1.0 and 2.0 need python 3.10 or 3.11, not `python=3.12`",)
    assert fixes(explanation) == ["`python` instead of `python=3.12` (gives python 3.11.4)"]


def test_several_changes_at_once_where_one_is_not_enough(world: World) -> None:
    error = refused(world, "frame", "numpy=2", "elder", "python=3.12")
    explanation = error.explanation
    assert explanation is not None
    (fix,) = explanation.fixes
    assert {change.before for change in fix.changes} == {"numpy=2", "python=3.12"}
    assert "these changes were tried and solve it" in str(error.hint)
    assert any(line.startswith("besides, ") for line in explanation.reasons)


def test_what_the_machine_lacks_and_what_to_type(world: World) -> None:
    explanation = explained(world, "gpu", "numpy")
    assert explanation.reasons == ("gpu 1.0 needs __cuda >=12.4 (the machine has none)",)
    assert [need.as_dict() for need in explanation.missing_virtual] == [
        {"need": "__cuda >=12.4", "there": None, "override": "--override __cuda=12.4"}
    ]
    assert fixes(explanation) == ["add `--override __cuda=12.4`"]
    explanation = explained(world, "newest")
    assert explanation.reasons == ("newest 1.0 needs __glibc >=2.40,<3 (the machine has 2.36)",)
    assert fixes(explanation) == ["add `--override __glibc=2.40`"]


def test_a_version_that_only_another_source_has(world: World) -> None:
    error = refused(world, "requests>=3", "numpy")
    assert isinstance(error, NoMatchingVersionError)
    assert error.message == "no version of 'requests' in conda-forge satisfies `requests>=3`"
    assert error.explanation is not None
    assert fixes(error.explanation) == [
        "`requests` instead of `requests>=3` (gives requests 2.0)",
        "`pypi::requests>=3` instead of `requests>=3` (gives requests 3.0)",
    ]


def test_a_dependency_that_only_another_source_has_under_another_name(world: World) -> None:
    world.mapping = {"pytorch": ["torch"], "numpy": ["numpy"]}
    world.add("pytorch", "1.0", "python >=3.10")
    world.universe.add("torch", "2.0")
    world.universe.add("learner", "1.0", "torch>=2")
    explanation = explained(world, "learner")
    assert explanation.reasons == ("learner 1.0 needs pytorch >=2 (there is 1.0 in conda-forge)",)
    assert fixes(explanation) == ["add `pypi::torch` (gives pytorch 2.0)"]


def test_a_private_package_is_never_looked_for_on_an_index(world: World) -> None:
    world.add("ourcompany-secrets", "1.0")
    world.universe.add("ourcompany-secrets", "9.9")  # somebody registered it
    explanation = explained(world, "ourcompany-secrets>=2", "numpy")
    assert "ourcompany-secrets" not in world.asked
    assert all("pypi::" not in fix for fix in fixes(explanation))


def test_a_dependency_that_nobody_has(world: World) -> None:
    explanation = explained(world, "lost", "numpy")
    assert explanation.reasons == ("lost 1.0 needs nowhere-to-be-found >=2, which no channel has",)
    assert [missing.name for missing in explanation.missing] == ["nowhere-to-be-found"]
    assert fixes(explanation) == ["leave out `lost`"]


def test_a_package_alone_is_not_left_out(world: World) -> None:
    error = refused(world, "lost")
    assert error.explanation is not None
    assert error.explanation.fixes == ()
    assert error.message == "`lost` cannot be installed"


def test_names_that_nobody_has(world: World) -> None:
    world.universe.add("flask", "1.0")
    error = refused(world, "nunpy", "flaks")
    assert isinstance(error, UnknownPackageError)
    assert "'nunpy' and 'flaks'" in error.message
    assert "nunpy: did you mean `numpy`?" in str(error.hint)
    assert "flaks: did you mean `flask`?" in str(error.hint)


def test_the_other_ecosystem_has_it(world: World) -> None:
    world.mapping = {"gdal": ["gdal"]}
    world.universe.add("flask", "1.0")
    only_conda = refused(world, "flask", sources=("conda-forge",))
    assert "PyPI has it: add `-c pypi` and ask for `pypi::flask`" in str(only_conda.hint)
    assert world.asked == []  # PyPI is not among the sources
    only_pypi = refused(world, "gdal", sources=("pypi",))
    assert "conda-forge has it: add `-c conda-forge`" in str(only_pypi.hint)
    elsewhere = refused(world, "conda-forge::flask")
    assert "pypi has it: `pypi::flask`" in str(elsewhere.hint)
    assert "conda-forge has it: `conda-forge::frame`" in str(refused(world, "pypi::frame").hint)


def test_pins_and_their_file(world: World) -> None:
    pin = parse_spec("numpy<1.25", "pinned in ~/.condarc")
    error = refused(world, "numpy>=2", "requests", pins=(pin,))
    assert error.explanation is not None
    assert [one.as_dict() for one in error.explanation.conflict] == [
        {"text": "numpy>=2", "origin": "you asked"},
        {"text": "numpy<1.25", "origin": "pinned in ~/.condarc"},
    ]
    assert "pinned in ~/.condarc: `numpy<1.25`" in str(error.cause)
    assert fixes(error.explanation) == [
        "`numpy` instead of `numpy>=2` (gives numpy 1.20)",
        "leave out `numpy<1.25` (pinned in ~/.condarc) (gives numpy 2.1)",
    ]


def test_what_is_installed_and_frozen(world: World) -> None:
    installed = world.solve(world.request("numpy=1.26", "python=3.11")).records
    explanation = explained(world, "numpy=2", installed=installed, frozen=True)
    assert "--freeze-installed" in texts(explanation)
    assert "numpy 1.26 is installed and may not change" in explanation.reasons
    assert "leave out `--freeze-installed`" in fixes(explanation)


def test_what_came_too_late(world: World) -> None:
    moment = datetime(2020, 1, 1, tzinfo=timezone.utc)
    explanation = explained(world, "gpu", exclude_newer=moment)
    assert explanation.reasons == (
        "gpu 1.0 does not say when it came, so it does not count (--exclude-newer)",
    )


def test_versions_that_need_another_python_say_so(world: World) -> None:
    world.universe.add("future", "1", requires_python=">=3.13")
    world.universe.add("future", "2", requires_python=">=3.14")
    error = refused(world, "future", "python=3.12", sources=("pypi", "conda-forge"))
    assert "requires Python >=3.13" in str(error.cause)
    error = refused(world, "future")
    assert isinstance(error, NoWheelError)
    assert "2: it requires Python >=3.14" in str(error.cause)


def test_the_whole_of_it_in_json(world: World) -> None:
    error = refused(world, "frame", "numpy=2")
    told = json.loads(json.dumps(error.as_dict()))
    assert told["error"] == "ConflictError"
    explanation = told["explanation"]
    assert explanation["minimal"] is True
    assert explanation["conflict"][0] == {"text": "frame", "origin": "you asked"}
    assert explanation["fixes"] == [
        {
            "changes": [{"before": "numpy=2", "after": "numpy", "origin": None}],
            "result": "numpy 1.26",
        }
    ]
    assert "would require" in explanation["tree"]
    assert error.details == explanation["tree"]


def test_long_stories_are_shortened(world: World) -> None:
    for number in range(30):
        world.add(f"step{number}", "1.0", f"step{number + 1}")
    world.add("step30", "1.0", "numpy <1.20")
    error = refused(world, "step0", "numpy=2")
    assert isinstance(error, ConflictError)
    assert error.explanation is not None
    assert len(error.explanation.reasons) == 31
    assert "lines more (-v shows all)" in str(error.cause)
    assert str(error.details).count("would require") == 31
    assert len(error.explanation.lines()) == 15


def test_what_all_builds_need_is_told_of_all_of_them(world: World) -> None:
    for minor in ("3.10", "3.11"):
        build = f"py{minor.replace('.', '')}_0"
        world.add("compiled", "1.0", f"python_abi {minor}.*", build=build)
    world.add("mixed", "1.0", "__cuda", build="cuda_0")
    world.add("mixed", "1.0", "numpy <2", build="cpu_0")
    explanation = explained(world, "mixed", "numpy=2")
    assert "some builds of mixed 1.0 need __cuda (the machine has none)" in explanation.reasons
    assert "some builds of mixed 1.0 need numpy <2, not `numpy=2`" in explanation.reasons
    explanation = explained(world, "mixed=1.0=cuda*")
    assert explanation.reasons == ("mixed 1.0 needs __cuda (the machine has none)",)


def test_every_python_that_there_are_builds_for_is_named(world: World) -> None:
    for minor, after in (("3.10", "3.11"), ("3.11", "3.12")):
        build = f"py{minor.replace('.', '')}_0"
        for version in ("1.0", "1.1", "1.2"):
            world.add("compiled", version, f"python >={minor},<{after}.0a0", build=build)
    world.universe.add("reader", "1.0", "compiled>=1.0")
    explanation = explained(world, "reader", "python=3.12")
    assert explanation.reasons == (
        "reader 1.0 needs compiled >=1.0",
        "compiled 1.0 to 1.2 need python 3.10 or 3.11, not `python=3.12`",
    )


def test_a_source_that_was_named_has_what_another_one_has_too(world: World) -> None:
    world.add("reader", "1.0")
    world.universe.add("reader", "1.0", "numpy>=3")
    explanation = explained(world, "pypi::reader==1.0")
    assert explanation.reasons == (
        "reader 1.0 needs numpy >=3 (there is 1.20 to 2.1 in conda-forge)",
    )


def test_a_source_that_was_named_and_has_it_not(world: World) -> None:
    world.channel("other").add_record("gadget", "1.0", depends=[])
    world.add("gadget", "2.0")
    sources = ("conda-forge", "other", "pypi")
    explanation = explained(world, "other::gadget=2.0", sources=sources)
    assert explanation.reasons == ("other has no `other::gadget=2.0` (there is 1.0 in other)",)


def test_two_channels_with_the_same_builds(world: World) -> None:
    other = world.channel("other")
    for version in ("1.0", "1.1"):
        world.add("twice", version, "numpy <2")
        other.add_record("twice", version, depends=["numpy <2"])
    sources = ("conda-forge", "other", "pypi")
    explanation = explained(world, "twice", "numpy=2", sources=sources)
    assert explanation.reasons == ("twice 1.0 and 1.1 need numpy <2, not `numpy=2`",)
    other.add_record("twice", "1.2", depends=[])
    explanation = explained(world, "twice", "numpy=2", sources=sources)
    hidden = "twice 1.2 is in other, but there is 1.0 to 1.1 in conda-forge, which comes first"
    assert explanation.reasons[1:] == (f"{hidden} (channel priority is strict)",)


def test_a_version_that_is_not_there_is_enough_of_a_reason(world: World) -> None:
    specs = ("python=3.8.1", "numpy=9", "frame", "elder", "pypi::requests", "plot")
    world.add_python("3.8.1")
    error = refused(world, *specs)
    assert isinstance(error, NoMatchingVersionError)
    assert error.explanation is not None
    assert texts(error.explanation) == ["numpy=9"]
    error = refused(world, "frame", "pypi::requests==9", "plot")
    assert error.explanation is not None
    assert texts(error.explanation) == ["pypi::requests==9"]


def test_nothing_is_left_out_that_is_all_there_is(world: World) -> None:
    assert explained(world, "lost", "python").fixes == ()
    installed = world.solve(world.request("numpy=1.26", "python=3.11")).records
    assert explained(world, "lost", "numpy", installed=installed).fixes == ()


def test_two_specs_of_what_cannot_be_had_are_both_left_out(world: World) -> None:
    specs = ["lost", "lost>=1", "frame", "numpy=2"]
    explanation = refused(world, *specs).explanation
    assert explanation is not None
    for fix in explanation.fixes:
        for change in fix.changes:
            assert change.before is not None
            place = specs.index(change.before)
            specs[place : place + 1] = [change.after] if change.after else []
    assert "lost" not in " ".join(specs)
    assert world.answer(*specs)


def test_what_may_not_be_built(world: World) -> None:
    world.universe.add_sdist("old", "1.0")
    world.universe.add("user-of-old", "1.0", "old")
    error = refused(world, "old")
    assert isinstance(error, NoWheelError)
    assert "leave out `--no-build`" in str(error.hint)
    error = refused(world, "user-of-old", "numpy")
    assert "not tried, because of `old`: leave out `--no-build`" in str(error.hint)


def test_names_of_the_channels_come_before_those_of_an_index(world: World) -> None:
    world.add("pytorch", "2.0")
    for project in ("gpytorch", "torch-gpu", "pytorch-wpe"):
        world.universe.add(project, "1.0")
    error = refused(world, "pytorch-gpu")
    assert error.hint == "did you mean `pytorch`?"


def test_flexible_priority_is_explained_without_its_detours(world: World) -> None:
    other = world.channel("other")
    other.add_record("numpy", "3.0", depends=["nowhere"])
    other.add_record("frame", "2.0", depends=["numpy <2"])
    sources = ("conda-forge", "other", "pypi")
    explanation = explained(world, "frame", "numpy=2", sources=sources, priority=Priority.FLEXIBLE)
    assert texts(explanation) == ["frame", "numpy=2"]
    assert explanation.reasons == ("frame 1.0 to 2.0 need numpy <2, not `numpy=2`",)
    assert fixes(explanation) == ["`numpy` instead of `numpy=2` (gives numpy 1.26)"]
