"""Which generations are kept: as a table, and properties that hold for any history and clock."""

from __future__ import annotations

from datetime import datetime, timedelta, timezone
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kaa.environments.history import Generation
from kaa.environments.retention import last_used, superfluous
from kaa.model.cleaning import Keep
from kaa.model.environment import Manifest

NOW = datetime(2026, 11, 28, 12, tzinfo=timezone.utc)


def generation(number: int, days: float, parent: int | None = None) -> Generation:
    """Return a generation that was made ``days`` ago by the clock of then."""
    created = (NOW - timedelta(days=days)).isoformat()
    made_from = parent if parent is not None else number - 1 or None
    manifest = Manifest("demo", (), (), "kaa", created, made_from)
    return Generation(number, Path(str(number)), manifest)


def gone(
    ages: list[float], current: int, generations: int, days: float, **options: object
) -> list[int]:
    history = [generation(number, age) for number, age in enumerate(ages, 1)]
    found = superfluous(history, current, Keep(generations, days), NOW, **options)  # type: ignore[arg-type]
    return [each.number for each in found]


@pytest.mark.parametrize(
    ("ages", "current", "keep", "days", "expected"),
    [
        ([400, 300, 200, 100], 4, 0, 0, [1, 2]),
        ([400, 300, 200, 100], 4, 3, 0, [1]),
        ([400, 300, 200, 100], 4, 5, 0, []),
        # The second was in use until 200 days ago.
        ([400, 300, 200, 100], 4, 0, 250, [1]),
        ([400, 300, 200, 100], 4, 0, 150, [1, 2]),
        ([400, 300, 200, 100], 2, 0, 0, [3, 4]),
        ([400, 300, 200, 100], 1, 0, 0, [2, 3, 4]),
        ([400], 1, 0, 0, []),
        # A clock that was wrong: the second is from the future, so that the later ones are, too.
        ([400, -300, 200, 100, 90], 5, 0, 1, []),
        # It was set back to long ago: nothing is older than what was made before it.
        ([3, 2, 9000, 9000, 1], 5, 0, 10, []),
    ],
)
def test_table(
    ages: list[float], current: int, keep: int, days: float, expected: list[int]
) -> None:
    assert gone(ages, current, keep, days) == expected


def test_what_an_undo_leads_to_is_kept() -> None:
    history = [generation(1, 90), generation(2, 80), generation(3, 70), generation(4, 60, parent=2)]
    found = superfluous(history, 4, Keep(0, 0), NOW)
    assert [each.number for each in found] == [1, 3]
    # The second one was in use until the fourth was made.
    assert last_used(history, NOW)[2] == NOW - timedelta(days=60)


def test_what_is_in_use_is_kept() -> None:
    assert gone([9, 8, 7, 6], 4, 0, 0, in_use={1}) == [2]


def test_the_newest_was_in_use_until_the_link_was_changed() -> None:
    assert gone([90, 80, 70], 1, 0, 5) == [2, 3]
    assert gone([90, 80, 70], 1, 0, 5, switched=NOW - timedelta(days=1)) == [2]


def test_what_nobody_knows_is_kept() -> None:
    damaged = Generation(1, Path("1"), None)
    history = [damaged, generation(2, 50), generation(3, 40), generation(4, 30)]
    assert [each.number for each in superfluous(history, 4, Keep(0, 0), NOW)] == [2]
    assert superfluous(history, None, Keep(0, 0), NOW) == []
    assert superfluous(history, 7, Keep(0, 0), NOW) == []


def test_what_is_off_the_disk_is_none() -> None:
    past = Generation(1, Path(".past-1"), generation(1, 99).manifest)
    history = [past, generation(2, 50), generation(3, 40), generation(4, 30)]
    assert [each.number for each in superfluous(history, 4, Keep(0, 0), NOW)] == [2]


AGES = st.lists(st.integers(-2000, 2000), min_size=1, max_size=9)


@given(AGES, st.integers(0, 8), st.integers(0, 6), st.integers(0, 60), st.integers(0, 2000))
def test_for_any_clock(ages: list[float], position: int, keep: int, days: int, later: int) -> None:
    current = min(position, len(ages) - 1) + 1
    found = gone(ages, current, keep, days)
    assert current not in found
    assert current - 1 not in found
    newest = list(range(1, len(ages) + 1))[len(ages) - keep :] if keep else []
    assert not set(found) & set(newest)
    # What goes was made, and followed by another one, longer ago than that, by every clock.
    for number in found:
        assert min(ages[:number]) > days
        assert number == len(ages) or min(ages[: number + 1]) > days
    # Whoever keeps more removes less.
    assert set(gone(ages, current, keep + 1, days)) <= set(found)
    assert set(gone(ages, current, keep, days + later)) <= set(found)
