"""The values of a mapped step as its consumer gets them: none is read before it is asked for."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, overload


class LazySequence(Sequence[Any]):
    """Reads a member each time that it is asked for, and keeps none, so that one fits into memory after the other.

    :param read: gives the member of an index.
    """

    def __init__(self, read: Callable[[int], Any], length: int) -> None:
        self._read, self._length = read, length

    def __len__(self) -> int:
        return self._length

    @overload
    def __getitem__(self, index: int) -> Any: ...
    @overload
    def __getitem__(self, index: slice) -> Sequence[Any]: ...
    def __getitem__(self, index: int | slice) -> Any:
        """A member, or some of them, as lazy as all."""
        places = range(self._length)[index]
        if isinstance(places, range):
            return LazySequence(lambda i: self._read(places[i]), len(places))
        return self._read(places)

    def __repr__(self) -> str:
        return f"LazySequence({self._length} values)"
