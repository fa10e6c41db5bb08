"""Directories and pages of archives (``find-links``), from the command line and from settings."""

from __future__ import annotations

import shutil
from typing import TYPE_CHECKING

import pytest

from end_to_end.machine import PYTHON, kaa
from local_server import LocalServer, Reply, Request, basic
from wheels import build_wheel

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from local_index import LocalIndex


@pytest.fixture
def links(wheels: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A directory with all there is: no index is asked."""
    monkeypatch.setenv("PIP_NO_INDEX", "1")
    folder = tmp_path / "links"
    shutil.copytree(wheels, folder)
    return folder


@pytest.fixture
def page(wheels: Path) -> Iterator[LocalServer]:
    """A server that wants to know who asks, and has a page of links."""

    def answer(request: Request) -> Reply:
        if request.headers.get("authorization") != basic("me", "secret"):
            return Reply(401, b"", {"WWW-Authenticate": "Basic realm=links"})
        if request.path == "/links":
            names = "".join(f'<a href="/files/{wheel.name}">x</a>' for wheel in wheels.iterdir())
            return Reply(200, names.encode(), {"Content-Type": "text/html"})
        return Reply(200, (wheels / request.path.rpartition("/")[2]).read_bytes())

    server = LocalServer(answer)
    server.start()
    yield server
    server.stop()


def test_every_command_that_solves_looks_there(links: Path) -> None:
    create = kaa("create", "-n", "den", "fur", "ipykernel", "--find-links", links, "-y")
    assert create.code == 0, create.err
    build_wheel(links, "fur", "2.2")
    install = kaa("install", "-n", "den", "bear", "--find-links", "links", "-y")
    assert install.code == 0, install.err
    update = kaa("update", "-n", "den", "fur", "--find-links", links, "-y")
    assert update.code == 0, update.err
    packages = {p["name"]: p for p in kaa("list", "-n", "den", "--json").json}
    assert packages["fur"]["version"] == "2.2"
    assert packages["bear"]["url"] == (links / "bear-1.0-py3-none-any.whl").as_uri()


@pytest.mark.parametrize("variable", ["PIP_FIND_LINKS", "UV_FIND_LINKS"])
def test_those_of_pips_and_uvs_settings(
    links: Path, variable: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    missing = kaa("create", "-n", "den", "bear", PYTHON, "--dry-run")
    assert missing.code != 0
    monkeypatch.setenv(variable, str(links))
    found = kaa("create", "-n", "den", "bear", PYTHON, "--dry-run", "--json")
    assert {"bear", "fur"} <= {package["name"] for package in found.json["plan"]["add"]}
    assert kaa("search", "fur", "--json").json["packages"][0]["versions"][0]["version"] == "2.1"


def test_one_in_a_requirements_file_is_beside_it(
    links: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "requirements.txt").write_text("-f links\nfur\n", encoding="utf-8")
    monkeypatch.chdir(links)
    answer = kaa("create", "-n", "den", "-f", "../requirements.txt", PYTHON, "--dry-run")
    assert answer.code == 0, answer.err
    assert "fur" in answer.out


def test_a_page_that_wants_credentials(page: LocalServer, tmp_path: Path, links: Path) -> None:
    place = page.url.replace("://", "://me:secret@") + "/links"
    answer = kaa("create", "-n", "den", "bear", "ipykernel", "--find-links", place, "-y", "--json")
    assert answer.code == 0, answer.out
    assert "secret" not in answer.out
    written = [path for path in (tmp_path / "kaa").rglob("*.json") if path.is_file()]
    assert written
    assert not [path for path in written if "secret" in path.read_text(encoding="utf-8")]


def test_a_place_that_is_not_there(index: LocalIndex) -> None:
    answer = kaa("create", "-n", "den", "bear", "--find-links", "nowhere", "-y")
    assert answer.code != 0
    assert "nowhere" in answer.err
    assert "hint:" in answer.err


def test_what_is_asked_for_by_its_path_has_no_age(links: Path) -> None:
    wheel = build_wheel(links.with_name("mine"), "otter", "1.0")
    asked = ("-n", "den", PYTHON, wheel, "--exclude-newer", "2020-01-01", "--dry-run")
    create = kaa("create", *asked)
    assert create.code == 0, create.err
    assert "otter" in create.out
    refused = kaa("create", *asked, "fur", "--find-links", links)
    assert refused.code != 0
    assert "fur" in refused.err, "it does hold for what links have without a time"
