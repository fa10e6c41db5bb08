"""The graph of an environment: reading records, and the ways down to a package."""

from __future__ import annotations

import json
from itertools import pairwise, product
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kaa.environments.graph import read_graph
from kaa.environments.prefix import write_manifest
from kaa.model.environment import Manifest
from kaa.model.graph import (
    Dependency,
    DependencyGraph,
    Node,
    Presence,
    Vertex,
    parse_dependency,
)

if TYPE_CHECKING:
    from pathlib import Path


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("numpy", Dependency("numpy")),
        ("numpy *", Dependency("numpy")),
        ("numpy >=1.2,<2", Dependency("numpy", ">=1.2,<2")),
        ("Numpy>=1.2", Dependency("numpy", ">=1.2")),
        ("python_abi 3.12.* *_cp312", Dependency("python_abi", "3.12.* *_cp312")),
        ("conda-forge::ruamel.yaml =0.18", Dependency("ruamel.yaml", "=0.18")),
        ('a[version=">=1,<2", build="py*"]', Dependency("a", ">=1,<2 py*")),
        ("a[build=py39_0]", Dependency("a", "* py39_0")),
        ("a >=1[extras=[x, y]]", Dependency("a", ">=1", ("x", "y"))),
        (
            'a[extras=[x], when="python >=3.9 and __unix"]',
            Dependency("a", "", ("x",), "python >=3.9 and __unix"),
        ),
        ("__glibc >=2.17", Dependency("__glibc", ">=2.17")),
        ("", None),
        ("[x]", None),
    ],
)
def test_lines_of_records_are_read(text: str, expected: Dependency | None) -> None:
    assert parse_dependency(text) == expected


def write_record(prefix: Path, name: str, version: str = "1.0", **fields: Any) -> None:
    record = {"name": name, "version": version, "build": "0", "channel": "kaa://pypi", **fields}
    folder = prefix / "conda-meta"
    folder.mkdir(parents=True, exist_ok=True)
    (folder / f"{name}-{version}-0.json").write_text(json.dumps(record, indent=2))


def ways(graph: DependencyGraph, name: str, limit: int = 100) -> list[list[str]]:
    chains, _ = graph.chains(name, graph.requested(), limit)
    return [[str(link.dependent) for link in chain] for chain in chains]


def test_only_who_asks_for_an_extra_needs_what_it_needs(tmp_path: Path) -> None:
    write_record(tmp_path, "app", depends=["requests[extras=[socks]]"], requested_specs=["app"])
    write_record(tmp_path, "other", depends=["requests >=2"], requested_specs=["other"])
    write_record(
        tmp_path,
        "requests",
        depends=["idna"],
        extra_depends={"socks": ["pysocks[version='>=1.5']"], "chardet": ["idna", "chardet"]},
    )
    write_record(tmp_path, "pysocks", depends=[])
    write_record(tmp_path, "idna", depends=[])
    graph = read_graph(tmp_path)
    assert ways(graph, "pysocks") == [["app", "requests[socks]"]]
    assert ways(graph, "idna") == [["app", "requests"], ["other", "requests"]]
    assert "chardet" not in graph.nodes  # nobody asks for that extra
    assert [line.name for line in graph.needs("requests")] == ["idna"]
    assert [line.name for line in graph.needs("requests", ["socks"])] == ["idna", "pysocks"]


def test_an_extra_may_stand_for_others_of_the_same_package(tmp_path: Path) -> None:
    write_record(
        tmp_path,
        "pandas",
        requested_specs=["pandas >=2[extras=[all]]"],
        depends=["numpy"],
        extra_depends={"all": ["pandas[extras=[aws]]"], "aws": ["s3fs"], "loop": ["pandas"]},
    )
    write_record(tmp_path, "numpy")
    write_record(tmp_path, "s3fs")
    graph = read_graph(tmp_path)
    assert ways(graph, "s3fs") == [["pandas[all]", "pandas[aws]"]]
    assert [line.name for line in graph.needs("pandas", ["all"])] == ["numpy", "s3fs"]
    assert [node.name for node in graph.tops()] == ["pandas"]
    assert graph.nodes["pandas"].asked == ("pandas[all]>=2",)


def test_a_condition_that_does_not_hold_is_no_dependency(tmp_path: Path) -> None:
    write_record(tmp_path, "python", "3.13.0")
    write_record(
        tmp_path,
        "app",
        requested_specs=["app"],
        depends=['tomli[when="python <3.11a0"]', 'extra[version=">=1+dev", when="python >=3.9"]'],
    )
    for name in ("tomli", "extra"):
        write_record(tmp_path, name)
    graph = read_graph(tmp_path)
    assert ways(graph, "tomli") == []
    assert graph.needs("app") == [Dependency("extra", ">=1", (), "python >=3.9")]


def test_what_is_not_there_is_a_leaf(tmp_path: Path) -> None:
    write_record(tmp_path, "app", depends=["__glibc >=2.17", "gone"])
    graph = read_graph(tmp_path)
    assert graph.nodes["__glibc"].presence is Presence.VIRTUAL
    assert graph.nodes["gone"].presence is Presence.MISSING
    assert graph.requested() == []


def test_several_lines_about_one_package_are_one_edge(tmp_path: Path) -> None:
    write_record(tmp_path, "app", depends=["b >=1", "b <2", "b >=1"], requested_specs=["app"])
    write_record(tmp_path, "b")
    graph = read_graph(tmp_path)
    assert graph.needs("app") == [Dependency("b", ">=1, <2")]


@pytest.mark.parametrize(
    ("fields", "asked"),
    [
        ({"requested_specs": ["numpy 1.2.*"]}, ("numpy 1.2.*",)),
        ({"requested_specs": [], "requested_spec": "numpy"}, ("numpy",)),
        ({"requested_spec": "None"}, ()),
        ({"requested_spec": ""}, ()),
        ({"requested_specs": None}, ()),
        ({}, ()),
    ],
)
def test_what_other_programs_recorded_is_understood(
    tmp_path: Path, fields: dict[str, Any], asked: tuple[str, ...]
) -> None:
    write_record(tmp_path, "numpy", **fields)
    assert read_graph(tmp_path).nodes["numpy"].asked == asked


def test_the_manifest_says_what_was_asked_for_as_it_was_typed(tmp_path: Path) -> None:
    write_record(tmp_path, "requests", requested_specs=["requests >=2+dev[extras=[socks]]"])
    write_record(tmp_path, "typing_extensions", requested_specs=["typing_extensions"])
    write_record(tmp_path, "kept", requested_specs=["kept"])
    specs = ("Requests[socks]>=2", "pypi::typing-extensions", "typing_extensions<9")
    write_manifest(tmp_path, Manifest("demo", specs, ("pypi",), "kaa create", "now"))
    nodes = read_graph(tmp_path).nodes
    assert nodes["requests"].asked == ("Requests[socks]>=2",)
    assert nodes["requests"].asked_extras == ("socks",)
    assert nodes["typing_extensions"].asked == specs[1:]
    assert nodes["kept"].asked == ()  # asked for once, and not any more


def test_a_spec_that_names_no_package_leaves_it_to_the_records(tmp_path: Path) -> None:
    write_record(tmp_path, "pytorch", requested_specs=["pytorch >=2"])
    write_record(tmp_path, "vision", purls=["pkg:pypi/TorchVision@1.0?source=x"])
    specs = ("torch>=2", "torchvision")
    write_manifest(tmp_path, Manifest("demo", specs, ("pypi",), "kaa create", "now"))
    nodes = read_graph(tmp_path).nodes
    assert nodes["pytorch"].asked == ("pytorch>=2",)
    assert nodes["vision"].asked == ("torchvision",)


def test_damaged_records_do_not_hide_the_others(tmp_path: Path) -> None:
    write_record(tmp_path, "good", depends=["odd", 3, ""], extra_depends=[], purls="x")
    write_record(tmp_path, "odd", depends="good", constrains=None, version_=3)
    folder = tmp_path / "conda-meta"
    (folder / "a-1-0.json").write_text("{")
    (folder / "b-1-0.json").write_bytes(b'\xff{"name": "b"}')
    (folder / "c-1-0.json").write_text("[]")
    (folder / "d-1-0.json").write_text('{"name": 3}')
    (folder / "e-1-0.json").write_text('{"name": "e"\n  "files": [')
    graph = read_graph(tmp_path)
    assert sorted(graph.nodes) == ["good", "odd"]
    assert [line.name for line in graph.needs("good")] == ["odd"]
    assert read_graph(tmp_path / "nowhere").nodes == {}


def test_records_are_the_same_whatever_order_their_keys_have(tmp_path: Path) -> None:
    fields: dict[str, Any] = {
        "depends": ["b"],
        "requested_specs": ["a"],
        "files": ["x", "y"],
        "purls": ["z"],
    }
    write_record(tmp_path / "after", "a", **{**fields, "link": {"source": "s"}})
    other = dict(reversed(list(fields.items())))
    write_record(tmp_path / "before", "a", **other)
    first, second = read_graph(tmp_path / "after"), read_graph(tmp_path / "before")
    assert first.nodes["a"].needs == second.nodes["a"].needs == (Dependency("b"),)
    assert first.nodes["a"].asked == second.nodes["a"].asked == ("a",)


# --- chains against brute force ---------------------------------------------------------------

NAMES = "abcde"
edges = st.sets(
    st.tuples(st.sampled_from(NAMES), st.sampled_from(NAMES)).filter(
        lambda pair: pair[0] != pair[1]
    ),
    max_size=18,
)


def brute_force(pairs: set[tuple[str, str]], root: str, goal: str) -> list[str]:
    """All shortest paths, by trying every sequence of names."""
    for length in range(len(NAMES)):
        found = [
            "".join((root, *middle, goal))
            for middle in product(NAMES, repeat=length)
            if all(pair in pairs for pair in zip((root, *middle), (*middle, goal), strict=True))
        ]
        if found:
            return found
    return []


@given(pairs=edges, roots=st.sets(st.sampled_from(NAMES)))
def test_chains_are_all_the_shortest_ways(pairs: set[tuple[str, str]], roots: set[str]) -> None:
    graph = DependencyGraph(
        Node(
            name,
            needs=tuple(Dependency(b) for a, b in sorted(pairs) if a == name),
            asked=(name,) if name in roots else (),
        )
        for name in NAMES
    )
    for goal in NAMES:
        chains, total = graph.chains(goal, graph.requested(), 1000)
        paths = ["".join([*(link.dependent.name for link in chain), goal]) for chain in chains]
        expected = [
            path for root in roots if root != goal for path in brute_force(pairs, root, goal)
        ]
        assert sorted(paths) == sorted(expected)
        assert total == len(expected)
        assert [len(path) for path in paths] == sorted(map(len, paths))
        assert graph.chains(goal, graph.requested(), 2)[0] == chains[:2]
        users = {link.dependent.name for link in graph.needed_by(Vertex(goal))}
        assert users == {a for a, b in pairs if b == goal}


def test_more_ways_than_could_be_walked_are_counted() -> None:
    layers = [[f"n{depth}_{number}" for number in range(10)] for depth in range(30)]
    nodes = [
        Node(name, needs=tuple(Dependency(below) for below in lower))
        for upper, lower in pairwise(layers)
        for name in upper
    ]
    top = Node("top", asked=("top",), needs=tuple(Dependency(name) for name in layers[0]))
    graph = DependencyGraph([top, *nodes, *(Node(name) for name in layers[-1])])
    chains, total = graph.chains("n29_0", [graph.nodes["top"]], 3)
    assert len(chains) == 3
    assert total == 10**29
