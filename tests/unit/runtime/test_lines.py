"""A program's output becomes lines that a task log can hold."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from airflow_mlpipe.runtime.lines import MAX_LINE, PROGRESS_SECONDS, Lines


class Clock:
    """Time that moves when a test says so."""

    def __init__(self) -> None:
        self.now = 100.0

    def __call__(self) -> float:
        """The time now."""
        return self.now


@pytest.fixture
def clock() -> Clock:
    """A clock that stands still."""
    return Clock()


@pytest.fixture
def cut(clock: Clock) -> Callable[..., list[str]]:
    """Feeds pieces and returns the lines."""

    def run(*pieces: bytes, seconds: float = 0.0) -> list[str]:
        out: list[str] = []
        lines = Lines(out.append, clock)
        for piece in pieces:
            lines.feed(piece)
            clock.now += seconds
        lines.close()
        return out

    return run


def test_lines_are_the_same_however_the_stream_is_cut(cut: Callable[..., list[str]]) -> None:
    """A line that arrives byte by byte is one line."""
    data = "grüße\r\n\nzwei\nohne Ende".encode()
    assert cut(data) == cut(*(data[i : i + 1] for i in range(len(data)))) == ["grüße", "", "zwei", "ohne Ende"]


@given(st.lists(st.binary(max_size=40), max_size=8))
def test_no_bytes_are_too_odd(pieces: list[bytes]) -> None:
    """Whatever bytes come, lines are text without line ends, NUL or cursor movements."""
    out: list[str] = []
    lines = Lines(out.append, Clock())
    for piece in pieces:
        lines.feed(piece)
    lines.close()
    assert not any(set(line) & set("\n\r\x00\x08") for line in out)


def test_a_fast_progress_bar_is_its_first_and_last_state(cut: Callable[..., list[str]]) -> None:
    """A thousand states within a second leave the first state and the final one."""
    assert cut(*(b"\r%d%%" % i for i in range(1000)), b"\n", b"done\n") == ["0%", "999%", "done"]


def test_a_slow_progress_bar_shows_once_per_second(cut: Callable[..., list[str]]) -> None:
    """States that come faster than that are left out."""
    assert cut(*(b"%d\r" % i for i in range(9)), b"end\n", seconds=PROGRESS_SECONDS / 2) == ["0", "2", "4", "6", "end"]


def test_a_final_state_that_was_shown_is_not_repeated(cut: Callable[..., list[str]]) -> None:
    r"""``100%\r100%\n`` is one line."""
    assert cut(b"100%\r100%\r", b"100%\n", seconds=2) == ["100%"]


def test_a_bar_without_a_line_end_is_shown_at_the_end(cut: Callable[..., list[str]]) -> None:
    """The last state counts although the program ended without a newline."""
    assert cut(b"1%\r", b"2%\r", b"3%") == ["1%", "3%"]


def test_a_line_without_end_is_split_between_characters(cut: Callable[..., list[str]]) -> None:
    """The parts are at most 64 KiB, and together they are the line."""
    text = "x" + "ä" * MAX_LINE
    for pieces in ([text.encode()], [text.encode() + b"\n"]):
        parts = cut(*pieces)
        assert "".join(parts) == text
        assert all(len(part.encode()) <= MAX_LINE for part in parts)


def test_colours_stay_and_cursor_movements_go(cut: Callable[..., list[str]]) -> None:
    """A log can show colours; it cannot move up a line."""
    assert cut(b"\x1b[31mred\x1b[0m\x1b[A\x1b[2K\tx\n") == ["\x1b[31mred\x1b[0m\tx"]
