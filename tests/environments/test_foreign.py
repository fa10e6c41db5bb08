"""What other programs have installed, told from the records alone."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

from kaa.environments.foreign import (
    foreign_distributions,
    foreign_package,
    read_foreign,
)
from kaa.environments.records import read_files
from prefix_records import write_record

if TYPE_CHECKING:
    from pathlib import Path

SITE = "lib/python3.12/site-packages"


def install(prefix: Path, entry: str, **files: str) -> None:
    folder = prefix / SITE / entry
    folder.mkdir(parents=True)
    for name, text in files.items():
        (folder / name.replace("__", ".")).write_text(text)


def test_both_ways_of_looking_agree(tmp_path: Path) -> None:
    write_record(tmp_path, "python", "3.12.1", files=["bin/python"])
    write_record(
        tmp_path,
        "bear",
        files=[
            f"{SITE}/bear-1.0.dist-info/METADATA",
            f"{SITE}/bear/_vendor/fox-1.0.dist-info/METADATA",
            f"{SITE}/old.egg-info",
            "share/owl-1.0.dist-info/METADATA",
        ],
    )
    for entry in ("bear-1.0.dist-info", "fox-1.0.dist-info", "owl-1.0.dist-info"):
        install(tmp_path, entry)
    (tmp_path / SITE / "old.egg-info").write_text("")
    (tmp_path / SITE / "older-2.0-py3.12.egg-info").write_text("")
    found = read_foreign(tmp_path)
    assert [str(each) for each in found] == ["fox 1.0", "older 2.0", "owl 1.0"]
    assert found == foreign_distributions(tmp_path, read_files(tmp_path))


def test_who_installed_it_and_from_where(tmp_path: Path) -> None:
    write_record(tmp_path, "python", "3.12.1", files=["bin/python"])
    url = {"url": "file:///src/fox", "dir_info": {"editable": True}}
    install(tmp_path, "fox-1.0.dist-info", INSTALLER="uv\n", direct_url__json=json.dumps(url))
    install(tmp_path, "owl-1.0.dist-info", REQUESTED="", direct_url__json="{")
    fox, owl = (foreign_package(tmp_path, each) for each in read_foreign(tmp_path))
    assert (fox.source, fox.url, fox.requested) == ("uv", "file:///src/fox", False)
    assert (owl.source, owl.url, owl.requested) == ("unknown", "", True)


def test_where_python_looks_is_what_its_record_says(tmp_path: Path) -> None:
    assert read_foreign(tmp_path) == ()
    write_record(tmp_path, "python", "3.13.0", python_site_packages_path="lib/python3.13t/site")
    (tmp_path / "lib/python3.13t/site/fox-1.0.dist-info").mkdir(parents=True)
    assert [each.name for each in read_foreign(tmp_path)] == ["fox"]
    (tmp_path / "conda-meta" / "bear-1.0-0.json").write_text("damaged")
    assert [each.name for each in read_foreign(tmp_path)] == ["fox"]
