"""``kaa notices`` of real channels: over HTTP and as a directory."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from conda_channel import CondaChannel, Fault

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from cli.answer import Answer


def notice(message: str, **fields: Any) -> dict[str, Any]:
    return {"id": message[:4], "message": message, "created_at": "2026-01-02", **fields}


def write(directory: Path, *notices: dict[str, Any]) -> None:
    directory.mkdir(exist_ok=True)
    (directory / "notices.json").write_text(json.dumps({"notices": notices}))


def test_notices_are_shown_the_gravest_first(
    tmp_path: Path, kaa_process: Callable[..., Answer]
) -> None:
    write(
        tmp_path / "forge",
        notice("a word\nmore of it", level="info"),
        notice("old news", level="critical", expired_at="2020-01-01T00:00:00Z"),
        notice("it moves", level="critical", expired_at="2999-01-01"),
        notice("\x1b[31mred", level="loud"),
    )
    with CondaChannel(tmp_path / "other") as other:
        arguments = ("-c", (tmp_path / "forge").as_uri(), "-c", other.url)
        answer = kaa_process("notices", *arguments)
        assert answer.code == 0, answer.err
        lines = answer.out.splitlines()
        assert lines[0].startswith("CRITICAL") and lines[1] == "  it moves"
        assert "  more of it" in lines and "old news" not in answer.out
        assert "\x1b[31m" not in answer.out
        told = kaa_process("notices", *arguments, "--json").json
        assert [each["level"] for each in told["notices"]] == ["critical", "info", "info"]
        assert kaa_process("notices", "-c", other.url).out == "No notices.\n"


def test_a_channel_that_cannot_be_asked_is_said(
    tmp_path: Path, kaa_process: Callable[..., Answer]
) -> None:
    write(tmp_path / "good", notice("hello there"))
    (tmp_path / "odd").mkdir()
    (tmp_path / "odd" / "notices.json").write_text("[]")
    with CondaChannel(tmp_path / "ill") as ill:
        ill.fail("*notices.json", Fault(status=403))
        answer = kaa_process(
            "notices",
            *("-c", (tmp_path / "good").as_uri(), "-c", ill.url),
            *("-c", (tmp_path / "odd").as_uri()),
        )
    assert answer.code == 1
    assert "hello there" in answer.out
    assert "403" in answer.err and "is no list of notices" in answer.err


def test_offline_is_an_error_with_a_hint(
    kaa_process: Callable[..., Answer], monkeypatch: Any
) -> None:
    monkeypatch.setenv("KAA_OFFLINE", "1")
    answer = kaa_process("notices", "-c", "pypi")
    assert answer.code == 2 and "hint:" in answer.err
