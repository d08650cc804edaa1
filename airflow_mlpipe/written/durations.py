"""Times as people write them: ``90s``, ``1h30m``."""

from __future__ import annotations

from datetime import timedelta

_UNITS = {"d": 86400, "h": 3600, "m": 60, "s": 1}


def parse_duration(value: object) -> timedelta | None:
    """``90``, ``90s``, ``1h30m`` or ``0.5s`` as a time; ``None`` when it is none."""
    import re

    if isinstance(value, bool):
        return None
    if isinstance(value, (int, float)):
        return timedelta(seconds=value)
    if not isinstance(value, str) or not re.fullmatch(r"(\d+(\.\d+)?[dhms])+", text := value.replace(" ", "")):
        return None
    found = re.findall(r"(\d+)(?:\.(\d+))?([dhms])", text)
    whole = sum((timedelta(seconds=int(n) * _UNITS[u]) for n, _, u in found), timedelta())
    return whole + sum((timedelta(seconds=float(f"0.{f}") * _UNITS[u]) for _, f, u in found if f), timedelta())


def spell_duration(value: timedelta) -> str:
    """The shortest text that :func:`parse_duration` reads as this."""
    seconds, text = value.days * 86400 + value.seconds, ""
    for unit in ("d", "h", "m"):
        count, seconds = divmod(seconds, _UNITS[unit])
        text += f"{count}{unit}" if count else ""
    if value.microseconds:
        return text + f"{seconds}.{value.microseconds:06d}".rstrip("0") + "s"
    return text + (f"{seconds}s" if seconds or not text else "")
