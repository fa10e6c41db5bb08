"""What options and settings make of a question to the solver."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime, timedelta, timezone

import pytest

from kaa.model.errors import RequestError
from kaa.model.options import SolveOptions
from kaa.settings.configuration import Configuration
from kaa.sources.target import host_subdir
from kaa.workflows.options import is_foreign, platform_of, question


@pytest.mark.parametrize(
    ("text", "moment"),
    [
        ("2026-03-01", datetime(2026, 3, 1, tzinfo=timezone.utc)),
        ("2026-03-01T12:00:00Z", datetime(2026, 3, 1, 12, tzinfo=timezone.utc)),
        (" 2026-03-01T12:00:00+02:00", datetime(2026, 3, 1, 10, tzinfo=timezone.utc)),
    ],
)
def test_a_date(text: str, moment: datetime) -> None:
    assert question(SolveOptions(exclude_newer=text), (), ()).exclude_newer == moment


@pytest.mark.parametrize("text", ["48h", "2 days", "2d"])
def test_an_age(text: str) -> None:
    found = question(SolveOptions(exclude_newer=text), (), ()).exclude_newer
    assert found is not None
    expected = datetime.now(timezone.utc) - timedelta(days=2)
    assert abs(found - expected) < timedelta(minutes=1)


@pytest.mark.parametrize(
    "text", ["", "soon", "7", "2026-13-01", "9999999w", f"{'9' * 30}d", f"{'9' * 5000}d"]
)
def test_neither_a_date_nor_an_age(text: str) -> None:
    with pytest.raises(RequestError, match="neither a date nor an age") as caught:
        question(SolveOptions(exclude_newer=text), (), ())
    assert caught.value.hint


def test_the_platform_is_asked_for_or_configured_or_this_machines() -> None:
    configured = Configuration(subdir="linux-s390x")
    asked = SolveOptions(platform="win-64")
    assert platform_of(asked, configured) == "win-64"
    assert platform_of(SolveOptions(), configured) == "linux-s390x"
    assert platform_of(SolveOptions(), Configuration()) == host_subdir()
    with pytest.raises(RequestError):
        platform_of(replace(asked, platform="amiga-32"), configured)


def test_what_cannot_be_installed_here(monkeypatch: pytest.MonkeyPatch) -> None:
    assert not is_foreign(host_subdir())
    assert is_foreign("linux-s390x")
    monkeypatch.setattr("kaa.workflows.options.host_subdir", lambda: "osx-arm64")
    assert not is_foreign("osx-64")
    assert is_foreign("linux-64")
