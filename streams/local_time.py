"""Which moment does a wall clock in some time zone show?"""

from __future__ import annotations

from datetime import UTC, datetime
from zoneinfo import ZoneInfo


def moment_at(wall: datetime, time_zone: str) -> datetime | None:
    """Return the moment in UTC; None when the clocks skip that time. A repeated time is its first."""
    moment = wall.replace(tzinfo=ZoneInfo(time_zone)).astimezone(UTC)
    return moment if wall_at(moment, time_zone) == wall.replace(tzinfo=None) else None


def wall_at(moment: datetime, time_zone: str) -> datetime:
    """Return what the clocks there show, without a zone."""
    return moment.astimezone(ZoneInfo(time_zone)).replace(tzinfo=None)
