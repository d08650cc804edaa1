"""A container as the engine described it."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class Seen:
    """A container of this deployment, as the engine described it.

    :param task_instance: the UUID of the try that it runs. :param log_size: see :class:`spec.Task`.
    :param state: Docker's word: ``created``, ``running``, ``exited``, ...
    :param exit_code: of an ended one. :param out_of_memory: whether the memory was not enough.
    :param error: what Docker says of its end, mostly nothing.
    :param memory_limit: of an ended one, in bytes.
    """

    id: str
    task_instance: str
    log_path: str = ""
    log_size: int = 0
    state: str
    exit_code: int | None = None
    out_of_memory: bool = False
    error: str = ""
    memory_limit: int | None = None

    @property
    def has_ended(self) -> bool:
        """Whether it will not run any more."""
        return self.exit_code is not None
