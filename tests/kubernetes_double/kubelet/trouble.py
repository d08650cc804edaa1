"""Why a pod's next part cannot begin now."""

from __future__ import annotations


class Trouble(Exception):
    """:param reason: as in ``state.waiting.reason``."""

    def __init__(self, reason: str, message: str) -> None:
        super().__init__(message)
        self.reason, self.message = reason, message


class MountTrouble(Exception):
    """A volume that cannot be set up yet."""
