"""Whether what a program wrote is what was expected: byte for byte, or number for number."""

from __future__ import annotations

import json
import math
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

_NUMBER = re.compile(r"[-+]?(?:\d+\.?\d*|\.\d+)(?:[eE][-+]?\d+)?")
_MOST = 10


def unlike(expected: Path, given: Path, tolerance: float | None = None) -> list[str]:
    """How a file or folder differs from the expected one, a line each, at most ten.

    :param tolerance: by how much numbers in JSON and in text may differ, absolutely or relatively; ``None``: nothing
        may.
    """
    if expected.is_dir() != given.is_dir():
        return [f"a {_kind(given)}, and a {_kind(expected)} is expected"]
    if not expected.is_dir():
        return list(_files(expected, given, tolerance, ""))[:_MOST]
    found: list[str] = []
    before, after = _members(expected), _members(given)
    found += [f"{path} is missing" for path in sorted(before - after)]
    found += [f"{path} is not expected" for path in sorted(after - before)]
    for path in sorted(before & after):
        found += _files(expected / path, given / path, tolerance, path)
    return found[:_MOST]


def _kind(path: Path) -> str:
    return "folder" if path.is_dir() else "file"


def _members(folder: Path) -> set[str]:
    return {str(path.relative_to(folder)) for path in folder.rglob("*") if path.is_file()}


def _files(expected: Path, given: Path, tolerance: float | None, name: str) -> Iterator[str]:
    was, now = expected.read_bytes(), given.read_bytes()
    if was == now:
        return
    at = f"{name}: " if name else ""
    if tolerance is None:
        yield f"{at}other bytes ({len(now)}, and {len(was)} are expected)"
        return
    try:
        before, after = was.decode(), now.decode()
    except UnicodeDecodeError:
        yield f"{at}other bytes, which are no text that numbers can be compared in"
        return
    try:
        yield from (f"{at}{one}" for one in _values(json.loads(before), json.loads(after), tolerance, "$"))
    except ValueError:
        yield from (f"{at}{one}" for one in _texts(before, after, tolerance))


def _values(expected: Any, given: Any, tolerance: float, place: str) -> Iterator[str]:
    if _is_number(expected) and _is_number(given):
        if not near(expected, given, tolerance):
            yield f"{place} is {given}, and {expected} is expected"
    elif isinstance(expected, dict) and isinstance(given, dict):
        for key in sorted({*expected, *given}):
            if key not in given or key not in expected:
                yield f"{place}.{key} is {'missing' if key in expected else 'not expected'}"
            else:
                yield from _values(expected[key], given[key], tolerance, f"{place}.{key}")
    elif isinstance(expected, list) and isinstance(given, list) and len(expected) == len(given):
        for index, (one, other) in enumerate(zip(expected, given, strict=True)):
            yield from _values(one, other, tolerance, f"{place}[{index}]")
    elif expected != given or type(expected) is not type(given):
        yield f"{place} is {json.dumps(given)[:80]}, and {json.dumps(expected)[:80]} is expected"


def _texts(expected: str, given: str, tolerance: float) -> Iterator[str]:
    before, after = expected.splitlines(), given.splitlines()
    if len(before) != len(after):
        yield f"{len(after)} lines, and {len(before)} are expected"
    for number, (one, other) in enumerate(zip(before, after, strict=False), 1):
        mine, theirs = _NUMBER.findall(one), _NUMBER.findall(other)
        same = _NUMBER.split(one) == _NUMBER.split(other) and len(mine) == len(theirs)
        if not same or not all(near(float(a), float(b), tolerance) for a, b in zip(mine, theirs, strict=True)):
            yield f"line {number} is {other[:80]!r}, and {one[:80]!r} is expected"


def near(expected: float, given: float, tolerance: float) -> bool:
    """Whether two numbers differ by no more than a tolerance, absolutely or relatively; NaN is near NaN."""
    if math.isnan(expected) or math.isnan(given):
        return math.isnan(expected) and math.isnan(given)
    return math.isclose(expected, given, rel_tol=tolerance, abs_tol=tolerance)


def _is_number(value: object) -> bool:
    return isinstance(value, (int, float)) and not isinstance(value, bool)
