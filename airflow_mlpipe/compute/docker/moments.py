"""Moments as a Docker engine writes them: RFC 3339, in nanoseconds, by its own clock."""

from __future__ import annotations

from datetime import datetime, timezone


def between(start: str, end: str) -> float:
    """Seconds from one to another; 0 if it is the other way round."""
    return max(0.0, (_moment(end) - _moment(start)).total_seconds())


def age_of(moment: str) -> float:
    """Seconds since a moment, by this machine's clock."""
    return (datetime.now(timezone.utc).replace(tzinfo=None) - _moment(moment)).total_seconds()


def _moment(text: str) -> datetime:
    whole, _, fraction = text.removesuffix("Z").partition(".")
    return datetime.fromisoformat(whole).replace(microsecond=int(fraction[:6].ljust(6, "0")))
