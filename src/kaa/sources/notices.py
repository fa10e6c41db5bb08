"""What channels want their users to know: ``notices.json`` beside their repodata.

conda's "Channel notices": a list ``notices`` of ``id``, ``message``, ``level``, ``created_at`` and
``expired_at``.
"""

from __future__ import annotations

import asyncio
from dataclasses import asdict, dataclass
from datetime import datetime, timezone
from typing import TYPE_CHECKING, Any

from kaa.model.errors import KaaError
from kaa.model.source import Kind
from kaa.network.locations import redact

if TYPE_CHECKING:
    from collections.abc import Sequence

    from kaa.model.source import Source
    from kaa.network.client import Client

_NONE = frozenset({404, 410})
LEVELS = ("critical", "warning", "info")


@dataclass(frozen=True, slots=True)
class Notice:
    """One notice. ``level`` is one of :data:`LEVELS`; times are as the channel wrote them."""

    channel: str
    id: str
    message: str
    level: str
    created_at: str | None
    expired_at: str | None

    def as_dict(self) -> dict[str, Any]:
        """Return the fields that ``--json`` prints."""
        return asdict(self)


async def fetch_notices(
    sources: Sequence[Source], client: Client
) -> tuple[tuple[Notice, ...], tuple[str, ...]]:
    """Return the notices of all channels that hold today, and what could not be asked, and why.

    A channel without a ``notices.json`` has none.
    """
    places = [(s.name, url) for s in sources if s.kind is Kind.CONDA for url in s.urls]
    answers = await asyncio.gather(*(_of(name, url, client) for name, url in places))
    notices = [notice for found, _ in answers for notice in found]
    notices.sort(key=lambda notice: LEVELS.index(notice.level))
    return tuple(notices), tuple(failure for _, failure in answers if failure)


async def _of(name: str, url: str, client: Client) -> tuple[list[Notice], str | None]:
    try:
        answer = await client.get(f"{url}notices.json")
    except KaaError as error:
        cause = f" ({error.cause})" if error.cause else ""
        return [], f"{name}: {error.message}{cause}"
    if answer.status in _NONE:
        return [], None
    found = _read(name, answer.content)
    if found is None:
        return [], f"{name}: {redact(url)}notices.json is no list of notices"
    return [notice for notice in found if not _expired(notice)], None


def _read(channel: str, content: bytes) -> list[Notice] | None:
    import orjson

    try:
        entries = orjson.loads(content)["notices"]
        return [
            Notice(
                channel,
                str(entry.get("id") or ""),
                str(entry["message"]),
                entry["level"] if entry.get("level") in LEVELS else "info",
                _text(entry.get("created_at")),
                _text(entry.get("expired_at") or entry.get("expiry")),
            )
            for entry in entries
        ]
    except (ValueError, LookupError, TypeError, AttributeError):
        return None


def _text(value: object) -> str | None:
    return value if isinstance(value, str) else None


def _expired(notice: Notice) -> bool:
    if notice.expired_at is None:
        return False
    try:
        moment = datetime.fromisoformat(notice.expired_at.replace("Z", "+00:00"))
    except ValueError:
        return False
    moment = moment if moment.tzinfo else moment.replace(tzinfo=timezone.utc)
    return moment < datetime.now(timezone.utc)
