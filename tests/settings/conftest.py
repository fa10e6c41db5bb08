"""These tests are about the settings themselves, so that none may come from the suite."""

from __future__ import annotations

import pytest


@pytest.fixture(autouse=True)
def nothing_set(isolated: None, monkeypatch: pytest.MonkeyPatch) -> None:
    """Take away what keeps every other test from the default channels."""
    monkeypatch.delenv("KAA_CHANNELS")
    monkeypatch.delenv("KAA_NAME_MAPPING")
    monkeypatch.delenv("KAA_COMPILE")
