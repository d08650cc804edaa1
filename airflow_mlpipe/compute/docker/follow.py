"""Run: the lines of a container, each once, also when the connection breaks or another worker goes on reading."""

from __future__ import annotations

import contextlib
import queue
import threading
import time
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from typing import TYPE_CHECKING

from airflow_mlpipe.runtime.lines import Lines
from airflow_mlpipe.runtime.process import TAIL

if TYPE_CHECKING:
    from docker import APIClient


class LogFollower:
    """Reads a container's output in a thread; lines are handed on where :meth:`pump` is called.

    :param since: the moment, as the engine writes it, after which lines are new.
    """

    def __init__(self, api: APIClient, container: str, on_line: Callable[[str], object], *, since: str = "") -> None:
        self._api, self._container = api, container
        self._on_line = on_line
        self._last = since
        self._pieces: queue.SimpleQueue[bytes | None] = queue.SimpleQueue()
        self._lines = Lines(self._line, time.monotonic)
        self.tail: deque[str] = deque(maxlen=TAIL)
        self._thread: threading.Thread | None = None

    def start(self) -> None:
        """Read on from the last line that was read."""
        self._thread = threading.Thread(target=self._read, name="mlpipe-docker-log", daemon=True)
        self._thread.start()

    def pump(self, seconds: float) -> bool:
        """Hand on what has come, waiting so long for more; whether the stream goes on."""
        try:
            piece = self._pieces.get(timeout=seconds)
            while piece is not None:
                self._lines.feed(piece)
                piece = self._pieces.get_nowait()
        except queue.Empty:
            self._lines.tick()
            return True
        self._lines.tick()
        return False

    def close(self) -> None:
        """The container has ended: what is left is a line.

        A stream that is followed may end with the program, before its last lines were written; so it is read once more.
        """
        from docker.errors import DockerException
        from requests.exceptions import RequestException

        with contextlib.suppress(RequestException, DockerException, OSError, ValueError):
            for moment, text in messages(self._api, self._container, self._last, follow=False):
                self._last = latest(self._last, moment)
                self._lines.feed(text)
        self._lines.close()

    def _read(self) -> None:
        from docker.errors import DockerException
        from requests.exceptions import RequestException

        try:
            for moment, text in messages(self._api, self._container, self._last, follow=True):
                self._last = latest(self._last, moment)
                self._pieces.put(text)
        except (RequestException, DockerException, OSError, ValueError):
            pass  # whether the container still runs is asked elsewhere; if it does, reading starts again
        finally:
            self._pieces.put(None)

    def _line(self, line: str) -> None:
        self.tail.append(line)
        self._on_line(line)


def messages(api: APIClient, container: str, since: str, *, follow: bool) -> Iterator[tuple[str, bytes]]:
    """What a container wrote after a moment: when, and what.  :param follow: whether to wait for more."""
    read = _order(since)  # the engine counts in seconds where to start
    for message in api.logs(container, stream=True, follow=follow, timestamps=True, since=_seconds(since)):
        moment, _, text = message.partition(b" ")
        stamp = moment.decode("ascii", "replace")
        if _order(stamp) > read:
            yield stamp, text


def lines_of(pieces: Iterable[bytes]) -> list[str]:
    """The lines of some output that is over."""
    found: list[str] = []
    lines = Lines(found.append, time.monotonic)
    for piece in pieces:
        lines.feed(piece)
    lines.close()
    return found


def latest(*moments: str) -> str:
    """The last of some moments: lines of a program's two streams may be a little out of order."""
    return max(moments, key=_order)


def _order(moment: str) -> tuple[str, str]:
    """The engine leaves trailing zeros of a second's fraction away: ``...:05.1Z`` is before ``...:05.12Z``."""
    whole, _, fraction = moment.removesuffix("Z").partition(".")
    return whole, fraction.ljust(9, "0")


def _seconds(moment: str) -> int | None:
    from datetime import datetime, timezone

    if not moment:
        return None
    return int(datetime.fromisoformat(_order(moment)[0]).replace(tzinfo=timezone.utc).timestamp())
