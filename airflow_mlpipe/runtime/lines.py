r"""Run: a program's output as lines that a task log can hold.

Bytes arrive in any pieces; lines leave as text.  A progress bar (states separated by ``\r``) becomes its last state,
at most one per second; a line without end is split; bytes that are no text do no harm.
"""

from __future__ import annotations

import re
from collections.abc import Callable

MAX_LINE = 64 * 1024
"""Bytes after which a line is split: a log server may refuse longer ones."""

PROGRESS_SECONDS = 1.0
"""How often a progress bar is shown."""

_CURSOR = re.compile(r"\x1b\[[0-9;?]*[A-LN-Za-ln-z]|\x1b[@-Z\\-_]")  # escapes other than colours (``m``)
_CONTROL = dict.fromkeys((*range(9), *range(10, 27), *range(28, 32), 127), "\ufffd")


class Lines:
    """Cut a stream of bytes into lines.

    :param emit: gets each line, without its end.
    :param clock: seconds, monotonic.
    """

    def __init__(self, emit: Callable[[str], object], clock: Callable[[], float]) -> None:
        self._emit = emit
        self._clock = clock
        self._rest = b""  # since the last \n or \r
        self._state: bytes | None = None  # the last whole state of a progress bar
        self._shown: bytes | None = None  # the state that was emitted last
        self._due = 0.0

    def feed(self, data: bytes) -> None:
        """Take the next piece."""
        *whole, rest = (self._rest + data).split(b"\n")
        for line in whole:
            self._line(line.removesuffix(b"\r"))
        self._rest = self._progress(rest) if b"\r" in rest else rest
        while len(self._rest) > MAX_LINE:
            cut = _character_start(self._rest, MAX_LINE)
            self._out(self._rest[:cut])
            self._rest = self._rest[cut:]

    def tick(self) -> None:
        """Show a progress bar's state when it is time; call it now and then."""
        if self._state is not None and self._state != self._shown and self._clock() >= self._due:
            self._shown = self._state
            self._due = self._clock() + PROGRESS_SECONDS
            self._out(self._state)

    def close(self) -> None:
        """The stream ended: what has no end yet is a line."""
        if self._rest.removesuffix(b"\r") or self._state is not None:
            self._line(self._rest)
        self._rest = b""

    def _progress(self, rest: bytes) -> bytes:
        r"""Keep the last whole state; returns what follows the last ``\r`` (one at the end may be of ``\r\n``)."""
        head, _, last = rest.rpartition(b"\r")
        if not last:
            head, _, last = head.rpartition(b"\r")
            last += b"\r"
        states = [s for s in head.split(b"\r") if s.strip()]
        if states:
            self._state = states[-1][:MAX_LINE]
            self.tick()
        return last

    def _line(self, line: bytes) -> None:
        states = [s for s in line.split(b"\r") if s.strip()]
        final = states[-1] if states else (b"" if self._state is None else self._state)
        if self._state is None or final != self._shown:
            while len(final) > MAX_LINE:
                cut = _character_start(final, MAX_LINE)
                self._out(final[:cut])
                final = final[cut:]
            self._out(final)
        self._state = self._shown = None
        self._due = 0.0

    def _out(self, line: bytes) -> None:
        text = line.decode("utf-8", "replace")
        if not text.isprintable():
            text = _CURSOR.sub("", text).translate(_CONTROL)
        self._emit(text)


def _character_start(data: bytes, cut: int) -> int:
    """The last place up to ``cut`` that does not split a UTF-8 character."""
    for place in range(cut, cut - 4, -1):
        if data[place] & 0xC0 != 0x80:
            return place
    return cut
