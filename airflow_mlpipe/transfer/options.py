"""What an author may say of a transfer: its mode, what of the source goes, and how fast.

Checked while the DAG file is parsed, and again when templates are rendered.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any, Literal, get_args

from airflow_mlpipe.errors import DefinitionError

Mode = Literal["copy", "sync", "move"]
MODES: tuple[Mode, ...] = get_args(Mode)

CONCURRENCY = 16
"""Files under way at once, unless the author says else."""

MOST_CONCURRENCY = 256

_UNITS = {"": 1, "k": 10**3, "m": 10**6, "g": 10**9, "ki": 2**10, "mi": 2**20, "gi": 2**30}
_RATE = re.compile(r"\s*(\d+(?:\.\d+)?)\s*([kmg]i?)?b?(?:/s)?\s*\Z", re.IGNORECASE)


@dataclass(frozen=True, slots=True, kw_only=True)
class TransferOptions:
    """How a transfer is done.

    :param mode: ``copy`` adds and overwrites; ``sync`` also removes, at the destination, what the source does not have;
        ``move`` also removes from the source what was verified at the destination.
    :param include: patterns in the syntax of gitignore; none: everything. :param exclude: likewise; they win.
    :param bandwidth: bytes per second, of all files together; ``None``: no limit.
    :param concurrency: files under way at once. :param dry_run: say what would be done, and do nothing.
    """

    mode: Mode = "copy"
    include: tuple[str, ...] = ()
    exclude: tuple[str, ...] = ()
    bandwidth: float | None = None
    concurrency: int = CONCURRENCY
    dry_run: bool = False


def check_options(
    *, mode: Any, include: Any, exclude: Any, bandwidth: Any, concurrency: Any, dry_run: Any, where: str
) -> TransferOptions:
    """Options from what an author wrote, or what a template rendered to.

    :raises DefinitionError: naming the option, the value and what would be valid.
    """
    if mode not in MODES:
        raise DefinitionError("unknown mode", where=where, given=mode, valid=MODES)
    return TransferOptions(
        mode=mode,
        include=check_patterns(include, where=f"{where}: include"),
        exclude=check_patterns(exclude, where=f"{where}: exclude"),
        bandwidth=bytes_per_second(bandwidth, where=f"{where}: bandwidth"),
        concurrency=_concurrency(concurrency, where=f"{where}: concurrency"),
        dry_run=_yes_or_no(dry_run, where=f"{where}: dry_run"),
    )


def check_patterns(given: Any, *, where: str) -> tuple[str, ...]:
    """A list of patterns.  :raises DefinitionError: for a text, and for what would be no pattern of gitignore's."""
    from airflow_mlpipe.fingerprint.ignore import compile_patterns

    if given is None:
        return ()
    if isinstance(given, (str, bytes)) or not isinstance(given, Iterable):
        raise DefinitionError("a list of patterns is wanted", where=where, given=given, fix=f"write [{given!r}]")
    patterns = tuple(given)
    for pattern in patterns:
        if not isinstance(pattern, str) or not pattern.strip() or pattern.startswith(("#", "!")):
            raise DefinitionError(
                "not a pattern",
                where=where,
                given=pattern,
                valid="text in the syntax of gitignore, that begins neither with ! nor with #",
                fix="what include= must not take, say in exclude=",
            )
    compile_patterns(patterns, where=where)
    return patterns


def bytes_per_second(given: Any, *, where: str) -> float | None:
    """A rate: a number of bytes per second, or a text like ``50 MiB/s``, ``12.5MB``, ``800k``.

    :raises DefinitionError: when it is none, or not above 0.
    """
    if given is None or given == "":
        return None
    rate = 0.0
    if isinstance(given, (int, float)) and not isinstance(given, bool):
        rate = float(given)
    elif isinstance(given, str) and (match := _RATE.match(given)):
        rate = float(match[1]) * _UNITS[(match[2] or "").lower()]
    if not rate > 0 or rate == float("inf"):
        raise DefinitionError(
            "not a rate", where=where, given=given, valid="bytes per second above 0, or a text like '50 MiB/s'"
        )
    return rate


def _concurrency(given: Any, *, where: str) -> int:
    if given is None or given == "":
        return CONCURRENCY
    number = int(given) if isinstance(given, str) and given.strip().isdigit() else given
    if not isinstance(number, int) or isinstance(number, bool) or not 1 <= number <= MOST_CONCURRENCY:
        raise DefinitionError("not a number of files", where=where, given=given, valid=f"1 to {MOST_CONCURRENCY}")
    return number


def _yes_or_no(given: Any, *, where: str) -> bool:
    if isinstance(given, bool):
        return given
    texts = {"true": True, "1": True, "yes": True, "false": False, "0": False, "no": False, "": False, "none": False}
    if isinstance(given, str) and given.strip().lower() in texts:
        return texts[given.strip().lower()]
    raise DefinitionError("neither yes nor no", where=where, given=given, valid=(True, False, "true", "false"))
