"""What changes between two sets of records, and why it is said to."""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING, Any

from rattler import BuildString, PackageRecord, RepoDataRecord

from kaa.model.plan import Move
from kaa.workflows.difference import difference, same
from kaa.workflows.reasons import Intent, direct_needs, read_needs, tops, why_added, why_held

if TYPE_CHECKING:
    from collections.abc import Sequence

FORGE = "https://example.org/forge/"


def record(
    name: str,
    version: str = "1.0",
    depends: Sequence[str] = (),
    *,
    build: str = "0",
    channel: str = FORGE,
    content: str = "",
    **fields: Any,
) -> RepoDataRecord:
    digest = hashlib.sha256(f"{name}{version}{build}{channel}{content}".encode()).digest()
    package = PackageRecord(
        name,
        version,
        BuildString(build),
        0,
        "noarch",
        depends=list(depends),
        sha256=digest,
        size=10,
        **fields,
    )
    file = f"{name}-{version}-{build}.conda"
    return RepoDataRecord(package, file, f"{channel}noarch/{file}", channel)


def changes(
    before: Sequence[RepoDataRecord], after: Sequence[RepoDataRecord], intent: Intent
) -> dict[str, tuple[Move, str | None]]:
    found = difference(before, after, intent, lambda record: record.size or 0)
    return {change.after.name: (change.move, change.why) for change in found.changes}


def test_every_kind_of_difference() -> None:
    before = [
        record("same"),
        record("up", "1.9"),
        record("down", "2.0"),
        record("build"),
        record("source"),
        record("gone"),
        record("again", content="published once more"),
    ]
    after = [
        record("same"),
        record("up", "1.10"),
        record("down", "1.0"),
        record("build", build="1"),
        record("source", channel="kaa://pypi/"),
        record("new"),
        record("again"),
    ]
    found = difference(before, after, Intent({}, everything=True), lambda _: 7)
    assert {change.after.name: change.move for change in found.changes} == {
        "up": Move.UPGRADE,
        "down": Move.DOWNGRADE,
        "build": Move.REBUILD,
        "source": Move.SOURCE,
        "again": Move.REBUILD,
    }
    assert [addition.package.name for addition in found.additions] == ["new"]
    assert [removal.package.name for removal in found.removals] == ["gone"]
    assert (found.unchanged, found.additions[0].download) == (1, 7)


def test_versions_are_compared_as_conda_does() -> None:
    pairs = [("1.9", "1.10"), ("1.0rc1", "1.0"), ("9e", "9f"), ("2024a", "2025a"), ("5", "1!1")]
    for older, newer in pairs:
        low, high = record("x", older), record("x", newer)
        assert changes([low], [high], Intent({}))["x"][0] is Move.UPGRADE
        assert changes([high], [low], Intent({}))["x"][0] is Move.DOWNGRADE
    assert same(record("x", "1.0"), record("x", "1.0"))
    assert not same(record("x", "1.0"), record("x", "1.0", build="1"))


def test_what_makes_a_package_move() -> None:
    numpy = record("numpy", "1.26"), record("numpy", "2.1")
    wolf = record("wolf", "2.0", ["numpy >=2"])
    after = [numpy[1], wolf]
    assert changes([numpy[0]], after, Intent({}))["numpy"][1] == "wolf 2.0 needs numpy>=2"
    assert changes([numpy[0]], after, Intent({}, updated=frozenset({"numpy"})))["numpy"][1] == (
        "you asked for an update"
    )
    asked = Intent({"numpy": "numpy>2"}, changed=frozenset({"numpy"}))
    assert changes([numpy[0]], after, asked)["numpy"][1] == "you asked for numpy>2"
    everything = Intent({}, everything=True)
    assert changes([numpy[0]], [numpy[1]], everything)["numpy"][1] == "there is a newer version"
    assert (
        changes([numpy[0]], [numpy[1]], Intent({}))["numpy"][1] == "a newer version fits the rest"
    )
    wax = record("wax", constrains=["numpy <2"])
    assert changes([numpy[1]], [numpy[0], wax], Intent({}))["numpy"] == (
        Move.DOWNGRADE,
        "wax 1.0 allows numpy<2 only",
    )


def test_a_package_that_does_not_fit_python_any_more() -> None:
    before = [record("python", "3.11.4"), record("bear", depends=["python 3.11.*"], build="py311")]
    after = [record("python", "3.12.1"), record("bear", depends=["python 3.12.*"], build="py312")]
    assert changes(before, after, Intent({"python": "python"}, frozenset({"python"}))) == {
        "python": (Move.UPGRADE, "you asked for python"),
        "bear": (Move.REBUILD, "bear 1.0 needs python 3.11.*"),
    }


def test_conditions_and_extras_count_where_they_hold() -> None:
    records = [
        record("python", "3.12.1"),
        record("old", "1.0", ['fur[version=">=9", when="python <3.12"]']),
        record("new", "1.0", ['fur[version=">=2", when="python >=3.12"]', "rich[extras=[color]]"]),
        record("rich", "14.0", extra_depends={"color": ["paint >=3"], "other": ["ink"]}),
        record("fur", "2.0"),
    ]
    needs = read_needs(records, {})
    assert [need.said for need in needs.by_name["fur"]] == ["new 1.0 needs fur>=2"]
    assert [need.said for need in needs.by_name["paint"]] == ["rich 14.0 needs paint>=3"]
    assert "ink" not in needs.by_name
    assert "ink" in read_needs(records, {"rich": ("other",)}).by_name
    # Of a need in a circle, and of one of the package itself, nothing is said twice.
    circle = [record("a", depends=["b"]), record("b", depends=["a", "b[extras=[x]]"])]
    assert set(read_needs(circle, {}).by_name) == {"a", "b"}


def test_what_leads_to_all_others() -> None:
    records = [
        record("bear", depends=["fur >=1"]),
        record("fur", depends=["hair"]),
        record("hair", depends=["fur"]),
        # a circle that nothing needs, and what only one of it needs
        record("sphinx", depends=["ext"]),
        record("ext", depends=["sphinx", "docs"]),
        record("docs"),
        # a circle below the next one, and before it in the alphabet
        record("a", depends=["b"]),
        record("b", depends=["a"]),
        record("y", depends=["z"]),
        record("z", depends=["y", "b"]),
        # not needed with this Python, nor without the extra
        record("old", depends=['toml[when="python <3.9"]']),
        record("toml"),
        record("python", "3.12"),
    ]
    assert tops(records) == ["bear", "ext", "old", "python", "toml", "y"]
    assert tops([]) == []


def test_what_an_addition_is_for() -> None:
    records = [record(name, depends=["honey"]) for name in ("ant", "bee", "cat", "dog")]
    needs = read_needs([*records, record("honey")], {})
    asked = Intent({"cat": "cat>=1"})
    assert why_added("cat", asked, needs) == "you asked for cat>=1"
    assert why_added("honey", asked, needs) == "needed by cat, ant and 2 more"


def test_why_something_goes() -> None:
    before = [
        record("wolf", "2.0", ["howl", "fur"]),
        record("howl"),
        record("fur"),
        record("lone"),
    ]
    found = difference(before, [record("wolf", "1.0", ["fur"]), record("fur")], Intent({}), len_of)
    assert {removal.package.name: removal.why for removal in found.removals} == {
        "howl": "wolf does not need it any more",
        "lone": "nothing that you asked for needs it",
    }
    gone = difference(before, [], Intent({}), len_of)
    assert {removal.package.name: removal.why for removal in gone.removals}["fur"] == (
        "only wolf needed it"
    )


def len_of(_: RepoDataRecord) -> int:
    return 0


def test_who_holds_a_package_back() -> None:
    fur = record("fur", "2.0")
    assert why_held(fur, [fur, record("wolf", depends=["fur <3"])]) == "wolf 1.0 needs fur<3"
    assert why_held(fur, [fur, record("wolf", depends=["fur 2.*"])]) == "wolf 1.0 needs fur 2.*"
    assert why_held(fur, [fur, record("wolf", depends=["fur >=2", "fur !=4"])]) is None
    assert why_held(fur, [fur, record("wax", constrains=["fur =2.0"])]) is not None


def test_what_only_the_dependencies_are() -> None:
    records = [
        record("wolf", "2.0", ["fur >=2,<3", "howl", "__unix", 'python[version=">=3.10"]']),
        record("howl", depends=["deep"]),
    ]
    assert direct_needs(records, ["wolf"]) == ["fur>=2,<3", "howl", "python>=3.10"]
