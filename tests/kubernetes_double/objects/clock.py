"""The time, as Kubernetes writes it."""

from __future__ import annotations

from datetime import datetime, timezone


def now() -> str:
    """The time in whole seconds, as in the metadata and the status of objects."""
    return written(datetime.now(timezone.utc))


def written(time: datetime) -> str:
    """A time in whole seconds."""
    return time.astimezone(timezone.utc).strftime("%Y-%m-%dT%H:%M:%SZ")


def read(text: str) -> datetime:
    """A time of Kubernetes or of Docker, which writes nine digits where Python reads six."""
    whole, point, rest = text.rstrip("Z").partition(".")
    zone = "+00:00"
    for sign in "+-":
        if sign in rest:
            rest, _, offset = rest.partition(sign)
            zone = sign + offset
        elif not point and sign in whole[10:]:
            whole, _, offset = whole.rpartition(sign)
            zone = sign + offset
    return datetime.fromisoformat(f"{whole}.{rest[:6].ljust(6, '0')}{zone}")
