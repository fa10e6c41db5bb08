"""The solver's own account of a refusal, read back: real ones, made by rattler here and now."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Any

import pytest
import rattler
from rattler.package import BuildString

from kaa.solver.refusal import Says, names, read_refusal, walk

if TYPE_CHECKING:
    from collections.abc import Sequence

CHANNEL = "https://channel.example/"
OTHER = "https://other.example/"


@dataclass
class Records:
    """A source of records in memory (rattler's ``RepoDataSource``)."""

    records: list[rattler.RepoDataRecord]

    async def fetch_package_records(
        self, platform: rattler.Subdir, name: rattler.PackageName
    ) -> list[rattler.RepoDataRecord]:
        if str(platform) != "noarch":
            return []
        return [record for record in self.records if record.name.normalized == name.normalized]

    def package_names(self, _platform: rattler.Subdir) -> list[str]:
        return []


def record(
    name: str, version: str, *depends: str, constrains: Sequence[str] = (), channel: str = CHANNEL
) -> rattler.RepoDataRecord:
    package = rattler.PackageRecord(
        name,
        version,
        BuildString("0"),
        0,
        "noarch",
        noarch="generic",
        depends=list(depends),
        constrains=list(constrains),
    )
    file = f"{name}-{version}-0.conda"
    return rattler.RepoDataRecord(package, file, f"{channel}noarch/{file}", channel)


WORLD = [
    record("base", "1"),
    record("base", "2"),
    record("old", "1", "base <2"),
    record("old", "1.1", "base <2"),
    record("new", "1", "base >=2"),
    record("deep", "1", "new", "old"),
    record("limits", "1", constrains=["base <2"]),
    record("gpu", "1", "__cuda >=12"),
    record("lost", "1", "nowhere >=3"),
    record("chooser", "1", "gpu"),
    record("chooser", "2", "lost"),
    record("needs-more", "1", "shared >=2"),
    record("shared", "1"),
]
LOWER = [record("shared", "2", channel=OTHER)]


def refusal(*specs: str, **options: Any) -> str:
    sources = [Records(WORLD), Records(LOWER)]
    with pytest.raises(Exception, match="Cannot solve the request") as caught:
        asyncio.run(rattler.solve(sources, list(specs), platforms=["noarch"], **options))
    return str(caught.value)


def said(text: str) -> list[tuple[Says, str, str]]:
    return [(node.says, node.name, node.rest) for node in walk(read_refusal(text))]


@pytest.mark.parametrize(
    ("specs", "expected"),
    [
        (["base=3"], [(Says.MISSING, "base", "3.*")]),
        (["nothing >=2"], [(Says.MISSING, "nothing", ">=2")]),
        (
            ["old", "base=2"],
            [
                (Says.BLOCKED, "old", "*"),
                (Says.NEEDS, "old", "1 | 1.1"),
                (Says.MISSING, "base", "<2"),
            ],
        ),
        (
            ["chooser"],
            [
                (Says.BLOCKED, "chooser", "*"),
                (Says.NEEDS, "chooser", "2"),
                (Says.BLOCKED, "lost", "*"),
                (Says.NEEDS, "lost", "1"),
                (Says.MISSING, "nowhere", ">=3"),
                (Says.NEEDS, "chooser", "1"),
                (Says.BLOCKED, "gpu", "*"),
                (Says.NEEDS, "gpu", "1"),
                (Says.MISSING, "__cuda", ">=12"),
            ],
        ),
        (
            ["limits", "base=2"],
            [
                (Says.POSSIBLE, "base", "2.*"),
                (Says.OPTION, "base", "2"),
                (Says.BLOCKED, "limits", "*"),
                (Says.CONSTRAINS, "limits", "1"),
                (Says.FORBIDDEN, "base", "<2"),
            ],
        ),
        (["needs-more"], [(Says.EXCLUDED, "shared", "2")]),
        (["base[channel='https://third.example/']"], [(Says.EXCLUDED, "base", "1 | 2")]),
    ],
)
def test_what_rattler_says(specs: list[str], expected: list[tuple[Says, str, str]]) -> None:
    found = said(refusal(*specs))
    assert found == expected or set(expected) < set(found)
    assert Says.UNKNOWN not in {says for says, _, _ in found}


def test_two_that_need_different_versions() -> None:
    found = said(refusal("deep"))
    assert {(Says.NEEDS, "new", "1"), (Says.NEEDS, "old", "1 | 1.1")} <= set(found)
    assert Says.COLLIDES in {says for says, _, _ in found}


def test_what_is_pinned_constrained_or_too_young() -> None:
    locked = said(refusal("base=2", pinned_packages=[WORLD[0]]))
    assert (Says.LOCKED, "base", "1") in locked
    constrained = said(refusal("base=2", constraints=["base <2"]))
    assert (Says.UNFULFILLED, "base", "<2") in constrained
    young = list(walk(read_refusal(refusal("base", exclude_newer=datetime(2020, 1, 1)))))
    assert [node.reason for node in young if node.says is Says.EXCLUDED] == [
        "the package has no timestamp"
    ]


def test_reasons_of_exclusion() -> None:
    tree = read_refusal(refusal("needs-more"))
    reasons = [node.reason for node in walk(tree) if node.says is Says.EXCLUDED]
    assert len(reasons) == 1
    assert "strict channel priority" in reasons[0]
    assert OTHER in reasons[0]


def test_names_come_from_the_top_down() -> None:
    assert names(read_refusal(refusal("chooser"))) == (
        "chooser",
        "lost",
        "gpu",
        "nowhere",
        "__cuda",
    )


@pytest.mark.parametrize("text", ["", "\n\n", "Cannot solve the request because of: "])
def test_no_reason_at_all(text: str) -> None:
    assert read_refusal(text) == ()


def test_a_line_of_an_unknown_form_is_kept() -> None:
    text = "Cannot solve the request because of: base * is bewitched!\n└─ who, and why?"
    (node,) = read_refusal(text)
    assert (node.says, node.rest) == (Says.UNKNOWN, "base * is bewitched!")
    assert node.children[0].rest == "who, and why?"
