"""What SIGTERM means: at first the end, at once; for a sidecar that has staged, that the program is over.

Ending at once leaves nothing to tidy: files of an attempt go with its folder, objects are written whole or not at all,
and without a candidate nothing of it is ever found.
"""

from __future__ import annotations

import os
import signal
from typing import Final

ENDED: Final = 3
"""Exit code: SIGTERM came before there was a result, or a second one."""


class Termination:
    """The first SIGTERM after :meth:`expect` ends :meth:`wait`; any other ends the process."""

    def __init__(self) -> None:
        self._read, self._write = os.pipe()
        self._expected = False

    def install(self) -> None:
        """Take SIGTERM.  The kernel ignores it for a container's first process as long as nobody does."""
        signal.signal(signal.SIGTERM, self._arrived)

    def expect(self) -> None:
        """From now on SIGTERM is what :meth:`wait` waits for."""
        self._expected = True

    def wait(self) -> None:
        """Return when SIGTERM has come since :meth:`expect`."""
        os.read(self._read, 1)  # not pause(): a signal just before that would be missed

    def _arrived(self, *_: object) -> None:
        if not self._expected:
            os._exit(ENDED)
        self._expected = False
        os.write(self._write, b"t")
