"""What a command line makes of what was asked for before."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from rattler import BuildString, PackageRecord, RepoDataRecord

from kaa.environments.graph import read_graph
from kaa.model.errors import InvalidSpecError, PackageNotInstalledError, RequestError
from kaa.model.options import Dependencies, SolveOptions
from kaa.solver.specs import parse_spec
from kaa.sources.direct import parse_direct
from kaa.workflows.goal import check_update, install_goal, is_bare, merged, update_goal
from kaa.workflows.references import lasting_text, read_lasting
from prefix_records import write_record

if TYPE_CHECKING:
    from pathlib import Path


def record(name: str, version: str = "1.0") -> RepoDataRecord:
    package = PackageRecord(name, version, BuildString("0"), 0, "noarch")
    url = f"https://example.org/forge/noarch/{name}-{version}-0.conda"
    return RepoDataRecord(package, f"{name}-{version}-0.conda", url, "https://example.org/forge/")


INSTALLED = (record("bear"), record("fur", "2.1"), record("python", "3.12.4"))


def texts(specs: object) -> list[str]:
    assert isinstance(specs, tuple)
    return [spec.text for spec in specs]


@pytest.mark.parametrize("text", ["numpy", " numpy ", "Num_py"])
def test_a_name_alone(text: str) -> None:
    assert is_bare(parse_spec(text))


@pytest.mark.parametrize(
    "text", ["numpy>=2", "numpy=2.1", "numpy[extra]", "pypi::numpy", "numpy * *_0", "numpy==2"]
)
def test_more_than_a_name(text: str) -> None:
    assert not is_bare(parse_spec(text))


def test_a_new_spec_takes_the_place_of_the_old_one() -> None:
    held = [parse_spec(text) for text in ("python=3.12", "My_Bear>=1", "fur")]
    new = [parse_spec(text) for text in ("my-bear<2", "fur", "wolf", "python")]
    assert texts(merged(held, new)) == ["python=3.12", "my-bear<2", "fur", "wolf"]
    assert texts(merged(held, [parse_spec("pypi::my.bear")])) == [
        "python=3.12",
        "pypi::my.bear",
        "fur",
    ]


def test_installing_keeps_everything_and_python_s_minor_version() -> None:
    goal = install_goal(["bear"], INSTALLED, ["wolf>=1", "bear"])
    assert texts(goal.specs) == ["bear", "wolf>=1"]
    assert (texts(goal.new), goal.installed) == (["wolf>=1", "bear"], INSTALLED)
    assert goal.python is not None and goal.python.text == "python=3.12"
    assert install_goal(["bear"], INSTALLED, ["python>=3.12"]).python is None
    assert install_goal(["bear"], INSTALLED[:2], ["wolf"]).python is None, "there is none"
    with pytest.raises(InvalidSpecError):
        install_goal([], (), ["numpy>>2"])


def test_updating_frees_what_is_named(tmp_path: Path) -> None:
    for name, version in (("bear", "1.0"), ("fur", "2.1"), ("python", "3.12.4")):
        write_record(tmp_path, name, version)
    graph = read_graph(tmp_path)
    goal = update_goal(["bear"], INSTALLED, ["Fur"], graph)
    assert [r.name.normalized for r in goal.installed] == ["bear", "python"]
    assert [r.name.normalized for r in goal.renewed] == ["fur"]
    assert texts(goal.specs) == ["bear"], "a name alone is not asked for from then on"

    bounded = update_goal(["bear"], INSTALLED, ["fur<3", "bear"], graph)
    assert (texts(bounded.specs), bounded.renewed) == (["bear", "fur<3"], ())
    assert update_goal(["bear"], INSTALLED, ["python"], graph).python is None

    everything = update_goal(["bear"], INSTALLED, [], graph)
    assert (everything.installed, everything.everything) == ((), True)
    assert everything.python is not None

    with pytest.raises(PackageNotInstalledError, match="'furr'") as caught:
        update_goal(["bear"], INSTALLED, ["furr>=1"], graph)
    assert "`fur`" in (caught.value.hint or "") and "furr>=1" in (caught.value.hint or "")
    with pytest.raises(RequestError, match="no installed package"):
        update_goal(["bear"], INSTALLED, [str(tmp_path)], graph)


def test_an_update_says_what_of() -> None:
    nothing, frozen = SolveOptions(), SolveOptions(frozen=True)
    check_update(["fur"], False, frozen)
    check_update(["fur"], False, SolveOptions(deps=Dependencies.NONE))
    check_update([], True, nothing)
    for texts, everything, options in (
        ([], False, nothing),
        (["fur"], True, nothing),
        ([], True, frozen),
        ([], True, SolveOptions(deps=Dependencies.NONE)),
        ([], True, SolveOptions(deps=Dependencies.ONLY)),
        (["fur"], False, SolveOptions(editable=(".",))),
    ):
        with pytest.raises(RequestError) as caught:
            check_update(texts, everything, options)
        assert caught.value.hint


@pytest.mark.parametrize(
    "typed",
    [
        "git+https://example.org/otter.git",
        "git+https://example.org/otter.git@v1.0#subdirectory=python/otter",
        "git+ssh://git@example.org/otter.git@feature/x",
        "otter[fast] @ https://example.org/otter-1.0-py3-none-any.whl#sha256=" + "a" * 64,
        "https://example.org/otter-1.0.tar.gz",
        "./otter",
        "-e ./otter[fast,small]",
    ],
)
def test_references_are_remembered_whole(
    typed: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "otter").mkdir()
    monkeypatch.chdir(tmp_path)
    reference = parse_direct(typed)
    assert reference is not None
    text = lasting_text(reference, "otter")
    monkeypatch.chdir("/")
    again = parse_direct(text)
    assert again is not None
    assert (again.url, again.kind, again.editable) == (
        reference.url,
        reference.kind,
        reference.editable,
    )
    assert (again.ref, again.subdirectory, again.hashes) == (
        reference.ref,
        reference.subdirectory,
        reference.hashes,
    )
    assert (again.name, again.extras) == ("otter", reference.extras)
    assert read_lasting(text) == ("otter", reference.extras)


@pytest.mark.parametrize("text", ["numpy", "numpy>=2", "name@1.0", "conda-forge::numpy", "./x"])
def test_what_is_no_reference(text: str) -> None:
    assert read_lasting(text) is None


def test_a_reference_stays_what_is_installed() -> None:
    held = ["otter[fast] @ file:///gone/otter", "bear"]
    otter = record("otter", "1.5")
    goal = install_goal(held, (*INSTALLED, otter), ["wolf"])
    assert (texts(goal.specs), goal.references) == ([*held, "wolf"], ())
    kept = goal.specs[0]
    assert (kept.name, kept.version, kept.extras, kept.source) == (
        "otter",
        "==1.5",
        ("fast",),
        "pypi",
    )


def test_a_reference_that_is_not_installed_is_looked_at_again(tmp_path: Path) -> None:
    goal = install_goal([f"otter @ {tmp_path.as_uri()}"], INSTALLED, ["wolf"])
    assert [reference.path for reference in goal.references] == [tmp_path]
    with pytest.raises(InvalidSpecError, match="nothing at"):
        install_goal(["otter @ file:///surely/gone"], INSTALLED, ["wolf"])
