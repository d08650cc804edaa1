"""What an author says of a step's program, before the kind of step has completed it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True, slots=True)
class Said:
    """The arguments of a step's constructor that are about its program.

    :param mapped: names of those that ``expand`` will give, an instance each; they cannot be checked before.
    """

    arguments: Any = None
    command: Any = None
    script_name: Any = None
    source_directory: Any = None
    code: Any = None
    mapped: frozenset[str] = frozenset()
