"""How amounts are written for people: durations, fingerprints, lines that came from elsewhere."""

from __future__ import annotations


def duration(seconds: float | None) -> str:
    """``0.8 s``, ``2 m 05 s``, ``3 h 10 m``; empty for ``None``."""
    if seconds is None:
        return ""
    if seconds < 59.95:
        return f"{seconds:.1f} s"
    whole = round(seconds)
    if whole < 3600:
        return f"{whole // 60} m {whole % 60:02d} s"
    return f"{whole // 3600} h {whole % 3600 // 60:02d} m"


def size(count: int) -> str:
    """``312 B``, ``1.5 MiB``: bytes in binary units."""
    amount = float(count)
    for unit in ("B", "KiB", "MiB", "GiB"):
        if amount < 1024:
            return f"{count} B" if unit == "B" else f"{amount:.1f} {unit}"
        amount /= 1024
    return f"{amount:.1f} TiB"


def short(fingerprint: str | None) -> str:
    """The first 12 digits of a fingerprint, without the name of its scheme."""
    return "" if fingerprint is None else fingerprint.rpartition(":")[2][:12]


def printable(line: str) -> str:
    """A line that came over the network without what could steer a terminal."""
    return "".join(c for c in line.expandtabs() if c.isprintable())
