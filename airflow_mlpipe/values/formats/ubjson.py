"""Whether bytes are one whole document of Universal Binary JSON (draft 12, with the typed arrays that XGBoost writes).

XGBoost's own reader does not look where its input ends: of a file that was cut it reads on in the process's memory.
Nothing is decoded here.  Arrays of numbers are stepped over in one, so that a large model costs little.
"""

from __future__ import annotations

_SIZES = {"Z": 0, "T": 0, "F": 0, "i": 1, "U": 1, "C": 1, "I": 2, "l": 4, "d": 4, "L": 8, "D": 8}
_COUNTS = "iUIlL"
_DEEPEST = 100


def check_whole(data: bytes) -> None:
    """Walk a document to its end.

    :raises ValueError: for bytes that end before it does, go on after it, or are none.
    """
    end = _Walk(data).value(0, 0)
    if end != len(data):
        raise ValueError(f"{len(data) - end} bytes follow its end")


class _Walk:
    """Each method gets a place and returns the one after what it stepped over."""

    def __init__(self, data: bytes) -> None:
        self._data = data

    def value(self, at: int, depth: int) -> int:
        return self._content(self._mark(at), at + 1, depth)

    def _content(self, mark: str, at: int, depth: int) -> int:
        """Of a value whose mark was read."""
        if mark in _SIZES:
            return self._checked(at + _SIZES[mark])
        if mark in "SH":
            return self._text(at)
        if mark not in "[{" or depth > _DEEPEST:
            raise ValueError(f"no value begins at byte {at - 1}")
        return self._container(mark, at, depth + 1)

    def _container(self, mark: str, at: int, depth: int) -> int:
        kind = count = None
        if self._mark(at) == "$":
            kind, at = self._mark(at + 1), at + 2
        if self._mark(at) == "#":
            count, at = self._count(at + 1)
        elif kind is not None:
            raise ValueError(f"a typed array without a length at byte {at}")
        if mark == "[" and kind is not None and count is not None and kind in _SIZES:
            return self._checked(at + _SIZES[kind] * count)
        done = 0
        while done != count if count is not None else self._mark(at) not in "]}":
            if mark == "{":
                at = self._text(at)
            at = self._content(kind, at, depth) if kind is not None else self.value(at, depth)
            done += 1
        return at if count is not None else at + 1

    def _text(self, at: int) -> int:
        length, at = self._count(at)
        return self._checked(at + length)

    def _count(self, at: int) -> tuple[int, int]:
        mark = self._mark(at)
        if mark not in _COUNTS:
            raise ValueError(f"no length at byte {at}")
        end = self._checked(at + 1 + _SIZES[mark])
        count = int.from_bytes(self._data[at + 1 : end], "big", signed=mark != "U")
        if not 0 <= count <= len(self._data):
            raise ValueError(f"a length of {count} at byte {at}")
        return count, end

    def _mark(self, at: int) -> str:
        self._checked(at + 1)
        return chr(self._data[at])

    def _checked(self, end: int) -> int:
        if end > len(self._data):
            raise ValueError(f"it ends after {len(self._data)} bytes")
        return end
