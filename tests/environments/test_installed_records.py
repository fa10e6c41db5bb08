"""What is installed, read for those who are going to change it."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

import pytest

from kaa.environments.packages import read_packages
from kaa.environments.prefix import write_manifest
from kaa.environments.records import (
    installed_names,
    read_files,
    read_records,
    requested_specs,
)
from kaa.model.environment import Manifest
from kaa.model.errors import EnvironmentStateError
from prefix_records import write_record

if TYPE_CHECKING:
    from pathlib import Path


def test_records_are_read_in_order_of_name(tmp_path: Path) -> None:
    write_record(tmp_path, "fur", "2.1", depends=["python >=3.10"])
    write_record(tmp_path, "bear", requested_specs=["bear >=1"], files=["bin/growl", "lib/b.txt"])
    (tmp_path / "conda-meta" / "history").write_text("")
    (tmp_path / "conda-meta" / "kaa").mkdir()
    bear, fur = read_records(tmp_path)
    assert (bear.name.normalized, str(bear.version)) == ("bear", "1.0")
    assert (fur.name.normalized, fur.depends) == ("fur", ["python >=3.10"])
    files = read_files(tmp_path)
    assert [(each.name, each.files) for each in files] == [
        ("bear", ("bin/growl", "lib/b.txt")),
        ("fur", ("lib/fur.txt",)),
    ]
    assert installed_names(tmp_path) == ["bear", "fur"]


def test_names_with_dashes_are_read_off_the_files(tmp_path: Path) -> None:
    write_record(tmp_path, "python-dateutil", "2.9.0")
    write_record(tmp_path, "ca-certificates", "2026.1.1")
    assert installed_names(tmp_path) == ["ca-certificates", "python-dateutil"]
    assert installed_names(tmp_path) == [
        record.name.normalized for record in read_records(tmp_path)
    ]


@pytest.mark.parametrize("content", ["", "{", "[]", "{}", '{"name": "x"}', "null", "\0", "\udcff"])
def test_a_damaged_record_is_named_and_the_rest_is_not_guessed(
    tmp_path: Path, content: str
) -> None:
    write_record(tmp_path, "bear")
    broken = tmp_path / "conda-meta" / "broken-1-0.json"
    broken.write_text(content, errors="surrogateescape")
    with pytest.raises(EnvironmentStateError) as caught:
        read_records(tmp_path)
    assert "broken-1-0.json: " in (caught.value.cause or "")
    assert "bear" not in (caught.value.cause or "")
    assert caught.value.hint
    with pytest.raises(EnvironmentStateError, match="what is installed cannot be read"):
        read_files(tmp_path)
    # Whoever only looks still sees the others.
    assert [package.name for package in read_packages(tmp_path)] == ["bear"]


def test_many_damaged_records_are_counted(tmp_path: Path) -> None:
    (tmp_path / "conda-meta").mkdir()
    for number in range(7):
        (tmp_path / "conda-meta" / f"broken-{number}-0.json").write_text("{")
    with pytest.raises(EnvironmentStateError) as caught:
        read_records(tmp_path)
    assert (caught.value.cause or "").splitlines()[-1] == "and 4 more"


def test_two_records_of_one_package_are_an_error(tmp_path: Path) -> None:
    write_record(tmp_path, "bear", "1.0")
    write_record(tmp_path, "bear", "2.0")
    with pytest.raises(EnvironmentStateError) as caught:
        read_records(tmp_path)
    assert "a second record of bear" in (caught.value.cause or "")


@pytest.mark.parametrize("kind", ["nothing", "file", "empty"])
def test_no_records_are_no_packages(tmp_path: Path, kind: str) -> None:
    if kind == "file":
        (tmp_path / "conda-meta").write_text("")
    elif kind == "empty":
        (tmp_path / "conda-meta").mkdir()
    assert read_records(tmp_path) == ()
    assert read_files(tmp_path) == ()
    assert installed_names(tmp_path) == []


def test_a_closed_directory_is_not_an_empty_one(tmp_path: Path) -> None:
    write_record(tmp_path, "bear")
    (tmp_path / "conda-meta").chmod(0)
    if os.access(tmp_path / "conda-meta", os.R_OK):
        pytest.skip("this user may read everything")
    try:
        with pytest.raises(EnvironmentStateError):
            read_records(tmp_path)
    finally:
        (tmp_path / "conda-meta").chmod(0o755)


def test_what_was_asked_for_survives_a_damaged_manifest(tmp_path: Path) -> None:
    write_record(tmp_path, "bear", requested_specs=["bear >=1"])
    write_record(tmp_path, "fur")
    records = read_records(tmp_path)
    assert requested_specs(tmp_path, records) == ("bear >=1",)
    write_manifest(tmp_path, Manifest("demo", ("bear", "python=3.12"), ("pypi",), "kaa", "now"))
    assert requested_specs(tmp_path, records) == ("bear", "python=3.12")
