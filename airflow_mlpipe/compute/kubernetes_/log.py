"""Run: the lines of a pod's program, each once, also when the connection breaks or another worker goes on reading.

The log decides nothing: whether the program runs, and how it ended, is asked elsewhere.
"""

from __future__ import annotations

import queue
import threading
import time
from collections import deque
from collections.abc import Callable, Iterable, Iterator

from airflow_mlpipe.compute.kubernetes_.client import Cluster, Stream
from airflow_mlpipe.runtime.lines import Lines
from airflow_mlpipe.runtime.process import TAIL


class PodLog:
    """Reads a container's output in a thread; lines are handed on where :meth:`pump` is called.

    :param since: the moment, as the API writes it, after which lines are new.
    :ivar heard: when the last line came, by this machine's monotonic clock.
    """

    def __init__(
        self, cluster: Cluster, pod: str, container: str, on_line: Callable[[str], object], *, since: str = ""
    ) -> None:
        self._cluster, self._pod, self._container = cluster, pod, container
        self._on_line = on_line
        self._last = since  # the moment of the last whole line
        self._rest = b""  # what came after it, when the stream ended there
        self.heard = time.monotonic()
        self._whole: queue.SimpleQueue[bytes | None] = queue.SimpleQueue()
        self._lines = Lines(self._line, time.monotonic)
        self._stream: Stream | None = None
        self._reading = False
        self._was_read = False
        self.tail: deque[str] = deque(maxlen=TAIL)

    def start(self) -> None:
        """Read on from the last line that was read, unless somebody reads."""
        if not self._reading:
            self._reading, self._was_read = True, False
            threading.Thread(target=self._read, name="mlpipe-kubernetes-log", daemon=True).start()

    @property
    def is_reading(self) -> bool:
        """Whether the stream goes on."""
        return self._reading

    @property
    def was_read(self) -> bool:
        """Whether it could be opened at all, and has come to an end."""
        return self._was_read

    def pump(self, seconds: float) -> bool:
        """Hand on what has come, waiting so long for more; whether the stream goes on."""
        try:
            piece = self._whole.get(timeout=seconds)
            while True:
                if piece is None:
                    self._reading = False
                else:
                    self._lines.feed(piece)
                piece = self._whole.get_nowait()
        except queue.Empty:
            self._lines.tick()
        return self._reading

    def close(self) -> None:
        """The container has ended, or is of no interest any more: what is left is a line."""
        if (stream := self._stream) is not None:
            stream.end()
        self._lines.feed(self._rest)
        self._lines.close()

    def _read(self) -> None:
        try:
            self._stream = self._cluster.log(self._pod, self._container, since_second(self._last))
            read, self._rest = self._last, b""
            for stamp, text in stamped(self._stream, read):
                self.heard = time.monotonic()
                if text.endswith(b"\n"):
                    self._whole.put(text)
                    self._last = later(self._last, stamp)
                else:
                    self._rest = text
            self._was_read = True
        except Exception:  # noqa: BLE001, S110 - whatever a broken connection raises: reading starts again
            pass
        finally:
            self._whole.put(None)

    def _line(self, line: str) -> None:
        self.tail.append(line)
        self._on_line(line)


def stamped(lines: Iterable[bytes], read: str) -> Iterator[tuple[str, bytes]]:
    """Moments and lines after the last that was read; the API counts in seconds where to start."""
    last = _order(read)
    for line in lines:
        moment, _, text = line.partition(b" ")
        stamp = moment.decode("ascii", "replace")
        if _order(stamp) > last:
            yield stamp, text


def later(one: str, other: str) -> str:
    """The later of two moments: lines of the program's two streams may be a little out of order."""
    return max(one, other, key=_order)


def _order(moment: str) -> tuple[str, str]:
    """Trailing zeros of a second's fraction may be left away: ``...:05.1Z`` is before ``...:05.12Z``."""
    whole, _, fraction = moment.removesuffix("Z").partition(".")
    return whole, fraction.ljust(9, "0")


def since_second(moment: str) -> str:
    """As the API takes it."""
    return f"{_order(moment)[0]}Z" if moment else ""
