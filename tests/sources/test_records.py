"""What a wheel needs, as dependencies and as a record."""

from __future__ import annotations

import hashlib

import pytest

from kaa.model.distribution import CoreMetadata, IndexFile
from kaa.model.errors import MetadataError
from kaa.sources.identity import identity
from kaa.sources.records import dependencies, wheel_build, wheel_record
from kaa.sources.target import Target, host_target
from kaa.sources.versions import NO_VERSION

LINUX = {"os_name": "posix", "sys_platform": "linux", "platform_system": "Linux"}
TARGET = Target(("3.12.1", "3.9.2"), (), LINUX)
URL = "https://example.org/demo-1.0-py3-none-any.whl"


def needed(*requires: str, extras: tuple[str, ...] = (), target: Target = TARGET) -> list[str]:
    metadata = CoreMetadata("demo", "1.0", None, requires, extras)
    found = dependencies(metadata, target, direct={"chosen"})
    return [f"{item.extra}: " * bool(item.extra) + item.match_spec() for item in found]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("A.b_c", ["a-b-c"]),
        ("a<2", ['a[version="<2dev"]']),
        ("a[Y_y,x]", ["a[extras=[x,y-y]]"]),
        ("a; python_version >= '3.10'", ['a[when="python >=3.10"]']),
        ("a; python_version >= '3.8'", ["a"]),
        ("a; python_version < '3.8'", []),
        ("a; sys_platform == 'win32'", []),
        ("a; extra == 'One'", ["one: a"]),
        ("a; extra == 'undeclared'", []),
        ("a; extra == 'one' and python_version < '3.10'", ['one: a[when="python <3.10a0"]']),
        (
            "a; extra == 'one' or python_version < '3.10'",
            ['a[when="python <3.10a0"]', "one: a"],
        ),
        ("a; extra != 'one'", ["a"]),
        ("demo[two]; extra == 'one'", ["one: demo[extras=[two]]"]),
        ("a @ https://example.org/a.whl ; extra == 'one'", [f'one: a[version="{NO_VERSION}"]']),
        (
            "a @ https://example.org/a.whl ; python_version < '3.10'",
            [f'a[version="{NO_VERSION}", when="python <3.10a0"]'],
        ),
        ("chosen @ https://example.org/a.whl", ["chosen"]),
    ],
)
def test_requirements(text: str, expected: list[str]) -> None:
    assert needed(text, extras=("one", "two")) == expected


def test_a_url_that_is_needed_always_is_to_be_asked_for() -> None:
    with pytest.raises(MetadataError, match="from a URL only what is asked for") as caught:
        needed("a @ https://me:secret@example.org/a.whl")
    assert caught.value.hint == "ask for it, too: `a @ https://example.org/a.whl`"


def test_each_need_is_said_once() -> None:
    assert needed("a", "a", "A") == ["a"]


@pytest.mark.parametrize(
    "text",
    ["a >== 1", "", "a (", "a; python_version", "a; 'x' in extras", "a; nothing == '1'", "-e ."],
)
def test_what_is_no_requirement(text: str) -> None:
    with pytest.raises(MetadataError) as caught:
        needed(text)
    assert caught.value.cause
    assert caught.value.hint


@pytest.mark.parametrize("given", [None, "", "xyz", "../../x", "ab" * 31])
def test_the_identity_without_a_usable_hash_is_that_of_the_url(given: str | None) -> None:
    hashes = {} if given is None else {"sha256": given}
    file = IndexFile("demo-1.0-py3-none-any.whl", URL, hashes)
    assert identity(file) == hashlib.sha256(URL.encode()).hexdigest()


def test_the_identity_is_the_hash() -> None:
    file = IndexFile("demo-1.0-py3-none-any.whl", URL, {"sha256": "AB" * 32})
    assert identity(file) == "ab" * 32


@pytest.mark.parametrize("tag", ["py3./../../x", "py2.py3", "cp312"])
def test_a_build_string_can_be_part_of_a_file_name(tag: str) -> None:
    file = IndexFile(f"demo-1.0-{tag}-none-any.whl", URL, {})
    build = wheel_build(file, "ab" * 32)
    assert build.replace("_", "").isalnum()
    assert build.endswith("_abababab")


def test_a_record() -> None:
    file = IndexFile("demo-1.0-py3-none-any.whl", URL, {"sha256": "ab" * 32}, size=5)
    metadata = CoreMetadata("demo", "1.0", None, ("a", "b; extra == 'x'"), ("x",))
    needs = dependencies(metadata, host_target(("3.12.1",)))
    record = wheel_record("demo", "1.0.dev1", file, "ab" * 32, needs, [">=3.8"])
    assert record.depends == ["python >=3.8", "a"]
    assert record.extra_depends == {"x": ["b"]}
    assert (str(record.version), str(record.build)) == ("1.0dev1", "py3_abababab")
    assert record.sha256 == bytes.fromhex("ab" * 32)
    assert (record.size, record.url) == (5, URL)
